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

static struct store_request *begin(struct world *w, enum store_kind kind)
{
	struct operation *o = ch_calloc(1, sizeof(*o));
	CH_ASSERT(o);
	store_request_init(&o->request, kind, &w->api_port, on_done);
	o->world = w;
	w->operations++;
	return &o->request;
}

static struct id random_id(struct world *w)
{
	struct id id;
	ch_rand_fill(&w->rand, id.b, sizeof(id.b));
	return id;
}

static struct id agent_id(uint64_t n)
{
	struct id id = {{0xa9, (uint8_t)n}};
	return id;
}

/* ---- webhooks ---- */

static char *new_url(struct world *w)
{
	char text[64];
	snprintf(text, sizeof(text), "http://r%zu.test/", sim_receiver_add(w));
	char *url = ch_strdup(text);
	CH_ASSERT(url);
	return url;
}

static void seal_secret(struct world *w, struct webhook *hook)
{
	uint8_t aad[24], key[CH_SEAL_KEY_BYTES] = {0};
	struct ch_buf sealed;
	ch_buf_init(&sealed, 4096);
	webhook_seal_aad(hook, aad);
	int rc = ch_seal(key, &w->rand, aad, sizeof(aad), SIM_SECRET, strlen(SIM_SECRET), &sealed);
	CH_ASSERT(rc == 0);
	hook->secret_sealed_len = sealed.len;
	hook->secret_sealed = (uint8_t *)ch_buf_detach(&sealed);
}

void sim_make_hook(struct world *w)
{
	if (w->hook_count == SIM_HOOKS_MAX)
		return;
	struct hook *h = &w->hooks[w->hook_count++];
	struct webhook hook;
	h->id = random_id(w);
	int rc = ch_map_insert(&w->hook_map, &h->node, h->id.b, sizeof(h->id.b));
	CH_ASSERT(rc == 0);
	webhook_init(&hook);
	hook.id = h->id;
	hook.account = SIM_ACCOUNT;
	hook.url = new_url(w);
	hook.name = ch_strdup("sim");
	hook.agent_ids = ch_alloc(sizeof(struct id));
	CH_ASSERT(hook.name && hook.agent_ids);
	hook.agent_ids[0] = agent_id(sim_below(w, SIM_AGENTS));
	hook.agent_count = 1;
	hook.concurrency = 1 + (int)sim_below(w, 12);
	hook.created_ms = w->clock.wall.ms;
	if (sim_chance(w, 50))
		seal_secret(w, &hook);
	struct store_request *r = begin(w, STORE_WEBHOOK_CREATE);
	r->u.webhook_create.in.webhook = hook;
	r->u.webhook_create.in.max_webhooks = SIM_HOOKS_MAX;
	store_submit(w->inner, r);
}

static bool is_live(const struct hook *h)
{
	return h->committed.url && !h->committed.deleted;
}

static struct hook *pick_hook(struct world *w)
{
	struct hook *h = w->hook_count ? &w->hooks[sim_below(w, (uint64_t)w->hook_count)] : NULL;
	return h && is_live(h) ? h : NULL;
}

static void update_hook(struct world *w, struct hook *h, bool enabled, bool moves)
{
	struct store_request *r = begin(w, STORE_WEBHOOK_UPDATE);
	struct webhook *hook = &r->u.webhook_update.in.webhook;
	int rc = webhook_copy(&h->committed, hook);
	CH_ASSERT(rc == 0);
	hook->enabled = enabled;
	ch_free(hook->disabled_reason);
	hook->disabled_reason = NULL;
	if (moves) {
		ch_free(hook->url);
		hook->url = new_url(w);
	}
	store_submit(w->inner, r);
}

static void delete_hook(struct world *w, struct hook *h)
{
	struct store_request *r = begin(w, STORE_WEBHOOK_DELETE);
	r->u.webhook_delete.in.account = SIM_ACCOUNT;
	r->u.webhook_delete.in.id = h->id;
	r->u.webhook_delete.in.now_ms = w->clock.wall.ms;
	store_submit(w->inner, r);
}

void sim_enable_all(struct world *w)
{
	for (int i = 0; i < w->hook_count; i++) {
		if (is_live(&w->hooks[i]) && !w->hooks[i].committed.enabled)
			update_hook(w, &w->hooks[i], true, false);
	}
}

bool sim_all_enabled(const struct world *w)
{
	for (int i = 0; i < w->hook_count; i++) {
		const struct hook *h = &w->hooks[i];
		struct lane_info info;
		if (!is_live(h))
			continue;
		if (!h->committed.enabled || !engine_lane_info(w->engine, &h->id, &info) ||
				info.state == LANE_DISABLED)
			return false;
	}
	return w->operations == 0;
}

static void change_hooks(struct world *w)
{
	struct hook *h = pick_hook(w);
	uint64_t what = sim_below(w, 100);
	if (what < 15)
		sim_make_hook(w);
	if (!h)
		return;
	if (what >= 15 && what < 24)
		update_hook(w, h, false, false);
	else if (what >= 24 && what < 80)
		update_hook(w, h, true, false);
	else if (what >= 80 && what < 96)
		update_hook(w, h, h->committed.enabled, true);
	else if (what >= 96)
		delete_hook(w, h);
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

static void put_call(struct world *w)
{
	struct store_request *r = begin(w, STORE_CALL_PUT);
	struct store_call_put *put = &r->u.call_put;
	put->in.account = SIM_ACCOUNT;
	put->in.facts.id = random_id(w);
	put->in.facts.agent_id = agent_id(sim_below(w, SIM_AGENTS));
	put->in.facts.status = CALL_COMPLETED;
	put->in.facts.type = CALL_INBOUND;
	put->in.facts.created_s = w->clock.wall.ms / 1000;
	put->in.body = make_body(w, &put->in.facts.id, &put->in.body_len);
	put->in.now_ms = w->clock.wall.ms;
	w->calls_made++;
	store_submit(w->inner, r);
}

static void put_calls(struct world *w)
{
	uint64_t n = sim_chance(w, 90) ? 1 + sim_below(w, 4) : 1 + sim_below(w, sim_chance(w, 80) ? 40 : 400);
	while (n-- > 0)
		put_call(w);
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

static void step_wall(struct world *w)
{
	int64_t by = (int64_t)sim_below(w, 7200000) - 3600000;
	w->clock.wall.ms += sim_chance(w, 80) ? by / 600 : by;
	if (w->clock.wall.ms > w->wall_high_ms)
		w->wall_high_ms = w->clock.wall.ms;
}

static void change_temper(struct world *w)
{
	if (w->receiver_count == 0)
		return;
	struct receiver *r = &w->receivers[sim_below(w, w->receiver_count)];
	r->habit = sim_chance(w, 40) ? HABIT_QUICK : (enum habit)sim_below(w, HABIT_COUNT);
}

void sim_act(struct world *w)
{
	uint64_t what = sim_below(w, 1000);
	if (what < 500)
		put_calls(w);
	else if (what < 620)
		change_hooks(w);
	else if (what < 720)
		change_temper(w);
	else if (what < 740)
		trouble_store(w);
	else if (what < 760)
		step_wall(w);
	else if (what < 764)
		sim_crash(w);
	else if (what < 767)
		sim_restart(w);
}
