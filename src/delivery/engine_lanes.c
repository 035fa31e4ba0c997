#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/time_text.h"
#include "delivery/engine_core.h"

#define GONE_WORDS "the receiver answered 410 Gone"
#define AGAIN_MS 1000 /* after a shortage of memory */

void engine_log_lane(struct engine *e, const struct lane *l)
{
	char id[ID_TEXT_LEN + 1];
	id_format(&l->webhook.id, id);
	CH_LOG(e->conf.log, l->fault[0] ? CH_LOG_WARN : CH_LOG_INFO, "lane", CH_S("webhook", id),
			CH_S("state", ch_sm_name(&l->state)), CH_S("reason", l->reason));
}

static void set_state(struct engine *e, struct lane *l, enum lane_state to, const char *reason)
{
	bool is_same = lane_state_of(l) == to && strcmp(l->reason, reason) == 0;
	if (is_same)
		return;
	snprintf(l->reason, sizeof(l->reason), "%s", reason);
	if (lane_state_of(l) != to)
		ch_sm_move(&l->state, to);
	/* Only lanes that send hold deliveries: for the others they would lie in the byte budget for as long
	 * as the receiver likes, and the store has them anyway. */
	if (to != LANE_READY)
		lane_drop_queued(l);
	engine_log_lane(e, l);
}

/* Why the settings (or a 410 on its way into them) keep the lane from sending; NULL: they don't. */
static const char *why_disabled(const struct lane *l)
{
	if (l->webhook.deleted)
		return "deleted";
	if (!l->webhook.enabled)
		return l->webhook.disabled_reason ? l->webhook.disabled_reason : "switched off";
	if (l->fault[0])
		return l->fault;
	return l->gone ? GONE_WORDS : NULL;
}

static void enter_suspended(struct engine *e, struct lane *l)
{
	char when[TIME_TEXT_LEN + 1] = "", reason[sizeof(l->reason)];
	int64_t left_ms = l->suspended_until_mono_ms - engine_mono_ms(e);
	time_text_format((engine_wall_ms(e) + left_ms) / 1000, when);
	snprintf(reason, sizeof(reason), "the receiver asked to wait (%d), until %s", l->suspended_by, when);
	set_state(e, l, LANE_SUSPENDED, reason);
}

static void settle(struct engine *e, struct lane *l)
{
	const char *why = why_disabled(l);
	if (why) {
		set_state(e, l, LANE_DISABLED, why);
		return;
	}
	if (lane_state_of(l) != LANE_DISABLED)
		return;
	lane_note_due(l, engine_wall_ms(e));
	if (l->suspended_until_mono_ms > engine_mono_ms(e))
		enter_suspended(e, l);
	else
		set_state(e, l, LANE_READY, "");
}

/* ---- pauses ---- */

void engine_suspend(struct engine *e, struct lane *l, int64_t suspend_s, int status)
{
	int64_t ms = suspend_s * 1000;
	/* The receiver's wish is a lower bound: jitter only adds. */
	int64_t until = engine_mono_ms(e) + ms + (int64_t)ch_rand_below(&e->conf.rand, (uint64_t)ms / 10 + 1);
	if (until <= l->suspended_until_mono_ms)
		return;
	l->suspended_until_mono_ms = until;
	l->suspended_by = status;
	if (lane_state_of(l) != LANE_DISABLED)
		enter_suspended(e, l);
}

void engine_pause(struct engine *e, struct lane *l)
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
		snprintf(l->reason, sizeof(l->reason), "resting after a fault of our own");
		engine_log_lane(e, l);
	}
}

static void end_pause(struct lane *l)
{
	l->is_paused = false;
	if (lane_state_of(l) == LANE_READY)
		l->reason[0] = '\0';
}

/* ---- 410: the webhook's switch ---- */

struct switch_off {
	struct store_request request;
	struct lane *lane;
	int64_t revision; /* that was tried */
};

static void submit_switch_off(struct engine *e, struct lane *l);

static void on_switched_off(struct store_request *r)
{
	struct switch_off *s = CH_CONTAINER_OF(r, struct switch_off, request);
	struct lane *l = s->lane;
	struct engine *e = l->engine;
	int code = r->result;
	int64_t tried = s->revision;

	l->switch_off = NULL;
	e->switch_offs--;
	store_request_fini(r);
	ch_free(s);
	if (code == CH_ENOENT)
		target_unref(&l->gone);
	if (l->gone && code == CH_ECONFLICT && l->webhook.revision > tried)
		submit_switch_off(e, l);
	else if (l->gone && code != 0 && code != CH_ECONFLICT)
		l->switch_at_mono_ms = engine_mono_ms(e) + AGAIN_MS;
	engine_replan(e, l);
}

static int fill_switch_off(struct switch_off *s, struct lane *l)
{
	struct webhook *w = &s->request.u.webhook_update.in.webhook;
	store_request_init(&s->request, STORE_WEBHOOK_UPDATE, l->engine->conf.port, on_switched_off);
	int rc = webhook_copy(&l->webhook, w);
	if (rc)
		return rc;
	s->lane = l;
	s->revision = w->revision;
	w->enabled = false;
	ch_free(w->disabled_reason);
	w->disabled_reason = ch_strdup(GONE_WORDS);
	return w->disabled_reason ? 0 : CH_ENOMEM;
}

static void submit_switch_off(struct engine *e, struct lane *l)
{
	CH_ASSERT(l->gone && !l->switch_off);
	l->switch_at_mono_ms = INT64_MAX;
	if (e->is_aborted)
		return;
	struct switch_off *s = ch_calloc(1, sizeof(*s));
	if (!s || fill_switch_off(s, l)) {
		if (s)
			store_request_fini(&s->request);
		ch_free(s);
		l->switch_at_mono_ms = engine_mono_ms(e) + AGAIN_MS;
		return;
	}
	l->switch_off = s;
	e->switch_offs++;
	store_submit(e->conf.store, &s->request);
}

void engine_gone(struct engine *e, struct lane *l, struct target *answered)
{
	if (l->gone || l->webhook.deleted || !l->webhook.enabled)
		return;
	l->gone = target_ref(answered);
	settle(e, l);
	submit_switch_off(e, l);
}

/* New settings while a 410 is on its way into them: another URL is another receiver, which has not said
 * that it is gone; a switch that is off already is what we wanted. */
static void review_gone(struct engine *e, struct lane *l)
{
	bool is_other = !l->target || strcmp(l->target->url.text, l->gone->url.text) != 0;
	if (is_other || !l->webhook.enabled)
		target_unref(&l->gone);
	else if (!l->switch_off)
		submit_switch_off(e, l);
}

void engine_lane_wake(struct engine *e, struct lane *l, int64_t now_mono_ms)
{
	if (l->is_paused && l->paused_until_mono_ms <= now_mono_ms)
		end_pause(l);
	if (lane_state_of(l) == LANE_SUSPENDED && l->suspended_until_mono_ms <= now_mono_ms)
		set_state(e, l, LANE_READY, "");
	if (l->gone && !l->switch_off && l->switch_at_mono_ms <= now_mono_ms)
		submit_switch_off(e, l);
}

/* ---- settings ---- */

static struct lane_rules rules_of(const struct engine *e)
{
	return (struct lane_rules){.urls = &e->conf.url_rules, .seal_key = e->conf.seal_key};
}

static int link_lane(struct engine *e, struct lane *l)
{
	int rc = ch_heap_push(&e->dues, &l->due, INT64_MAX);
	if (rc)
		return rc;
	rc = ch_heap_push(&e->pauses, &l->pause, INT64_MAX);
	if (rc == 0)
		rc = ch_map_insert(&e->lanes, &l->node, l->webhook.id.b, sizeof(l->webhook.id.b));
	if (rc) {
		ch_heap_remove(&e->dues, &l->due);
		ch_heap_remove(&e->pauses, &l->pause);
	}
	return rc;
}

static struct lane *make_lane(struct engine *e, struct webhook *w)
{
	struct lane_rules rules = rules_of(e);
	struct lane *l = lane_create(e, &e->totals, &e->conf.rand, &rules, w);
	if (!l)
		return NULL;
	if (link_lane(e, l)) {
		lane_destroy(&l);
		return NULL;
	}
	l->made_in_survey = e->survey.number;
	/* A webhook that works is no news. */
	const char *why = why_disabled(l);
	if (!why)
		ch_sm_move(&l->state, LANE_READY);
	else
		set_state(e, l, LANE_DISABLED, why);
	return l;
}

/* Another URL is another receiver, which has asked for nothing. */
static void end_suspension(struct engine *e, struct lane *l)
{
	l->suspended_until_mono_ms = 0;
	l->suspensions = 0;
	if (lane_state_of(l) == LANE_SUSPENDED)
		set_state(e, l, LANE_READY, "");
}

static int change_lane(struct engine *e, struct lane *l, struct webhook *w)
{
	struct lane_rules rules = rules_of(e);
	if (l->webhook.deleted || w->revision <= l->webhook.revision)
		return 0;
	bool is_moved = strcmp(l->webhook.url, w->url) != 0;
	int rc = lane_set_webhook(l, &rules, w);
	if (rc)
		return rc;
	if (is_moved)
		e->conf.transport->forget(e->conf.transport, &l->webhook.id);
	if (is_moved)
		end_suspension(e, l);
	if (l->gone)
		review_gone(e, l);
	settle(e, l);
	return 0;
}

struct lane *engine_apply_webhook(struct engine *e, struct webhook *w)
{
	struct lane *l = engine_lane(e, &w->id);
	bool is_short = l ? change_lane(e, l, w) != 0 : (l = make_lane(e, w)) == NULL;
	if (is_short)
		engine_want_survey(e, engine_mono_ms(e) + AGAIN_MS);
	webhook_fini(w);
	return l;
}

void engine_delete_lane(struct engine *e, struct lane *l)
{
	if (l->webhook.deleted)
		return;
	lane_set_deleted(l);
	target_unref(&l->gone);
	e->conf.transport->forget(e->conf.transport, &l->webhook.id);
	settle(e, l);
	engine_replan(e, l);
}

void engine_webhook(struct engine *e, struct webhook *w)
{
	struct lane *l = engine_lane(e, &w->id);
	if (w->deleted) {
		/* The answer under way may be older than this and bring the webhook back. */
		e->survey.is_void = e->survey.under_way;
		if (l)
			engine_delete_lane(e, l);
		webhook_fini(w);
		return;
	}
	bool is_late = !l && w->revision > 1; /* its first news was lost: there may be deliveries */
	l = engine_apply_webhook(e, w);
	if (!l)
		return;
	if (is_late)
		lane_note_due(l, engine_wall_ms(e));
	engine_replan(e, l);
}
