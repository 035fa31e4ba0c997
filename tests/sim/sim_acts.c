#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim.h"

/* A request of the API's: whatever comes of it, it is over then. */
struct operation {
	struct store_request request;
	struct world *world;
};

static void on_done(struct store_request *r)
{
	struct operation *o = CH_CONTAINER_OF(r, struct operation, request);
	o->world->operations--;
	store_request_fini(r);
	ch_free(o);
}

struct store_request *sim_begin(struct world *w, enum store_kind kind)
{
	struct operation *o = ch_calloc(1, sizeof(*o));
	CH_ASSERT(o);
	store_request_init(&o->request, kind, &w->api_port, on_done);
	o->world = w;
	w->operations++;
	return &o->request;
}

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

static char *make_body(struct world *w, const struct id *id, size_t *ret_len)
{
	char text[ID_TEXT_LEN + 1];
	struct ch_buf b;
	ch_buf_init(&b, 8192);
	id_format(id, text);
	ch_buf_addf(&b, "{\"id\":\"%s\",\"pad\":\"", text);
	for (uint64_t i = sim_below(w, sim_chance(w, 90) ? 100 : 3000); i > 0; i--)
		ch_buf_addc(&b, 'x');
	ch_buf_adds(&b, "\",\"created\":\"2024-07-30T14:35:00Z\"}");
	*ret_len = b.len;
	CH_ASSERT(b.err == 0);
	return ch_buf_detach(&b);
}

static void put_call(struct world *w, uint64_t agent)
{
	struct store_request *r = sim_begin(w, STORE_CALL_PUT);
	struct store_call_put *put = &r->u.call_put;
	put->in.account = SIM_ACCOUNT;
	put->in.facts.id = sim_random_id(w);
	put->in.facts.agent_id = sim_agent_id(agent);
	put->in.facts.status = CALL_COMPLETED;
	put->in.facts.type = CALL_INBOUND;
	put->in.facts.created_s = w->clock.wall.ms / 1000;
	put->in.body = make_body(w, &put->in.facts.id, &put->in.body_len);
	put->in.now_ms = w->clock.wall.ms;
	store_submit(w->inner, r);
}

static void put_calls(struct world *w)
{
	uint64_t n = sim_chance(w, 90) ? 1 + sim_below(w, 4) : 1 + sim_below(w, sim_chance(w, 80) ? 40 : 400);
	while (n-- > 0)
		put_call(w, sim_below(w, SIM_AGENTS));
}

void sim_call_all(struct world *w)
{
	for (uint64_t i = 0; i < SIM_AGENTS; i++)
		put_call(w, i);
}

/* Mostly of what was made lately, and of one webhook or of many at a time. */
static void resend_some(struct world *w)
{
	size_t known = w->recent_count < 256 ? w->recent_count : 256;
	uint64_t n = sim_chance(w, 90) ? 1 : 1 + sim_below(w, 100);
	while (known > 0 && n-- > 0) {
		struct store_request *r = sim_begin(w, STORE_RESEND);
		r->u.resend.in.account = SIM_ACCOUNT;
		r->u.resend.in.id = w->recent[sim_below(w, known)]->id;
		r->u.resend.in.now_ms = w->clock.wall.ms;
		store_submit(w->inner, r);
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
		resend_some(w);
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
}
