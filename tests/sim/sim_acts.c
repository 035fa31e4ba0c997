#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim_api.h"

struct id sim_random_id(struct world *w)
{
	struct id id;
	ch_rand_fill(&w->rand, id.b, sizeof(id.b));
	return id;
}

struct id sim_agent_id(uint64_t n)
{
	struct id id = {{0xa9, (uint8_t)n}};
	return id;
}

/* ---- calls ---- */

static enum call_status some_status(struct world *w)
{
	static const enum call_status others[] = {CALL_FAILED, CALL_IN_PROGRESS, CALL_NO_ANSWER};
	return sim_chance(w, 85) ? CALL_COMPLETED : others[sim_below(w, 3)];
}

static void put_calls(struct world *w)
{
	uint64_t n = sim_chance(w, 90) ? 1 + sim_below(w, 4) : 1 + sim_below(w, sim_chance(w, 80) ? 40 : 400);
	if (n > 4 && sim_chance(w, 50)) {
		sim_import(w, n);
		return;
	}
	while (n-- > 0) {
		uint64_t agent = sim_below(w, SIM_AGENTS);
		sim_put_new(w, agent, some_status(w));
	}
	if (sim_chance(w, 20))
		sim_put_again(w);
	else if (sim_chance(w, 2))
		sim_put_bad(w);
}

void sim_call_all(struct world *w)
{
	for (uint64_t i = 0; i < SIM_AGENTS; i++)
		sim_put_new(w, i, CALL_COMPLETED);
}

/* One of those who wait for an answer no longer does. */
static void hang_up(struct world *w)
{
	if (w->operations == 0)
		return;
	uint64_t skip = sim_below(w, (uint64_t)w->operations);
	CH_LIST_FOREACH (&w->asks, it, next) {
		if (skip-- > 0)
			continue;
		sim_hang_up(w, CH_CONTAINER_OF(it, struct http_exchange, link));
		return;
	}
}

/* ---- troubles ---- */

static int some_code(struct world *w)
{
	static const int codes[] = {CH_EIO, CH_EFULL, CH_EBUSY, CH_ENOMEM};
	return codes[sim_below(w, 4)];
}

static void trouble_store(struct world *w)
{
	int nth = 1 + (int)sim_below(w, 10), code = some_code(w);
	w->seen.refusals++;
	if (sim_chance(w, 20))
		w->reads_fail_until_mono_ms = sim_now(w) + (int64_t)sim_below(w, 20000);
	else if (sim_chance(w, 20))
		store_fault_fail_read(w->fault, nth, code);
	else if (sim_chance(w, 50))
		store_fault_fail_write(w->fault, nth, code);
	else
		w->gate->refuse_until_mono_ms = sim_now(w) + (int64_t)sim_below(w, 60000);
}

/* What was restored from the store as wall time may end earlier by as much as the clock went forward. */
static void shorten_wishes(struct world *w, int64_t by_ms)
{
	for (size_t i = 0; i < w->hook_count; i++)
		w->hooks[i]->quiet_until_mono_ms -= by_ms;
}

static void step_wall(struct world *w)
{
	int64_t by = (int64_t)sim_below(w, 7200000) - 3600000;
	by = sim_chance(w, 80) ? by / 600 : by;
	w->clock.wall.ms += by;
	if (by > 0)
		shorten_wishes(w, by);
	if (w->clock.wall.ms > w->wall_high_ms)
		w->wall_high_ms = w->clock.wall.ms;
}

static void trouble_line(struct world *w)
{
	w->line_down_until_mono_ms = sim_now(w) + (int64_t)sim_below(w, sim_chance(w, 80) ? 120000 : 1800000);
}

void sim_act(struct world *w)
{
	uint64_t what = sim_below(w, 1000);
	if (what < 500)
		put_calls(w);
	else if (what < 580)
		sim_change_hooks(w);
	else if (what < 680)
		sim_change_temper(w);
	else if (what < 720)
		sim_resend_some(w);
	else if (what < 740)
		trouble_store(w);
	else if (what < 750)
		step_wall(w);
	else if (what < 756)
		trouble_line(w);
	else if (what < 760)
		sim_crash(w);
	else if (what < 763)
		sim_restart(w);
	else if (what < 820)
		sim_look(w);
	else if (what < 880)
		sim_retry(w, 1 + sim_below(w, 50));
	else if (what < 890)
		hang_up(w);
	else if (what < 900)
		sim_change_guest(w);
}
