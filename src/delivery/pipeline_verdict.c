#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "delivery/pipeline.h"

/* ---- words ---- */

static void describe(const struct attempt *a, char *text, size_t size)
{
	if (a->outcome == ATTEMPT_ANSWERED)
		snprintf(text, size, "answered %d", a->status);
	else
		snprintf(text, size, "%s", a->detail ? a->detail : attempt_outcome_name(a->outcome));
}

static char *words_of(const struct attempt *a, const char *prefix)
{
	char text[150], all[200];
	describe(a, text, sizeof(text));
	snprintf(all, sizeof(all), "%s%s", prefix, text);
	return ch_strdup(all);
}

/* ---- what the attempt makes of the delivery ---- */

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

/* A probe asks about the endpoint and uses up no try. Without an answer the delivery is as due as it was;
 * with one that is no success, the pause of its latest try begins anew. */
static void set_probed(struct engine *e, struct flight *f, const struct outcome *o)
{
	struct store_attempt *r = &f->result.u.attempt;
	const struct delivery *d = &f->held->delivery;
	struct ch_wall now = ch_clock_wall(&e->conf.clock), due;
	int64_t not_before = o->suspend_s > 0 ? now.ms + o->suspend_s * 1000 : 0;
	int tries = d->tries > 0 ? d->tries : 1;

	r->in.next.state = DELIVERY_PENDING;
	r->in.next.tries = d->tries;
	r->in.next.reason = words_of(&f->job.attempt, "a probe: ");
	r->in.next.due_ms = d->due_ms;
	if (o->endpoint == OUTCOME_FAILURE)
		return;
	bool is_planned = retry_next(&e->conf.schedule, tries, now, not_before, &e->conf.rand, &due);
	r->in.next.due_ms = is_planned ? due.ms : now.ms > not_before ? now.ms : not_before;
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

static void set_next(struct engine *e, struct flight *f, const struct outcome *o)
{
	struct store_attempt *r = &f->result.u.attempt;
	const struct attempt *a = &f->job.attempt;

	r->in.next.tries = f->held->delivery.tries + 1;
	switch (o->delivery) {
	case OUTCOME_DELIVERED:
		r->in.next.state = DELIVERY_DELIVERED;
		r->in.next.finished_ms = engine_wall_ms(e);
		break;
	case OUTCOME_RETRY:
		if (f->from == HELD_PROBE)
			set_probed(e, f, o);
		else
			set_retry(e, r, a, o->suspend_s);
		break;
	case OUTCOME_PARK:
		/* The switch parks it with all the others, once it is off; should that come to nothing,
		 * because the URL is another by now, it is still to be sent. */
		r->in.next.state = DELIVERY_PENDING;
		r->in.next.due_ms = engine_wall_ms(e);
		r->in.next.reason = words_of(a, "the receiver ");
		break;
	case OUTCOME_AGAIN:
		r->in.is_ours = true;
		set_again(e, f->held->lane, r, a);
		break;
	}
}

static void fill_result(struct engine *e, struct flight *f, const struct outcome *o, bool is_current)
{
	struct store_attempt *r = &f->result.u.attempt;
	const struct lane *l = f->held->lane;

	r->in.account = f->held->delivery.account;
	r->in.webhook_id = f->held->delivery.webhook_id;
	r->in.round = f->held->delivery.round;
	set_next(e, f, o);
	if (o->endpoint == OUTCOME_SUSPENDED && is_current) {
		r->in.quiet_until_ms = engine_wall_ms(e) + l->suspended_until_mono_ms - engine_mono_ms(e);
		r->in.quiet_status = f->job.attempt.status;
	}
	r->in.attempt = f->job.attempt;
	memset(&f->job.attempt, 0, sizeof(f->job.attempt));
}

/* ---- what it makes of the lane ---- */

/* Many attempts in flight are answered 429 together: that is one suspension, not as many in a row. */
static struct outcome outcome_in_row(const struct engine *e, struct lane *l, const struct attempt *a)
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

/* Our own fault, or our line's: the lane is not to blame, and a probe has said nothing. */
static void apply_own_fault(struct engine *e, struct flight *f, bool is_line)
{
	struct lane *l = f->held->lane;
	char why[100];
	describe(&f->job.attempt, why, sizeof(why));
	if (!is_line && !e->is_aborted)
		engine_pause(e, l, why);
	if (f->from == HELD_PROBE && lane_state_of(l) == LANE_PROBING)
		engine_probe_later(e, l, engine_mono_ms(e) + engine_jitter(e, HEALTH_PAUSE_MIN_MS));
}

static void apply_to_lane(struct engine *e, struct flight *f, const struct outcome *o)
{
	struct lane *l = f->held->lane;
	switch (o->endpoint) {
	case OUTCOME_HEALTHY:
		engine_alive(e, l, l->busy + 1);
		break;
	case OUTCOME_FAILURE:
		describe(&f->job.attempt, l->failure, sizeof(l->failure));
		if (f->from == HELD_PROBE)
			engine_probe_failed(e, l);
		else
			engine_failure(e, l, &f->held->delivery.id);
		break;
	case OUTCOME_SUSPENDED:
		engine_suspend(e, l, o->suspend_s, f->job.attempt.status);
		break;
	case OUTCOME_GONE:
		engine_switch_off(e, l, f->target, ENGINE_GONE_WORDS);
		break;
	case OUTCOME_UNTOUCHED:
		break;
	}
}

static void note_time(struct lane *l, const struct attempt *a)
{
	if (a->outcome != ATTEMPT_LOCAL && a->total_us >= 0)
		lane_note_time(l, a->total_us / 1000);
}

/* Nothing left this machine: to record it would fill the store with our own trouble. */
static bool is_unsent(const struct transport_job *job)
{
	return job->attempt.outcome == ATTEMPT_LOCAL && job->attempt.connect_us < 0 &&
	       !job->reused_connection;
}

bool pipeline_judge(struct engine *e, struct flight *f)
{
	struct lane *l = f->held->lane;
	const struct attempt *a = &f->job.attempt;
	bool is_current = l->target && strcmp(l->target->url.text, f->target->url.text) == 0;
	bool is_line = engine_outage_note(e, &f->job, f->was_dead, f->asks_line);
	struct outcome o = outcome_in_row(e, l, a);

	if (is_line)
		o = (struct outcome){OUTCOME_AGAIN, OUTCOME_UNTOUCHED, 0};
	if (o.delivery == OUTCOME_AGAIN)
		apply_own_fault(e, f, is_line);
	else if (!l->is_paused)
		l->own_faults = 0;
	if (is_current) {
		note_time(l, a);
		apply_to_lane(e, f, &o);
	}
	/* Gone is the URL of before; the one of now has not been asked yet. */
	if (o.endpoint == OUTCOME_GONE && !is_current && !l->webhook.deleted)
		o.delivery = OUTCOME_RETRY;
	f->verdict = o.delivery;
	bool is_unsent_now = is_unsent(&f->job);
	fill_result(e, f, &o, is_current);
	return !is_unsent_now;
}
