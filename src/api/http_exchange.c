#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/http_conn.h"
#include "base/assert.h"

/* ---- what a handler asks ---- */

static const char *text_at(const struct http_exchange *x, uint32_t offset)
{
	return x->conn->in.data + x->conn->in_at + offset;
}

const char *http_method(const struct http_exchange *x)
{
	return text_at(x, x->head.method);
}

const char *http_path(const struct http_exchange *x)
{
	return text_at(x, x->head.path);
}

const char *http_query(const struct http_exchange *x)
{
	return text_at(x, x->head.query);
}

const char *http_header_get(const struct http_exchange *x, const char *name)
{
	for (size_t i = 0; i < x->head.field_count; i++)
		if (strcasecmp(text_at(x, x->head.fields[i].name), name) == 0)
			return text_at(x, x->head.fields[i].value);
	return NULL;
}

void http_header_each(const struct http_exchange *x,
		void (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
	for (size_t i = 0; i < x->head.field_count; i++)
		each(ctx, text_at(x, x->head.fields[i].name), text_at(x, x->head.fields[i].value));
}

const char *http_body(const struct http_exchange *x, size_t *ret_len)
{
	*ret_len = x->body_len;
	return text_at(x, x->head.len);
}

const char *http_peer(const struct http_exchange *x)
{
	return x->conn->peer;
}

bool http_is_head(const struct http_exchange *x)
{
	return x->head.is_head;
}

bool http_has_body(const struct http_exchange *x)
{
	return x->head.has_length || x->head.is_chunked;
}

bool http_is_gone(const struct http_exchange *x)
{
	return x->conn->state == CONN_CLOSED;
}

/* ---- what a handler answers ---- */

/* The handler has let go of the exchange: what it held back may go on. */
static void released(struct http_conn *c)
{
	if (c->state == CONN_IDLE)
		http_conn_advance(c);
	http_conn_unref(c);
}

void http_reply(struct http_exchange *x, const struct http_response *response)
{
	struct http_conn *c = x->conn;

	CH_ASSERT(c->state == CONN_HANDLING || (c->state == CONN_CLOSED && !x->is_streaming));
	c->wipe |= response->wipe;
	if (c->state == CONN_HANDLING) {
		http_conn_wait(c, CONN_SENDING, WAIT_SEND);
		http_send_fill(c, response, false);
		http_send_flush(c);
	}
	released(c);
}

void http_reply_start(struct http_exchange *x, const struct http_response *response)
{
	struct http_conn *c = x->conn;

	CH_ASSERT(!x->is_streaming && !response->body && !response->text);
	CH_ASSERT(c->state == CONN_HANDLING || c->state == CONN_CLOSED);
	x->is_streaming = true;
	x->is_plain = x->head.minor == 0;
	x->is_bare = x->head.is_head;
	if (c->state == CONN_CLOSED)
		return;
	http_conn_wait(c, CONN_STREAMING, WAIT_SEND);
	http_send_fill(c, response, true);
	http_send_flush(c);
}

void http_reply_more(struct http_exchange *x, const void *data, size_t len)
{
	struct http_conn *c = x->conn;

	CH_ASSERT(x->is_streaming);
	x->drained = NULL;
	if (c->state != CONN_STREAMING || len == 0 || x->is_bare)
		return;
	if (c->out_at > 0 && c->out_at == c->out.len) {
		ch_buf_clear(&c->out);
		c->out_at = 0;
	}
	if (!x->is_plain)
		ch_buf_addf(&c->out, "%zx\r\n", len);
	ch_buf_add(&c->out, data, len);
	if (!x->is_plain)
		ch_buf_add(&c->out, "\r\n", 2);
	if (c->out.err)
		http_conn_close(c);
	else if (!c->is_write_on)
		http_send_flush(c);
}

size_t http_reply_backlog(const struct http_exchange *x)
{
	const struct http_conn *c = x->conn;

	return c->state == CONN_STREAMING ? c->out.len - c->out_at : 0;
}

void http_reply_on_drain(struct http_exchange *x, void (*drained)(void *ctx), void *ctx)
{
	x->drained = drained;
	x->drained_ctx = ctx;
}

void http_reply_end_with_client(struct http_exchange *x)
{
	struct http_conn *c = x->conn;

	x->ends_with_client = true;
	/* It may have ended while nobody listened. */
	if ((c->state != CONN_STREAMING && c->state != CONN_HANDLING) || !c->is_read_off)
		return;
	if (event_add(c->read_event, NULL) == 0)
		c->is_read_off = false;
}

void http_reply_end(struct http_exchange *x)
{
	struct http_conn *c = x->conn;

	CH_ASSERT(x->is_streaming);
	x->drained = NULL;
	if (c->state == CONN_STREAMING) {
		if (!x->is_plain && !x->is_bare)
			ch_buf_add(&c->out, "0\r\n\r\n", 5);
		http_conn_wait(c, CONN_SENDING, WAIT_SEND);
		if (c->out.err)
			http_conn_close(c);
		else
			http_send_flush(c);
	}
	released(c);
}

void http_reply_abort(struct http_exchange *x)
{
	struct http_conn *c = x->conn;

	CH_ASSERT(x->is_streaming);
	x->drained = NULL;
	http_conn_close(c);
	http_conn_unref(c);
}
