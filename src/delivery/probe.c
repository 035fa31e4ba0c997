#include "base/alloc.h"
#include "base/assert.h"
#include "delivery/claim.h"

/* What a dead endpoint is probed with. The question stands where a claim would, so that what the lane lets go
 * of meanwhile is remembered: the answer may be older than that. */

#define AGAIN_MS 1000

static void on_probe(struct store_request *r);

static bool is_news(const struct lane *l, const struct delivery *row)
{
	return lane_find(l, &row->id) == NULL;
}

/* Nothing to probe with: the lane waits for the next delivery, unless one came while the store looked. */
static void nothing_found(struct engine *e, struct lane *l)
{
	engine_probe_later(e, l, l->probe_was_missed ? engine_mono_ms(e) : INT64_MAX);
}

static void receive(struct engine *e, struct lane *l, struct store_request *r)
{
	struct store_probe *p = &r->u.probe;
	int64_t again = engine_mono_ms(e) + engine_jitter(e, AGAIN_MS);

	if (r->result != 0)
		engine_probe_later(e, l, again);
	else if (!p->out.has_row)
		nothing_found(e, l);
	else if (e->is_stopping || !is_news(l, &p->out.row) || lane_push(l, &p->out.row, HELD_PROBE))
		engine_probe_later(e, l, again);
}

static void on_probe(struct store_request *r)
{
	struct claim *c = CH_CONTAINER_OF(r, struct claim, request);
	struct lane *l = c->lane;
	struct engine *e = l->engine;

	l->claim = NULL;
	e->claims--;
	if (lane_state_of(l) == LANE_PROBING)
		receive(e, l, r);
	else
		lane_note_due(l, engine_wall_ms(e));
	lane_drop_ghosts(l);
	store_request_fini(r);
	ch_free(c);
	engine_replan(e, l);
}

void probe_submit(struct engine *e, struct lane *l)
{
	CH_ASSERT(!l->claim && !l->probe && ch_list_is_empty(&l->ghosts));
	struct claim *c = ch_calloc(1, sizeof(*c));
	if (!c) {
		engine_probe_later(e, l, engine_mono_ms(e) + engine_jitter(e, AGAIN_MS));
		return;
	}
	store_request_init(&c->request, STORE_PROBE, e->conf.port, on_probe);
	c->lane = l;
	c->request.u.probe.in.webhook_id = l->webhook.id;
	c->request.u.probe.in.has_last = l->has_probed;
	c->request.u.probe.in.last = l->probed;
	l->probe_was_missed = false;
	l->claim = c;
	e->claims++;
	store_submit(e->conf.store, &c->request);
}
