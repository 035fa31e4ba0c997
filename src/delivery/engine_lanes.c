#include <string.h>

#include "delivery/engine_core.h"

#define AGAIN_MS 1000 /* after a shortage of memory */

void engine_log_lane(struct engine *e, const struct lane *l)
{
	char id[ID_TEXT_LEN + 1];
	id_format(&l->webhook.id, id);
	CH_LOG(e->conf.log, l->fault[0] ? CH_LOG_WARN : CH_LOG_INFO, "lane", CH_S("webhook", id),
			CH_S("state", ch_sm_name(&l->state)), CH_S("reason", l->reason));
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
		return rc;
	}
	e->lanes_by_state[lane_state_of(l)]++;
	return 0;
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
	engine_begin_state(e, l);
	return l;
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
	if (is_moved) {
		e->conf.transport->forget(e->conf.transport, &l->webhook.id);
		engine_forget_past(e, l);
	}
	engine_review_switch(e, l);
	engine_settle(e, l);
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
	engine_settle(e, l);
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
	/* Its first news was lost, or came before this start: only the store knows what its receiver asked
	 * for and what is pending, and an answer under way may be older than this. */
	if (!l && w->revision > 1) {
		e->survey.is_void = e->survey.under_way;
		engine_want_survey(e, engine_mono_ms(e));
		webhook_fini(w);
		return;
	}
	l = engine_apply_webhook(e, w);
	if (!l)
		return;
	engine_replan(e, l);
}
