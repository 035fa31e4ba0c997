#include "base/assert.h"
#include "store/store_memory.h"

static struct memory_webhook *receiver_of(const struct store_memory *m, int64_t account)
{
	struct memory_space *s = memory_space_find(m, account);

	if (s == NULL)
		return NULL;
	CH_LIST_FOREACH (&s->webhooks, it, nx) {
		struct memory_webhook *w = CH_CONTAINER_OF(it, struct memory_webhook, in_account);

		if (!w->settings->deleted)
			return w;
	}
	return NULL;
}

static int hand_over(struct store_memory *m, struct memory_webhook *to, struct ops_event *e,
		struct store_events *made)
{
	struct rules_receiver receiver = to->receiver;
	struct store_request put;
	struct rules_put decision;
	struct id id;
	int rc;

	if (!rules_event_has_room(&to->counts)) {
		receiver.dropped++;
		made->dropped++;
		return memory_receiver_change(m, to, &receiver);
	}
	e->dropped = receiver.dropped;
	receiver.dropped = 0;
	if (memory_receiver_change(m, to, &receiver) != 0)
		return CH_ENOMEM;
	id = id_gen_next(&m->ids);
	store_request_init(&put, STORE_CALL_PUT, NULL, NULL);
	rc = rules_event_put(e, to->settings->account, &id, &put, &decision);
	if (rc == 0)
		rc = memory_version_write(m, &put.u.call_put, &decision, NULL);
	store_request_fini(&put);
	made->made++;
	if (to->settings->enabled)
		made->webhooks[made->count++] = to->id;
	return rc;
}

int memory_event_make(struct store_memory *m, struct store_request *r, const struct memory_webhook *w,
		struct ops_event *e)
{
	int64_t account = w->settings->account;
	const int64_t targets[OPS_EVENT_TARGETS] = {ops_event_account(account), EVENT_OPERATOR};
	int rc = 0;

	if (ops_event_is_account(account) || w->settings->deleted || memory_account_is_closed(m, account))
		return 0;
	e->account = memory_account_id(m, account);
	e->webhook = w->id;
	e->url = w->settings->url;
	for (size_t i = 0; rc == 0 && i < OPS_EVENT_TARGETS; i++) {
		struct memory_webhook *to = receiver_of(m, targets[i]);

		if (to != NULL)
			rc = hand_over(m, to, e, &r->events);
	}
	return rc;
}

int memory_event(struct store_memory *m, struct store_request *r)
{
	const struct store_event *q = &r->u.event;
	const struct memory_webhook *w = memory_webhook_find(m, &q->in.webhook_id);
	struct ops_event e = {.type = q->in.type, .at_ms = q->in.now_ms, .reason = q->in.reason};

	if (w == NULL || w->settings->deleted || w->settings->account != q->in.account) {
		r->result = ch_err_set(&r->err, CH_ENOENT, "there is no such webhook");
		return 0;
	}
	return memory_event_make(m, r, w, &e);
}
