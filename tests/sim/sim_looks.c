#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "sim_api.h"

#define PAGE_SIZE 10

/* What a delivery was as it was asked for: while it is the same, the answer has to say so. */
struct delivery_ask {
	struct http_exchange x;
	struct parcel *parcel;
	enum delivery_state state;
	int round, tries;
	unsigned sweeps;
	bool was_possible; /* to send it again */
	int64_t revision; /* the webhook's */
};

struct hook_look {
	struct http_exchange x;
	struct hook *hook; /* NULL: all of them */
	int64_t revision;
};

struct page_ask {
	struct http_exchange x;
	struct hook *hook;
	int pages; /* still to be read */
	char last[ID_TEXT_LEN + 1]; /* id of the last row so far */
};

/* ---- one delivery ---- */

static bool may_resend(const struct parcel *p)
{
	return sim_is_live(p->hook) && p->hook->committed.enabled && p->state != DELIVERY_CANCELED;
}

static bool is_unchanged(const struct delivery_ask *k)
{
	const struct parcel *p = k->parcel;
	return p->state == k->state && p->round == k->round && p->tries == k->tries &&
	       p->sweeps_seen == k->sweeps && p->hook->sweeps == k->sweeps;
}

static struct delivery_ask *begin(struct world *w, struct parcel *p, const char *method, const char *behind,
		void (*answered)(struct http_exchange *x, const struct http_response *a))
{
	char id[ID_TEXT_LEN + 1];
	struct delivery_ask *k = sim_ask(w, sizeof(*k), method, answered);
	k->parcel = p;
	k->state = p->state;
	k->round = p->round;
	k->tries = p->tries;
	k->sweeps = p->sweeps_seen;
	k->was_possible = may_resend(p);
	k->revision = p->hook->committed.revision;
	id_format(&p->id, id);
	sim_ask_path(&k->x, "/v1/deliveries/%s%s", id, behind);
	return k;
}

static bool is_id(const struct world *w, const json_t *json, const char *key, const struct id *id)
{
	char text[ID_TEXT_LEN + 1];
	id_format(id, text);
	return strcmp(sim_text_of(w, json, key), text) == 0;
}

static int int_of(const json_t *json, const char *key)
{
	return (int)json_integer_value(json_object_get(json, key));
}

static bool is_state(const char *text, enum delivery_state s)
{
	return strcmp(text, delivery_state_name(s)) == 0 ||
	       (s == DELIVERY_PENDING && strcmp(text, "DELIVERING") == 0);
}

static void check_delivery(const struct delivery_ask *k, const struct http_response *a, int round_least)
{
	const struct world *w = k->x.world;
	const struct parcel *p = k->parcel;
	json_t *json = sim_answer_json(&k->x, a);
	bool is_right = is_id(w, json, "id", &p->id) && is_id(w, json, "webhookId", &p->hook->id) &&
			int_of(json, "round") >= round_least && int_of(json, "round") <= p->round;
	if (is_right && is_unchanged(k))
		is_right = is_state(sim_text_of(w, json, "state"), p->state) &&
			   int_of(json, "tries") == p->tries;
	json_decref(json);
	if (!is_right)
		sim_wrong_answer(&k->x, a);
}

static void get_answered(struct http_exchange *x, const struct http_response *a)
{
	struct delivery_ask *k = CH_CONTAINER_OF(x, struct delivery_ask, x);
	if (!a || sim_is_refused(a))
		return;
	if (a->status != 200)
		sim_wrong_answer(x, a);
	check_delivery(k, a, k->round);
}

/* ---- sending again ---- */

static bool may_be_impossible(const struct delivery_ask *k)
{
	return !k->was_possible || !may_resend(k->parcel) ||
	       k->parcel->hook->committed.revision != k->revision;
}

static void resend_answered(struct http_exchange *x, const struct http_response *a)
{
	struct delivery_ask *k = CH_CONTAINER_OF(x, struct delivery_ask, x);
	if (!a || sim_is_refused(a))
		return;
	if ((a->status == 409 || (a->status == 404 && k->parcel->hook->committed.deleted)) &&
			may_be_impossible(k))
		return;
	if (a->status != 202)
		sim_wrong_answer(x, a);
	if (k->parcel->round <= k->round)
		sim_fail(x->world, "a resend was accepted, and the store knows nothing of it");
	check_delivery(k, a, k->round + 1);
}

static struct parcel *pick(struct world *w)
{
	size_t known = w->recent_count < SIM_RECENT ? w->recent_count : SIM_RECENT;
	return known > 0 ? w->recent[sim_below(w, known)] : NULL;
}

/* Mostly of what was made lately, and of one webhook or of many at a time. */
void sim_resend_some(struct world *w)
{
	uint64_t n = sim_chance(w, 90) ? 1 : 1 + sim_below(w, 100);
	struct parcel *p;
	while (n-- > 0 && (p = pick(w)) != NULL)
		sim_ask_send(&begin(w, p, "POST", "/resend", resend_answered)->x);
}

/* ---- webhooks ---- */

static void check_hook(const struct http_exchange *x, const struct http_response *a, const json_t *json,
		const struct hook *h)
{
	const struct webhook *c = &h->committed;
	bool is_right = is_id(x->world, json, "id", &h->id) &&
			strcmp(sim_text_of(x->world, json, "url"), c->url) == 0 &&
			json_is_true(json_object_get(json, "enabled")) == c->enabled &&
			json_is_true(json_object_get(json, "secured")) == h->has_key &&
			int_of(json, "concurrency") == c->concurrency &&
			(strcmp(sim_text_of(x->world, json, "state"), "DISABLED") == 0) == !c->enabled;
	if (!is_right)
		sim_wrong_answer(x, a);
}

static void hook_answered(struct http_exchange *x, const struct http_response *a)
{
	struct hook_look *k = CH_CONTAINER_OF(x, struct hook_look, x);
	if (!a || sim_is_refused(a) || (a->status == 404 && k->hook->committed.deleted))
		return;
	if (a->status != 200)
		sim_wrong_answer(x, a);
	json_t *json = sim_answer_json(x, a);
	if (k->hook->committed.revision == k->revision && sim_is_live(k->hook))
		check_hook(x, a, json, k->hook);
	json_decref(json);
}

static void look_at_hook(struct world *w)
{
	char id[ID_TEXT_LEN + 1];
	struct hook *h = w->hooks[sim_below(w, w->hook_count)];
	if (!sim_is_live(h))
		return;
	struct hook_look *k = sim_ask(w, sizeof(*k), "GET", hook_answered);
	k->hook = h;
	k->revision = h->committed.revision;
	id_format(&h->id, id);
	sim_ask_path(&k->x, "/v1/webhooks/%s", id);
	sim_ask_send(&k->x);
}

/* Each that is there, once; all, when nothing was committed meanwhile. */
static void hooks_answered(struct http_exchange *x, const struct http_response *a)
{
	struct world *w = x->world;
	json_t *json, *row;
	size_t i;
	struct id id;
	if (!a || sim_is_refused(a))
		return;
	if (a->status != 200)
		sim_wrong_answer(x, a);
	json = sim_answer_json(x, a);
	const json_t *rows = json_object_get(json, "content");
	json_array_foreach(rows, i, row)
	{
		const char *text = sim_text_of(w, row, "id");
		struct hook *h = id_parse(text, strlen(text), &id) == 0 ? sim_hook(w, &id) : NULL;
		if (!h)
			sim_fail(w, "a webhook is listed that nobody made");
		if (w->commits == x->commits_then)
			check_hook(x, a, row, h);
	}
	if (w->commits == x->commits_then && (int)json_array_size(rows) != w->live_count)
		sim_wrong_answer(x, a);
	json_decref(json);
}

static void look_at_hooks(struct world *w)
{
	struct hook_look *k = sim_ask(w, sizeof(*k), "GET", hooks_answered);
	sim_ask_path(&k->x, "/v1/webhooks");
	sim_ask_send(&k->x);
}

/* ---- pages of deliveries ---- */

static void ask_page(struct world *w, struct hook *h, int pages, const char *last, const char *after);

static void check_row(struct page_ask *k, const struct http_response *a, const json_t *row)
{
	struct world *w = k->x.world;
	const char *text = sim_text_of(w, row, "id");
	struct id id;
	struct parcel *p = id_parse(text, strlen(text), &id) == 0 ? sim_parcel(w, &id) : NULL;
	if (!p || p->hook != k->hook || (k->last[0] && strcmp(text, k->last) >= 0))
		sim_wrong_answer(&k->x, a);
	snprintf(k->last, sizeof(k->last), "%s", text);
}

static void page_answered(struct http_exchange *x, const struct http_response *a)
{
	struct page_ask *k = CH_CONTAINER_OF(x, struct page_ask, x);
	json_t *row;
	size_t i;
	if (!a || sim_is_refused(a))
		return;
	if (a->status != 200)
		sim_wrong_answer(x, a);
	json_t *json = sim_answer_json(x, a);
	const json_t *rows = json_object_get(json, "content");
	json_array_foreach(rows, i, row) check_row(k, a, row);
	const char *next = json_string_value(json_object_get(json, "next"));
	if (next && json_array_size(rows) != PAGE_SIZE)
		sim_wrong_answer(x, a);
	if (next && k->pages > 1)
		ask_page(x->world, k->hook, k->pages - 1, k->last, next);
	json_decref(json);
}

static void ask_page(struct world *w, struct hook *h, int pages, const char *last, const char *after)
{
	char id[ID_TEXT_LEN + 1];
	struct page_ask *k = sim_ask(w, sizeof(*k), "GET", page_answered);
	k->hook = h;
	k->pages = pages;
	snprintf(k->last, sizeof(k->last), "%s", last);
	id_format(&h->id, id);
	sim_ask_path(&k->x, "/v1/deliveries");
	snprintf(k->x.query, sizeof(k->x.query), "webhookId=%s&size=%d%s%s", id, PAGE_SIZE,
			after[0] ? "&after=" : "", after);
	sim_ask_send(&k->x);
}

void sim_look(struct world *w)
{
	uint64_t what = sim_below(w, 100);
	struct parcel *p = pick(w);
	if (what < 40)
		sim_get_call(w);
	else if (what < 60)
		look_at_hook(w);
	else if (what < 70)
		look_at_hooks(w);
	else if (p && what < 90)
		sim_ask_send(&begin(w, p, "GET", "", get_answered)->x);
	else if (p && p->hook->counts.accepted > 3 * PAGE_SIZE)
		ask_page(w, p->hook, 2, "", "");
}
