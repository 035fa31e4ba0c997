#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crash_point.h"
#include "delivery/claim.h"

static int compare_ids(const void *a, const void *b)
{
	return id_compare(a, b);
}

/* All that is held: the store would count it and load its body again. And what is left out. */
static int fill_skip(struct store_claim *c, const struct lane *l)
{
	size_t most = l->held.len + (size_t)l->lost_count;
	if (most == 0)
		return 0;
	c->in.skip = ch_alloc(most * sizeof(struct id));
	if (!c->in.skip)
		return CH_ENOMEM;
	CH_LIST_FOREACH (&l->lost, it, nx)
		c->in.skip[c->in.skip_count++] = CH_CONTAINER_OF(it, struct lost, link)->delivery;
	for (struct ch_map_node *n = ch_map_next(&l->held, NULL); n; n = ch_map_next(&l->held, n))
		c->in.skip[c->in.skip_count++] = CH_CONTAINER_OF(n, struct held, node)->delivery.id;
	qsort(c->in.skip, c->in.skip_count, sizeof(struct id), compare_ids);
	return 0;
}

static size_t bytes_for(const struct engine *e, const struct lane *l)
{
	size_t used = e->totals.body_bytes + e->reserved_bytes;
	size_t budget = l->claims_slow ? e->conf.body_budget_bytes / 2 : e->conf.body_budget_bytes;
	size_t left = used < budget ? budget - used : 1;
	size_t share = engine_byte_share(e);
	size_t own = l->body_bytes < share ? share - l->body_bytes : 1;
	size_t most = left < own ? left : own;
	return most < ENGINE_CLAIM_BYTES ? most : ENGINE_CLAIM_BYTES;
}

/* Until the answer is in, what the lane lets go of stays as ghosts: a row of the answer may be one that was
 * attempted, acknowledged and let go since its snapshot was taken. */
static void receive_row(struct engine *e, struct lane *l, struct delivery *row)
{
	if (lane_find(l, &row->id))
		return;
	if (lane_state_of(l) != LANE_READY || e->is_stopping) {
		lane_note_due(l, row->due_ms);
		return;
	}
	/* Without memory it is still in the store: look again in a while. */
	if (lane_push(l, row, HELD_BACKLOG))
		lane_note_due(l, engine_wall_ms(e) + 1000);
	else
		atomic_fetch_add_explicit(&e->stats.claimed, 1, memory_order_relaxed);
}

/* Rows that the store passed over; said when there are more or fewer than the claim before found. */
static void note_damaged(struct engine *e, struct lane *l, size_t damaged)
{
	if (damaged > 0)
		lane_note_due(l, engine_wall_ms(e) + ENGINE_DAMAGED_PAUSE_MS);
	if (damaged > 0 && damaged != l->damaged) {
		char webhook[ID_TEXT_LEN + 1];
		id_format(&l->webhook.id, webhook);
		CH_LOG(e->conf.log, CH_LOG_ERROR, "deliveries_damaged", CH_S("webhook", webhook),
				CH_I("count", (int64_t)damaged));
	}
	l->damaged = damaged;
}

static void receive(struct engine *e, struct lane *l, struct store_claim *c)
{
	note_damaged(e, l, c->out.damaged);
	for (size_t i = 0; i < c->out.count; i++)
		receive_row(e, l, &c->out.rows[i]);
	if (c->out.more)
		lane_note_due(l, engine_wall_ms(e));
	if (c->out.next_due_ms >= 0)
		lane_note_due(l, c->out.next_due_ms);
	l->claim_failures = 0;
}

/* The pause doubles; on the way to the limit the count is all that is kept. */
static void postpone(struct engine *e, struct lane *l)
{
	int pause = 0;
	for (int i = 0; i <= l->claim_failures; i++)
		pause = engine_next_pause(pause);
	if (l->claim_failures < 8)
		l->claim_failures++;
	l->next_due_ms = engine_wall_ms(e) + engine_jitter(e, pause);
}

static void on_claimed(struct store_request *r)
{
	struct claim *c = CH_CONTAINER_OF(r, struct claim, request);
	struct lane *l = c->lane;
	struct engine *e = l->engine;

	e->claims--;
	e->reserved_bytes -= c->reserved_bytes;
	if (r->result == 0)
		receive(e, l, &r->u.claim);
	else
		postpone(e, l);
	CH_CRASH_POINT(claim_taken);
	l->claim = NULL;
	lane_drop_ghosts(l);
	store_request_fini(r);
	ch_free(c);
	engine_replan(e, l);
}

void claim_submit(struct engine *e, struct lane *l)
{
	CH_ASSERT(!l->claim && ch_list_is_empty(&l->ghosts));
	struct claim *c = ch_calloc(1, sizeof(*c));
	lane_drop_lost(l, engine_mono_ms(e));
	if (c)
		store_request_init(&c->request, STORE_CLAIM, e->conf.port, on_claimed);
	if (!c || fill_skip(&c->request.u.claim, l)) {
		ch_free(c);
		postpone(e, l);
		return;
	}
	struct store_claim *ask = &c->request.u.claim;
	c->lane = l;
	c->reserved_bytes = bytes_for(e, l);
	ask->in.webhook_id = l->webhook.id;
	ask->in.now_ms = engine_wall_ms(e);
	ask->in.limit = (size_t)lane_claim_room(l);
	ask->in.max_bytes = c->reserved_bytes;
	l->claim = c;
	/* What the store says replaces what was known; what the lane lets go of from here on adds to it. */
	l->next_due_ms = INT64_MAX;
	if (!ch_list_is_empty(&l->lost)) {
		int64_t end = CH_CONTAINER_OF(l->lost.next, struct lost, link)->until_mono_ms;
		lane_note_due(l, engine_wall_ms(e) + end - engine_mono_ms(e));
	}
	e->claims++;
	e->reserved_bytes += c->reserved_bytes;
	atomic_fetch_add_explicit(&e->stats.claims, 1, memory_order_relaxed);
	store_submit(e->conf.store, &c->request);
	CH_CRASH_POINT(claim_asked);
}
