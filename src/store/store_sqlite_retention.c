#include "base/alloc.h"
#include "base/assert.h"
#include "base/crash_point.h"
#include "store/store_sqlite.h"

/* There is no index by time: what counts up with the commits is walked along from its beginning, and what is
 * there is nearly all old or nearly all young. A stretch of so many rows without an old one is taken for the
 * end; a single one would do but for clocks that were ahead for a while. What stays though it is old (earlier
 * versions of calls that live on, what is still to be delivered) is passed by once a round. */
#define LOOK_ROWS 256
/* A version that was replayed to a webhook that had missed it has a wide span of deliveries. One in which
 * more rows than this lie is left: most of them are older calls' and about to go, so a later round finds
 * fewer. */
#define SPAN_ROWS_MAX 2000
#define LIMIT_MAX 500

static const char doing[] = "remove what is older than retention";

enum phase { PHASE_PARKED, PHASE_CALLS, PHASE_ATTEMPTS, PHASE_FIGURES, PHASE_REPLAYS, PHASE_COUNT };

/* The latest version of a call, or an earlier one. */
struct candidate {
	int64_t seq, account, n, accepted_ms;
	struct id call;
	bool is_erased, is_finished;
};

struct owned {
	int64_t webhook, key, attempt;
	enum delivery_state state;
};

/* The deliveries of all versions of a call. */
struct gathered {
	struct owned *rows;
	size_t count, cap;
	size_t looked_at; /* others' too */
	bool is_held; /* the call has to stay */
};

static int64_t key_floor(int64_t ms)
{
	return ms <= 0 ? 0 : ms >= INT64_C(1) << 48 ? INT64_MAX : ms << 12;
}

/* ---- what is parked ---- */

struct hook_place {
	int64_t number;
	struct id id;
};

static int read_hooks(struct sq_conn *c, int64_t after, struct hook_place *hooks, size_t *ret_count,
		struct ch_err *err)
{
	bool has_row = true;
	size_t count = 0;
	int rc = 0;

	sq_bind_int(c, SQ_KEEP_HOOKS, 1, after);
	sq_bind_int(c, SQ_KEEP_HOOKS, 2, LOOK_ROWS);
	while (rc == 0) {
		rc = sq_fetch(c, SQ_KEEP_HOOKS, &has_row, doing, err);
		if (rc != 0 || !has_row)
			break;
		hooks[count].number = sq_int(c, SQ_KEEP_HOOKS, 0);
		if (!sq_id(c, SQ_KEEP_HOOKS, 1, &hooks[count].id))
			rc = sq_damaged("a webhook has no id", err);
		count++;
	}
	sq_reset(c, SQ_KEEP_HOOKS);
	*ret_count = count;
	return rc;
}

static int cancel_of(struct store_sqlite *s, struct sq_hook *hook, struct store_retention_step *q,
		size_t *ret_count, struct ch_err *err)
{
	struct rules_row row = {.state = DELIVERY_PARKED};
	struct sq_conn *c = &s->conn;
	int rc;

	rules_expire_apply(q->in.now_ms, &row);
	sq_bind_int(c, SQ_KEEP_PARKED, 1, hook->number);
	sq_bind_int(c, SQ_KEEP_PARKED, 2, (int64_t)row.state);
	sq_bind_int(c, SQ_KEEP_PARKED, 3, row.finished_ms);
	sq_bind_text(c, SQ_KEEP_PARKED, 4, row.reason);
	sq_bind_int(c, SQ_KEEP_PARKED, 5, key_floor(q->in.calls_before_ms) - 1);
	sq_bind_int(c, SQ_KEEP_PARKED, 6, (int64_t)(q->in.limit - q->out.canceled));
	rc = sq_run(c, SQ_KEEP_PARKED, doing, err);
	*ret_count = (size_t)sqlite3_changes64(c->db);
	if (rc != 0 || *ret_count == 0)
		return rc;
	q->out.canceled += *ret_count;
	return sq_hook_move(&s->hooks, hook, DELIVERY_PARKED, row.state, (int64_t)*ret_count, err);
}

/* Webhooks whose rows are just following their switch are left to the sweep. */
static int cancel_parked(struct store_sqlite *s, struct store_retention_step *q, struct ch_err *err)
{
	struct hook_place hooks[LOOK_ROWS];
	size_t count = 0;
	int rc = read_hooks(&s->conn, q->in.place.at, hooks, &count, err);

	for (size_t i = 0; rc == 0 && i < count && q->out.canceled < q->in.limit; i++) {
		struct sq_hook *hook = sq_hook_find(&s->hooks, &hooks[i].id);
		size_t moved = 0;

		if (hook != NULL && hook->task == RULES_TASK_NONE && hook->counts.parked > 0)
			rc = cancel_of(s, hook, q, &moved, err);
		if (moved == 0)
			q->out.place.at = hooks[i].number;
	}
	if (count < LOOK_ROWS && (count == 0 || q->out.place.at == hooks[count - 1].number))
		q->out.place.phase++;
	return rc;
}

/* ---- calls ---- */

static int read_candidates(struct sq_conn *c, int64_t after, struct candidate *rows, size_t *ret_count,
		struct ch_err *err)
{
	bool has_row = true;
	size_t count = 0;
	int rc = 0;

	sq_bind_int(c, SQ_KEEP_CALLS, 1, after);
	sq_bind_int(c, SQ_KEEP_CALLS, 2, LOOK_ROWS);
	while (rc == 0) {
		rc = sq_fetch(c, SQ_KEEP_CALLS, &has_row, doing, err);
		if (rc != 0 || !has_row)
			break;
		rows[count] = (struct candidate){
				.seq = sq_int(c, SQ_KEEP_CALLS, 0),
				.account = sq_int(c, SQ_KEEP_CALLS, 1),
				.n = sq_int(c, SQ_KEEP_CALLS, 3),
				.accepted_ms = sq_int(c, SQ_KEEP_CALLS, 4),
				.is_erased = sq_int(c, SQ_KEEP_CALLS, 5) != 0,
				.is_finished = sq_int(c, SQ_KEEP_CALLS, 6) != 0,
		};
		if (!sq_id(c, SQ_KEEP_CALLS, 2, &rows[count].call))
			rc = sq_damaged("a call has no id", err);
		count++;
	}
	sq_reset(c, SQ_KEEP_CALLS);
	*ret_count = count;
	return rc;
}

static bool holds(const struct store_retention_step *q, enum delivery_state state, int64_t at_ms)
{
	return state == DELIVERY_PENDING || state == DELIVERY_PARKED ||
	       at_ms > q->in.now_ms - RULES_RETENTION_SEEN_MS;
}

/* The row that SQ_KEEP_DELIVERIES stands at. */
static int gather_one(struct sq_conn *c, const struct store_retention_step *q, int64_t seq,
		struct gathered *g, struct ch_err *err)
{
	int state = 0;

	g->is_held = ++g->looked_at > SPAN_ROWS_MAX;
	if (g->is_held || sq_int(c, SQ_KEEP_DELIVERIES, 2) != seq)
		return 0;
	if (!sq_enum(c, SQ_KEEP_DELIVERIES, 3, DELIVERY_STATE_COUNT, &state))
		return sq_damaged("a delivery has no state", err);
	g->is_held = holds(q, (enum delivery_state)state, sq_int(c, SQ_KEEP_DELIVERIES, 4));
	if (sq_grow((void **)&g->rows, &g->cap, g->count, sizeof(struct owned)) != 0)
		return sq_no_memory(err);
	g->rows[g->count++] = (struct owned){
			.webhook = sq_int(c, SQ_KEEP_DELIVERIES, 0),
			.key = sq_int(c, SQ_KEEP_DELIVERIES, 1),
			.attempt = sq_int(c, SQ_KEEP_DELIVERIES, 5),
			.state = (enum delivery_state)state,
	};
	return 0;
}

/* The deliveries of the version that SQ_ERASE_SPANS stands at. */
static int gather_span(struct sq_conn *c, const struct store_retention_step *q, int64_t account,
		struct gathered *g, struct ch_err *err)
{
	int64_t seq = sq_int(c, SQ_ERASE_SPANS, 0), last = sq_int(c, SQ_ERASE_SPANS, 2);
	bool has_row = true;
	int rc = 0;

	g->is_held = last >= key_floor(q->in.calls_before_ms);
	sq_bind_int(c, SQ_KEEP_DELIVERIES, 1, account);
	sq_bind_int(c, SQ_KEEP_DELIVERIES, 2, sq_int(c, SQ_ERASE_SPANS, 1));
	sq_bind_int(c, SQ_KEEP_DELIVERIES, 3, last);
	while (rc == 0 && !g->is_held) {
		rc = sq_fetch(c, SQ_KEEP_DELIVERIES, &has_row, doing, err);
		if (rc != 0 || !has_row)
			break;
		rc = gather_one(c, q, seq, g, err);
	}
	sq_reset(c, SQ_KEEP_DELIVERIES);
	return rc;
}

static int gather(struct sq_conn *c, const struct store_retention_step *q, const struct candidate *call,
		struct gathered *g, struct ch_err *err)
{
	bool has_row = true;
	int rc = 0;

	sq_bind_int(c, SQ_ERASE_SPANS, 1, call->account);
	sq_bind_id(c, SQ_ERASE_SPANS, 2, &call->call);
	while (rc == 0 && !g->is_held) {
		rc = sq_fetch(c, SQ_ERASE_SPANS, &has_row, doing, err);
		if (rc != 0 || !has_row)
			break;
		rc = gather_span(c, q, call->account, g, err);
	}
	sq_reset(c, SQ_ERASE_SPANS);
	return rc;
}

static int count_removed(struct store_sqlite *s, const struct owned *d, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;

	sq_bind_int(c, SQ_KEEP_COUNT, 1, d->webhook);
	sq_bind_int(c, SQ_KEEP_COUNT, 2, d->state == DELIVERY_DELIVERED);
	sq_bind_int(c, SQ_KEEP_COUNT, 3, d->state == DELIVERY_FAILED);
	sq_bind_int(c, SQ_KEEP_COUNT, 4, d->state == DELIVERY_CANCELED);
	return sq_run(c, SQ_KEEP_COUNT, doing, err);
}

/* Who follows the account's calls and has not come so far has missed this one. */
static int note_purged(struct sq_conn *c, const struct candidate *call, struct ch_err *err)
{
	sq_bind_int(c, SQ_KEEP_PURGED, 1, call->account);
	sq_bind_int(c, SQ_KEEP_PURGED, 2, call->seq);
	return sq_run(c, SQ_KEEP_PURGED, doing, err);
}

/* The latest version goes too, or becomes the mark that the call was erased. */
static int remove_versions(struct store_sqlite *s, const struct candidate *call, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	int rc;

	sq_bind_int(c, SQ_KEEP_VERSIONS, 1, call->account);
	sq_bind_id(c, SQ_KEEP_VERSIONS, 2, &call->call);
	sq_bind_int(c, SQ_KEEP_VERSIONS, 3, call->is_erased ? call->n : call->n + 1);
	rc = sq_run(c, SQ_KEEP_VERSIONS, doing, err);
	if (rc == 0 && call->is_finished)
		rc = note_purged(c, call, err);
	if (rc != 0 || !call->is_erased)
		return rc;
	sq_bind_int(c, SQ_KEEP_MARK, 1, call->seq);
	return sq_run(c, SQ_KEEP_MARK, doing, err);
}

static int remove_call(struct store_sqlite *s, const struct candidate *call, const struct gathered *g,
		size_t *rows, struct ch_err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < g->count; i++) {
		rc = count_removed(s, &g->rows[i], err);
		if (rc == 0)
			rc = sq_delivery_remove(
					s, g->rows[i].webhook, g->rows[i].key, g->rows[i].attempt, rows, err);
	}
	*rows += 1;
	if (rc == 0)
		rc = sq_list_leave_call(s, call->account, &call->call, err);
	return rc == 0 ? remove_versions(s, call, err) : rc;
}

static int is_latest(struct sq_conn *c, const struct candidate *call, bool *ret, struct ch_err *err)
{
	bool has_later = false;
	int rc;

	sq_bind_int(c, SQ_KEEP_LATER, 1, call->account);
	sq_bind_id(c, SQ_KEEP_LATER, 2, &call->call);
	sq_bind_int(c, SQ_KEEP_LATER, 3, call->n);
	rc = sq_fetch(c, SQ_KEEP_LATER, &has_later, doing, err);
	if (rc == 0 && has_later)
		sq_reset(c, SQ_KEEP_LATER);
	*ret = !has_later;
	return rc;
}

static int take_call(struct store_sqlite *s, struct store_retention_step *q, const struct candidate *call,
		size_t *rows, struct ch_err *err)
{
	struct gathered g = {0};
	bool latest = false;
	int rc;

	if (sq_is_closed(s, call->account))
		return 0;
	rc = is_latest(&s->conn, call, &latest, err);
	if (rc == 0 && latest)
		rc = gather(&s->conn, q, call, &g, err);
	if (rc == 0 && latest && !g.is_held) {
		rc = remove_call(s, call, &g, rows, err);
		q->out.calls++;
	}
	ch_free(g.rows);
	return rc;
}

static int remove_calls(struct store_sqlite *s, struct store_retention_step *q, struct ch_err *err)
{
	struct candidate rows[LOOK_ROWS];
	size_t count = 0, removed = 0, i;
	bool has_old = false;
	int rc = read_candidates(&s->conn, q->in.place.at, rows, &count, err);

	for (i = 0; rc == 0 && i < count && removed < q->in.limit; i++) {
		bool is_old = rows[i].accepted_ms < q->in.calls_before_ms;

		q->out.place.at = rows[i].seq;
		has_old |= is_old;
		if (is_old)
			rc = take_call(s, q, &rows[i], &removed, err);
		CH_CRASH_POINT(retention_inside);
	}
	if (i == count && (count < LOOK_ROWS || !has_old))
		q->out.place = (struct store_retention_place){PHASE_ATTEMPTS, 0};
	/* Numbers of what is removed stay used: cursors are such numbers. */
	if (removed > 0) {
		s->marks.last_call = s->marks.next_call - 1;
		s->marks.last_attempt = s->marks.next_attempt - 1;
	}
	return rc;
}

/* ---- attempts ---- */

struct tried {
	int64_t number, delivery, started_ms;
};

static int read_tried(
		struct sq_conn *c, int64_t after, struct tried *rows, size_t *ret_count, struct ch_err *err)
{
	bool has_row = true;
	size_t count = 0;
	int rc = 0;

	sq_bind_int(c, SQ_KEEP_ATTEMPTS, 1, after);
	sq_bind_int(c, SQ_KEEP_ATTEMPTS, 2, LOOK_ROWS);
	while (rc == 0) {
		rc = sq_fetch(c, SQ_KEEP_ATTEMPTS, &has_row, doing, err);
		if (rc != 0 || !has_row)
			break;
		rows[count++] = (struct tried){sq_int(c, SQ_KEEP_ATTEMPTS, 0), sq_int(c, SQ_KEEP_ATTEMPTS, 1),
				sq_int(c, SQ_KEEP_ATTEMPTS, 2)};
	}
	sq_reset(c, SQ_KEEP_ATTEMPTS);
	*ret_count = count;
	return rc;
}

/* With all that is behind it in the chain of its delivery: these began before it, and without it nothing
 * would lead to them. */
static int remove_chain(
		struct store_sqlite *s, const struct tried *from, size_t *ret_removed, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	int64_t number = from->number;
	bool has_row = true;
	int rc;

	while (number != 0) {
		sq_bind_int(c, SQ_PURGE_ATTEMPT, 1, number);
		sq_bind_int(c, SQ_PURGE_ATTEMPT, 2, from->delivery);
		rc = sq_fetch(c, SQ_PURGE_ATTEMPT, &has_row, doing, err);
		if (rc != 0 || !has_row)
			return rc;
		if (number > s->marks.removed_attempt)
			s->marks.removed_attempt = number;
		number = sq_int(c, SQ_PURGE_ATTEMPT, 0);
		sq_reset(c, SQ_PURGE_ATTEMPT);
		++*ret_removed;
	}
	return 0;
}

static int remove_attempts(struct store_sqlite *s, struct store_retention_step *q, struct ch_err *err)
{
	struct tried rows[LOOK_ROWS];
	size_t count = 0, i;
	bool has_old = false;
	int rc = read_tried(&s->conn, q->in.place.at, rows, &count, err);

	for (i = 0; rc == 0 && i < count && q->out.attempts < q->in.limit; i++) {
		bool is_old = rows[i].started_ms < q->in.attempts_before_ms;

		q->out.place.at = rows[i].number;
		has_old |= is_old;
		if (is_old)
			rc = remove_chain(s, &rows[i], &q->out.attempts, err);
	}
	if (q->out.attempts > 0)
		s->marks.last_attempt = s->marks.next_attempt - 1;
	if (i == count && (count < LOOK_ROWS || !has_old))
		q->out.place = (struct store_retention_place){PHASE_FIGURES, 0};
	return rc;
}

/* What attempts came to, by the hour, is kept for as long as they are. */
static int remove_figures(struct store_sqlite *s, struct store_retention_step *q, struct ch_err *err)
{
	bool more = false;
	int rc = sq_history_keep(s, q->in.now_ms, q->in.attempts_before_ms, q->in.limit, &more, err);

	if (rc == 0 && !more)
		q->out.place = (struct store_retention_place){PHASE_REPLAYS, 0};
	return rc;
}

static int remove_replays(struct store_sqlite *s, struct store_retention_step *q, struct ch_err *err)
{
	int rc;

	sq_bind_int(&s->conn, SQ_KEEP_REPLAYS, 1, q->in.calls_before_ms);
	sq_bind_int(&s->conn, SQ_KEEP_REPLAYS, 2, (int64_t)q->in.limit);
	rc = sq_run(&s->conn, SQ_KEEP_REPLAYS, doing, err);
	q->out.replays = rc == 0 ? (size_t)sqlite3_changes64(s->conn.db) : 0;
	if (q->out.replays < q->in.limit)
		q->out.place = (struct store_retention_place){PHASE_COUNT, 0};
	return rc;
}

/* ---- a step ---- */

static bool is_wanted(const struct store_retention_step *q, int phase)
{
	bool is_of_attempts = phase == PHASE_ATTEMPTS || phase == PHASE_FIGURES;

	return (is_of_attempts ? q->in.attempts_before_ms : q->in.calls_before_ms) != INT64_MIN;
}

int sq_retention_step(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	static int (*const phases[PHASE_COUNT])(
			struct store_sqlite * s, struct store_retention_step * q, struct ch_err * err) = {
			cancel_parked, remove_calls, remove_attempts, remove_figures, remove_replays};
	struct store_retention_step *q = &r->u.retention_step;
	int phase = q->in.place.phase, rc = 0;

	CH_ASSERT(q->in.limit >= 1 && q->in.limit <= LIMIT_MAX);
	CH_ASSERT(phase >= 0 && phase <= PHASE_COUNT);
	q->out.place = q->in.place;
	if (phase < PHASE_COUNT && is_wanted(q, phase))
		rc = phases[phase](s, q, err);
	else if (phase < PHASE_COUNT)
		q->out.place = (struct store_retention_place){phase + 1, 0};
	CH_CRASH_POINT(retention_inside);
	if (q->out.place.phase != phase)
		q->out.place.at = 0;
	q->out.more = q->out.place.phase < PHASE_COUNT;
	return rc;
}
