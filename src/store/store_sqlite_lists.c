#include <stdlib.h>

#include "model/call_codec.h"
#include "model/ops_event.h"
#include "store/store_sqlite.h"

/* What a transaction lists is kept back until its end and inserted sorted, many rows a statement: starting a
 * statement costs as much as inserting a row, and neighbours land on one page. */

static const char doing[] = "list the call";

int64_t sq_phone_of(const char *phone)
{
	int64_t number = 0;

	for (const char *digit = phone + 1; phone[0] == '+' && *digit >= '0' && *digit <= '9'; digit++)
		number = number * 10 + (*digit - '0');
	return number;
}

/* ---- to the tables ---- */

static int compare_rows(const void *a, const void *b)
{
	const struct sq_listed *x = a, *y = b;

	if (x->list != y->list)
		return x->list < y->list ? -1 : 1;
	return sq_place_compare(&x->at, &y->at);
}

static int compare_phones(const void *a, const void *b)
{
	const struct sq_listed_phone *x = a, *y = b;

	if (x->account != y->account)
		return x->account < y->account ? -1 : 1;
	if (x->phone != y->phone)
		return x->phone < y->phone ? -1 : 1;
	return sq_place_compare(&x->at, &y->at);
}

static int insert_rows(struct sq_conn *c, const struct sq_listed *rows, size_t n, struct ch_err *err)
{
	enum sq_stmt which = n == 1 ? SQ_LISTED_INSERT : SQ_LISTED_INSERT_16;
	int at = 1;

	for (size_t i = 0; i < n; i++) {
		sq_bind_int(c, which, at++, rows[i].list);
		sq_bind_int(c, which, at++, rows[i].at.created_s);
		sq_bind_int(c, which, at++, rows[i].at.seq);
	}
	return sq_run(c, which, doing, err);
}

static int insert_phones(struct sq_conn *c, const struct sq_listed_phone *rows, size_t n, struct ch_err *err)
{
	enum sq_stmt which = n == 1 ? SQ_PHONE_INSERT : SQ_PHONE_INSERT_16;
	int at = 1;

	for (size_t i = 0; i < n; i++) {
		sq_bind_int(c, which, at++, rows[i].account);
		sq_bind_int(c, which, at++, rows[i].phone);
		sq_bind_int(c, which, at++, rows[i].at.created_s);
		sq_bind_int(c, which, at++, rows[i].at.seq);
		sq_bind_int(c, which, at++, rows[i].agent_list);
	}
	return sq_run(c, which, doing, err);
}

static size_t at_once(size_t left)
{
	return left >= SQ_LISTED_AT_ONCE ? SQ_LISTED_AT_ONCE : 1;
}

int sq_list_flush(struct store_sqlite *s, struct ch_err *err)
{
	struct sq_pending *p = &s->pending;
	int rc = 0;

	if (p->row_count > 1)
		qsort(p->rows, p->row_count, sizeof(p->rows[0]), compare_rows);
	if (p->phone_count > 1)
		qsort(p->phones, p->phone_count, sizeof(p->phones[0]), compare_phones);
	for (size_t i = 0, n; rc == 0 && i < p->row_count; i += n) {
		n = at_once(p->row_count - i);
		rc = insert_rows(&s->conn, &p->rows[i], n, err);
	}
	for (size_t i = 0, n; rc == 0 && i < p->phone_count; i += n) {
		n = at_once(p->phone_count - i);
		rc = insert_phones(&s->conn, &p->phones[i], n, err);
	}
	p->row_count = p->phone_count = 0;
	return rc;
}

/* ---- in ---- */

static int add_pending(struct store_sqlite *s, const struct sq_listed *all, const struct sq_listed *agent,
		int64_t account, int64_t phone, struct ch_err *err)
{
	struct sq_pending *p = &s->pending;

	if (p->row_count + 2 > SQ_PENDING_MAX) {
		int rc = sq_list_flush(s, err);

		if (rc != 0)
			return rc;
	}
	if (p->row_count == 0)
		p->first_seq = all->at.seq;
	p->rows[p->row_count++] = *all;
	p->rows[p->row_count++] = *agent;
	if (phone != 0)
		p->phones[p->phone_count++] = (struct sq_listed_phone){account, phone, all->at, agent->list};
	return 0;
}

int sq_list_enter(struct store_sqlite *s, int64_t account, int64_t seq, const struct call_facts *facts,
		int64_t created_s, struct ch_err *err)
{
	int kind = sq_kind_of(facts->status, facts->type);
	struct sq_tally *all = NULL, *agent = NULL;
	struct sq_listed in_all = {.at = {created_s, seq}}, in_agent = {.at = {created_s, seq}};
	int rc;

	if (ops_event_is_account(account)) /* it is no call */
		return 0;
	rc = sq_tally_get(s, account, NULL, &all, err);
	if (rc == 0)
		rc = sq_tally_get(s, account, &facts->agent_id, &agent, err);
	if (rc != 0)
		return rc;
	in_all.list = all->number * SQ_LIST_KINDS + kind;
	in_agent.list = agent->number * SQ_LIST_KINDS + kind;
	rc = add_pending(s, &in_all, &in_agent, account, sq_phone_of(facts->phone), err);
	if (rc == 0)
		rc = sq_tally_add(s, all, kind, &in_all.at, err);
	return rc == 0 ? sq_tally_add(s, agent, kind, &in_agent.at, err) : rc;
}

/* ---- out ---- */

static int leave_one(struct store_sqlite *s, struct sq_tally *t, int kind, const struct sq_place *at,
		struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	int rc;

	sq_bind_int(c, SQ_LISTED_DELETE, 1, t->number * SQ_LIST_KINDS + kind);
	sq_bind_int(c, SQ_LISTED_DELETE, 2, at->created_s);
	sq_bind_int(c, SQ_LISTED_DELETE, 3, at->seq);
	rc = sq_run(c, SQ_LISTED_DELETE, doing, err);
	if (rc != 0 || sqlite3_changes(c->db) == 0)
		return rc;
	return sq_tally_remove(s, t, kind, at, err);
}

static int leave_phone(struct store_sqlite *s, int64_t account, int64_t phone, const struct sq_place *at,
		struct ch_err *err)
{
	struct sq_conn *c = &s->conn;

	if (phone == 0)
		return 0;
	sq_bind_int(c, SQ_PHONE_DELETE, 1, account);
	sq_bind_int(c, SQ_PHONE_DELETE, 2, phone);
	sq_bind_int(c, SQ_PHONE_DELETE, 3, at->created_s);
	sq_bind_int(c, SQ_PHONE_DELETE, 4, at->seq);
	return sq_run(c, SQ_PHONE_DELETE, doing, err);
}

int sq_list_leave(struct store_sqlite *s, int64_t account, int64_t seq, const char *body, size_t body_len,
		struct ch_err *err)
{
	struct sq_tally *all = NULL, *agent = NULL;
	struct call_facts facts;
	struct sq_place at;
	int kind, rc = 0;

	if (call_body_facts(body, body_len, &facts) != 0)
		return 0; /* nor was it entered */
	kind = sq_kind_of(facts.status, facts.type);
	at = (struct sq_place){facts.created_s, seq};
	if (s->pending.row_count > 0 && seq >= s->pending.first_seq)
		rc = sq_list_flush(s, err);
	if (rc == 0)
		rc = sq_tally_get(s, account, NULL, &all, err);
	if (rc == 0)
		rc = sq_tally_get(s, account, &facts.agent_id, &agent, err);
	if (rc == 0)
		rc = leave_one(s, all, kind, &at, err);
	if (rc == 0)
		rc = leave_one(s, agent, kind, &at, err);
	return rc == 0 ? leave_phone(s, account, sq_phone_of(facts.phone), &at, err) : rc;
}

int sq_list_leave_call(struct store_sqlite *s, int64_t account, const struct id *call, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	sqlite3_stmt *st = c->stmts[SQ_ERASE_LATEST];
	bool has_row = false;
	int rc;

	sq_bind_int(c, SQ_ERASE_LATEST, 1, account);
	sq_bind_id(c, SQ_ERASE_LATEST, 2, call);
	rc = sq_fetch(c, SQ_ERASE_LATEST, &has_row, doing, err);
	if (rc != 0 || !has_row)
		return rc;
	rc = sq_list_leave(s, account, sq_int(c, SQ_ERASE_LATEST, 4), sqlite3_column_blob(st, 3),
			(size_t)sqlite3_column_bytes(st, 3), err);
	sq_reset(c, SQ_ERASE_LATEST);
	return rc;
}
