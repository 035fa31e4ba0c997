#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "receiver.h"

static bool write_all(int fd, const void *data, size_t len)
{
	for (const char *at = data; len > 0;) {
		ssize_t n = write(fd, at, len);
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static bool reply(struct peer *p, const void *body, size_t len)
{
	char head[96];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);

	/* Whoever asks also reads: the one place where this program may wait. */
	fcntl(p->fd, F_SETFL, fcntl(p->fd, F_GETFL) & ~O_NONBLOCK);
	if (!write_all(p->fd, head, (size_t)n) || !write_all(p->fd, body, len))
		return false;
	fcntl(p->fd, F_SETFL, fcntl(p->fd, F_GETFL) | O_NONBLOCK);
	return true;
}

/* The number after "name=" in the query, or otherwise. */
static unsigned long number_of(const char *query, const char *name, int base, unsigned long otherwise)
{
	const char *at = strstr(query, name);

	return at ? strtoul(at + strlen(name), NULL, base) : otherwise;
}

static bool stats(struct receiver *r, struct peer *p)
{
	char text[256];
	int n = snprintf(text, sizeof(text),
			"{\"answered\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"held\":%" PRIu64
			",\"open\":%" PRIu64 ",\"doubles\":%" PRIu64 ",\"last_ns\":%" PRId64 "}\n",
			r->answered, r->failed, r->held, r->open, r->doubles, r->last_ns);

	return reply(p, text, (size_t)n);
}

static bool set(struct receiver *r, struct peer *p, const char *query)
{
	r->delay_ns = (int64_t)number_of(query, "delay_ms=", 10, (unsigned long)(r->delay_ns / 1000000)) *
		      1000000;
	r->fail_percent = (unsigned)number_of(query, "fail=", 10, r->fail_percent);
	r->is_hanging = number_of(query, "hang=", 10, r->is_hanging) != 0;
	return stats(r, p);
}

static bool record(struct receiver *r, struct peer *p, const char *query)
{
	size_t count = number_of(query, "count=", 10, 0);
	int64_t *receipts = calloc(count + 1, sizeof(*receipts));

	if (!receipts)
		return false;
	free(r->receipts);
	r->receipts = receipts;
	r->receipt_count = count;
	r->run = (uint32_t)number_of(query, "run=", 16, 0);
	r->doubles = 0;
	return stats(r, p);
}

static bool control(struct receiver *r, struct peer *p)
{
	if (strncmp(p->data, "GET /stats", 10) == 0)
		return stats(r, p);
	if (strncmp(p->data, "GET /set?", 9) == 0)
		return set(r, p, p->data + 9);
	if (strncmp(p->data, "GET /record?", 12) == 0)
		return record(r, p, p->data + 12);
	if (strncmp(p->data, "GET /receipts", 13) == 0)
		return reply(p, r->receipts, r->receipt_count * sizeof(*r->receipts));
	return false;
}

bool control_readable(struct receiver *r, struct peer *p)
{
	ssize_t got = read(p->fd, p->data + p->have, PEER_BYTES - 1 - p->have);

	if (got > 0)
		p->have += (size_t)got;
	p->data[p->have] = '\0';
	if (got > 0 && !strstr(p->data, "\r\n\r\n"))
		return true;
	if (got <= 0 || !control(r, p)) {
		peer_close(r, p);
		return false;
	}
	p->have = 0;
	return true;
}
