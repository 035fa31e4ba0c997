#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "api/http_conn.h"
#include "api/problem.h"
#include "base/alloc.h"
#include "base/assert.h"

#define HEAD_TYPICAL_BYTES 512

static void add_header(struct ch_buf *out, const char *name, const char *value)
{
	/* Values are the handlers' own; one that could end its line would be a hole in a handler. */
	CH_ASSERT(!strpbrk(value, "\r\n"));
	ch_buf_adds(out, name);
	ch_buf_add(out, ": ", 2);
	ch_buf_adds(out, value);
	ch_buf_add(out, "\r\n", 2);
}

static bool status_has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

static void add_framing(struct http_conn *c, const struct http_response *r, size_t body_len, bool is_stream)
{
	char number[24];

	if (!status_has_body(r->status))
		return;
	if (!is_stream) {
		snprintf(number, sizeof(number), "%zu", body_len);
		add_header(&c->out, "Content-Length", number);
	} else if (!c->x->is_plain) {
		add_header(&c->out, "Transfer-Encoding", "chunked");
	}
}

static void fill_head(struct http_conn *c, const struct http_response *r, size_t body_len, bool is_stream)
{
	struct ch_buf *out = &c->out;
	bool is_old = c->x && c->x->head.minor == 0;

	(void)ch_buf_reserve(out, HEAD_TYPICAL_BYTES);
	ch_buf_addf(out, "HTTP/1.1 %d %s\r\n", r->status, problem_title(r->status));
	add_header(out, "Date", http_server_date(c->server));
	if (r->content_type)
		add_header(out, "Content-Type", r->content_type);
	add_framing(c, r, body_len, is_stream);
	for (size_t i = 0; i < r->header_count; i++)
		add_header(out, r->headers[i].name, r->headers[i].value);
	if (c->close_after)
		add_header(out, "Connection", "close");
	else if (is_old)
		add_header(out, "Connection", "keep-alive");
	ch_buf_add(out, "\r\n", 2);
}

void http_send_fill(struct http_conn *c, const struct http_response *r, bool is_stream)
{
	struct http_exchange *x = c->x;
	size_t body_len = r->body ? r->body->len : r->text ? r->text_len : 0;

	CH_ASSERT(r->status >= 200 && r->status <= 599);
	if (r->close || c->server->is_draining || !x || !x->head.keep_alive || (is_stream && x->is_plain))
		c->close_after = true;
	fill_head(c, r, body_len, is_stream);
	if (body_len > 0 && status_has_body(r->status) && !(x && x->head.is_head)) {
		if (r->body)
			c->out_body = ch_bytes_ref(r->body);
		else
			ch_buf_add(&c->out, r->text, r->text_len);
	}
	c->out_body_at = 0;
	if (c->out.err)
		http_conn_close(c);
}

void http_send_fault(struct http_conn *c, const struct http_fault *fault)
{
	struct ch_buf text;
	const struct http_header retry = {"Retry-After", "1"};

	ch_buf_init(&text, 4096);
	problem_write(&text, fault->status, fault->detail, NULL);
	if (text.err) {
		ch_buf_fini(&text);
		http_conn_close(c);
		return;
	}
	struct http_response r = {.status = fault->status,
			.content_type = PROBLEM_CONTENT_TYPE,
			.text = text.data,
			.text_len = text.len,
			.headers = &retry,
			.header_count = fault->status == 503,
			.close = true};
	http_conn_wait(c, CONN_SENDING, WAIT_SEND);
	http_send_fill(c, &r, false);
	ch_buf_fini(&text);
	http_send_flush(c);
}

void http_send_continue(struct http_conn *c)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

	/* When there is no room for it the client, as RFC 9110 10.1.1 has it, sends the body all the same. */
	if (http_io_send_line(c, line, sizeof(line) - 1) == CH_EIO)
		http_conn_close(c);
}

void http_send_told_gone(struct http_conn *c)
{
	struct http_exchange *x = c->x;

	if (!x || !x->drained)
		return;
	void (*drained)(void *ctx) = x->drained;
	x->drained = NULL;
	drained(x->drained_ctx);
}

void http_send_set_writable(struct http_conn *c, bool on)
{
	if (on == c->is_write_on)
		return;
	c->is_write_on = on;
	if (!on)
		event_del(c->write_event);
	else if (event_add(c->write_event, NULL) != 0)
		http_conn_close(c);
}

static void all_sent(struct http_conn *c)
{
	http_send_set_writable(c, false);
	c->is_behind = false;
	ch_bytes_unref(&c->out_body);
	ch_buf_clear(&c->out);
	c->out_at = 0;
	if (c->state == CONN_STREAMING)
		http_conn_wait(c, CONN_STREAMING, WAIT_HANDLER);
	else
		http_conn_sent(c);
}

static size_t unsent(const struct http_conn *c)
{
	return c->out.len - c->out_at + (c->out_body ? c->out_body->len - c->out_body_at : 0);
}

/* A byte now and then renews the time for the next one. Whoever takes an answer of some MB so slowly would
 * hold its connection and memory for days. */
static bool is_too_slow(struct http_conn *c, size_t taken)
{
	const struct http_server_conf *conf = &c->server->conf;
	int64_t now_ms = ch_clock_mono(&conf->clock).ms;

	if (!c->is_behind) {
		c->is_behind = true;
		c->behind_ms = now_ms;
		c->behind_taken = 0;
		return false;
	}
	c->behind_taken += (int64_t)taken;
	int64_t allowed_ms = conf->request_timeout_ms + c->behind_taken * 1000 / conf->send_min_bytes_s;
	return now_ms - c->behind_ms > allowed_ms;
}

void http_send_flush(struct http_conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	size_t before = unsent(c);
	switch (http_io_send(c)) {
	case 0:
		all_sent(c);
		return;
	case CH_EAGAIN:
		if (is_too_slow(c, before - unsent(c))) {
			http_conn_close(c);
			return;
		}
		http_conn_wait(c, c->state, WAIT_SEND);
		http_send_set_writable(c, true);
		return;
	default:
		http_conn_close(c);
	}
}

void http_send_on_writable(int fd, short what, void *conn)
{
	struct http_conn *c = conn;

	http_conn_ref(c);
	if (c->state == CONN_HANDSHAKE)
		http_io_handshake(c);
	else
		http_send_flush(c);
	if (c->state == CONN_STREAMING && c->out_at == c->out.len)
		http_send_told_gone(c);
	if (c->state == CONN_IDLE)
		http_conn_advance(c);
	http_conn_unref(c);
}
