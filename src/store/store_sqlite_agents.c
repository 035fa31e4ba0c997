#include "base/alloc.h"
#include "store/store_sqlite.h"

static const char doing[] = "name the agent";

/* Without calls of it there is no reason to know the agent but its name. */
static int unname(struct store_sqlite *s, const struct store_agent_name *q, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	char text[ID_TEXT_LEN + 1];
	bool was_seen = false;
	int rc;

	sq_bind_int(c, SQ_TALLY_FIND, 1, q->in.account);
	sq_bind_id(c, SQ_TALLY_FIND, 2, &q->in.id);
	rc = sq_fetch(c, SQ_TALLY_FIND, &was_seen, doing, err);
	if (rc != 0)
		return rc;
	if (was_seen)
		sq_reset(c, SQ_TALLY_FIND);
	enum sq_stmt which = was_seen ? SQ_AGENT_NAME : SQ_AGENT_FORGET;
	sq_bind_int(c, which, 1, q->in.account);
	sq_bind_id(c, which, 2, &q->in.id);
	if (was_seen) {
		id_format(&q->in.id, text);
		sq_bind_text(c, which, 3, text);
	}
	return sq_run(c, which, doing, err);
}

int sq_agent_name(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	const struct store_agent_name *q = &r->u.agent_name;
	struct sq_conn *c = &s->conn;

	if (sq_is_closed(s, q->in.account)) {
		r->result = ch_err_set(&r->err, CH_ENOENT, "the account is deleted");
		return 0;
	}
	if (q->in.name == NULL)
		return unname(s, q, err);
	sq_bind_int(c, SQ_AGENT_NAME, 1, q->in.account);
	sq_bind_id(c, SQ_AGENT_NAME, 2, &q->in.id);
	sq_bind_text(c, SQ_AGENT_NAME, 3, q->in.name);
	return sq_run(c, SQ_AGENT_NAME, doing, err);
}

static int read_agent(struct sq_conn *c, struct store_agent *ret, struct ch_err *err)
{
	struct store_agent a = {0};

	if (!sq_id(c, SQ_AGENT_LIST, 0, &a.id) ||
			sqlite3_column_type(c->stmts[SQ_AGENT_LIST], 1) == SQLITE_NULL)
		return sq_damaged("an agent has no id or name", err);
	if (sq_text(c, SQ_AGENT_LIST, 1, &a.name) != 0)
		return sq_no_memory(err);
	*ret = a;
	return 0;
}

int sq_agent_list(struct sq_conn *c, struct store_agent_list *q, struct ch_err *err)
{
	bool has_row = false;
	int rc;

	sq_bind_int(c, SQ_AGENT_COUNT, 1, q->in.account);
	rc = sq_fetch(c, SQ_AGENT_COUNT, &has_row, "list the agents", err);
	if (rc != 0 || !has_row)
		return rc;
	q->out.total = sq_int(c, SQ_AGENT_COUNT, 0);
	sq_reset(c, SQ_AGENT_COUNT);
	q->out.rows = ch_calloc(q->in.limit, sizeof(struct store_agent));
	if (q->out.rows == NULL)
		return sq_no_memory(err);
	sq_bind_int(c, SQ_AGENT_LIST, 1, q->in.account);
	sq_bind_int(c, SQ_AGENT_LIST, 2, (int64_t)q->in.limit);
	sq_bind_int(c, SQ_AGENT_LIST, 3, q->in.skip);
	while (rc == 0) {
		rc = sq_fetch(c, SQ_AGENT_LIST, &has_row, "list the agents", err);
		if (rc != 0 || !has_row)
			break;
		rc = read_agent(c, &q->out.rows[q->out.count], err);
		if (rc == 0)
			q->out.count++;
	}
	sq_reset(c, SQ_AGENT_LIST);
	return rc;
}
