#include "delivery/lane.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

static const struct ch_sm_state states[LANE_STATE_COUNT] = {
		[LANE_READY] = {"READY", 1u << LANE_SUSPENDED | 1u << LANE_DISABLED},
		[LANE_DEAD] = {"DEAD", 0},
		[LANE_PROBING] = {"PROBING", 0},
		[LANE_SUSPENDED] = {"SUSPENDED", 1u << LANE_READY | 1u << LANE_DISABLED},
		[LANE_DISABLED] = {"DISABLED", 1u << LANE_READY | 1u << LANE_SUSPENDED},
};

static const struct ch_sm_conf machine = {"lane", states, LANE_STATE_COUNT};

const char *lane_state_name(enum lane_state s)
{
	CH_ASSERT(s >= 0 && s < LANE_STATE_COUNT);
	return states[s].name;
}

struct target *target_ref(struct target *t)
{
	t->refs++;
	return t;
}

void target_unref(struct target **t)
{
	struct target *old = *t;
	*t = NULL;
	if (!old || --old->refs > 0)
		return;
	url_fini(&old->url);
	ch_free(old);
}

/* ---- settings ---- */

struct settings {
	struct target *target;
	struct sign_key key;
	bool is_signed;
	char fault[160];
};

static void settings_fini(struct settings *s)
{
	target_unref(&s->target);
	if (s->is_signed)
		sign_key_fini(&s->key);
	s->is_signed = false;
}

static int settings_set_url(struct settings *s, const struct lane_rules *rules, const struct webhook *w)
{
	struct target *t = ch_calloc(1, sizeof(*t));
	struct ch_err err = {0};
	if (!t)
		return CH_ENOMEM;
	int rc = url_parse(w->url, strlen(w->url), rules->urls, &t->url, &err);
	if (rc == 0) {
		t->refs = 1;
		s->target = t;
		return 0;
	}
	ch_free(t);
	if (rc == CH_ENOMEM)
		return rc;
	snprintf(s->fault, sizeof(s->fault), "the URL can't be used: %.120s", err.text);
	return 0;
}

static int open_secret(struct settings *s, const struct lane_rules *rules, const struct webhook *w,
		struct ch_buf *plain)
{
	uint8_t aad[24];
	struct ch_err err = {0};

	/* Room for all of it at once: a buffer that grows would leave pieces of the secret behind. */
	if (!ch_buf_reserve(plain, w->secret_sealed_len))
		return CH_ENOMEM;
	webhook_seal_aad(w, aad);
	int rc = ch_unseal(rules->seal_key, aad, sizeof(aad), w->secret_sealed, w->secret_sealed_len, plain);
	if (rc == 0)
		rc = sign_key_init(&s->key, ch_buf_text(plain), plain->len, &err);
	if (rc == CH_ENOMEM)
		return rc;
	s->is_signed = rc == 0;
	if (rc)
		snprintf(s->fault, sizeof(s->fault), "%s",
				rc == CH_ECRYPT ? "the signing secret can't be opened with this server's key"
						: "the signing secret is not usable");
	return 0;
}

static int settings_set_key(struct settings *s, const struct lane_rules *rules, const struct webhook *w)
{
	struct ch_buf plain;
	if (!w->secret_sealed)
		return 0;
	ch_buf_init(&plain, w->secret_sealed_len);
	int rc = open_secret(s, rules, w, &plain);
	if (plain.data)
		ch_wipe(plain.data, plain.cap);
	ch_buf_fini(&plain);
	return rc;
}

static int settings_make(struct settings *s, const struct lane_rules *rules, const struct webhook *w)
{
	*s = (struct settings){0};
	int rc = settings_set_url(s, rules, w);
	if (rc == 0 && s->fault[0] == '\0')
		rc = settings_set_key(s, rules, w);
	if (rc)
		settings_fini(s);
	return rc;
}

static void replace_settings(struct lane *l, struct settings *s, struct webhook *w)
{
	struct settings old = {.target = l->target, .key = l->key, .is_signed = l->is_signed};
	settings_fini(&old);
	l->target = s->target;
	l->key = s->key;
	l->is_signed = s->is_signed;
	memcpy(l->fault, s->fault, sizeof(l->fault));
	webhook_fini(&l->webhook);
	l->webhook = *w;
	webhook_init(w);
	l->window = l->webhook.concurrency;
}

int lane_set_webhook(struct lane *l, const struct lane_rules *rules, struct webhook *w)
{
	struct settings s;
	CH_ASSERT(id_equal(&l->webhook.id, &w->id));
	int rc = settings_make(&s, rules, w);
	if (rc)
		return rc;
	replace_settings(l, &s, w);
	return 0;
}

void lane_set_deleted(struct lane *l)
{
	struct settings none = {0};
	struct webhook w;
	webhook_init(&w);
	w.id = l->webhook.id;
	w.account = l->webhook.account;
	w.deleted = true;
	replace_settings(l, &none, &w);
}

struct lane *lane_create(struct engine *e, struct lane_totals *totals, const struct ch_rand *rand,
		const struct lane_rules *rules, struct webhook *w)
{
	struct lane *l = ch_calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->engine = e;
	l->totals = totals;
	l->next_due_ms = INT64_MAX;
	l->switch_at_mono_ms = INT64_MAX;
	ch_list_init(&l->ring);
	ch_list_init(&l->claim_link);
	ch_list_init(&l->fresh);
	ch_list_init(&l->backlog);
	ch_list_init(&l->ghosts);
	ch_map_init(&l->held, rand);
	ch_sm_init(&l->state, &machine, LANE_DISABLED, NULL);
	webhook_init(&l->webhook);
	l->webhook.id = w->id;
	if (lane_set_webhook(l, rules, w)) {
		webhook_fini(&l->webhook);
		ch_free(l);
		return NULL;
	}
	return l;
}

void lane_destroy(struct lane **lp)
{
	struct lane *l = *lp;
	*lp = NULL;
	CH_ASSERT(l->busy == 0 && l->results == 0 && !l->claim && !l->switch_off);
	CH_ASSERT(!ch_list_is_linked(&l->ring) && !ch_list_is_linked(&l->claim_link));
	CH_ASSERT(!ch_heap_has(&l->due) && !ch_heap_has(&l->pause));
	lane_drop_queued(l);
	lane_drop_ghosts(l);
	CH_ASSERT(l->held.len == 0 && l->body_bytes == 0);
	ch_map_fini(&l->held);
	target_unref(&l->gone);
	struct settings s = {.target = l->target, .key = l->key, .is_signed = l->is_signed};
	settings_fini(&s);
	webhook_fini(&l->webhook);
	ch_free(l);
}

/* ---- questions ---- */

enum lane_state lane_state_of(const struct lane *l)
{
	return (enum lane_state)l->state.state;
}

int lane_queued(const struct lane *l)
{
	return l->fresh_count + l->backlog_count;
}

bool lane_may_send(const struct lane *l)
{
	return l->state.state == LANE_READY && !l->is_paused && lane_queued(l) > 0 && l->busy < l->window;
}

/* While the store has some that are due, fresh ones get a part of the places only. With all of them, a
 * lane that is fed faster than it drains would never have room for a claim, and its backlog
 * would wait for ever behind the news of now. */
bool lane_takes_fresh(const struct lane *l, size_t body_bytes, size_t byte_share, int64_t now_wall_ms)
{
	bool store_has_more = l->claim || l->next_due_ms <= now_wall_ms;
	if (l->state.state != LANE_READY)
		return false;
	if (store_has_more && l->fresh_count >= ENGINE_REFILL_AT)
		return false;
	if (lane_queued(l) >= ENGINE_QUEUE_MAX)
		return false;
	return l->body_bytes == 0 || l->body_bytes + body_bytes <= byte_share;
}

bool lane_wants_claim(const struct lane *l, size_t byte_share, int64_t now_wall_ms)
{
	return l->state.state == LANE_READY && !l->is_paused && !l->claim && l->next_due_ms <= now_wall_ms &&
	       l->backlog_count < ENGINE_REFILL_AT && lane_claim_room(l) >= LANE_CLAIM_MIN &&
	       (l->body_bytes == 0 || l->body_bytes < byte_share);
}

int lane_claim_room(const struct lane *l)
{
	int places = ENGINE_QUEUE_MAX - lane_queued(l);
	int backlog = ENGINE_QUEUE_MAX - ENGINE_REFILL_AT - l->backlog_count;
	return places < backlog ? places : backlog;
}

bool lane_is_spent(const struct lane *l)
{
	return l->webhook.deleted && l->busy == 0 && l->results == 0 && !l->claim && !l->switch_off;
}

/* ---- what is held ---- */

struct held *lane_find(const struct lane *l, const struct id *delivery)
{
	struct ch_map_node *n = ch_map_get(&l->held, delivery->b, sizeof(delivery->b));
	return n ? CH_CONTAINER_OF(n, struct held, node) : NULL;
}

static void add_bytes(struct lane *l, size_t bytes)
{
	l->body_bytes += bytes;
	l->totals->body_bytes += bytes;
}

void held_drop_body(struct held *h)
{
	struct lane *l = h->lane;
	if (!h->delivery.body)
		return;
	size_t bytes = h->delivery.body->len;
	CH_ASSERT(l->body_bytes >= bytes && l->totals->body_bytes >= bytes);
	l->body_bytes -= bytes;
	l->totals->body_bytes -= bytes;
	ch_bytes_unref(&h->delivery.body);
}

int lane_push(struct lane *l, struct delivery *d, enum held_where where)
{
	CH_ASSERT(where == HELD_FRESH || where == HELD_BACKLOG);
	CH_ASSERT(d->body && d->state == DELIVERY_PENDING);
	struct held *h = ch_calloc(1, sizeof(*h));
	if (!h)
		return CH_ENOMEM;
	h->delivery = *d;
	int rc = ch_map_insert(&l->held, &h->node, h->delivery.id.b, sizeof(h->delivery.id.b));
	if (rc) {
		ch_free(h);
		return rc;
	}
	memset(d, 0, sizeof(*d));
	h->lane = l;
	h->where = where;
	ch_list_push_back(where == HELD_FRESH ? &l->fresh : &l->backlog, &h->link);
	*(where == HELD_FRESH ? &l->fresh_count : &l->backlog_count) += 1;
	l->totals->held++;
	add_bytes(l, h->delivery.body->len);
	return 0;
}

static struct held *take_from(struct lane *l, bool fresh)
{
	struct ch_list *n = ch_list_pop_front(fresh ? &l->fresh : &l->backlog);
	if (!n)
		return NULL;
	*(fresh ? &l->fresh_count : &l->backlog_count) -= 1;
	l->fresh_was_last = fresh;
	return CH_CONTAINER_OF(n, struct held, link);
}

struct held *lane_pop(struct lane *l)
{
	bool fresh_first = !l->fresh_was_last;
	struct held *h = take_from(l, fresh_first);
	if (!h)
		h = take_from(l, !fresh_first);
	if (h)
		h->where = HELD_IN_FLIGHT;
	return h;
}

static void held_free(struct lane *l, struct held *h)
{
	ch_map_remove(&l->held, &h->node);
	delivery_fini(&h->delivery);
	ch_free(h);
}

void lane_release(struct lane *l, struct held *h)
{
	CH_ASSERT(h->lane == l && h->where != HELD_GHOST && !ch_list_is_linked(&h->link));
	held_drop_body(h);
	l->totals->held--;
	if (!l->claim) {
		held_free(l, h);
		return;
	}
	h->where = HELD_GHOST;
	h->flight = NULL;
	ch_list_push_back(&l->ghosts, &h->link);
}

void lane_note_due(struct lane *l, int64_t due_ms)
{
	if (due_ms < l->next_due_ms)
		l->next_due_ms = due_ms;
}

void lane_drop_queued(struct lane *l)
{
	struct held *h;
	while ((h = lane_pop(l)) != NULL) {
		lane_note_due(l, h->delivery.due_ms);
		lane_release(l, h);
	}
}

void lane_drop_ghosts(struct lane *l)
{
	struct ch_list *n;
	while ((n = ch_list_pop_front(&l->ghosts)) != NULL)
		held_free(l, CH_CONTAINER_OF(n, struct held, link));
}
