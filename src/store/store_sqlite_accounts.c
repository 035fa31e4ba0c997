#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crash_point.h"
#include "store/store_sqlite.h"

int sq_account_create(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	const struct account *a = &r->u.account_create.in.account;
	struct sq_conn *c = &s->conn;
	int rc;

	sq_bind_text(c, SQ_ACCOUNT_INSERT, 1, a->id);
	sq_bind_blob(c, SQ_ACCOUNT_INSERT, 2, a->key_sha256[0], CH_SHA256_BYTES);
	sq_bind_blob(c, SQ_ACCOUNT_INSERT, 3, a->key_sha256[1], CH_SHA256_BYTES);
	sq_bind_int(c, SQ_ACCOUNT_INSERT, 4, a->created_ms);
	sq_bind_text(c, SQ_ACCOUNT_INSERT, 5, a->name);
	rc = sq_run(c, SQ_ACCOUNT_INSERT, "store the account", err);
	if (rc != 0)
		return rc;
	if (sqlite3_changes(c->db) == 0) {
		r->result = ch_err_set(&r->err, CH_EEXIST, "there is an account with this id already");
		return 0;
	}
	r->u.account_create.out.number = sqlite3_last_insert_rowid(c->db);
	return 0;
}

int sq_account_update(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	const struct store_account_update *q = &r->u.account_update;
	struct sq_conn *c = &s->conn;
	int rc;

	sq_bind_int(c, SQ_ACCOUNT_SET, 1, q->in.number);
	sq_bind_int(c, SQ_ACCOUNT_SET, 2, q->in.now_ms);
	for (int i = 0; i < ACCOUNT_KEYS; i++)
		sq_bind_blob(c, SQ_ACCOUNT_SET, 3 + i, q->in.has_key[i] ? q->in.key_sha256[i] : NULL,
				CH_SHA256_BYTES);
	rc = sq_run(c, SQ_ACCOUNT_SET, "store the account", err);
	if (rc == 0 && sqlite3_changes(c->db) == 0)
		r->result = ch_err_set(&r->err, CH_ENOENT, "there is no such account");
	return rc;
}

/* ---- accounts that are deleted ---- */

static size_t closed_place(const struct sq_closed *closed, int64_t number)
{
	size_t low = 0, high = closed->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (closed->numbers[mid] < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool sq_is_closed(const struct store_sqlite *s, int64_t account)
{
	int64_t number = ops_event_is_account(account) ? ops_event_account(account) : account;
	size_t at = closed_place(&s->closed, number);

	return at < s->closed.count && s->closed.numbers[at] == number;
}

static int close_account(struct sq_closed *closed, int64_t number, struct ch_err *err)
{
	size_t at = closed_place(closed, number);

	if (sq_grow((void **)&closed->numbers, &closed->cap, closed->count, sizeof(number)) != 0)
		return sq_no_memory(err);
	memmove(closed->numbers + at + 1, closed->numbers + at, (closed->count - at) * sizeof(number));
	closed->numbers[at] = number;
	closed->count++;
	return 0;
}

int sq_closed_load(struct store_sqlite *s, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	bool has_row = true;
	int rc = 0;

	s->closed.count = 0;
	while (rc == 0) {
		rc = sq_fetch(c, SQ_ACCOUNT_CLOSED, &has_row, "read the accounts", err);
		if (rc != 0 || !has_row)
			break;
		rc = close_account(&s->closed, sq_int(c, SQ_ACCOUNT_CLOSED, 0), err);
	}
	sq_reset(c, SQ_ACCOUNT_CLOSED);
	return rc;
}

static size_t count_webhooks(const struct store_sqlite *s, int64_t account)
{
	struct sq_group *g = sq_group_find(&s->hooks, account);

	return g == NULL ? 0 : g->count;
}

static int delete_webhooks(
		struct store_sqlite *s, struct store_account_delete *q, int64_t account, struct ch_err *err)
{
	struct sq_group *g = sq_group_find(&s->hooks, account);

	/* The last one first: the group gets shorter by each. */
	for (size_t i = count_webhooks(s, account); i-- > 0;) {
		struct sq_hook *hook = g->hooks[i];
		int rc;

		q->out.webhooks[q->out.webhook_count++] = hook->id;
		rc = sq_hook_delete(s, hook, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int delete_all_webhooks(struct store_sqlite *s, struct store_account_delete *q, struct ch_err *err)
{
	int64_t own = q->in.number, events = ops_event_account(own);
	size_t count = count_webhooks(s, own) + count_webhooks(s, events);
	int rc;

	if (count == 0)
		return 0;
	q->out.webhooks = ch_calloc(count, sizeof(struct id));
	if (q->out.webhooks == NULL)
		return sq_no_memory(err);
	rc = delete_webhooks(s, q, own, err);
	return rc == 0 ? delete_webhooks(s, q, events, err) : rc;
}

int sq_account_delete(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	struct store_account_delete *q = &r->u.account_delete;
	int rc;

	sq_bind_int(&s->conn, SQ_ACCOUNT_DELETE, 1, q->in.number);
	rc = sq_run(&s->conn, SQ_ACCOUNT_DELETE, "delete the account", err);
	if (rc != 0)
		return rc;
	if (sqlite3_changes(s->conn.db) == 0) {
		r->result = ch_err_set(&r->err, CH_ENOENT, "there is no such account");
		return 0;
	}
	s->hooks.is_changed = true; /* taken back, all of it is loaded again, with what is closed */
	rc = close_account(&s->closed, q->in.number, err);
	if (rc == 0)
		rc = delete_all_webhooks(s, q, err);
	CH_CRASH_POINT(account_closed);
	return rc;
}

static bool read_bytes(struct sq_conn *c, int at, void *out, size_t len)
{
	const void *data = sqlite3_column_blob(c->stmts[SQ_ACCOUNT_ALL], at);

	if (data == NULL || (size_t)sqlite3_column_bytes(c->stmts[SQ_ACCOUNT_ALL], at) != len)
		return false;
	memcpy(out, data, len);
	return true;
}

static int read_key(struct sq_conn *c, struct account *a, int key, struct ch_err *err)
{
	if (!read_bytes(c, 2 + key, a->key_sha256[key], CH_SHA256_BYTES))
		return sq_damaged("an account has no keys", err);
	a->key_rotated_ms[key] = sq_int(c, SQ_ACCOUNT_ALL, 6 + key);
	return 0;
}

static bool read_short(struct sq_conn *c, int at, char *out, size_t max)
{
	const unsigned char *text = sqlite3_column_text(c->stmts[SQ_ACCOUNT_ALL], at);
	size_t len = (size_t)sqlite3_column_bytes(c->stmts[SQ_ACCOUNT_ALL], at);

	if (text == NULL || len > max)
		return false;
	memcpy(out, text, len);
	return true;
}

static int read_account(struct sq_conn *c, struct account *ret, struct ch_err *err)
{
	struct account a = {
			.number = sq_int(c, SQ_ACCOUNT_ALL, 0),
			.created_ms = sq_int(c, SQ_ACCOUNT_ALL, 4),
	};
	int rc = 0;

	if (!read_short(c, 1, a.id, ACCOUNT_ID_MAX) || !read_short(c, 5, a.name, ACCOUNT_NAME_MAX))
		rc = sq_damaged("an account has no id or name", err);
	for (int i = 0; rc == 0 && i < ACCOUNT_KEYS; i++)
		rc = read_key(c, &a, i, err);
	if (rc == 0)
		*ret = a;
	return rc;
}

int sq_account_list(struct sq_conn *c, struct store_account_list *q, struct ch_err *err)
{
	size_t cap = 0;
	bool has_row = true;
	int rc = 0;

	while (rc == 0) {
		struct account a;

		rc = sq_fetch(c, SQ_ACCOUNT_ALL, &has_row, "read the accounts", err);
		if (rc != 0 || !has_row)
			break;
		if (sq_grow((void **)&q->out.accounts, &cap, q->out.count, sizeof(a)) != 0)
			rc = sq_no_memory(err);
		else
			rc = read_account(c, &a, err);
		if (rc == 0)
			q->out.accounts[q->out.count++] = a;
	}
	sq_reset(c, SQ_ACCOUNT_ALL);
	return rc;
}

int sq_ledger(struct sq_conn *c, struct store_ledger *q, struct ch_err *err)
{
	bool has_row = false;
	int rc;

	sq_bind_int(c, SQ_LEDGER_SUM, 1, q->in.account);
	rc = sq_fetch(c, SQ_LEDGER_SUM, &has_row, "read the counts", err);
	if (rc != 0)
		return rc;
	CH_ASSERT(has_row);
	q->out.ledger = (struct ledger){
			.accepted = sq_int(c, SQ_LEDGER_SUM, 0),
			.pending = sq_int(c, SQ_LEDGER_SUM, 1),
			.delivered = sq_int(c, SQ_LEDGER_SUM, 2),
			.failed = sq_int(c, SQ_LEDGER_SUM, 3),
			.parked = sq_int(c, SQ_LEDGER_SUM, 4),
			.canceled = sq_int(c, SQ_LEDGER_SUM, 5),
	};
	q->out.first_due_ms = sq_int(c, SQ_LEDGER_SUM, 6);
	sq_reset(c, SQ_LEDGER_SUM);
	return 0;
}
