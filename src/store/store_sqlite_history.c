#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/history.h"
#include "store/store_sqlite.h"

/* An attempt costs no row of its own, and a transaction hardly any: what it brings is added up in memory, one
 * cell a webhook and minute, and at its end goes into the webhook's open minute, which stands beside the
 * counts that are written anyway. Only when another minute begins the one before becomes a row of its own and
 * is added to the row of its hour: two writes a webhook and minute. (Both into rows at once, with each
 * transaction, took 24,000 instructions for a webhook; a call takes 75,000.) Hours made out of minutes when
 * these are removed would spare one write more, but every question about a day would read 60 times as many
 * rows.
 *
 * Nothing here may hold up a delivery: what can't be counted because its row is damaged is not counted. */

static const char doing[] = "count the attempts";

/* How many rows of minutes a transaction removes at most. A minute of many webhooks makes more than that, but
 * then there are many transactions in it. */
#define PURGE_ROWS 128

/* ---- adding up ---- */

static struct sq_cell *find_cell(const struct sq_history *h, const struct sq_hook *hook, int64_t minute_s)
{
	for (size_t at = hook->cell; at != 0; at = h->cells[at - 1].before)
		if (h->cells[at - 1].minute_s == minute_s)
			return &h->cells[at - 1];
	return NULL;
}

int sq_history_note(struct store_sqlite *s, struct sq_hook *hook, const struct attempt *a, struct ch_err *err)
{
	struct sq_history *h = &s->history;
	struct sq_cell *cell;

	if (!history_counts(a))
		return 0;
	cell = find_cell(h, hook, history_minute_of(a));
	if (cell == NULL) {
		if (sq_grow((void **)&h->cells, &h->cap, h->count, sizeof(*h->cells)) != 0)
			return sq_no_memory(err);
		cell = &h->cells[h->count++];
		*cell = (struct sq_cell){
				.hook = hook, .minute_s = history_minute_of(a), .before = hook->cell};
		hook->cell = h->count;
	}
	history_add(a, &cell->point);
	return 0;
}

static void minute_set(struct sq_minute *m, struct sq_minute *from)
{
	ch_free(m->packed);
	*m = *from;
	*from = (struct sq_minute){0};
}

void sq_history_done(struct store_sqlite *s, bool is_committed)
{
	struct sq_history *h = &s->history;

	for (size_t i = 0; i < h->count; i++) {
		struct sq_hook *hook = h->cells[i].hook;

		hook->cell = 0;
		if (is_committed && hook->next.start_s != 0)
			minute_set(&hook->open, &hook->next);
		minute_set(&hook->next, &(struct sq_minute){0});
	}
	h->count = 0;
}

void sq_history_forget(struct sq_hook *hook)
{
	minute_set(&hook->open, &(struct sq_minute){0});
	minute_set(&hook->next, &(struct sq_minute){0});
}

/* ---- writing ---- */

static void merge_packed(sqlite3_context *ctx, int count, sqlite3_value **values)
{
	struct latency l = {{0}};
	uint8_t packed[LATENCY_PACKED_MAX];

	for (int i = 0; i < count; i++) {
		const uint8_t *data = sqlite3_value_blob(values[i]);
		size_t len = (size_t)sqlite3_value_bytes(values[i]);

		if (latency_unpack(data, len, &l) != 0)
			continue; /* lost */
	}
	sqlite3_result_blob(ctx, packed, (int)latency_pack(&l, packed), SQLITE_TRANSIENT);
}

int sq_history_prepare(struct sq_conn *c)
{
	return sqlite3_create_function_v2(c->db, "latency_merge", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
			merge_packed, NULL, NULL, NULL);
}

static int add_to_row(struct sq_conn *c, int64_t webhook, int32_t step_s, const struct sq_minute *m,
		struct ch_err *err)
{
	sq_bind_int(c, SQ_HISTORY_ADD, 1, step_s);
	sq_bind_int(c, SQ_HISTORY_ADD, 2, m->start_s - m->start_s % step_s);
	sq_bind_int(c, SQ_HISTORY_ADD, 3, webhook);
	sq_bind_int(c, SQ_HISTORY_ADD, 4, m->attempts);
	sq_bind_int(c, SQ_HISTORY_ADD, 5, m->delivered);
	sq_bind_blob(c, SQ_HISTORY_ADD, 6, m->packed, m->len);
	return sq_run(c, SQ_HISTORY_ADD, doing, err);
}

static int add_to_rows(struct sq_conn *c, int64_t webhook, const struct sq_minute *m, struct ch_err *err)
{
	int rc = add_to_row(c, webhook, HISTORY_MINUTE_S, m, err);

	return rc == 0 ? add_to_row(c, webhook, HISTORY_HOUR_S, m, err) : rc;
}

/* packed: room for it, borrowed by what is returned. */
static struct sq_minute minute_of(
		int64_t start_s, const struct store_history_point *p, uint8_t packed[LATENCY_PACKED_MAX])
{
	return (struct sq_minute){.start_s = start_s,
			.attempts = p->attempts,
			.delivered = p->delivered,
			.packed = packed,
			.len = latency_pack(&p->latency, packed)};
}

/* The open minute as it is stored, into m; read once after the webhook was. */
static int read_open(struct sq_conn *c, int64_t webhook, struct sq_minute *m, struct ch_err *err)
{
	sqlite3_stmt *st = c->stmts[SQ_HISTORY_OPEN];
	struct sq_minute read = {.is_known = true};
	bool has_row = false;
	int rc;

	sq_bind_int(c, SQ_HISTORY_OPEN, 1, webhook);
	rc = sq_fetch(c, SQ_HISTORY_OPEN, &has_row, doing, err);
	if (rc != 0 || !has_row)
		return rc;
	read.start_s = sq_int(c, SQ_HISTORY_OPEN, 0);
	read.attempts = sq_int(c, SQ_HISTORY_OPEN, 1);
	read.delivered = sq_int(c, SQ_HISTORY_OPEN, 2);
	const void *packed = sqlite3_column_blob(st, 3);
	read.len = (size_t)sqlite3_column_bytes(st, 3);
	read.packed = (uint8_t *)ch_memdup0(packed == NULL ? "" : packed, packed == NULL ? 0 : read.len);
	if (read.packed == NULL || (packed == NULL && read.len > 0))
		rc = sq_no_memory(err);
	sq_reset(c, SQ_HISTORY_OPEN);
	minute_set(rc == 0 ? m : &read, rc == 0 ? &read : &(struct sq_minute){0});
	return rc;
}

/* false: it can't be; nothing was added. */
static bool add_minute(const struct sq_minute *m, struct store_history_point *p)
{
	if (!sq_is_sane(m->start_s) || m->start_s % HISTORY_MINUTE_S != 0 || !sq_is_sane(m->attempts) ||
			!sq_is_sane(m->delivered) || latency_unpack(m->packed, m->len, &p->latency) != 0)
		return false;
	p->attempts += m->attempts;
	p->delivered += m->delivered;
	return true;
}

/* A minute that comes after the open one ends it. One that comes before is of an attempt that took long, or
 * of a clock that went back: by more than an hour, and the open one would stay open until that time comes
 * again. */
static bool ends_open(int64_t open_s, int64_t minute_s)
{
	return minute_s > open_s || minute_s < open_s - HISTORY_HOUR_S;
}

static int add_cell(struct sq_conn *c, const struct sq_cell *cell, int64_t *open_s,
		struct store_history_point *open, struct ch_err *err)
{
	uint8_t packed[LATENCY_PACKED_MAX];
	struct sq_minute m;

	if (*open_s == 0 || *open_s == cell->minute_s) {
		*open_s = cell->minute_s;
		history_merge(open, &cell->point);
		return 0;
	}
	if (!ends_open(*open_s, cell->minute_s)) {
		m = minute_of(cell->minute_s, &cell->point, packed);
		return add_to_rows(c, cell->hook->number, &m, err);
	}
	m = minute_of(*open_s, open, packed);
	*open_s = cell->minute_s;
	*open = cell->point;
	return add_to_rows(c, cell->hook->number, &m, err);
}

/* All cells of a webhook, and what its open minute is then. */
static int close_cells(struct store_sqlite *s, struct sq_hook *hook, struct ch_err *err)
{
	struct sq_history *h = &s->history;
	struct store_history_point open = {0};
	uint8_t packed[LATENCY_PACKED_MAX];
	int rc = hook->open.is_known ? 0 : read_open(&s->conn, hook->number, &hook->open, err);
	int64_t open_s = rc == 0 && add_minute(&hook->open, &open) ? hook->open.start_s : 0;

	for (size_t at = hook->cell; at != 0 && (rc == 0 || rc == CH_EDAMAGED); at = h->cells[at - 1].before)
		rc = add_cell(&s->conn, &h->cells[at - 1], &open_s, &open, err);
	if (rc != 0 && rc != CH_EDAMAGED)
		return rc;
	struct sq_minute m = minute_of(open_s, &open, packed);
	m.packed = (uint8_t *)ch_memdup0(packed, m.len);
	m.is_known = true;
	if (m.packed == NULL)
		return sq_no_memory(err);
	minute_set(&hook->next, &m);
	return 0;
}

static int purge(struct store_sqlite *s, int32_t step_s, int64_t before_s, size_t limit, size_t *ret_removed,
		struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	int rc;

	sq_bind_int(c, SQ_HISTORY_PURGE, 1, step_s);
	sq_bind_int(c, SQ_HISTORY_PURGE, 2, before_s);
	sq_bind_int(c, SQ_HISTORY_PURGE, 3, (int64_t)limit);
	rc = sq_run(c, SQ_HISTORY_PURGE, doing, err);
	if (rc == 0)
		*ret_removed = (size_t)sqlite3_changes64(c->db);
	return rc;
}

/* Each new minute makes rows, so each removes some. */
static int purge_minutes(struct store_sqlite *s, int64_t now_s, struct ch_err *err)
{
	struct sq_history *h = &s->history;
	size_t removed = 0;
	int rc;

	if (now_s <= h->purged_s)
		return 0;
	rc = purge(s, HISTORY_MINUTE_S, now_s - HISTORY_MINUTES_KEPT_S, PURGE_ROWS, &removed, err);
	if (rc == 0 && removed < PURGE_ROWS)
		h->purged_s = now_s;
	return rc;
}

/* An hour goes after its minutes. Where nothing is sent any more, these are still there. */
int sq_history_keep(struct store_sqlite *s, int64_t now_ms, int64_t attempts_before_ms, size_t limit,
		bool *ret_more, struct ch_err *err)
{
	int64_t minutes_s = now_ms / 1000 - HISTORY_MINUTES_KEPT_S, hours_s = attempts_before_ms / 1000;
	size_t removed = 0;
	int rc = purge(s, HISTORY_MINUTE_S, minutes_s, limit, &removed, err);

	if (rc == 0 && removed < limit)
		rc = purge(s, HISTORY_HOUR_S,
				(hours_s < minutes_s ? hours_s : minutes_s) - HISTORY_HOUR_S + 1, limit,
				&removed, err);
	*ret_more = rc == 0 && removed == limit;
	return rc == CH_EDAMAGED ? 0 : rc;
}

int sq_history_write(struct store_sqlite *s, struct ch_err *err)
{
	struct sq_history *h = &s->history;
	struct ch_err words = {0};
	int64_t newest_s = 0;
	int rc = 0;

	for (size_t i = 0; i < h->count; i++) {
		struct sq_hook *hook = h->cells[i].hook;

		if (hook->settings == NULL)
			continue;
		newest_s = h->cells[i].minute_s > newest_s ? h->cells[i].minute_s : newest_s;
		if (hook->cell != i + 1)
			continue; /* its last one leads to this */
		rc = close_cells(s, hook, err);
		if (rc != 0)
			return rc;
	}
	rc = newest_s == 0 ? 0 : purge_minutes(s, newest_s, &words);
	return rc == 0 || rc == CH_EDAMAGED ? 0 : ch_err_set(err, rc, "%s", words.text);
}

static void bind_next(struct sq_conn *c, enum sq_stmt which, int at, const struct sq_minute *m)
{
	sq_bind_int(c, which, at, m->start_s);
	sq_bind_int(c, which, at + 1, m->attempts);
	sq_bind_int(c, which, at + 2, m->delivered);
	sq_bind_blob(c, which, at + 3, m->packed, m->len);
}

bool sq_history_bind(struct sq_conn *c, const struct sq_hook *hook, enum sq_stmt which, int at)
{
	if (hook->next.start_s == 0)
		return false;
	bind_next(c, which, at, &hook->next);
	return true;
}

/* The table lies in the order of time, so the webhook's row is looked for at each moment that there is. */
static int drop(struct store_sqlite *s, int32_t step_s, int64_t webhook, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	int64_t at_s = -1;
	bool has_row = false;

	for (;;) {
		sq_bind_int(c, SQ_HISTORY_NEXT, 1, step_s);
		sq_bind_int(c, SQ_HISTORY_NEXT, 2, at_s);
		int rc = sq_fetch(c, SQ_HISTORY_NEXT, &has_row, doing, err);
		if (rc != 0 || !has_row)
			return rc;
		at_s = sq_int(c, SQ_HISTORY_NEXT, 0);
		sq_reset(c, SQ_HISTORY_NEXT);
		sq_bind_int(c, SQ_HISTORY_DROP, 1, step_s);
		sq_bind_int(c, SQ_HISTORY_DROP, 2, at_s);
		sq_bind_int(c, SQ_HISTORY_DROP, 3, webhook);
		rc = sq_run(c, SQ_HISTORY_DROP, doing, err);
		if (rc != 0)
			return rc;
	}
}

int sq_history_drop(struct store_sqlite *s, int64_t webhook, struct ch_err *err)
{
	struct ch_err words = {0};
	int rc = drop(s, HISTORY_MINUTE_S, webhook, &words);

	if (rc == 0)
		rc = drop(s, HISTORY_HOUR_S, webhook, &words);
	sq_bind_int(&s->conn, SQ_HISTORY_CLOSE, 1, webhook);
	if (rc == 0)
		rc = sq_run(&s->conn, SQ_HISTORY_CLOSE, doing, &words);
	return rc == 0 || rc == CH_EDAMAGED ? 0 : ch_err_set(err, rc, "%s", words.text);
}

/* ---- reading ---- */

/* *ret: the webhook's number. */
static int find_hook(
		struct sq_conn *c, int64_t account, const struct id *id, int64_t *ret, struct ch_err *err)
{
	bool has_row = false;
	int rc;

	sq_bind_id(c, SQ_HISTORY_HOOK, 1, id);
	sq_bind_int(c, SQ_HISTORY_HOOK, 2, account);
	rc = sq_fetch(c, SQ_HISTORY_HOOK, &has_row, doing, err);
	if (rc != 0)
		return rc;
	if (!has_row)
		return ch_err_set(err, CH_ENOENT, "there is no such webhook");
	*ret = sq_int(c, SQ_HISTORY_HOOK, 0);
	sq_reset(c, SQ_HISTORY_HOOK);
	return 0;
}

static int add_row(struct sq_conn *c, struct store_history_point *p, struct ch_err *err)
{
	sqlite3_stmt *st = c->stmts[SQ_HISTORY_ROW];
	const uint8_t *packed = sqlite3_column_blob(st, 2);
	size_t len = (size_t)sqlite3_column_bytes(st, 2);
	int64_t attempts = sq_int(c, SQ_HISTORY_ROW, 0), delivered = sq_int(c, SQ_HISTORY_ROW, 1);

	if (packed == NULL && len > 0)
		return sq_no_memory(err);
	if (!sq_is_sane(attempts) || !sq_is_sane(delivered) || latency_unpack(packed, len, &p->latency) != 0)
		return sq_damaged("what was counted can't be", err);
	p->attempts += attempts;
	p->delivered += delivered;
	return 0;
}

static int read_point(struct sq_conn *c, int32_t rows_s, int64_t start_s, int64_t webhook,
		struct store_history_point *p, struct ch_err *err)
{
	bool has_row = false;
	int rc;

	sq_bind_int(c, SQ_HISTORY_ROW, 1, rows_s);
	sq_bind_int(c, SQ_HISTORY_ROW, 2, start_s);
	sq_bind_int(c, SQ_HISTORY_ROW, 3, webhook);
	rc = sq_fetch(c, SQ_HISTORY_ROW, &has_row, doing, err);
	if (rc != 0 || !has_row)
		return rc;
	rc = add_row(c, p, err);
	sq_reset(c, SQ_HISTORY_ROW);
	return rc;
}

/* The first moment at or after *at_s that has rows, of any webhook: before it nothing needs looking for. */
static int find_first(struct sq_conn *c, int32_t rows_s, int64_t *at_s, bool *ret_has, struct ch_err *err)
{
	int rc;

	sq_bind_int(c, SQ_HISTORY_NEXT, 1, rows_s);
	sq_bind_int(c, SQ_HISTORY_NEXT, 2, *at_s - 1);
	rc = sq_fetch(c, SQ_HISTORY_NEXT, ret_has, doing, err);
	if (rc != 0 || !*ret_has)
		return rc;
	*at_s = sq_int(c, SQ_HISTORY_NEXT, 0);
	sq_reset(c, SQ_HISTORY_NEXT);
	return *at_s % rows_s == 0 ? 0 : sq_damaged("a time that was counted can't be", err);
}

static int add_open(struct sq_conn *c, int64_t webhook, struct store_history *q, struct ch_err *err)
{
	struct sq_minute m = {0};
	int rc = read_open(c, webhook, &m, err);
	int64_t from_s = q->in.from_s, end_s = from_s + (int64_t)q->in.count * q->in.step_s;

	if (rc == 0 && m.start_s >= from_s && m.start_s < end_s &&
			!add_minute(&m, &q->out.points[(m.start_s - from_s) / q->in.step_s]))
		rc = sq_damaged("what was counted can't be", err);
	ch_free(m.packed);
	return rc;
}

int sq_history(struct sq_conn *c, struct store_history *q, struct ch_err *err)
{
	int32_t rows_s = history_rows_of(q->in.step_s);
	int64_t webhook = 0, at_s = q->in.from_s;
	int64_t end_s = q->in.from_s + (int64_t)q->in.count * q->in.step_s;
	bool has_row = false;
	int rc;

	history_check(q);
	q->out.points = ch_calloc(q->in.count, sizeof(*q->out.points));
	if (q->out.points == NULL)
		return sq_no_memory(err);
	rc = find_hook(c, q->in.account, &q->in.webhook_id, &webhook, err);
	if (rc == 0)
		rc = find_first(c, rows_s, &at_s, &has_row, err);
	for (; rc == 0 && has_row && at_s < end_s; at_s += rows_s)
		rc = read_point(c, rows_s, at_s, webhook,
				&q->out.points[(at_s - q->in.from_s) / q->in.step_s], err);
	return rc == 0 ? add_open(c, webhook, q, err) : rc;
}

/* ---- what waits ---- */

/* A place in the order of the keys, as an id: nothing but the key of it counts. */
static struct id id_of_key(int64_t key)
{
	struct id id = {{0}};

	for (int i = 0; i < 6; i++)
		id.b[i] = (uint8_t)(key >> (52 - 8 * i));
	id.b[6] = (uint8_t)(0x70 | (key >> 8 & 0x0f));
	id.b[7] = (uint8_t)key;
	id.b[8] = 0x80;
	return id;
}

static void count_one(struct sq_conn *c, enum sq_stmt which, struct store_backlog *q)
{
	int64_t key = sq_int(c, which, 1), made_ms = key >> 12;

	q->out.counts[backlog_age_of(q->in.now_ms - made_ms)]++;
	if (q->out.oldest_ms < 0 || made_ms < q->out.oldest_ms)
		q->out.oldest_ms = made_ms;
	q->out.last_due_ms = sq_int(c, which, 0);
	q->out.last_webhook = sq_int(c, which, 2);
	q->out.last = id_of_key(key);
}

/* The index that claims go by holds all that is asked for: nothing else is read, nothing else is written for
 * it. */
int sq_backlog(struct sq_conn *c, struct store_backlog *q, struct ch_err *err)
{
	enum sq_stmt which = q->in.is_all ? SQ_BACKLOG_ALL : SQ_BACKLOG;
	int64_t webhook = q->in.after_webhook;
	size_t count = 0;
	bool has_row = true;
	int rc = q->in.is_all ? 0 : find_hook(c, q->in.account, &q->in.webhook_id, &webhook, err);

	if (rc != 0)
		return rc;
	CH_ASSERT(q->in.limit >= 1 && q->in.limit <= INT64_MAX);
	q->out.oldest_ms = -1;
	sq_bind_int(c, which, 1, webhook);
	sq_bind_int(c, which, 2, q->in.after_due_ms);
	sq_bind_int(c, which, 3, sq_key_of(&q->in.after));
	sq_bind_int(c, which, 4, (int64_t)q->in.limit);
	for (; rc == 0 && has_row; count += has_row) {
		rc = sq_fetch(c, which, &has_row, "count what waits", err);
		if (rc == 0 && has_row)
			count_one(c, which, q);
	}
	sq_reset(c, which);
	q->out.more = count == q->in.limit;
	return rc;
}
