#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim_api.h"

#define HEALING_MAX_MS ((int64_t)14 * 86400 * 1000)
#define WALK_STEPS 500 /* the engine alone is walked through that often */

void sim_fail(const struct world *w, const char *fmt, ...)
{
	va_list args;
	fprintf(stderr, "sim: seed %llu, step %d, life %u, %lld ms: ", (unsigned long long)w->seed, w->step,
			w->life, (long long)w->clock.mono.ms);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\nsim: again with: sim --seed %llu%s\n", (unsigned long long)w->seed,
			w->plan.options);
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

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const uint8_t *b = data;
	for (size_t i = 0; i < len; i++)
		h = (h ^ b[i]) * UINT64_C(1099511628211);
	return h;
}

void sim_trace(struct world *w, const char *what, const struct id *id, int64_t value)
{
	w->trace = mix(w->trace, what, strlen(what));
	if (id)
		w->trace = mix(w->trace, id->b, sizeof(id->b));
	w->trace = mix(w->trace, &value, sizeof(value));
}

/* ---- time ---- */

static void advance(struct world *w, int64_t ms)
{
	ch_clock_virtual_advance(&w->clock, ms);
	if (w->clock.wall.ms > w->wall_high_ms)
		w->wall_high_ms = w->clock.wall.ms;
}

void sim_turn(struct world *w)
{
	sim_begin_turn(w);
	w->in_turn = true;
	engine_turn(w->engine);
	w->in_turn = false;
}

/* Reads of the store, timers of the API, clients who read slowly. */
static int64_t next_of_door(const struct world *w)
{
	int64_t a = sim_client_next(w), b = sim_loop_next(w->base);
	if (sim_http_waits(w))
		return sim_now(w);
	return a < b ? a : b;
}

static int64_t next_event(const struct world *w)
{
	int64_t a = engine_next_wake(w->engine).ms, b = transport_sim_next(w->transport).ms;
	int64_t c = next_of_door(w);
	a = a < b ? a : b;
	return a < c ? a : c;
}

void sim_drain(struct world *w)
{
	for (int i = 0; i < 100000; i++) {
		bool did = sim_work_once(w);
		if (engine_next_wake(w->engine).ms <= sim_now(w)) {
			sim_turn(w);
		} else if (!did && next_of_door(w) > sim_now(w)) {
			sim_check_rest(w);
			return;
		}
	}
	sim_fail(w, "the engine does not come to rest within one moment");
}

void sim_pass_time(struct world *w, int64_t most_ms)
{
	int64_t next = next_event(w), now = sim_now(w);
	int64_t ms = next > now + most_ms ? most_ms : next - now;
	advance(w, ms > 0 ? ms : 0);
}

static void work_some(struct world *w)
{
	for (int i = 0; i < 6; i++) {
		switch (sim_below(w, 6)) {
		case 0:
			store_inline_step(w->inner);
			break;
		case 1:
			sim_client_step(w);
			break;
		case 2:
			ch_port_dispatch(&w->loop.port);
			ch_port_dispatch(&w->api_port);
			break;
		case 3:
			transport_sim_step(w->transport);
			break;
		case 4:
			sim_loop_step(w->base);
			sim_http_step(w);
			break;
		default:
			if (engine_next_wake(w->engine).ms <= sim_now(w))
				sim_turn(w);
			break;
		}
	}
}

static void live_through(struct world *w, int64_t ms)
{
	int64_t until = sim_now(w) + ms;
	while (sim_now(w) < until) {
		sim_drain(w);
		sim_pass_time(w, until - sim_now(w));
	}
}

/* Half a minute, an hour, half a day. */
static int64_t some_while_ms(struct world *w)
{
	if (sim_chance(w, 88))
		return (int64_t)sim_below(w, 30000);
	return (int64_t)sim_below(w, sim_chance(w, 90) ? 3600000 : 43200000);
}

static void one_step(struct world *w)
{
	if (sim_chance(w, 25))
		sim_act(w);
	work_some(w);
	if (sim_chance(w, 70))
		sim_pass_time(w, (int64_t)sim_below(w, 40));
	if (sim_chance(w, 2))
		live_through(w, some_while_ms(w));
	if (w->step % SIM_AUDIT_STEPS == SIM_AUDIT_STEPS - 1)
		sim_audit(w);
	else if (w->step % WALK_STEPS == 0)
		sim_check_engine(w);
}

/* ---- the end ---- */

static void settle(struct world *w)
{
	int64_t give_up = sim_now(w) + HEALING_MAX_MS;
	for (;;) {
		sim_drain(w);
		if (sim_all_settled(w))
			return;
		sim_retry(w, UINT64_MAX);
		if (w->operations == 0)
			sim_enable_all(w);
		if (sim_now(w) > give_up)
			sim_fail(w, "some are still pending or parked after two weeks of health");
		sim_drain(w);
		sim_pass_time(w, 60000);
	}
}

/* Everybody is well from here on: whatever is pending has to arrive, what is parked to be released; and
 * then there is one more for everybody, for those that were dead. */
static void heal(struct world *w)
{
	w->is_healing = true;
	store_fault_fail_read(w->fault, 0, 0);
	store_fault_fail_write(w->fault, 0, 0);
	w->gate->refuse_until_mono_ms = 0;
	w->reads_fail_until_mono_ms = 0;
	settle(w);
	sim_call_all(w);
	settle(w);
	sim_check_engine(w);
}

/* ---- the whole ---- */

void sim_world_init(struct world *w, uint64_t seed, const struct sim_plan *plan)
{
	static const int slots[] = {1, 6, 12, 24, 40, 80, 200};
	*w = (struct world){.seed = seed, .plan = *plan, .trace = UINT64_C(14695981039346656037)};
	w->clock = (struct ch_clock_virtual){{1722350100000}, {1000}};
	w->wall_high_ms = w->clock.wall.ms;
	ch_rand_seeded_init(&w->seeded, seed);
	w->rand = ch_rand_seeded_of(&w->seeded);
	w->max_in_flight = slots[sim_below(w, sizeof(slots) / sizeof(slots[0]))];
	ch_map_init(&w->hook_map, &w->rand);
	ch_map_init(&w->parcels, &w->rand);
	ch_map_init(&w->calls, &w->rand);
	ch_list_init(&w->resends);
	ch_list_init(&w->asks);
	ch_list_init(&w->hook_asks);
	ch_list_init(&w->unknown);
	if (plan->with_sqlite) {
		snprintf(w->dir, sizeof(w->dir), "/tmp/callhook-sim-XXXXXX");
		char *made = mkdtemp(w->dir);
		CH_ASSERT(made);
	}
	sim_power_init(w);
	sim_guests_init(w);
	sim_begin_life(w);
	for (int i = 0; i < 12; i++)
		sim_make_hook(w);
	sim_drain(w);
}

static bool goes_on(const struct world *w)
{
	if (w->plan.deliveries > 0)
		return w->seen.made < w->plan.deliveries;
	return w->step < w->plan.steps;
}

void sim_world_run(struct world *w)
{
	for (w->step = 0; goes_on(w); w->step++)
		one_step(w);
	heal(w);
	sim_check_end(w);
	engine_stop(w->engine);
	sim_drain(w);
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
	sim_end_life(w);
	sim_forget_sends(w);
	store_close(&w->kept);
	sim_calls_fini(w);
	sim_model_fini(w);
	sim_guests_fini(w);
	if (w->dir[0])
		remove_files(w);
}
