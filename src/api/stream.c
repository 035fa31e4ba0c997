#include "api/stream.h"

#include <event2/event.h>
#include <string.h>

#include "api/api_core.h"
#include "api/commit_bell.h"
#include "api/handlers.h"
#include "api/paging.h"
#include "base/alloc.h"
#include "model/delivery.h"

#define STREAMS_MAX 256
#define STREAMS_ACCOUNT_MAX 16
#define ROWS_MAX 100
#define TICK_S 5
/* Also how soon a client that has left without a word, its network gone, is noticed. */
#define HEARTBEAT_MS 15000
/* A chunk that is not read in this time ends the stream. */
#define UNREAD_MS 60000
/* Whose key was taken away is asked for it again after so long; a client comes back with the last id. */
#define LIFE_MS (15 * 60 * 1000)

/* A stream keeps no events: it has its place in the order of the attempts, and reads on from there whenever
 * there is news and the client has read what it was given. */
struct stream {
	struct ch_list link; /* in api->streams */
	struct api_request *r;
	struct event *turn, *tick;
	bool has_webhook;
	struct id webhook_id;
	int64_t at; /* number of the last attempt looked at; -1: it begins with the next there is */
	bool is_started, is_reading, is_news;
	int64_t began_ms, sent_ms; /* mono */
};

static int64_t now_ms(const struct stream *st)
{
	return ch_clock_mono(&st->r->api->conf.clock).ms;
}

static void stream_destroy(void *state)
{
	struct stream *st = state;
	struct api *a = st->r->api;

	ch_list_unlink(&st->link);
	a->stream_count--;
	if (a->conf.bell)
		commit_bell_leave(a->conf.bell, COMMIT_ATTEMPTS);
	if (st->turn)
		event_free(st->turn);
	if (st->tick)
		event_free(st->tick);
	ch_free(st);
}

/* ---- what goes out ---- */

/* An id is never the cursor of no attempt: what it counts begins with 1. */
static void add_id(struct ch_buf *out, int64_t number)
{
	char cursor[CURSOR_TEXT_LEN + 1];

	paging_cursor(number + 1, cursor);
	ch_buf_addf(out, "id: %s\n", cursor);
}

static void add_event(struct ch_buf *out, const struct store_attempt_row *row)
{
	struct json_out o = {.buf = out};

	ch_buf_adds(out, "event: attempt\n");
	add_id(out, row->number);
	ch_buf_adds(out, "data: ");
	json_out_open(&o, NULL, '{');
	json_out_id(&o, "attemptId", &row->id);
	json_out_id(&o, "deliveryId", &row->delivery_id);
	json_out_id(&o, "webhookId", &row->webhook_id);
	json_out_id(&o, "callId", &row->call_id);
	json_out_time(&o, "time", row->started_ms);
	json_out_text(&o, "outcome", attempt_outcome_name(row->outcome));
	if (row->status)
		json_out_int(&o, "status", row->status);
	else
		json_out_text(&o, "status", NULL);
	json_out_ms(&o, "totalMs", row->total_us);
	json_out_text(&o, "state", delivery_state_name(row->state));
	json_out_close(&o, '}');
	ch_buf_adds(out, "\n\n");
}

/* Frees out. Without memory the stream ends where it was, and the client asks again from there. */
static bool send_text(struct stream *st, struct ch_buf *out)
{
	bool is_whole = out->err == 0;

	if (is_whole)
		http_reply_more(st->r->x, out->data, out->len);
	st->sent_ms = now_ms(st);
	ch_buf_fini(out);
	return is_whole;
}

/* A block without data is no event, but its id counts: who comes back does not begin before it. */
static bool send_place(struct stream *st, const char *first)
{
	struct ch_buf out;

	ch_buf_init(&out, API_JSON_MAX);
	ch_buf_adds(&out, first);
	add_id(&out, st->at);
	ch_buf_addc(&out, '\n');
	return send_text(st, &out);
}

static bool send_rows(struct stream *st, const struct store_attempt_row *rows, size_t count)
{
	struct ch_buf out;

	if (count == 0)
		return true;
	ch_buf_init(&out, API_JSON_MAX);
	for (size_t i = 0; i < count; i++)
		add_event(&out, &rows[i]);
	return send_text(st, &out);
}

static void finish(struct stream *st, bool is_cut)
{
	struct api_request *r = st->r;

	if (is_cut)
		http_reply_abort(r->x);
	else
		http_reply_end(r->x);
	api_finish(r, 200);
}

/* ---- its turns ---- */

static void read_done(struct store_request *s);

static void read_on(struct stream *st)
{
	struct api_request *r = st->r;

	st->is_news = false;
	st->is_reading = true;
	api_begin_store(r, STORE_ATTEMPT_FEED);
	r->store.u.attempt_feed.in.account = r->caller.account->number;
	r->store.u.attempt_feed.in.has_webhook = st->has_webhook;
	r->store.u.attempt_feed.in.webhook_id = st->webhook_id;
	r->store.u.attempt_feed.in.after = st->at;
	r->store.u.attempt_feed.in.limit = ROWS_MAX;
	api_submit(r, read_done);
}

static void drained(void *ctx)
{
	struct stream *st = ctx;

	event_active(st->turn, EV_TIMEOUT, 1);
}

/* May end it. */
static void take_turn(struct stream *st)
{
	if (!st->is_started || st->is_reading)
		return;
	if (st->r->api->is_stopping || http_is_gone(st->r->x) || now_ms(st) - st->began_ms >= LIFE_MS)
		finish(st, false);
	else if (st->is_news && http_reply_backlog(st->r->x) == 0)
		read_on(st);
	else
		http_reply_on_drain(st->r->x, drained, st);
}

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
	take_turn(ctx);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct stream *st = ctx;
	int64_t quiet_ms = now_ms(st) - st->sent_ms;
	bool is_unread = st->is_started && http_reply_backlog(st->r->x) > 0;

	if (!st->is_started || st->is_reading)
		return;
	/* Asked even if nothing of the account's was heard of: its place moves on behind those of others. */
	st->is_news = true;
	if (is_unread && quiet_ms >= UNREAD_MS)
		finish(st, true);
	else if (!is_unread && quiet_ms >= HEARTBEAT_MS && !send_place(st, ":\n"))
		finish(st, true);
	else
		take_turn(st);
}

static void start(struct stream *st)
{
	static const struct http_header unbuffered = {"X-Accel-Buffering", "no"};

	st->is_started = true;
	api_reply_start(st->r, &(struct http_response){.status = 200,
					       .content_type = "text/event-stream",
					       .headers = &unbuffered,
					       .header_count = 1});
	http_reply_end_with_client(st->r->x);
}

/* False: it has ended. */
static bool start_if_new(struct stream *st, const struct store_attempt_feed *feed)
{
	if (st->is_started)
		return true;
	if (st->at > feed->out.end) {
		api_problem(st->r, 410, "the store has no such attempt: it is not the one that gave this id");
		return false;
	}
	start(st);
	if (st->at < 0)
		st->at = feed->out.last;
	if (!http_is_head(st->r->x) && send_place(st, "retry: 1000\n"))
		return true;
	finish(st, !http_is_head(st->r->x));
	return false;
}

static void read_done(struct store_request *s)
{
	struct stream *st = api_request_of(s)->state;
	const struct store_attempt_feed *feed = &s->u.attempt_feed;

	st->is_reading = false;
	if (s->result != 0 && !st->is_started) {
		api_store_problem(st->r, "account");
		return;
	}
	if (s->result != 0) {
		finish(st, false);
		return;
	}
	if (!start_if_new(st, feed))
		return;
	st->at = feed->out.last;
	st->is_news |= feed->out.more;
	if (!send_rows(st, feed->out.rows, feed->out.count))
		finish(st, true);
	else
		take_turn(st);
}

static void on_news(void *ctx, uint64_t accounts)
{
	struct api *a = ctx;

	CH_LIST_FOREACH (&a->streams, it, next) {
		struct stream *st = CH_CONTAINER_OF(it, struct stream, link);

		if (!commit_bell_concerns(accounts, st->r->caller.account->number))
			continue;
		st->is_news = true;
		take_turn(st);
	}
}

void streams_init(struct api *a)
{
	ch_list_init(&a->streams);
	if (a->conf.bell)
		commit_bell_listen(a->conf.bell, COMMIT_ATTEMPTS, on_news, a);
}

void streams_end(struct api *a)
{
	CH_LIST_FOREACH (&a->streams, it, next)
		take_turn(CH_CONTAINER_OF(it, struct stream, link));
}

/* ---- the request ---- */

static bool parse_place(const char *text, int64_t *ret)
{
	int64_t number;

	if (!paging_number(text, &number))
		return false;
	*ret = number - 1;
	return true;
}

/* False: it has replied. What a browser sends when it comes back counts more than the address it first had.
 */
static bool take_query(struct api_request *r, struct stream *st)
{
	static const char *const names[] = {"webhookId", "after", NULL};
	const char *last = http_header_get(r->x, "Last-Event-ID");
	struct problems problems;
	struct query q;

	if (!api_query(r, names, &q))
		return false;
	problems_init(&problems);
	const char *webhook = query_get(&q, "webhookId");
	const char *after = query_get(&q, "after");
	st->has_webhook = webhook != NULL;
	st->at = -1;
	if (webhook && id_parse(webhook, strlen(webhook), &st->webhook_id) != 0)
		problems_add(&problems, "", "query parameter \"webhookId\" is not a UUID in lower case");
	if (after && !parse_place(after, &st->at))
		problems_add(&problems, "", "query parameter \"after\" is not the id of an event");
	if (last && *last && !parse_place(last, &st->at))
		problems_add(&problems, "", "Last-Event-ID is not the id of an event");
	query_fini(&q);
	if (problems.count == 0)
		return true;
	api_invalid(r, "the query is not valid", &problems);
	return false;
}

/* False: it has replied. */
static bool has_room(struct api_request *r)
{
	const struct api *a = r->api;
	size_t own = 0;

	CH_LIST_FOREACH (&a->streams, it, next)
		own += CH_CONTAINER_OF(it, struct stream, link)->r->caller.account->number ==
		       r->caller.account->number;
	if (own >= STREAMS_ACCOUNT_MAX)
		api_problem(r, 429, "the account has %d streams open, which is all it may",
				STREAMS_ACCOUNT_MAX);
	else if (a->stream_count >= STREAMS_MAX)
		api_problem(r, 503, "all streams are taken");
	else if (a->is_stopping)
		api_problem(r, 503, "the server is stopping");
	else
		return true;
	return false;
}

static bool make_events(struct stream *st)
{
	const struct timeval every = {.tv_sec = TICK_S};
	struct event_base *base = st->r->api->conf.base;

	st->turn = event_new(base, -1, 0, on_turn, st);
	st->tick = event_new(base, -1, EV_PERSIST, on_tick, st);
	return st->turn && st->tick && event_add(st->tick, &every) == 0;
}

void deliveries_stream(struct api_request *r)
{
	struct api *a = r->api;
	struct stream *st;

	if (!has_room(r))
		return;
	st = ch_calloc(1, sizeof(*st));
	if (!st) {
		api_out_of_memory(r);
		return;
	}
	st->r = r;
	r->state = st;
	r->state_fini = stream_destroy;
	ch_list_push_back(&a->streams, &st->link);
	a->stream_count++;
	/* Before the first read, so that no commit falls between the two. */
	if (a->conf.bell)
		commit_bell_wait(a->conf.bell, COMMIT_ATTEMPTS);
	st->began_ms = st->sent_ms = now_ms(st);
	if (!make_events(st))
		api_out_of_memory(r);
	else if (take_query(r, st))
		read_on(st);
}
