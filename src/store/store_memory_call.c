#include "base/alloc.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "store/store_memory.h"

struct call_made {
	struct memory_undo undo;
	struct memory_call *call;
};

struct call_changed {
	struct memory_undo undo;
	struct memory_call *call;
	struct memory_version old;
};

struct memory_call *memory_call_find(const struct store_memory *m, int64_t account, const struct id *id)
{
	struct memory_call_key key = {account, *id};
	struct ch_map_node *n = ch_map_get(&m->calls, &key, sizeof(key));

	return n == NULL ? NULL : CH_CONTAINER_OF(n, struct memory_call, node);
}

void memory_call_free(struct memory_call *c)
{
	ch_bytes_unref(&c->latest.body);
	ch_free(c);
}

static void call_made_back(struct store_memory *m, struct memory_undo *undo)
{
	struct call_made *u = CH_CONTAINER_OF(undo, struct call_made, undo);

	CH_ASSERT(m->call_order[m->call_count - 1] == u->call);
	m->call_count--;
	ch_map_remove(&m->calls, &u->call->node);
	memory_call_free(u->call);
}

int memory_call_add(struct store_memory *m, const struct memory_call_key *key, const struct memory_version *v)
{
	struct memory_call *c = ch_calloc(1, sizeof(*c));
	struct call_made *u = ch_calloc(1, sizeof(*u));

	if (c == NULL || u == NULL)
		goto fail;
	if (memory_grow((void **)&m->call_order, &m->call_cap, m->call_count, sizeof(struct memory_call *)) !=
			0)
		goto fail;
	c->key = *key;
	if (ch_map_insert(&m->calls, &c->node, &c->key, sizeof(c->key)) != 0)
		goto fail;
	c->latest = *v;
	m->call_order[m->call_count++] = c;
	u->call = c;
	memory_undo_push(m, &u->undo, call_made_back, NULL);
	return 0;
fail:
	ch_free(c);
	ch_free(u);
	return CH_ENOMEM;
}

static void call_changed_back(struct store_memory *m, struct memory_undo *undo)
{
	struct call_changed *u = CH_CONTAINER_OF(undo, struct call_changed, undo);

	ch_bytes_unref(&u->call->latest.body);
	u->call->latest = u->old;
}

static void call_changed_keep(struct memory_undo *undo)
{
	struct call_changed *u = CH_CONTAINER_OF(undo, struct call_changed, undo);

	ch_bytes_unref(&u->old.body);
}

int memory_call_change(struct store_memory *m, struct memory_call *c, const struct memory_version *v)
{
	struct call_changed *u = ch_calloc(1, sizeof(*u));

	if (u == NULL)
		return CH_ENOMEM;
	u->call = c;
	u->old = c->latest;
	c->latest = *v;
	memory_undo_push(m, &u->undo, call_changed_back, call_changed_keep);
	return 0;
}

/* erasing */

struct call_erased {
	struct memory_undo undo;
	struct store_memory *store;
	struct memory_space *space; /* NULL: no deliveries */
	struct memory_call *call;
};

bool memory_is_erased(const struct store_memory *m, const struct memory_delivery *d)
{
	const struct memory_call *c = memory_call_find(m, d->row.account, &d->row.call_id);

	return c != NULL && c->latest.body->len == 0;
}

static void wipe(struct memory_delivery *d, struct ch_bytes *nothing)
{
	ch_sha256(d->row.body->data, d->row.body->len, d->erased_sha256);
	ch_bytes_unref(&d->row.body);
	d->row.body = ch_bytes_ref(nothing);
	d->row.is_erased = true;
	for (size_t i = 0; i < d->attempt_count; i++)
		rules_attempt_strip(&d->attempts[i]);
}

static void call_erased_back(struct store_memory *m, struct memory_undo *undo)
{
}

/* What is wiped can't be brought back, so it is at the end. */
static void call_erased_keep(struct memory_undo *undo)
{
	struct call_erased *u = CH_CONTAINER_OF(undo, struct call_erased, undo);

	for (size_t i = 0; u->space != NULL && i < u->space->delivery_count; i++) {
		if (id_equal(&u->space->deliveries[i]->row.call_id, &u->call->key.id))
			wipe(u->space->deliveries[i], u->call->latest.body);
	}
	memory_finished_wipe(u->store, &u->call->key);
}

static int cancel(struct store_memory *m, struct store_call_erase *q, struct memory_delivery *d, size_t *cap)
{
	struct rules_row row = memory_row_of(d);
	bool was_pending = row.state == DELIVERY_PENDING;

	if (!was_pending && row.state != DELIVERY_PARKED)
		return 0;
	rules_erase_apply(q->in.now_ms, &row);
	if (memory_delivery_change(m, d, &row) != 0)
		return CH_ENOMEM;
	if (!was_pending)
		return 0;
	if (memory_grow((void **)&q->out.canceled, cap, q->out.count, sizeof(*q->out.canceled)) != 0)
		return CH_ENOMEM;
	q->out.canceled[q->out.count++] = (struct store_canceled){d->row.webhook_id, d->row.id};
	return 0;
}

static int bury(struct store_memory *m, const struct store_call_erase *q, struct memory_call *c)
{
	struct memory_version v = c->latest;

	v.number++;
	v.accepted_ms = q->in.now_ms;
	v.seq = ++m->versions_made;
	v.body = ch_bytes_create("", 0);
	if (v.body == NULL)
		return CH_ENOMEM;
	if (memory_call_change(m, c, &v) != 0) {
		ch_bytes_unref(&v.body);
		return CH_ENOMEM;
	}
	return 0;
}

int memory_call_erase(struct store_memory *m, struct store_request *r)
{
	struct store_call_erase *q = &r->u.call_erase;
	struct memory_call *c = memory_call_find(m, q->in.account, &q->in.id);
	struct memory_space *s = memory_space_find(m, q->in.account);
	struct call_erased *u;
	size_t cap = 0;

	if (c == NULL) {
		r->result = ch_err_set(&r->err, CH_ENOENT, "there is no such call");
		return 0;
	}
	if (c->latest.body->len == 0)
		return 0;
	for (size_t i = 0; s != NULL && i < s->delivery_count; i++) {
		if (id_equal(&s->deliveries[i]->row.call_id, &q->in.id) &&
				cancel(m, q, s->deliveries[i], &cap) != 0)
			return CH_ENOMEM;
	}
	if (bury(m, q, c) != 0 || memory_finished_add(m, c) != 0)
		return CH_ENOMEM;
	u = ch_calloc(1, sizeof(*u));
	if (u == NULL)
		return CH_ENOMEM;
	u->store = m;
	u->space = s;
	u->call = c;
	memory_undo_push(m, &u->undo, call_erased_back, call_erased_keep);
	return 0;
}
