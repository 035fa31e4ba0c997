#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/store_sqlite.h"

/* A page of calls. Its total is a sum over stretches, of which the last and the two at the ends of the range
 * of days are counted by walks. Where the page begins is found by their sums; only within one stretch rows
 * are passed over. From there the lists of the statuses and types that were asked for, at most 20, are walked
 * side by side, each no further than the page is long. A phone number's calls are walked from end to end:
 * there are few. */

static const char doing[] = "list the calls";

/* A stretch, or what the range leaves of it. */
struct part {
	struct sq_place from, to;
	int64_t count; /* of what was asked for */
	uint32_t kinds; /* of those, which there may be */
	bool is_counted; /* as stored */
};

struct parts {
	struct part *items;
	size_t count, cap;
	int64_t total;
};

struct entry {
	struct sq_place at;
};

struct entries {
	struct entry *items;
	size_t count, cap;
};

struct lister {
	struct sq_conn *c;
	struct store_call_list *q;
	uint32_t kinds; /* asked for: bit 1 << kind */
	int64_t tally;
	struct sq_place from, to; /* [from, to) */
	struct parts parts;
	int64_t seqs[STORE_CALL_LIST_MAX]; /* of the page */
	size_t seq_count;
};

void sq_walk_bind(struct sq_conn *c, enum sq_stmt which, int64_t list, const struct sq_place *from,
		const struct sq_place *to, int64_t limit)
{
	sq_bind_int(c, which, 1, list);
	sq_bind_int(c, which, 2, from->created_s);
	sq_bind_int(c, which, 3, from->seq);
	sq_bind_int(c, which, 4, to->created_s);
	sq_bind_int(c, which, 5, to->seq);
	if (which != SQ_WALK_COUNT)
		sq_bind_int(c, which, 6, limit);
}

static uint32_t kinds_of(const struct store_call_list *q)
{
	uint32_t kinds = 0;

	for (int status = 0; status < CALL_STATUS_COUNT; status++) {
		for (int type = CALL_INBOUND; type <= CALL_OUTBOUND; type++) {
			if ((q->in.statuses == 0 || (q->in.statuses & 1u << status) != 0) &&
					(!q->in.has_type || (int)q->in.type == type))
				kinds |= UINT32_C(1)
					 << sq_kind_of((enum call_status)status, (enum call_type)type);
		}
	}
	return kinds;
}

/* *ret 0: the account has had no such calls. */
static int find_tally(
		struct sq_conn *c, int64_t account, const struct id *agent, int64_t *ret, struct ch_err *err)
{
	bool has_row = false;
	int rc;

	sq_bind_int(c, SQ_TALLY_FIND, 1, account);
	if (agent != NULL)
		sq_bind_id(c, SQ_TALLY_FIND, 2, agent);
	else
		sq_bind_blob(c, SQ_TALLY_FIND, 2, "", 0);
	rc = sq_fetch(c, SQ_TALLY_FIND, &has_row, doing, err);
	*ret = 0;
	if (rc != 0 || !has_row)
		return rc;
	*ret = sq_int(c, SQ_TALLY_FIND, 0);
	sq_reset(c, SQ_TALLY_FIND);
	return *ret > 0 ? 0 : sq_damaged("the counts of calls have no owner", err);
}

/* ---- the counts ---- */

static const struct sq_place *later_of(const struct sq_place *a, const struct sq_place *b)
{
	return sq_place_compare(a, b) > 0 ? a : b;
}

static const struct sq_place *earlier_of(const struct sq_place *a, const struct sq_place *b)
{
	return sq_place_compare(a, b) < 0 ? a : b;
}

static int count_kind(struct lister *l, struct part *p, int kind, struct ch_err *err)
{
	enum sq_stmt which = SQ_WALK_COUNT;
	bool has_row = false;
	int rc;

	sq_walk_bind(l->c, which, l->tally * SQ_LIST_KINDS + kind, &p->from, &p->to, 0);
	rc = sq_fetch(l->c, which, &has_row, doing, err);
	if (rc != 0 || !has_row)
		return rc;
	p->count += sq_int(l->c, which, 0);
	sq_reset(l->c, which);
	return 0;
}

/* A stretch ends where the next begins, so that it is only then complete. */
static int end_part(struct lister *l, struct part *p, const struct sq_place *to, struct ch_err *err)
{
	struct sq_place from = *later_of(&p->from, &l->from);
	int rc = 0;

	p->to = *earlier_of(to, &l->to);
	if (!p->is_counted || sq_place_compare(&from, &p->from) != 0 || sq_place_compare(&p->to, to) != 0) {
		p->from = from;
		p->count = 0;
		for (int kind = 0; rc == 0 && kind < SQ_KINDS; kind++) {
			if ((p->kinds & UINT32_C(1) << kind) != 0)
				rc = count_kind(l, p, kind, err);
		}
	}
	l->parts.total += p->count;
	return rc;
}

/* The stretch that SQ_STRETCHES stands at. */
static int begin_part(struct lister *l, const struct sq_place *from, struct ch_err *err)
{
	sqlite3_stmt *st = l->c->stmts[SQ_STRETCHES];
	struct part p = {.from = *from, .is_counted = sqlite3_column_type(st, 2) != SQLITE_NULL};
	struct sq_stretch counts;

	if (!p.is_counted)
		p.kinds = l->kinds;
	else if (!sq_counts_read(sqlite3_column_blob(st, 2), (size_t)sqlite3_column_bytes(st, 2), &counts))
		return sq_damaged("the counts of calls can't be", err);
	for (int kind = 0; p.is_counted && kind < SQ_KINDS; kind++) {
		if ((l->kinds & UINT32_C(1) << kind) == 0 || counts.counts[kind] == 0)
			continue;
		p.count += counts.counts[kind];
		p.kinds |= UINT32_C(1) << kind;
	}
	if (sq_grow((void **)&l->parts.items, &l->parts.cap, l->parts.count, sizeof(p)) != 0)
		return sq_no_memory(err);
	l->parts.items[l->parts.count++] = p;
	return 0;
}

static int sum_up(struct lister *l, struct ch_err *err)
{
	struct sq_place at = {INT64_MAX, INT64_MAX};
	bool has_row = true;
	int rc = 0;

	sq_bind_int(l->c, SQ_STRETCHES, 1, l->tally);
	sq_bind_int(l->c, SQ_STRETCHES, 2, l->from.created_s);
	while (rc == 0) {
		rc = sq_fetch(l->c, SQ_STRETCHES, &has_row, doing, err);
		if (rc != 0)
			break;
		at = has_row ? (struct sq_place){sq_int(l->c, SQ_STRETCHES, 0), sq_int(l->c, SQ_STRETCHES, 1)}
			     : (struct sq_place){INT64_MAX, INT64_MAX};
		if (l->parts.count > 0)
			rc = end_part(l, &l->parts.items[l->parts.count - 1], &at, err);
		if (rc != 0 || !has_row || sq_place_compare(&at, &l->to) >= 0)
			break;
		rc = begin_part(l, &at, err);
	}
	sq_reset(l->c, SQ_STRETCHES);
	return rc;
}

/* ---- the page ---- */

static int compare_up(const void *a, const void *b)
{
	return sq_place_compare(&((const struct entry *)a)->at, &((const struct entry *)b)->at);
}

static int compare_down(const void *a, const void *b)
{
	return compare_up(b, a);
}

static int walk_kind(struct lister *l, int kind, const struct part *range, int64_t limit, struct entries *all,
		struct ch_err *err)
{
	enum sq_stmt which = l->q->in.is_ascending ? SQ_WALK_UP : SQ_WALK_DOWN;
	bool has_row = true;
	int rc = 0;

	sq_walk_bind(l->c, which, l->tally * SQ_LIST_KINDS + kind, &range->from, &range->to, limit);
	while (rc == 0) {
		rc = sq_fetch(l->c, which, &has_row, doing, err);
		if (rc != 0 || !has_row)
			break;
		if (sq_grow((void **)&all->items, &all->cap, all->count, sizeof(struct entry)) != 0)
			rc = sq_no_memory(err);
		else
			all->items[all->count++] =
					(struct entry){{sq_int(l->c, which, 0), sq_int(l->c, which, 1)}};
	}
	sq_reset(l->c, which);
	return rc;
}

/* Adds what the page still wants out of the range, behind the first `skip`. */
static int take_from(struct lister *l, const struct part *range, int64_t skip, struct ch_err *err)
{
	size_t wanted = l->q->in.limit - l->seq_count;
	struct entries all = {0};
	int rc = 0;

	for (int kind = 0; rc == 0 && kind < SQ_KINDS; kind++) {
		if ((range->kinds & UINT32_C(1) << kind) != 0)
			rc = walk_kind(l, kind, range, skip + (int64_t)wanted, &all, err);
	}
	if (rc == 0 && all.count > 0)
		qsort(all.items, all.count, sizeof(struct entry),
				l->q->in.is_ascending ? compare_up : compare_down);
	for (size_t i = (size_t)skip; rc == 0 && i < all.count && i < (size_t)skip + wanted; i++)
		l->seqs[l->seq_count++] = all.items[i].at.seq;
	ch_free(all.items);
	return rc;
}

/* Whatever lies on beyond part i in the direction of the walk. */
static struct part rest_behind(const struct lister *l, size_t i)
{
	const struct part *at = &l->parts.items[i];
	struct part rest = {.from = l->from, .to = at->from};

	if (l->q->in.is_ascending)
		rest = (struct part){.from = at->to, .to = l->to};
	for (size_t k = 0; k < l->parts.count; k++) {
		if (l->q->in.is_ascending ? k > i : k < i)
			rest.kinds |= l->parts.items[k].kinds;
	}
	return rest;
}

static int fill_page(struct lister *l, struct ch_err *err)
{
	int64_t skip = l->q->in.skip;
	size_t i = 0, n = l->parts.count;
	struct part rest;
	int rc;

	if (skip >= l->parts.total || l->q->in.limit == 0)
		return 0;
	for (size_t k = 0; k < n; k++) {
		i = l->q->in.is_ascending ? k : n - 1 - k;
		if (skip < l->parts.items[i].count)
			break;
		skip -= l->parts.items[i].count;
	}
	CH_ASSERT(l->parts.items != NULL); /* or there were none in all */
	rc = take_from(l, &l->parts.items[i], skip, err);
	rest = rest_behind(l, i);
	if (rc == 0 && l->seq_count < l->q->in.limit && rest.kinds != 0)
		rc = take_from(l, &rest, 0, err);
	return rc;
}

static int list_by_stretches(struct lister *l, struct ch_err *err)
{
	int rc = find_tally(l->c, l->q->in.account, l->q->in.has_agent ? &l->q->in.agent_id : NULL, &l->tally,
			err);

	if (rc != 0 || l->tally == 0)
		return rc;
	rc = sum_up(l, err);
	if (rc == 0)
		rc = fill_page(l, err);
	l->q->out.total = l->parts.total;
	ch_free(l->parts.items);
	return rc;
}

/* ---- by phone number ---- */

static bool is_wanted(const struct lister *l, enum sq_stmt which)
{
	int64_t list = sq_int(l->c, which, 1);

	return (l->kinds & UINT32_C(1) << (list & (SQ_LIST_KINDS - 1))) != 0 &&
	       (!l->q->in.has_agent || list / SQ_LIST_KINDS == l->tally);
}

static int list_by_phone(struct lister *l, struct ch_err *err)
{
	enum sq_stmt which = l->q->in.is_ascending ? SQ_WALK_PHONE_UP : SQ_WALK_PHONE_DOWN;
	struct store_call_list *q = l->q;
	bool has_row = true;
	int rc = 0;

	if (q->in.has_agent)
		rc = find_tally(l->c, q->in.account, &q->in.agent_id, &l->tally, err);
	if (rc != 0 || (q->in.has_agent && l->tally == 0))
		return rc;
	sq_bind_int(l->c, which, 1, q->in.account);
	sq_bind_int(l->c, which, 2, sq_phone_of(q->in.phone));
	sq_bind_int(l->c, which, 3, q->in.from_s);
	sq_bind_int(l->c, which, 4, q->in.to_s);
	while (rc == 0) {
		rc = sq_fetch(l->c, which, &has_row, doing, err);
		if (rc != 0 || !has_row)
			break;
		if (!is_wanted(l, which))
			continue;
		if (q->out.total++ >= q->in.skip && l->seq_count < q->in.limit)
			l->seqs[l->seq_count++] = sq_int(l->c, which, 0);
	}
	sq_reset(l->c, which);
	return rc;
}

/* ---- the records ---- */

static int read_body(struct lister *l, int64_t seq, size_t *bytes, struct ch_err *err)
{
	struct sq_conn *c = l->c;
	struct store_call_list *q = l->q;
	bool has_row = false;
	int rc;

	sq_bind_int(c, SQ_LISTED_BODY, 1, seq);
	sq_bind_int(c, SQ_LISTED_BODY, 2, q->in.account);
	rc = sq_fetch(c, SQ_LISTED_BODY, &has_row, doing, err);
	if (rc != 0)
		return rc;
	if (!has_row)
		return sq_damaged("a call that is listed is not there", err);
	*bytes += (size_t)sqlite3_column_bytes(c->stmts[SQ_LISTED_BODY], 0);
	if (*bytes > q->in.max_bytes)
		rc = ch_err_set(err, CH_ELIMIT, "the calls of this page are more than %zu bytes",
				q->in.max_bytes);
	else if (sq_is_erased(c, SQ_LISTED_BODY, 0))
		rc = sq_damaged("a call that is listed has no record", err);
	else
		rc = sq_body(c, SQ_LISTED_BODY, 0, &q->out.bodies[q->out.count], err);
	sq_reset(c, SQ_LISTED_BODY);
	q->out.count += rc == 0;
	return rc;
}

static int read_bodies(struct lister *l, struct ch_err *err)
{
	size_t bytes = 0;
	int rc = 0;

	if (l->seq_count == 0)
		return 0;
	l->q->out.bodies = ch_calloc(l->seq_count, sizeof(struct ch_bytes *));
	if (l->q->out.bodies == NULL)
		return sq_no_memory(err);
	for (size_t i = 0; rc == 0 && i < l->seq_count; i++)
		rc = read_body(l, l->seqs[i], &bytes, err);
	return rc;
}

int sq_call_list(struct sq_conn *c, struct store_call_list *q, struct ch_err *err)
{
	struct lister l = {.c = c, .q = q, .kinds = kinds_of(q), .from = {q->in.from_s, INT64_MIN}};
	int rc;

	CH_ASSERT(q->in.limit <= STORE_CALL_LIST_MAX && q->in.skip >= 0);
	l.to = q->in.to_s == INT64_MAX ? (struct sq_place){INT64_MAX, INT64_MAX}
				       : (struct sq_place){q->in.to_s + 1, INT64_MIN};
	rc = q->in.phone[0] != '\0' ? list_by_phone(&l, err) : list_by_stretches(&l, err);
	return rc == 0 ? read_bodies(&l, err) : rc;
}
