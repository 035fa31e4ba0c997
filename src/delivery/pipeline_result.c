#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
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

/* ---- what the attempt makes of the delivery ---- */

static char *words_of(const struct attempt *a, const char *prefix)
{
	char text[200];
	if (a->outcome == ATTEMPT_ANSWERED)
		snprintf(text, sizeof(text), "%sanswered %d", prefix, a->status);
	else if (a->detail)
		snprintf(text, sizeof(text), "%s%.150s", prefix, a->detail);
	else
		snprintf(text, sizeof(text), "%s%s", prefix, attempt_outcome_name(a->outcome));
	return ch_strdup(text);
}

static void set_retry(struct engine *e, struct store_attempt *r, const struct attempt *a, int64_t suspend_s)
{
	struct ch_wall now = ch_clock_wall(&e->conf.clock), due;
	int64_t not_before = suspend_s > 0 ? now.ms + suspend_s * 1000 : 0;
	if (retry_next(&e->conf.schedule, r->in.next.tries, now, not_before, &e->conf.rand, &due)) {
		r->in.next.state = DELIVERY_PENDING;
		r->in.next.due_ms = due.ms;
		r->in.next.reason = words_of(a, "");
	} else {
		r->in.next.state = DELIVERY_FAILED;
		r->in.next.finished_ms = now.ms;
		r->in.next.reason = words_of(a, "no try is left; the last: ");
	}
}

/* An attempt that we ended ourselves is due again at once: after the next start. */
static void set_again(struct engine *e, struct lane *l, struct store_attempt *r, const struct attempt *a)
{
	int64_t wait = l->paused_until_mono_ms - engine_mono_ms(e);
	if (e->is_aborted || wait < 0)
		wait = 0;
	r->in.next.state = DELIVERY_PENDING;
	r->in.next.tries--;
	r->in.next.due_ms = engine_wall_ms(e) + wait;
	r->in.next.reason = words_of(a, "");
}

static void fill_result(struct engine *e, struct flight *f, const struct outcome *verdict)
{
	struct store_attempt *r = &f->result.u.attempt;
	const struct delivery *d = &f->held->delivery;
	const struct attempt *a = &f->job.attempt;

	r->in.account = d->account;
	r->in.webhook_id = d->webhook_id;
	r->in.next.tries = d->tries + 1;
	switch (verdict->delivery) {
	case OUTCOME_DELIVERED:
		r->in.next.state = DELIVERY_DELIVERED;
		r->in.next.finished_ms = engine_wall_ms(e);
		break;
	case OUTCOME_RETRY:
		set_retry(e, r, a, verdict->suspend_s);
		break;
	case OUTCOME_PARK:
		r->in.next.state = DELIVERY_PARKED;
		r->in.next.reason = words_of(a, "the receiver ");
		break;
	case OUTCOME_AGAIN:
		set_again(e, f->held->lane, r, a);
		break;
	}
	r->in.attempt = *a;
	memset(&f->job.attempt, 0, sizeof(f->job.attempt));
}

/* ---- what it makes of the lane ---- */

/* Many attempts in flight are answered 429 together: that is one suspension, not as many in a row. */
static struct outcome judge(const struct engine *e, struct lane *l, const struct attempt *a)
{
	bool is_suspended = l->suspended_until_mono_ms > engine_mono_ms(e);
	int before = l->suspensions - (is_suspended && l->suspensions > 0 ? 1 : 0);
	struct outcome o = outcome_of(a, before);
	bool was_unasked = o.endpoint == OUTCOME_SUSPENDED && a->retry_after_s < 0;
	if (was_unasked && !is_suspended)
		l->suspensions++;
	else if (o.endpoint == OUTCOME_HEALTHY && !is_suspended)
		l->suspensions = 0;
	return o;
}

static void apply_to_lane(struct engine *e, struct flight *f, struct outcome *o)
{
	struct lane *l = f->held->lane;
	bool is_current = l->target && strcmp(l->target->url.text, f->target->url.text) == 0;

	if (o->delivery == OUTCOME_AGAIN && !e->is_aborted)
		engine_pause(e, l);
	else if (!l->is_paused)
		l->own_faults = 0;
	if (o->endpoint == OUTCOME_SUSPENDED && is_current)
		engine_suspend(e, l, o->suspend_s, f->job.attempt.status);
	if (o->endpoint == OUTCOME_GONE && is_current)
		engine_gone(e, l, f->target);
	/* Gone is the URL of before; the one of now has not been asked yet. */
	if (o->endpoint == OUTCOME_GONE && !is_current && !l->webhook.deleted)
		o->delivery = OUTCOME_RETRY;
}

/* ---- into the store ---- */

static void on_written(struct store_request *r);

static void write_result(struct engine *e, struct held *h)
{
	h->flight->result.done = on_written;
	store_submit(e->conf.store, &h->flight->result);
}

void pipeline_done(struct transport_job *job)
{
	struct flight *f = CH_CONTAINER_OF(job, struct flight, job);
	struct held *h = f->held;
	struct lane *l = h->lane;
	struct engine *e = l->engine;

	CH_ASSERT(h->where == HELD_IN_FLIGHT && l->busy > 0 && e->in_flight > 0);
	ch_list_unlink(&h->link);
	h->where = HELD_RESULT;
	l->busy--;
	e->in_flight--;
	l->results++;
	e->results++;
	job->body = NULL;
	f->answered_wall_ms = engine_wall_ms(e);
	held_drop_body(h);
	count_attempt(e, job);
	log_attempt(e, h, &job->attempt);
	struct outcome o = judge(e, l, &job->attempt);
	apply_to_lane(e, f, &o);
	f->verdict = o.delivery;
	fill_result(e, f, &o);
	write_result(e, h);
	engine_replan(e, l);
}

static void count_result(struct engine *e, const struct held *h, const struct store_attempt *r)
{
	switch (r->in.next.state) {
	case DELIVERY_DELIVERED:
		count(&e->stats.delivered, 1);
		count_receipt(e, &h->delivery, h->flight->answered_wall_ms);
		break;
	case DELIVERY_FAILED:
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

static void finish(struct engine *e, struct held *h)
{
	struct lane *l = h->lane;
	flight_destroy(&h->flight);
	l->results--;
	e->results--;
	lane_release(l, h);
	engine_replan(e, l);
}

static void acknowledge(struct engine *e, struct held *h)
{
	const struct store_request *r = &h->flight->result;
	if (r->result == 0)
		count_result(e, h, &r->u.attempt);
	else if (r->result != CH_ENOENT)
		log_delivery(e, h, CH_LOG_ERROR, "result_lost", r->err.text);
	if (r->u.attempt.in.next.state == DELIVERY_PENDING && r->result != CH_ENOENT)
		lane_note_due(h->lane,
				r->result == 0 ? r->u.attempt.in.next.due_ms : engine_wall_ms(e) + 1000);
	finish(e, h);
}

/* ---- a store that refuses writes ---- */

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
