#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim_api.h"

#define HANGS_UP_PERCENT 1
#define READS_SLOWLY_PERCENT 20
/* What a slow client has not read counts for so many bytes more: real backlogs get as long as the limits of
 * the handlers with answers that are longer than any here. */
#define BACKLOG_BYTES ((size_t)256 * 1024)

/* ---- what a handler asks of an exchange ---- */

const char *http_method(const struct http_exchange *x)
{
	return x->method;
}

const char *http_path(const struct http_exchange *x)
{
	return x->path;
}

const char *http_query(const struct http_exchange *x)
{
	return x->query;
}

const char *http_header_get(const struct http_exchange *x, const char *name)
{
	for (size_t i = 0; i < x->header_count; i++) {
		if (strcasecmp(x->headers[i].name, name) == 0)
			return x->headers[i].value;
	}
	return NULL;
}

void http_header_each(const struct http_exchange *x,
		void (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
	for (size_t i = 0; i < x->header_count; i++)
		each(ctx, x->headers[i].name, x->headers[i].value);
}

const char *http_body(const struct http_exchange *x, size_t *ret_len)
{
	*ret_len = x->body.len;
	return ch_buf_text(&x->body);
}

const char *http_peer(const struct http_exchange *x)
{
	return "192.0.2.1";
}

void http_client_address(const struct http_exchange *x, char out[ADDRESS_TEXT_MAX])
{
	snprintf(out, ADDRESS_TEXT_MAX, "%s", http_peer(x));
}

bool http_is_https(const struct http_exchange *x)
{
	return false;
}

bool http_is_head(const struct http_exchange *x)
{
	return false;
}

bool http_has_body(const struct http_exchange *x)
{
	return x->has_body;
}

bool http_is_gone(const struct http_exchange *x)
{
	return x->is_gone;
}

/* ---- the end of one ---- */

static const char *text_of(const struct http_response *a, size_t *ret_len)
{
	*ret_len = a->body ? a->body->len : a->text_len;
	return a->body ? a->body->data : a->text ? a->text : "";
}

const char *sim_answer_text(const struct http_response *a, size_t *ret_len)
{
	return text_of(a, ret_len);
}

const char *sim_answer_header(const struct http_response *a, const char *name)
{
	for (size_t i = 0; i < a->header_count; i++) {
		if (strcasecmp(a->headers[i].name, name) == 0)
			return a->headers[i].value;
	}
	return NULL;
}

bool sim_is_refused(const struct http_response *a)
{
	return a->status == 503;
}

void sim_wrong_answer(const struct http_exchange *x, const struct http_response *a)
{
	size_t len;
	const char *text = text_of(a, &len);
	sim_fail(x->world, "%s %s?%s is answered with %d: %.*s", x->method, x->path, x->query, a->status,
			(int)(len < 400 ? len : 400), text);
}

static void check_problem(const struct http_exchange *x, const struct http_response *a)
{
	json_t *json = sim_answer_json(x, a);
	bool is_right = a->content_type && strcmp(a->content_type, "application/problem+json") == 0 &&
			json_integer_value(json_object_get(json, "status")) == a->status;
	json_decref(json);
	if (!is_right)
		sim_wrong_answer(x, a);
}

/* Whatever was asked for. */
static void check_answer(const struct http_exchange *x, const struct http_response *a)
{
	bool is_refused = sim_is_refused(a);
	if (a->status / 100 == 5 && !is_refused)
		sim_wrong_answer(x, a);
	if (is_refused && (x->is_well || !sim_answer_header(a, "Retry-After")))
		sim_wrong_answer(x, a);
	if (a->status >= 400)
		check_problem(x, a);
	x->world->seen.refused += is_refused;
}

void sim_ask_fini(struct http_exchange *x)
{
	ch_buf_fini(&x->body);
	ch_buf_fini(&x->unread);
	ch_free(x);
}

static void finish(struct http_exchange *x, const struct http_response *a)
{
	struct world *w = x->world;
	const struct http_response *heard = x->is_gone ? NULL : a;
	ch_list_unlink(&x->link);
	w->operations--;
	if (heard)
		check_answer(x, heard);
	w->seen.unknown += heard == NULL;
	sim_trace(w, x->method, NULL, heard ? heard->status : 0);
	x->answered(x, heard);
	sim_ask_fini(x);
}

void http_reply(struct http_exchange *x, const struct http_response *response)
{
	CH_ASSERT(!x->is_streaming);
	finish(x, response);
}

/* ---- in pieces ---- */

void http_reply_start(struct http_exchange *x, const struct http_response *response)
{
	CH_ASSERT(!x->is_streaming && !response->body && !response->text);
	x->is_streaming = true;
	x->status = response->status;
}

/* False: there is no whole line. */
static bool read_line(struct http_exchange *x)
{
	const char *lf = x->unread.len > 0 ? memchr(x->unread.data, '\n', x->unread.len) : NULL;
	if (!lf)
		return false;
	size_t len = (size_t)(lf - x->unread.data);
	x->line(x, x->unread.data, len);
	x->unread.len -= len + 1;
	memmove(x->unread.data, lf + 1, x->unread.len);
	return true;
}

void http_reply_more(struct http_exchange *x, const void *data, size_t len)
{
	CH_ASSERT(x->is_streaming);
	x->drained = NULL;
	if (x->is_gone)
		return;
	ch_buf_add(&x->unread, data, len);
	CH_ASSERT(x->unread.err == 0);
	while (!x->is_slow && read_line(x))
		;
}

size_t http_reply_backlog(const struct http_exchange *x)
{
	return x->is_gone || x->unread.len == 0 ? 0 : x->unread.len + BACKLOG_BYTES;
}

void http_reply_on_drain(struct http_exchange *x, void (*drained)(void *ctx), void *ctx)
{
	x->drained = drained;
	x->drained_ctx = ctx;
}

void http_reply_end_with_client(struct http_exchange *x)
{
}

void http_reply_end(struct http_exchange *x)
{
	CH_ASSERT(x->is_streaming);
	while (!x->is_gone && read_line(x))
		;
	finish(x, &(struct http_response){.status = x->status});
}

void http_reply_abort(struct http_exchange *x)
{
	CH_ASSERT(x->is_streaming);
	if (x->is_well)
		sim_fail(x->world, "%s is broken off", x->path);
	x->is_gone = true;
	finish(x, NULL);
}

static bool has_more(const struct http_exchange *x)
{
	return x->drained || (x->is_slow && x->unread.len > 0 && !x->is_gone);
}

bool sim_http_waits(const struct world *w)
{
	CH_LIST_FOREACH (&w->asks, it, next) {
		if (has_more(CH_CONTAINER_OF(it, struct http_exchange, link)))
			return true;
	}
	return false;
}

static void read_on(struct http_exchange *x)
{
	void (*drained)(void *ctx) = x->drained;
	if (!x->is_gone)
		(void)read_line(x);
	if (!drained || http_reply_backlog(x) > 0)
		return;
	x->drained = NULL;
	drained(x->drained_ctx);
}

bool sim_http_step(struct world *w)
{
	CH_LIST_FOREACH (&w->asks, it, next) {
		struct http_exchange *x = CH_CONTAINER_OF(it, struct http_exchange, link);
		if (!has_more(x))
			continue;
		read_on(x);
		return true;
	}
	return false;
}

void sim_hang_up(struct world *w, struct http_exchange *x)
{
	if (!x->is_well)
		x->is_gone = true;
}

/* ---- asking ---- */

void *sim_ask(struct world *w, size_t bytes, const char *method,
		void (*answered)(struct http_exchange *x, const struct http_response *a))
{
	struct http_exchange *x = ch_calloc(1, bytes);
	CH_ASSERT(x && bytes >= sizeof(*x));
	ch_list_init(&x->link);
	x->world = w;
	x->method = method;
	x->answered = answered;
	ch_buf_init(&x->body, w->api_body_max);
	ch_buf_init(&x->unread, w->api_body_max);
	sim_ask_header(x, "Host", "callhook.test");
	sim_ask_header(x, "Authorization", "Bearer " SIM_OPERATOR);
	return x;
}

void sim_ask_path(struct http_exchange *x, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(x->path, sizeof(x->path), fmt, args);
	va_end(args);
	CH_ASSERT(n > 0 && (size_t)n < sizeof(x->path));
}

void sim_ask_header(struct http_exchange *x, const char *name, const char *value)
{
	CH_ASSERT(x->header_count < sizeof(x->headers) / sizeof(x->headers[0]));
	x->headers[x->header_count++] = (struct http_header){name, value};
}

void sim_ask_json(struct http_exchange *x, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	CH_ASSERT(n >= 0 && (size_t)n < sizeof(text));
	ch_buf_add(&x->body, text, (size_t)n);
	x->has_body = true;
	sim_ask_header(x, "Content-Type", "application/json");
}

void sim_ask_send(struct http_exchange *x)
{
	struct world *w = x->world;
	CH_ASSERT(x->body.err == 0);
	if (x->body.len > api_body_max_of(w->api, x->method, x->path))
		sim_fail(w, "%s %s takes no body of %zu bytes", x->method, x->path, x->body.len);
	x->is_well = w->is_healing;
	x->is_slow = sim_chance(w, READS_SLOWLY_PERCENT);
	x->commits_then = w->commits;
	ch_list_push_back(&w->asks, &x->link);
	w->operations++;
	w->seen.asks++;
	if (sim_chance(w, HANGS_UP_PERCENT))
		sim_hang_up(w, x);
	api_handle(w->api, x);
}

/* ---- reading answers ---- */

json_t *sim_answer_json(const struct http_exchange *x, const struct http_response *a)
{
	size_t len;
	const char *text = text_of(a, &len);
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(json))
		sim_wrong_answer(x, a);
	return json;
}

const char *sim_text_of(const struct world *w, const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));
	if (!text)
		sim_fail(w, "an answer has no text \"%s\"", key);
	return text;
}
