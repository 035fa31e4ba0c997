#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crash_point.h"
#include "store/store_sqlite.h"

static const char doing_webhook[] = "store the webhook";

static int refuse(struct store_request *r, int code, const char *text)
{
	r->result = ch_err_set(&r->err, code, "%s", text);
	return 0;
}

/* The columns, as SQ_HOOK_INSERT and SQ_HOOK_UPDATE number them. */
static int write_row(struct sq_conn *c, enum sq_stmt which, int64_t number, const struct webhook *w,
		enum rules_task task, struct ch_err *err)
{
	struct ch_buf settings;
	int rc;

	ch_buf_init(&settings, SIZE_MAX / 2);
	if (webhook_settings_write(w, &settings) != 0) {
		ch_buf_fini(&settings);
		return sq_no_memory(err);
	}
	sq_bind_int(c, which, 1, number);
	sq_bind_id(c, which, 2, &w->id);
	sq_bind_int(c, which, 3, w->account);
	sq_bind_int(c, which, 4, w->revision);
	sq_bind_text(c, which, 5, w->url);
	sq_bind_text(c, which, 6, w->name == NULL ? "" : w->name);
	sq_bind_int(c, which, 7, w->enabled);
	sq_bind_text(c, which, 8, w->disabled_reason);
	sq_bind_text(c, which, 9, ch_buf_text(&settings));
	sq_bind_blob(c, which, 10, w->secret_sealed, w->secret_sealed_len);
	sq_bind_int(c, which, 11, w->created_ms);
	sq_bind_int(c, which, 12, (int64_t)task);
	sq_bind_blob(c, which, 13, w->next_sealed, w->next_sealed_len);
	sq_bind_int(c, which, 14, w->rotation_started_ms);
	sq_bind_int(c, which, 15, w->rotation_ends_ms);
	rc = sq_run(c, which, doing_webhook, err);
	ch_buf_fini(&settings);
	return rc;
}

static int insert_ledger(struct sq_conn *c, int64_t number, struct ch_err *err)
{
	sq_bind_int(c, SQ_LEDGER_INSERT, 1, number);
	return sq_run(c, SQ_LEDGER_INSERT, doing_webhook, err);
}

static int create(struct store_sqlite *s, struct webhook *settings, struct ch_err *err)
{
	int64_t number = s->marks.next_webhook;
	struct sq_hook values = {
			.id = settings->id,
			.number = number,
			.account = settings->account,
			.created_ms = settings->created_ms,
			.settings = settings,
	};
	struct sq_hook *hook;
	int rc = write_row(&s->conn, SQ_HOOK_INSERT, number, settings, RULES_TASK_NONE, err);

	if (rc == 0)
		rc = insert_ledger(&s->conn, number, err);
	if (rc == 0 && sq_hook_add(&s->hooks, &values, &hook) != 0)
		rc = sq_no_memory(err);
	if (rc == 0)
		s->marks.next_webhook++;
	return rc;
}

/* NULL: none of the account's serves what is asked for. */
static const struct webhook *find_same(const struct sq_group *g, const struct webhook *wanted)
{
	for (size_t i = 0; g != NULL && i < g->count; i++) {
		if (g->hooks[i]->settings != NULL && rules_webhook_serves(g->hooks[i]->settings, wanted))
			return g->hooks[i]->settings;
	}
	return NULL;
}

int sq_webhook_create(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	const struct webhook *in = &r->u.webhook_create.in.webhook;
	struct sq_group *g = sq_group_find(&s->hooks, in->account);
	size_t count = g == NULL ? 0 : g->count;
	const struct webhook *same = NULL;
	struct webhook *settings;
	struct sq_hook *taken = NULL;
	int rc = sq_hook_get(&s->hooks, &s->conn, &in->id, &taken, err);

	if (rc != 0)
		return rc;
	if (sq_is_closed(s, in->account))
		return refuse(r, CH_ENOENT, "the account is deleted");
	if (taken != NULL)
		return refuse(r, CH_EEXIST, "there is a webhook with this id already");
	if (r->u.webhook_create.in.is_once)
		same = find_same(g, in);
	if (same != NULL) {
		r->u.webhook_create.out.same = same->id;
		return refuse(r, CH_EEXIST, "a webhook sends these calls to this URL already");
	}
	if ((int64_t)count >= r->u.webhook_create.in.max_webhooks) {
		r->result = ch_err_set(&r->err, CH_ELIMIT,
				"the account has %zu webhooks already, the most it may have", count);
		return 0;
	}
	settings = webhook_clone(in);
	if (settings == NULL)
		return sq_no_memory(err);
	settings->revision = 1;
	settings->deleted = false;
	rc = create(s, settings, err);
	if (rc != 0)
		webhook_destroy(&settings);
	return rc;
}

/* NULL when there is none that this account could know of. */
static struct sq_hook *own_hook(struct store_sqlite *s, int64_t account, const struct id *id)
{
	struct sq_hook *hook = sq_hook_find(&s->hooks, id);

	return hook == NULL || hook->settings == NULL || hook->account != account ? NULL : hook;
}

static int update(struct store_sqlite *s, struct sq_hook *hook, struct webhook *settings,
		const struct store_webhook_update *u, struct ch_err *err)
{
	enum rules_task task = rules_task_after(hook->task, settings, u->in.release);
	struct rules_receiver receiver = hook->receiver;
	int rc = write_row(&s->conn, SQ_HOOK_UPDATE, hook->number, settings, task, err);

	if (rc != 0)
		return rc;
	if (rules_receiver_update(hook->settings, settings, u->in.ends_quiet, &receiver))
		sq_hook_set_receiver(&s->hooks, hook, &receiver);
	sq_hook_replace(&s->hooks, hook, settings);
	hook->task = task;
	return 0;
}

/* For a reason: not by the customer, who knows. */
static int tell_disabled(struct store_sqlite *s, struct store_request *r, const struct sq_hook *hook,
		struct ch_err *err)
{
	struct ops_event e = {
			.type = EVENT_WEBHOOK_DISABLED,
			.at_ms = r->u.webhook_update.in.now_ms,
			.reason = hook->settings->disabled_reason,
	};

	return e.reason == NULL ? 0 : sq_event_make(s, r, hook, &e, err);
}

int sq_webhook_update(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	const struct webhook *in = &r->u.webhook_update.in.webhook;
	struct sq_hook *hook = own_hook(s, in->account, &in->id);
	struct webhook *settings;
	bool was_enabled;
	int rc;

	if (hook == NULL)
		return refuse(r, CH_ENOENT, "there is no such webhook");
	if (hook->settings->revision != in->revision)
		return refuse(r, CH_ECONFLICT, "the webhook was changed by somebody else meanwhile");
	settings = webhook_clone(in);
	if (settings == NULL)
		return sq_no_memory(err);
	settings->created_ms = hook->created_ms;
	settings->revision = in->revision + 1;
	settings->deleted = false;
	was_enabled = hook->settings->enabled;
	rc = update(s, hook, settings, &r->u.webhook_update, err);
	if (rc != 0)
		webhook_destroy(&settings);
	else if (was_enabled && !hook->settings->enabled)
		rc = tell_disabled(s, r, hook, err);
	return rc;
}

int sq_hook_delete(struct store_sqlite *s, struct sq_hook *hook, struct ch_err *err)
{
	int rc;

	sq_bind_int(&s->conn, SQ_HOOK_DELETE, 1, hook->number);
	rc = sq_run(&s->conn, SQ_HOOK_DELETE, "delete the webhook", err);
	if (rc != 0)
		return rc;
	sq_hook_replace(&s->hooks, hook, NULL);
	hook->task = RULES_TASK_FOLLOW;
	return 0;
}

int sq_webhook_delete(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	struct sq_hook *hook = own_hook(s, r->u.webhook_delete.in.account, &r->u.webhook_delete.in.id);

	if (hook == NULL)
		return refuse(r, CH_ENOENT, "there is no such webhook");
	return sq_hook_delete(s, hook, err);
}

static int has_any(struct sq_conn *c, enum sq_stmt which, int64_t number, bool *ret, struct ch_err *err)
{
	bool has_row = false;
	int rc;

	sq_bind_int(c, which, 1, number);
	rc = sq_fetch(c, which, &has_row, "move the deliveries", err);
	if (rc != 0)
		return rc;
	sq_reset(c, which);
	*ret = has_row;
	return 0;
}

static enum sq_stmt sweep_stmt(enum delivery_state from, const struct rules_sweep *sweep)
{
	if (from == DELIVERY_PENDING)
		return SQ_SWEEP_PENDING;
	return sweep->to == DELIVERY_PENDING ? SQ_RELEASE : SQ_SWEEP_PARKED;
}

/* Moves rows of one state, as many as limit leaves room for. */
static int sweep_state(struct store_sqlite *s, struct sq_hook *hook, struct store_webhook_sweep *q,
		const struct rules_sweep *sweep, enum delivery_state from, struct ch_err *err)
{
	enum sq_stmt which = sweep_stmt(from, sweep);
	enum sq_stmt any = from == DELIVERY_PENDING ? SQ_HAS_PENDING : SQ_HAS_PARKED;
	struct rules_row row = {.state = from};
	size_t room = q->in.limit - q->out.moved;
	int rc = 0;

	if (room > 0) {
		rules_sweep_apply(sweep, q->in.now_ms, &row);
		sq_bind_int(&s->conn, which, 1, hook->number);
		sq_bind_int(&s->conn, which, 2, which == SQ_RELEASE ? row.tries : (int64_t)row.state);
		sq_bind_int(&s->conn, which, 3, row.due_ms + row.finished_ms);
		sq_bind_text(&s->conn, which, 4, row.reason);
		sq_bind_int(&s->conn, which, 5, room > INT64_MAX ? INT64_MAX : (int64_t)room);
		rc = sq_run(&s->conn, which, "move the deliveries", err);
		CH_CRASH_POINT(sweep_inside);
		if (rc != 0)
			return rc;
		int64_t moved = sqlite3_changes64(s->conn.db);
		rc = sq_hook_move(&s->hooks, hook, from, row.state, moved, err);
		if (rc != 0)
			return rc;
		q->out.moved += (size_t)moved;
		if ((size_t)moved < room)
			return 0;
	}
	return q->out.more ? 0 : has_any(&s->conn, any, hook->number, &q->out.more, err);
}

static int finish_sweep(struct store_sqlite *s, struct sq_hook *hook, struct ch_err *err)
{
	int rc;

	if (hook->task == RULES_TASK_NONE)
		return 0;
	sq_bind_int(&s->conn, SQ_HOOK_SWEPT, 1, hook->number);
	rc = sq_run(&s->conn, SQ_HOOK_SWEPT, doing_webhook, err);
	CH_CRASH_POINT(sweep_finished);
	if (rc != 0)
		return rc;
	hook->task = RULES_TASK_NONE;
	s->hooks.is_changed = true;
	if (hook->settings != NULL)
		return 0;
	sq_hook_forget(&s->hooks, hook);
	return sq_history_drop(s, hook->number, err);
}

int sq_webhook_sweep(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	static const struct webhook deleted = {.deleted = true};
	struct store_webhook_sweep *q = &r->u.webhook_sweep;
	struct sq_hook *hook = NULL;
	struct rules_sweep sweep;
	int rc = sq_hook_get(&s->hooks, &s->conn, &q->in.id, &hook, err);

	if (rc != 0)
		return rc;
	if (hook == NULL)
		return refuse(r, CH_ENOENT, "there is no such webhook");
	if (!rules_sweep_decide(hook->settings == NULL ? &deleted : hook->settings, hook->task, &sweep))
		return finish_sweep(s, hook, err);
	rc = sweep.takes_pending ? sweep_state(s, hook, q, &sweep, DELIVERY_PENDING, err) : 0;
	if (rc == 0 && sweep.takes_parked)
		rc = sweep_state(s, hook, q, &sweep, DELIVERY_PARKED, err);
	q->out.released = sweep.to == DELIVERY_PENDING && q->out.moved > 0;
	if (rc == 0 && !q->out.more)
		rc = finish_sweep(s, hook, err);
	return rc;
}

static void bind_receiver(struct sq_conn *c, enum sq_stmt which, const struct rules_receiver *r)
{
	bool has_streak = r->streak.since_ms != 0;

	sq_bind_int(c, which, 8, r->quiet_until_ms);
	sq_bind_int(c, which, 9, r->quiet_status);
	sq_bind_int(c, which, 10, r->streak.since_ms);
	sq_bind_int(c, which, 11, r->streak.attempts);
	sq_bind_blob(c, which, 12, has_streak ? r->streak.delivery.b : NULL, sizeof(r->streak.delivery.b));
	sq_bind_int(c, which, 13, r->streak.has_others);
	sq_bind_int(c, which, 14, r->dropped);
}

static int write_ledger(struct sq_conn *c, const struct sq_hook *hook, struct ch_err *err)
{
	enum sq_stmt which =
			sq_history_bind(c, hook, SQ_LEDGER_SET_ALL, 15) ? SQ_LEDGER_SET_ALL : SQ_LEDGER_SET;

	sq_bind_int(c, which, 1, hook->number);
	sq_bind_int(c, which, 2, hook->counts.accepted);
	sq_bind_int(c, which, 3, hook->counts.pending);
	sq_bind_int(c, which, 4, hook->counts.delivered);
	sq_bind_int(c, which, 5, hook->counts.failed);
	sq_bind_int(c, which, 6, hook->counts.parked);
	sq_bind_int(c, which, 7, hook->counts.canceled);
	bind_receiver(c, which, &hook->receiver);
	return sq_run(c, which, "store the counts", err);
}

int sq_ledgers_write(struct store_sqlite *s, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	int rc = 0;

	for (struct sq_hook *hook = s->hooks.dirty; rc == 0 && hook != NULL; hook = hook->next_dirty)
		rc = write_ledger(c, hook, err);
	for (size_t i = 0; rc == 0 && i < s->history.count; i++) {
		const struct sq_hook *hook = s->history.cells[i].hook;

		if (hook->is_dirty || hook->cell != i + 1 || !sq_history_bind(c, hook, SQ_HISTORY_SET, 2))
			continue;
		sq_bind_int(c, SQ_HISTORY_SET, 1, hook->number);
		rc = sq_run(c, SQ_HISTORY_SET, "store the counts", err);
	}
	return rc;
}

/* Reading. */

static int read_sealed(struct sq_conn *c, enum sq_stmt which, int at, uint8_t **ret, size_t *ret_len)
{
	const void *data = sqlite3_column_blob(c->stmts[which], at);
	size_t len = (size_t)sqlite3_column_bytes(c->stmts[which], at);

	if (data == NULL)
		return sqlite3_column_type(c->stmts[which], at) == SQLITE_NULL ? 0 : CH_ENOMEM;
	*ret = (uint8_t *)ch_memdup0(data, len);
	*ret_len = len;
	return *ret == NULL ? CH_ENOMEM : 0;
}

static int read_texts(struct sq_conn *c, enum sq_stmt which, struct webhook *w)
{
	int rc = sq_text(c, which, 4, &w->url);

	if (rc == 0)
		rc = sq_text(c, which, 5, &w->name);
	if (rc == 0)
		rc = sq_text(c, which, 7, &w->disabled_reason);
	if (rc == 0)
		rc = read_sealed(c, which, 9, &w->secret_sealed, &w->secret_sealed_len);
	if (rc == 0)
		rc = read_sealed(c, which, 25, &w->next_sealed, &w->next_sealed_len);
	return rc;
}

static int read_settings(struct sq_conn *c, enum sq_stmt which, struct webhook *w, struct ch_err *err)
{
	const char *json = (const char *)sqlite3_column_text(c->stmts[which], 8);
	int rc;

	if (json == NULL)
		return sq_damaged("a webhook has no settings", err);
	rc = webhook_settings_read(json, (size_t)sqlite3_column_bytes(c->stmts[which], 8), w);
	if (rc == CH_ENOMEM)
		return sq_no_memory(err);
	return rc == 0 ? 0 : sq_damaged("a webhook's settings can't be read", err);
}

static struct ledger read_counts(struct sq_conn *c, enum sq_stmt which, int at)
{
	return (struct ledger){
			.accepted = sq_int(c, which, at),
			.pending = sq_int(c, which, at + 1),
			.delivered = sq_int(c, which, at + 2),
			.failed = sq_int(c, which, at + 3),
			.parked = sq_int(c, which, at + 4),
			.canceled = sq_int(c, which, at + 5),
	};
}

static bool are_sane(const struct ledger *l)
{
	return sq_is_sane(l->accepted) && sq_is_sane(l->pending) && sq_is_sane(l->delivered) &&
	       sq_is_sane(l->failed) && sq_is_sane(l->parked) && sq_is_sane(l->canceled);
}

/* A next secret has its times and a secret before it; without one there is nothing. */
static bool is_rotation_sane(struct sq_conn *c, enum sq_stmt which)
{
	int64_t started_ms = sq_int(c, which, 26), ends_ms = sq_int(c, which, 27);

	if (sqlite3_column_type(c->stmts[which], 25) == SQLITE_NULL)
		return started_ms == 0 && ends_ms == 0;
	return sqlite3_column_type(c->stmts[which], 9) != SQLITE_NULL && sq_is_sane(started_ms) &&
	       sq_is_sane(ends_ms) && ends_ms >= started_ms;
}

/* Six columns from at on, and one that came later. */
static int read_receiver(
		struct sq_conn *c, enum sq_stmt which, int at, struct rules_receiver *ret, struct ch_err *err)
{
	struct rules_receiver r = {
			.quiet_until_ms = sq_int(c, which, at),
			.streak.since_ms = sq_int(c, which, at + 2),
			.streak.attempts = sq_int(c, which, at + 3),
			.streak.has_others = sq_int(c, which, at + 5) != 0,
			.dropped = sq_int(c, which, 28),
	};

	if (!sq_enum(c, which, at + 1, INT_MAX, &r.quiet_status) || !sq_is_sane(r.quiet_until_ms) ||
			!sq_is_sane(r.dropped) || !sq_is_sane(r.streak.since_ms) ||
			!sq_is_sane(r.streak.attempts) ||
			(r.streak.since_ms != 0 && !sq_id(c, which, at + 4, &r.streak.delivery)))
		return sq_damaged("what is kept about a receiver can't be", err);
	*ret = r;
	return 0;
}

int sq_hook_row_read(struct sq_conn *c, enum sq_stmt which, struct sq_hook_row *ret, struct ch_err *err)
{
	struct sq_hook_row row = {
			.number = sq_int(c, which, 0),
			.counts = read_counts(c, which, 13),
			.extra = sq_int(c, which, 29),
	};
	struct webhook *w = &row.webhook;
	int task = 0, rc = 0;

	webhook_init(w);
	w->account = sq_int(c, which, 2);
	w->revision = sq_int(c, which, 3);
	w->enabled = sq_int(c, which, 6) != 0;
	w->created_ms = sq_int(c, which, 10);
	w->deleted = sq_int(c, which, 11) != 0;
	w->rotation_started_ms = sq_int(c, which, 26);
	w->rotation_ends_ms = sq_int(c, which, 27);
	if (!sq_id(c, which, 1, &w->id))
		rc = sq_damaged("a webhook has no id", err);
	else if (!sq_is_sane(w->revision) || !are_sane(&row.counts))
		rc = sq_damaged("a webhook's counts can't be", err);
	else if (!is_rotation_sane(c, which))
		rc = sq_damaged("a webhook's rotation can't be", err);
	else if (!sq_enum(c, which, 12, RULES_TASK_COUNT, &task))
		rc = sq_damaged("what a webhook's deliveries have to do can't be", err);
	else
		rc = read_receiver(c, which, 19, &row.receiver, err);
	row.task = (enum rules_task)task;
	if (rc == 0 && !w->deleted)
		rc = read_settings(c, which, w, err);
	if (rc == 0 && read_texts(c, which, w) != 0)
		rc = sq_no_memory(err);
	if (rc != 0) {
		webhook_fini(w);
		return rc;
	}
	*ret = row;
	return 0;
}
