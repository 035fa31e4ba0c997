#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/time_text.h"
#include "delivery/engine_core.h"

/* Why the settings (or our wish to switch it off) keep the lane from sending; NULL: they don't. */
const char *engine_why_disabled(const struct lane *l)
{
	if (l->webhook.deleted)
		return "deleted";
	if (!l->webhook.enabled)
		return l->webhook.disabled_reason ? l->webhook.disabled_reason : "switched off";
	if (l->fault[0])
		return l->fault;
	return l->gone ? l->gone_words : NULL;
}

static void move(struct engine *e, struct lane *l, enum lane_state to)
{
	if (lane_state_of(l) == to)
		return;
	e->lanes_by_state[lane_state_of(l)]--;
	e->lanes_by_state[to]++;
	ch_sm_move(&l->state, to);
}

/* A webhook that works is no news. */
void engine_begin_state(struct engine *e, struct lane *l)
{
	const char *why = engine_why_disabled(l);
	if (why)
		engine_set_state(e, l, LANE_DISABLED, why);
	else
		move(e, l, LANE_READY);
}

/* Only lanes that send hold deliveries: for the others they would lie in the byte budget for as long as the
 * receiver likes, and the store has them anyway. */
void engine_set_state(struct engine *e, struct lane *l, enum lane_state to, const char *reason)
{
	bool is_dying = to == LANE_DEAD || to == LANE_PROBING;
	if (lane_state_of(l) == to && strcmp(l->reason, reason) == 0)
		return;
	snprintf(l->reason, sizeof(l->reason), "%s", reason);
	move(e, l, to);
	if (to != LANE_READY)
		lane_drop_queued(l, is_dying);
	else if (l->probe)
		lane_drop(l, l->probe);
	engine_log_lane(e, l);
}

static void format_mono(const struct engine *e, int64_t at_mono_ms, char when[TIME_TEXT_LEN + 1])
{
	time_text_format((engine_wall_ms(e) + at_mono_ms - engine_mono_ms(e)) / 1000, when);
}

static void become_ready(struct engine *e, struct lane *l)
{
	lane_note_due(l, engine_wall_ms(e));
	engine_set_state(e, l, LANE_READY, "");
}

/* ---- SUSPENDED: the receiver asked to wait ---- */

static void enter_suspended(struct engine *e, struct lane *l)
{
	char when[TIME_TEXT_LEN + 1] = "", reason[sizeof(l->reason)];
	format_mono(e, l->suspended_until_mono_ms, when);
	snprintf(reason, sizeof(reason), "the receiver asked to wait (%d), until %s", l->suspended_by, when);
	if (lane_state_of(l) != LANE_SUSPENDED)
		atomic_fetch_add_explicit(&e->stats.suspensions, 1, memory_order_relaxed);
	engine_set_state(e, l, LANE_SUSPENDED, reason);
}

void engine_suspend(struct engine *e, struct lane *l, int64_t suspend_s, int status)
{
	int64_t ms = suspend_s * 1000;
	/* The receiver's wish is a lower bound: jitter only adds. */
	int64_t until = engine_mono_ms(e) + ms + (int64_t)ch_rand_below(&e->conf.rand, (uint64_t)ms / 10 + 1);
	health_note_answer(&l->health);
	l->probes = 0;
	if (until > l->suspended_until_mono_ms) {
		l->suspended_until_mono_ms = until;
		l->suspended_by = status;
	}
	if (lane_state_of(l) != LANE_DISABLED)
		enter_suspended(e, l);
}

void engine_restore_quiet(struct engine *e, struct lane *l, int64_t until_wall_ms, int status)
{
	int64_t left_ms = until_wall_ms - engine_wall_ms(e);
	int64_t until = engine_mono_ms(e) + left_ms;
	/* What it asked for since counts too, and by a clock that never steps. */
	if (left_ms <= 0 || until <= l->suspended_until_mono_ms)
		return;
	l->suspended_until_mono_ms = until;
	l->suspended_by = status;
	if (lane_state_of(l) == LANE_READY)
		enter_suspended(e, l);
}

void engine_settle(struct engine *e, struct lane *l)
{
	const char *why = engine_why_disabled(l);
	if (why) {
		engine_set_state(e, l, LANE_DISABLED, why);
		return;
	}
	if (lane_state_of(l) != LANE_DISABLED)
		return;
	health_init(&l->health);
	l->probes = 0;
	lane_note_due(l, engine_wall_ms(e));
	if (l->suspended_until_mono_ms > engine_mono_ms(e))
		enter_suspended(e, l);
	else
		become_ready(e, l);
}

/* ---- a rest after a fault of our own ---- */

void engine_pause(struct engine *e, struct lane *l, const char *why)
{
	int64_t s = 1;
	if (l->is_paused)
		return;
	if (l->own_faults < 5)
		l->own_faults++;
	for (int i = 1; i < l->own_faults; i++)
		s *= 2;
	if (l->own_faults == 5)
		s = 30;
	l->is_paused = true;
	l->paused_until_mono_ms = engine_mono_ms(e) + engine_jitter(e, s * 1000);
	if (lane_state_of(l) == LANE_READY) {
		snprintf(l->reason, sizeof(l->reason), "resting after a fault of our own: %.90s", why);
		engine_log_lane(e, l);
	}
}

static void end_pause(struct lane *l)
{
	l->is_paused = false;
	if (lane_state_of(l) == LANE_READY)
		l->reason[0] = '\0';
}

/* ---- DEAD and PROBING ---- */

static void enter_dead(struct engine *e, struct lane *l)
{
	char when[TIME_TEXT_LEN + 1] = "soon", reason[sizeof(l->reason)];
	if (l->probe_at_mono_ms != INT64_MAX)
		format_mono(e, l->probe_at_mono_ms, when);
	snprintf(reason, sizeof(reason),
			"%d attempts in a row failed, the last: %.60s; the next probe goes %s",
			l->health.failures, l->failure,
			l->probe_at_mono_ms == INT64_MAX ? "with the next delivery" : when);
	engine_set_state(e, l, LANE_DEAD, reason);
}

void engine_probe_later(struct engine *e, struct lane *l, int64_t at_mono_ms)
{
	l->probe_at_mono_ms = at_mono_ms;
	enter_dead(e, l);
	engine_replan(e, l);
}

static void die(struct engine *e, struct lane *l)
{
	int64_t now = engine_mono_ms(e);
	l->died_mono_ms = now;
	l->probes = 0;
	l->has_probed = false;
	l->probe_at_mono_ms = now + health_pause_ms(0, &e->conf.rand);
	atomic_fetch_add_explicit(&e->stats.deaths, 1, memory_order_relaxed);
	enter_dead(e, l);
	engine_tell_dead(e, l);
}

void engine_failure(struct engine *e, struct lane *l, const struct id *delivery)
{
	if (lane_state_of(l) != LANE_READY && lane_state_of(l) != LANE_SUSPENDED)
		return;
	health_note_failure(&l->health, l->window.size, delivery);
	window_note_failure(&l->window);
	if (lane_state_of(l) == LANE_READY && health_is_dead(&l->health, l->pending))
		die(e, l);
}

void engine_probe_failed(struct engine *e, struct lane *l)
{
	if (lane_state_of(l) != LANE_PROBING)
		return;
	l->health.failures++;
	l->probes++;
	l->probe_at_mono_ms = engine_mono_ms(e) + health_pause_ms(l->probes, &e->conf.rand);
	enter_dead(e, l);
}

void engine_alive(struct engine *e, struct lane *l, int busy)
{
	bool was_dead = lane_state_of(l) == LANE_DEAD || lane_state_of(l) == LANE_PROBING;
	health_note_answer(&l->health);
	l->has_answered = true;
	if (!was_dead) {
		window_note_answer(&l->window, busy);
		return;
	}
	l->probes = 0;
	window_init(&l->window, l->webhook.concurrency);
	become_ready(e, l);
}

void engine_poke(struct engine *e, struct lane *l)
{
	l->probe_was_missed = true;
	if (lane_state_of(l) == LANE_DEAD && l->probe_at_mono_ms == INT64_MAX)
		l->probe_at_mono_ms = engine_mono_ms(e);
}

static void begin_probe(struct engine *e, struct lane *l)
{
	char reason[sizeof(l->reason)];
	snprintf(reason, sizeof(reason), "%d attempts in a row failed, the last: %.60s; a probe is under way",
			l->health.failures, l->failure);
	engine_set_state(e, l, LANE_PROBING, reason);
	probe_submit(e, l);
}

/* ---- time, and another receiver ---- */

void engine_forget_past(struct engine *e, struct lane *l)
{
	l->suspended_until_mono_ms = 0;
	l->suspensions = 0;
	l->probes = 0;
	l->slow_samples = 0;
	l->sample_count = 0;
	l->has_answered = false;
	health_init(&l->health);
	window_init(&l->window, l->webhook.concurrency);
	if (lane_state_of(l) != LANE_DISABLED && lane_state_of(l) != LANE_READY)
		become_ready(e, l);
}

void engine_lane_wake(struct engine *e, struct lane *l, int64_t now_mono_ms)
{
	if (l->is_paused && l->paused_until_mono_ms <= now_mono_ms)
		end_pause(l);
	if (lane_state_of(l) == LANE_SUSPENDED && l->suspended_until_mono_ms <= now_mono_ms)
		become_ready(e, l);
	if (lane_state_of(l) == LANE_DEAD && l->probe_at_mono_ms <= now_mono_ms && !l->claim)
		begin_probe(e, l);
	if (l->gone && !l->switch_off && l->switch_at_mono_ms <= now_mono_ms)
		engine_switch_again(e, l);
}
