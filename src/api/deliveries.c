#include <string.h>

#include "api/api_core.h"
#include "api/cursor.h"
#include "api/delivery_answer.h"
#include "api/etag.h"
#include "api/handlers.h"
#include "api/moment.h"
#include "api/paging.h"
#include "base/alloc.h"

#define ATTEMPTS_SHOWN 100
/* A page ends early rather than look at more rows for a state that few have: half a millisecond of a reader.
 */
#define LOOK_MAX_ROWS 2000

/* DELIVERING is PENDING with an attempt in flight: which of the rows are, the delivery loops know. A filter
 * for one of the two is therefore applied after the read, and a page may come out short. */
enum flight_filter { FLIGHT_ANY, FLIGHT_ONLY, FLIGHT_NONE };

struct listing {
	struct api_request *r;
	enum flight_filter filter;
};

static void listing_destroy(void *state)
{
	ch_free(state);
}

/* ---- the query, which api/rules has held against the document ---- */

static bool take_id(const struct query *q, const char *name, struct id *ret)
{
	const char *text = query_get(q, name);

	return text && id_parse(text, strlen(text), ret) == 0;
}

static void take_state(const struct query *q, struct listing *l, struct store_delivery_list *list)
{
	const char *text = query_get(q, "state");
	enum delivery_state state;

	if (!text || delivery_state_parse(text, strlen(text), &state) != 0)
		return;
	if (state == DELIVERY_DELIVERING)
		l->filter = FLIGHT_ONLY;
	else if (state == DELIVERY_PENDING)
		l->filter = FLIGHT_NONE;
	list->in.states = (uint8_t)(1u << (state == DELIVERY_DELIVERING ? DELIVERY_PENDING : state));
}

static void take_times(const struct query *q, struct store_delivery_list *list, struct problems *problems)
{
	const char *from = query_get(q, "from");
	const char *to = query_get(q, "to");

	list->in.from_ms = INT64_MIN;
	list->in.to_ms = INT64_MAX;
	if (from && moment_parse(from, false, &list->in.from_ms) != 0)
		problems_add(problems, "", MOMENT_WORDS, "from");
	if (to && moment_parse(to, true, &list->in.to_ms) != 0)
		problems_add(problems, "", MOMENT_WORDS, "to");
	if (list->in.from_ms > list->in.to_ms)
		problems_add(problems, "", "query parameter \"from\" is later than \"to\"");
}

static void take_page(const struct query *q, struct store_delivery_list *list, struct problems *problems)
{
	const char *after = query_get(q, "after");

	list->in.limit = paging_size(q, problems);
	list->in.look_max = LOOK_MAX_ROWS;
	list->in.has_before = after != NULL;
	if (after && cursor_parse(after, &list->in.before) != 0)
		problems_add(problems, "",
				"query parameter \"after\" is not a cursor that was given out as \"next\"");
}

/* False: it has replied. */
static bool take_query(struct api_request *r, struct listing *l, struct store_delivery_list *list)
{
	static const char *const names[] = {
			"webhookId", "callId", "state", "from", "to", "size", "after", NULL};
	struct problems problems;
	struct query q;

	if (!api_query(r, names, &q))
		return false;
	problems_init(&problems);
	list->in.account = r->caller.account->number;
	list->in.has_webhook = take_id(&q, "webhookId", &list->in.webhook_id);
	list->in.has_call = take_id(&q, "callId", &list->in.call_id);
	take_state(&q, l, list);
	take_times(&q, list, &problems);
	take_page(&q, list, &problems);
	query_fini(&q);
	if (problems.count == 0)
		return true;
	api_invalid(r, "the query is not valid", &problems);
	return false;
}

/* ---- asking which are in flight, and what their lanes do ---- */

static bool ask_loops(struct api_request *r, const struct delivery *rows, size_t count,
		void (*done)(struct worker_question *q))
{
	struct worker_question *q = &r->question;

	*q = (struct worker_question){.count = count, .reply_to = r->api->conf.port, .done = done, .ctx = r};
	q->items = ch_calloc(count ? count : 1, sizeof(*q->items));
	if (!q->items) {
		api_out_of_memory(r);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		q->items[i].webhook = rows[i].webhook_id;
		q->items[i].delivery = rows[i].id;
	}
	workers_ask(r->api->conf.workers, q);
	return true;
}

static struct delivery_live live_at(const struct api_request *r, size_t i)
{
	return (struct delivery_live){.is_in_flight = r->question.items[i].is_in_flight,
			.lane = r->question.items[i].has_lane ? &r->question.items[i].lane : NULL,
			.now_ms = ch_clock_wall(&r->api->conf.clock).ms};
}

/* ---- the list ---- */

static void write_page(const struct api_request *r, struct ch_buf *out)
{
	const struct store_delivery_list *list = &r->store.u.delivery_list;
	const struct listing *l = r->state;
	struct json_out o = {.buf = out};
	char next[CURSOR_TEXT_LEN + 1];

	json_out_open(&o, NULL, '{');
	json_out_open(&o, "content", '[');
	for (size_t i = 0; i < list->out.count; i++) {
		struct delivery_live live = live_at(r, i);
		if ((l->filter == FLIGHT_ONLY && !live.is_in_flight) ||
				(l->filter == FLIGHT_NONE && live.is_in_flight))
			continue;
		json_out_open(&o, NULL, '{');
		delivery_members(&o, &list->out.rows[i], &live);
		json_out_close(&o, '}');
	}
	json_out_close(&o, ']');
	if (list->out.more)
		cursor_format(&list->out.rest, next);
	json_out_text(&o, "next", list->out.more ? next : NULL);
	json_out_close(&o, '}');
}

static void list_asked(struct worker_question *q)
{
	struct api_request *r = q->ctx;
	struct ch_buf out;

	ch_buf_init(&out, API_JSON_MAX);
	write_page(r, &out);
	ch_free(q->items);
	api_reply_json(r, 200, &out);
}

static void list_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);

	if (s->result != 0)
		api_store_problem(r, "account");
	else
		(void)ask_loops(r, s->u.delivery_list.out.rows, s->u.delivery_list.out.count, list_asked);
}

void deliveries_list(struct api_request *r)
{
	struct listing *l = ch_calloc(1, sizeof(*l));

	if (!l) {
		api_out_of_memory(r);
		return;
	}
	r->state = l;
	r->state_fini = listing_destroy;
	api_begin_store(r, STORE_DELIVERY_LIST);
	if (take_query(r, l, &r->store.u.delivery_list))
		api_submit(r, list_done);
}

/* ---- one ---- */

static void put_digest(struct json_out *o, const struct store_delivery_get *get)
{
	char digest[DIGEST_TEXT_LEN + 1];

	digest_format(get->out.body_sha256, digest);
	json_out_text(o, "contentDigest", get->out.has_digest ? digest : NULL);
}

static void reply_shown(struct worker_question *q)
{
	struct api_request *r = q->ctx;
	const struct store_delivery_get *get = &r->store.u.delivery_get;
	struct delivery_live live = live_at(r, 0);
	struct ch_buf out;
	struct json_out o = {.buf = &out};

	ch_buf_init(&out, API_JSON_MAX);
	json_out_open(&o, NULL, '{');
	delivery_members(&o, &get->out.delivery, &live);
	put_digest(&o, get);
	json_out_open(&o, "attempts", '[');
	for (size_t i = 0; i < get->out.attempt_count; i++)
		delivery_attempt(&o, NULL, &get->out.attempts[i]);
	json_out_close(&o, ']');
	json_out_close(&o, '}');
	ch_free(q->items);
	api_reply_json(r, r->route->handle == deliveries_resend ? 202 : 200, &out);
}

static void show_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);

	if (s->result != 0)
		api_store_problem(r, "delivery");
	else
		(void)ask_loops(r, &s->u.delivery_get.out.delivery, 1, reply_shown);
}

static void show(struct api_request *r)
{
	api_begin_store(r, STORE_DELIVERY_GET);
	r->store.u.delivery_get.in.account = r->caller.account->number;
	r->store.u.delivery_get.in.id = r->id;
	r->store.u.delivery_get.in.attempt_limit = ATTEMPTS_SHOWN;
	api_submit(r, show_done);
}

void deliveries_get(struct api_request *r)
{
	if (api_path_id(r) && api_no_query(r))
		show(r);
}

/* ---- sending it again ---- */

static void resend_done(struct store_request *s)
{
	if (s->result != 0)
		api_store_problem(api_request_of(s), "delivery");
	else
		show(api_request_of(s));
}

void deliveries_resend(struct api_request *r)
{
	if (!api_path_id(r) || !api_no_query(r) || !api_no_members(r))
		return;
	api_begin_store(r, STORE_RESEND);
	r->store.u.resend.in.account = r->caller.account->number;
	r->store.u.resend.in.id = r->id;
	r->store.u.resend.in.now_ms = ch_clock_wall(&r->api->conf.clock).ms;
	api_audit(r, "delivery.resend", NULL);
	api_submit(r, resend_done);
}
