#include <string.h>

#include "store/store_sqlite.h"

int sq_audit_write(struct store_sqlite *s, const struct store_audit *a, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;

	sq_bind_int(c, SQ_AUDIT_INSERT, 1, a->account);
	sq_bind_int(c, SQ_AUDIT_INSERT, 2, a->at_ms);
	sq_bind_text(c, SQ_AUDIT_INSERT, 3, a->actor);
	sq_bind_text(c, SQ_AUDIT_INSERT, 4, a->address);
	sq_bind_text(c, SQ_AUDIT_INSERT, 5, a->action);
	sq_bind_text(c, SQ_AUDIT_INSERT, 6, a->target_kind);
	sq_bind_text(c, SQ_AUDIT_INSERT, 7, a->target_id);
	sq_bind_text(c, SQ_AUDIT_INSERT, 8, a->detail);
	return sq_run(c, SQ_AUDIT_INSERT, "write the audit log", err);
}

static bool read_short(struct sq_conn *c, int at, char *out, size_t cap)
{
	const unsigned char *text = sqlite3_column_text(c->stmts[SQ_AUDIT_LIST], at);
	size_t len = (size_t)sqlite3_column_bytes(c->stmts[SQ_AUDIT_LIST], at);

	if (text == NULL || len >= cap)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

static int read_row(struct sq_conn *c, int64_t account, struct store_audit *ret, struct ch_err *err)
{
	struct store_audit a = {
			.number = sq_int(c, SQ_AUDIT_LIST, 0),
			.account = account,
			.at_ms = sq_int(c, SQ_AUDIT_LIST, 1),
	};

	if (!read_short(c, 2, a.actor, sizeof(a.actor)) || !read_short(c, 3, a.address, sizeof(a.address)) ||
			!read_short(c, 4, a.action, sizeof(a.action)) ||
			!read_short(c, 5, a.target_kind, sizeof(a.target_kind)) ||
			!read_short(c, 6, a.target_id, sizeof(a.target_id)))
		return sq_damaged("a line of the audit log can't be", err);
	if (sq_text(c, SQ_AUDIT_LIST, 7, &a.detail) != 0)
		return sq_no_memory(err);
	*ret = a;
	return 0;
}

int sq_audit_list(struct sq_conn *c, struct store_audit_list *q, struct ch_err *err)
{
	bool has_row = true;
	size_t cap = 0;
	int rc = 0;

	sq_bind_int(c, SQ_AUDIT_LIST, 1, q->in.account);
	sq_bind_int(c, SQ_AUDIT_LIST, 2, q->in.before == 0 ? INT64_MAX : q->in.before);
	sq_bind_int(c, SQ_AUDIT_LIST, 3, (int64_t)q->in.limit + 1);
	while (rc == 0) {
		rc = sq_fetch(c, SQ_AUDIT_LIST, &has_row, "read the audit log", err);
		if (rc != 0 || !has_row)
			break;
		q->out.more = q->out.count == q->in.limit;
		if (q->out.more)
			break;
		if (sq_grow((void **)&q->out.rows, &cap, q->out.count, sizeof(*q->out.rows)) != 0)
			rc = sq_no_memory(err);
		else
			rc = read_row(c, q->in.account, &q->out.rows[q->out.count], err);
		q->out.count += rc == 0;
	}
	sq_reset(c, SQ_AUDIT_LIST);
	return rc;
}

int sq_spend(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	const struct store_spend *q = &r->u.spend;
	struct sq_conn *c = &s->conn;
	int rc;

	sq_bind_int(c, SQ_SPENT_FORGET, 1, q->in.now_ms);
	rc = sq_run(c, SQ_SPENT_FORGET, "write what is used up", err);
	if (rc != 0)
		return rc;
	sq_bind_id(c, SQ_SPENT_INSERT, 1, &q->in.id);
	sq_bind_int(c, SQ_SPENT_INSERT, 2, q->in.until_ms);
	rc = sq_run(c, SQ_SPENT_INSERT, "write what is used up", err);
	if (rc == 0 && sqlite3_changes(c->db) == 0)
		r->result = ch_err_set(&r->err, CH_EEXIST, "it was used already");
	return rc;
}

int sq_spent_list(struct sq_conn *c, struct store_spent_list *q, struct ch_err *err)
{
	bool has_row = true;
	size_t cap = 0;
	int rc = 0;

	while (rc == 0) {
		rc = sq_fetch(c, SQ_SPENT_ALL, &has_row, "read what is used up", err);
		if (rc != 0 || !has_row)
			break;
		if (sq_grow((void **)&q->out.rows, &cap, q->out.count, sizeof(*q->out.rows)) != 0)
			rc = sq_no_memory(err);
		else if (!sq_id(c, SQ_SPENT_ALL, 0, &q->out.rows[q->out.count].id))
			rc = sq_damaged("what is used up has no id", err);
		else
			q->out.rows[q->out.count++].until_ms = sq_int(c, SQ_SPENT_ALL, 1);
	}
	sq_reset(c, SQ_SPENT_ALL);
	return rc;
}
