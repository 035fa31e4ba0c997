#include "base/crash_point.h"
#include "store/store_sqlite.h"

static const char doing[] = "remove what a deleted account had";

/* A delivery and the chain of its attempts. What holds the removed number of an attempt is gone with it. */
int sq_delivery_remove(struct store_sqlite *s, int64_t webhook, int64_t key, int64_t attempt, size_t *removed,
		struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	bool has_row = attempt != 0;
	int rc = 0;

	while (rc == 0 && has_row && attempt != 0) {
		sq_bind_int(c, SQ_PURGE_ATTEMPT, 1, attempt);
		sq_bind_int(c, SQ_PURGE_ATTEMPT, 2, key);
		rc = sq_fetch(c, SQ_PURGE_ATTEMPT, &has_row, doing, err);
		if (rc != 0 || !has_row)
			break;
		attempt = sq_int(c, SQ_PURGE_ATTEMPT, 0);
		sq_reset(c, SQ_PURGE_ATTEMPT);
		++*removed;
	}
	if (rc != 0)
		return rc;
	sq_bind_int(c, SQ_PURGE_DELIVERY, 1, webhook);
	sq_bind_int(c, SQ_PURGE_DELIVERY, 2, key);
	++*removed;
	return sq_run(c, SQ_PURGE_DELIVERY, doing, err);
}

static int remove_deliveries(
		struct store_sqlite *s, struct store_account_sweep *q, int64_t account, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	int64_t webhook = 0;
	bool has_row = true;
	int rc = 0;

	while (q->out.removed < q->in.limit) {
		sq_bind_int(c, SQ_PURGE_NEXT, 1, account);
		sq_bind_int(c, SQ_PURGE_NEXT, 2, webhook);
		rc = sq_fetch(c, SQ_PURGE_NEXT, &has_row, doing, err);
		if (rc != 0 || !has_row)
			return rc;
		webhook = sq_int(c, SQ_PURGE_NEXT, 0);
		int64_t key = sq_int(c, SQ_PURGE_NEXT, 1), attempt = sq_int(c, SQ_PURGE_NEXT, 2);
		sq_reset(c, SQ_PURGE_NEXT);
		rc = sq_delivery_remove(s, webhook, key, attempt, &q->out.removed, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Rows that nothing hangs on. */
static int remove_rows(struct store_sqlite *s, struct store_account_sweep *q, int64_t account,
		enum sq_stmt which, struct ch_err *err)
{
	int rc;

	if (q->out.removed >= q->in.limit)
		return 0;
	sq_bind_int(&s->conn, which, 1, account);
	sq_bind_int(&s->conn, which, 2, (int64_t)(q->in.limit - q->out.removed));
	rc = sq_run(&s->conn, which, doing, err);
	if (rc == 0)
		q->out.removed += (size_t)sqlite3_changes64(s->conn.db);
	return rc;
}

/* What this transaction listed and counted is written first: nothing of the account may be left in memory to
 * be written later. */
static int remove_lists(struct store_sqlite *s, struct store_account_sweep *q, struct ch_err *err)
{
	static const enum sq_stmt parts[] = {SQ_PURGE_LISTED, SQ_PURGE_PHONES, SQ_PURGE_STRETCHES,
			SQ_PURGE_TALLIES, SQ_PURGE_AGENTS};
	int rc = sq_list_flush(s, err);

	if (rc == 0)
		rc = sq_tallies_write(s, err);
	if (rc == 0)
		sq_tallies_clear(&s->tallies);
	for (size_t i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
		rc = remove_rows(s, q, q->in.number, parts[i], err);
	return rc;
}

static int finish(struct store_sqlite *s, const struct store_account_sweep *q, struct ch_err *err)
{
	int rc;

	sq_bind_int(&s->conn, SQ_PURGE_HOOKS, 1, q->in.number);
	rc = sq_run(&s->conn, SQ_PURGE_HOOKS, doing, err);
	if (rc != 0)
		return rc;
	sq_bind_int(&s->conn, SQ_PURGE_DONE, 1, q->in.number);
	rc = sq_run(&s->conn, SQ_PURGE_DONE, doing, err);
	CH_CRASH_POINT(purge_finished);
	return rc;
}

static int has_to_wait(struct store_sqlite *s, int64_t account, bool *ret, struct ch_err *err)
{
	int rc;

	sq_bind_int(&s->conn, SQ_PURGE_WAITS, 1, account);
	rc = sq_fetch(&s->conn, SQ_PURGE_WAITS, ret, doing, err);
	if (rc == 0)
		sq_reset(&s->conn, SQ_PURGE_WAITS);
	return rc;
}

/* Deliveries go before the calls that they are of. */
static int remove_account(
		struct store_sqlite *s, struct store_account_sweep *q, int64_t account, struct ch_err *err)
{
	int rc = remove_deliveries(s, q, account, err);

	if (rc == 0)
		rc = remove_rows(s, q, account, SQ_PURGE_CALLS, err);
	return rc == 0 ? remove_rows(s, q, account, SQ_PURGE_AUDIT, err) : rc;
}

/* The account and that of its events. The numbers of what is removed stay used: cursors of the
 * feed are such numbers. */
int sq_account_sweep(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	struct store_account_sweep *q = &r->u.account_sweep;
	bool waits = false;
	int rc;

	if (!sq_is_closed(s, q->in.number)) {
		r->result = ch_err_set(&r->err, CH_ENOENT, "there is no such account to be removed");
		return 0;
	}
	rc = has_to_wait(s, q->in.number, &waits, err);
	if (rc != 0 || waits)
		return rc;
	rc = remove_account(s, q, ops_event_account(q->in.number), err);
	if (rc == 0)
		rc = remove_account(s, q, q->in.number, err);
	CH_CRASH_POINT(purge_inside);
	if (rc == 0)
		rc = remove_lists(s, q, err);
	if (q->out.removed > 0) {
		s->marks.last_call = s->marks.next_call - 1;
		s->marks.last_attempt = s->marks.next_attempt - 1;
	}
	q->out.more = q->out.removed >= q->in.limit;
	return rc == 0 && !q->out.more ? finish(s, q, err) : rc;
}

int sq_account_purges(struct sq_conn *c, struct store_sweeps *q, struct ch_err *err)
{
	bool has_row = true;
	size_t cap = 0;
	int rc = 0;

	while (rc == 0) {
		rc = sq_fetch(c, SQ_ACCOUNT_PURGES, &has_row, "read the accounts", err);
		if (rc != 0 || !has_row)
			break;
		if (sq_grow((void **)&q->out.accounts, &cap, q->out.account_count, sizeof(int64_t)) != 0)
			rc = sq_no_memory(err);
		else
			q->out.accounts[q->out.account_count++] = sq_int(c, SQ_ACCOUNT_PURGES, 0);
	}
	sq_reset(c, SQ_ACCOUNT_PURGES);
	return rc;
}
