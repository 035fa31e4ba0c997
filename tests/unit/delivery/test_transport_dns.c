#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test_transport_kit.h"

#define TYPE_A 1

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

static size_t record_add(uint8_t *out, size_t at, const char *address, int ttl)
{
	const uint8_t head[12] = {0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, (uint8_t)(ttl >> 8), (uint8_t)ttl, 0, 4};
	memcpy(out + at, head, sizeof(head));
	assert_int_equal(inet_pton(AF_INET, address, out + at + sizeof(head)), 1);
	return at + sizeof(head) + 4;
}

static void asked(evutil_socket_t fd, short what, void *ctx)
{
	struct dns *d = ctx;
	uint8_t in[512], out[1024];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	struct question q;
	ssize_t len = recvfrom(fd, in, sizeof(in), 0, (struct sockaddr *)&from, &from_len);
	if (len < 12 || !question_read(in, (size_t)len, &q))
		return;
	struct dns_entry *e = entry_find(d, q.name);
	if (e != NULL && q.type == TYPE_A)
		e->asked++;
	if (e != NULL && e->is_silent)
		return;
	memset(out, 0, 12);
	memcpy(out, in, q.end);
	out[2] = 0x81;
	out[3] = e != NULL ? 0x80 : 0x83;
	memset(out + 6, 0, 6);
	size_t at = q.end;
	const char *const *list = e == NULL ? NULL : e->asked > 1 && e->later[0] ? e->later : e->addresses;
	for (int i = 0; list != NULL && q.type == TYPE_A && i < 4 && list[i] != NULL; i++) {
		at = record_add(out, at, list[i], e->ttl);
		out[7]++;
	}
	sendto(fd, out, at, 0, (struct sockaddr *)&from, from_len);
}

void dns_open(struct dns *d, struct event_base *base, struct dns_entry *entries, int count)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(d->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(d->fd, (struct sockaddr *)&at, &len), 0);
	snprintf(d->text, sizeof(d->text), "127.0.0.1:%u", ntohs(at.sin_port));
	d->entries = entries;
	d->count = count;
	event_assign(&d->event, base, d->fd, EV_READ | EV_PERSIST, asked, d);
	event_add(&d->event, NULL);
}

void dns_close(struct dns *d)
{
	event_del(&d->event);
	close(d->fd);
}
