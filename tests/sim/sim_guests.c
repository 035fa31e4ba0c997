#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim_api.h"

#define GUESTS 4

struct guest {
	char id[ACCOUNT_ID_MAX + 1];
	int64_t number; /* the latest account of this id */
	bool is_there, was_there; /* as committed */
	uint8_t digests[ACCOUNT_KEYS][CH_SHA256_BYTES]; /* as committed */
	char keys[ACCOUNT_KEYS][ACCOUNT_KEY_TEXT_LEN + 1]; /* as told; "": not told */
	char old[ACCOUNT_KEY_TEXT_LEN + 1]; /* one that was replaced */
	bool is_busy; /* a write is under way */
	bool in_doubt; /* one was as the process crashed */
};

struct guests {
	struct guest all[GUESTS];
};

enum guest_wish { WISH_CREATE, WISH_ROTATE, WISH_DELETE };

struct guest_ask {
	struct http_exchange x;
	struct guest *guest;
	enum guest_wish wish;
	int slot;
	char key[ACCOUNT_KEY_TEXT_LEN + 1]; /* to look with */
	bool is_open; /* that key, when it was asked */
};

/* ---- what is committed ---- */

static struct guest *by_number(const struct world *w, int64_t number)
{
	for (int i = 0; i < GUESTS; i++)
		if (w->guests->all[i].is_there && w->guests->all[i].number == number)
			return &w->guests->all[i];
	return NULL;
}

static struct guest *by_id(const struct world *w, const char *id)
{
	for (int i = 0; i < GUESTS; i++)
		if (strcmp(w->guests->all[i].id, id) == 0)
			return &w->guests->all[i];
	sim_fail(w, "there is an account \"%s\"", id);
}

void sim_note_guest(struct world *w, const struct store_request *r)
{
	struct guest *g;
	if (r->kind == STORE_ACCOUNT_CREATE) {
		const struct account *a = &r->u.account_create.in.account;
		g = by_id(w, a->id);
		CH_ASSERT(!g->is_there);
		g->is_there = g->was_there = true;
		g->number = r->u.account_create.out.number;
		memcpy(g->digests, a->key_sha256, sizeof(g->digests));
	} else if (r->kind == STORE_ACCOUNT_UPDATE) {
		g = by_number(w, r->u.account_update.in.number);
		CH_ASSERT(g);
		for (int i = 0; i < ACCOUNT_KEYS; i++)
			if (r->u.account_update.in.has_key[i])
				memcpy(g->digests[i], r->u.account_update.in.key_sha256[i], CH_SHA256_BYTES);
	} else if (r->kind == STORE_ACCOUNT_DELETE) {
		g = by_number(w, r->u.account_delete.in.number);
		CH_ASSERT(g);
		g->is_there = false;
	}
}

static bool opens(const struct guest *g, const char *key)
{
	uint8_t digest[CH_SHA256_BYTES];
	ch_sha256(key, strlen(key), digest);
	for (int i = 0; g->is_there && i < ACCOUNT_KEYS; i++)
		if (memcmp(digest, g->digests[i], sizeof(digest)) == 0)
			return true;
	return false;
}

/* ---- looking ---- */

/* Who it is is found at once: what was committed and answered before is what must be seen. Where its events
 * go is asked for after, and the account may be gone by then. */
static void look_answered(struct http_exchange *x, const struct http_response *a)
{
	struct guest_ask *k = CH_CONTAINER_OF(x, struct guest_ask, x);
	if (!a || (k->is_open && sim_is_refused(a)))
		return;
	bool has_left = a->status == 404 && !opens(k->guest, k->key);
	if (k->is_open ? a->status != 200 && !has_left : a->status != 401)
		sim_wrong_answer(x, a);
	if (a->status != 200)
		return;
	json_t *json = sim_answer_json(x, a);
	if (strcmp(sim_text_of(x->world, json, "id"), k->guest->id) != 0)
		sim_wrong_answer(x, a);
	json_decref(json);
}

static void look(struct world *w, struct guest *g, const char *key)
{
	if (!key[0] || g->is_busy)
		return;
	struct guest_ask *k = sim_ask(w, sizeof(*k), "GET", look_answered);
	k->guest = g;
	snprintf(k->key, sizeof(k->key), "%s", key);
	k->is_open = opens(g, key);
	sim_ask_path(&k->x, "/v1/account");
	sim_ask_header(&k->x, "X-Api-Key", k->key);
	sim_ask_send(&k->x);
}

static void look_with_all(struct world *w, struct guest *g)
{
	look(w, g, g->keys[0]);
	look(w, g, g->keys[1]);
	look(w, g, g->old);
}

/* ---- changing ---- */

static void take_key(const struct guest_ask *k, const struct http_response *a, int slot, const json_t *json,
		const char *name)
{
	struct guest *g = k->guest;
	if (g->keys[slot][0])
		memcpy(g->old, g->keys[slot], sizeof(g->old));
	snprintf(g->keys[slot], sizeof(g->keys[slot]), "%s", sim_text_of(k->x.world, json, name));
	if (!opens(g, g->keys[slot]))
		sim_wrong_answer(&k->x, a);
}

static bool is_right_status(const struct guest_ask *k, int status)
{
	const struct guest *g = k->guest;
	switch (k->wish) {
	case WISH_CREATE: /* or what it had is still being removed */
		return status == 201 ? g->is_there : status == 409 && g->was_there && !g->is_there;
	case WISH_ROTATE:
		return status == 200 && g->is_there;
	case WISH_DELETE:
		return status == 204 && !g->is_there;
	}
	CH_UNREACHABLE();
}

static void change_answered(struct http_exchange *x, const struct http_response *a)
{
	struct guest_ask *k = CH_CONTAINER_OF(x, struct guest_ask, x);
	k->guest->is_busy = false;
	if (!a || sim_is_refused(a))
		return;
	if (!is_right_status(k, a->status))
		sim_wrong_answer(x, a);
	if (a->status / 100 != 2 || k->wish == WISH_DELETE)
		return;
	json_t *json = sim_answer_json(x, a);
	if (k->wish == WISH_CREATE) {
		take_key(k, a, 0, json_object_get(json, "keys"), "primary");
		take_key(k, a, 1, json_object_get(json, "keys"), "secondary");
	} else {
		take_key(k, a, k->slot, json, "key");
	}
	json_decref(json);
}

static void change(struct world *w, struct guest *g, enum guest_wish wish)
{
	static const char *const methods[] = {"POST", "POST", "DELETE"};
	struct guest_ask *k = sim_ask(w, sizeof(*k), methods[wish], change_answered);
	k->guest = g;
	k->wish = wish;
	k->slot = (int)sim_below(w, ACCOUNT_KEYS);
	g->is_busy = true;
	if (wish == WISH_CREATE) {
		sim_ask_path(&k->x, "/v1/accounts");
		sim_ask_json(&k->x, "{\"id\":\"%s\"}", g->id);
	} else if (wish == WISH_DELETE) {
		sim_ask_path(&k->x, "/v1/accounts/%s", g->id);
	} else {
		sim_ask_path(&k->x, "/v1/account/keys/%s/rotate", k->slot ? "secondary" : "primary");
		sim_ask_header(&k->x, "X-Account-Id", g->id);
	}
	sim_ask_send(&k->x);
}

void sim_change_guest(struct world *w)
{
	struct guest *g = &w->guests->all[sim_below(w, GUESTS)];
	look_with_all(w, g);
	if (g->is_busy)
		return;
	if (!g->is_there)
		change(w, g, WISH_CREATE);
	else
		change(w, g, sim_chance(w, 25) ? WISH_DELETE : WISH_ROTATE);
}

/* ---- lives ---- */

void sim_doubt_guests(struct world *w)
{
	for (int i = 0; i < GUESTS; i++)
		w->guests->all[i].in_doubt = w->guests->all[i].is_busy;
}

static bool is_same(const struct guest *g, const struct account *a)
{
	if (!a || !g->is_there)
		return !a && !g->is_there;
	return a->number == g->number && memcmp(a->key_sha256, g->digests, sizeof(g->digests)) == 0;
}

static void meet(struct world *w, struct guest *g, const struct account *a)
{
	if (!is_same(g, a) && !g->in_doubt)
		sim_fail(w, "account %s is not what was committed", g->id);
	g->in_doubt = false;
	g->is_there = a != NULL;
	if (!a)
		return;
	g->was_there = true;
	g->number = a->number;
	memcpy(g->digests, a->key_sha256, sizeof(g->digests));
}

void sim_meet_guests(struct world *w, const struct store_account_list *all)
{
	for (int i = 0; i < GUESTS; i++) {
		struct guest *g = &w->guests->all[i];
		const struct account *found = NULL;
		for (size_t j = 0; j < all->out.count; j++)
			if (strcmp(all->out.accounts[j].id, g->id) == 0)
				found = &all->out.accounts[j];
		meet(w, g, found);
	}
}

void sim_check_guests(struct world *w)
{
	struct store_request r;
	store_request_init(&r, STORE_ACCOUNT_LIST, NULL, NULL);
	sim_read(w, &r);
	sim_meet_guests(w, &r.u.account_list);
	store_request_fini(&r);
	for (int i = 0; i < GUESTS; i++)
		look_with_all(w, &w->guests->all[i]);
}

void sim_guests_init(struct world *w)
{
	w->guests = ch_calloc(1, sizeof(*w->guests));
	CH_ASSERT(w->guests);
	for (int i = 0; i < GUESTS; i++)
		snprintf(w->guests->all[i].id, sizeof(w->guests->all[i].id), "guest-%d", i);
}

void sim_guests_fini(struct world *w)
{
	ch_free(w->guests);
	w->guests = NULL;
}
