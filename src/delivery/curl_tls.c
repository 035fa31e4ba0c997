#include "delivery/curl_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

/* Where the systems keep their authorities: Debian and most, Red Hat, SUSE, Alpine and BSD. */
static const char *const system_bundles[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem",
		"/etc/ssl/cert.pem",
};

static void system_load(X509_STORE *s)
{
	for (size_t i = 0; i < sizeof(system_bundles) / sizeof(system_bundles[0]); i++) {
		if (access(system_bundles[i], R_OK) == 0 && X509_STORE_load_file(s, system_bundles[i]) == 1)
			return;
	}
	X509_STORE_set_default_paths(s);
}

static int ca_file_load(X509_STORE *s, const char *ca_file, struct ch_err *err)
{
	if (access(ca_file, R_OK) != 0)
		return ch_err_set(
				err, CH_EINVAL, "CA file %.150s can't be read: %s", ca_file, strerror(errno));
	if (X509_STORE_load_file(s, ca_file) != 1)
		return ch_err_set(err, CH_EINVAL, "CA file %.150s holds no certificate in PEM", ca_file);
	return 0;
}

int curl_tls_store_create(const char *ca_file, X509_STORE **ret, struct ch_err *err)
{
	X509_STORE *s = X509_STORE_new();
	if (s == NULL)
		return ch_err_set(err, CH_ENOMEM, "no memory for certificate authorities");
	/* As libcurl does: an intermediate that is trusted by itself ends a chain. */
	X509_STORE_set_flags(s, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
	system_load(s);
	int code = ca_file != NULL ? ca_file_load(s, ca_file, err) : 0;
	ERR_clear_error();
	if (code != 0) {
		X509_STORE_free(s);
		return code;
	}
	*ret = s;
	return 0;
}

void curl_tls_store_destroy(X509_STORE **s)
{
	X509_STORE_free(*s);
	*s = NULL;
}

static int64_t cert_end(const X509 *cert)
{
	struct tm tm;
	if (cert == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1)
		return 0;
	return timegm(&tm);
}

/* OpenSSL's own check, with a note of what it saw: a refused certificate never reaches a callback of
 * libcurl. */
static int verify(X509_STORE_CTX *x, void *ctx)
{
	struct curl_tls_seen *seen = ctx;
	seen->cert_end_s = cert_end(X509_STORE_CTX_get0_cert(x));
	int ok = X509_verify_cert(x);
	seen->verify_error = ok > 0 ? X509_V_OK : X509_STORE_CTX_get_error(x);
	return ok;
}

/* libcurl would load the authorities once per multi handle (2 MB and 19 ms each) and again each day; its
 * own store stays empty and ours is used by all. Without renegotiation verify can't be called after
 * the transfer that made the connection has ended. */
static CURLcode context_made(CURL *easy, void *ssl_ctx, void *ctx)
{
	struct curl_tls_seen *seen = ctx;
	SSL_CTX *c = ssl_ctx;
	seen->begun_ms = ch_clock_mono(seen->clock).ms;
	if (SSL_CTX_set1_verify_cert_store(c, seen->store) != 1)
		return CURLE_OUT_OF_MEMORY;
	SSL_CTX_set_cert_verify_callback(c, verify, seen);
	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION);
	return CURLE_OK;
}

void curl_tls_seen_reset(struct curl_tls_seen *seen)
{
	*seen = (struct curl_tls_seen){.store = seen->store, .clock = seen->clock, .begun_ms = -1};
}

int curl_tls_setup(CURL *easy, struct curl_tls_seen *seen, struct ch_err *err)
{
	CH_ASSERT(seen->store != NULL);
	if (curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, context_made) != CURLE_OK)
		return ch_err_set(err, CH_EINVAL, "this libcurl is not built with OpenSSL");
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, seen);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	/* A directory that is not there: with neither file nor directory libcurl falls back to OpenSSL's
	 * default file and reads all of it for each multi handle. */
	curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(easy, CURLOPT_CAPATH, "/dev/null/none");
	return 0;
}

static const SSL *ssl_of(CURL *easy)
{
	struct curl_tlssessioninfo *info = NULL;
	if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || info == NULL ||
			info->backend != CURLSSLBACKEND_OPENSSL)
		return NULL;
	return info->internals;
}

bool curl_tls_has_rest(CURL *easy)
{
	const SSL *ssl = ssl_of(easy);
	return ssl != NULL && SSL_has_pending(ssl) != 0;
}

void curl_tls_look(CURL *easy, struct curl_tls_seen *seen)
{
	const SSL *ssl = ssl_of(easy);
	if (ssl == NULL)
		return;
	snprintf(seen->version, sizeof(seen->version), "%s", SSL_get_version(ssl));
	seen->cert_end_s = cert_end(SSL_get0_peer_certificate(ssl));
}

const char *curl_tls_verify_words(long verify_error)
{
	switch (verify_error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "the certificate has expired";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "the certificate is not valid yet";
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return "the certificate is self-signed";
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
		return "the certificate's authority is not trusted";
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return "the certificate's authority is not known (is the intermediate certificate sent?)";
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return "the certificate is for another name";
	default:
		return X509_verify_cert_error_string(verify_error);
	}
}
