#include "delivery/lane.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

#define TO(s) (1u << LANE_##s)

static const struct ch_sm_state states[LANE_STATE_COUNT] = {
		[LANE_READY] = {"READY", TO(DEAD) | TO(SUSPENDED) | TO(DISABLED)},
		[LANE_DEAD] = {"DEAD", TO(PROBING) | TO(READY) | TO(SUSPENDED) | TO(DISABLED)},
		[LANE_PROBING] = {"PROBING", TO(DEAD) | TO(READY) | TO(SUSPENDED) | TO(DISABLED)},
		[LANE_SUSPENDED] = {"SUSPENDED", TO(READY) | TO(DISABLED)},
		[LANE_DISABLED] = {"DISABLED", TO(READY) | TO(SUSPENDED)},
};

static const struct ch_sm_conf machine = {"lane", states, LANE_STATE_COUNT};

const char *lane_state_name(enum lane_state s)
{
	CH_ASSERT(s >= 0 && s < LANE_STATE_COUNT);
	return states[s].name;
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
	ch_list_init(&l->urgent);
	ch_list_init(&l->ghosts);
	ch_list_init(&l->lost);
	ch_map_init(&l->held, rand);
	ch_sm_init(&l->state, &machine, LANE_DISABLED, NULL);
	window_init(&l->window, w->concurrency);
	health_init(&l->health);
	rate_limit_init(&l->rate);
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
	lane_drop_queued(l, false);
	lane_drop_ghosts(l);
	lane_drop_lost(l, INT64_MAX);
	CH_ASSERT(l->held.len == 0 && l->body_bytes == 0);
	ch_map_fini(&l->held);
	target_unref(&l->gone);
	lane_drop_settings(l);
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

int lane_places(const struct lane *l)
{
	return lane_is_slow(l) ? ENGINE_QUEUE_SLOW_MAX : ENGINE_QUEUE_MAX;
}

static int refill_at(const struct lane *l)
{
	return lane_is_slow(l) ? ENGINE_REFILL_SLOW_AT : ENGINE_REFILL_AT;
}

static bool window_has_room(const struct lane *l)
{
	return l->busy - l->urgent_busy < l->window.size;
}

/* A resend goes ahead of the window and of DEAD, but as many at once as the customer allows. */
static bool has_urgent(const struct lane *l)
{
	return l->urgent_count > 0 && l->urgent_busy < l->webhook.concurrency;
}

/* Attempts from before the endpoint died say as much as a probe would. */
static bool has_probe(const struct lane *l)
{
	return l->probe && l->state.state == LANE_PROBING && l->busy == 0;
}

bool lane_has_sendable(const struct lane *l)
{
	if (l->is_paused)
		return false;
	switch (lane_state_of(l)) {
	case LANE_READY:
		return has_urgent(l) || (lane_queued(l) > 0 && window_has_room(l));
	case LANE_DEAD:
	case LANE_PROBING:
		return has_urgent(l) || has_probe(l);
	case LANE_SUSPENDED:
	case LANE_DISABLED:
		return false;
	case LANE_STATE_COUNT:
		break;
	}
	CH_UNREACHABLE();
}

enum lane_line lane_line_now(const struct lane *l, int64_t now_mono_ms)
{
	if (!lane_has_sendable(l) || l->rate_ready_mono_ms > now_mono_ms)
		return LINE_NONE;
	if (has_probe(l))
		return LINE_PROBE;
	if (lane_is_slow(l))
		return l->busy == 0 ? LINE_SLOW_FIRST : LINE_SLOW_MORE;
	return l->busy == 0 ? LINE_QUICK_FIRST : LINE_QUICK_MORE;
}

bool lane_is_slow(const struct lane *l)
{
	int slow = __builtin_popcount(l->slow_samples) + l->overdue;
	return l->sample_count == 0 || 2 * slow > l->sample_count + l->overdue;
}

void lane_note_time(struct lane *l, int64_t total_ms)
{
	uint32_t all = ((uint32_t)1 << LANE_SAMPLES) - 1;
	l->slow_samples = (l->slow_samples << 1 | (total_ms > LANE_SLOW_MS ? 1 : 0)) & all;
	if (l->sample_count < LANE_SAMPLES)
		l->sample_count++;
}

/* While the store has some that are due, fresh ones get a part of the places only. With all of them, a
 * lane that is fed faster than it drains would never have room for a claim, and its backlog
 * would wait for ever behind the news of now. */
bool lane_takes_fresh(const struct lane *l, size_t body_bytes, size_t byte_share, int64_t now_wall_ms)
{
	bool store_has_more = l->claim || l->next_due_ms <= now_wall_ms;
	if (l->state.state != LANE_READY)
		return false;
	if (store_has_more && l->fresh_count >= refill_at(l))
		return false;
	if (lane_queued(l) >= lane_places(l))
		return false;
	return l->body_bytes == 0 || l->body_bytes + body_bytes <= byte_share;
}

bool lane_wants_claim(const struct lane *l, size_t byte_share, int64_t now_wall_ms)
{
	return l->state.state == LANE_READY && !l->is_paused && !l->claim && l->next_due_ms <= now_wall_ms &&
	       l->backlog_count < refill_at(l) && lane_claim_room(l) >= LANE_CLAIM_MIN &&
	       (l->body_bytes == 0 || l->body_bytes < byte_share);
}

int lane_claim_room(const struct lane *l)
{
	int places = lane_places(l) - lane_queued(l);
	int backlog = lane_places(l) - refill_at(l) - l->backlog_count;
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

static struct ch_list *queue_of(struct lane *l, enum held_where where, int **ret_count)
{
	switch (where) {
	case HELD_FRESH:
		*ret_count = &l->fresh_count;
		return &l->fresh;
	case HELD_BACKLOG:
		*ret_count = &l->backlog_count;
		return &l->backlog;
	case HELD_URGENT:
		*ret_count = &l->urgent_count;
		return &l->urgent;
	default:
		CH_UNREACHABLE();
	}
}

static void enqueue(struct lane *l, struct held *h)
{
	int *count;
	if (h->where == HELD_PROBE) {
		CH_ASSERT(!l->probe);
		l->probe = h;
		return;
	}
	ch_list_push_back(queue_of(l, h->where, &count), &h->link);
	++*count;
}

static void dequeue(struct lane *l, struct held *h)
{
	int *count;
	if (h->where == HELD_PROBE) {
		CH_ASSERT(l->probe == h);
		l->probe = NULL;
		return;
	}
	ch_list_unlink(&h->link);
	queue_of(l, h->where, &count);
	--*count;
}

int lane_push(struct lane *l, struct delivery *d, enum held_where where)
{
	CH_ASSERT(where <= HELD_PROBE && d->body && d->state == DELIVERY_PENDING);
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
	ch_list_init(&h->link);
	h->lane = l;
	h->where = where;
	enqueue(l, h);
	l->totals->held++;
	add_bytes(l, h->delivery.body->len);
	return 0;
}

static struct held *first_of(const struct ch_list *queue)
{
	return ch_list_is_empty(queue) ? NULL : CH_CONTAINER_OF(queue->next, struct held, link);
}

static struct held *next_in_turn(const struct lane *l)
{
	struct held *fresh = first_of(&l->fresh), *backlog = first_of(&l->backlog);
	if (!fresh || !backlog)
		return fresh ? fresh : backlog;
	return l->fresh_was_last ? backlog : fresh;
}

struct held *lane_pop(struct lane *l, enum held_where *ret_from)
{
	struct held *h = NULL;
	if (has_probe(l))
		h = l->probe;
	else if (has_urgent(l))
		h = first_of(&l->urgent);
	else if (window_has_room(l))
		h = next_in_turn(l);
	if (!h)
		return NULL;
	*ret_from = h->where;
	if (h->where == HELD_FRESH || h->where == HELD_BACKLOG)
		l->fresh_was_last = h->where == HELD_FRESH;
	dequeue(l, h);
	h->where = HELD_IN_FLIGHT;
	return h;
}

void lane_drop(struct lane *l, struct held *h)
{
	dequeue(l, h);
	lane_note_due(l, h->delivery.due_ms);
	lane_release(l, h);
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

void lane_drop_queued(struct lane *l, bool keep_urgent)
{
	struct held *h;
	while ((h = first_of(&l->fresh)) || (h = first_of(&l->backlog)) ||
			(!keep_urgent && (h = first_of(&l->urgent))) || (h = l->probe))
		lane_drop(l, h);
}

void lane_drop_ghosts(struct lane *l)
{
	struct ch_list *n;
	while ((n = ch_list_pop_front(&l->ghosts)) != NULL)
		held_free(l, CH_CONTAINER_OF(n, struct held, link));
}

static struct lost *first_lost(const struct lane *l)
{
	return ch_list_is_empty(&l->lost) ? NULL : CH_CONTAINER_OF(l->lost.next, struct lost, link);
}

static void drop_first_lost(struct lane *l)
{
	struct lost *gone = first_lost(l);
	ch_list_unlink(&gone->link);
	l->lost_count--;
	ch_free(gone);
}

void lane_add_lost(struct lane *l, const struct id *delivery, int64_t until_mono_ms)
{
	struct lost *n = ch_alloc(sizeof(*n));
	if (!n)
		return;
	*n = (struct lost){.delivery = *delivery, .until_mono_ms = until_mono_ms};
	ch_list_init(&n->link);
	ch_list_push_back(&l->lost, &n->link);
	if (++l->lost_count > LANE_LOST_MAX)
		drop_first_lost(l);
}

void lane_drop_lost(struct lane *l, int64_t now_mono_ms)
{
	while (first_lost(l) && first_lost(l)->until_mono_ms <= now_mono_ms)
		drop_first_lost(l);
}
