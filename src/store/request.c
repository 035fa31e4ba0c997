#include "store/request.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

static const char *const kind_names[STORE_KIND_COUNT] = {
		[STORE_CALL_PUT] = "call_put",
		[STORE_CALL_ERASE] = "call_erase",
		[STORE_WEBHOOK_CREATE] = "webhook_create",
		[STORE_WEBHOOK_UPDATE] = "webhook_update",
		[STORE_WEBHOOK_DELETE] = "webhook_delete",
		[STORE_WEBHOOK_SWEEP] = "webhook_sweep",
		[STORE_ATTEMPT] = "attempt",
		[STORE_RESEND] = "resend",
		[STORE_REPLAY_CREATE] = "replay_create",
		[STORE_REPLAY_CANCEL] = "replay_cancel",
		[STORE_REPLAY_STEP] = "replay_step",
		[STORE_ACCOUNT_CREATE] = "account_create",
		[STORE_ACCOUNT_UPDATE] = "account_update",
		[STORE_ACCOUNT_DELETE] = "account_delete",
		[STORE_ACCOUNT_SWEEP] = "account_sweep",
		[STORE_AUDIT_ADD] = "audit_add",
		[STORE_SPEND] = "spend",
		[STORE_RETENTION_STEP] = "retention_step",
		[STORE_EVENT] = "event",
		[STORE_AGENT_NAME] = "agent_name",
		[STORE_CALL_GET] = "call_get",
		[STORE_CALL_FEED] = "call_feed",
		[STORE_WEBHOOK_GET] = "webhook_get",
		[STORE_WEBHOOK_LIST] = "webhook_list",
		[STORE_DELIVERY_GET] = "delivery_get",
		[STORE_DELIVERY_LIST] = "delivery_list",
		[STORE_ATTEMPT_FEED] = "attempt_feed",
		[STORE_CLAIM] = "claim",
		[STORE_PROBE] = "probe",
		[STORE_LANES] = "lanes",
		[STORE_SWEEPS] = "sweeps",
		[STORE_REPLAY_GET] = "replay_get",
		[STORE_REPLAY_LIST] = "replay_list",
		[STORE_ACCOUNT_LIST] = "account_list",
		[STORE_AUDIT_LIST] = "audit_list",
		[STORE_SPENT_LIST] = "spent_list",
		[STORE_CALL_LIST] = "call_list",
		[STORE_AGENT_LIST] = "agent_list",
		[STORE_LEDGER] = "ledger",
		[STORE_HISTORY] = "history",
		[STORE_BACKLOG] = "backlog",
};

void store_request_init(struct store_request *r, enum store_kind kind, struct ch_port *reply_to,
		void (*done)(struct store_request *r))
{
	memset(r, 0, sizeof(*r));
	ch_list_init(&r->msg.link);
	r->kind = kind;
	r->reply_to = reply_to;
	r->done = done;
}

static void clear_call_feed(struct store_call_feed *q)
{
	for (size_t i = 0; i < q->out.count; i++)
		ch_bytes_unref(&q->out.rows[i].body);
	ch_free(q->out.rows);
	memset(&q->out, 0, sizeof(q->out));
}

static void free_deliveries(struct delivery *rows, size_t count)
{
	/* The watcher may have taken the array and left the count. */
	if (rows == NULL)
		return;
	for (size_t i = 0; i < count; i++)
		delivery_fini(&rows[i]);
	ch_free(rows);
}

static void free_attempts(struct attempt *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		attempt_fini(&rows[i]);
	ch_free(rows);
}

static void free_lanes(struct store_lane *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		webhook_fini(&rows[i].webhook);
	ch_free(rows);
}

static void free_webhook_rows(struct store_webhook_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		webhook_fini(&rows[i].webhook);
	ch_free(rows);
}

/* A macro because the anonymous out structs have no name to take a pointer to. */
#define ZERO(member) memset(&(member), 0, sizeof(member))

static void clear_call_put(struct store_call_put *put)
{
	ch_bytes_unref(&put->out.body);
	free_deliveries(put->out.deliveries, put->out.delivery_count);
	ZERO(put->out);
}

static void clear_delivery_get(struct store_delivery_get *get)
{
	delivery_fini(&get->out.delivery);
	free_attempts(get->out.attempts, get->out.attempt_count);
	ZERO(get->out);
}

static void clear_resend(struct store_resend *resend)
{
	delivery_fini(&resend->out.delivery);
	if (resend->out.news != NULL)
		delivery_fini(resend->out.news);
	ch_free(resend->out.news);
	ZERO(resend->out);
}

static void clear_read(struct store_request *r)
{
	switch (r->kind) {
	case STORE_CALL_GET:
		ch_bytes_unref(&r->u.call_get.out.body);
		ZERO(r->u.call_get.out);
		break;
	case STORE_CALL_FEED:
		clear_call_feed(&r->u.call_feed);
		break;
	case STORE_WEBHOOK_GET:
		webhook_fini(&r->u.webhook_get.out.row.webhook);
		ZERO(r->u.webhook_get.out);
		break;
	case STORE_WEBHOOK_LIST:
		free_webhook_rows(r->u.webhook_list.out.rows, r->u.webhook_list.out.count);
		ZERO(r->u.webhook_list.out);
		break;
	case STORE_DELIVERY_GET:
		clear_delivery_get(&r->u.delivery_get);
		break;
	case STORE_DELIVERY_LIST:
		free_deliveries(r->u.delivery_list.out.rows, r->u.delivery_list.out.count);
		ZERO(r->u.delivery_list.out);
		break;
	case STORE_ATTEMPT_FEED:
		ch_free(r->u.attempt_feed.out.rows);
		ZERO(r->u.attempt_feed.out);
		break;
	case STORE_CLAIM:
		free_deliveries(r->u.claim.out.rows, r->u.claim.out.count);
		ZERO(r->u.claim.out);
		break;
	case STORE_PROBE:
		delivery_fini(&r->u.probe.out.row);
		ZERO(r->u.probe.out);
		break;
	case STORE_LANES:
		free_lanes(r->u.lanes.out.rows, r->u.lanes.out.count);
		ZERO(r->u.lanes.out);
		break;
	case STORE_SWEEPS:
		ch_free(r->u.sweeps.out.ids);
		ch_free(r->u.sweeps.out.accounts);
		ch_free(r->u.sweeps.out.replays);
		ZERO(r->u.sweeps.out);
		break;
	case STORE_REPLAY_GET:
		ZERO(r->u.replay_get.out);
		break;
	case STORE_REPLAY_LIST:
		ch_free(r->u.replay_list.out.rows);
		ZERO(r->u.replay_list.out);
		break;
	case STORE_LEDGER:
		ZERO(r->u.ledger.out);
		break;
	case STORE_HISTORY:
		ch_free(r->u.history.out.points);
		ZERO(r->u.history.out);
		break;
	case STORE_BACKLOG:
		ZERO(r->u.backlog.out);
		break;
	default:
		CH_UNREACHABLE();
	}
}

void store_request_clear_out(struct store_request *r)
{
	ZERO(r->events);
	if (store_accounts_clear_out(r) || store_calls_clear_out(r))
		return;
	switch (r->kind) {
	case STORE_CALL_PUT:
		clear_call_put(&r->u.call_put);
		break;
	case STORE_CALL_ERASE:
		ch_free(r->u.call_erase.out.canceled);
		ZERO(r->u.call_erase.out);
		break;
	case STORE_WEBHOOK_SWEEP:
		ZERO(r->u.webhook_sweep.out);
		break;
	case STORE_ATTEMPT:
		ZERO(r->u.attempt.out);
		break;
	case STORE_RESEND:
		clear_resend(&r->u.resend);
		break;
	case STORE_REPLAY_CANCEL:
		ZERO(r->u.replay_cancel.out);
		break;
	case STORE_REPLAY_STEP:
		ZERO(r->u.replay_step.out);
		break;
	case STORE_RETENTION_STEP:
		ZERO(r->u.retention_step.out);
		break;
	case STORE_WEBHOOK_CREATE:
	case STORE_WEBHOOK_UPDATE:
	case STORE_WEBHOOK_DELETE:
	case STORE_REPLAY_CREATE:
	case STORE_EVENT:
		break;
	default:
		clear_read(r);
	}
}

static void free_in(struct store_request *r)
{
	if (store_accounts_free_in(r))
		return;
	switch (r->kind) {
	case STORE_CALL_PUT:
		ch_free(r->u.call_put.in.body);
		ZERO(r->u.call_put.in);
		break;
	case STORE_WEBHOOK_CREATE:
		webhook_fini(&r->u.webhook_create.in.webhook);
		ZERO(r->u.webhook_create.in);
		break;
	case STORE_WEBHOOK_UPDATE:
		webhook_fini(&r->u.webhook_update.in.webhook);
		ZERO(r->u.webhook_update.in);
		break;
	case STORE_ATTEMPT:
		attempt_fini(&r->u.attempt.in.attempt);
		ch_free(r->u.attempt.in.next.reason);
		ZERO(r->u.attempt.in);
		break;
	case STORE_EVENT:
		ch_free(r->u.event.in.reason);
		ZERO(r->u.event.in);
		break;
	case STORE_CLAIM:
		ch_free(r->u.claim.in.skip);
		ZERO(r->u.claim.in);
		break;
	default:
		break;
	}
}

void store_request_fini(struct store_request *r)
{
	store_request_clear_out(r);
	free_in(r);
	store_audit_destroy(&r->audit);
}

bool store_kind_is_write(enum store_kind kind)
{
	CH_ASSERT(kind < STORE_KIND_COUNT);
	return kind < STORE_CALL_GET;
}

const char *store_kind_name(enum store_kind kind)
{
	CH_ASSERT(kind < STORE_KIND_COUNT);
	return kind_names[kind];
}

int64_t store_request_account(const struct store_request *r)
{
	switch (r->kind) {
	case STORE_CALL_PUT:
		return r->u.call_put.in.account;
	case STORE_CALL_ERASE:
		return r->u.call_erase.in.account;
	case STORE_WEBHOOK_CREATE:
		return r->u.webhook_create.in.webhook.account;
	case STORE_WEBHOOK_UPDATE:
		return r->u.webhook_update.in.webhook.account;
	case STORE_WEBHOOK_DELETE:
		return r->u.webhook_delete.in.account;
	case STORE_ATTEMPT:
		return r->u.attempt.in.account;
	case STORE_RESEND:
		return r->u.resend.in.account;
	case STORE_EVENT:
		return r->u.event.in.account;
	case STORE_ACCOUNT_UPDATE:
		return r->u.account_update.in.number;
	case STORE_ACCOUNT_DELETE:
		return r->u.account_delete.in.number;
	case STORE_AUDIT_ADD:
		return r->audit->account;
	case STORE_AGENT_NAME:
		return r->u.agent_name.in.account;
	case STORE_REPLAY_CREATE:
		return r->u.replay_create.in.account;
	case STORE_REPLAY_CANCEL:
		return r->u.replay_cancel.in.account;
	default:
		return 0;
	}
}
