#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crash_point.h"
#include "store/store_sqlite.h"

static const char doing_replay[] = "go on with the replay";
static const char unknown[] = "there is no such replay";

#define STEP_ROWS_MAX 500
#define REPLAYS_LISTED 100
/* A pause of the rate is never longer: a wall clock that was set back must not stop a replay. */
#define PAUSE_MAX_MS 2000

/* A replay as its row says it, and where its walk is. */
struct job {
	struct replay replay;
	int64_t number, account, webhook;
	int64_t at_key, stop_key, at_seq, stop_seq, next_ms;
	bool is_off, is_deleted; /* the webhook */
};

/* What the walk along the deliveries came by. */
struct passed {
	int64_t key, made_ms;
	int state, status, round;
	bool was_delivered, has_body;
};

/* The same for calls: the latest version of one. */
struct lacking {
	int64_t seq, accepted_ms;
	int status;
	struct id agent, call;
	bool has_body;
};

/* ---- rows ---- */

static int read_job(struct sq_conn *c, enum sq_stmt which, struct job *ret, struct ch_err *err)
{
	const char *reason = (const char *)sqlite3_column_text(c->stmts[which], 15);
	struct job j = {.number = sq_int(c, which, 0),
			.account = sq_int(c, which, 3),
			.is_off = sq_int(c, which, 4) == 0,
			.is_deleted = sq_int(c, which, 5) != 0,
			.at_key = sq_int(c, which, 20),
			.stop_key = sq_int(c, which, 21),
			.at_seq = sq_int(c, which, 22),
			.stop_seq = sq_int(c, which, 23),
			.next_ms = sq_int(c, which, 24),
			.webhook = sq_int(c, which, 25),
			.replay = {.from_ms = sq_int(c, which, 7),
					.to_ms = sq_int(c, which, 8),
					.statuses = (call_status_set)sq_int(c, which, 9),
					.states = (uint8_t)sq_int(c, which, 10),
					.missing = sq_int(c, which, 11) != 0,
					.created_ms = sq_int(c, which, 13),
					.finished_ms = sq_int(c, which, 14),
					.examined = sq_int(c, which, 16),
					.resent = sq_int(c, which, 17),
					.made = sq_int(c, which, 18),
					.skipped = sq_int(c, which, 19)}};
	int state = 0;

	if (!sq_id(c, which, 1, &j.replay.id) || !sq_id(c, which, 2, &j.replay.webhook_id) ||
			!sq_enum(c, which, 6, REPLAY_STATE_COUNT, &state) ||
			!sq_enum(c, which, 12, INT_MAX, &j.replay.rate))
		return sq_damaged("a replay can't be read", err);
	j.replay.state = (enum replay_state)state;
	if (reason != NULL)
		snprintf(j.replay.reason, sizeof(j.replay.reason), "%s", reason);
	else if (state == REPLAY_RUNNING && j.is_off && !j.is_deleted)
		snprintf(j.replay.reason, sizeof(j.replay.reason), "%s", rules_replay_off);
	*ret = j;
	return 0;
}

static int find_job(
		struct sq_conn *c, const struct id *id, bool *ret_has, struct job *ret, struct ch_err *err)
{
	int rc;

	sq_bind_id(c, SQ_REPLAY_READ, 1, id);
	rc = sq_fetch(c, SQ_REPLAY_READ, ret_has, doing_replay, err);
	if (rc != 0 || !*ret_has)
		return rc;
	rc = read_job(c, SQ_REPLAY_READ, ret, err);
	sq_reset(c, SQ_REPLAY_READ);
	return rc;
}

static int write_job(struct sq_conn *c, const struct job *j, struct ch_err *err)
{
	const struct replay *p = &j->replay;

	sq_bind_int(c, SQ_REPLAY_SET, 1, j->number);
	sq_bind_int(c, SQ_REPLAY_SET, 2, (int64_t)p->state);
	sq_bind_int(c, SQ_REPLAY_SET, 3, p->finished_ms);
	sq_bind_text(c, SQ_REPLAY_SET, 4, p->state == REPLAY_CANCELED ? p->reason : NULL);
	sq_bind_int(c, SQ_REPLAY_SET, 5, j->at_key);
	sq_bind_int(c, SQ_REPLAY_SET, 6, j->at_seq);
	sq_bind_int(c, SQ_REPLAY_SET, 7, j->next_ms);
	sq_bind_int(c, SQ_REPLAY_SET, 8, p->examined);
	sq_bind_int(c, SQ_REPLAY_SET, 9, p->resent);
	sq_bind_int(c, SQ_REPLAY_SET, 10, p->made);
	sq_bind_int(c, SQ_REPLAY_SET, 11, p->skipped);
	return sq_run(c, SQ_REPLAY_SET, doing_replay, err);
}

static void finish(struct job *j, enum replay_state state, const char *reason, int64_t now_ms)
{
	j->replay.state = state;
	j->replay.finished_ms = now_ms;
	snprintf(j->replay.reason, sizeof(j->replay.reason), "%s", reason);
}

/* ---- beginning and ending one ---- */

static int64_t key_floor(int64_t ms)
{
	return ms <= 0 ? 0 : ms >= INT64_C(1) << 48 ? INT64_MAX : ms << 12;
}

/* The id of a delivery names no moment before its making, so that none made in the range lies before the key
 * of its beginning. The end is whatever there is now. */
static int read_bounds(struct store_sqlite *s, struct job *j, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	bool has_row = false;
	int rc;

	sq_bind_int(c, SQ_REPLAY_BOUND, 1, j->webhook);
	rc = sq_fetch(c, SQ_REPLAY_BOUND, &has_row, doing_replay, err);
	if (rc != 0)
		return rc;
	j->at_key = key_floor(j->replay.from_ms);
	j->at_key -= j->at_key > 0;
	j->stop_key = has_row ? sq_int(c, SQ_REPLAY_BOUND, 0) : 0;
	j->stop_seq = s->marks.next_call - 1;
	sq_reset(c, SQ_REPLAY_BOUND);
	return 0;
}

static int insert_job(struct store_sqlite *s, const struct job *j, bool *ret_made, struct ch_err *err)
{
	const struct replay *p = &j->replay;
	struct sq_conn *c = &s->conn;
	int rc;

	sq_bind_id(c, SQ_REPLAY_INSERT, 1, &p->id);
	sq_bind_int(c, SQ_REPLAY_INSERT, 2, j->webhook);
	sq_bind_int(c, SQ_REPLAY_INSERT, 3, p->from_ms);
	sq_bind_int(c, SQ_REPLAY_INSERT, 4, p->to_ms);
	sq_bind_int(c, SQ_REPLAY_INSERT, 5, p->statuses);
	sq_bind_int(c, SQ_REPLAY_INSERT, 6, p->states);
	sq_bind_int(c, SQ_REPLAY_INSERT, 7, p->missing);
	sq_bind_int(c, SQ_REPLAY_INSERT, 8, p->rate);
	sq_bind_int(c, SQ_REPLAY_INSERT, 9, p->created_ms);
	sq_bind_int(c, SQ_REPLAY_INSERT, 10, j->at_key);
	sq_bind_int(c, SQ_REPLAY_INSERT, 11, j->stop_key);
	sq_bind_int(c, SQ_REPLAY_INSERT, 12, j->stop_seq);
	rc = sq_run(c, SQ_REPLAY_INSERT, doing_replay, err);
	if (rc == 0)
		*ret_made = sqlite3_changes(c->db) == 1;
	return rc;
}

static int refuse(struct store_request *r, int code, const char *text)
{
	r->result = ch_err_set(&r->err, code, "%s", text);
	return 0;
}

int sq_replay_create(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	const struct store_replay_create *q = &r->u.replay_create;
	struct sq_hook *hook = sq_hook_find(&s->hooks, &q->in.replay.webhook_id);
	struct job j = {.replay = q->in.replay};
	bool is_made = false;
	int rc;

	if (hook == NULL || hook->settings == NULL || hook->account != q->in.account)
		return refuse(r, CH_ENOENT, "there is no such webhook");
	if (!hook->settings->enabled)
		return refuse(r, CH_ECONFLICT, "the webhook is switched off");
	j.webhook = hook->number;
	rc = read_bounds(s, &j, err);
	if (rc == 0)
		rc = insert_job(s, &j, &is_made, err);
	if (rc == 0 && !is_made)
		return refuse(r, CH_ECONFLICT, "another replay of this webhook is under way");
	return rc;
}

int sq_replay_cancel(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	struct store_replay_cancel *q = &r->u.replay_cancel;
	struct job j = {0};
	bool has_row = false;
	int rc = find_job(&s->conn, &q->in.id, &has_row, &j, err);

	if (rc != 0)
		return rc;
	if (!has_row || j.account != q->in.account)
		return refuse(r, CH_ENOENT, unknown);
	if (j.replay.state == REPLAY_RUNNING) {
		finish(&j, REPLAY_CANCELED, rules_replay_asked, q->in.now_ms);
		rc = write_job(&s->conn, &j, err);
	}
	q->out.replay = j.replay;
	return rc;
}

/* ---- a step along the deliveries ---- */

static int read_passed(struct sq_conn *c, struct passed *p, struct ch_err *err)
{
	if (!sq_enum(c, SQ_REPLAY_ROWS, 1, DELIVERY_STATE_COUNT, &p->state) ||
			!sq_enum(c, SQ_REPLAY_ROWS, 3, CALL_STATUS_COUNT, &p->status) ||
			!sq_enum(c, SQ_REPLAY_ROWS, 5, INT_MAX, &p->round))
		return sq_damaged("a delivery can't be read", err);
	p->key = sq_int(c, SQ_REPLAY_ROWS, 0);
	p->made_ms = sq_int(c, SQ_REPLAY_ROWS, 2);
	p->has_body = sq_int(c, SQ_REPLAY_ROWS, 4) > 0;
	p->was_delivered = sq_int(c, SQ_REPLAY_ROWS, 6) != 0;
	return 0;
}

/* Read before anything is written: a walk must not meet its own changes. */
static int read_rows(struct sq_conn *c, const struct job *j, size_t limit, struct passed *rows,
		size_t *ret_count, struct ch_err *err)
{
	bool has_row = true;
	size_t count = 0;
	int rc = 0;

	sq_bind_int(c, SQ_REPLAY_ROWS, 1, j->webhook);
	sq_bind_int(c, SQ_REPLAY_ROWS, 2, j->at_key);
	sq_bind_int(c, SQ_REPLAY_ROWS, 3, j->stop_key);
	sq_bind_int(c, SQ_REPLAY_ROWS, 4, (int64_t)limit);
	while (rc == 0) {
		rc = sq_fetch(c, SQ_REPLAY_ROWS, &has_row, doing_replay, err);
		if (rc != 0 || !has_row)
			break;
		rc = read_passed(c, &rows[count], err);
		count++;
	}
	sq_reset(c, SQ_REPLAY_ROWS);
	*ret_count = count;
	return rc;
}

static int open_one(struct store_sqlite *s, struct sq_hook *hook, struct job *j, const struct passed *p,
		int64_t now_ms, bool *ret_opened, struct ch_err *err)
{
	struct rules_row row = {.state = (enum delivery_state)p->state,
			.round = p->round,
			.was_delivered = p->was_delivered};
	struct sq_conn *c = &s->conn;
	int rc;

	*ret_opened = p->has_body &&
		      rules_replay_apply(&j->replay, (enum call_status)p->status, p->made_ms, now_ms, &row);
	if (!*ret_opened)
		return 0;
	sq_bind_int(c, SQ_DELIVERY_RESEND, 1, j->webhook);
	sq_bind_int(c, SQ_DELIVERY_RESEND, 2, p->key);
	sq_bind_int(c, SQ_DELIVERY_RESEND, 3, (int64_t)row.state);
	sq_bind_int(c, SQ_DELIVERY_RESEND, 4, row.round);
	sq_bind_int(c, SQ_DELIVERY_RESEND, 5, row.was_delivered);
	sq_bind_int(c, SQ_DELIVERY_RESEND, 6, row.tries);
	sq_bind_int(c, SQ_DELIVERY_RESEND, 7, row.due_ms);
	sq_bind_text(c, SQ_DELIVERY_RESEND, 8, NULL);
	rc = sq_run(c, SQ_DELIVERY_RESEND, doing_replay, err);
	return rc == 0 ? sq_hook_move(&s->hooks, hook, (enum delivery_state)p->state, row.state, 1, err) : rc;
}

static int along_deliveries(struct store_sqlite *s, struct sq_hook *hook, struct job *j,
		struct store_replay_step *q, struct ch_err *err)
{
	struct passed rows[STEP_ROWS_MAX];
	size_t count = 0, room = rules_replay_room(&j->replay, q->in.limit);
	int rc = read_rows(&s->conn, j, q->in.limit, rows, &count, err);

	for (size_t i = 0; rc == 0 && i < count && q->out.opened < room; i++) {
		bool is_opened = false;

		rc = open_one(s, hook, j, &rows[i], q->in.now_ms, &is_opened, err);
		q->out.opened += is_opened;
		j->at_key = rows[i].key;
		j->replay.examined++;
		j->replay.resent += is_opened;
		j->replay.skipped += !is_opened;
	}
	if (rc == 0 && count < q->in.limit && (count == 0 || j->at_key == rows[count - 1].key))
		j->at_key = j->stop_key;
	return rc;
}

/* ---- a step along the calls ---- */

static int read_calls(struct sq_conn *c, const struct job *j, size_t limit, struct lacking *rows,
		size_t *ret_count, struct ch_err *err)
{
	bool has_row = true;
	size_t count = 0;
	int rc = 0;

	sq_bind_int(c, SQ_REPLAY_CALLS, 1, j->at_seq);
	sq_bind_int(c, SQ_REPLAY_CALLS, 2, j->stop_seq);
	sq_bind_int(c, SQ_REPLAY_CALLS, 3, (int64_t)limit);
	sq_bind_int(c, SQ_REPLAY_CALLS, 4, j->account);
	while (rc == 0) {
		struct lacking *l = &rows[count];

		rc = sq_fetch(c, SQ_REPLAY_CALLS, &has_row, doing_replay, err);
		if (rc != 0 || !has_row)
			break;
		*l = (struct lacking){.seq = sq_int(c, SQ_REPLAY_CALLS, 0),
				.accepted_ms = sq_int(c, SQ_REPLAY_CALLS, 2),
				.has_body = sq_int(c, SQ_REPLAY_CALLS, 5) > 0};
		/* Another account's: only to know how far the walk came. */
		if (sq_int(c, SQ_REPLAY_CALLS, 6) != 0 &&
				(!sq_enum(c, SQ_REPLAY_CALLS, 1, CALL_STATUS_COUNT, &l->status) ||
						!sq_id(c, SQ_REPLAY_CALLS, 3, &l->agent) ||
						!sq_id(c, SQ_REPLAY_CALLS, 4, &l->call)))
			rc = sq_damaged("a call can't be read", err);
		count++;
	}
	sq_reset(c, SQ_REPLAY_CALLS);
	*ret_count = count;
	return rc;
}

static bool concerns(const struct job *j, const struct sq_hook *hook, const struct lacking *l)
{
	const struct replay *p = &j->replay;
	struct webhook like = *hook->settings;

	like.statuses = p->statuses;
	return l->has_body && l->status != CALL_IN_PROGRESS && l->accepted_ms >= p->from_ms &&
	       l->accepted_ms < p->to_ms && webhook_wants(&like, (enum call_status)l->status, &l->agent);
}

/* Has the call a delivery for the webhook, or a later version? */
static int is_served(struct sq_conn *c, const struct job *j, const struct lacking *l, bool *ret,
		struct ch_err *err)
{
	int rc;

	sq_bind_int(c, SQ_REPLAY_SERVED, 1, j->webhook);
	sq_bind_int(c, SQ_REPLAY_SERVED, 2, j->account);
	sq_bind_id(c, SQ_REPLAY_SERVED, 3, &l->call);
	sq_bind_int(c, SQ_REPLAY_SERVED, 4, l->seq);
	rc = sq_fetch(c, SQ_REPLAY_SERVED, ret, doing_replay, err);
	if (rc == 0 && *ret)
		sq_reset(c, SQ_REPLAY_SERVED);
	return rc;
}

static int make_one(struct store_sqlite *s, struct sq_hook *hook, const struct lacking *l, int64_t now_ms,
		struct ch_err *err)
{
	struct id id = sq_next_id(s, now_ms);
	struct sq_conn *c = &s->conn;
	int rc;

	sq_bind_int(c, SQ_DELIVERY_INSERT, 1, hook->number);
	sq_bind_int(c, SQ_DELIVERY_INSERT, 2, sq_key_of(&id));
	sq_bind_id(c, SQ_DELIVERY_INSERT, 3, &id);
	sq_bind_int(c, SQ_DELIVERY_INSERT, 4, l->seq);
	sq_bind_int(c, SQ_DELIVERY_INSERT, 5, DELIVERY_PENDING);
	sq_bind_int(c, SQ_DELIVERY_INSERT, 6, now_ms);
	sq_bind_int(c, SQ_DELIVERY_INSERT, 7, now_ms);
	sq_bind_text(c, SQ_DELIVERY_INSERT, 8, NULL);
	rc = sq_run(c, SQ_DELIVERY_INSERT, doing_replay, err);
	if (rc != 0)
		return rc;
	rules_ledger_made(sq_hook_counts(&s->hooks, hook), DELIVERY_PENDING);
	sq_bind_int(c, SQ_CALL_WIDEN, 1, l->seq);
	sq_bind_int(c, SQ_CALL_WIDEN, 2, sq_key_of(&id));
	return sq_run(c, SQ_CALL_WIDEN, doing_replay, err);
}

static int along_calls(struct store_sqlite *s, struct sq_hook *hook, struct job *j,
		struct store_replay_step *q, struct ch_err *err)
{
	struct lacking rows[STEP_ROWS_MAX];
	size_t count = 0, room = rules_replay_room(&j->replay, q->in.limit);
	int rc = read_calls(&s->conn, j, q->in.limit, rows, &count, err);

	for (size_t i = 0; rc == 0 && i < count && q->out.opened < room; i++) {
		bool is_left = !concerns(j, hook, &rows[i]);

		j->at_seq = rows[i].seq;
		if (is_left)
			continue;
		rc = is_served(&s->conn, j, &rows[i], &is_left, err);
		if (rc == 0 && !is_left)
			rc = make_one(s, hook, &rows[i], q->in.now_ms, err);
		q->out.opened += !is_left;
		j->replay.examined += !is_left;
		j->replay.made += !is_left;
	}
	if (rc == 0 && count < q->in.limit && (count == 0 || j->at_seq == rows[count - 1].seq))
		j->at_seq = j->stop_seq;
	return rc;
}

/* ---- a step ---- */

static bool has_ended(const struct job *j)
{
	return j->at_key >= j->stop_key && (!j->replay.missing || j->at_seq >= j->stop_seq);
}

static int go_on(struct store_sqlite *s, struct sq_hook *hook, struct job *j, struct store_replay_step *q,
		struct ch_err *err)
{
	int64_t left_ms = j->next_ms - q->in.now_ms;
	int rc = 0;

	if (left_ms > 0 && left_ms <= PAUSE_MAX_MS) {
		q->out.more = true;
		q->out.wait_ms = left_ms;
		return 0;
	}
	if (j->at_key < j->stop_key)
		rc = along_deliveries(s, hook, j, q, err);
	else if (!has_ended(j))
		rc = along_calls(s, hook, j, q, err);
	CH_CRASH_POINT(replay_inside);
	if (rc != 0)
		return rc;
	q->out.webhook_id = j->replay.webhook_id;
	q->out.wait_ms = rules_replay_wait_ms(&j->replay, q->out.opened);
	j->next_ms = q->in.now_ms + q->out.wait_ms;
	if (has_ended(j))
		finish(j, REPLAY_DONE, "", q->in.now_ms);
	q->out.more = j->replay.state == REPLAY_RUNNING;
	return write_job(&s->conn, j, err);
}

static int tell_finished(struct store_sqlite *s, struct store_request *r, const struct sq_hook *hook,
		const struct replay *p, struct ch_err *err)
{
	struct ops_event e = {
			.type = EVENT_REPLAY_FINISHED,
			.at_ms = p->finished_ms,
			.replay = {p->id, p->examined, p->resent, p->made, p->skipped},
	};

	return p->state == REPLAY_DONE ? sq_event_make(s, r, hook, &e, err) : 0;
}

int sq_replay_step(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	struct store_replay_step *q = &r->u.replay_step;
	struct sq_hook *hook;
	struct job j = {0};
	bool has_row = false;
	int rc = find_job(&s->conn, &q->in.id, &has_row, &j, err);

	CH_ASSERT(q->in.limit >= 1 && q->in.limit <= STEP_ROWS_MAX);
	if (rc != 0)
		return rc;
	if (!has_row)
		return refuse(r, CH_ENOENT, unknown);
	if (j.replay.state != REPLAY_RUNNING)
		return 0;
	hook = sq_hook_find(&s->hooks, &j.replay.webhook_id);
	if (hook == NULL || hook->settings == NULL) {
		finish(&j, REPLAY_CANCELED, rules_replay_deleted, q->in.now_ms);
		return write_job(&s->conn, &j, err);
	}
	if (!hook->settings->enabled) {
		q->out.more = true;
		q->out.wait_ms = RULES_REPLAY_OFF_WAIT_MS;
		return 0;
	}
	rc = go_on(s, hook, &j, q, err);
	return rc == 0 ? tell_finished(s, r, hook, &j.replay, err) : rc;
}

/* ---- reading ---- */

int sq_replay_get(struct sq_conn *c, struct store_replay_get *q, struct ch_err *err)
{
	struct job j = {0};
	bool has_row = false;
	int rc = find_job(c, &q->in.id, &has_row, &j, err);

	if (rc != 0)
		return rc;
	if (!has_row || j.account != q->in.account)
		return ch_err_set(err, CH_ENOENT, "%s", unknown);
	q->out.replay = j.replay;
	return 0;
}

int sq_replay_list(struct sq_conn *c, struct store_replay_list *q, struct ch_err *err)
{
	bool has_row = true;
	struct job j;
	int rc = 0;

	q->out.rows = ch_calloc(REPLAYS_LISTED, sizeof(struct replay));
	if (q->out.rows == NULL)
		return sq_no_memory(err);
	sq_bind_int(c, SQ_REPLAY_LIST, 1, q->in.account);
	if (q->in.has_webhook)
		sq_bind_id(c, SQ_REPLAY_LIST, 2, &q->in.webhook_id);
	else
		sq_bind_null(c, SQ_REPLAY_LIST, 2);
	while (rc == 0 && q->out.count < REPLAYS_LISTED) {
		rc = sq_fetch(c, SQ_REPLAY_LIST, &has_row, "list the replays", err);
		if (rc != 0 || !has_row)
			break;
		rc = read_job(c, SQ_REPLAY_LIST, &j, err);
		if (rc == 0)
			q->out.rows[q->out.count++] = j.replay;
	}
	sq_reset(c, SQ_REPLAY_LIST);
	return rc;
}

int sq_replays_running(struct sq_conn *c, struct store_sweeps *q, struct ch_err *err)
{
	bool has_row = true;
	size_t cap = 0;
	int rc = 0;

	while (rc == 0) {
		rc = sq_fetch(c, SQ_REPLAY_RUNNING, &has_row, "read the replays", err);
		if (rc != 0 || !has_row)
			break;
		if (sq_grow((void **)&q->out.replays, &cap, q->out.replay_count, sizeof(struct id)) != 0)
			rc = sq_no_memory(err);
		else if (!sq_id(c, SQ_REPLAY_RUNNING, 0, &q->out.replays[q->out.replay_count]))
			rc = sq_damaged("a replay has no id", err);
		else
			q->out.replay_count++;
	}
	sq_reset(c, SQ_REPLAY_RUNNING);
	return rc;
}
