#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

void rig_init(struct rig *r)
{
	struct event_config *conf = event_config_new();
	*r = (struct rig){.time = {.wall = {1722350100000}, .mono = {1000}}};
	event_config_set_flag(conf, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	r->base = event_base_new_with_config(conf);
	event_config_free(conf);
	assert_non_null(r->base);
}

void rig_serve(struct rig *r, struct http_server_conf *conf)
{
	struct ch_err err;
	conf->base = r->base;
	conf->clock = ch_clock_virtual_of(&r->time);
	conf->host = "127.0.0.1";
	conf->port = 0;
	conf->listen_fd = -1;
	assert_int_equal(http_server_start(conf, &r->server, &err), 0);
}

void rig_fini(struct rig *r)
{
	http_server_destroy(&r->server);
	event_base_free(r->base);
}

void rig_turn(struct rig *r)
{
	struct timeval most = {.tv_usec = 5000};
	event_base_loopexit(r->base, &most);
	event_base_loop(r->base, EVLOOP_ONCE);
	if (r->turn)
		r->turn(r);
}

static void on_client(evutil_socket_t fd, short what, void *ctx)
{
	struct client *c = ctx;
	static char some[65536];
	ssize_t n = recv(fd, some, sizeof(some), MSG_DONTWAIT);
	if (n > 0) {
		ch_buf_add(&c->in, some, (size_t)n);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		c->is_closed = true;
		event_del(c->event);
	}
}

void client_open(struct client *c, struct rig *r)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(http_server_port(r->server))};
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*c = (struct client){.rig = r, .fd = socket(AF_INET, SOCK_STREAM, 0)};
	assert_true(c->fd >= 0);
	assert_int_equal(connect(c->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	evutil_make_socket_nonblocking(c->fd);
	ch_buf_init(&c->in, SIZE_MAX);
	c->event = event_new(r->base, c->fd, EV_READ | EV_PERSIST, on_client, c);
	event_add(c->event, NULL);
}

void client_close(struct client *c)
{
	event_free(c->event);
	close(c->fd);
	ch_buf_fini(&c->in);
}

void client_send(struct client *c, const void *data, size_t len)
{
	const char *p = data;
	while (len > 0 && !c->is_closed) {
		ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else {
			if (errno != EAGAIN)
				return;
			rig_turn(c->rig);
		}
	}
}

void client_sends(struct client *c, const char *text)
{
	client_send(c, text, strlen(text));
}

void answer_header(const struct answer *a, const char *name, char *out, size_t size)
{
	size_t len = strlen(name);
	out[0] = '\0';
	if (!a->head)
		return;
	for (const char *line = strstr(a->head, "\r\n"); line && line[2] != '\r';
			line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, name, len) != 0 || line[2 + len] != ':')
			continue;
		const char *value = line + 2 + len + 2;
		snprintf(out, size, "%.*s", (int)strcspn(value, "\r"), value);
		return;
	}
}

/* The decoded body when all chunks are there; NULL: more is needed. */
static char *read_chunks(const char *data, size_t len, size_t *ret_used, size_t *ret_len)
{
	struct ch_buf out;
	size_t at = 0;
	ch_buf_init(&out, SIZE_MAX);
	ch_buf_addc(&out, ' ');
	out.len = 0;
	for (;;) {
		const char *lf = memchr(data + at, '\n', len - at);
		if (!lf)
			break;
		size_t n = strtoul(data + at, NULL, 16);
		at = (size_t)(lf + 1 - data);
		if (len - at < n + 2)
			break;
		ch_buf_add(&out, data + at, n);
		at += n + 2;
		if (n == 0) {
			*ret_used = at;
			*ret_len = out.len;
			return ch_buf_detach(&out);
		}
	}
	ch_buf_fini(&out);
	return NULL;
}

static bool take_body(struct client *c, bool is_head, size_t head_len, struct answer *a, size_t *ret_used)
{
	char value[64];
	const char *rest = c->in.data + head_len;
	size_t left = c->in.len - head_len;

	answer_header(a, "Transfer-Encoding", value, sizeof(value));
	if (value[0] && !is_head) {
		a->body = read_chunks(rest, left, ret_used, &a->body_len);
		return a->body != NULL;
	}
	answer_header(a, "Content-Length", value, sizeof(value));
	bool to_end = !value[0] && a->status >= 200 && a->status != 204 && a->status != 304;
	size_t want = is_head ? 0 : to_end ? left : strtoul(value, NULL, 10);
	if (left < want || (to_end && !c->is_closed && !is_head))
		return false;
	a->body = malloc(want + 1);
	memcpy(a->body, rest, want);
	a->body[want] = '\0';
	a->body_len = want;
	*ret_used = want;
	return true;
}

static bool take_answer(struct client *c, bool is_head, struct answer *a)
{
	const char *end = c->in.data ? strstr(c->in.data, "\r\n\r\n") : NULL;
	size_t used = 0;
	if (!end)
		return false;
	size_t head_len = (size_t)(end - c->in.data) + 4;
	a->head = strndup(c->in.data, head_len);
	a->status = (int)strtol(a->head + 9, NULL, 10);
	if (!take_body(c, is_head, head_len, a, &used)) {
		free(a->head);
		*a = (struct answer){0};
		return false;
	}
	used += head_len;
	memmove(c->in.data, c->in.data + used, c->in.len - used + 1);
	c->in.len -= used;
	return true;
}

struct answer client_read(struct client *c, bool is_head)
{
	struct answer a = {0};
	while (!take_answer(c, is_head, &a)) {
		size_t before;
		if (c->is_closed)
			return a;
		/* A long answer is looked at when nothing more comes, not again and again from its start. */
		do {
			before = c->in.len;
			rig_turn(c->rig);
		} while (c->in.len != before && c->in.len > 100000);
	}
	return a;
}

void client_wait_closed(struct client *c)
{
	while (!c->is_closed)
		rig_turn(c->rig);
}

void answer_fini(struct answer *a)
{
	free(a->head);
	free(a->body);
	*a = (struct answer){0};
}

struct answer rig_ask(struct rig *r, const char *text, size_t len)
{
	struct client c;
	client_open(&c, r);
	client_send(&c, text, len);
	struct answer a = client_read(&c, strncmp(text, "HEAD ", 5) == 0);
	client_close(&c);
	return a;
}
