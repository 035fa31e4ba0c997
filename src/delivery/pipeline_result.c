#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crash_point.h"
#include "delivery/pipeline.h"

/* ---- counters and log ---- */

static void count(atomic_ullong *c, unsigned long long n)
{
	atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static void count_bucket(atomic_ullong buckets[12], int64_t us)
{
	int i = 0;
	while (i < 11 && us > (int64_t)engine_bucket_bounds_ms[i] * 1000)
		i++;
	count(&buckets[i], 1);
}

static void count_attempt(struct engine *e, const struct transport_job *job)
{
	const struct attempt *a = &job->attempt;
	count(&e->stats.attempts[a->outcome], 1);
	if (a->outcome == ATTEMPT_ANSWERED && a->status >= 100 && a->status < 600)
		count(&e->stats.answers[a->status / 100], 1);
	if (job->reused_connection)
		count(&e->stats.reused_connections, 1);
	if (a->total_us < 0)
		return;
	count(&e->stats.attempt_us, (unsigned long long)a->total_us);
	count_bucket(e->stats.attempt_bucket, a->total_us);
}

static void count_receipt(struct engine *e, const struct delivery *d, int64_t answered_wall_ms)
{
	int64_t ms = answered_wall_ms - d->created_ms;
	if (d->attempts > 0)
		return;
	if (ms < 0)
		ms = 0;
	count(&e->stats.receipt_us, (unsigned long long)ms * 1000);
	count_bucket(e->stats.receipt_bucket, ms * 1000);
}

static void log_attempt(struct engine *e, const struct held *h, const struct attempt *a)
{
	char delivery[ID_TEXT_LEN + 1], webhook[ID_TEXT_LEN + 1];
	if (!e->conf.log || e->conf.log->level > CH_LOG_DEBUG)
		return;
	id_format(&h->delivery.id, delivery);
	id_format(&h->lane->webhook.id, webhook);
	CH_LOG(e->conf.log, CH_LOG_DEBUG, "attempt", CH_S("delivery", delivery), CH_S("webhook", webhook),
			CH_S("outcome", attempt_outcome_name(a->outcome)), CH_I("status", a->status),
			CH_S("detail", a->detail), CH_I("total_us", a->total_us),
			CH_I("attempt", h->delivery.attempts + 1));
}

static void log_delivery(struct engine *e, const struct held *h, enum ch_log_level level, const char *event,
		const char *why)
{
	char delivery[ID_TEXT_LEN + 1], webhook[ID_TEXT_LEN + 1];
	id_format(&h->delivery.id, delivery);
	id_format(&h->lane->webhook.id, webhook);
	CH_LOG(e->conf.log, level, event, CH_S("delivery", delivery), CH_S("webhook", webhook),
			CH_S("why", why));
}

/* ---- into the store ---- */

static void on_written(struct store_request *r);

static void write_result(struct engine *e, struct held *h)
{
	h->flight->result.done = on_written;
	CH_CRASH_POINT(result_before);
	store_submit(e->conf.store, &h->flight->result);
}

static void finish(struct engine *e, struct held *h)
{
	struct lane *l = h->lane;
	flight_destroy(&h->flight);
	l->results--;
	e->results--;
	lane_release(l, h);
	engine_replan(e, l);
}

static void give_slot_back(struct engine *e, struct lane *l, struct flight *f)
{
	ch_list_unlink(&f->held->link);
	CH_ASSERT(l->busy > 0 && e->in_flight > 0);
	l->busy--;
	e->in_flight--;
	l->urgent_busy -= f->from == HELD_URGENT;
	l->overdue -= f->is_overdue;
	e->probes_in_flight -= f->from == HELD_PROBE;
	e->slow_in_flight -= f->is_slow;
	CH_ASSERT(l->urgent_busy >= 0 && l->overdue >= 0 && e->probes_in_flight >= 0 &&
			e->slow_in_flight >= 0);
}

void pipeline_done(struct transport_job *job)
{
	struct flight *f = CH_CONTAINER_OF(job, struct flight, job);
	struct held *h = f->held;
	struct lane *l = h->lane;
	struct engine *e = l->engine;

	CH_ASSERT(h->where == HELD_IN_FLIGHT);
	CH_CRASH_POINT(answer_taken);
	give_slot_back(e, l, f);
	h->where = HELD_RESULT;
	l->results++;
	e->results++;
	job->body = NULL;
	f->answered_wall_ms = engine_wall_ms(e);
	held_drop_body(h);
	count_attempt(e, job);
	log_attempt(e, h, &job->attempt);
	if (pipeline_judge(e, f)) {
		write_result(e, h);
		engine_replan(e, l);
		return;
	}
	lane_note_due(l, f->result.u.attempt.in.next.due_ms);
	finish(e, h);
}

static void count_result(struct engine *e, const struct held *h, const struct store_attempt *r)
{
	switch (r->out.state) {
	case DELIVERY_DELIVERED:
		if (r->in.next.state != DELIVERY_DELIVERED)
			break;
		count(&e->stats.delivered, 1);
		count_receipt(e, &h->delivery, h->flight->answered_wall_ms);
		break;
	case DELIVERY_FAILED:
		if (r->in.next.state != DELIVERY_FAILED)
			break;
		count(&e->stats.failed, 1);
		log_delivery(e, h, CH_LOG_WARN, "delivery_failed", r->in.next.reason);
		break;
	case DELIVERY_PENDING:
		if (h->flight->verdict == OUTCOME_RETRY)
			count(&e->stats.retried, 1);
		break;
	default:
		break;
	}
}

/* When the store has it due again; INT64_MAX: never. */
static int64_t due_after(const struct engine *e, const struct held *h, const struct store_request *r)
{
	const struct store_attempt *a = &r->u.attempt;
	if (r->result == CH_ENOENT)
		return INT64_MAX;
	if (h->was_resent)
		return engine_wall_ms(e);
	if (r->result == CH_EDAMAGED)
		return engine_wall_ms(e) + ENGINE_DAMAGED_PAUSE_MS;
	if (r->result != 0)
		return a->in.next.state == DELIVERY_PENDING ? engine_wall_ms(e) + 1000 : INT64_MAX;
	if (a->out.state != DELIVERY_PENDING)
		return INT64_MAX;
	return a->in.next.state == DELIVERY_PENDING ? a->in.next.due_ms : engine_wall_ms(e);
}

/* Without memory for that it is sent again with the lane's next claim, as at least once allows. */
static void leave_out(struct engine *e, const struct held *h)
{
	lane_add_lost(h->lane, &h->delivery.id, engine_mono_ms(e) + ENGINE_DAMAGED_PAUSE_MS);
}

static void acknowledge(struct engine *e, struct held *h)
{
	const struct store_request *r = &h->flight->result;
	struct lane *l = h->lane;
	if (r->result == 0) {
		count_result(e, h, &r->u.attempt);
		l->pending = r->u.attempt.out.pending;
		if (r->u.attempt.out.is_hopeless)
			engine_switch_off(e, l, h->flight->target, ENGINE_HOPELESS_WORDS);
	} else if (r->result != CH_ENOENT) {
		log_delivery(e, h, CH_LOG_ERROR, "result_lost", r->err.text);
	}
	if (r->result == CH_EDAMAGED && !h->was_resent)
		leave_out(e, h);
	lane_note_due(l, due_after(e, h, r));
	/* A resend goes ahead of DEAD; this one had to wait for the attempt before it. */
	if (h->was_resent && lane_state_of(l) == LANE_DEAD)
		engine_probe_later(e, l, engine_mono_ms(e));
	finish(e, h);
}

/* ---- a store that refuses writes ---- */

/* CH_EDAMAGED is none: it concerns that delivery alone, and to ask again would not help. */
static bool is_refusal(int code)
{
	return code == CH_EIO || code == CH_EFULL || code == CH_EBUSY || code == CH_ENOMEM;
}

static void note_refusal(struct engine *e, const struct flight *f)
{
	struct refusal *r = &e->refusal;
	/* Others that were on their way when the first was refused say nothing new. */
	if (r->is_on && !f->is_asking)
		return;
	if (!r->is_on)
		CH_LOG(e->conf.log, CH_LOG_ERROR, "store_refuses_results", CH_S("error", f->result.err.text));
	r->pause_ms = r->is_on ? engine_next_pause(r->pause_ms) : ENGINE_PAUSE_MIN_MS;
	r->is_on = true;
	r->ask_at_mono_ms = engine_mono_ms(e) + engine_jitter(e, r->pause_ms);
}

static void end_refusal(struct engine *e)
{
	if (e->refusal.is_on)
		CH_LOG(e->conf.log, CH_LOG_INFO, "store_takes_results", CH_I("waiting", e->results));
	e->refusal.is_on = false;
	e->refusal.pause_ms = 0;
}

static void on_written(struct store_request *r)
{
	struct flight *f = CH_CONTAINER_OF(r, struct flight, result);
	struct held *h = f->held;
	struct engine *e = h->lane->engine;
	bool was_refused = is_refusal(r->result);

	CH_CRASH_POINT(result_written);
	if (was_refused)
		note_refusal(e, f);
	else if (r->result != CH_ECANCELED)
		end_refusal(e);
	if (f->is_asking)
		e->refusal.is_asking = false;
	f->is_asking = false;
	if (was_refused && !e->is_aborted)
		ch_list_push_back(&e->unwritten, &h->link);
	else
		acknowledge(e, h);
}

static void write_first(struct engine *e, bool is_asking)
{
	struct held *h = CH_CONTAINER_OF(ch_list_pop_front(&e->unwritten), struct held, link);
	h->flight->is_asking = is_asking;
	h->flight->result.result = 0;
	write_result(e, h);
}

void pipeline_write_again(struct engine *e)
{
	struct refusal *r = &e->refusal;
	if (ch_list_is_empty(&e->unwritten) || r->is_asking)
		return;
	if (r->is_on) {
		if (r->ask_at_mono_ms > engine_mono_ms(e))
			return;
		r->is_asking = true;
		write_first(e, true);
		return;
	}
	for (int i = 0; i < ENGINE_WRITES_A_TURN && !ch_list_is_empty(&e->unwritten); i++)
		write_first(e, false);
}

void pipeline_drop_unwritten(struct engine *e)
{
	while (!ch_list_is_empty(&e->unwritten)) {
		struct held *h = CH_CONTAINER_OF(ch_list_pop_front(&e->unwritten), struct held, link);
		acknowledge(e, h);
	}
}
