#include <arpa/inet.h>
#include <event2/buffer.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test_transport_kit.h"

#define TYPE_A 1
#define TYPE_CNAME 5
#define TYPE_AAAA 28
#define UDP_MAX 512
#define TRUNCATED 0x02

struct question {
	char name[256];
	int type;
	size_t end; /* of the question section */
};

static bool question_read(const uint8_t *in, size_t len, struct question *q)
{
	size_t at = 12, n = 0;
	while (at < len && in[at] != 0) {
		size_t label = in[at++];
		if (at + label > len || n + label + 2 > sizeof(q->name))
			return false;
		if (n > 0)
			q->name[n++] = '.';
		memcpy(q->name + n, in + at, label);
		n += label;
		at += label;
	}
	if (at + 5 > len)
		return false;
	q->name[n] = '\0';
	q->type = in[at + 1] << 8 | in[at + 2];
	q->end = at + 5;
	return true;
}

static struct dns_entry *entry_find(struct dns *d, const char *name)
{
	for (int i = 0; i < d->count; i++) {
		if (strcmp(d->entries[i].name, name) == 0)
			return &d->entries[i];
	}
	return NULL;
}

/* ---- an answer ---- */

struct writer {
	uint8_t *out;
	size_t at;
	const char *owner; /* of the next record; NULL: the name asked for */
	int ttl;
	int records;
};

static void bytes_add(struct writer *w, const void *data, size_t len)
{
	assert_true(w->at + len <= DNS_ANSWER_MAX);
	memcpy(w->out + w->at, data, len);
	w->at += len;
}

static size_t name_encode(const char *name, uint8_t *out)
{
	size_t at = 0;
	while (*name != '\0') {
		size_t label = strcspn(name, ".");
		out[at++] = (uint8_t)label;
		memcpy(out + at, name, label);
		at += label;
		name += label + (name[label] == '.');
	}
	out[at++] = 0;
	return at;
}

static void record_add(struct writer *w, int type, const void *data, size_t len)
{
	static const uint8_t pointer[2] = {0xc0, 12};
	uint8_t owner[256];
	const uint8_t head[10] = {0, (uint8_t)type, 0, 1, 0, 0, (uint8_t)(w->ttl >> 8), (uint8_t)w->ttl,
			(uint8_t)(len >> 8), (uint8_t)len};
	if (w->owner != NULL)
		bytes_add(w, owner, name_encode(w->owner, owner));
	else
		bytes_add(w, pointer, sizeof(pointer));
	bytes_add(w, head, sizeof(head));
	bytes_add(w, data, len);
	w->records++;
}

static void aliases_add(struct writer *w, const struct dns_entry *e)
{
	uint8_t name[256];
	for (int i = 0; i < 4 && e->aliases[i] != NULL; i++) {
		record_add(w, TYPE_CNAME, name, name_encode(e->aliases[i], name));
		w->owner = e->aliases[i];
	}
}

static void addresses_add(struct writer *w, const struct dns_entry *e, int type)
{
	uint8_t data[16];
	const char *const *list = e->asked > 1 && e->later[0] != NULL ? e->later : e->addresses;
	for (int n = 0; type == TYPE_A && n < (e->times > 0 ? e->times : 1); n++) {
		for (int i = 0; i < 4 && list[i] != NULL; i++) {
			assert_int_equal(inet_pton(AF_INET, list[i], data), 1);
			record_add(w, TYPE_A, data, 4);
		}
	}
	if (type == TYPE_AAAA && e->v6 != NULL) {
		assert_int_equal(inet_pton(AF_INET6, e->v6, data), 1);
		record_add(w, TYPE_AAAA, data, 16);
	}
}

/* Returns the answer's length, 0 for silence. */
static size_t answer_make(struct dns *d, const uint8_t *in, size_t len, uint8_t out[DNS_ANSWER_MAX])
{
	struct question q;
	if (len < 12 || !question_read(in, len, &q))
		return 0;
	struct dns_entry *e = entry_find(d, q.name);
	if (e != NULL && q.type == TYPE_A)
		e->asked++;
	if (e != NULL && q.type == TYPE_AAAA)
		e->asked_v6++;
	if (e != NULL && (e->is_silent || (e->drops_v6 && q.type == TYPE_AAAA)))
		return 0;
	struct writer w = {.out = out, .ttl = e != NULL ? e->ttl : 0};
	bytes_add(&w, in, q.end);
	out[2] = 0x81;
	out[3] = e != NULL && !e->is_missing ? 0x80 : 0x83;
	memset(out + 6, 0, 6);
	if (e != NULL && !e->is_missing) {
		aliases_add(&w, e);
		addresses_add(&w, e, q.type);
	}
	out[6] = (uint8_t)(w.records >> 8);
	out[7] = (uint8_t)w.records;
	if (e != NULL && e->spoil != NULL)
		e->spoil(out, &w.at);
	return w.at;
}

/* ---- over UDP ---- */

static bool is_held(struct dns *d, const uint8_t *in, size_t len, const struct sockaddr_in *from)
{
	struct question q;
	struct dns_entry *e = len >= 12 && question_read(in, len, &q) ? entry_find(d, q.name) : NULL;
	if (e == NULL || !(e->is_held || (e->is_v6_held && q.type == TYPE_AAAA)))
		return false;
	assert_true(d->held_count < 8 && len <= sizeof(d->held[0].data));
	struct dns_held *h = &d->held[d->held_count++];
	h->from = *from;
	memcpy(h->data, in, len);
	h->len = len;
	return true;
}

static void answer_send(struct dns *d, const uint8_t *in, size_t len, const struct sockaddr_in *to)
{
	static uint8_t out[DNS_ANSWER_MAX];
	struct question q;
	size_t n = answer_make(d, in, len, out);
	if (n == 0)
		return;
	struct dns_entry *e = question_read(in, len, &q) ? entry_find(d, q.name) : NULL;
	if (e != NULL && e->is_cut) {
		out[2] |= TRUNCATED;
		memset(out + 6, 0, 6);
		n = q.end;
	}
	sendto(d->fd, out, n, 0, (const struct sockaddr *)to, sizeof(*to));
}

static void asked(evutil_socket_t fd, short what, void *ctx)
{
	struct dns *d = ctx;
	uint8_t in[UDP_MAX];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(fd, in, sizeof(in), 0, (struct sockaddr *)&from, &from_len);
	if (len > 0 && !is_held(d, in, (size_t)len, &from))
		answer_send(d, in, (size_t)len, &from);
}

void dns_release(struct dns *d)
{
	for (int i = 0; i < d->count; i++)
		d->entries[i].is_held = d->entries[i].is_v6_held = false;
	for (int i = 0; i < d->held_count; i++)
		answer_send(d, d->held[i].data, d->held[i].len, &d->held[i].from);
	d->held_count = 0;
}

/* ---- over TCP ---- */

static void stream_reads(struct bufferevent *bev, void *ctx)
{
	static uint8_t out[DNS_ANSWER_MAX];
	struct evbuffer *buf = bufferevent_get_input(bev);
	uint8_t in[2 + UDP_MAX];
	ssize_t have;
	while ((have = evbuffer_copyout(buf, in, sizeof(in))) >= 2) {
		size_t len = (size_t)in[0] << 8 | in[1];
		if (len > UDP_MAX || (size_t)have < len + 2)
			return;
		evbuffer_drain(buf, len + 2);
		size_t n = answer_make(ctx, in + 2, len, out);
		const uint8_t size[2] = {(uint8_t)(n >> 8), (uint8_t)n};
		bufferevent_write(bev, size, sizeof(size));
		bufferevent_write(bev, out, n);
	}
}

static void stream_ends(struct bufferevent *bev, short what, void *ctx)
{
	struct dns *d = ctx;
	for (int i = 0; i < d->stream_count; i++) {
		if (d->streams[i] == bev)
			d->streams[i] = d->streams[--d->stream_count];
	}
	bufferevent_free(bev);
}

static void stream_accepted(
		struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from, int len, void *ctx)
{
	struct dns *d = ctx;
	struct bufferevent *bev =
			bufferevent_socket_new(evconnlistener_get_base(l), fd, BEV_OPT_CLOSE_ON_FREE);
	assert_true(d->stream_count < 8);
	d->streams[d->stream_count++] = bev;
	bufferevent_setcb(bev, stream_reads, NULL, stream_ends, ctx);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

/* Both kinds on one port, which the system picks. */
static bool sockets_open(struct dns *d, struct event_base *base, struct sockaddr_in at)
{
	socklen_t len = sizeof(at);
	char address[INET_ADDRSTRLEN];
	inet_ntop(AF_INET, &at.sin_addr, address, sizeof(address));
	d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(d->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(d->fd, (struct sockaddr *)&at, &len), 0);
	snprintf(d->text, sizeof(d->text), "%s:%u", address, ntohs(at.sin_port));
	d->port = ntohs(at.sin_port);
	d->tcp = evconnlistener_new_bind(base, stream_accepted, d,
			LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 64, (struct sockaddr *)&at,
			sizeof(at));
	if (d->tcp == NULL)
		close(d->fd);
	return d->tcp != NULL;
}

static void start(struct dns *d, struct event_base *base, struct dns_entry *entries, int count)
{
	d->entries = entries;
	d->count = count;
	event_assign(&d->event, base, d->fd, EV_READ | EV_PERSIST, asked, d);
	event_add(&d->event, NULL);
}

void dns_open(struct dns *d, struct event_base *base, struct dns_entry *entries, int count)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	memset(d, 0, sizeof(*d));
	for (int tries = 0; !sockets_open(d, base, at); tries++)
		assert_true(tries < 50);
	start(d, base, entries, count);
}

void dns_open_beside(struct dns *d, const struct dns *other, const char *address)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(other->port)};
	struct event_base *base = event_get_base(&other->event);
	memset(d, 0, sizeof(*d));
	assert_int_equal(inet_pton(AF_INET, address, &at.sin_addr), 1);
	assert_true(sockets_open(d, base, at));
	start(d, base, other->entries, other->count);
}

void dns_close(struct dns *d)
{
	while (d->stream_count > 0)
		stream_ends(d->streams[0], 0, d);
	event_del(&d->event);
	evconnlistener_free(d->tcp);
	close(d->fd);
}
