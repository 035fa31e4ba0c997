#include "api/http_conn.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crypto.h"

static bool has_left(const struct http_conn *c)
{
	char byte;

	if ((c->state != CONN_STREAMING && c->state != CONN_HANDLING) || !c->x->ends_with_client)
		return false;
	ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static void on_readable(evutil_socket_t fd, short what, void *conn);

/* Of the buffer itself, where nothing stricter is known: the real limits are those of the conf. */
#define INPUT_LIMIT (SIZE_MAX / 8)

static void count_input(struct http_conn *c)
{
	c->server->buffered += c->in.cap - c->in_counted;
	c->in_counted = c->in.cap;
}

int http_conn_open(struct http_server *s, int fd, const struct sockaddr *sa)
{
	struct http_conn *c = ch_calloc(1, sizeof(*c));
	if (!c)
		return CH_ENOMEM;
	c->server = s;
	c->refs = 1;
	c->fd = fd;
	c->read_event = event_new(s->conf.base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->write_event = event_new(s->conf.base, fd, EV_WRITE | EV_PERSIST, http_send_on_writable, c);
	if (!c->read_event || !c->write_event || http_io_open(c) != 0 ||
			event_add(c->read_event, NULL) != 0) {
		http_io_close(c);
		if (c->read_event)
			event_free(c->read_event);
		if (c->write_event)
			event_free(c->write_event);
		ch_free(c);
		return CH_ENOMEM;
	}
	ch_buf_init(&c->in, INPUT_LIMIT);
	ch_buf_init(&c->out, SIZE_MAX);
	struct address peer;
	if (address_from_sockaddr(sa, &peer) == 0)
		address_format(&peer, c->peer);
	ch_list_init(&c->link);
	ch_list_init(&c->again);
	s->connections++;
	if (c->ssl)
		http_conn_wait(c, CONN_HANDSHAKE, WAIT_HANDSHAKE);
	else
		http_conn_wait(c, CONN_IDLE, WAIT_IDLE);
	return 0;
}

void http_conn_ref(struct http_conn *c)
{
	c->refs++;
}

/* Overwrites what is read and what is sent, if it holds a secret. What was read lies in the shared buffer
 * too, until something as long overwrites it. */
static void wipe(struct http_conn *c, size_t in_bytes)
{
	if (!c->wipe)
		return;
	c->wipe = false;
	ch_wipe(c->in.data, in_bytes);
	ch_wipe(c->out.data, c->out.cap);
	if (c->server)
		ch_wipe(c->server->scratch, sizeof(c->server->scratch));
}

void http_conn_unref(struct http_conn *c)
{
	CH_ASSERT(c->refs > 0);
	if (--c->refs > 0)
		return;
	CH_ASSERT(c->state == CONN_CLOSED);
	wipe(c, c->in.cap);
	ch_buf_fini(&c->in);
	ch_free(c->x);
	ch_free(c);
}

void http_conn_wait(struct http_conn *c, enum http_conn_state state, enum http_wait wait)
{
	c->state = state;
	c->since_ms = ch_clock_mono(&c->server->conf.clock).ms;
	ch_list_unlink(&c->link);
	ch_list_push_back(&c->server->waits[wait], &c->link);
}

static void not_busy(struct http_conn *c)
{
	if (!c->x || !c->x->is_busy)
		return;
	c->x->is_busy = false;
	c->server->busy--;
}

void http_conn_close(struct http_conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	event_free(c->read_event);
	event_free(c->write_event);
	http_io_close(c);
	close(c->fd);
	c->fd = -1;
	ch_list_unlink(&c->link);
	ch_list_unlink(&c->again);
	not_busy(c);
	c->server->connections--;
	c->server->buffered -= c->in_counted;
	wipe(c, c->in.cap);
	ch_buf_fini(&c->out);
	ch_bytes_unref(&c->out_body);
	http_send_told_gone(c);
	http_conn_unref(c);
}

static bool conn_fault(struct http_conn *c, int status, const char *detail)
{
	http_send_fault(c, &(struct http_fault){.status = status, .detail = detail});
	return false;
}

void http_conn_timed_out(struct http_conn *c)
{
	http_conn_ref(c);
	if (c->state == CONN_HEAD || c->state == CONN_BODY)
		conn_fault(c, 408, "the request did not arrive in time");
	else
		http_conn_close(c);
	http_conn_unref(c);
}

/* ---- taking requests out of the buffer; each step is false when it can't go on now ---- */

static char *request_base(struct http_conn *c)
{
	return c->in.data + c->in_at;
}

static size_t request_bytes(const struct http_conn *c)
{
	return c->in.len - c->in_at;
}

static bool dispatch(struct http_conn *c)
{
	struct http_server *s = c->server;

	c->x->is_busy = true;
	s->busy++;
	http_conn_ref(c);
	http_conn_wait(c, CONN_HANDLING, WAIT_HANDLER);
	s->conf.handle(s->conf.ctx, c->x);
	return true;
}

static bool begin_body(struct http_conn *c)
{
	struct http_exchange *x = c->x;
	const struct http_server_conf *conf = &c->server->conf;
	const char *base = request_base(c);

	x->raw_len = x->head.len;
	x->body_max = conf->body_max_bytes;
	if (conf->body_max_of)
		x->body_max = conf->body_max_of(conf->ctx, base + x->head.method, base + x->head.path);
	if (x->head.content_length > x->body_max)
		return conn_fault(c, 413, "the body is larger than allowed here");
	if (!x->head.is_chunked && x->head.content_length == 0)
		return dispatch(c);
	c->state = CONN_BODY;
	/* No more room than it takes, or doubling would make a large body's buffer twice the body. */
	if (!x->head.is_chunked)
		c->in.limit = c->in_at + x->head.len + (size_t)x->head.content_length + HTTP_READ_BYTES;
	if (x->head.expects_continue && request_bytes(c) == x->head.len)
		http_send_continue(c);
	return c->state == CONN_BODY;
}

static bool head_unfinished(struct http_conn *c)
{
	if (request_bytes(c) <= c->server->conf.header_max_bytes)
		return false;
	if (!memchr(request_base(c), '\n', request_bytes(c)))
		return conn_fault(c, 414, "the request line is too long");
	return conn_fault(c, 431, "the headers are too large");
}

static bool take_head(struct http_conn *c)
{
	struct http_fault fault;
	size_t len = 0;

	int rc = http_head_end(request_base(c), request_bytes(c), &c->scanned, &len, &fault);
	if (rc == CH_EAGAIN)
		return head_unfinished(c);
	if (rc == 0 && len > c->server->conf.header_max_bytes)
		return conn_fault(c, 431, "the headers are too large");
	if (rc == 0) {
		c->x = ch_calloc(1, sizeof(*c->x));
		if (!c->x)
			return conn_fault(c, 503, "out of memory");
		c->x->conn = c;
		rc = http_head_parse(request_base(c), len, &c->x->head, &fault);
	}
	if (rc) {
		http_send_fault(c, &fault);
		return false;
	}
	return begin_body(c);
}

static bool take_request(struct http_conn *c)
{
	/* RFC 9112 2.2: empty lines before a request line are passed over. */
	while (request_bytes(c) >= 2 && memcmp(request_base(c), "\r\n", 2) == 0)
		c->in_at += 2;
	if (request_bytes(c) == 0 || (request_bytes(c) == 1 && *request_base(c) == '\r'))
		return false;
	http_conn_wait(c, CONN_HEAD, WAIT_REQUEST);
	c->scanned = 0;
	return true;
}

static bool take_chunks(struct http_conn *c)
{
	struct http_exchange *x = c->x;
	size_t at = x->raw_len;
	size_t out = x->head.len + x->body_len;

	int rc = http_chunked_run(&x->chunked, request_base(c), request_bytes(c), &at, &out);
	x->body_len = out - x->head.len;
	if (rc == CH_EINVAL)
		return conn_fault(c, 400, "the chunked body is malformed");
	if (x->body_len > x->body_max)
		return conn_fault(c, 413, "the body is larger than allowed here");
	if (rc == 0) {
		x->raw_len = at;
		return dispatch(c);
	}
	/* All raw bytes were eaten: only the payload stays, and the next bytes go behind it. */
	c->in.len = c->in_at + out;
	x->raw_len = out;
	return false;
}

static bool take_body(struct http_conn *c)
{
	struct http_exchange *x = c->x;

	if (x->head.is_chunked)
		return take_chunks(c);
	if (request_bytes(c) - x->head.len < x->head.content_length)
		return false;
	x->body_len = (size_t)x->head.content_length;
	x->raw_len = x->head.len + x->body_len;
	return dispatch(c);
}

static bool step(struct http_conn *c)
{
	switch (c->state) {
	case CONN_IDLE:
		return take_request(c);
	case CONN_HEAD:
		return take_head(c);
	case CONN_BODY:
		return take_body(c);
	case CONN_HANDSHAKE:
	case CONN_HANDLING:
	case CONN_STREAMING:
	case CONN_SENDING:
	case CONN_LINGER:
	case CONN_CLOSED:
		return false;
	}
	CH_UNREACHABLE();
}

void http_conn_advance(struct http_conn *c)
{
	if (c->is_advancing)
		return;
	c->is_advancing = true;
	http_conn_ref(c);
	for (int served = 0; step(c);) {
		if (c->state != CONN_IDLE || ++served < HTTP_TURN_REQUESTS)
			continue;
		http_server_again(c->server, c);
		break;
	}
	c->is_advancing = false;
	http_conn_unref(c);
}

void http_conn_sent(struct http_conn *c)
{
	not_busy(c);
	c->has_served = true;
	if (c->x)
		c->in_at += c->x->raw_len;
	ch_free(c->x);
	c->x = NULL;
	c->in.limit = INPUT_LIMIT;
	wipe(c, c->in_at);
	ch_buf_fini(&c->out);
	c->out_at = 0;
	if (c->is_read_off && event_add(c->read_event, NULL) != 0) {
		http_conn_close(c);
		return;
	}
	c->is_read_off = false;
	if (c->close_after || c->server->is_draining) {
		/* Bytes that nobody read make close() send a reset, which can overtake the answer. So this
		 * side ends first and what still comes is read away for a while. */
		http_io_end(c);
		http_conn_wait(c, CONN_LINGER, WAIT_LINGER);
	} else {
		http_conn_wait(c, CONN_IDLE, WAIT_IDLE);
	}
	if (c->state == CONN_LINGER || c->in_at == c->in.len) {
		ch_buf_fini(&c->in);
		c->in_at = 0;
		count_input(c);
	}
}

/* ---- reading ---- */

/* Receives into the buffer; the number of bytes, 0 at the end, -1 with errno. */
static ssize_t fill(struct http_conn *c)
{
	struct http_server *s = c->server;
	size_t left = 0;

	if (c->in_at > 0 && c->in.data) {
		memmove(c->in.data, request_base(c), request_bytes(c));
		c->in.len -= c->in_at;
		c->in_at = 0;
	}
	if (c->state == CONN_BODY && !c->x->head.is_chunked)
		left = c->x->head.len + (size_t)c->x->head.content_length - c->in.len;
	/* The rest of a large body is read to where it belongs; all else goes by the way of a shared buffer,
	 * so that a small request costs a small block and an idle connection none. */
	if (left >= HTTP_READ_BYTES) {
		size_t want = left < HTTP_BODY_READ_BYTES ? left : HTTP_BODY_READ_BYTES;
		char *to = ch_buf_reserve(&c->in, want);
		ssize_t n = to ? http_io_recv(c, to, want) : 0;
		if (n > 0)
			ch_buf_commit(&c->in, (size_t)n);
		return n;
	}
	ssize_t n = http_io_recv(c, s->scratch, sizeof(s->scratch));
	if (n > 0)
		ch_buf_add(&c->in, s->scratch, (size_t)n);
	return n;
}

static void read_more(struct http_conn *c)
{
	ssize_t n = fill(c);

	count_input(c);
	if (c->in.err || c->server->buffered > HTTP_BUFFERED_MAX) {
		conn_fault(c, 503, "there is no memory for this request at the moment");
		return;
	}
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
		http_conn_close(c);
		return;
	}
	/* A client may end its side behind its last request, and more than one may wait here. */
	size_t before = request_bytes(c);
	if (n != 0 || (c->state == CONN_IDLE && before > 0))
		http_conn_advance(c);
	if (n == 0 && (c->state == CONN_HEAD || c->state == CONN_BODY || request_bytes(c) == before))
		http_conn_close(c);
}

static void read_away(struct http_conn *c)
{
	ssize_t n = recv(c->fd, c->server->scratch, sizeof(c->server->scratch), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		http_conn_close(c);
}

static void on_readable(evutil_socket_t fd, short what, void *conn)
{
	struct http_conn *c = conn;

	http_conn_ref(c);
	switch (c->state) {
	case CONN_HANDSHAKE:
		http_io_handshake(c);
		break;
	case CONN_IDLE:
	case CONN_HEAD:
	case CONN_BODY:
		read_more(c);
		break;
	case CONN_LINGER:
		read_away(c);
		break;
	case CONN_HANDLING:
	case CONN_STREAMING:
	case CONN_SENDING:
		/* Only a client that sends ahead or leaves comes here, so the quick path never pays for
		 * taking the event out and putting it back. */
		event_del(c->read_event);
		c->is_read_off = true;
		if (has_left(c))
			http_conn_close(c);
		break;
	case CONN_CLOSED:
		break;
	}
	http_conn_unref(c);
}
