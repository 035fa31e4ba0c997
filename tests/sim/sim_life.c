#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim_api.h"

#define STOPPING_MAX_MS ((int64_t)7 * 86400 * 1000)

static void tell_nothing(struct world *w)
{
	for (size_t i = 0; i < w->hook_count; i++) {
		struct hook *h = w->hooks[i];
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

static void make_engine(struct world *w)
{
	struct ch_err err = {0};
	struct engine_conf conf = {.clock = ch_clock_virtual_of(&w->clock),
			.rand = w->rand,
			.store = &w->client->base,
			.port = &w->loop.port,
			.transport = w->transport,
			.url_rules = {.allow_http = true},
			.user_agent = "callhook/sim",
			.max_in_flight = w->max_in_flight,
			.body_budget_bytes = (size_t)1024 << sim_below(w, 12)};
	int rc = retry_schedule_parse("5s,30s,2m,10m,1h,6h", &conf.schedule, &err);
	if (rc == 0)
		rc = engine_create(&conf, &w->engine, &err);
	if (rc)
		sim_fail(w, "no engine: %s", err.text);
}

void sim_begin_life(struct world *w)
{
	struct ch_err err = {0};
	struct transport_sim_conf net = {.clock = ch_clock_virtual_of(&w->clock),
			.receive = sim_receive,
			.ending = sim_ending,
			.ctx = w};
	w->life++;
	tell_nothing(w);
	sim_forget_sends(w);
	if (!w->is_healing && sim_chance(w, 20))
		w->reads_fail_until_mono_ms = sim_now(w) + (int64_t)sim_below(w, 5000);
	int rc = ch_port_init(&w->loop.port, false, &err);
	if (rc == 0)
		rc = ch_port_init(&w->api_port, false, &err);
	if (rc == 0)
		rc = transport_sim_create(&net, &w->transport, &err);
	CH_ASSERT(rc == 0);
	sim_store_open(w);
	make_engine(w);
	sim_begin_api(w);
	engine_start(w->engine, NULL, NULL);
	sim_trace(w, "life", NULL, w->life);
}

void sim_end_life(struct world *w)
{
	if (!engine_is_idle(w->engine))
		sim_fail(w, "the engine does not come to rest");
	sim_end_api(w);
	w->seen.deaths += atomic_load(&engine_stats_of(w->engine)->deaths);
	w->seen.outages += atomic_load(&engine_stats_of(w->engine)->outages);
	w->seen.quiet += atomic_load(&engine_stats_of(w->engine)->suspensions);
	engine_destroy(&w->engine);
	w->transport->destroy(w->transport);
	sim_store_close(w);
	ch_port_fini(&w->loop.port);
	ch_port_fini(&w->api_port);
}

bool sim_work_once(struct world *w)
{
	size_t n = store_inline_step(w->inner);
	n += sim_client_step(w);
	n += ch_port_dispatch(&w->loop.port);
	n += ch_port_dispatch(&w->api_port);
	n += transport_sim_step(w->transport);
	n += sim_loop_step(w->base);
	n += sim_http_step(w);
	return n > 0;
}

void sim_crash(struct world *w)
{
	w->seen.crashes++;
	sim_note_crash(w);
	sim_doubt_guests(w);
	CH_LIST_FOREACH (&w->asks, it, next)
		CH_CONTAINER_OF(it, struct http_exchange, link)->is_gone = true;
	if (w->plan.with_power)
		sim_power_fail(w);
	w->gate->is_dead = true;
	engine_abort(w->engine);
	do
		sim_client_cancel_reads(w);
	while (sim_work_once(w) || !engine_is_idle(w->engine) || w->operations > 0);
	sim_end_life(w);
	if (w->plan.with_power)
		sim_power_cut(w);
	sim_begin_life(w);
}

void sim_restart(struct world *w)
{
	int64_t give_up = sim_now(w) + STOPPING_MAX_MS;
	w->seen.restarts++;
	api_stopping(w->api);
	engine_stop(w->engine);
	for (;;) {
		sim_drain(w);
		if (engine_is_idle(w->engine) && w->operations == 0)
			break;
		if (sim_now(w) > give_up)
			sim_fail(w, "the engine does not stop");
		sim_pass_time(w, 1000);
	}
	sim_end_life(w);
	sim_begin_life(w);
}
