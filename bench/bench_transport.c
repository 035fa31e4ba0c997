/* CPU of the transport for one POST: bench_transport [plain|tls|tls-cold] [POSTS] [ENDPOINTS] [CONCURRENCY]
 * [HUNG]. The receiver is a process of its own on loopback; HUNG requests wait beside for an answer that
 * never comes. Prints CPU per POST of this process alone, the rate, and the private memory of a hung request.
 */
#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "delivery/transport.h"

#define BODY_BYTES 1024
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define ANSWER_CLOSE "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"

enum mode { PLAIN, TLS, TLS_COLD };

/* ---- the receiver ---- */

struct receiver {
	enum mode mode;
	int fd;
	uint16_t port;
	SSL_CTX *ctx;
	char ca_file[32];
};

static void receiver_listen(struct receiver *r)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CH_ASSERT(bind(r->fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(r->fd, 4096) == 0);
	CH_ASSERT(getsockname(r->fd, (struct sockaddr *)&at, &len) == 0);
	r->port = ntohs(at.sin_port);
}

static void receiver_certify(struct receiver *r)
{
	X509 *x = X509_new();
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_NAME_add_entry_by_txt(
			X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"b", 1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
	X509_add_ext(x, names, -1);
	X509_EXTENSION_free(names);
	CH_ASSERT(X509_sign(x, key, EVP_sha256()) > 0);
	memcpy(r->ca_file, "/tmp/callhook-bench-XXXXXX", 27);
	int fd = mkstemp(r->ca_file);
	FILE *f = fdopen(fd, "w");
	CH_ASSERT(f != NULL && PEM_write_X509(f, x) == 1);
	fclose(f);
	r->ctx = SSL_CTX_new(TLS_server_method());
	CH_ASSERT(SSL_CTX_use_certificate(r->ctx, x) == 1 && SSL_CTX_use_PrivateKey(r->ctx, key) == 1);
	X509_free(x);
	EVP_PKEY_free(key);
}

/* A request is whole when its last byte, the body's '}', has come; a path /never gets no answer. */
static void plain_serve(int listener)
{
	static char buf[65536];
	struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, events[256];
	int ep = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		int n = epoll_wait(ep, events, 256, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == listener) {
				e.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
				if (e.data.fd >= 0)
					epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e);
				continue;
			}
			ssize_t len = recv(fd, buf, sizeof(buf), 0);
			if (len <= 0)
				close(fd);
			else if (buf[len - 1] == '}' && memcmp(buf, "POST /never", 11) != 0)
				send(fd, ANSWER, sizeof(ANSWER) - 1, MSG_NOSIGNAL);
		}
	}
}

struct tls_peer {
	struct receiver *of;
	int fd;
};

static void *tls_serve(void *arg)
{
	struct tls_peer *p = arg;
	char buf[16384];
	bool closes = p->of->mode == TLS_COLD;
	SSL *ssl = SSL_new(p->of->ctx);
	SSL_set_fd(ssl, p->fd);
	if (SSL_accept(ssl) == 1) {
		for (int n, head = 1; (n = SSL_read(ssl, buf, sizeof(buf))) > 0;) {
			if (head && memcmp(buf, "POST /never", 11) == 0)
				continue;
			head = buf[n - 1] == '}';
			if (!head)
				continue;
			if (closes)
				SSL_write(ssl, ANSWER_CLOSE, sizeof(ANSWER_CLOSE) - 1);
			else
				SSL_write(ssl, ANSWER, sizeof(ANSWER) - 1);
			if (closes)
				break;
		}
		SSL_shutdown(ssl);
	}
	SSL_free(ssl);
	close(p->fd);
	free(p);
	return NULL;
}

static void tls_accept(struct receiver *r)
{
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	for (;;) {
		struct tls_peer *p = malloc(sizeof(*p));
		CH_ASSERT(p != NULL);
		*p = (struct tls_peer){r, accept(r->fd, NULL, NULL)};
		pthread_t thread;
		if (p->fd < 0 || pthread_create(&thread, &attr, tls_serve, p) != 0)
			free(p);
	}
}

static pid_t receiver_start(struct receiver *r)
{
	receiver_listen(r);
	if (r->mode != PLAIN)
		receiver_certify(r);
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	if (r->mode == PLAIN)
		plain_serve(r->fd);
	else
		tls_accept(r);
	_exit(0);
}

/* ---- the sender ---- */

struct bench {
	struct transport *transport;
	struct event_base *base;
	struct url url, hung_url;
	struct ch_bytes *body;
	long to_start, to_end, failed, reused;
};

struct post {
	struct transport_job job;
	struct bench *of;
	char signature[100];
	const char *headers[6];
};

static void post_start(struct post *p)
{
	p->of->to_start--;
	snprintf(p->signature, sizeof(p->signature), "X-Webhook-Signature: %064lx", p->of->to_start);
	p->of->transport->send(p->of->transport, &p->job);
}

static void post_done(struct transport_job *job)
{
	struct post *p = (struct post *)(void *)job;
	p->of->failed += job->attempt.outcome != ATTEMPT_ANSWERED || job->attempt.status != 200;
	p->of->reused += job->reused_connection;
	attempt_fini(&job->attempt);
	memset(&job->attempt, 0, sizeof(job->attempt));
	if (--p->of->to_end == 0)
		event_base_loopbreak(p->of->base);
	else if (p->of->to_start > 0)
		post_start(p);
}

static void post_hung(struct transport_job *job)
{
	attempt_fini(&job->attempt);
}

static void post_prepare(struct post *p, struct bench *b, long i, long endpoints)
{
	memset(p, 0, sizeof(*p));
	p->of = b;
	p->headers[0] = "Content-Type: application/json";
	p->headers[1] = "User-Agent: callhook/bench";
	p->headers[2] = "webhook-id: 0190fedc-0000-7000-8000-000000000001";
	p->headers[3] = "webhook-timestamp: 1722350100";
	p->headers[4] = p->signature;
	p->headers[5] = "webhook-signature: v1,aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd29ybGQ=";
	uint32_t endpoint = (uint32_t)(i % endpoints) * 2654435761u;
	memcpy(p->job.endpoint.b + 12, &endpoint, sizeof(endpoint));
	p->job.url = &b->url;
	p->job.headers = p->headers;
	p->job.header_count = 6;
	p->job.body = b->body;
	p->job.timeout_ms = 60000;
	p->job.connections_max = 64;
	p->job.done = post_done;
}

static double cpu_us(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static double private_kb(void)
{
	char line[128];
	double sum = 0;
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "Private_", 8) == 0)
			sum += strtod(strchr(line, ':') + 1, NULL);
	}
	if (f != NULL)
		fclose(f);
	return sum;
}

static void loop_for(struct event_base *base, int ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};
	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

static struct post *hung_start(struct bench *b, long hung, long endpoints)
{
	struct post *posts = ch_calloc((size_t)hung + 1, sizeof(*posts));
	CH_ASSERT(posts != NULL);
	double before = private_kb();
	for (long i = 0; i < hung; i++) {
		post_prepare(&posts[i], b, i, endpoints);
		posts[i].job.is_slow = true;
		posts[i].job.done = post_hung;
		posts[i].job.url = &b->hung_url;
		posts[i].job.endpoint.b[0] = 1;
		b->transport->send(b->transport, &posts[i].job);
		if (i % 100 == 99)
			loop_for(b->base, 20);
	}
	if (hung > 0) {
		loop_for(b->base, 7000); /* past libcurl's connect timers */
		printf("private memory of a hung request: %.1f KB\n", (private_kb() - before) / (double)hung);
		double cpu = cpu_us();
		loop_for(b->base, 3000);
		printf("CPU while they hang: %.3f %%\n", (cpu_us() - cpu) / 3e4);
	}
	return posts;
}

static void run(struct bench *b, struct post *posts, long count, long concurrency, const char *what)
{
	struct timespec from, to;
	b->to_start = b->to_end = count;
	b->failed = b->reused = 0;
	double cpu = cpu_us();
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (long i = 0; i < concurrency && b->to_start > 0; i++)
		post_start(&posts[i]);
	event_base_dispatch(b->base);
	clock_gettime(CLOCK_MONOTONIC, &to);
	cpu = cpu_us() - cpu;
	double s = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	printf("%s: %ld posts, %ld failed, %ld reused: %.1f us CPU a POST, %.0f/s\n", what, count, b->failed,
			b->reused, cpu / (double)count, (double)count / s);
}

static void url_make(struct url *url, const struct receiver *r, const char *path)
{
	struct url_rules rules = {.allow_http = true};
	char text[64];
	int len = snprintf(text, sizeof(text), "%s://127.0.0.1:%u%s", r->mode == PLAIN ? "http" : "https",
			r->port, path);
	CH_ASSERT(url_parse(text, (size_t)len, &rules, url, NULL) == 0);
}

static void bench_open(struct bench *b, const struct receiver *r)
{
	static struct network loopback;
	struct ch_err err;
	CH_ASSERT(network_parse("127.0.0.0/8", 11, &loopback) == 0);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	struct event_config *config = event_config_new();
	event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	b->base = event_base_new_with_config(config);
	event_config_free(config);
	struct transport_curl_conf conf = {
			.base = b->base,
			.clock = ch_clock_system(),
			.addresses = {&loopback, 1},
			.ca_file = r->mode != PLAIN ? r->ca_file : NULL,
	};
	double before = private_kb();
	double cpu = cpu_us();
	if (transport_curl_create(&conf, &b->transport, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	printf("the transport at rest: %.0f KB, made in %.0f us\n", private_kb() - before, cpu_us() - cpu);
	url_make(&b->url, r, "/hook");
	url_make(&b->hung_url, r, "/never");
	char body[BODY_BYTES];
	memset(body, 'x', sizeof(body));
	body[BODY_BYTES - 1] = '}';
	b->body = ch_bytes_create(body, sizeof(body));
}

static long number(int argc, char **argv, int at, long otherwise)
{
	return argc > at ? strtol(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	static const char *const modes[] = {"plain", "tls", "tls-cold"};
	struct receiver r = {.mode = PLAIN};
	for (int i = 0; argc > 1 && i < 3; i++) {
		if (strcmp(argv[1], modes[i]) == 0)
			r.mode = (enum mode)i;
	}
	long count = number(argc, argv, 2, 200000), endpoints = number(argc, argv, 3, 16);
	long concurrency = number(argc, argv, 4, 64), hung = number(argc, argv, 5, 0);
	signal(SIGPIPE, SIG_IGN);
	pid_t pid = receiver_start(&r);
	struct bench b = {0};
	bench_open(&b, &r);
	struct post *waiting = hung_start(&b, hung, endpoints);
	struct post *posts = ch_calloc((size_t)concurrency, sizeof(*posts));
	CH_ASSERT(posts != NULL && b.body != NULL);
	for (long i = 0; i < concurrency; i++)
		post_prepare(&posts[i], &b, i, endpoints);
	run(&b, posts, count / 10, concurrency, "warming up");
	run(&b, posts, count, concurrency, modes[r.mode]);
	for (long i = 0; i < hung; i++)
		b.transport->cancel(b.transport, &waiting[i].job);
	loop_for(b.base, 100);
	b.transport->destroy(b.transport);
	event_base_free(b.base);
	ch_free(posts);
	ch_free(waiting);
	ch_bytes_unref(&b.body);
	url_fini(&b.url);
	url_fini(&b.hung_url);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	if (r.ca_file[0] != '\0')
		unlink(r.ca_file);
	return b.failed == 0 ? 0 : 1;
}
