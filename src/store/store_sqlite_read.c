#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/store_sqlite.h"

int sq_call_get(struct sq_conn *c, struct store_call_get *q, struct ch_err *err)
{
	bool has_row = false;
	int rc;

	sq_bind_int(c, SQ_CALL_LATEST, 1, q->in.account);
	sq_bind_id(c, SQ_CALL_LATEST, 2, &q->in.id);
	rc = sq_fetch(c, SQ_CALL_LATEST, &has_row, "read the call", err);
	if (rc != 0)
		return rc;
	if (!has_row)
		return ch_err_set(err, CH_ENOENT, "there is no such call");
	q->out.version = sq_int(c, SQ_CALL_LATEST, 1);
	if (sq_is_erased(c, SQ_CALL_LATEST, 3))
		rc = ch_err_set(err, CH_EGONE, "%s", rules_erased);
	else
		rc = sq_body(c, SQ_CALL_LATEST, 3, &q->out.body, err);
	sq_reset(c, SQ_CALL_LATEST);
	return rc;
}

static const char doing_webhooks[] = "read the webhooks";

int sq_webhook_get(struct sq_conn *c, struct store_webhook_get *q, struct ch_err *err)
{
	struct sq_hook_row row = {0};
	bool has_row = false;
	int rc;

	sq_bind_id(c, SQ_HOOK_BY_ID, 1, &q->in.id);
	sq_bind_int(c, SQ_HOOK_BY_ID, 2, q->in.account);
	rc = sq_fetch(c, SQ_HOOK_BY_ID, &has_row, doing_webhooks, err);
	if (rc != 0)
		return rc;
	if (!has_row)
		return ch_err_set(err, CH_ENOENT, "there is no such webhook");
	rc = sq_hook_row_read(c, SQ_HOOK_BY_ID, &row, err);
	sq_reset(c, SQ_HOOK_BY_ID);
	if (rc != 0)
		return rc;
	q->out.row = (struct store_webhook_row){.webhook = row.webhook, .counts = row.counts};
	return 0;
}

int sq_webhook_list(struct sq_conn *c, struct store_webhook_list *q, struct ch_err *err)
{
	struct sq_hook_row row = {0};
	bool has_row = true;
	size_t cap = 0;
	int rc = 0;

	sq_bind_int(c, SQ_HOOK_BY_ACCOUNT, 1, q->in.account);
	while (rc == 0) {
		rc = sq_fetch(c, SQ_HOOK_BY_ACCOUNT, &has_row, doing_webhooks, err);
		if (rc != 0 || !has_row)
			break;
		if (sq_grow((void **)&q->out.rows, &cap, q->out.count, sizeof(*q->out.rows)) != 0)
			rc = sq_no_memory(err);
		else
			rc = sq_hook_row_read(c, SQ_HOOK_BY_ACCOUNT, &row, err);
		if (rc == 0)
			q->out.rows[q->out.count++] = (struct store_webhook_row){row.webhook, row.counts};
	}
	sq_reset(c, SQ_HOOK_BY_ACCOUNT);
	return rc;
}

int sq_lanes(struct sq_conn *c, struct store_lanes *q, struct ch_err *err)
{
	size_t cap = 0;
	struct sq_hook_row row = {0};
	bool has_row = true;
	int rc = 0;

	while (rc == 0) {
		rc = sq_fetch(c, SQ_HOOK_LIVE, &has_row, doing_webhooks, err);
		if (rc != 0 || !has_row)
			break;
		if (sq_grow((void **)&q->out.rows, &cap, q->out.count, sizeof(struct store_lane)) != 0)
			rc = sq_no_memory(err);
		else
			rc = sq_hook_row_read(c, SQ_HOOK_LIVE, &row, err);
		if (rc == 0)
			q->out.rows[q->out.count++] = (struct store_lane){
					.webhook = row.webhook,
					.next_due_ms = row.extra,
					.pending = row.counts.pending,
					.quiet_until_ms = row.receiver.quiet_until_ms,
					.quiet_status = row.receiver.quiet_status,
			};
	}
	sq_reset(c, SQ_HOOK_LIVE);
	return rc;
}

int sq_sweeps(struct sq_conn *c, struct store_sweeps *q, struct ch_err *err)
{
	bool has_row = true;
	size_t cap = 0;
	int rc = 0;

	while (rc == 0) {
		rc = sq_fetch(c, SQ_HOOK_SWEEPS, &has_row, doing_webhooks, err);
		if (rc != 0 || !has_row)
			break;
		if (sq_grow((void **)&q->out.ids, &cap, q->out.count, sizeof(struct id)) != 0)
			rc = sq_no_memory(err);
		else if (!sq_id(c, SQ_HOOK_SWEEPS, 0, &q->out.ids[q->out.count]))
			rc = sq_damaged("a webhook has no id", err);
		else
			q->out.count++;
	}
	sq_reset(c, SQ_HOOK_SWEEPS);
	if (rc == 0)
		rc = sq_account_purges(c, q, err);
	return rc == 0 ? sq_replays_running(c, q, err) : rc;
}

static int serve(struct sq_conn *c, struct store_request *r)
{
	switch (r->kind) {
	case STORE_CALL_GET:
		return sq_call_get(c, &r->u.call_get, &r->err);
	case STORE_CALL_FEED:
		return sq_call_feed(c, &r->u.call_feed, &r->err);
	case STORE_WEBHOOK_GET:
		return sq_webhook_get(c, &r->u.webhook_get, &r->err);
	case STORE_WEBHOOK_LIST:
		return sq_webhook_list(c, &r->u.webhook_list, &r->err);
	case STORE_DELIVERY_GET:
		return sq_delivery_get(c, &r->u.delivery_get, &r->err);
	case STORE_DELIVERY_LIST:
		return sq_delivery_list(c, &r->u.delivery_list, &r->err);
	case STORE_ATTEMPT_FEED:
		return sq_attempt_feed(c, &r->u.attempt_feed, &r->err);
	case STORE_CLAIM:
		return sq_claim(c, &r->u.claim, &r->err);
	case STORE_PROBE:
		return sq_probe(c, &r->u.probe, &r->err);
	case STORE_LANES:
		return sq_lanes(c, &r->u.lanes, &r->err);
	case STORE_SWEEPS:
		return sq_sweeps(c, &r->u.sweeps, &r->err);
	case STORE_REPLAY_GET:
		return sq_replay_get(c, &r->u.replay_get, &r->err);
	case STORE_REPLAY_LIST:
		return sq_replay_list(c, &r->u.replay_list, &r->err);
	case STORE_ACCOUNT_LIST:
		return sq_account_list(c, &r->u.account_list, &r->err);
	case STORE_AUDIT_LIST:
		return sq_audit_list(c, &r->u.audit_list, &r->err);
	case STORE_SPENT_LIST:
		return sq_spent_list(c, &r->u.spent_list, &r->err);
	case STORE_CALL_LIST:
		return sq_call_list(c, &r->u.call_list, &r->err);
	case STORE_AGENT_LIST:
		return sq_agent_list(c, &r->u.agent_list, &r->err);
	case STORE_LEDGER:
		return sq_ledger(c, &r->u.ledger, &r->err);
	case STORE_HISTORY:
		return sq_history(c, &r->u.history, &r->err);
	case STORE_BACKLOG:
		return sq_backlog(c, &r->u.backlog, &r->err);
	default:
		CH_UNREACHABLE();
	}
}

/* Those that take several statements, which have to see one state of the store. */
static bool needs_snapshot(enum store_kind kind)
{
	return kind == STORE_DELIVERY_GET || kind == STORE_DELIVERY_LIST || kind == STORE_CLAIM ||
	       kind == STORE_PROBE || kind == STORE_ATTEMPT_FEED || kind == STORE_HISTORY ||
	       kind == STORE_BACKLOG || kind == STORE_CALL_LIST || kind == STORE_AGENT_LIST ||
	       kind == STORE_CALL_FEED;
}

static int serve_in_snapshot(struct sq_conn *c, struct store_request *r)
{
	int rc = sq_run(c, SQ_BEGIN_READ, "read the store", &r->err);

	if (rc != 0)
		return rc;
	rc = serve(c, r);
	if (rc == 0 || rc == CH_ENOENT) {
		struct ch_err ignored;

		if (sq_run(c, SQ_COMMIT, "read the store", &ignored) == 0)
			return rc;
	}
	sq_conn_reset(c);
	if (sqlite3_get_autocommit(c->db) == 0) {
		sqlite3_step(c->stmts[SQ_ROLLBACK]);
		sqlite3_reset(c->stmts[SQ_ROLLBACK]);
	}
	return rc;
}

void sq_read_one(struct sq_conn *c, struct store_request *r)
{
	r->result = needs_snapshot(r->kind) ? serve_in_snapshot(c, r) : serve(c, r);
	if (sq_is_doubtful(r->result) || (r->kind == STORE_CLAIM && r->u.claim.out.damaged > 0))
		sq_conn_doubt(c);
	if (r->result != 0)
		store_request_clear_out(r);
}
