#include "api/call_feed.h"

#include <event2/event.h>
#include <string.h>

#include "api/api_core.h"
#include "api/commit_bell.h"
#include "api/handlers.h"
#include "api/paging.h"
#include "base/alloc.h"
#include "base/crypto.h"

#define WAITERS_MAX 256
#define WAITERS_ACCOUNT_MAX 16
#define WAIT_MAX_S 30
/* How exactly a wait ends, and how soon a client that has left is noticed. */
#define TICK_MS 250
/* Of bodies in a page: what follows comes with the next. */
#define PAGE_BYTES ((size_t)4 * 1024 * 1024)

#define TAG_BYTES 8

/* One request for a page, from its first read to its answer. */
struct feed {
	struct ch_list link; /* in api->feeds, if it may wait */
	struct api_request *r;
	int64_t after; /* as the store's */
	uint8_t tag[TAG_BYTES]; /* as in the cursor; to be looked at with the first answer */
	bool has_tag;
	bool may_wait;
	bool is_reading, is_news;
	bool is_closed; /* the account was deleted */
	int64_t until_ms; /* mono */
	size_t size;
};

/* ---- cursors: a seq, and a tag that only this store could make for this account ---- */

static void tag_of(const struct id *store, int64_t account, int64_t seq, uint8_t out[TAG_BYTES])
{
	struct id parts[3] = {*store, paging_id_of(account), paging_id_of(seq)};
	uint8_t sha256[CH_SHA256_BYTES];

	ch_sha256(parts, sizeof(parts), sha256);
	memcpy(out, sha256, TAG_BYTES);
}

static void format_place(const struct api_request *r, int64_t seq, char out[CURSOR_TEXT_LEN + 1])
{
	struct id id = paging_id_of(seq);

	tag_of(&r->store.u.call_feed.out.store_id, r->caller.account->number, seq, id.b);
	cursor_format(&id, out);
}

static bool parse_place(const char *text, struct feed *f)
{
	struct id id;
	uint64_t seq = 0;

	if (strcmp(text, "end") == 0) {
		f->after = STORE_FEED_END;
		return true;
	}
	if (cursor_parse(text, &id) != 0)
		return false;
	for (size_t i = TAG_BYTES; i < sizeof(id.b); i++)
		seq = seq << 8 | id.b[i];
	memcpy(f->tag, id.b, TAG_BYTES);
	f->has_tag = true;
	f->after = (int64_t)seq;
	return f->after >= 0;
}

static bool is_own_place(const struct feed *f)
{
	const struct api_request *r = f->r;
	uint8_t tag[TAG_BYTES];

	tag_of(&r->store.u.call_feed.out.store_id, r->caller.account->number, f->after, tag);
	return memcmp(tag, f->tag, TAG_BYTES) == 0;
}

/* ---- who waits ---- */

static int64_t now_ms(const struct api *a)
{
	return ch_clock_mono(&a->conf.clock).ms;
}

static void leave(struct feed *f)
{
	struct api *a = f->r->api;

	if (!f->may_wait)
		return;
	f->may_wait = false;
	ch_list_unlink(&f->link);
	if (a->conf.bell)
		commit_bell_leave(a->conf.bell, COMMIT_CALLS);
	if (--a->feed_count > 0)
		return;
	event_free(a->feed_tick);
	a->feed_tick = NULL;
}

static void feed_destroy(void *state)
{
	leave(state);
	ch_free(state);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx);

static bool start_tick(struct api *a)
{
	const struct timeval every = {.tv_usec = TICK_MS * 1000};

	a->feed_tick = event_new(a->conf.base, -1, EV_PERSIST, on_tick, a);
	if (a->feed_tick && event_add(a->feed_tick, &every) == 0)
		return true;
	if (a->feed_tick)
		event_free(a->feed_tick);
	a->feed_tick = NULL;
	return false;
}

/* Before the first read, so that no commit falls between the two. False: there is no memory. */
static bool join(struct feed *f, int wait_s)
{
	struct api *a = f->r->api;

	if (a->feed_count == 0 && !start_tick(a))
		return false;
	f->may_wait = true;
	f->until_ms = now_ms(a) + (int64_t)wait_s * 1000;
	ch_list_push_back(&a->feeds, &f->link);
	a->feed_count++;
	if (a->conf.bell)
		commit_bell_wait(a->conf.bell, COMMIT_CALLS);
	http_reply_end_with_client(f->r->x);
	return true;
}

/* False: it has replied. */
static bool has_room(struct api_request *r)
{
	const struct api *a = r->api;
	size_t own = 0;

	CH_LIST_FOREACH (&a->feeds, it, next)
		own += CH_CONTAINER_OF(it, struct feed, link)->r->caller.account->number ==
		       r->caller.account->number;
	if (own >= WAITERS_ACCOUNT_MAX)
		api_problem(r, 429, "%d requests of the account wait for calls, which is all that may",
				WAITERS_ACCOUNT_MAX);
	else if (a->feed_count >= WAITERS_MAX)
		api_problem(r, 503, "too many requests wait for calls");
	else
		return true;
	return false;
}

/* ---- the answer ---- */

static void write_item(struct json_out *o, const struct store_version_row *row)
{
	json_out_open(o, NULL, '{');
	json_out_id(o, "callId", &row->call_id);
	json_out_int(o, "version", row->version);
	json_out_time(o, "time", row->accepted_ms);
	json_out_bool(o, "erased", row->body == NULL);
	if (row->body)
		json_out_raw(o, "call", row->body->data, row->body->len);
	else
		json_out_text(o, "call", NULL);
	json_out_close(o, '}');
}

static void reply_page(struct feed *f)
{
	const struct store_call_feed *q = &f->r->store.u.call_feed;
	struct ch_buf out;
	struct json_out o = {.buf = &out};
	char next[CURSOR_TEXT_LEN + 1];

	ch_buf_init(&out, API_JSON_MAX);
	format_place(f->r, q->out.last, next);
	json_out_open(&o, NULL, '{');
	json_out_open(&o, "content", '[');
	for (size_t i = 0; i < q->out.count; i++)
		write_item(&o, &q->out.rows[i]);
	json_out_close(&o, ']');
	json_out_text(&o, "next", next);
	json_out_close(&o, '}');
	api_reply_json(f->r, 200, &out);
}

static void refuse_place(struct api_request *r)
{
	struct problems problems;

	problems_init(&problems);
	problems_add(&problems, "",
			"query parameter \"after\" is not a cursor that this feed gave out as \"next\"");
	api_invalid(r, "the query is not valid", &problems);
}

/* ---- its turns ---- */

static void read_done(struct store_request *s);

static void read_on(struct feed *f)
{
	struct api_request *r = f->r;

	f->is_news = false;
	f->is_reading = true;
	api_begin_store(r, STORE_CALL_FEED);
	r->store.u.call_feed.in.account = r->caller.account->number;
	r->store.u.call_feed.in.after = f->after;
	r->store.u.call_feed.in.limit = f->size;
	r->store.u.call_feed.in.max_bytes = PAGE_BYTES;
	api_submit(r, read_done);
}

static bool is_over(const struct feed *f)
{
	const struct api *a = f->r->api;

	return !f->may_wait || a->is_stopping || http_is_gone(f->r->x) || now_ms(a) >= f->until_ms;
}

/* Nothing has come so far. May end it. */
static void take_turn(struct feed *f)
{
	if (f->is_reading)
		return;
	if (f->is_closed)
		api_problem(f->r, 404, "the account was deleted");
	else if (f->is_news)
		read_on(f);
	else if (is_over(f))
		reply_page(f);
}

static void read_done(struct store_request *s)
{
	struct feed *f = api_request_of(s)->state;
	const struct store_call_feed *q = &s->u.call_feed;

	f->is_reading = false;
	if (s->result != 0) {
		api_store_problem(f->r, "account");
	} else if (f->is_closed) {
		take_turn(f);
	} else if (f->has_tag && !is_own_place(f)) {
		refuse_place(f->r);
	} else if (q->out.is_purged) {
		api_problem(f->r, 410,
				"calls behind this cursor were removed by retention: begin without it");
	} else if (q->out.is_beyond) {
		api_problem(f->r, 410, "the store has lost what this cursor stands behind: begin without it");
	} else if (q->out.count > 0) {
		reply_page(f);
	} else {
		f->has_tag = false;
		f->after = q->out.last;
		f->is_news |= q->out.more;
		take_turn(f);
	}
}

static void on_news(void *ctx, uint64_t accounts)
{
	struct api *a = ctx;

	CH_LIST_FOREACH (&a->feeds, it, next) {
		struct feed *f = CH_CONTAINER_OF(it, struct feed, link);

		if (!commit_bell_concerns(accounts, f->r->caller.account->number))
			continue;
		f->is_news = true;
		take_turn(f);
	}
}

/* Without a bell it is asked now and then. */
static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct api *a = ctx;

	CH_LIST_FOREACH (&a->feeds, it, next) {
		struct feed *f = CH_CONTAINER_OF(it, struct feed, link);

		if (!a->conf.bell && !is_over(f))
			f->is_news = true;
		take_turn(f);
	}
}

void feeds_init(struct api *a)
{
	ch_list_init(&a->feeds);
	if (a->conf.bell)
		commit_bell_listen(a->conf.bell, COMMIT_CALLS, on_news, a);
}

void feeds_end(struct api *a)
{
	CH_LIST_FOREACH (&a->feeds, it, next)
		take_turn(CH_CONTAINER_OF(it, struct feed, link));
}

void feeds_end_account(struct api *a, int64_t account)
{
	CH_LIST_FOREACH (&a->feeds, it, next) {
		struct feed *f = CH_CONTAINER_OF(it, struct feed, link);

		if (f->r->caller.account->number != account)
			continue;
		f->is_closed = true;
		take_turn(f);
	}
}

/* ---- the request ---- */

static int parse_wait(const struct query *q, struct problems *problems)
{
	const char *text = query_get(q, "wait");
	int n = 0;

	if (!text)
		return 0;
	for (const char *p = text; *p >= '0' && *p <= '9' && n <= WAIT_MAX_S; p++)
		n = n * 10 + (*p - '0');
	if (!*text || strspn(text, "0123456789") != strlen(text) || n > WAIT_MAX_S)
		problems_add(problems, "", "query parameter \"wait\" is not a number from 0 to %d",
				WAIT_MAX_S);
	return n;
}

/* False: it has replied. */
static bool take_query(struct feed *f, int *ret_wait_s)
{
	static const char *const names[] = {"after", "wait", "size", NULL};
	struct problems problems;
	struct query q;

	if (!api_query(f->r, names, &q))
		return false;
	problems_init(&problems);
	const char *after = query_get(&q, "after");
	f->size = paging_size(&q, &problems);
	*ret_wait_s = parse_wait(&q, &problems);
	if (after && !parse_place(after, f))
		problems_add(&problems, "",
				"query parameter \"after\" is not a cursor that this feed gave out as "
				"\"next\"");
	query_fini(&q);
	if (problems.count == 0)
		return true;
	api_invalid(f->r, "the query is not valid", &problems);
	return false;
}

void calls_feed(struct api_request *r)
{
	struct feed *f = ch_calloc(1, sizeof(*f));
	int wait_s = 0;

	if (!f) {
		api_out_of_memory(r);
		return;
	}
	f->r = r;
	f->after = STORE_FEED_OLDEST;
	r->state = f;
	r->state_fini = feed_destroy;
	if (!take_query(f, &wait_s))
		return;
	if (wait_s > 0 && !http_is_head(r->x)) {
		if (!has_room(r))
			return;
		if (!join(f, wait_s)) {
			api_out_of_memory(r);
			return;
		}
	}
	read_on(f);
}
