#include <math.h>
#include <string.h>

#include "api/api_core.h"
#include "api/backlog.h"
#include "api/handlers.h"
#include "api/moment.h"
#include "api/webhook_answer.h"
#include "base/alloc.h"
#include "store/history.h"

#define STEP_DEFAULT_S 3600
#define DAY_S 86400
/* How far back an answer goes that nothing was said for: a day, in days a month. */
#define SPAN_DEFAULT_S ((int64_t)DAY_S)
#define SPAN_OF_DAYS_S ((int64_t)30 * DAY_S)

/* An answer under way. Webhooks follow one another: what is known of one is written before the next is asked
 * about. */
struct stats {
	struct api_request *r;
	bool has_webhook;
	struct id webhook_id;
	int64_t from_s; /* of the first stretch */
	int32_t step_s;
	size_t count; /* of stretches; 0: nothing is known of that time */
	struct store_webhook_row *rows;
	size_t row_count, at;
	void *lanes; /* the items of the question about them */
	struct store_history_point *points; /* of the webhook at `at`; NULL: none are known */
	struct backlog_ask backlog;
	struct ch_buf out;
	struct json_out json;
};

static void stats_destroy(void *state)
{
	struct stats *st = state;

	for (size_t i = 0; i < st->row_count; i++)
		webhook_fini(&st->rows[i].webhook);
	ch_free(st->rows);
	ch_free(st->points);
	ch_free(st->lanes);
	ch_buf_fini(&st->out);
	ch_free(st);
}

/* ---- the query ---- */

static int32_t take_step(const struct query *q, struct problems *problems)
{
	static const struct {
		const char *text;
		int32_t step_s;
	} steps[] = {{"60", 60}, {"300", 300}, {"3600", 3600}, {"86400", DAY_S}};
	const char *text = query_get(q, "step");

	for (size_t i = 0; text && i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strcmp(steps[i].text, text) == 0)
			return steps[i].step_s;
	if (text)
		problems_add(problems, "", "query parameter \"step\" is none of 60, 300, 3600 and 86400");
	return STEP_DEFAULT_S;
}

static void take_webhook(const struct query *q, struct stats *st, struct problems *problems)
{
	const char *text = query_get(q, "webhookId");

	st->has_webhook = text != NULL;
	if (text && id_parse(text, strlen(text), &st->webhook_id) != 0)
		problems_add(problems, "", "query parameter \"webhookId\" is not a UUID in lower case");
}

/* The first stretch that is known as a whole. */
static int64_t known_from_s(const struct api *a, int64_t now_s, int32_t step_s)
{
	int64_t kept_s = a->conf.attempts_kept_ms / 1000, s;

	if (history_rows_of(step_s) == HISTORY_MINUTE_S || (kept_s != 0 && kept_s < HISTORY_MINUTES_KEPT_S))
		kept_s = HISTORY_MINUTES_KEPT_S;
	if (kept_s == 0 || kept_s > now_s)
		return 0;
	s = now_s - kept_s + step_s - 1;
	return s - s % step_s;
}

/* Whole stretches, the first and the last of which may begin before from and end after to. */
static void take_times(const struct query *q, struct stats *st, int64_t now_ms, struct problems *problems)
{
	const char *from = query_get(q, "from"), *to = query_get(q, "to");
	int64_t from_ms, to_ms = now_ms, end_s, known_s = known_from_s(st->r->api, now_ms / 1000, st->step_s);
	int64_t span_s = st->step_s == DAY_S ? SPAN_OF_DAYS_S : SPAN_DEFAULT_S;

	if (to && moment_parse(to, true, &to_ms) != 0)
		problems_add(problems, "", MOMENT_WORDS, "to");
	from_ms = to_ms - span_s * 1000 + 1;
	if (from && moment_parse(from, false, &from_ms) != 0)
		problems_add(problems, "", MOMENT_WORDS, "from");
	if (from_ms > to_ms)
		problems_add(problems, "", "query parameter \"from\" is later than \"to\"");
	if (problems->count > 0)
		return;
	st->from_s = from_ms < 0 ? 0 : from_ms / 1000;
	st->from_s -= st->from_s % st->step_s;
	if (st->from_s < known_s)
		st->from_s = known_s;
	end_s = to_ms < 0 ? 0 : to_ms / 1000 + 1;
	st->count = end_s <= st->from_s ? 0 : (size_t)((end_s - st->from_s + st->step_s - 1) / st->step_s);
	if (st->count > STORE_HISTORY_POINTS_MAX)
		problems_add(problems, "",
				"query parameter \"step\" is too short: from \"from\" to \"to\" are more "
				"than %d of "
				"it",
				STORE_HISTORY_POINTS_MAX);
}

/* False: it has replied. */
static bool take_query(struct stats *st)
{
	static const char *const names[] = {"webhookId", "from", "to", "step", NULL};
	struct api_request *r = st->r;
	struct problems problems;
	struct query q;

	if (!api_query(r, names, &q))
		return false;
	problems_init(&problems);
	take_webhook(&q, st, &problems);
	st->step_s = take_step(&q, &problems);
	take_times(&q, st, ch_clock_wall(&r->api->conf.clock).ms, &problems);
	query_fini(&q);
	if (problems.count == 0)
		return true;
	api_invalid(r, "the query is not valid", &problems);
	return false;
}

/* ---- the answer ---- */

static void write_percentile(struct json_out *o, const char *key, const struct latency *l, double percent)
{
	double us = latency_percentile(l, percent);

	json_out_ms(o, key, us < 0 ? -1 : (int32_t)lround(us));
}

static void write_latency(struct json_out *o, const struct latency *l)
{
	json_out_open(o, "latency", '{');
	write_percentile(o, "p50", l, 50);
	write_percentile(o, "p90", l, 90);
	write_percentile(o, "p99", l, 99);
	json_out_close(o, '}');
}

static void write_counts(struct json_out *o, const struct ledger *l)
{
	json_out_open(o, "counts", '{');
	json_out_int(o, "accepted", l->accepted);
	json_out_int(o, "pending", l->pending);
	json_out_int(o, "delivered", l->delivered);
	json_out_int(o, "failed", l->failed);
	json_out_int(o, "parked", l->parked);
	json_out_int(o, "canceled", l->canceled);
	json_out_close(o, '}');
}

static void write_backlog(struct json_out *o, const struct backlog_count *count)
{
	json_out_time(o, "oldestPending", count->oldest_ms < 0 ? 0 : count->oldest_ms);
	json_out_open(o, "backlog", '[');
	for (size_t i = 0; i < BACKLOG_AGES; i++) {
		json_out_open(o, NULL, '{');
		if (backlog_bound_s(i) < 0)
			json_out_text(o, "under", NULL);
		else
			json_out_int(o, "under", backlog_bound_s(i));
		json_out_int(o, "count", count->counts[i]);
		json_out_close(o, '}');
	}
	json_out_close(o, ']');
}

static void write_lane(const struct stats *st, struct json_out *o)
{
	struct lane_info lane;

	webhook_answer_lane(&st->r->question, st->at, &st->rows[st->at].webhook, &lane);
	json_out_text(o, "state", lane_state_name(lane.state));
	json_out_text(o, "reason", *lane.reason ? lane.reason : NULL);
}

static void write_series(const struct stats *st, struct json_out *o)
{
	json_out_open(o, "series", '[');
	for (size_t i = 0; st->points && i < st->count; i++) {
		const struct store_history_point *p = &st->points[i];

		json_out_open(o, NULL, '{');
		json_out_time(o, "time", (st->from_s + (int64_t)i * st->step_s) * 1000);
		json_out_int(o, "attempts", p->attempts);
		json_out_int(o, "delivered", p->delivered);
		json_out_int(o, "failed", p->attempts - p->delivered);
		write_latency(o, &p->latency);
		json_out_close(o, '}');
	}
	json_out_close(o, ']');
}

static void write_webhook(struct stats *st, const struct backlog_count *backlog)
{
	struct json_out *o = &st->json;
	struct store_history_point sum = {0};

	for (size_t i = 0; st->points && i < st->count; i++)
		history_merge(&sum, &st->points[i]);
	json_out_open(o, NULL, '{');
	json_out_id(o, "webhookId", &st->rows[st->at].webhook.id);
	write_counts(o, &st->rows[st->at].counts);
	json_out_share(o, "successRate", sum.delivered, sum.attempts);
	write_latency(o, &sum.latency);
	write_backlog(o, backlog);
	write_lane(st, o);
	write_series(st, o);
	json_out_close(o, '}');
}

static void write_head(struct stats *st)
{
	struct json_out *o = &st->json;

	json_out_open(o, NULL, '{');
	json_out_time(o, "from", st->from_s * 1000);
	json_out_time(o, "to", (st->from_s + (int64_t)st->count * st->step_s) * 1000);
	json_out_int(o, "step", st->step_s);
	json_out_open(o, "webhooks", '[');
}

/* ---- one webhook after another ---- */

static void next(struct stats *st);

/* One that was deleted meanwhile is left out. */
static void skip_or_fail(struct stats *st, int result, const char *words)
{
	if (result == CH_ENOENT && !st->has_webhook) {
		st->at++;
		next(st);
	} else {
		api_problem(st->r, api_status_of(result), "%s", words);
	}
}

static void backlog_done(struct backlog_ask *ask)
{
	struct stats *st = ask->ctx;

	if (ask->result != 0) {
		skip_or_fail(st, ask->result,
				ask->result == CH_ENOENT ? "there is no such webhook"
							 : "what waits can't be counted");
		return;
	}
	write_webhook(st, &ask->count);
	st->at++;
	next(st);
}

static void ask_backlog(struct stats *st)
{
	st->backlog = (struct backlog_ask){.done = backlog_done, .ctx = st, .count = {.oldest_ms = -1}};
	if (st->rows[st->at].counts.pending == 0)
		backlog_done(&st->backlog);
	else
		backlogs_ask(st->r->api->backlogs, st->r->caller.account->number,
				&st->rows[st->at].webhook.id, &st->backlog);
}

static void history_done(struct store_request *s)
{
	struct stats *st = api_request_of(s)->state;

	if (s->result != 0) {
		skip_or_fail(st, s->result, api_words_of(s));
		return;
	}
	st->points = s->u.history.out.points;
	s->u.history.out.points = NULL;
	ask_backlog(st);
}

static void ask_history(struct stats *st)
{
	struct store_history *q = &st->r->store.u.history;

	api_begin_store(st->r, STORE_HISTORY);
	q->in.account = st->r->caller.account->number;
	q->in.webhook_id = st->rows[st->at].webhook.id;
	q->in.from_s = st->from_s;
	q->in.step_s = st->step_s;
	q->in.count = st->count;
	api_submit(st->r, history_done);
}

static void finish(struct stats *st)
{
	struct ch_buf out;

	json_out_close(&st->json, ']');
	json_out_close(&st->json, '}');
	out = st->out; /* the reply frees st */
	ch_buf_init(&st->out, API_JSON_MAX);
	api_reply_json(st->r, 200, &out);
}

static void next(struct stats *st)
{
	ch_free(st->points);
	st->points = NULL;
	if (st->at == st->row_count || st->out.err) {
		finish(st);
	} else if (st->count == 0) {
		ask_backlog(st);
	} else {
		ask_history(st);
	}
}

static void asked(struct worker_question *q)
{
	struct stats *st = ((struct api_request *)q->ctx)->state;

	write_head(st);
	next(st);
}

/* ---- which webhooks, and what their lanes do ---- */

static void ask_lanes(struct stats *st)
{
	struct api_request *r = st->r;
	struct worker_question *q = &r->question;

	*q = (struct worker_question){
			.count = st->row_count, .reply_to = r->api->conf.port, .done = asked, .ctx = r};
	st->lanes = q->items = ch_calloc(st->row_count ? st->row_count : 1, sizeof(*q->items));
	if (!q->items) {
		api_out_of_memory(r);
		return;
	}
	for (size_t i = 0; i < st->row_count; i++)
		q->items[i].webhook = st->rows[i].webhook.id;
	workers_ask(r->api->conf.workers, q);
}

static void list_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	struct stats *st = r->state;

	if (s->result != 0) {
		api_store_problem(r, "account");
		return;
	}
	st->rows = s->u.webhook_list.out.rows;
	st->row_count = s->u.webhook_list.out.count;
	s->u.webhook_list.out.rows = NULL;
	s->u.webhook_list.out.count = 0;
	ask_lanes(st);
}

static void get_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	struct stats *st = r->state;

	if (s->result != 0) {
		api_store_problem(r, "webhook");
		return;
	}
	st->rows = ch_calloc(1, sizeof(*st->rows));
	if (!st->rows) {
		api_out_of_memory(r);
		return;
	}
	st->rows[0] = s->u.webhook_get.out.row;
	st->row_count = 1;
	memset(&s->u.webhook_get.out.row, 0, sizeof(s->u.webhook_get.out.row));
	ask_lanes(st);
}

static void ask_webhooks(struct stats *st)
{
	struct api_request *r = st->r;

	if (!st->has_webhook) {
		api_begin_store(r, STORE_WEBHOOK_LIST);
		r->store.u.webhook_list.in.account = r->caller.account->number;
		api_submit(r, list_done);
		return;
	}
	api_begin_store(r, STORE_WEBHOOK_GET);
	r->store.u.webhook_get.in.account = r->caller.account->number;
	r->store.u.webhook_get.in.id = st->webhook_id;
	api_submit(r, get_done);
}

void stats_get(struct api_request *r)
{
	struct stats *st = ch_calloc(1, sizeof(*st));

	if (!st) {
		api_out_of_memory(r);
		return;
	}
	st->r = r;
	ch_buf_init(&st->out, API_JSON_MAX);
	st->json = (struct json_out){.buf = &st->out};
	r->state = st;
	r->state_fini = stats_destroy;
	if (take_query(st))
		ask_webhooks(st);
}
