#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/api_core.h"
#include "base/alloc.h"
#include "base/assert.h"

/* How long a client should stay away after a refusal of the store. */
#define RETRY_AFTER "5"

struct api_request *api_request_of(struct store_request *s)
{
	return CH_CONTAINER_OF(s, struct api_request, store);
}

void api_begin_store(struct api_request *r, enum store_kind kind)
{
	if (r->has_store)
		store_request_fini(&r->store);
	r->has_store = true;
	store_request_init(&r->store, kind, r->api->conf.port, NULL);
}

void api_submit(struct api_request *r, void (*done)(struct store_request *s))
{
	r->store.done = done;
	if (store_kind_is_write(r->store.kind)) {
		r->store.audit = r->audit;
		r->audit = NULL;
	}
	if (r->has_no_audit) {
		r->store.result = ch_err_set(&r->store.err, CH_ENOMEM, "out of memory");
		done(&r->store);
		return;
	}
	store_submit(r->api->conf.store, &r->store);
}

static void log_access(const struct api_request *r, int status, int64_t took_ms)
{
	struct ch_log *log = r->api->conf.log;

	if (!log || log->level > CH_LOG_DEBUG)
		return;
	CH_LOG(log, CH_LOG_DEBUG, "request", CH_S("method", r->route ? r->route->method : "-"),
			CH_S("route", r->route ? r->route->pattern : "-"), CH_I("status", status),
			CH_I("ms", took_ms), CH_S("account", r->caller.account ? r->caller.account->id : ""));
}

/* The access line and the counters come first: the exchange's texts are gone after the reply. */
static void note(struct api_request *r, int status)
{
	struct api *a = r->api;
	size_t at = r->route ? (size_t)(r->route - api_routes) : api_route_count;
	int64_t took_ms = ch_clock_mono(&a->conf.clock).ms - r->began_ms;

	CH_ASSERT(status / 100 < API_STATUS_CLASSES);
	a->stats[at].answers[status / 100]++;
	a->stats[at].time_ms += (uint64_t)took_ms;
	log_access(r, status, took_ms);
}

static void free_request(struct api_request *r)
{
	r->api->busy--;
	if (r->state_fini)
		r->state_fini(r->state);
	if (r->has_store)
		store_request_fini(&r->store);
	store_audit_destroy(&r->audit);
	auth_caller_fini(&r->caller);
	ch_free(r);
}

/* What all answers to an account carry beside the handler's own. */
struct headers {
	struct http_header all[API_HEADERS_MAX + 3];
	char limit[16], remaining[16];
};

static void add_headers(const struct api_request *r, struct headers *h, struct http_response *with)
{
	CH_ASSERT(with->header_count <= API_HEADERS_MAX);
	if (!r->caller.account)
		return;
	if (with->header_count)
		memcpy(h->all, with->headers, with->header_count * sizeof(*h->all));
	with->headers = h->all;
	h->all[with->header_count++] = (struct http_header){
			"Cache-Control", r->is_secret ? "no-store" : "private, no-cache"};
	if (r->quota.limit == 0)
		return;
	snprintf(h->limit, sizeof(h->limit), "%d", r->quota.limit);
	snprintf(h->remaining, sizeof(h->remaining), "%d", r->quota.remaining);
	h->all[with->header_count++] = (struct http_header){"X-RateLimit-Limit", h->limit};
	h->all[with->header_count++] = (struct http_header){"X-RateLimit-Remaining", h->remaining};
}

void api_reply(struct api_request *r, const struct http_response *response)
{
	struct headers h;
	struct http_response with = *response;

	note(r, response->status);
	add_headers(r, &h, &with);
	with.wipe = r->caller.account && r->is_secret;
	http_reply(r->x, &with);
	free_request(r);
}

void api_reply_start(struct api_request *r, const struct http_response *response)
{
	struct headers h;
	struct http_response with = *response;

	add_headers(r, &h, &with);
	http_reply_start(r->x, &with);
}

void api_finish(struct api_request *r, int status)
{
	note(r, status);
	free_request(r);
}

void api_reply_json_with(struct api_request *r, int status, struct ch_buf *buf,
		const struct http_header *headers, size_t count)
{
	bool is_secret = r->is_secret;

	if (buf->err)
		api_out_of_memory(r);
	else
		api_reply(r, &(struct http_response){.status = status,
					     .content_type = "application/json",
					     .text = buf->data,
					     .text_len = buf->len,
					     .headers = headers,
					     .header_count = count});
	if (is_secret && buf->data)
		ch_wipe(buf->data, buf->cap);
	ch_buf_fini(buf);
}

void api_reply_json(struct api_request *r, int status, struct ch_buf *buf)
{
	api_reply_json_with(r, status, buf, NULL, 0);
}

void api_reply_empty(struct api_request *r)
{
	api_reply(r, &(struct http_response){.status = 204});
}

/* What a refusal carries besides its document. */
static const struct http_header *header_of(
		const struct api_request *r, int status, struct http_header *next_window, char seconds[16])
{
	static const struct http_header challenge = {"WWW-Authenticate", AUTH_CHALLENGE};
	static const struct http_header retry = {"Retry-After", RETRY_AFTER};
	bool is_later = status == 429 || status == 503;

	if (status != 429 || !r->quota.is_over)
		return status == 401 ? &challenge : is_later ? &retry : NULL;
	snprintf(seconds, 16, "%d", r->quota.retry_after_s);
	*next_window = (struct http_header){"Retry-After", seconds};
	return next_window;
}

static void reply_problem(
		struct api_request *r, int status, const char *detail, const struct problems *errors)
{
	struct http_header next_window;
	char seconds[16];
	const struct http_header *header = header_of(r, status, &next_window, seconds);
	struct ch_buf text;

	ch_buf_init(&text, API_JSON_MAX);
	problem_write(&text, status, detail, errors);
	struct http_response response = {.status = status,
			.content_type = PROBLEM_CONTENT_TYPE,
			.text = text.data,
			.text_len = text.len,
			.headers = header,
			.header_count = header != NULL};
	if (text.err) {
		/* Not even room for the words: the status alone has to do. */
		response.content_type = NULL;
		response.text = NULL;
		response.text_len = 0;
	}
	api_reply(r, &response);
	ch_buf_fini(&text);
}

void api_problem(struct api_request *r, int status, const char *fmt, ...)
{
	char detail[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	reply_problem(r, status, detail, NULL);
}

void api_invalid(struct api_request *r, const char *detail, struct problems *problems)
{
	reply_problem(r, 400, detail, problems);
	problems_fini(problems);
}

void api_out_of_memory(struct api_request *r)
{
	reply_problem(r, 503, "out of memory", NULL);
}

int api_status_of(int code)
{
	switch (code) {
	case CH_ENOENT:
		return 404;
	case CH_ECONFLICT:
	case CH_EEXIST:
	case CH_ELIMIT:
		return 409;
	case CH_EPRECOND:
		return 412;
	case CH_EGONE:
		return 410;
	case CH_EFULL:
	case CH_EIO:
	case CH_EBUSY:
	case CH_ECANCELED:
	case CH_ENOMEM:
	case CH_EAGAIN:
	case CH_ETIME:
		return 503;
	default:
		return 500;
	}
}

const char *api_words_of(const struct store_request *s)
{
	switch (api_status_of(s->result)) {
	case 409:
	case 410:
	case 412:
		return s->err.code ? s->err.text : "not possible in the present state";
	case 503:
		if (s->result == CH_EFULL)
			return "the disk is full";
		if (s->result == CH_ECANCELED)
			return "the server is stopping";
		return "the store does not work at the moment";
	default:
		if (s->result == CH_EDAMAGED)
			return "what is stored of this is damaged";
		return "the store gave an answer that was not expected";
	}
}

void api_store_problem(struct api_request *r, const char *what)
{
	CH_ASSERT(r->store.result != 0);
	if (r->store.result == CH_ENOENT)
		api_problem(r, 404, "there is no such %s", what);
	else
		api_problem(r, api_status_of(r->store.result), "%s", api_words_of(&r->store));
}
