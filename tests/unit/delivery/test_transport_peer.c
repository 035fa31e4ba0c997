#include <arpa/inet.h>
#include <event2/buffer.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "test_transport_kit.h"

static void peer_free(struct peer *p)
{
	struct receiver *r = p->of;
	for (int i = 0; i < r->peer_count; i++) {
		if (r->peers[i] == p)
			r->peers[i] = r->peers[--r->peer_count];
	}
	if (event_initialized(&p->tick))
		event_del(&p->tick);
	bufferevent_free(p->bev);
	free(p);
}

static size_t body_length(const char *head)
{
	const char *found = strstr(head, "Content-Length: ");
	return found != NULL ? strtoul(found + 16, NULL, 10) : 0;
}

/* Takes one whole request off the input. */
static bool request_take(struct peer *p)
{
	struct evbuffer *in = bufferevent_get_input(p->bev);
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	if (end.pos < 0)
		return false;
	char *out = p->of->last_request;
	size_t cap = sizeof(p->of->last_request) - 1, head = (size_t)end.pos + 4;
	assert_true(head < cap);
	evbuffer_copyout(in, out, head);
	out[head] = '\0';
	size_t len = head + body_length(out);
	if (evbuffer_get_length(in) < len)
		return false;
	size_t kept = len < cap ? len : cap;
	evbuffer_remove(in, out, kept);
	evbuffer_drain(in, len - kept);
	out[kept] = '\0';
	return true;
}

static void peer_reads(struct bufferevent *bev, void *ctx)
{
	struct peer *p = ctx;
	if (p->of->on_bytes != NULL) {
		p->of->on_bytes(p);
		return;
	}
	struct receiver *r = p->of;
	while (request_take(p)) {
		int peers = r->peer_count;
		p->requests++;
		r->requests++;
		r->on_request(p);
		if (r->peer_count < peers)
			return;
	}
}

static void peer_event(struct bufferevent *bev, short what, void *ctx)
{
	struct peer *p = ctx;
	if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) == 0)
		return;
	p->of->closed++;
	peer_free(p);
}

static void peer_written(struct bufferevent *bev, void *ctx)
{
	peer_free(ctx);
}

static void accepted(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from, int len, void *ctx)
{
	struct receiver *r = ctx;
	struct peer *p = calloc(1, sizeof(*p));
	assert_non_null(p);
	assert_true(r->peer_count < 64);
	p->of = r;
	p->bev = bufferevent_socket_new(r->base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(p->bev, peer_reads, NULL, peer_event, p);
	bufferevent_enable(p->bev, EV_READ | EV_WRITE);
	r->peers[r->peer_count++] = p;
	r->accepted++;
	if (r->on_accept != NULL)
		r->on_accept(p);
}

static void listen_at(struct receiver *r, struct event_base *base, struct sockaddr_in at)
{
	socklen_t len = sizeof(at);
	memset(r, 0, sizeof(*r));
	r->base = base;
	r->listener = evconnlistener_new_bind(base, accepted, r,
			LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 64, (struct sockaddr *)&at,
			sizeof(at));
	assert_non_null(r->listener);
	assert_int_equal(getsockname(evconnlistener_get_fd(r->listener), (struct sockaddr *)&at, &len), 0);
	r->port = ntohs(at.sin_port);
}

void receiver_open(struct receiver *r, struct event_base *base, void (*on_request)(struct peer *p))
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	listen_at(r, base, at);
	r->on_request = on_request;
}

void receiver_open_beside(struct receiver *r, const struct receiver *other, const char *address)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(other->port)};
	assert_int_equal(inet_pton(AF_INET, address, &at.sin_addr), 1);
	listen_at(r, other->base, at);
	r->on_request = other->on_request;
}

void receiver_close(struct receiver *r)
{
	while (r->peer_count > 0)
		peer_free(r->peers[0]);
	evconnlistener_free(r->listener);
}

void receiver_narrow(struct receiver *r)
{
	int bytes = 4096;
	setsockopt(evconnlistener_get_fd(r->listener), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

void peer_send(struct peer *p, const char *text)
{
	bufferevent_write(p->bev, text, strlen(text));
}

void peer_send_bytes(struct peer *p, const void *data, size_t len)
{
	bufferevent_write(p->bev, data, len);
}

static void block_send(struct bufferevent *bev, void *ctx)
{
	struct peer *p = ctx;
	size_t len = strlen(p->block);
	p->of->pushed += len;
	bufferevent_write(bev, p->block, len);
}

void peer_push(struct peer *p, const char *block)
{
	int bytes = 16384;
	setsockopt(bufferevent_getfd(p->bev), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	p->block = block;
	bufferevent_setcb(p->bev, peer_reads, block_send, peer_event, p);
	block_send(p->bev, p);
}

void peer_answer(struct peer *p, int status, const char *headers, const char *body)
{
	char head[1024];
	snprintf(head, sizeof(head), "HTTP/1.1 %d Word\r\n%sContent-Length: %zu\r\n\r\n", status, headers,
			strlen(body));
	peer_send(p, head);
	peer_send(p, body);
}

void peer_close(struct peer *p)
{
	if (evbuffer_get_length(bufferevent_get_output(p->bev)) == 0)
		peer_free(p);
	else
		bufferevent_setcb(p->bev, NULL, peer_written, peer_event, p);
}

void peer_reset(struct peer *p)
{
	struct linger now = {1, 0};
	setsockopt(bufferevent_getfd(p->bev), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	peer_free(p);
}

void peer_tick(struct peer *p, void (*fn)(evutil_socket_t fd, short what, void *peer), int ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};
	event_assign(&p->tick, p->of->base, -1, EV_PERSIST, fn, p);
	event_add(&p->tick, &tv);
}

void answer_ok(struct peer *p)
{
	peer_answer(p, 200, "", "ok");
}

void answer_nothing(struct peer *p)
{
}
