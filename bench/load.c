/* An open-loop generator: call i is due at start + i / rate, whatever became of those before it, so that a
 * stall is counted in every call that it held up. PUTs to callhook, or with -l prints each call's number on
 * standard output when it is due, for a producer that has its own way in.
 *
 * Prints one line of JSON at the end (with -l on standard error). Times are CLOCK_MONOTONIC. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define REQUEST_MAX 65536
#define ANSWER_BYTES 16384
#define PATIENCE_NS 10000000000 /* after the last call was due */
#define NO_CALL (-1)

struct connection {
	int fd;
	long call; /* the one under way, or NO_CALL */
	size_t have; /* bytes of its answer */
	char answer[ANSWER_BYTES];
};

struct load {
	/* options */
	const char *payload, *key;
	unsigned port, run, connection_count;
	double rate, seconds;
	bool prints_lines;
	/* calls */
	long count, started, answered, refused;
	int64_t start_ns;
	int64_t *late_ns, *taken_ns; /* from when it was due to when it was sent, and to its answer */
	/* the request, with the id patched in for each call */
	char request[REQUEST_MAX];
	size_t request_len, id_in_path, id_in_body;
	int epoll;
	struct connection *connections, *idle[CONNECTIONS_MAX];
	unsigned idle_count;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t due_ns(const struct load *l, long call)
{
	return l->start_ns + (int64_t)((double)call * 1e9 / l->rate);
}

/* ---- the request ---- */

static void make_request(struct load *l)
{
	static char body[REQUEST_MAX / 2];
	char blank[37];
	FILE *f = fopen(l->payload, "rb");
	size_t len = f ? fread(body, 1, sizeof(body) - 1, f) : 0;
	char *id = len > 0 ? strstr(body, "\"id\":\"") : NULL;
	int n;

	if (!f || !id || len == sizeof(body) - 1) {
		fprintf(stderr, "load: %s is no call record\n", l->payload);
		exit(1);
	}
	fclose(f);
	snprintf(blank, sizeof(blank), "%08x-0000-4000-8000-%012x", l->run, 0);
	memcpy(id + 6, blank, 36);
	n = snprintf(l->request, sizeof(l->request),
			"PUT /v1/calls/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: %s\r\n"
			"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
			blank, l->key, len);
	memcpy(l->request + n, body, len);
	l->request_len = (size_t)n + len;
	l->id_in_path = sizeof("PUT /v1/calls/") - 1 + 24;
	l->id_in_body = (size_t)n + (size_t)(id + 6 - body) + 24;
}

static void patch_request(struct load *l, long call)
{
	char number[13];

	snprintf(number, sizeof(number), "%012lx", (unsigned long)call);
	memcpy(l->request + l->id_in_path, number, 12);
	memcpy(l->request + l->id_in_body, number, 12);
}

/* ---- connections ---- */

static void connect_all(struct load *l)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;

	to.sin_port = htons((uint16_t)l->port);
	l->connections = calloc(l->connection_count, sizeof(*l->connections));
	if (!l->connections)
		die("load");
	for (unsigned i = 0; i < l->connection_count; i++) {
		struct connection *c = &l->connections[i];
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

		c->call = NO_CALL;
		c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
			die("load: connect");
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e);
		l->idle[l->idle_count++] = c;
	}
}

static void send_call(struct load *l, long call)
{
	struct connection *c = l->idle[--l->idle_count];

	c->call = call;
	c->have = 0;
	patch_request(l, call);
	l->late_ns[call] = now_ns() - due_ns(l, call);
	/* Blocking: the service reads what it was sent, or the whole run is void. */
	if (send(c->fd, l->request, l->request_len, MSG_NOSIGNAL) != (ssize_t)l->request_len)
		die("load: send");
}

static bool is_whole(const struct connection *c)
{
	const char *end = memmem(c->answer, c->have, "\r\n\r\n", 4);
	const char *length = strcasestr(c->answer, "\r\ncontent-length:");

	return end && length && length < end &&
	       c->have >= (size_t)(end + 4 - c->answer) + strtoul(length + 17, NULL, 10);
}

static void read_answer(struct load *l, struct connection *c)
{
	ssize_t got = recv(c->fd, c->answer + c->have, ANSWER_BYTES - 1 - c->have, MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0 || c->call == NO_CALL) {
		fprintf(stderr, "load: the service closed a connection\n");
		exit(1);
	}
	c->have += (size_t)got;
	c->answer[c->have] = '\0';
	if (!is_whole(c))
		return;
	l->taken_ns[c->call] = now_ns() - due_ns(l, c->call);
	l->answered++;
	if (strncmp(c->answer, "HTTP/1.1 201", 12) != 0 && l->refused++ == 0)
		fprintf(stderr, "load: refused: %.300s\n", c->answer);
	c->call = NO_CALL;
	l->idle[l->idle_count++] = c;
}

/* ---- the schedule ---- */

static void start_due(struct load *l)
{
	char line[32];

	while (l->started < l->count && due_ns(l, l->started) <= now_ns()) {
		if (!l->prints_lines && l->idle_count == 0)
			return;
		if (l->prints_lines) {
			int n = snprintf(line, sizeof(line), "%ld\n", l->started);
			l->late_ns[l->started] = now_ns() - due_ns(l, l->started);
			if (write(STDOUT_FILENO, line, (size_t)n) != n)
				die("load: standard output");
			l->answered++;
		} else {
			send_call(l, l->started);
		}
		l->started++;
	}
}

static void wait_for_more(struct load *l)
{
	struct epoll_event events[256];
	int64_t left_ns = l->started < l->count ? due_ns(l, l->started) - now_ns() : 100000000;
	struct timespec wait = {0};
	int n;

	/* Late because every connection is busy: only an answer helps. */
	if (left_ns <= 0)
		left_ns = l->idle_count == 0 && !l->prints_lines ? 100000000 : 0;
	wait.tv_sec = left_ns / 1000000000;
	wait.tv_nsec = left_ns % 1000000000;
	n = epoll_pwait2(l->epoll, events, 256, &wait, NULL);
	for (int i = 0; i < n; i++)
		read_answer(l, events[i].data.ptr);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void print_times(FILE *f, const char *name, int64_t *ns, long n)
{
	qsort(ns, (size_t)n, sizeof(*ns), compare);
	fprintf(f, ",\"%s\":{\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}", name, (double)ns[n / 2] / 1e6,
			(double)ns[n * 99 / 100] / 1e6, (double)ns[n - 1] / 1e6);
}

static void report(struct load *l)
{
	FILE *f = l->prints_lines ? stderr : stdout;

	fprintf(f, "{\"start_ns\":%" PRId64 ",\"rate\":%.3f,\"count\":%ld,\"answered\":%ld,\"refused\":%ld",
			l->start_ns, l->rate, l->count, l->answered, l->refused);
	print_times(f, "late", l->late_ns, l->count);
	if (!l->prints_lines)
		print_times(f, "accepted", l->taken_ns, l->count);
	fprintf(f, "}\n");
}

static void parse(struct load *l, int argc, char **argv)
{
	for (int c; (c = getopt(argc, argv, "p:r:s:c:f:k:n:l")) != -1;) {
		switch (c) {
		case 'p':
			l->port = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			l->rate = strtod(optarg, NULL);
			break;
		case 's':
			l->seconds = strtod(optarg, NULL);
			break;
		case 'c':
			l->connection_count = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'f':
			l->payload = optarg;
			break;
		case 'k':
			l->key = optarg;
			break;
		case 'n':
			l->run = (unsigned)strtoul(optarg, NULL, 16);
			break;
		case 'l':
			l->prints_lines = true;
			break;
		default:
			exit(2);
		}
	}
	l->count = (long)(l->rate * l->seconds);
	if (l->count < 1 || l->connection_count < 1 || l->connection_count > CONNECTIONS_MAX ||
			(!l->prints_lines && (!l->payload || !l->key || !l->port))) {
		fprintf(stderr, "usage: load -r RATE -s SECONDS (-l | -p PORT -f PAYLOAD -k KEY [-n RUN] "
				"[-c CONNECTIONS])\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	static struct load l = {.rate = 2000, .seconds = 10, .connection_count = 64};

	parse(&l, argc, argv);
	l.late_ns = calloc((size_t)l.count, sizeof(int64_t));
	l.taken_ns = calloc((size_t)l.count, sizeof(int64_t));
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!l.late_ns || !l.taken_ns || l.epoll < 0)
		die("load");
	prctl(PR_SET_TIMERSLACK, 1000);
	if (!l.prints_lines) {
		make_request(&l);
		connect_all(&l);
	}
	l.start_ns = now_ns() + 50000000;
	while (l.answered < l.count && now_ns() < due_ns(&l, l.count) + PATIENCE_NS) {
		start_due(&l);
		wait_for_more(&l);
	}
	report(&l);
	return l.answered == l.count && l.refused == 0 ? 0 : 1;
}
