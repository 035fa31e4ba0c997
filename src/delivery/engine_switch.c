#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crash_point.h"
#include "delivery/engine_core.h"

/* Webhooks that we switch off ourselves: their receiver said 410, or nothing succeeded for days. The lane
 * stops at once; the store follows, and until it has, the wish is kept. */

#define AGAIN_MS 1000 /* after a shortage of memory or a store that refused */

struct switch_off {
	struct store_request request;
	struct lane *lane;
	int64_t revision; /* that was tried */
};

static void submit(struct engine *e, struct lane *l);

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
	if (code == 0)
		atomic_fetch_add_explicit(&e->stats.switched_off, 1, memory_order_relaxed);
	if (code == CH_ENOENT)
		target_unref(&l->gone);
	if (l->gone && code == CH_ECONFLICT && l->webhook.revision > tried)
		submit(e, l);
	else if (l->gone && code != 0 && code != CH_ECONFLICT)
		l->switch_at_mono_ms = engine_mono_ms(e) + AGAIN_MS;
	engine_replan(e, l);
}

static int fill(struct switch_off *s, struct lane *l)
{
	struct webhook *w = &s->request.u.webhook_update.in.webhook;
	store_request_init(&s->request, STORE_WEBHOOK_UPDATE, l->engine->conf.port, on_switched_off);
	int rc = webhook_copy(&l->webhook, w);
	if (rc)
		return rc;
	s->lane = l;
	s->revision = w->revision;
	s->request.u.webhook_update.in.now_ms = engine_wall_ms(l->engine);
	w->enabled = false;
	ch_free(w->disabled_reason);
	w->disabled_reason = ch_strdup(l->gone_words);
	return w->disabled_reason ? 0 : CH_ENOMEM;
}

static void submit(struct engine *e, struct lane *l)
{
	CH_ASSERT(l->gone && !l->switch_off);
	l->switch_at_mono_ms = INT64_MAX;
	if (e->is_aborted)
		return;
	struct switch_off *s = ch_calloc(1, sizeof(*s));
	if (!s || fill(s, l)) {
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

void engine_switch_off(struct engine *e, struct lane *l, struct target *by, const char *words)
{
	bool is_current = l->target && strcmp(l->target->url.text, by->url.text) == 0;
	if (l->gone || l->webhook.deleted || !l->webhook.enabled || !is_current)
		return;
	l->gone = target_ref(by);
	l->gone_words = words;
	CH_CRASH_POINT(gone_noted);
	engine_settle(e, l);
	submit(e, l);
}

void engine_switch_again(struct engine *e, struct lane *l)
{
	if (l->gone && !l->switch_off)
		submit(e, l);
}

/* Another URL is another receiver, which has deserved nothing; a switch that is off already is what we
 * wanted. */
void engine_review_switch(struct engine *e, struct lane *l)
{
	if (!l->gone)
		return;
	bool is_other = !l->target || strcmp(l->target->url.text, l->gone->url.text) != 0;
	if (is_other || !l->webhook.enabled)
		target_unref(&l->gone);
	else
		engine_switch_again(e, l);
}
