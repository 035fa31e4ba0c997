#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim.h"

#define HEALING_MAX_MS ((int64_t)7 * 86400 * 1000)

void sim_fail(const struct world *w, const char *fmt, ...)
{
	va_list args;
	fprintf(stderr, "sim: seed %llu, step %d, life %u, %lld ms: ", (unsigned long long)w->seed, w->step,
			w->life, (long long)w->clock.mono.ms);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\nsim: again with: sim --seed %llu --steps %d%s\n", (unsigned long long)w->seed,
			w->steps, w->dir[0] ? " --sqlite" : "");
	abort();
}

uint64_t sim_below(struct world *w, uint64_t n)
{
	return ch_rand_below(&w->rand, n);
}

bool sim_chance(struct world *w, int percent)
{
	return sim_below(w, 100) < (uint64_t)percent;
}

int64_t sim_now(const struct world *w)
{
	return w->clock.mono.ms;
}

void sim_read(struct world *w, struct store_request *r)
{
	r->result = 0;
	w->fault->ops->read(w->client->reader, r);
}

/* ---- lives ---- */

static void tell_nothing(struct world *w)
{
	for (int i = 0; i < w->hook_count; i++) {
		struct hook *h = &w->hooks[i];
		if (!h->committed.url)
			continue;
		/* What it learns will be as of now or later. */
		h->is_told_off = !h->committed.enabled;
		h->is_told_deleted = h->committed.deleted;
		h->told_revision = h->committed.revision;
		h->is_unsure = true;
		snprintf(h->told_url, sizeof(h->told_url), "%s", h->committed.url);
	}
}

static void begin_life(struct world *w)
{
	struct ch_err err = {0};
	struct transport_sim_conf net = {
			.clock = ch_clock_virtual_of(&w->clock), .receive = sim_receive, .ctx = w};
	w->life++;
	tell_nothing(w);
	if (sim_chance(w, 20))
		w->reads_fail_until_mono_ms = sim_now(w) + (int64_t)sim_below(w, 5000);
	int rc = ch_port_init(&w->port, false, &err);
	if (rc == 0)
		rc = ch_port_init(&w->api_port, false, &err);
	if (rc == 0)
		rc = transport_sim_create(&net, &w->transport, &err);
	CH_ASSERT(rc == 0);
	sim_store_open(w);
	struct engine_conf conf = {.clock = net.clock,
			.rand = w->rand,
			.store = &w->client->base,
			.port = &w->port,
			.transport = w->transport,
			.url_rules = {.allow_http = true},
			.user_agent = "callhook/sim",
			.max_in_flight = SIM_MAX_IN_FLIGHT,
			.body_budget_bytes = (size_t)1024 << sim_below(w, 12)};
	rc = retry_schedule_parse("5s,30s,2m,10m", &conf.schedule, &err);
	if (rc == 0)
		rc = engine_create(&conf, &w->engine, &err);
	if (rc)
		sim_fail(w, "no engine: %s", err.text);
	engine_start(w->engine, NULL, NULL);
}

static void end_life(struct world *w)
{
	if (!engine_is_idle(w->engine) || w->operations > 0)
		sim_fail(w, "the engine does not come to rest");
	engine_destroy(&w->engine);
	w->transport->destroy(w->transport);
	sim_store_close(w);
	ch_port_fini(&w->port);
	ch_port_fini(&w->api_port);
}

static bool work_once(struct world *w)
{
	size_t n = store_inline_step(w->inner);
	n += sim_client_step(w);
	n += ch_port_dispatch(&w->port);
	n += ch_port_dispatch(&w->api_port);
	n += transport_sim_step(w->transport);
	return n > 0;
}

void sim_crash(struct world *w)
{
	w->seen.crashes++;
	w->gate->is_dead = true;
	engine_abort(w->engine);
	do
		sim_client_cancel_reads(w);
	while (work_once(w) || !engine_is_idle(w->engine));
	end_life(w);
	begin_life(w);
}

/* ---- time ---- */

static void advance(struct world *w, int64_t ms)
{
	ch_clock_virtual_advance(&w->clock, ms);
	if (w->clock.wall.ms > w->wall_high_ms)
		w->wall_high_ms = w->clock.wall.ms;
}

static void mark_waiting(struct world *w)
{
	static const enum lane_line quick[] = {LINE_QUICK_FIRST, LINE_QUICK_MORE};
	w->waiting = 0;
	for (int i = 0; i < w->hook_count; i++) {
		w->hooks[i].is_waiting = false;
		w->hooks[i].sent_in_turn = 0;
	}
	for (int i = 0; i < 2; i++) {
		CH_LIST_FOREACH (&w->engine->rings[quick[i]], it, next) {
			struct lane *l = CH_CONTAINER_OF(it, struct lane, ring);
			sim_hook(w, &l->webhook.id)->is_waiting = true;
			w->waiting++;
		}
	}
}

static void turn(struct world *w)
{
	mark_waiting(w);
	w->in_turn = true;
	engine_turn(w->engine);
	w->in_turn = false;
}

static int64_t next_event(const struct world *w)
{
	int64_t a = engine_next_wake(w->engine).ms, b = transport_sim_next(w->transport).ms;
	int64_t c = sim_client_next(w);
	a = a < b ? a : b;
	return a < c ? a : c;
}

/* Everything that can be done without time passing. */
static void drain(struct world *w)
{
	for (int i = 0; i < 100000; i++) {
		bool did = work_once(w);
		if (engine_next_wake(w->engine).ms <= sim_now(w))
			turn(w);
		else if (!did && sim_client_next(w) > sim_now(w))
			return;
	}
	sim_fail(w, "the engine does not come to rest within one moment");
}

static void pass_time(struct world *w, int64_t most_ms)
{
	int64_t next = next_event(w), now = sim_now(w);
	int64_t ms = next > now + most_ms ? most_ms : next - now;
	advance(w, ms > 0 ? ms : 0);
}

static void work_some(struct world *w)
{
	for (int i = 0; i < 6; i++) {
		switch (sim_below(w, 5)) {
		case 0:
			store_inline_step(w->inner);
			break;
		case 1:
			sim_client_step(w);
			break;
		case 2:
			ch_port_dispatch(&w->port);
			ch_port_dispatch(&w->api_port);
			break;
		case 3:
			transport_sim_step(w->transport);
			break;
		default:
			if (engine_next_wake(w->engine).ms <= sim_now(w))
				turn(w);
			break;
		}
	}
}

void sim_restart(struct world *w)
{
	int64_t give_up = sim_now(w) + HEALING_MAX_MS;
	w->seen.restarts++;
	engine_stop(w->engine);
	for (;;) {
		drain(w);
		if (engine_is_idle(w->engine) && w->operations == 0)
			break;
		if (sim_now(w) > give_up)
			sim_fail(w, "the engine does not stop");
		pass_time(w, 1000);
	}
	end_life(w);
	begin_life(w);
}

static void live_through(struct world *w, int64_t ms)
{
	int64_t until = sim_now(w) + ms;
	while (sim_now(w) < until) {
		drain(w);
		pass_time(w, until - sim_now(w));
	}
}

static void one_step(struct world *w)
{
	if (sim_chance(w, 25))
		sim_act(w);
	work_some(w);
	if (sim_chance(w, 70))
		pass_time(w, (int64_t)sim_below(w, 40));
	if (sim_chance(w, 2))
		live_through(w, (int64_t)sim_below(w, sim_chance(w, 90) ? 30000 : 3600000));
	if (w->step % 16 == 0)
		sim_check_lanes(w);
}

static int64_t pending_now(struct world *w)
{
	struct store_request r;
	store_request_init(&r, STORE_LEDGER, NULL, NULL);
	sim_read(w, &r);
	int64_t n = r.result == 0 ? r.u.ledger.out.ledger.pending : -1;
	store_request_fini(&r);
	return n;
}

/* Everybody is well from here on: whatever is pending has to arrive. */
static void heal(struct world *w)
{
	int64_t give_up = sim_now(w) + HEALING_MAX_MS;
	w->is_healing = true;
	store_fault_fail_read(w->fault, 0, 0);
	store_fault_fail_write(w->fault, 0, 0);
	w->gate->refuse_until_mono_ms = 0;
	w->reads_fail_until_mono_ms = 0;
	for (;;) {
		drain(w);
		sim_check_lanes(w);
		if (!sim_all_enabled(w))
			sim_enable_all(w);
		else if (pending_now(w) == 0)
			break;
		if (sim_now(w) > give_up)
			sim_fail(w, "%lld are still pending after a week of health",
					(long long)pending_now(w));
		drain(w);
		pass_time(w, 60000);
	}
	drain(w);
}

/* ---- the whole ---- */

void sim_world_init(struct world *w, uint64_t seed, bool with_sqlite)
{
	*w = (struct world){.seed = seed};
	w->clock = (struct ch_clock_virtual){{1722350100000}, {1000}};
	w->wall_high_ms = w->clock.wall.ms;
	ch_rand_seeded_init(&w->seeded, seed);
	w->rand = ch_rand_seeded_of(&w->seeded);
	ch_map_init(&w->hook_map, &w->rand);
	ch_map_init(&w->parcels, &w->rand);
	if (with_sqlite) {
		snprintf(w->dir, sizeof(w->dir), "/tmp/callhook-sim-XXXXXX");
		char *made = mkdtemp(w->dir);
		CH_ASSERT(made);
	}
	begin_life(w);
	for (int i = 0; i < 12; i++)
		sim_make_hook(w);
}

void sim_world_run(struct world *w, int steps)
{
	w->steps = steps;
	for (w->step = 0; w->step < steps; w->step++)
		one_step(w);
	heal(w);
	sim_check_end(w);
	engine_stop(w->engine);
	drain(w);
}

static void remove_files(const struct world *w)
{
	static const char *const names[] = {
			"sim.db", "sim.db-wal", "sim.db-shm", "sim.db-lock", "sim.db.lock"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];
		snprintf(path, sizeof(path), "%s/%s", w->dir, names[i]);
		unlink(path);
	}
	rmdir(w->dir);
}

void sim_world_fini(struct world *w)
{
	end_life(w);
	store_close(&w->kept);
	sim_model_fini(w);
	if (w->dir[0])
		remove_files(w);
}
