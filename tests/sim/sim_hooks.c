#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "sim_api.h"

/* A change gives up after so many that others made meanwhile. */
#define OVERTAKEN_MAX 5

enum wish { WISH_SWITCH, WISH_PATCH, WISH_SECRET, WISH_NO_SECRET, WISH_DELETE };

/* Something is asked of a webhook. Others may ask at the same time, so what has to be true of it is looked
 * for in each of its states from then on. */
struct hook_ask {
	struct http_exchange x;
	struct ch_list link; /* in world.hook_asks */
	struct hook *hook;
	enum wish wish;
	bool enabled; /* WISH_SWITCH */
	bool is_met; /* it was as wished */
	bool had_secret, had_none; /* at one time or another */
	int64_t revision_then;
	/* what a PATCH and a POST ask for; not: 0, NULL */
	char url[64];
	int concurrency;
	bool has_rate;
	int rate_count, rate_seconds;
	const char *secret; /* brought; NULL: one is to be made */
	char made[SIM_SECRETS_SEEN][SIGN_SECRET_TEXT_MAX + 1]; /* that it had since */
	size_t made_count;
};

struct create_ask {
	struct http_exchange x;
	bool was_full;
	char url[64];
};

/* ---- what the store says meanwhile ---- */

static bool is_as_wished(const struct hook_ask *a, const struct webhook *w)
{
	if (a->wish == WISH_SWITCH)
		return w->enabled == a->enabled;
	if (a->wish == WISH_DELETE)
		return w->deleted;
	return (!a->url[0] || strcmp(a->url, w->url) == 0) &&
	       (!a->concurrency || a->concurrency == w->concurrency) &&
	       (!a->has_rate || (a->rate_count == w->rate_count && a->rate_seconds == w->rate_seconds));
}

static void look(struct hook_ask *a)
{
	const struct hook *h = a->hook;
	a->is_met = a->is_met || is_as_wished(a, &h->committed);
	a->had_none = a->had_none || !h->has_key;
	a->had_secret = a->had_secret || h->has_key;
	if (h->has_key)
		snprintf(a->made[a->made_count++ % SIM_SECRETS_SEEN], sizeof(a->made[0]), "%s", h->secret);
}

void sim_note_hook_asks(struct world *w, const struct hook *h)
{
	CH_LIST_FOREACH (&w->hook_asks, it, next) {
		struct hook_ask *a = CH_CONTAINER_OF(it, struct hook_ask, link);
		if (a->hook == h)
			look(a);
	}
}

/* ---- answers ---- */

static void check_member(const struct http_exchange *x, const struct http_response *a, bool is_right)
{
	if (!is_right)
		sim_wrong_answer(x, a);
}

/* The settings in the answer are those that were asked for. */
static void check_settings(const struct hook_ask *k, const struct http_response *a)
{
	json_t *json = sim_answer_json(&k->x, a);
	const json_t *rate = json_object_get(json, "rateLimit");
	const json_t *enabled = json_object_get(json, "enabled");
	char id[ID_TEXT_LEN + 1];

	id_format(&k->hook->id, id);
	check_member(&k->x, a, strcmp(sim_text_of(k->x.world, json, "id"), id) == 0);
	if (k->wish == WISH_SWITCH)
		check_member(&k->x, a, json_is_boolean(enabled) && json_is_true(enabled) == k->enabled);
	if (k->url[0])
		check_member(&k->x, a, strcmp(sim_text_of(k->x.world, json, "url"), k->url) == 0);
	if (k->concurrency)
		check_member(&k->x, a,
				json_integer_value(json_object_get(json, "concurrency")) == k->concurrency);
	if (k->has_rate)
		check_member(&k->x, a, json_integer_value(json_object_get(rate, "count")) == k->rate_count);
	json_decref(json);
}

/* The secret that is shown is the one that signs. */
static void check_secret(const struct hook_ask *k, const struct http_response *a)
{
	json_t *json = sim_answer_json(&k->x, a);
	const char *shown = sim_text_of(k->x.world, json, "secret");
	bool is_known = false;
	size_t seen = k->made_count < SIM_SECRETS_SEEN ? k->made_count : SIM_SECRETS_SEEN;
	for (size_t i = 0; i < seen; i++)
		is_known = is_known || strcmp(k->made[i], shown) == 0;
	if (!is_known || (k->secret && strcmp(k->secret, shown) != 0))
		sim_fail(k->x.world, "a secret was shown that is not the webhook's");
	json_decref(json);
}

static bool may_conflict(const struct hook_ask *k)
{
	bool is_overtaken = k->hook->committed.revision - k->revision_then >= OVERTAKEN_MAX;
	return is_overtaken || (k->wish == WISH_SECRET && k->had_secret);
}

static void hook_answered(struct http_exchange *x, const struct http_response *a)
{
	static const int good[] = {[WISH_SWITCH] = 200,
			[WISH_PATCH] = 200,
			[WISH_SECRET] = 201,
			[WISH_NO_SECRET] = 204,
			[WISH_DELETE] = 204};
	struct hook_ask *k = CH_CONTAINER_OF(x, struct hook_ask, x);
	bool is_refused = !a || sim_is_refused(a);

	ch_list_unlink(&k->link);
	if (is_refused || (a->status == 404 && k->hook->committed.deleted) ||
			(a->status == 409 && may_conflict(k)))
		return;
	if (a->status != good[k->wish])
		sim_wrong_answer(x, a);
	bool is_true = k->wish == WISH_SECRET      ? k->had_secret
		       : k->wish == WISH_NO_SECRET ? k->had_none
						   : k->is_met;
	if (!is_true)
		sim_fail(x->world, "%s %s: %d, and the store knows nothing of it", x->method, x->path,
				a->status);
	if (k->wish == WISH_SECRET)
		check_secret(k, a);
	else if (a->status == 200)
		check_settings(k, a);
}

static void create_answered(struct http_exchange *x, const struct http_response *a)
{
	struct create_ask *k = CH_CONTAINER_OF(x, struct create_ask, x);
	struct id id;
	if (!a || sim_is_refused(a))
		return;
	if (a->status == 409 && (k->was_full || x->world->full_commit > x->commits_then))
		return;
	if (a->status != 201)
		sim_wrong_answer(x, a);
	json_t *json = sim_answer_json(x, a);
	const char *text = sim_text_of(x->world, json, "id");
	if (id_parse(text, strlen(text), &id) != 0 || !sim_hook(x->world, &id))
		sim_fail(x->world, "201 for a webhook that is not in the store");
	check_member(x, a, strcmp(sim_text_of(x->world, json, "url"), k->url) == 0);
	json_decref(json);
}

/* ---- asking ---- */

static void new_url(struct world *w, char url[64])
{
	snprintf(url, 64, "http://r%zu.test/", sim_receiver_add(w));
}

/* A rate limit as a member of a body, in two draws of chance. */
static void choose_rate(struct world *w, int *ret_count, int *ret_seconds)
{
	*ret_count = sim_chance(w, 70) ? 0 : 1 + (int)sim_below(w, SIM_RATE_MAX);
	*ret_seconds = *ret_count == 0 ? 0 : 1 + (int)sim_below(w, sim_chance(w, 80) ? 10 : 300);
}

static const char *rate_text(int count, int seconds, char text[64])
{
	snprintf(text, 64, "{\"count\":%d,\"seconds\":%d}", count, seconds);
	return count == 0 ? "null" : text;
}

void sim_make_hook(struct world *w)
{
	char agent[ID_TEXT_LEN + 1], rate[64];
	int count, seconds;
	struct id agent_id = sim_agent_id(sim_below(w, SIM_AGENTS));
	struct create_ask *k = sim_ask(w, sizeof(*k), "POST", create_answered);

	k->was_full = w->live_count >= SIM_HOOKS_LIVE;
	new_url(w, k->url);
	choose_rate(w, &count, &seconds);
	id_format(&agent_id, agent);
	sim_ask_path(&k->x, "/v1/webhooks");
	sim_ask_json(&k->x,
			"{\"url\":\"%s\",\"name\":\"sim\",\"agentIds\":[\"%s\"],\"concurrency\":%d,"
			"\"rateLimit\":%s}",
			k->url, agent, 1 + (int)sim_below(w, 12), rate_text(count, seconds, rate));
	sim_ask_send(&k->x);
}

static struct hook_ask *begin(
		struct world *w, struct hook *h, enum wish wish, const char *method, const char *behind)
{
	char id[ID_TEXT_LEN + 1];
	struct hook_ask *k = sim_ask(w, sizeof(*k), method, hook_answered);
	k->hook = h;
	k->wish = wish;
	k->revision_then = h->committed.revision;
	id_format(&h->id, id);
	sim_ask_path(&k->x, "/v1/webhooks/%s%s", id, behind);
	return k;
}

static void send_ask(struct hook_ask *k)
{
	look(k);
	ch_list_push_back(&k->x.world->hook_asks, &k->link);
	sim_ask_send(&k->x);
}

static void enable(struct world *w, struct hook *h, bool releases)
{
	bool is_patch = !releases && sim_chance(w, 50);
	struct hook_ask *k = begin(w, h, WISH_SWITCH, is_patch ? "PATCH" : "POST", is_patch ? "" : "/enable");
	k->enabled = true;
	if (is_patch)
		sim_ask_json(&k->x, "{\"enabled\":true}");
	else if (releases || sim_chance(w, 50))
		sim_ask_json(&k->x, "{\"deliverParked\":%s}", releases ? "true" : "false");
	send_ask(k);
}

static void disable(struct world *w, struct hook *h)
{
	bool is_patch = sim_chance(w, 50);
	struct hook_ask *k =
			begin(w, h, WISH_SWITCH, is_patch ? "PATCH" : "POST", is_patch ? "" : "/disable");
	if (is_patch)
		sim_ask_json(&k->x, "{\"enabled\":false}");
	send_ask(k);
}

static void move(struct world *w, struct hook *h)
{
	struct hook_ask *k = begin(w, h, WISH_PATCH, "PATCH", "");
	new_url(w, k->url);
	sim_ask_json(&k->x, "{\"url\":\"%s\"}", k->url);
	send_ask(k);
}

static void limit(struct world *w, struct hook *h)
{
	char rate[64];
	struct hook_ask *k = begin(w, h, WISH_PATCH, "PATCH", "");
	k->concurrency = 1 + (int)sim_below(w, 12);
	k->has_rate = true;
	choose_rate(w, &k->rate_count, &k->rate_seconds);
	sim_ask_json(&k->x, "{\"concurrency\":%d,\"rateLimit\":%s}", k->concurrency,
			rate_text(k->rate_count, k->rate_seconds, rate));
	send_ask(k);
}

/* Brought along, made here, or security off. */
static void secure(struct world *w, struct hook *h)
{
	static const char *const brought[] = {
			"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=", "no-base64-but-printable"};
	bool goes = h->has_key && sim_chance(w, 90);
	uint64_t which = sim_below(w, 3);
	struct hook_ask *k =
			begin(w, h, goes ? WISH_NO_SECRET : WISH_SECRET, goes ? "DELETE" : "POST", "/secret");
	if (!goes && which < 2) {
		k->secret = brought[which];
		sim_ask_json(&k->x, "{\"secret\":\"%s\"}", k->secret);
	}
	send_ask(k);
}

void sim_enable_all(struct world *w)
{
	for (size_t i = 0; i < w->hook_count; i++) {
		struct hook *h = w->hooks[i];
		if (sim_is_live(h) && (!h->committed.enabled || h->counts.parked > 0))
			enable(w, h, true);
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
	return w->operations == 0 && ch_list_is_empty(&w->unknown);
}

void sim_change_hooks(struct world *w)
{
	struct hook *h = w->hooks[sim_below(w, w->hook_count)];
	uint64_t what = sim_below(w, 100);
	if (what < 12)
		sim_make_hook(w);
	else if (!sim_is_live(h))
		return;
	else if (what < 22)
		disable(w, h);
	else if (what < 70)
		enable(w, h, sim_chance(w, 60));
	else if (what < 82)
		move(w, h);
	else if (what < 88)
		secure(w, h);
	else if (what < 97)
		limit(w, h);
	else
		send_ask(begin(w, h, WISH_DELETE, "DELETE", ""));
}
