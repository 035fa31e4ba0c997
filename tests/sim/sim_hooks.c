#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim.h"

const char *const sim_secrets[SIM_SECRETS] = {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=",
		"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrs="};

static char *new_url(struct world *w)
{
	char text[64];
	snprintf(text, sizeof(text), "http://r%zu.test/", sim_receiver_add(w));
	char *url = ch_strdup(text);
	CH_ASSERT(url);
	return url;
}

/* Its name says which secret it has: 0, 1, or - for none. */
static void set_secret(struct world *w, struct webhook *hook)
{
	uint8_t aad[24], key[CH_SEAL_KEY_BYTES] = {0};
	struct ch_buf sealed;
	ch_free(hook->secret_sealed);
	hook->secret_sealed = NULL;
	hook->secret_sealed_len = 0;
	hook->name[0] = '-';
	if (sim_chance(w, 40))
		return;
	uint64_t which = sim_below(w, SIM_SECRETS);
	hook->name[0] = (char)('0' + which);
	ch_buf_init(&sealed, 4096);
	webhook_seal_aad(hook, aad);
	int rc = ch_seal(key, &w->rand, aad, sizeof(aad), sim_secrets[which], strlen(sim_secrets[which]),
			&sealed);
	CH_ASSERT(rc == 0);
	hook->secret_sealed_len = sealed.len;
	hook->secret_sealed = (uint8_t *)ch_buf_detach(&sealed);
}

static void set_rate(struct world *w, struct webhook *hook)
{
	hook->rate_count = sim_chance(w, 70) ? 0 : 1 + (int)sim_below(w, SIM_RATE_MAX);
	hook->rate_seconds = hook->rate_count == 0 ? 0 : 1 + (int)sim_below(w, sim_chance(w, 80) ? 10 : 300);
}

static struct hook *add_hook(struct world *w)
{
	struct hook **grown = ch_realloc(w->hooks, (w->hook_count + 1) * sizeof(struct hook *));
	struct hook *h = ch_calloc(1, sizeof(*h));
	CH_ASSERT(grown && h);
	w->hooks = grown;
	grown[w->hook_count++] = h;
	h->id = sim_random_id(w);
	int rc = ch_map_insert(&w->hook_map, &h->node, h->id.b, sizeof(h->id.b));
	CH_ASSERT(rc == 0);
	return h;
}

void sim_make_hook(struct world *w)
{
	if (w->live_count >= SIM_HOOKS_LIVE)
		return;
	struct hook *h = add_hook(w);
	struct webhook hook;
	webhook_init(&hook);
	hook.id = h->id;
	hook.account = SIM_ACCOUNT;
	hook.url = new_url(w);
	hook.name = ch_strdup("sim");
	hook.agent_ids = ch_alloc(sizeof(struct id));
	CH_ASSERT(hook.name && hook.agent_ids);
	hook.agent_ids[0] = sim_agent_id(sim_below(w, SIM_AGENTS));
	hook.agent_count = 1;
	hook.concurrency = 1 + (int)sim_below(w, 12);
	hook.created_ms = w->clock.wall.ms;
	set_rate(w, &hook);
	set_secret(w, &hook);
	struct store_request *r = sim_begin(w, STORE_WEBHOOK_CREATE);
	r->u.webhook_create.in.webhook = hook;
	r->u.webhook_create.in.max_webhooks = 2 * SIM_HOOKS_LIVE;
	store_submit(w->inner, r);
}

static struct hook *pick_hook(struct world *w)
{
	struct hook *h = w->hooks[sim_below(w, w->hook_count)];
	return sim_is_live(h) ? h : NULL;
}

/* What is to be changed of it, and with whom it will speak. */
struct change {
	bool enabled, release, moves, secret, limits;
};

static void update_hook(struct world *w, struct hook *h, const struct change *c)
{
	struct store_request *r = sim_begin(w, STORE_WEBHOOK_UPDATE);
	struct webhook *hook = &r->u.webhook_update.in.webhook;
	int rc = webhook_copy(&h->committed, hook);
	CH_ASSERT(rc == 0);
	hook->enabled = c->enabled;
	r->u.webhook_update.in.release = c->enabled && c->release;
	ch_free(hook->disabled_reason);
	hook->disabled_reason = NULL;
	if (c->moves) {
		ch_free(hook->url);
		hook->url = new_url(w);
	}
	if (c->secret)
		set_secret(w, hook);
	if (c->limits) {
		hook->concurrency = 1 + (int)sim_below(w, 12);
		set_rate(w, hook);
	}
	store_submit(w->inner, r);
}

static void delete_hook(struct world *w, struct hook *h)
{
	struct store_request *r = sim_begin(w, STORE_WEBHOOK_DELETE);
	r->u.webhook_delete.in.account = SIM_ACCOUNT;
	r->u.webhook_delete.in.id = h->id;
	r->u.webhook_delete.in.now_ms = w->clock.wall.ms;
	store_submit(w->inner, r);
}

void sim_enable_all(struct world *w)
{
	static const struct change on = {.enabled = true, .release = true};
	for (size_t i = 0; i < w->hook_count; i++) {
		struct hook *h = w->hooks[i];
		if (sim_is_live(h) && (!h->committed.enabled || h->counts.parked > 0))
			update_hook(w, h, &on);
	}
}

bool sim_all_settled(const struct world *w)
{
	for (size_t i = 0; i < w->hook_count; i++) {
		const struct hook *h = w->hooks[i];
		struct lane_info info;
		if (h->counts.pending > 0 || h->counts.parked > 0)
			return false;
		if (!sim_is_live(h))
			continue;
		if (!h->committed.enabled || !engine_lane_info(w->engine, &h->id, &info) ||
				info.state == LANE_DISABLED || info.state == LANE_SUSPENDED)
			return false;
	}
	return w->operations == 0;
}

void sim_change_hooks(struct world *w)
{
	struct hook *h = pick_hook(w);
	uint64_t what = sim_below(w, 100);
	struct change c = {.enabled = h && h->committed.enabled};
	if (what < 12)
		sim_make_hook(w);
	if (!h || what < 12)
		return;
	if (what < 22)
		c.enabled = false;
	else if (what < 70)
		c = (struct change){.enabled = true, .release = sim_chance(w, 60)};
	else if (what < 82)
		c.moves = true;
	else if (what < 88)
		c.secret = true;
	else if (what < 97)
		c.limits = true;
	if (what >= 97)
		delete_hook(w, h);
	else
		update_hook(w, h, &c);
}
