#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
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

static bool read_bytes(struct sq_conn *c, int at, void *out, size_t len)
{
	const void *data = sqlite3_column_blob(c->stmts[SQ_ACCOUNT_ALL], at);

	if (data == NULL || (size_t)sqlite3_column_bytes(c->stmts[SQ_ACCOUNT_ALL], at) != len)
		return false;
	memcpy(out, data, len);
	return true;
}

static int read_account(struct sq_conn *c, struct account *ret, struct ch_err *err)
{
	struct account a = {
			.number = sq_int(c, SQ_ACCOUNT_ALL, 0),
			.created_ms = sq_int(c, SQ_ACCOUNT_ALL, 4),
	};
	const unsigned char *id = sqlite3_column_text(c->stmts[SQ_ACCOUNT_ALL], 1);
	size_t len = (size_t)sqlite3_column_bytes(c->stmts[SQ_ACCOUNT_ALL], 1);

	if (id == NULL || len > ACCOUNT_ID_MAX || !read_bytes(c, 2, a.key_sha256[0], CH_SHA256_BYTES) ||
			!read_bytes(c, 3, a.key_sha256[1], CH_SHA256_BYTES))
		return sq_damaged("an account has no id or keys", err);
	memcpy(a.id, id, len);
	*ret = a;
	return 0;
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
		rc = read_account(c, &a, err);
		if (rc == 0 && sq_grow((void **)&q->out.accounts, &cap, q->out.count, sizeof(a)) != 0)
			rc = sq_no_memory(err);
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
	sq_reset(c, SQ_LEDGER_SUM);
	return 0;
}
