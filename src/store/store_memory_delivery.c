#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/store_memory.h"

struct delivery_made {
	struct memory_undo undo;
	struct memory_delivery *delivery;
	struct ledger counts; /* the webhook's before */
};

struct delivery_changed {
	struct memory_undo undo;
	struct memory_delivery *delivery;
	struct rules_row old;
	char *old_reason; /* owned */
};

struct attempt_made {
	struct memory_undo undo;
	struct memory_delivery *delivery;
	struct id id;
	uint64_t tried; /* the delivery's before */
};

struct memory_delivery *memory_delivery_find(const struct store_memory *m, const struct id *id)
{
	struct ch_map_node *n = ch_map_get(&m->deliveries, id, sizeof(*id));

	return n == NULL ? NULL : CH_CONTAINER_OF(n, struct memory_delivery, node);
}

static void delivery_link(struct memory_delivery *d)
{
	if (d->row.state == DELIVERY_PENDING)
		due_insert(&d->webhook->pending, &d->due, d->row.due_ms, &d->row.id);
	else if (d->row.state == DELIVERY_PARKED)
		due_insert(&d->webhook->parked, &d->due, 0, &d->row.id);
}

static void delivery_unlink(struct memory_delivery *d)
{
	if (d->row.state == DELIVERY_PENDING)
		due_remove(&d->webhook->pending, &d->due);
	else if (d->row.state == DELIVERY_PARKED)
		due_remove(&d->webhook->parked, &d->due);
}

void memory_delivery_free(struct memory_delivery *d)
{
	for (size_t i = 0; i < d->attempt_count; i++)
		attempt_fini(&d->attempts[i]);
	ch_free(d->attempts);
	delivery_fini(&d->row);
	ch_free(d);
}

static void delivery_made_back(struct store_memory *m, struct memory_undo *undo)
{
	struct delivery_made *u = CH_CONTAINER_OF(undo, struct delivery_made, undo);
	struct memory_delivery *d = u->delivery;
	struct memory_space *s = memory_space_find(m, d->row.account);

	CH_ASSERT(s->deliveries[s->delivery_count - 1] == d);
	s->delivery_count--;
	delivery_unlink(d);
	d->webhook->counts = u->counts;
	ch_map_remove(&m->deliveries, &d->node);
	memory_delivery_free(d);
}

int memory_delivery_add(struct store_memory *m, struct memory_webhook *w, struct delivery *row)
{
	struct memory_space *s = memory_space_find(m, row->account);
	struct memory_delivery *d = ch_calloc(1, sizeof(*d));
	struct delivery_made *u = ch_calloc(1, sizeof(*u));

	CH_ASSERT(s != NULL);
	if (d == NULL || u == NULL)
		goto fail;
	if (memory_grow((void **)&s->deliveries, &s->delivery_cap, s->delivery_count,
			    sizeof(struct memory_delivery *)) != 0)
		goto fail;
	d->row.id = row->id;
	if (ch_map_insert(&m->deliveries, &d->node, &d->row.id, sizeof(d->row.id)) != 0)
		goto fail;
	d->webhook = w;
	d->row = *row;
	memset(row, 0, sizeof(*row));
	s->deliveries[s->delivery_count++] = d;
	u->delivery = d;
	u->counts = w->counts;
	rules_ledger_made(&w->counts, d->row.state);
	delivery_link(d);
	memory_undo_push(m, &u->undo, delivery_made_back, NULL);
	return 0;
fail:
	ch_free(d);
	ch_free(u);
	return CH_ENOMEM;
}

struct rules_row memory_row_of(const struct memory_delivery *d)
{
	return (struct rules_row){
			.state = d->row.state,
			.round = d->row.round,
			.was_delivered = d->row.was_delivered,
			.tries = d->row.tries,
			.attempts = d->row.attempts,
			.due_ms = d->row.due_ms,
			.finished_ms = d->row.finished_ms,
			.reason = d->row.reason,
	};
}

/* reason: owned by the row from now on. */
static void delivery_set(struct memory_delivery *d, const struct rules_row *row, char *reason)
{
	delivery_unlink(d);
	rules_ledger_moved(&d->webhook->counts, d->row.state, row->state);
	d->row.state = row->state;
	d->row.round = row->round;
	d->row.was_delivered = row->was_delivered;
	d->row.tries = row->tries;
	d->row.attempts = row->attempts;
	d->row.due_ms = row->due_ms;
	d->row.finished_ms = row->finished_ms;
	d->row.reason = reason;
	delivery_link(d);
}

static void delivery_changed_back(struct store_memory *m, struct memory_undo *undo)
{
	struct delivery_changed *u = CH_CONTAINER_OF(undo, struct delivery_changed, undo);

	ch_free(u->delivery->row.reason);
	delivery_set(u->delivery, &u->old, u->old_reason);
}

static void delivery_changed_keep(struct memory_undo *undo)
{
	ch_free(CH_CONTAINER_OF(undo, struct delivery_changed, undo)->old_reason);
}

int memory_delivery_change(struct store_memory *m, struct memory_delivery *d, const struct rules_row *row)
{
	struct delivery_changed *u = ch_calloc(1, sizeof(*u));
	char *reason = NULL;

	if (u == NULL)
		return CH_ENOMEM;
	if (row->reason != NULL) {
		reason = ch_strdup(row->reason);
		if (reason == NULL) {
			ch_free(u);
			return CH_ENOMEM;
		}
	}
	u->delivery = d;
	u->old = memory_row_of(d);
	u->old_reason = d->row.reason;
	delivery_set(d, row, reason);
	memory_undo_push(m, &u->undo, delivery_changed_back, delivery_changed_keep);
	return 0;
}

/* The place of the first attempt whose id is not less. */
static size_t attempt_place(const struct memory_delivery *d, const struct id *id)
{
	size_t at = d->attempt_count;

	while (at > 0 && id_compare(&d->attempts[at - 1].id, id) >= 0)
		at--;
	return at;
}

bool memory_has_attempt(const struct memory_delivery *d, const struct id *id)
{
	size_t at = attempt_place(d, id);

	return at < d->attempt_count && id_equal(&d->attempts[at].id, id);
}

static void attempt_made_back(struct store_memory *m, struct memory_undo *undo)
{
	struct attempt_made *u = CH_CONTAINER_OF(undo, struct attempt_made, undo);
	struct memory_delivery *d = u->delivery;
	size_t at = attempt_place(d, &u->id);

	attempt_fini(&d->attempts[at]);
	d->attempt_count--;
	d->tried = u->tried;
	m->log_count--;
	memmove(&d->attempts[at], &d->attempts[at + 1], (d->attempt_count - at) * sizeof(struct attempt));
}

int memory_attempt_add(struct store_memory *m, struct memory_delivery *d, const struct attempt *a)
{
	struct attempt_made *u = ch_calloc(1, sizeof(*u));
	size_t at = attempt_place(d, &a->id);
	struct attempt copy;

	if (u == NULL)
		return CH_ENOMEM;
	if (memory_grow((void **)&d->attempts, &d->attempt_cap, d->attempt_count, sizeof(copy)) != 0 ||
			memory_grow((void **)&m->log, &m->log_cap, m->log_count, sizeof(*m->log)) != 0 ||
			memory_attempt_copy(a, &copy) != 0) {
		ch_free(u);
		return CH_ENOMEM;
	}
	memmove(&d->attempts[at + 1], &d->attempts[at], (d->attempt_count - at) * sizeof(copy));
	d->attempts[at] = copy;
	d->attempt_count++;
	u->delivery = d;
	u->id = a->id;
	u->tried = d->tried;
	m->attempts_made++;
	m->log[m->log_count++] = (struct memory_log){
			.webhook_id = d->webhook->id,
			.delivery_id = d->row.id,
			.attempt_id = a->id,
			.started_ms = a->started_ms,
			.outcome = a->outcome,
			.status = a->status,
			.total_us = a->total_us,
	};
	if (at == d->attempt_count - 1)
		d->tried = m->attempts_made;
	memory_undo_push(m, &u->undo, attempt_made_back, NULL);
	return 0;
}
