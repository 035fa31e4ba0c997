#include "test_transport_kit.h"

#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int transport_tls_tests(void);

#define DAY_S 86400L
#define CONNECTIONS_MAX 16

/* ---- certificates ---- */

struct cert {
	X509 *x;
	EVP_PKEY *key;
	int64_t end_s;
};

static void extension_add(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

/* names: a subjectAltName ("DNS:hook.example"), NULL for an authority. issuer NULL: self-signed. */
static struct cert cert_make(
		const char *common_name, const char *names, long from_s, long to_s, const struct cert *issuer)
{
	static long serial;
	struct cert c = {X509_new(), EVP_EC_gen("P-256"), 0};
	X509_set_version(c.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(c.x), from_s);
	X509_gmtime_adj(X509_getm_notAfter(c.x), to_s);
	struct tm tm;
	ASN1_TIME_to_tm(X509_get0_notAfter(c.x), &tm);
	c.end_s = timegm(&tm);
	X509_NAME *name = X509_get_subject_name(c.x);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0);
	X509_set_issuer_name(c.x, issuer != NULL ? X509_get_subject_name(issuer->x) : name);
	X509_set_pubkey(c.x, c.key);
	extension_add(c.x, c.x, NID_basic_constraints, names == NULL ? "critical,CA:TRUE" : "CA:FALSE");
	if (names != NULL)
		extension_add(c.x, c.x, NID_subject_alt_name, names);
	assert_true(X509_sign(c.x, issuer != NULL ? issuer->key : c.key, EVP_sha256()) > 0);
	return c;
}

static void cert_free(struct cert *c)
{
	X509_free(c->x);
	EVP_PKEY_free(c->key);
}

static void cert_write(const struct cert *c, char *path, size_t cap)
{
	snprintf(path, cap, "/tmp/callhook-ca-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	FILE *f = fdopen(fd, "w");
	assert_int_equal(PEM_write_X509(f, c->x), 1);
	fclose(f);
}

/* ---- a receiver with TLS: threads, because OpenSSL on a blocking socket is the least code ---- */

struct tls_receiver {
	SSL_CTX *ctx;
	int fd;
	uint16_t port;
	bool closes; /* after each answer */
	const char *answer; /* NULL: 200 "ok" */
	pthread_t acceptor;
	pthread_t threads[CONNECTIONS_MAX];
	int connections;
	atomic_int resumed, handshakes, requests;
	struct tls_connection {
		struct tls_receiver *of;
		int fd;
	} arguments[CONNECTIONS_MAX];
};

static bool request_read(SSL *ssl)
{
	char buf[4096];
	int len = 0;
	while (len < (int)sizeof(buf) - 1) {
		int n = SSL_read(ssl, buf + len, (int)sizeof(buf) - 1 - len);
		if (n <= 0)
			return false;
		len += n;
		buf[len] = '\0';
		if (strstr(buf, "\r\n\r\n{\"id\":\"one\"}") != NULL)
			return true;
	}
	return false;
}

static void *connection_serve(void *arg)
{
	struct tls_connection *c = arg;
	struct tls_receiver *r = c->of;
	const char *answer = r->closes ? "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
				       : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	if (r->answer != NULL)
		answer = r->answer;
	SSL *ssl = SSL_new(r->ctx);
	SSL_set_fd(ssl, c->fd);
	if (SSL_accept(ssl) == 1) {
		r->handshakes++;
		if (SSL_session_reused(ssl))
			r->resumed++;
		while (request_read(ssl)) {
			r->requests++;
			SSL_write(ssl, answer, (int)strlen(answer));
			if (r->closes)
				break;
		}
		SSL_shutdown(ssl);
	}
	SSL_free(ssl);
	close(c->fd);
	return NULL;
}

static void *connections_accept(void *arg)
{
	struct tls_receiver *r = arg;
	while (r->connections < CONNECTIONS_MAX) {
		int fd = accept(r->fd, NULL, NULL);
		if (fd < 0)
			break;
		int i = r->connections++;
		r->arguments[i] = (struct tls_connection){r, fd};
		pthread_create(&r->threads[i], NULL, connection_serve, &r->arguments[i]);
	}
	return NULL;
}

static void tls_open(struct tls_receiver *r, const struct cert *c, int newest)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	memset(r, 0, sizeof(*r));
	r->ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_min_proto_version(r->ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(r->ctx, newest);
	SSL_CTX_set_cipher_list(r->ctx, "ALL:@SECLEVEL=0");
	assert_int_equal(SSL_CTX_use_certificate(r->ctx, c->x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(r->ctx, c->key), 1);
	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(r->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(r->fd, 16), 0);
	assert_int_equal(getsockname(r->fd, (struct sockaddr *)&at, &len), 0);
	r->port = ntohs(at.sin_port);
	pthread_create(&r->acceptor, NULL, connections_accept, r);
}

/* After the transport closed its connections. */
static void tls_close(struct tls_receiver *r)
{
	shutdown(r->fd, SHUT_RDWR);
	pthread_join(r->acceptor, NULL);
	for (int i = 0; i < r->connections; i++)
		pthread_join(r->threads[i], NULL);
	close(r->fd);
	SSL_CTX_free(r->ctx);
}

/* ---- the tests ---- */

struct fixture {
	struct kit kit;
	struct dns dns;
	struct dns_entry names[1];
	const char *servers[2];
	struct cert authority;
	char ca_file[64];
	struct tls_receiver receiver;
	struct post post;
};

static struct fixture the;

/* leaf is the receiver's certificate and freed here. */
static struct fixture *begin(struct cert authority, struct cert leaf, int newest, bool is_trusted)
{
	struct fixture *f = &the;
	memset(f, 0, sizeof(*f));
	f->names[0] = (struct dns_entry){.name = "hook.example", .addresses = {"127.0.0.1"}, .ttl = 60};
	kit_init(&f->kit);
	dns_open(&f->dns, f->kit.base, f->names, 1);
	f->servers[0] = f->dns.text;
	f->kit.conf.dns_servers = f->servers;
	f->authority = authority;
	cert_write(&authority, f->ca_file, sizeof(f->ca_file));
	if (is_trusted)
		f->kit.conf.ca_file = f->ca_file;
	kit_open(&f->kit);
	unlink(f->ca_file); /* read by now; a failing test leaves nothing behind */
	tls_open(&f->receiver, &leaf, newest);
	cert_free(&leaf);
	post_init(&f->post, "https://hook.example:%u/", f->receiver.port);
	return f;
}

static void end(struct fixture *f)
{
	post_fini(&f->post);
	dns_close(&f->dns);
	kit_close(&f->kit);
	tls_close(&f->receiver);
	cert_free(&f->authority);
}

static struct cert authority_make(void)
{
	return cert_make("Test Authority", NULL, -DAY_S, DAY_S, NULL);
}

static void a_private_authority_is_added_by_file(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	static const char *const texts[] = {"TLSv1.2", "TLSv1.3"};
	for (int i = 0; i < 2; i++) {
		struct cert ca = authority_make();
		struct cert leaf = cert_make("hook", "DNS:hook.example", -DAY_S, 7 * DAY_S, &ca);
		int64_t end_s = leaf.end_s;
		struct fixture *f = begin(ca, leaf, versions[i], true);
		for (int turn = 0; turn < 2; turn++) {
			const struct attempt *a = &f->post.job.attempt;
			post_again(&f->post);
			post_run(&f->kit, &f->post);
			assert_outcome(&f->post, ATTEMPT_ANSWERED);
			assert_int_equal(f->post.job.reused_connection, turn);
			assert_string_equal(a->tls_version, texts[i]);
			assert_int_equal(a->cert_end_s, end_s);
			assert_int_equal(a->tls_us > a->connect_us, turn == 0);
		}
		assert_int_equal(f->receiver.handshakes, 1);
		end(f);
	}
}

static void the_systems_authorities_are_not_replaced_but_unknown_ones_refused(void **state)
{
	struct cert ca = authority_make();
	struct cert leaf = cert_make("hook", "DNS:hook.example", -DAY_S, DAY_S, &ca);
	int64_t end_s = leaf.end_s;
	struct fixture *f = begin(ca, leaf, TLS1_3_VERSION, false);
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_TLS);
	assert_words(&f->post, "authority");
	assert_int_equal(f->post.job.attempt.cert_end_s, end_s);
	assert_int_equal(f->receiver.requests, 0);
	end(f);
}

static void a_bad_certificate_is_refused_and_named(void **state)
{
	static const struct {
		const char *names;
		long from_s, to_s;
		bool is_self_signed;
		const char *words;
	} cases[] = {
			{"DNS:hook.example", -DAY_S, DAY_S, true, "self-signed"},
			{"DNS:hook.example", -9 * DAY_S, -DAY_S, false, "expired"},
			{"DNS:hook.example", DAY_S, 9 * DAY_S, false, "not valid yet"},
			{"DNS:other.example", -DAY_S, DAY_S, false, "another name than hook.example"},
			{"DNS:*.hook.example", -DAY_S, DAY_S, false, "another name than hook.example"},
			{"IP:127.0.0.1", -DAY_S, DAY_S, false, "another name than hook.example"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cert ca = authority_make();
		struct cert leaf = cert_make("hook.example", cases[i].names, cases[i].from_s, cases[i].to_s,
				cases[i].is_self_signed ? NULL : &ca);
		struct fixture *f = begin(ca, leaf, TLS1_3_VERSION, true);
		post_run(&f->kit, &f->post);
		assert_outcome(&f->post, ATTEMPT_TLS);
		assert_words(&f->post, cases[i].words);
		assert_int_equal(f->receiver.requests, 0);
		end(f);
	}
}

/* The whole handshake, and not a byte inside. */
static void a_check_sees_the_certificate_and_sends_nothing(void **state)
{
	static const struct {
		const char *names;
		long to_s;
		int newest;
		const char *words; /* NULL: it is good */
	} cases[] = {
			{"DNS:hook.example", 20 * DAY_S, TLS1_3_VERSION, NULL},
			{"DNS:hook.example", 20 * DAY_S, TLS1_2_VERSION, NULL},
			{"DNS:hook.example", -1, TLS1_3_VERSION, "expired"},
			{"DNS:other.example", DAY_S, TLS1_3_VERSION, "another name than hook.example"},
			{"DNS:hook.example", DAY_S, TLS1_1_VERSION, "TLS handshake failed: "},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cert ca = authority_make();
		struct cert leaf = cert_make("hook", cases[i].names, -2 * DAY_S, cases[i].to_s, &ca);
		int64_t end_s = leaf.end_s;
		struct fixture *f = begin(ca, leaf, cases[i].newest, true);
		struct transport_check check;
		post_check(&f->post, &check);
		post_run(&f->kit, &f->post);
		const struct attempt *a = &f->post.job.attempt;
		assert_outcome(&f->post, cases[i].words != NULL ? ATTEMPT_TLS : ATTEMPT_ANSWERED);
		assert_int_equal(check.is_ready, cases[i].words == NULL);
		if (cases[i].words != NULL)
			assert_words(&f->post, cases[i].words);
		else
			assert_true(a->tls_version[0] != '\0' && a->tls_us >= a->connect_us);
		assert_true(a->connect_us >= 0);
		if (cases[i].newest != TLS1_1_VERSION)
			assert_int_equal(a->cert_end_s, end_s);
		end(f);
		assert_int_equal(f->receiver.requests, 0);
	}
}

static void a_literal_needs_its_address_in_the_certificate(void **state)
{
	static const char *const names[] = {"IP:127.0.0.1", "DNS:hook.example"};
	static const enum attempt_outcome outcomes[] = {ATTEMPT_ANSWERED, ATTEMPT_TLS};
	for (int i = 0; i < 2; i++) {
		struct cert ca = authority_make();
		struct cert leaf = cert_make("hook", names[i], -DAY_S, DAY_S, &ca);
		struct fixture *f = begin(ca, leaf, TLS1_3_VERSION, true);
		post_fini(&f->post);
		post_init(&f->post, "https://127.0.0.1:%u/", f->receiver.port);
		post_run(&f->kit, &f->post);
		assert_outcome(&f->post, outcomes[i]);
		end(f);
	}
}

static void tls_before_1_2_is_refused(void **state)
{
	static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION};
	for (int i = 0; i < 2; i++) {
		struct cert ca = authority_make();
		struct cert leaf = cert_make("hook", "DNS:hook.example", -DAY_S, DAY_S, &ca);
		struct fixture *f = begin(ca, leaf, versions[i], true);
		post_run(&f->kit, &f->post);
		assert_outcome(&f->post, ATTEMPT_TLS);
		assert_words(&f->post, "TLS handshake failed: ");
		assert_words(&f->post, "protocol");
		assert_int_equal(f->receiver.requests, 0);
		end(f);
	}
}

static void sessions_are_resumed_until_the_endpoint_is_forgotten(void **state)
{
	struct cert ca = authority_make();
	struct cert leaf = cert_make("hook", "DNS:hook.example", -DAY_S, DAY_S, &ca);
	int64_t end_s = leaf.end_s;
	struct fixture *f = begin(ca, leaf, TLS1_3_VERSION, true);
	f->receiver.closes = true;
	for (int i = 0; i < 3; i++) {
		post_again(&f->post);
		post_run(&f->kit, &f->post);
		assert_outcome(&f->post, ATTEMPT_ANSWERED);
		assert_false(f->post.job.reused_connection);
		assert_int_equal(f->post.job.attempt.cert_end_s, end_s);
	}
	assert_int_equal(f->receiver.handshakes, 3);
	assert_int_equal(f->receiver.resumed, 2);
	f->kit.transport->forget(f->kit.transport, &f->post.job.endpoint);
	post_again(&f->post);
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_ANSWERED);
	assert_int_equal(f->receiver.resumed, 2);
	post_again(&f->post);
	post_send(&f->kit, &f->post);
	f->kit.transport->forget(f->kit.transport, &f->post.job.endpoint);
	post_wait(&f->kit, &f->post);
	assert_int_equal(f->receiver.resumed, 3);
	post_again(&f->post);
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_ANSWERED);
	assert_int_equal(f->receiver.resumed, 3);
	end(f);
}

static void forgotten_tls_connections_are_not_used(void **state)
{
	struct cert ca = authority_make();
	struct cert leaf = cert_make("hook", "DNS:hook.example", -DAY_S, DAY_S, &ca);
	struct fixture *f = begin(ca, leaf, TLS1_3_VERSION, true);
	post_run(&f->kit, &f->post);
	f->kit.transport->forget(f->kit.transport, &f->post.job.endpoint);
	post_again(&f->post);
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_ANSWERED);
	assert_false(f->post.job.reused_connection);
	assert_int_equal(f->receiver.handshakes, 2);
	end(f);
}

/* 4 KB behind an answer in one TLS record: libcurl has decrypted them when the next request comes. */
static void bytes_behind_an_answer_are_not_the_next_one(void **state)
{
	static const char head[] = "HTTP/1.1 204 No Content\r\n\r\n";
	static const char gone[] = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n";
	char answer[sizeof(head) + 100 * sizeof(gone)];
	struct cert ca = authority_make();
	struct cert leaf = cert_make("hook", "DNS:hook.example", -DAY_S, DAY_S, &ca);
	struct fixture *f = begin(ca, leaf, TLS1_3_VERSION, true);
	size_t len = (size_t)snprintf(answer, sizeof(answer), "%s", head);
	for (int i = 0; i < 100; i++)
		len += (size_t)snprintf(answer + len, sizeof(answer) - len, "%s", gone);
	f->receiver.answer = answer;
	for (int i = 0; i < 3; i++) {
		post_again(&f->post);
		post_run(&f->kit, &f->post);
		assert_outcome(&f->post, ATTEMPT_ANSWERED);
		assert_int_equal(f->post.job.attempt.status, 204);
		assert_false(f->post.job.reused_connection);
	}
	assert_int_equal(f->receiver.requests, 3);
	end(f);
}

static void answer_plainly(struct peer *p)
{
	peer_send(p, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
	peer_close(p);
}

static void a_plain_server_behind_https_is_a_tls_failure(void **state)
{
	struct kit k;
	struct receiver r;
	struct post p;
	kit_init(&k);
	kit_open(&k);
	receiver_open(&r, k.base, answer_nothing);
	r.on_bytes = answer_plainly;
	post_init(&p, "https://127.0.0.1:%u/", r.port);
	post_run(&k, &p);
	assert_outcome(&p, ATTEMPT_TLS);
	assert_words(&p, "TLS handshake failed: ");
	post_again(&p);
	r.on_bytes = peer_reset;
	post_run(&k, &p);
	assert_outcome(&p, ATTEMPT_TLS);
	post_fini(&p);
	receiver_close(&r);
	kit_close(&k);
}

static void drip(evutil_socket_t fd, short what, void *peer)
{
	peer_send_bytes(peer, "\2", 1);
}

/* A record of 16 KiB, a byte at a time. */
static void answer_handshake_slowly(struct peer *p)
{
	peer_send_bytes(p, "\x16\x03\x03\x40\x00", 5);
	peer_tick(p, drip, 5);
}

static void a_handshake_that_hangs_ends_at_the_connect_timeout(void **state)
{
	static void (*const answers[])(struct peer *) = {answer_nothing, answer_handshake_slowly};
	struct kit k;
	struct receiver r;
	struct post p;
	kit_init(&k);
	k.conf.connect_timeout_ms = 50;
	kit_open(&k);
	receiver_open(&r, k.base, answer_nothing);
	post_init(&p, "https://127.0.0.1:%u/", r.port);
	for (int i = 0; i < 2; i++) {
		r.on_bytes = answers[i];
		post_again(&p);
		post_run(&k, &p);
		assert_outcome(&p, ATTEMPT_TIMEOUT);
		assert_words(&p, "TLS handshake with 127.0.0.1");
		assert_true(p.job.attempt.connect_us >= 0);
		assert_int_equal(p.job.attempt.tls_us, -1);
	}
	post_fini(&p);
	receiver_close(&r);
	kit_close(&k);
}

int transport_tls_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_private_authority_is_added_by_file),
			cmocka_unit_test(the_systems_authorities_are_not_replaced_but_unknown_ones_refused),
			cmocka_unit_test(a_bad_certificate_is_refused_and_named),
			cmocka_unit_test(a_check_sees_the_certificate_and_sends_nothing),
			cmocka_unit_test(a_literal_needs_its_address_in_the_certificate),
			cmocka_unit_test(tls_before_1_2_is_refused),
			cmocka_unit_test(sessions_are_resumed_until_the_endpoint_is_forgotten),
			cmocka_unit_test(forgotten_tls_connections_are_not_used),
			cmocka_unit_test(bytes_behind_an_answer_are_not_the_next_one),
			cmocka_unit_test(a_plain_server_behind_https_is_a_tls_failure),
			cmocka_unit_test(a_handshake_that_hangs_ends_at_the_connect_timeout),
	};
	return cmocka_run_group_tests_name("transport tls", tests, NULL, NULL);
}
