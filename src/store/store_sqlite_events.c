#include <limits.h>
#include <string.h>

#include "base/assert.h"
#include "base/crash_point.h"
#include "store/store_sqlite.h"

static const char doing[] = "store the event";

/* "": there is no such account, as store/rules.h allows. */
static int read_account(struct sq_conn *c, int64_t number, char ret[ACCOUNT_ID_MAX + 1], struct ch_err *err)
{
	bool has_row = false;
	int rc;

	ret[0] = '\0';
	sq_bind_int(c, SQ_EVENT_ACCOUNT, 1, number);
	rc = sq_fetch(c, SQ_EVENT_ACCOUNT, &has_row, doing, err);
	if (rc != 0 || !has_row)
		return rc;
	const unsigned char *text = sqlite3_column_text(c->stmts[SQ_EVENT_ACCOUNT], 0);
	size_t len = (size_t)sqlite3_column_bytes(c->stmts[SQ_EVENT_ACCOUNT], 0);
	if (text == NULL || len > ACCOUNT_ID_MAX)
		rc = sq_damaged("an account has no id", err);
	else
		memcpy(ret, text, len + 1);
	sq_reset(c, SQ_EVENT_ACCOUNT);
	return rc;
}

/* Whether or not it finds room, the receiver's row is written: with one delivery more or one dropped more. */
static int hand_over(struct store_sqlite *s, struct sq_hook *to, struct ops_event *e,
		struct store_events *made, struct ch_err *err)
{
	struct rules_receiver receiver = to->receiver;
	struct store_request put;
	struct rules_put decision;
	bool is_inserted = false;

	if (!rules_event_has_room(&to->counts)) {
		receiver.dropped++;
		made->dropped++;
		sq_hook_set_receiver(&s->hooks, to, &receiver);
		return 0;
	}
	e->dropped = receiver.dropped;
	receiver.dropped = 0;
	sq_hook_set_receiver(&s->hooks, to, &receiver);
	struct id id = sq_next_id(s, e->at_ms);
	store_request_init(&put, STORE_CALL_PUT, NULL, NULL);
	int rc = rules_event_put(e, to->account, &id, &put, &decision) == 0 ? 0 : sq_no_memory(err);
	if (rc == 0)
		rc = sq_version_write(s, &put.u.call_put, &decision, &is_inserted, err);
	if (rc == 0 && !is_inserted)
		rc = sq_damaged("the ids of events do not count up", err);
	store_request_fini(&put);
	made->made++;
	if (to->settings->enabled)
		made->webhooks[made->count++] = to->id;
	return rc;
}

int sq_event_make(struct store_sqlite *s, struct store_request *r, const struct sq_hook *hook,
		struct ops_event *e, struct ch_err *err)
{
	const int64_t targets[OPS_EVENT_TARGETS] = {ops_event_account(hook->account), EVENT_OPERATOR};
	char account[ACCOUNT_ID_MAX + 1] = "";
	int rc = 0;

	if (ops_event_is_account(hook->account) || hook->settings == NULL || sq_is_closed(s, hook->account))
		return 0;
	e->webhook = hook->id;
	e->url = hook->settings->url;
	for (size_t i = 0; rc == 0 && i < OPS_EVENT_TARGETS; i++) {
		struct sq_group *g = sq_group_find(&s->hooks, targets[i]);

		if (g == NULL || g->count == 0)
			continue;
		if (e->account == NULL)
			rc = read_account(&s->conn, hook->account, account, err);
		e->account = account;
		if (rc == 0)
			rc = hand_over(s, g->hooks[0], e, &r->events, err);
		CH_CRASH_POINT(event_inside);
	}
	e->account = NULL;
	return rc;
}

static bool has_receiver(const struct store_sqlite *s, int64_t account)
{
	const struct sq_group *own = sq_group_find(&s->hooks, ops_event_account(account));
	const struct sq_group *operators = sq_group_find(&s->hooks, EVENT_OPERATOR);

	return (own != NULL && own->count > 0) || (operators != NULL && operators->count > 0);
}

int sq_event_failed(struct store_sqlite *s, struct store_request *r, const struct sq_hook *hook, int64_t key,
		struct ch_err *err)
{
	const struct store_attempt *q = &r->u.attempt;
	struct ops_event e = {.type = EVENT_DELIVERY_FAILED,
			.at_ms = q->in.next.finished_ms,
			.reason = q->in.next.reason,
			.delivery.id = q->in.attempt.delivery_id};
	struct sq_conn *c = &s->conn;
	bool has_row = false;
	int rc;

	if (!has_receiver(s, hook->account))
		return 0;
	sq_bind_int(c, SQ_EVENT_DELIVERY, 1, hook->number);
	sq_bind_int(c, SQ_EVENT_DELIVERY, 2, key);
	rc = sq_fetch(c, SQ_EVENT_DELIVERY, &has_row, doing, err);
	if (rc == 0 && (!has_row || !sq_id(c, SQ_EVENT_DELIVERY, 0, &e.delivery.call) ||
				       !sq_enum(c, SQ_EVENT_DELIVERY, 1, INT_MAX, &e.delivery.attempts)))
		rc = sq_damaged("a delivery has no call", err);
	sq_reset(c, SQ_EVENT_DELIVERY);
	return rc == 0 ? sq_event_make(s, r, hook, &e, err) : rc;
}

int sq_event(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	const struct store_event *q = &r->u.event;
	const struct sq_hook *hook = sq_hook_find(&s->hooks, &q->in.webhook_id);
	struct ops_event e = {.type = q->in.type, .at_ms = q->in.now_ms, .reason = q->in.reason};

	if (hook == NULL || hook->settings == NULL || hook->account != q->in.account) {
		r->result = ch_err_set(&r->err, CH_ENOENT, "there is no such webhook");
		return 0;
	}
	return sq_event_make(s, r, hook, &e, err);
}
