#include "delivery/engine.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "delivery/engine_check.h"
#include "delivery/engine_core.h"
#include "delivery/engine_test.h"

const int engine_bucket_bounds_ms[11] = {1, 2, 5, 10, 25, 50, 100, 250, 1000, 5000, 15000};

int64_t engine_jitter(const struct engine *e, int64_t ms)
{
	return (int64_t)((double)ms * (0.8 + 0.4 * ch_rand_unit(&e->conf.rand)));
}

int engine_next_pause(int pause_ms)
{
	if (pause_ms < ENGINE_PAUSE_MIN_MS)
		return ENGINE_PAUSE_MIN_MS;
	return pause_ms > ENGINE_PAUSE_MAX_MS / 2 ? ENGINE_PAUSE_MAX_MS : 2 * pause_ms;
}

/* One lane may hold a part of the budget only: customers with large records and endpoints that hang
 * would otherwise use it up between them, and the rest could hold nothing. */
size_t engine_byte_share(const struct engine *e)
{
	return e->conf.body_budget_bytes / ENGINE_LANE_SHARE + 1;
}

static size_t used_bytes(const struct engine *e)
{
	return e->totals.body_bytes + e->reserved_bytes;
}

/* Slow endpoints keep their bodies for long: they get half, or those that hang would starve the rest. A quick
 * one that holds nothing may go beyond the budget a little, so that none waits for all others. */
static size_t budget_of(const struct engine *e, const struct lane *l)
{
	size_t budget = e->conf.body_budget_bytes;
	if (lane_is_slow(l))
		return budget / 2;
	return l->body_bytes == 0 ? budget + budget / 4 : budget;
}

bool engine_has_room(const struct engine *e, const struct lane *l, size_t bytes)
{
	size_t used = used_bytes(e), budget = budget_of(e, l);
	return used == 0 || (used <= budget && bytes <= budget - used);
}

bool engine_may_send(const struct engine *e)
{
	return !e->is_stopping && !e->refusal.is_on && e->in_flight < e->conf.max_in_flight &&
	       e->results < e->conf.max_in_flight + ENGINE_RESULTS_MORE;
}

bool engine_may_claim(const struct engine *e, bool is_slow)
{
	size_t budget = is_slow ? e->conf.body_budget_bytes / 2 : e->conf.body_budget_bytes;
	size_t part = e->conf.body_budget_bytes / 4, used = used_bytes(e);
	size_t wanted = part < ENGINE_CLAIM_BYTES ? part : ENGINE_CLAIM_BYTES;
	return !e->is_stopping && (used == 0 || (used <= budget && wanted <= budget - used));
}

static bool can_claim(const struct engine *e)
{
	return (!ch_list_is_empty(&e->claimers[0]) && engine_may_claim(e, false)) ||
	       (!ch_list_is_empty(&e->claimers[1]) && engine_may_claim(e, true));
}

struct lane *engine_lane(const struct engine *e, const struct id *webhook)
{
	struct ch_map_node *n = ch_map_get(&e->lanes, webhook->b, sizeof(webhook->b));
	return n ? CH_CONTAINER_OF(n, struct lane, node) : NULL;
}

/* ---- membership: where a lane stands in line ---- */

static void set_claimer(struct engine *e, struct lane *l, bool wants)
{
	bool is_slow = lane_is_slow(l);
	bool is_in = ch_list_is_linked(&l->claim_link);
	if (is_in == wants && (!wants || l->claims_slow == is_slow))
		return;
	if (is_in)
		ch_list_unlink(&l->claim_link);
	l->claims_slow = is_slow;
	if (wants)
		ch_list_push_back(&e->claimers[is_slow], &l->claim_link);
}

static void set_key(struct ch_heap *heap, struct ch_heap_node *n, int64_t key)
{
	if (n->key != key)
		ch_heap_rekey(heap, n, key);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t due_key(const struct lane *l, int64_t now_wall_ms)
{
	bool waits = l->state.state == LANE_READY && !l->is_paused && !l->claim &&
		     l->next_due_ms > now_wall_ms;
	return waits ? l->next_due_ms : INT64_MAX;
}

static int64_t pause_key(const struct lane *l, int64_t now_mono_ms)
{
	int64_t key = l->is_paused ? l->paused_until_mono_ms : INT64_MAX;
	if (l->state.state == LANE_SUSPENDED)
		key = earlier(key, l->suspended_until_mono_ms);
	if (l->state.state == LANE_DEAD && !l->claim)
		key = earlier(key, l->probe_at_mono_ms);
	if (l->rate_ready_mono_ms > now_mono_ms)
		key = earlier(key, l->rate_ready_mono_ms);
	if (l->gone && !l->switch_off)
		key = earlier(key, l->switch_at_mono_ms);
	return key;
}

/* From when on the lane may send; 0: it has no limit, or nothing to send. */
static void set_rate_ready(struct engine *e, struct lane *l, int64_t at_mono_ms, int64_t now_mono_ms)
{
	bool is_limited = at_mono_ms > now_mono_ms;

	e->rate_limited += is_limited - l->is_rate_limited;
	l->is_rate_limited = is_limited;
	l->rate_ready_mono_ms = at_mono_ms;
}

static void remove_lane(struct engine *e, struct lane *l)
{
	engine_stand_in_line(e, l, LINE_NONE);
	set_rate_ready(e, l, 0, 0);
	e->lanes_by_state[lane_state_of(l)]--;
	set_claimer(e, l, false);
	ch_heap_remove(&e->dues, &l->due);
	ch_heap_remove(&e->pauses, &l->pause);
	ch_map_remove(&e->lanes, &l->node);
	lane_destroy(&l);
}

void engine_replan(struct engine *e, struct lane *l)
{
	int64_t now = engine_wall_ms(e), now_mono = engine_mono_ms(e);
	if (lane_is_spent(l)) {
		remove_lane(e, l);
		return;
	}
	set_rate_ready(e, l,
			l->rate.count > 0 && lane_has_sendable(l) ? rate_limit_next_ms(&l->rate, now_mono)
								  : 0,
			now_mono);
	engine_stand_in_line(e, l, lane_line_now(l, now_mono));
	set_claimer(e, l, lane_wants_claim(l, engine_byte_share(e), now));
	set_key(&e->dues, &l->due, due_key(l, now));
	set_key(&e->pauses, &l->pause, pause_key(l, now_mono));
}

/* ---- messages ---- */

static void leave_to_store(struct engine *e, struct lane *l, struct delivery *d)
{
	if (l) {
		lane_note_due(l, d->due_ms);
		engine_poke(e, l);
		engine_replan(e, l);
	}
	atomic_fetch_add_explicit(&e->stats.overflowed, 1, memory_order_relaxed);
	delivery_fini(d);
}

void engine_fresh(struct engine *e, struct delivery *d)
{
	struct lane *l = engine_lane(e, &d->webhook_id);
	struct delivery taken = *d;
	memset(d, 0, sizeof(*d));
	CH_ASSERT(taken.body && taken.state == DELIVERY_PENDING);
	if (!l && (e->survey.under_way || e->survey.is_wanted))
		e->survey.missed_fresh = true;
	/* A claim may have brought it already: its commit was readable before this message came. */
	if (l && lane_find(l, &taken.id) && lane_find(l, &taken.id)->where != HELD_GHOST) {
		delivery_fini(&taken);
		return;
	}
	size_t bytes = taken.body->len;
	if (l)
		l->pending++;
	if (!l || e->is_stopping || !engine_has_room(e, l, bytes) ||
			!lane_takes_fresh(l, bytes, engine_byte_share(e), engine_wall_ms(e)) ||
			lane_push(l, &taken, HELD_FRESH) != 0) {
		leave_to_store(e, l, &taken);
		return;
	}
	engine_replan(e, l);
}

/* Of those that are queued already only the newest round may go; what is under way ends first, and the store
 * has the rest. */
static bool make_way(struct lane *l, const struct id *delivery)
{
	struct held *h = lane_find(l, delivery);
	if (!h)
		return true;
	if (h->where == HELD_FRESH || h->where == HELD_BACKLOG || h->where == HELD_URGENT) {
		lane_drop(l, h);
		return lane_find(l, delivery) == NULL;
	}
	h->was_resent = true;
	return false;
}

static bool takes_urgent(const struct engine *e, const struct lane *l, size_t bytes)
{
	enum lane_state s = lane_state_of(l);
	return (s == LANE_READY || s == LANE_DEAD || s == LANE_PROBING) && !e->is_stopping &&
	       l->urgent_count < lane_places(l) && engine_has_room(e, l, bytes) &&
	       (l->urgent_count == 0 || l->body_bytes + bytes <= engine_byte_share(e));
}

void engine_resend(struct engine *e, struct delivery *d)
{
	struct lane *l = engine_lane(e, &d->webhook_id);
	struct delivery taken = *d;
	memset(d, 0, sizeof(*d));
	CH_ASSERT(taken.body && taken.state == DELIVERY_PENDING);
	atomic_fetch_add_explicit(&e->stats.resent, 1, memory_order_relaxed);
	if (!l && (e->survey.under_way || e->survey.is_wanted))
		e->survey.missed_fresh = true;
	if (!l || !make_way(l, &taken.id) || !takes_urgent(e, l, taken.body->len) ||
			lane_push(l, &taken, HELD_URGENT) != 0)
		leave_to_store(e, l, &taken);
	else
		engine_replan(e, l);
}

void engine_canceled(struct engine *e, const struct id *webhook, const struct id *delivery)
{
	struct lane *l = engine_lane(e, webhook);
	struct held *h = l ? lane_find(l, delivery) : NULL;
	if (!h || (h->where != HELD_FRESH && h->where != HELD_BACKLOG && h->where != HELD_URGENT))
		return;
	lane_drop(l, h);
	if (l->pending > 0)
		l->pending--;
	engine_replan(e, l);
}

void engine_due(struct engine *e, const struct id *webhook)
{
	struct lane *l = engine_lane(e, webhook);
	if (!l)
		return;
	lane_note_due(l, engine_wall_ms(e));
	engine_poke(e, l);
	engine_replan(e, l);
}

/* ---- turns ---- */

static void run_pauses(struct engine *e)
{
	int64_t now = engine_mono_ms(e);
	for (int i = 0; i < ENGINE_TIMERS_A_TURN; i++) {
		struct ch_heap_node *n = ch_heap_min(&e->pauses);
		if (!n || n->key > now)
			return;
		struct lane *l = CH_CONTAINER_OF(n, struct lane, pause);
		engine_lane_wake(e, l, now);
		engine_replan(e, l);
	}
}

static void run_dues(struct engine *e)
{
	for (int i = 0; i < ENGINE_TIMERS_A_TURN; i++) {
		struct ch_heap_node *n = ch_heap_min(&e->dues);
		if (!n || n->key > engine_wall_ms(e))
			return;
		engine_replan(e, CH_CONTAINER_OF(n, struct lane, due));
	}
}

static void run_claims(struct engine *e)
{
	for (int i = 0; i < ENGINE_CLAIMS_A_TURN && can_claim(e); i++) {
		bool is_slow = i % 2 == 1;
		if (ch_list_is_empty(&e->claimers[is_slow]) || !engine_may_claim(e, is_slow))
			is_slow = !is_slow;
		struct ch_list *n = ch_list_pop_front(&e->claimers[is_slow]);
		struct lane *l = CH_CONTAINER_OF(n, struct lane, claim_link);
		claim_submit(e, l);
		engine_replan(e, l);
	}
}

static bool may_send_now(const struct engine *e)
{
	return engine_may_send(e) && (!e->downtime.is_on || engine_outage_may_ask(e));
}

static void run_sends(struct engine *e)
{
	for (int i = 0; i < ENGINE_SENDS_A_TURN && may_send_now(e); i++) {
		struct lane *l = engine_next_in_line(e);
		if (!l)
			return;
		pipeline_send(e, l, e->downtime.is_on);
		engine_replan(e, l);
	}
}

static void set_gauge(atomic_llong *gauge, long long value)
{
	atomic_store_explicit(gauge, value, memory_order_relaxed);
}

static void publish_gauges(struct engine *e)
{
	set_gauge(&e->stats.in_flight, e->in_flight);
	set_gauge(&e->stats.slow_in_flight, e->slow_in_flight);
	set_gauge(&e->stats.probes_in_flight, e->probes_in_flight);
	set_gauge(&e->stats.lanes_rate_limited, e->rate_limited);
	set_gauge(&e->stats.lanes_slow_waiting, e->in_line[LINE_SLOW_FIRST] + e->in_line[LINE_SLOW_MORE]);
	set_gauge(&e->stats.results_waiting, e->results);
	set_gauge(&e->stats.lanes, (long long)e->lanes.len);
	set_gauge(&e->stats.held, e->totals.held);
	set_gauge(&e->stats.body_bytes, (long long)e->totals.body_bytes);
	set_gauge(&e->stats.is_outage, e->downtime.is_on);
	set_gauge(&e->stats.is_refused, e->refusal.is_on);
	for (int i = 0; i < LANE_STATE_COUNT; i++)
		set_gauge(&e->stats.lanes_by_state[i], e->lanes_by_state[i]);
}

void engine_turn(struct engine *e)
{
	if (!e->is_stopping) {
		if (e->survey.is_wanted && !e->survey.under_way && e->survey.at_mono_ms <= engine_mono_ms(e))
			engine_submit_survey(e);
		engine_note_overdue(e);
		engine_tell_again(e);
		run_pauses(e);
		run_dues(e);
	}
	pipeline_write_again(e);
	run_claims(e);
	run_sends(e);
	publish_gauges(e);
}

static int64_t next_timer(const struct engine *e, int64_t now_mono_ms)
{
	int64_t wake = INT64_MAX;
	struct ch_heap_node *n = ch_heap_min(&e->pauses);
	if (n)
		wake = n->key;
	if (e->survey.is_wanted && !e->survey.under_way)
		wake = earlier(wake, e->survey.at_mono_ms);
	wake = earlier(wake, engine_next_overdue(e));
	wake = earlier(wake, engine_next_telling(e));
	if (e->downtime.is_on && !e->downtime.is_asking && engine_may_send(e) && engine_has_sendable(e))
		wake = earlier(wake, e->downtime.ask_at_mono_ms);
	n = ch_heap_min(&e->dues);
	if (n && n->key != INT64_MAX) {
		int64_t wait = n->key - engine_wall_ms(e);
		wake = earlier(wake, now_mono_ms + earlier(wait > 0 ? wait : 0, ENGINE_LOOK_AGAIN_MS));
	}
	return wake;
}

struct ch_mono engine_next_wake(const struct engine *e)
{
	int64_t now = engine_mono_ms(e), wake = INT64_MAX;
	bool has_unwritten = !ch_list_is_empty(&e->unwritten);

	if ((may_send_now(e) && engine_has_sendable(e)) || can_claim(e) ||
			(has_unwritten && !e->refusal.is_on))
		return (struct ch_mono){now};
	if (has_unwritten && !e->refusal.is_asking)
		wake = e->refusal.ask_at_mono_ms;
	if (!e->is_stopping)
		wake = earlier(wake, next_timer(e, now));
	return (struct ch_mono){wake};
}

/* ---- life ---- */

int engine_create(const struct engine_conf *conf, struct engine **ret, struct ch_err *err)
{
	CH_ASSERT(conf->max_in_flight >= 1 && conf->store && conf->port && conf->transport);
	struct engine *e = ch_calloc(1, sizeof(*e));
	if (!e)
		return ch_err_set(err, CH_ENOMEM, "no memory for a delivery engine");
	e->conf = *conf;
	ch_rand_stock_init(&e->rand, conf->rand);
	id_gen_init(&e->ids, conf->clock, ch_rand_stock_of(&e->rand));
	ch_map_init(&e->lanes, &conf->rand);
	engine_ring_init(e);
	engine_outage_init(e);
	ch_list_init(&e->claimers[0]);
	ch_list_init(&e->claimers[1]);
	ch_list_init(&e->flights);
	ch_list_init(&e->overdue);
	ch_list_init(&e->unwritten);
	ch_list_init(&e->untold);
	ch_list_init(&e->trials);
	ch_list_init(&e->checks);
	ch_heap_init(&e->dues);
	ch_heap_init(&e->pauses);
	*ret = e;
	return 0;
}

void engine_start(struct engine *e, bool (*owns)(void *ctx, const struct id *webhook), void *owns_ctx)
{
	e->owns = owns;
	e->owns_ctx = owns_ctx;
	engine_want_survey(e, engine_mono_ms(e));
}

void engine_missed(struct engine *e)
{
	e->survey.missed_fresh = true;
	engine_want_survey(e, engine_mono_ms(e));
}

void engine_stop(struct engine *e)
{
	e->is_stopping = true;
}

void engine_abort(struct engine *e)
{
	e->is_stopping = true;
	if (e->is_aborted)
		return;
	e->is_aborted = true;
	pipeline_cancel_all(e);
	engine_test_cancel_all(e);
	engine_check_cancel_all(e);
	pipeline_drop_unwritten(e);
}

bool engine_is_idle(const struct engine *e)
{
	return e->in_flight == 0 && e->results == 0 && e->claims == 0 && e->switch_offs == 0 &&
	       e->tidyings == 0 && e->tellings == 0 && e->trial_count == 0 && e->check_count == 0 &&
	       !e->survey.under_way;
}

void engine_destroy(struct engine **ep)
{
	struct engine *e = *ep;
	*ep = NULL;
	if (!e)
		return;
	CH_ASSERT(engine_is_idle(e));
	engine_drop_untold(e);
	for (struct ch_map_node *n = ch_map_next(&e->lanes, NULL), *next; n; n = next) {
		next = ch_map_next(&e->lanes, n);
		remove_lane(e, CH_CONTAINER_OF(n, struct lane, node));
	}
	CH_ASSERT(e->totals.held == 0 && e->totals.body_bytes == 0 && e->reserved_bytes == 0);
	ch_map_fini(&e->lanes);
	ch_heap_fini(&e->dues);
	ch_heap_fini(&e->pauses);
	ch_wipe(e->conf.seal_key, sizeof(e->conf.seal_key));
	ch_free(e);
}
