#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "receiver.h"

/* {"id":"RRRRRRRR-0000-4000-8000-NNNNNNNNNNNN": a run's name and the number of a call in it */
#define ID_AT 7
#define ID_NUMBER_AT (ID_AT + 24)
#define ID_END (ID_AT + 36)

static const char answer_ok[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";
static const char answer_bad[] = "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n"
				 "Content-Length: 3\r\n\r\nbad";

int64_t receiver_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void peer_close(struct receiver *r, struct peer *p)
{
	if (p->state == PEER_WAITING)
		TAILQ_REMOVE(&r->waiting, p, wait);
	r->held -= p->state == PEER_HELD;
	r->open -= p->kind == PEER_CLIENT;
	SSL_free(p->ssl);
	close(p->fd);
	free(p);
}

static ssize_t peer_write(struct peer *p, const char *text, size_t len)
{
	/* An answer always fits into the socket's buffer; a peer for which it doesn't is closed. */
	return p->ssl ? SSL_write(p->ssl, text, (int)len) : write(p->fd, text, len);
}

static bool answer(struct receiver *r, struct peer *p)
{
	const char *text = p->is_failing ? answer_bad : answer_ok;
	size_t len = p->is_failing ? sizeof(answer_bad) - 1 : sizeof(answer_ok) - 1;

	if (p->is_failing) {
		r->failed++;
	} else {
		r->answered++;
		r->last_ns = receiver_now_ns();
	}
	p->state = PEER_READING;
	return peer_write(p, text, len) == (ssize_t)len;
}

/* A whole request is there. */
static bool take_request(struct receiver *r, struct peer *p)
{
	if (r->is_hanging) {
		p->state = PEER_HELD;
		r->held++;
		return true;
	}
	if (r->delay_ns == 0)
		return answer(r, p);
	p->state = PEER_WAITING;
	p->due_ns = receiver_now_ns() + r->delay_ns;
	TAILQ_INSERT_TAIL(&r->waiting, p, wait);
	return true;
}

static void take_receipt(struct receiver *r, const char *body)
{
	char run[9] = {0}, number[13] = {0};
	size_t n;

	memcpy(run, body + ID_AT, 8);
	memcpy(number, body + ID_NUMBER_AT, 12);
	n = strtoull(number, NULL, 16);
	if (strtoul(run, NULL, 16) != r->run || n >= r->receipt_count)
		return;
	if (r->receipts[n] == 0)
		r->receipts[n] = receiver_now_ns();
	else
		r->doubles++;
}

static size_t content_length(const char *head, size_t len)
{
	static const char name[] = "\ncontent-length:";

	for (size_t i = 0; i + sizeof(name) < len; i++)
		if (head[i] == '\n' && !strncasecmp(head + i, name, sizeof(name) - 1))
			return strtoul(head + i + sizeof(name) - 1, NULL, 10);
	return 0;
}

/* Takes a head and the id after it from data[*at]; false: not all of that is there yet. */
static bool take_head(struct receiver *r, struct peer *p, size_t *at)
{
	char *head = p->data + *at;
	char *end = memmem(head, p->have - *at, "\r\n\r\n", 4);
	size_t length, in_body;

	if (!end)
		return false;
	end += 4;
	length = content_length(head, (size_t)(end - head));
	in_body = (size_t)(p->data + p->have - end);
	if (in_body < length && in_body < ID_END)
		return false;
	p->is_failing = r->requests++ * 37 % 100 < r->fail_percent;
	if (r->receipt_count > 0 && length > ID_END && !p->is_failing)
		take_receipt(r, end);
	*at = (size_t)(end - p->data);
	p->body_left = length;
	return true;
}

/* Serves each whole request in the buffer; false: the connection is over. */
static bool serve(struct receiver *r, struct peer *p)
{
	size_t at = 0;

	while (at < p->have && p->state == PEER_READING) {
		size_t skip;

		if (p->body_left == 0 && !take_head(r, p, &at))
			break;
		skip = p->body_left < p->have - at ? p->body_left : p->have - at;
		at += skip;
		p->body_left -= skip;
		if (p->body_left == 0 && !take_request(r, p))
			return false;
	}
	memmove(p->data, p->data + at, p->have - at);
	p->have -= at;
	return p->have < PEER_BYTES;
}

/* Bytes read, 0 for none now, -1 for the end. */
static ssize_t read_some(struct peer *p)
{
	char *to = p->data + p->have;
	size_t room = PEER_BYTES - p->have;
	ssize_t got;

	if (!p->ssl) {
		got = read(p->fd, to, room);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		return got > 0 ? got : -1;
	}
	got = SSL_read(p->ssl, to, (int)room);
	if (got > 0)
		return got;
	/* Handshakes are small enough never to wait for room in the socket's buffer. */
	return SSL_get_error(p->ssl, (int)got) == SSL_ERROR_WANT_READ ? 0 : -1;
}

bool peer_readable(struct receiver *r, struct peer *p)
{
	ssize_t got;

	do {
		got = read_some(p);
		if (got > 0)
			p->have += (size_t)got;
		if (got < 0 || (got > 0 && !serve(r, p))) {
			peer_close(r, p);
			return false;
		}
		/* What TLS has decoded already no poll will tell of. */
	} while (got > 0 && p->ssl && SSL_has_pending(p->ssl));
	return true;
}

int peers_answer_due(struct receiver *r)
{
	int64_t now_ns = TAILQ_EMPTY(&r->waiting) ? 0 : receiver_now_ns();
	struct peer *p;

	while ((p = TAILQ_FIRST(&r->waiting)) != NULL) {
		if (p->due_ns > now_ns)
			return (int)((p->due_ns - now_ns + 999999) / 1000000);
		TAILQ_REMOVE(&r->waiting, p, wait);
		if (!answer(r, p) || !serve(r, p))
			peer_close(r, p);
	}
	return -1;
}
