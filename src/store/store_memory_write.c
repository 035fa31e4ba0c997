#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "store/store_memory.h"

/* Functions here return what concerns the whole transaction (0 or CH_ENOMEM); what concerns one request
 * only goes into its result. */

static int refuse(struct store_request *r, int code, const char *text)
{
	r->result = ch_err_set(&r->err, code, "%s", text);
	return 0;
}

/* calls */

static bool concerns(const struct memory_webhook *w, const struct store_call_put *put)
{
	return !w->settings->deleted &&
	       webhook_wants(w->settings, put->in.facts.status, &put->in.facts.agent_id);
}

static size_t count_concerned(const struct memory_space *s, const struct store_call_put *put)
{
	size_t count = 0;

	CH_LIST_FOREACH (&s->webhooks, it, nx) {
		if (concerns(CH_CONTAINER_OF(it, struct memory_webhook, in_account), put))
			count++;
	}
	return count;
}

static int make_delivery(struct store_memory *m, struct store_call_put *put, const struct rules_put *decision,
		struct memory_webhook *w)
{
	struct id id = id_gen_next(&m->ids);
	struct delivery row;

	if (rules_delivery_make(put, decision, w->settings, &id, put->out.body, &row) != 0)
		return CH_ENOMEM;
	if (memory_delivery_copy(&row, true, &put->out.deliveries[put->out.delivery_count]) != 0) {
		delivery_fini(&row);
		return CH_ENOMEM;
	}
	put->out.delivery_count++;
	if (memory_delivery_add(m, w, &row) != 0) {
		delivery_fini(&row);
		return CH_ENOMEM;
	}
	return 0;
}

static int make_deliveries(
		struct store_memory *m, struct store_call_put *put, const struct rules_put *decision)
{
	struct memory_space *s = memory_space_find(m, put->in.account);
	size_t count = s == NULL ? 0 : count_concerned(s, put);

	if (count == 0)
		return 0;
	put->out.deliveries = ch_calloc(count, sizeof(struct delivery));
	if (put->out.deliveries == NULL)
		return CH_ENOMEM;
	CH_LIST_FOREACH (&s->webhooks, it, nx) {
		struct memory_webhook *w = CH_CONTAINER_OF(it, struct memory_webhook, in_account);

		if (concerns(w, put) && make_delivery(m, put, decision, w) != 0)
			return CH_ENOMEM;
	}
	return 0;
}

static int store_version(struct store_memory *m, struct store_call_put *put, const struct rules_put *decision,
		struct memory_call *call)
{
	struct memory_call_key key = {put->in.account, put->in.facts.id};
	struct memory_version v = {
			.number = decision->version,
			.status = put->in.facts.status,
			.type = put->in.facts.type,
			.created_s = decision->created_s,
			.accepted_ms = put->in.now_ms,
			.agent = put->in.facts.agent_id,
			.seq = ++m->versions_made,
			.body = ch_bytes_create(put->in.body, put->in.body_len),
	};
	int rc;

	if (v.body == NULL)
		return CH_ENOMEM;
	memcpy(v.phone, put->in.facts.phone, sizeof(v.phone));
	rc = call == NULL ? memory_call_add(m, &key, &v) : memory_call_change(m, call, &v);
	if (rc != 0) {
		ch_bytes_unref(&v.body);
		return rc;
	}
	put->out.body = ch_bytes_ref(v.body);
	return memory_finished_add(m, memory_call_find(m, key.account, &key.id));
}

int memory_version_write(struct store_memory *m, struct store_call_put *put, const struct rules_put *decision,
		struct memory_call *call)
{
	if (store_version(m, put, decision, call) != 0)
		return CH_ENOMEM;
	return decision->makes_deliveries ? make_deliveries(m, put, decision) : 0;
}

static int call_put(struct store_memory *m, struct store_request *r)
{
	struct store_call_put *put = &r->u.call_put;
	struct memory_call *call = memory_call_find(m, put->in.account, &put->in.facts.id);
	struct rules_stored stored;
	struct rules_put decision;

	if (memory_account_is_closed(m, put->in.account))
		return refuse(r, CH_ENOENT, "the account is deleted");
	if (call != NULL)
		stored = (struct rules_stored){call->latest.number, call->latest.status,
				call->latest.created_s, call->latest.body->data, call->latest.body->len};
	r->result = rules_put_decide(put, call == NULL ? NULL : &stored, &decision, &r->err);
	if (r->result != 0)
		return 0;
	put->out.what = decision.what;
	put->out.version = decision.version;
	if (decision.what == STORE_PUT_UNCHANGED) {
		CH_ASSERT(call != NULL);
		put->out.body = ch_bytes_ref(call->latest.body);
		return 0;
	}
	if (memory_agent_seen(m, put->in.account, &put->in.facts.agent_id) != 0)
		return CH_ENOMEM;
	return memory_version_write(m, put, &decision, call);
}

/* webhooks */

/* NULL when there is none that this account could know of. */
static struct memory_webhook *own_webhook(const struct store_memory *m, int64_t account, const struct id *id)
{
	struct memory_webhook *w = memory_webhook_find(m, id);

	return w == NULL || w->settings->deleted || w->settings->account != account ? NULL : w;
}

static int count_webhooks(const struct store_memory *m, int64_t account)
{
	const struct memory_space *s = memory_space_find(m, account);
	int count = 0;

	if (s == NULL)
		return 0;
	CH_LIST_FOREACH (&s->webhooks, it, nx) {
		if (!CH_CONTAINER_OF(it, struct memory_webhook, in_account)->settings->deleted)
			count++;
	}
	return count;
}

/* NULL: none of the account's serves what is asked for. */
static const struct webhook *find_same(const struct store_memory *m, const struct webhook *wanted)
{
	const struct memory_space *s = memory_space_find(m, wanted->account);

	if (s == NULL)
		return NULL;
	CH_LIST_FOREACH (&s->webhooks, it, nx) {
		const struct webhook *w = CH_CONTAINER_OF(it, struct memory_webhook, in_account)->settings;

		if (!w->deleted && rules_webhook_serves(w, wanted))
			return w;
	}
	return NULL;
}

static int webhook_create(struct store_memory *m, struct store_request *r)
{
	const struct webhook *in = &r->u.webhook_create.in.webhook;
	const struct webhook *same = NULL;
	struct webhook *settings;

	if (memory_account_is_closed(m, in->account))
		return refuse(r, CH_ENOENT, "the account is deleted");
	if (memory_webhook_find(m, &in->id) != NULL)
		return refuse(r, CH_EEXIST, "there is a webhook with this id already");
	if (r->u.webhook_create.in.is_once)
		same = find_same(m, in);
	if (same != NULL) {
		r->u.webhook_create.out.same = same->id;
		return refuse(r, CH_EEXIST, "a webhook sends these calls to this URL already");
	}
	if (count_webhooks(m, in->account) >= r->u.webhook_create.in.max_webhooks) {
		r->result = ch_err_set(&r->err, CH_ELIMIT,
				"the account has %d webhooks already, the most it may have",
				count_webhooks(m, in->account));
		return 0;
	}
	settings = webhook_clone(in);
	if (settings == NULL)
		return CH_ENOMEM;
	settings->revision = 1;
	settings->deleted = false;
	if (memory_webhook_add(m, settings) != 0) {
		webhook_destroy(&settings);
		return CH_ENOMEM;
	}
	return 0;
}

static int change_settings(struct store_memory *m, struct memory_webhook *w, struct webhook *settings,
		enum rules_task task)
{
	settings->account = w->settings->account;
	settings->created_ms = w->settings->created_ms;
	settings->revision = w->settings->revision + 1;
	if (memory_webhook_change(m, w, settings, task) != 0) {
		webhook_destroy(&settings);
		return CH_ENOMEM;
	}
	return 0;
}

/* For a reason: not by the customer, who knows. */
static int tell_disabled(struct store_memory *m, struct store_request *r, const struct memory_webhook *w)
{
	struct ops_event e = {
			.type = EVENT_WEBHOOK_DISABLED,
			.at_ms = r->u.webhook_update.in.now_ms,
			.reason = w->settings->disabled_reason,
	};

	return e.reason == NULL ? 0 : memory_event_make(m, r, w, &e);
}

static int webhook_update(struct store_memory *m, struct store_request *r)
{
	const struct webhook *in = &r->u.webhook_update.in.webhook;
	struct memory_webhook *w = own_webhook(m, in->account, &in->id);
	struct rules_receiver receiver;
	struct webhook *settings;

	if (w == NULL)
		return refuse(r, CH_ENOENT, "there is no such webhook");
	if (w->settings->revision != in->revision)
		return refuse(r, CH_ECONFLICT, "the webhook was changed by somebody else meanwhile");
	settings = webhook_clone(in);
	if (settings == NULL)
		return CH_ENOMEM;
	settings->deleted = false;
	receiver = w->receiver;
	if (rules_receiver_update(w->settings, settings, r->u.webhook_update.in.ends_quiet, &receiver) &&
			memory_receiver_change(m, w, &receiver) != 0) {
		webhook_destroy(&settings);
		return CH_ENOMEM;
	}
	bool is_switched_off = w->settings->enabled && !settings->enabled;
	if (change_settings(m, w, settings,
			    rules_task_after(w->task, settings, r->u.webhook_update.in.release)) != 0)
		return CH_ENOMEM;
	return is_switched_off ? tell_disabled(m, r, w) : 0;
}

int memory_webhook_close(struct store_memory *m, struct memory_webhook *w)
{
	struct webhook *settings = webhook_clone(w->settings);

	if (settings == NULL)
		return CH_ENOMEM;
	settings->deleted = true;
	webhook_drop_secrets(settings);
	return change_settings(m, w, settings, RULES_TASK_FOLLOW);
}

static int webhook_delete(struct store_memory *m, struct store_request *r)
{
	struct memory_webhook *w = own_webhook(m, r->u.webhook_delete.in.account, &r->u.webhook_delete.in.id);

	if (w == NULL)
		return refuse(r, CH_ENOENT, "there is no such webhook");
	return memory_webhook_close(m, w);
}

/* The next row that the sweep moves; NULL: none is left. */
static struct memory_delivery *sweep_next(const struct memory_webhook *w, const struct rules_sweep *sweep)
{
	struct due_node *n = sweep->takes_pending ? due_first(&w->pending) : NULL;

	if (n == NULL && sweep->takes_parked)
		n = due_first(&w->parked);
	return n == NULL ? NULL : CH_CONTAINER_OF(n, struct memory_delivery, due);
}

static int webhook_sweep(struct store_memory *m, struct store_request *r)
{
	struct store_webhook_sweep *in = &r->u.webhook_sweep;
	struct memory_webhook *w = memory_webhook_find(m, &in->in.id);
	struct memory_delivery *d = NULL;
	struct rules_sweep sweep;

	if (w == NULL)
		return refuse(r, CH_ENOENT, "there is no such webhook");
	if (!rules_sweep_decide(w->settings, w->task, &sweep))
		return memory_webhook_swept(m, w);
	while ((d = sweep_next(w, &sweep)) != NULL && in->out.moved < in->in.limit) {
		struct rules_row row = memory_row_of(d);

		rules_sweep_apply(&sweep, in->in.now_ms, &row);
		if (memory_delivery_change(m, d, &row) != 0)
			return CH_ENOMEM;
		in->out.moved++;
	}
	in->out.more = d != NULL;
	in->out.released = sweep.to == DELIVERY_PENDING && in->out.moved > 0;
	return in->out.more ? 0 : memory_webhook_swept(m, w);
}

/* attempts, resends, accounts */

static int attempt_add(struct store_memory *m, struct memory_delivery *d, const struct store_attempt *a)
{
	struct rules_row row = memory_row_of(d);
	struct rules_receiver receiver = d->webhook->receiver;

	rules_attempt_apply(a, &row);
	if (rules_receiver_note(a, &receiver) && memory_receiver_change(m, d->webhook, &receiver) != 0)
		return CH_ENOMEM;
	if (memory_delivery_change(m, d, &row) != 0)
		return CH_ENOMEM;
	return memory_attempt_add(m, d, &a->in.attempt);
}

static int tell_failed(struct store_memory *m, struct store_request *r, const struct memory_delivery *d)
{
	const struct store_attempt *q = &r->u.attempt;
	struct ops_event e = {.type = EVENT_DELIVERY_FAILED,
			.at_ms = q->in.next.finished_ms,
			.reason = q->in.next.reason,
			.delivery = {d->row.id, d->row.call_id, d->row.attempts}};

	return memory_event_make(m, r, d->webhook, &e);
}

static int attempt_write(struct store_memory *m, struct store_request *r)
{
	struct store_attempt *a = &r->u.attempt;
	struct memory_delivery *d = memory_delivery_find(m, &a->in.attempt.delivery_id);

	if (d == NULL || d->row.account != a->in.account || !id_equal(&d->row.webhook_id, &a->in.webhook_id))
		return refuse(r, CH_ENOENT, "there is no such delivery");
	if (memory_is_erased(m, d))
		rules_attempt_strip(&a->in.attempt);
	bool was_failed = d->row.state == DELIVERY_FAILED;
	if (!memory_has_attempt(d, &a->in.attempt.id) && attempt_add(m, d, a) != 0)
		return CH_ENOMEM;
	if (!was_failed && d->row.state == DELIVERY_FAILED && tell_failed(m, r, d) != 0)
		return CH_ENOMEM;
	a->out.state = d->row.state;
	a->out.pending = d->webhook->counts.pending;
	a->out.is_hopeless = rules_receiver_is_hopeless(a, d->webhook->settings, &d->webhook->receiver);
	return 0;
}

static int resend(struct store_memory *m, struct store_request *r)
{
	struct store_resend *q = &r->u.resend;
	struct memory_delivery *d = memory_delivery_find(m, &q->in.id);
	struct rules_row row;

	if (d == NULL || d->row.account != q->in.account)
		return refuse(r, CH_ENOENT, "there is no such delivery");
	row = memory_row_of(d);
	row.is_erased = memory_is_erased(m, d);
	r->result = rules_resend_apply(d->webhook->settings, q->in.now_ms, &row, &r->err);
	if (r->result != 0)
		return 0;
	q->out.news = ch_calloc(1, sizeof(struct delivery));
	if (q->out.news == NULL || memory_delivery_change(m, d, &row) != 0)
		return CH_ENOMEM;
	if (memory_delivery_copy(&d->row, true, q->out.news) != 0)
		return CH_ENOMEM;
	return memory_delivery_copy(&d->row, false, &q->out.delivery);
}

int memory_write_one(struct store_memory *m, struct store_request *r)
{
	r->result = 0;
	r->events = (struct store_events){0};
	switch (r->kind) {
	case STORE_CALL_PUT:
		return call_put(m, r);
	case STORE_CALL_ERASE:
		return memory_call_erase(m, r);
	case STORE_WEBHOOK_CREATE:
		return webhook_create(m, r);
	case STORE_WEBHOOK_UPDATE:
		return webhook_update(m, r);
	case STORE_WEBHOOK_DELETE:
		return webhook_delete(m, r);
	case STORE_WEBHOOK_SWEEP:
		return webhook_sweep(m, r);
	case STORE_ATTEMPT:
		return attempt_write(m, r);
	case STORE_RESEND:
		return resend(m, r);
	case STORE_AGENT_NAME:
		return memory_agent_name(m, r);
	case STORE_REPLAY_CREATE:
		return memory_replay_create(m, r);
	case STORE_REPLAY_CANCEL:
		return memory_replay_cancel(m, r);
	case STORE_REPLAY_STEP:
		return memory_replay_step(m, r);
	case STORE_RETENTION_STEP:
		return memory_retention_step(m, r);
	case STORE_EVENT:
		return memory_event(m, r);
	case STORE_ACCOUNT_CREATE:
	case STORE_ACCOUNT_UPDATE:
	case STORE_ACCOUNT_DELETE:
	case STORE_ACCOUNT_SWEEP:
	case STORE_AUDIT_ADD:
	case STORE_SPEND:
		return memory_account_write(m, r);
	default:
		CH_UNREACHABLE();
	}
}
