#include "base/alloc.h"
#include "base/assert.h"
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
