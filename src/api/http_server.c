#include "api/http_server.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http_conn.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/time_text.h"

#define ACCEPT_TURN 64 /* connections taken before those that are open get their turn */
#define ACCEPT_PAUSE_MS 100
#define BACKLOG 1024
#define EVICT_LOOKS 32
#define SEND_MIN_BYTES_S 4096

static struct timeval ms_to_timeval(int ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
}

const char *http_server_date(struct http_server *s)
{
	int64_t now_s = ch_clock_wall(&s->conf.clock).ms / 1000;
	if (now_s != s->date_s || !s->date[0]) {
		s->date_s = now_s;
		time_text_format_http(now_s, s->date);
	}
	return s->date;
}

/* ---- listening ---- */

static int listen_on(const struct addrinfo *ai, struct ch_err *err, const char *host)
{
	int one = 1;
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ch_err_set(err, CH_EIO, "cannot make a socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
		ch_err_set(err, CH_EIO, "cannot listen on %s: %s", host, strerror(errno));
		close(fd);
		return CH_EIO;
	}
	return fd;
}

/* A listening descriptor, or a CH_E code. */
static int listen_at(const struct http_server_conf *conf, struct ch_err *err)
{
	struct addrinfo hints = {
			.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	char port[8];
	char where[300];

	snprintf(port, sizeof(port), "%u", conf->port);
	snprintf(where, sizeof(where), strchr(conf->host, ':') ? "[%s]:%s" : "%s:%s", conf->host, port);
	int rc = getaddrinfo(conf->host, port, &hints, &found);
	if (rc != 0)
		return ch_err_set(err, CH_EIO, "cannot listen on %s: %s", where, gai_strerror(rc));
	int fd = listen_on(found, err, where);
	freeaddrinfo(found);
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage at = {0};
	socklen_t len = sizeof(at);
	if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		return 0;
	if (at.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)(void *)&at)->sin_port);
	if (at.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)(void *)&at)->sin6_port);
	return 0;
}

/* ---- accepting ---- */

static void pause_accept(struct http_server *s)
{
	/* Out of descriptors accept fails at once, again and again, while the connection stays in the
	 * queue: without a pause that is a loop at full speed. */
	struct timeval pause = ms_to_timeval(ACCEPT_PAUSE_MS);
	CH_LOG(s->conf.log, CH_LOG_WARN, "accept_paused", CH_S("reason", strerror(errno)),
			CH_I("connections", s->connections));
	if (event_add(s->resume_event, &pause) == 0)
		event_del(s->accept_event);
}

static void on_resume(evutil_socket_t fd, short what, void *server)
{
	struct http_server *s = server;
	if (s->fd >= 0)
		event_add(s->accept_event, NULL);
}

static void refuse(const struct http_server *s, int fd)
{
	static const char answer[] =
			"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
			"Content-Length: 0\r\n\r\n";
	if (!s->conf.tls)
		(void)!send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

/* One that has just come is not idle, its request is on the way; nor is one whose request nobody has read
 * yet. If they could be sent away, many who come at once would push each other out and none be served. */
static bool may_go(const struct http_server *s, const struct http_conn *c)
{
	char byte;

	if (c->in.len > c->in_at)
		return false;
	if (!c->has_served && ch_clock_mono(&s->conf.clock).ms - c->since_ms < HTTP_NEW_MS)
		return false;
	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

static bool make_room_in(struct http_server *s, struct ch_list *head)
{
	int looks = 0;

	for (struct ch_list *n = head->next; n != head && looks < EVICT_LOOKS; n = n->next, looks++) {
		struct http_conn *c = CH_CONTAINER_OF(n, struct http_conn, link);
		if (may_go(s, c)) {
			http_conn_close(c);
			return true;
		}
	}
	return false;
}

/* One that is idle makes room for one that wants something: the one that is idle longest. False: none is. */
static bool make_room(struct http_server *s)
{
	return make_room_in(s, &s->waits[WAIT_IDLE]) || make_room_in(s, &s->waits[WAIT_HANDSHAKE]);
}

/* Out of descriptors accept says so before it looks whether there is anybody. */
static bool is_waited_for(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int error = errno;
	bool is = poll(&p, 1, 0) > 0;
	errno = error;
	return is;
}

static void take_connection(struct http_server *s, int fd, const struct sockaddr *sa)
{
	struct timeval tick = ms_to_timeval(s->tick_ms);

	if (s->connections >= (size_t)s->conf.connections_max)
		(void)make_room(s);
	if (s->connections >= (size_t)s->conf.connections_max || http_conn_open(s, fd, sa) != 0) {
		refuse(s, fd);
		return;
	}
	if (!event_pending(s->tick_event, EV_TIMEOUT, NULL))
		event_add(s->tick_event, &tick);
}

static void on_accept(evutil_socket_t fd, short what, void *server)
{
	struct http_server *s = server;

	for (int i = 0; i < ACCEPT_TURN; i++) {
		struct sockaddr_storage sa = {0};
		socklen_t len = sizeof(sa);
		int client = accept4(fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (client >= 0) {
			take_connection(s, client, (struct sockaddr *)&sa);
			continue;
		}
		bool is_out = errno == EMFILE || errno == ENFILE;
		if (is_out && !is_waited_for(fd))
			return;
		if (is_out && make_room(s))
			continue;
		if (is_out || errno == ENOBUFS || errno == ENOMEM)
			pause_accept(s);
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

/* ---- deadlines ---- */

static void end_overdue(struct http_server *s, enum http_wait wait, int64_t now_ms)
{
	struct ch_list *head = &s->waits[wait];

	while (!ch_list_is_empty(head)) {
		struct http_conn *c = CH_CONTAINER_OF(head->next, struct http_conn, link);
		if (now_ms - c->since_ms < s->wait_ms[wait])
			return;
		http_conn_timed_out(c);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *server)
{
	struct http_server *s = server;
	struct timeval tick = ms_to_timeval(s->tick_ms);
	int64_t now_ms = ch_clock_mono(&s->conf.clock).ms;

	for (int i = 0; i < WAIT_COUNT; i++)
		if (s->wait_ms[i] > 0)
			end_overdue(s, (enum http_wait)i, now_ms);
	if (s->connections > 0)
		event_add(s->tick_event, &tick);
}

/* ---- connections with more to serve ---- */

/* A timer of 0 ms and not event_active: that would run before the loop looks at its sockets again. It needs
 * no memory, though, so it is what is left without. */
void http_server_again(struct http_server *s, struct http_conn *c)
{
	struct timeval now = {0};

	if (ch_list_is_empty(&s->again) && event_add(s->again_event, &now) != 0)
		event_active(s->again_event, EV_TIMEOUT, 1);
	ch_list_unlink(&c->again);
	ch_list_push_back(&s->again, &c->again);
}

static void on_again(evutil_socket_t fd, short what, void *server)
{
	struct http_server *s = server;
	struct ch_list *n;
	struct ch_list turn;

	ch_list_init(&turn);
	ch_list_splice_back(&turn, &s->again);
	while ((n = ch_list_pop_front(&turn)) != NULL)
		http_conn_advance(CH_CONTAINER_OF(n, struct http_conn, again));
}

/* ---- from start to destroy ---- */

static void fill_defaults(struct http_server_conf *c)
{
	if (c->header_max_bytes == 0)
		c->header_max_bytes = 32 * 1024;
	if (c->body_max_bytes == 0)
		c->body_max_bytes = 1024 * 1024 + 64 * 1024;
	if (c->request_timeout_ms == 0)
		c->request_timeout_ms = 30000;
	if (c->send_min_bytes_s == 0)
		c->send_min_bytes_s = SEND_MIN_BYTES_S;
	if (c->idle_timeout_ms == 0)
		c->idle_timeout_ms = 75000;
	if (c->connections_max == 0)
		c->connections_max = 4096;
}

static void set_waits(struct http_server *s)
{
	s->wait_ms[WAIT_HANDSHAKE] = s->conf.request_timeout_ms;
	s->wait_ms[WAIT_IDLE] = s->conf.idle_timeout_ms;
	s->wait_ms[WAIT_REQUEST] = s->conf.request_timeout_ms;
	s->wait_ms[WAIT_SEND] = s->conf.request_timeout_ms; /* without a byte taken by the client */
	s->wait_ms[WAIT_LINGER] = HTTP_LINGER_MS;
	int least = HTTP_LINGER_MS;
	for (int i = 0; i < WAIT_COUNT; i++) {
		ch_list_init(&s->waits[i]);
		if (s->wait_ms[i] > 0 && s->wait_ms[i] < least)
			least = s->wait_ms[i];
	}
	/* A deadline may be missed by a quarter of the shortest one. */
	s->tick_ms = least / 4 > 1000 ? 1000 : least / 4 < 5 ? 5 : least / 4;
}

static int add_events(struct http_server *s)
{
	s->accept_event = event_new(s->conf.base, s->fd, EV_READ | EV_PERSIST, on_accept, s);
	s->resume_event = event_new(s->conf.base, -1, 0, on_resume, s);
	s->tick_event = event_new(s->conf.base, -1, 0, on_tick, s);
	s->again_event = event_new(s->conf.base, -1, 0, on_again, s);
	if (!s->accept_event || !s->resume_event || !s->tick_event || !s->again_event ||
			event_add(s->accept_event, NULL) != 0)
		return CH_ENOMEM;
	return 0;
}

static void free_server(struct http_server *s)
{
	if (s->accept_event)
		event_free(s->accept_event);
	if (s->resume_event)
		event_free(s->resume_event);
	if (s->tick_event)
		event_free(s->tick_event);
	if (s->again_event)
		event_free(s->again_event);
	ch_free(s);
}

int http_server_start(const struct http_server_conf *conf, struct http_server **ret, struct ch_err *err)
{
	int one = 1;
	struct http_server *s = ch_calloc(1, sizeof(*s));
	if (!s)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	s->conf = *conf;
	fill_defaults(&s->conf);
	set_waits(s);
	ch_list_init(&s->again);
	s->fd = conf->listen_fd >= 0 ? conf->listen_fd : listen_at(conf, err);
	if (s->fd < 0) {
		int rc = s->fd;
		ch_free(s);
		return rc;
	}
	evutil_make_socket_nonblocking(s->fd);
	/* Connections inherit it; without it the second half of an answer could wait for an ACK. */
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->port = port_of(s->fd);
	if (add_events(s) != 0) {
		if (conf->listen_fd < 0)
			close(s->fd);
		free_server(s);
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	}
	*ret = s;
	return 0;
}

uint16_t http_server_port(const struct http_server *s)
{
	return s->port;
}

void http_server_drain(struct http_server *s)
{
	s->is_draining = true;
	if (s->fd >= 0) {
		event_del(s->accept_event);
		close(s->fd);
		s->fd = -1;
	}
	while (!ch_list_is_empty(&s->waits[WAIT_HANDSHAKE]))
		http_conn_close(CH_CONTAINER_OF(s->waits[WAIT_HANDSHAKE].next, struct http_conn, link));
	while (!ch_list_is_empty(&s->waits[WAIT_IDLE]))
		http_conn_close(CH_CONTAINER_OF(s->waits[WAIT_IDLE].next, struct http_conn, link));
}

size_t http_server_busy(const struct http_server *s)
{
	return s->busy;
}

size_t http_server_connections(const struct http_server *s)
{
	return s->connections;
}

void http_server_destroy(struct http_server **ps)
{
	struct http_server *s = *ps;

	*ps = NULL;
	if (!s)
		return;
	http_server_drain(s);
	for (int i = 0; i < WAIT_COUNT; i++) {
		while (!ch_list_is_empty(&s->waits[i])) {
			struct http_conn *c = CH_CONTAINER_OF(s->waits[i].next, struct http_conn, link);
			http_conn_ref(c);
			http_conn_close(c);
			c->server = NULL;
			http_conn_unref(c);
		}
	}
	CH_ASSERT(s->connections == 0 && s->busy == 0);
	free_server(s);
}
