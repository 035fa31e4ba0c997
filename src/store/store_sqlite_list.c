#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/store_sqlite.h"

/* A page of deliveries is merged from a few walks, each along one webhook's rows or along the part of an
 * index that holds one state of one webhook. Every walk is newest first and stops when it can't add to the
 * page; keys are compared across webhooks, because they are made in one order for all. */

#define LIST_MAX 100
#define ALL_STATES 0xff

/* Up to how many PENDING rows are sorted rather than looked for among all rows of their webhook. */
#define SORTED_MAX 1000

/* With many webhooks each may look at this many rows at least. */
#define LOOK_LEAST 20

struct pick {
	int64_t webhook;
	int64_t key;
};

struct page {
	struct pick picks[LIST_MAX + 1]; /* key descending */
	size_t count;
	size_t limit; /* one more than the caller's, to know whether there are more */
	int64_t look_each; /* rows that each walk along a webhook may look at */
	int64_t floor; /* a walk ended early here: below it more may match; 0: none did */
};

struct walk {
	enum sq_stmt which;
	int64_t webhook;
	int64_t low, high; /* keys, inclusive */
	int64_t states; /* a set, or for SQ_LIST_KEPT one state; SQ_LIST_PENDING has none */
	int64_t call; /* SQ_LIST_CALL: seq */
};

struct range {
	int64_t low, high;
	struct id before;
};

static void page_add(struct page *p, int64_t webhook, int64_t key)
{
	size_t at;

	if (p->count == p->limit) {
		if (key <= p->picks[p->count - 1].key)
			return;
		p->count--;
	}
	for (at = p->count; at > 0 && p->picks[at - 1].key < key; at--)
		p->picks[at] = p->picks[at - 1];
	p->picks[at] = (struct pick){webhook, key};
	p->count++;
}

/* Binds what all walks have in common. False: there is nothing that the page has room for. */
static bool walk_begin(struct sq_conn *c, const struct store_delivery_list *q, const struct range *range,
		const struct walk *w, const struct page *p)
{
	int64_t low = w->low;

	if (p->count == p->limit && p->picks[p->count - 1].key > low)
		low = p->picks[p->count - 1].key;
	if (low > w->high)
		return false;
	sq_bind_int(c, w->which, 1, w->webhook);
	sq_bind_int(c, w->which, 2, low);
	sq_bind_int(c, w->which, 3, w->high);
	sq_bind_id(c, w->which, 4, &range->before);
	sq_bind_int(c, w->which, 5, q->in.from_ms);
	sq_bind_int(c, w->which, 6, q->in.to_ms);
	return true;
}

static int walk_run(struct sq_conn *c, const struct store_delivery_list *q, const struct range *range,
		const struct walk *w, struct page *p, struct ch_err *err)
{
	bool has_row = true;
	int rc = 0;

	if (!walk_begin(c, q, range, w, p))
		return 0;
	if (w->which != SQ_LIST_PENDING)
		sq_bind_int(c, w->which, 7, w->states);
	sq_bind_int(c, w->which, 8, (int64_t)p->limit);
	if (w->which == SQ_LIST_CALL)
		sq_bind_int(c, w->which, 9, w->call);
	while (rc == 0) {
		rc = sq_fetch(c, w->which, &has_row, "list the deliveries", err);
		if (rc != 0 || !has_row)
			break;
		page_add(p, w->webhook, sq_int(c, w->which, 0));
	}
	sq_reset(c, w->which);
	return rc;
}

/* Along all rows of a webhook, which may be many for few that match: no further than look_each of them. */
static int walk_along(struct sq_conn *c, const struct store_delivery_list *q, const struct range *range,
		const struct walk *w, struct page *p, struct ch_err *err)
{
	int64_t key = 0, looked = 0;
	size_t found = 0;
	bool has_row = true;
	int rc = 0;

	if (!walk_begin(c, q, range, w, p))
		return 0;
	sq_bind_int(c, SQ_LIST_ALONG, 7, w->states);
	while (rc == 0 && found < p->limit) {
		rc = sq_fetch(c, SQ_LIST_ALONG, &has_row, "list the deliveries", err);
		if (rc != 0 || !has_row)
			break;
		if (looked++ == p->look_each) {
			p->floor = key > p->floor ? key : p->floor;
			break;
		}
		key = sq_int(c, SQ_LIST_ALONG, 0);
		if (sq_int(c, SQ_LIST_ALONG, 1) == 0)
			continue;
		page_add(p, w->webhook, key);
		found++;
	}
	sq_reset(c, SQ_LIST_ALONG);
	return rc;
}

static int64_t key_floor(int64_t ms)
{
	return ms <= 0 ? 0 : ms >= INT64_C(1) << 48 ? INT64_MAX : ms << 12;
}

/* The keys between which all rows asked for lie. An id's time is never before created_ms, and at most
 * id_ahead_ms after it. */
static int make_range(
		struct sq_conn *c, const struct store_delivery_list *q, struct range *ret, struct ch_err *err)
{
	struct range r = {.low = key_floor(q->in.from_ms), .high = INT64_MAX};
	bool has_row = false;
	int64_t ahead_ms, before;
	int rc = sq_fetch(c, SQ_MARKS, &has_row, "list the deliveries", err);

	if (rc != 0)
		return rc;
	if (!has_row)
		return sq_damaged("its marks are missing", err);
	ahead_ms = sq_int(c, SQ_MARKS, 3);
	sq_reset(c, SQ_MARKS);
	if (!sq_is_sane(ahead_ms))
		return sq_damaged("its marks are missing", err);
	if (q->in.to_ms < INT64_MAX - ahead_ms - 1)
		r.high = key_floor(q->in.to_ms + ahead_ms + 1);
	memset(&r.before, 0xff, sizeof(r.before));
	if (q->in.has_before) {
		r.before = q->in.before;
		before = sq_key_of(&r.before);
		if (id_time_ms(&r.before) < 0)
			before |= 0xfff; /* not one of ours: any of that millisecond may be older */
		r.high = before < r.high ? before : r.high;
	}
	*ret = r;
	return 0;
}

/* A webhook's walks, by what its counts say is there. States with few rows are looked up in their index,
 * the others met along the way. */
static int walk_webhook(struct sq_conn *c, const struct store_delivery_list *q, const struct range *range,
		int64_t webhook, const int64_t counts[DELIVERY_STATE_COUNT], struct page *p,
		struct ch_err *err)
{
	unsigned states = q->in.states == 0 ? ALL_STATES : q->in.states;
	unsigned along = 0;
	int rc = 0;

	for (int s = 0; rc == 0 && s < DELIVERY_STATE_COUNT; s++) {
		struct walk w = {.webhook = webhook, .low = range->low, .high = range->high, .states = s};

		if ((states & 1u << s) == 0 || counts[s] <= 0)
			continue;
		if (q->in.states == 0 || s == DELIVERY_DELIVERED ||
				(s == DELIVERY_PENDING && counts[s] > SORTED_MAX)) {
			along |= 1u << s;
			continue;
		}
		w.which = s == DELIVERY_PENDING ? SQ_LIST_PENDING : SQ_LIST_KEPT;
		rc = walk_run(c, q, range, &w, p, err);
	}
	if (rc != 0 || along == 0)
		return rc;
	struct walk w = {SQ_LIST_ALONG, webhook, range->low, range->high, along, 0};
	return walk_along(c, q, range, &w, p, err);
}

/* All versions of a call, each with the span of keys that its deliveries lie in. */
static int walk_call(struct sq_conn *c, const struct store_delivery_list *q, const struct range *range,
		int64_t webhook, struct page *p, struct ch_err *err)
{
	struct walk w = {
			.which = SQ_LIST_CALL,
			.webhook = webhook,
			.states = q->in.states == 0 ? ALL_STATES : q->in.states,
	};
	bool has_row = true;
	int rc = 0;

	sq_bind_int(c, SQ_CALL_SPANS, 1, q->in.account);
	sq_bind_id(c, SQ_CALL_SPANS, 2, &q->in.call_id);
	while (rc == 0) {
		rc = sq_fetch(c, SQ_CALL_SPANS, &has_row, "list the deliveries", err);
		if (rc != 0 || !has_row)
			break;
		w.call = sq_int(c, SQ_CALL_SPANS, 0);
		w.low = sq_int(c, SQ_CALL_SPANS, 1);
		w.high = sq_int(c, SQ_CALL_SPANS, 2);
		w.low = w.low < range->low ? range->low : w.low;
		w.high = w.high > range->high ? range->high : w.high;
		rc = walk_run(c, q, range, &w, p, err);
	}
	sq_reset(c, SQ_CALL_SPANS);
	return rc;
}

static void bind_places(struct sq_conn *c, const struct store_delivery_list *q)
{
	sq_bind_int(c, SQ_HOOK_PLACES, 1, q->in.account);
	if (q->in.has_webhook)
		sq_bind_id(c, SQ_HOOK_PLACES, 2, &q->in.webhook_id);
	else
		sq_bind_null(c, SQ_HOOK_PLACES, 2);
}

/* The rows that may be looked at are shared out among the webhooks. */
static int share_looks(
		struct sq_conn *c, const struct store_delivery_list *q, struct page *p, struct ch_err *err)
{
	int64_t places = 0;
	bool has_row = true;
	int rc = 0;

	p->look_each = INT64_MAX;
	if (q->in.look_max == 0)
		return 0;
	bind_places(c, q);
	while (rc == 0 && has_row) {
		rc = sq_fetch(c, SQ_HOOK_PLACES, &has_row, "list the deliveries", err);
		places += rc == 0 && has_row;
	}
	if (rc != 0)
		return rc;
	p->look_each = (int64_t)q->in.look_max / (places > 0 ? places : 1);
	if (p->look_each < LOOK_LEAST)
		p->look_each = LOOK_LEAST;
	return 0;
}

static int fill_page(
		struct sq_conn *c, const struct store_delivery_list *q, struct page *p, struct ch_err *err)
{
	struct range range = {0};
	bool has_row = true;
	int rc = make_range(c, q, &range, err);

	if (rc == 0)
		rc = share_looks(c, q, p, err);
	if (rc != 0)
		return rc;
	bind_places(c, q);
	while (rc == 0) {
		rc = sq_fetch(c, SQ_HOOK_PLACES, &has_row, "list the deliveries", err);
		if (rc != 0 || !has_row)
			break;
		const int64_t webhook = sq_int(c, SQ_HOOK_PLACES, 0);
		const int64_t counts[DELIVERY_STATE_COUNT] = {
				[DELIVERY_PENDING] = sq_int(c, SQ_HOOK_PLACES, 1),
				[DELIVERY_DELIVERED] = sq_int(c, SQ_HOOK_PLACES, 2),
				[DELIVERY_FAILED] = sq_int(c, SQ_HOOK_PLACES, 3),
				[DELIVERY_PARKED] = sq_int(c, SQ_HOOK_PLACES, 4),
				[DELIVERY_CANCELED] = sq_int(c, SQ_HOOK_PLACES, 5),
		};
		rc = q->in.has_call ? walk_call(c, q, &range, webhook, p, err)
				    : walk_webhook(c, q, &range, webhook, counts, p, err);
	}
	sq_reset(c, SQ_HOOK_PLACES);
	return rc;
}

/* The least id of a key: none of a delivery is that small. */
static struct id id_below(int64_t key)
{
	struct id id = {{0}};

	for (int i = 0; i < 6; i++)
		id.b[i] = (uint8_t)(key >> (52 - 8 * i));
	id.b[6] = (uint8_t)(0x70 | (key >> 8 & 0x0f));
	id.b[7] = (uint8_t)key;
	return id;
}

/* Where a walk ended early the page ends: of what is older, rows of that webhook are missing. True: it ended
 * because it is full. */
static bool end_page(struct page *p, struct store_delivery_list *q)
{
	bool is_full;

	while (p->count > 0 && p->picks[p->count - 1].key < p->floor)
		p->count--;
	is_full = p->count > q->in.limit;
	p->count -= is_full;
	q->out.more = is_full || p->floor > 0;
	q->out.rest = id_below(p->floor);
	return is_full;
}

int sq_delivery_list(struct sq_conn *c, struct store_delivery_list *q, struct ch_err *err)
{
	struct page p = {.limit = q->in.limit + 1};
	int rc;

	CH_ASSERT(q->in.limit <= LIST_MAX && (q->in.states & 1u << DELIVERY_DELIVERING) == 0);
	if (q->in.limit == 0)
		return 0;
	rc = fill_page(c, q, &p, err);
	if (rc != 0)
		return rc;
	bool is_full = end_page(&p, q);
	if (p.count == 0)
		return 0;
	q->out.rows = ch_calloc(p.count, sizeof(struct delivery));
	if (q->out.rows == NULL)
		return sq_no_memory(err);
	for (size_t i = 0; rc == 0 && i < p.count; i++) {
		rc = sq_delivery_row(
				c, p.picks[i].webhook, p.picks[i].key, false, &q->out.rows[i], NULL, err);
		if (rc == 0)
			q->out.count++;
	}
	if (rc == 0 && is_full)
		q->out.rest = q->out.rows[q->out.count - 1].id;
	return rc;
}
