#include "base/alloc.h"
#include "sim.h"

#define RESEND_PATIENCE_MS 60000

/* What a walk through the lanes counts; the engine keeps all of it as sums. */
struct sums {
	int64_t held;
	size_t bytes;
	int in_flight, slow, probes, results;
	int by_state[LANE_STATE_COUNT];
};

struct lane_sums {
	int where[HELD_GHOST + 1];
	int urgent_busy, overdue;
	size_t bytes;
};

static void add_held(struct world *w, const struct held *h, struct lane_sums *l, struct sums *s)
{
	l->where[h->where]++;
	if (h->where != HELD_GHOST)
		s->held++;
	if (h->delivery.body)
		l->bytes += h->delivery.body->len;
	if ((h->where == HELD_IN_FLIGHT || h->where == HELD_RESULT) != (h->flight != NULL))
		sim_fail(w, "a delivery under way without its flight, or a flight without");
	if (h->where != HELD_IN_FLIGHT)
		return;
	l->urgent_busy += h->flight->from == HELD_URGENT;
	l->overdue += h->flight->is_overdue;
	s->slow += h->flight->is_slow;
	s->probes += h->flight->from == HELD_PROBE;
	int64_t age = sim_now(w) - h->flight->started_mono_ms;
	if (h->flight->is_overdue && age <= LANE_SLOW_MS)
		sim_fail(w, "overdue after %lld ms", (long long)age);
}

static void compare_lane(const struct world *w, const struct lane *l, const struct lane_sums *n)
{
	if (l->busy != n->where[HELD_IN_FLIGHT] || l->results != n->where[HELD_RESULT])
		sim_fail(w, "a lane counts %d in flight, %d results", l->busy, l->results);
	if (l->fresh_count != n->where[HELD_FRESH] || l->backlog_count != n->where[HELD_BACKLOG] ||
			l->urgent_count != n->where[HELD_URGENT])
		sim_fail(w, "a lane counts its queues wrongly");
	if ((l->probe != NULL) != (n->where[HELD_PROBE] == 1))
		sim_fail(w, "a lane has %d probes", n->where[HELD_PROBE]);
	if (l->urgent_busy != n->urgent_busy || l->overdue != n->overdue || l->body_bytes != n->bytes)
		sim_fail(w, "a lane counts resends, bytes or what is overdue wrongly");
	if (n->where[HELD_GHOST] > 0 && !l->claim)
		sim_fail(w, "ghosts without a claim");
}

static bool is_probing(const struct lane *l)
{
	for (struct ch_map_node *m = ch_map_next(&l->held, NULL); m; m = ch_map_next(&l->held, m)) {
		const struct held *h = CH_CONTAINER_OF(m, struct held, node);
		if (h->where == HELD_IN_FLIGHT && h->flight->from == HELD_PROBE)
			return true;
	}
	return l->claim || l->probe;
}

static void check_lane_state(const struct world *w, const struct lane *l, const struct hook *h)
{
	enum lane_state s = lane_state_of(l);
	if (lane_queued(l) > ENGINE_QUEUE_MAX)
		sim_fail(w, "%d deliveries queued in one lane", lane_queued(l));
	if (s != LANE_READY && lane_queued(l) > 0)
		sim_fail(w, "a lane that is %s holds deliveries", lane_state_name(s));
	if (s == LANE_PROBING && !is_probing(l))
		sim_fail(w, "a lane is PROBING, and nothing asks");
	if (l->probe && s != LANE_PROBING)
		sim_fail(w, "a lane that is %s holds a probe", lane_state_name(s));
	if (!h->committed.deleted && l->webhook.revision < h->told_revision && !h->is_unsure)
		sim_fail(w, "a lane has forgotten what it was told");
	if (l->line != lane_line_now(l, sim_now(w)) && !(l->rate_ready_mono_ms > 0))
		sim_fail(w, "a lane stands in the wrong line");
}

static void walk_lane(struct world *w, const struct lane *l, struct sums *s)
{
	struct lane_sums n = {.bytes = 0};
	for (struct ch_map_node *m = ch_map_next(&l->held, NULL); m; m = ch_map_next(&l->held, m))
		add_held(w, CH_CONTAINER_OF(m, struct held, node), &n, s);
	compare_lane(w, l, &n);
	check_lane_state(w, l, sim_hook(w, &l->webhook.id));
	s->in_flight += l->busy;
	s->results += l->results;
	s->bytes += n.bytes;
	s->by_state[lane_state_of(l)]++;
}

static void compare(const struct world *w, const struct sums *s)
{
	const struct engine *e = w->engine;
	if (s->held != e->totals.held || s->bytes != e->totals.body_bytes)
		sim_fail(w, "%lld held, %zu bytes, and the engine counts %lld, %zu", (long long)s->held,
				s->bytes, (long long)e->totals.held, e->totals.body_bytes);
	if (s->in_flight != e->in_flight || s->slow != e->slow_in_flight ||
			s->probes != e->probes_in_flight || s->results != e->results)
		sim_fail(w, "%d in flight, %d slow, %d probes, %d results", s->in_flight, s->slow, s->probes,
				s->results);
	for (int i = 0; i < LANE_STATE_COUNT; i++) {
		if (s->by_state[i] != e->lanes_by_state[i])
			sim_fail(w, "%d lanes are %s", s->by_state[i], lane_state_name((enum lane_state)i));
	}
	if ((size_t)e->in_flight != transport_sim_in_flight(w->transport))
		sim_fail(w, "%zu on their way", transport_sim_in_flight(w->transport));
	/* A claim may bring one body more than it has room for. */
	if (e->totals.body_bytes > e->conf.body_budget_bytes * 5 / 4 + 4096 * (e->lanes.len + 1))
		sim_fail(w, "%zu bytes of bodies", e->totals.body_bytes);
}

void sim_check_engine(struct world *w)
{
	const struct engine *e = w->engine;
	struct sums s = {.held = 0};
	for (struct ch_map_node *n = ch_map_next(&e->lanes, NULL); n; n = ch_map_next(&e->lanes, n))
		walk_lane(w, CH_CONTAINER_OF(n, struct lane, node), &s);
	compare(w, &s);
}

/* ---- at rest ---- */

static bool something_is_in_the_way(const struct world *w, const struct lane *l)
{
	const struct engine *e = w->engine;
	enum lane_state s = lane_state_of(l);
	return s == LANE_SUSPENDED || s == LANE_DISABLED || l->is_paused || l->rate_ready_mono_ms > 0 ||
	       e->downtime.is_on || e->refusal.is_on || e->is_stopping ||
	       e->in_flight + 2 >= w->max_in_flight || l->urgent_busy >= l->webhook.concurrency ||
	       l->line == LINE_PROBE || (lane_is_slow(l) && 2 * e->slow_in_flight + 4 >= w->max_in_flight) ||
	       l->urgent_count > 1 || e->results >= w->max_in_flight;
}

/* A resend that was taken goes, unless something that may stop it does. */
static void check_resends(struct world *w)
{
	for (struct ch_list *it = w->resends.next, *next; it != &w->resends; it = next) {
		struct resend *r = CH_CONTAINER_OF(it, struct resend, link);
		const struct lane *l = engine_lane(w->engine, &r->parcel->hook->id);
		const struct held *h = l ? lane_find(l, &r->parcel->id) : NULL;
		next = it->next;
		if (!h || h->where != HELD_URGENT) {
			ch_list_unlink(it);
			ch_free(r);
		} else if (something_is_in_the_way(w, l)) {
			r->since_mono_ms = sim_now(w);
		} else if (sim_now(w) - r->since_mono_ms > RESEND_PATIENCE_MS) {
			sim_fail(w, "a resend waits, and nothing is in its way");
		}
	}
}

/* A dead lane that has something to probe with looks forward to a probe. */
static void check_dead(const struct world *w, const struct lane *l, const struct hook *h)
{
	if (lane_state_of(l) != LANE_DEAD || l->probe_at_mono_ms != INT64_MAX)
		return;
	if (h->counts.pending > 0 && sim_is_live(h) && !w->engine->survey.is_wanted &&
			!w->engine->survey.under_way)
		sim_fail(w, "a dead lane waits for ever beside %lld", (long long)h->counts.pending);
}

void sim_check_rest(struct world *w)
{
	const struct engine *e = w->engine;
	check_resends(w);
	if (e->is_stopping)
		return;
	for (struct ch_map_node *n = ch_map_next(&e->lanes, NULL); n; n = ch_map_next(&e->lanes, n)) {
		const struct lane *l = CH_CONTAINER_OF(n, struct lane, node);
		check_dead(w, l, sim_hook(w, &l->webhook.id));
	}
}
