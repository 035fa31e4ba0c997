#include "base/alloc.h"
#include "base/crash_point.h"
#include "delivery/engine_core.h"

void engine_want_survey(struct engine *e, int64_t at_mono_ms)
{
	if (!e->survey.is_wanted || at_mono_ms < e->survey.at_mono_ms)
		e->survey.at_mono_ms = at_mono_ms;
	e->survey.is_wanted = true;
}

static void survey_webhook(struct engine *e, struct store_lane *row)
{
	struct webhook *w = &row->webhook;

	if (e->owns && !e->owns(e->owns_ctx, &w->id))
		return;
	if (w->revision < 1)
		w->revision = 1;
	struct lane *l = engine_apply_webhook(e, w);
	if (!l)
		return;
	bool is_new = l->seen_in_survey == 0; /* news may have made it before this answer */
	l->seen_in_survey = e->survey.number;
	if (is_new) {
		l->pending = row->pending;
		engine_restore_quiet(e, l, row->quiet_until_ms, row->quiet_status);
	}
	if (row->next_due_ms >= 0)
		lane_note_due(l, row->next_due_ms);
	if (e->survey.missed_fresh)
		lane_note_due(l, engine_wall_ms(e));
	if (row->pending > 0)
		engine_poke(e, l);
	engine_replan(e, l);
}

/* A lane that was there before the question and is not in the answer: the news of its end was lost. */
static void delete_unseen(struct engine *e)
{
	for (struct ch_map_node *n = ch_map_next(&e->lanes, NULL), *next; n; n = next) {
		struct lane *l = CH_CONTAINER_OF(n, struct lane, node);
		next = ch_map_next(&e->lanes, n);
		if (l->made_in_survey < e->survey.number && l->seen_in_survey != e->survey.number)
			engine_delete_lane(e, l);
	}
}

static void on_survey(struct store_request *r)
{
	struct survey *s = CH_CONTAINER_OF(r, struct survey, request);
	struct engine *e = CH_CONTAINER_OF(s, struct engine, survey);
	bool is_usable = r->result == 0 && !s->is_void;

	s->under_way = false;
	if (r->result != 0) {
		s->pause_ms = engine_next_pause(s->pause_ms);
		engine_want_survey(e, engine_mono_ms(e) + engine_jitter(e, s->pause_ms));
		CH_LOG(e->conf.log, CH_LOG_ERROR, "webhooks_unread", CH_S("error", r->err.text));
	} else if (s->is_void) {
		engine_want_survey(e, engine_mono_ms(e));
	}
	if (is_usable && !e->is_stopping) {
		for (size_t i = 0; i < r->u.lanes.out.count; i++)
			survey_webhook(e, &r->u.lanes.out.rows[i]);
		delete_unseen(e);
		CH_CRASH_POINT(survey_applied);
		s->missed_fresh = false;
		s->pause_ms = 0;
	}
	store_request_fini(r);
}

void engine_submit_survey(struct engine *e)
{
	struct survey *s = &e->survey;
	s->number++;
	s->under_way = true;
	s->is_wanted = false;
	s->is_void = false;
	store_request_init(&s->request, STORE_LANES, e->conf.port, on_survey);
	store_submit(e->conf.store, &s->request);
	CH_CRASH_POINT(survey_asked);
}
