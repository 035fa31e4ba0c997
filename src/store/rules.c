#include "store/rules.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "model/call_codec.h"
#include "store/store.h"

static const char parked_reason[] = "the webhook is switched off";
static const char deleted_reason[] = "the webhook was deleted";
const char rules_erased[] = "the call was erased";
const char rules_expired[] = "it was parked for longer than calls are kept";

static const char *parked_because(const struct webhook *w)
{
	return w->disabled_reason != NULL ? w->disabled_reason : parked_reason;
}

static bool has_condition(const struct store_call_put *put)
{
	return put->in.if_match_any || put->in.if_match_count > 0;
}

static bool etag_matches(const struct store_call_put *put, const struct rules_stored *stored)
{
	uint8_t digest[CH_SHA256_BYTES];

	if (put->in.if_match_any)
		return true;
	CH_ASSERT(put->in.if_match_count <= STORE_IF_MATCH_MAX);
	ch_sha256(stored->body, stored->body_len, digest);
	for (size_t i = 0; i < put->in.if_match_count; i++) {
		if (memcmp(put->in.if_match[i], digest, STORE_ETAG_BYTES) == 0)
			return true;
	}
	return false;
}

static bool is_same_body(const struct store_call_put *put, const struct rules_stored *stored)
{
	return put->in.body_len == stored->body_len &&
	       memcmp(put->in.body, stored->body, stored->body_len) == 0;
}

static int decide_first(const struct store_call_put *put, struct rules_put *ret, struct ch_err *err)
{
	if (has_condition(put))
		return ch_err_set(err, CH_EPRECOND, "If-Match was given, but there is no such call yet");
	*ret = (struct rules_put){
			.what = STORE_PUT_CREATED,
			.version = 1,
			.created_s = put->in.facts.created_s,
			.makes_deliveries = call_status_is_final(put->in.facts.status),
	};
	return 0;
}

/* The condition is asked before anything else, so that a stale writer learns that it is stale even when
 * what it sends happens to be what is stored. The same bytes come before the conflict, so that sending
 * a record again is always safe. */
static int decide_later(struct store_call_put *put, const struct rules_stored *stored, struct rules_put *ret,
		struct ch_err *err)
{
	bool was_final = call_status_is_final(stored->status);
	bool is_final = call_status_is_final(put->in.facts.status);

	if (stored->body_len == 0)
		return ch_err_set(err, CH_EGONE, "%s", rules_erased);
	if (has_condition(put) && !etag_matches(put, stored))
		return ch_err_set(err, CH_EPRECOND,
				"the call has changed: If-Match does not name its latest version");
	if (put->in.if_none_match_any)
		return ch_err_set(err, CH_EPRECOND, "If-None-Match was given, but there is such a call");
	call_body_set_created(put->in.body, put->in.body_len, stored->created_s);
	if (is_same_body(put, stored)) {
		*ret = (struct rules_put){STORE_PUT_UNCHANGED, stored->version, stored->created_s, false};
		return 0;
	}
	if (was_final && !is_final)
		return ch_err_set(err, CH_ECONFLICT, "the call is %s and can't go back to IN_PROGRESS",
				call_status_name(stored->status));
	*ret = (struct rules_put){
			.what = STORE_PUT_REPLACED,
			.version = stored->version + 1,
			.created_s = stored->created_s,
			.makes_deliveries = is_final && (!was_final || put->in.notify),
	};
	return 0;
}

int rules_put_decide(struct store_call_put *put, const struct rules_stored *stored, struct rules_put *ret,
		struct ch_err *err)
{
	return stored == NULL ? decide_first(put, ret, err) : decide_later(put, stored, ret, err);
}

int rules_delivery_make(const struct store_call_put *put, const struct rules_put *decision,
		const struct webhook *w, const struct id *id, struct ch_bytes *body, struct delivery *ret)
{
	char *reason = NULL;

	CH_ASSERT(!w->deleted && decision->makes_deliveries);
	if (!w->enabled) {
		reason = ch_strdup(parked_because(w));
		if (reason == NULL)
			return CH_ENOMEM;
	}
	*ret = (struct delivery){
			.id = *id,
			.account = put->in.account,
			.webhook_id = w->id,
			.call_id = put->in.facts.id,
			.version = decision->version,
			.call_status = put->in.facts.status,
			.state = w->enabled ? DELIVERY_PENDING : DELIVERY_PARKED,
			.created_ms = put->in.now_ms,
			.due_ms = w->enabled ? put->in.now_ms : 0,
			.reason = reason,
			.body = ch_bytes_ref(body),
	};
	return 0;
}

/* Only a PENDING row takes what the attempt says; any other was decided meanwhile by somebody else, and
 * just the good news still counts. */
static bool attempt_decides(enum delivery_state stored, enum delivery_state next)
{
	switch (stored) {
	case DELIVERY_PENDING:
		return true;
	case DELIVERY_FAILED:
	case DELIVERY_PARKED:
	case DELIVERY_CANCELED:
		return next == DELIVERY_DELIVERED;
	case DELIVERY_DELIVERED:
		return false;
	case DELIVERY_DELIVERING:
	case DELIVERY_STATE_COUNT:
		break;
	}
	CH_UNREACHABLE();
}

/* An attempt of another round knows nothing of the tries and the schedule of this one; that the receiver
 * has the news is true in every round. */
void rules_attempt_apply(const struct store_attempt *a, struct rules_row *row)
{
	enum delivery_state next = a->in.next.state;
	bool is_end = next == DELIVERY_DELIVERED || next == DELIVERY_FAILED;
	bool is_stale = a->in.round != row->round;

	CH_ASSERT(is_end || next == DELIVERY_PENDING || next == DELIVERY_PARKED);
	row->attempts++;
	if (row->state != DELIVERY_DELIVERED && !is_stale)
		row->tries = a->in.next.tries;
	if (!attempt_decides(row->state, next) || (is_stale && next != DELIVERY_DELIVERED))
		return;
	row->state = next == DELIVERY_FAILED && row->was_delivered ? DELIVERY_DELIVERED : next;
	row->was_delivered = row->was_delivered || row->state == DELIVERY_DELIVERED;
	row->due_ms = next == DELIVERY_PENDING ? a->in.next.due_ms : 0;
	row->finished_ms = is_end ? a->in.next.finished_ms : 0;
	row->reason = a->in.next.reason;
}

void rules_erase_apply(int64_t now_ms, struct rules_row *row)
{
	CH_ASSERT(row->state == DELIVERY_PENDING || row->state == DELIVERY_PARKED);
	row->state = DELIVERY_CANCELED;
	row->due_ms = 0;
	row->finished_ms = now_ms;
	row->reason = rules_erased;
}

void rules_expire_apply(int64_t now_ms, struct rules_row *row)
{
	CH_ASSERT(row->state == DELIVERY_PARKED);
	row->state = DELIVERY_CANCELED;
	row->due_ms = 0;
	row->finished_ms = now_ms;
	row->reason = rules_expired;
}

void rules_attempt_strip(struct attempt *a)
{
	ch_free(a->answer);
	ch_free(a->location);
	a->answer = NULL;
	a->answer_len = 0;
	a->location = NULL;
}

static int refuse_canceled(const struct rules_row *row, struct ch_err *err)
{
	if (row->reason == NULL)
		return ch_err_set(err, CH_ECONFLICT, "it was canceled");
	return ch_err_set(err, CH_ECONFLICT, "it was canceled: %s", row->reason);
}

int rules_resend_apply(const struct webhook *w, int64_t now_ms, struct rules_row *row, struct ch_err *err)
{
	if (row->state == DELIVERY_CANCELED)
		return refuse_canceled(row, err);
	if (w->deleted)
		return ch_err_set(err, CH_ENOENT, "there is no such delivery");
	if (row->is_erased)
		return ch_err_set(err, CH_ECONFLICT, "%s", rules_erased);
	if (!w->enabled)
		return ch_err_set(err, CH_ECONFLICT, "the webhook is switched off");
	row->was_delivered = row->was_delivered || row->state == DELIVERY_DELIVERED;
	row->state = DELIVERY_PENDING;
	row->round++;
	row->tries = 0;
	row->due_ms = now_ms;
	row->finished_ms = 0;
	row->reason = NULL;
	return 0;
}

/* replays */

const char rules_replay_off[] = "it waits: the webhook is switched off";
const char rules_replay_deleted[] = "the webhook was deleted";
const char rules_replay_asked[] = "it was asked to stop";

bool rules_replay_apply(const struct replay *p, enum call_status status, int64_t made_ms, int64_t now_ms,
		struct rules_row *row)
{
	static const struct webhook on = {.enabled = true};

	if (made_ms < p->from_ms || made_ms >= p->to_ms || (p->states & 1u << row->state) == 0 ||
			(p->statuses & 1u << status) == 0 || row->state == DELIVERY_PENDING)
		return false;
	return rules_resend_apply(&on, now_ms, row, NULL) == 0;
}

int64_t rules_replay_wait_ms(const struct replay *p, size_t opened)
{
	return p->rate == 0 ? 0 : (int64_t)opened * 1000 / p->rate;
}

/* A quarter of a second's worth at once: finer steps would be commits of a row each. */
size_t rules_replay_room(const struct replay *p, size_t limit)
{
	size_t room = p->rate == 0 ? limit : (size_t)p->rate / 4;

	return room < 1 ? 1 : room > limit ? limit : room;
}

/* receivers */

static bool note_outcome(const struct store_attempt *a, struct streak *s)
{
	if (a->in.is_ours || a->in.attempt.outcome == ATTEMPT_LOCAL)
		return false;
	if (a->in.next.state != DELIVERY_DELIVERED) {
		streak_note_failure(s, &a->in.attempt.delivery_id, a->in.attempt.started_ms);
		return true;
	}
	if (s->since_ms == 0)
		return false;
	streak_note_success(s);
	return true;
}

bool rules_webhook_serves(const struct webhook *w, const struct webhook *wanted)
{
	if (!w->enabled || w->statuses != wanted->statuses || w->agent_count != wanted->agent_count ||
			strcmp(w->url, wanted->url) != 0)
		return false;
	for (size_t i = 0; i < w->agent_count; i++) {
		if (id_compare(&w->agent_ids[i], &wanted->agent_ids[i]) != 0)
			return false;
	}
	return true;
}

bool rules_receiver_note(const struct store_attempt *a, struct rules_receiver *r)
{
	bool has_changed = note_outcome(a, &r->streak);

	if (a->in.quiet_until_ms <= r->quiet_until_ms)
		return has_changed;
	r->quiet_until_ms = a->in.quiet_until_ms;
	r->quiet_status = a->in.quiet_status;
	return true;
}

bool rules_receiver_update(const struct webhook *old, const struct webhook *settings, bool ends_quiet,
		struct rules_receiver *r)
{
	bool is_another = strcmp(old->url, settings->url) != 0;
	bool is_switched_on = !old->enabled && settings->enabled;
	bool has_changed = false;

	if ((is_another || is_switched_on) && r->streak.since_ms != 0) {
		r->streak = (struct streak){0};
		has_changed = true;
	}
	if ((is_another || ends_quiet) && r->quiet_until_ms != 0) {
		r->quiet_until_ms = 0;
		r->quiet_status = 0;
		has_changed = true;
	}
	return has_changed;
}

bool rules_receiver_is_hopeless(
		const struct store_attempt *a, const struct webhook *w, const struct rules_receiver *r)
{
	return w != NULL && !w->deleted && w->enabled && !a->in.is_ours &&
	       a->in.attempt.outcome != ATTEMPT_LOCAL && a->in.next.state != DELIVERY_DELIVERED &&
	       streak_is_hopeless(&r->streak, a->in.attempt.started_ms);
}

/* events */

bool rules_event_has_room(const struct ledger *counts)
{
	return counts->pending + counts->parked < RULES_EVENTS_WAITING_MAX;
}

/* A call that was COMPLETED is what the receiver, a webhook with the usual settings, is to be told of. */
int rules_event_put(const struct ops_event *e, int64_t account, const struct id *id,
		struct store_request *put, struct rules_put *ret)
{
	struct store_call_put *p = &put->u.call_put;
	struct ch_buf body;

	ch_buf_init(&body, OPS_EVENT_JSON_MAX);
	int rc = ops_event_write(e, &body);
	size_t len = body.len;
	char *text = rc == 0 ? ch_buf_detach(&body) : NULL;
	ch_buf_fini(&body);
	if (text == NULL)
		return CH_ENOMEM;
	p->in.account = account;
	p->in.facts.id = *id;
	p->in.facts.status = CALL_COMPLETED;
	p->in.body = text;
	p->in.body_len = len;
	p->in.now_ms = e->at_ms;
	*ret = (struct rules_put){STORE_PUT_CREATED, 1, e->at_ms / 1000, true};
	return 0;
}

/* sweeps */

/* Switched on again before all rows were parked: the rest stay PENDING, as they would have become. */
enum rules_task rules_task_after(enum rules_task before, const struct webhook *settings, bool release)
{
	if (!settings->enabled)
		return RULES_TASK_FOLLOW;
	return release || before == RULES_TASK_RELEASE ? RULES_TASK_RELEASE : RULES_TASK_NONE;
}

bool rules_sweep_decide(const struct webhook *w, enum rules_task task, struct rules_sweep *ret)
{
	if (w->deleted)
		*ret = (struct rules_sweep){DELIVERY_CANCELED, true, true, deleted_reason};
	else if (!w->enabled)
		*ret = (struct rules_sweep){DELIVERY_PARKED, true, false, parked_because(w)};
	else if (task == RULES_TASK_RELEASE)
		*ret = (struct rules_sweep){DELIVERY_PENDING, false, true, NULL};
	else
		return false;
	return true;
}

void rules_sweep_apply(const struct rules_sweep *sweep, int64_t now_ms, struct rules_row *row)
{
	CH_ASSERT((row->state == DELIVERY_PENDING && sweep->takes_pending) ||
			(row->state == DELIVERY_PARKED && sweep->takes_parked));
	row->state = sweep->to;
	if (sweep->to == DELIVERY_PENDING)
		row->tries = 0; /* a fresh schedule: the time while parked was not the receiver's failing */
	row->due_ms = sweep->to == DELIVERY_PENDING ? now_ms : 0;
	row->finished_ms = sweep->to == DELIVERY_CANCELED ? now_ms : 0;
	row->reason = sweep->reason;
}

static int64_t *ledger_place(struct ledger *l, enum delivery_state s)
{
	switch (s) {
	case DELIVERY_PENDING:
	case DELIVERY_DELIVERING:
		return &l->pending;
	case DELIVERY_DELIVERED:
		return &l->delivered;
	case DELIVERY_FAILED:
		return &l->failed;
	case DELIVERY_PARKED:
		return &l->parked;
	case DELIVERY_CANCELED:
		return &l->canceled;
	case DELIVERY_STATE_COUNT:
		break;
	}
	CH_UNREACHABLE();
}

void rules_ledger_made(struct ledger *l, enum delivery_state s)
{
	l->accepted++;
	(*ledger_place(l, s))++;
}

void rules_ledger_moved(struct ledger *l, enum delivery_state from, enum delivery_state to)
{
	(*ledger_place(l, from))--;
	(*ledger_place(l, to))++;
	CH_ASSERT(*ledger_place(l, from) >= 0);
}

void rules_ledger_add(struct ledger *sum, const struct ledger *l)
{
	sum->accepted += l->accepted;
	sum->pending += l->pending;
	sum->delivered += l->delivered;
	sum->failed += l->failed;
	sum->parked += l->parked;
	sum->canceled += l->canceled;
}

void rules_batch_done(struct store_request *const *requests, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct store_request *r = requests[i];

		if (r->result != 0)
			continue;
		if (r->kind == STORE_WEBHOOK_CREATE)
			r->u.webhook_create.in.webhook.revision = 1;
		else if (r->kind == STORE_WEBHOOK_UPDATE)
			r->u.webhook_update.in.webhook.revision++;
	}
}

void rules_batch_failed(struct store_request *const *requests, size_t n, int code, const char *text)
{
	CH_ASSERT(code < 0);
	for (size_t i = 0; i < n; i++) {
		store_request_clear_out(requests[i]);
		requests[i]->result = ch_err_set(&requests[i]->err, code, "%s", text);
	}
}

bool store_sweep_after(const struct store_request *done, struct id *ret)
{
	if (done->result != 0)
		return false;
	switch (done->kind) {
	case STORE_WEBHOOK_UPDATE:
		if (done->u.webhook_update.in.webhook.enabled && !done->u.webhook_update.in.release)
			return false;
		*ret = done->u.webhook_update.in.webhook.id;
		return true;
	case STORE_WEBHOOK_DELETE:
		*ret = done->u.webhook_delete.in.id;
		return true;
	case STORE_WEBHOOK_SWEEP:
		if (!done->u.webhook_sweep.out.more)
			return false;
		*ret = done->u.webhook_sweep.in.id;
		return true;
	default:
		return false;
	}
}
