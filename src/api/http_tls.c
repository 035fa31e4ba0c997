#include "api/http_tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crypto.h"

#define TICKET_KEYS_MAX 128

struct http_tls {
	char *cert;
	char *key;
	SSL_CTX *ctx;
};

/* ---- the certificate ---- */

static const char *last_words(char *buf, size_t size)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;

	snprintf(buf, size, "%s", reason ? reason : "no reason given");
	return buf;
}

/* Without it OpenSSL would ask for the pass phrase on the terminal and wait there. */
static int no_pass_phrase(char *buf, int size, int is_write, void *ctx)
{
	return -1;
}

/* RFC 7301: a client that also offers h2 is told which one it is. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		const unsigned char *in, unsigned in_len, void *ctx)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *found;

	int rc = SSL_select_next_proto(&found, out_len, ours, sizeof(ours) - 1, in, in_len);
	*out = found;
	return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int set_rules(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					      SSL_MODE_RELEASE_BUFFERS);
	/* Whole records come out of a read and none is fetched ahead, so that what is left waits in the
	 * socket, where the loop sees it. */
	SSL_CTX_set_read_ahead(ctx, 0);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_default_passwd_cb(ctx, no_pass_phrase);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
					       SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") ==
							       1
			       ? 0
			       : CH_ENOMEM;
}

static int keep_tickets(SSL_CTX *from, SSL_CTX *to)
{
	unsigned char keys[TICKET_KEYS_MAX];
	long len = SSL_CTX_get_tlsext_ticket_keys(from, NULL, 0);

	if (len <= 0 || (size_t)len > sizeof(keys))
		return CH_ENOMEM;
	bool is_set = SSL_CTX_get_tlsext_ticket_keys(from, keys, len) == 1 &&
		      SSL_CTX_set_tlsext_ticket_keys(to, keys, len) == 1;
	ch_wipe(keys, sizeof(keys));
	return is_set ? 0 : CH_ENOMEM;
}

static int load_files(SSL_CTX *ctx, const struct http_tls *t, struct ch_err *err)
{
	char words[200];

	if (SSL_CTX_use_certificate_chain_file(ctx, t->cert) != 1)
		return ch_err_set(err, CH_EINVAL, "%s: no certificate in PEM can be read there: %s", t->cert,
				last_words(words, sizeof(words)));
	if (SSL_CTX_use_PrivateKey_file(ctx, t->key, SSL_FILETYPE_PEM) != 1)
		return ch_err_set(err, CH_EINVAL,
				"%s: no private key that goes with %s can be read there: %s", t->key, t->cert,
				last_words(words, sizeof(words)));
	if (SSL_CTX_check_private_key(ctx) != 1)
		return ch_err_set(err, CH_EINVAL, "%s: this key does not go with %s", t->key, t->cert);
	return 0;
}

int http_tls_reload(struct http_tls *t, struct ch_err *err)
{
	int rc = CH_ENOMEM;

	ERR_clear_error();
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	if (ctx)
		rc = set_rules(ctx);
	if (rc == 0 && t->ctx)
		rc = keep_tickets(t->ctx, ctx);
	if (rc != 0)
		ch_err_set(err, rc, "out of memory");
	else
		rc = load_files(ctx, t, err);
	ERR_clear_error();
	if (rc != 0) {
		SSL_CTX_free(ctx);
		return rc;
	}
	SSL_CTX_free(t->ctx);
	t->ctx = ctx;
	return 0;
}

int http_tls_create(const char *cert, const char *key, struct http_tls **ret, struct ch_err *err)
{
	int rc = CH_ENOMEM;
	struct http_tls *t = ch_calloc(1, sizeof(*t));

	if (t) {
		t->cert = ch_strdup(cert);
		t->key = ch_strdup(key);
	}
	if (t && t->cert && t->key)
		rc = http_tls_reload(t, err);
	else
		ch_err_set(err, rc, "out of memory");
	if (rc != 0)
		http_tls_destroy(&t);
	*ret = t;
	return rc;
}

void http_tls_destroy(struct http_tls **pt)
{
	struct http_tls *t = *pt;

	*pt = NULL;
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	ch_free(t->cert);
	ch_free(t->key);
	ch_free(t);
}

/* ---- a connection ---- */

struct ssl_st *http_tls_open(struct http_tls *t, int fd)
{
	SSL *ssl = SSL_new(t->ctx);

	if (ssl && SSL_set_fd(ssl, fd) == 1) {
		SSL_set_accept_state(ssl);
		return ssl;
	}
	SSL_free(ssl);
	ERR_clear_error();
	return NULL;
}

enum http_tls_step http_tls_handshake(struct ssl_st *ssl, char *words, size_t words_size)
{
	ERR_clear_error();
	int rc = SSL_do_handshake(ssl);
	if (rc == 1)
		return HTTP_TLS_DONE;
	switch (SSL_get_error(ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return HTTP_TLS_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return HTTP_TLS_WANTS_WRITE;
	default:
		break;
	}
	bool is_plain = ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_SSL &&
			ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
	if (ERR_peek_last_error())
		last_words(words, words_size);
	else
		snprintf(words, words_size, "the client left");
	ERR_clear_error();
	return is_plain ? HTTP_TLS_IS_PLAIN : HTTP_TLS_FAILED;
}

/* What SSL_read or SSL_write said, as recv and send say it. */
static ssize_t outcome(SSL *ssl, int rc, int may_want)
{
	if (rc > 0)
		return rc;
	int error = SSL_get_error(ssl, rc);
	ERR_clear_error();
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	/* Wanting the other direction is for a client that has new keys made all the time and does not read
	 * what that is answered with: not worth a state of its own. */
	errno = error == may_want ? EAGAIN : EIO;
	return -1;
}

ssize_t http_tls_recv(struct ssl_st *ssl, void *to, size_t len)
{
	ERR_clear_error();
	return outcome(ssl, SSL_read(ssl, to, len > INT_MAX ? INT_MAX : (int)len), SSL_ERROR_WANT_READ);
}

ssize_t http_tls_send(struct ssl_st *ssl, const void *data, size_t len)
{
	ERR_clear_error();
	ssize_t n = outcome(
			ssl, SSL_write(ssl, data, len > INT_MAX ? INT_MAX : (int)len), SSL_ERROR_WANT_WRITE);
	if (n != 0)
		return n;
	errno = EIO;
	return -1;
}

void http_tls_end(struct ssl_st *ssl)
{
	ERR_clear_error();
	if (!SSL_in_init(ssl) && SSL_get_shutdown(ssl) == 0)
		(void)SSL_shutdown(ssl);
	ERR_clear_error();
}

void http_tls_free(struct ssl_st **ssl)
{
	SSL_free(*ssl);
	*ssl = NULL;
}
