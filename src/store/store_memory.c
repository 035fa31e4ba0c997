#include "store/store_memory.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

struct memory_reader {
	struct store_memory *store;
};

static struct store_memory *memory_of(struct store *s)
{
	return CH_CONTAINER_OF(s, struct store_memory, base);
}

/* A transaction is done in place and each step leaves behind how to take it back. The alternative,
 * preparing everything first, would have to know about rows that the same batch has yet to make. */
void memory_undo_push(struct store_memory *m, struct memory_undo *u,
		void (*back)(struct store_memory *m, struct memory_undo *u),
		void (*keep)(struct memory_undo *u))
{
	u->back = back;
	u->keep = keep;
	ch_list_push_front(&m->undo, &u->link);
}

static void memory_commit(struct store_memory *m)
{
	struct ch_list *n;

	while ((n = ch_list_pop_front(&m->undo)) != NULL) {
		struct memory_undo *u = CH_CONTAINER_OF(n, struct memory_undo, link);

		if (u->keep != NULL)
			u->keep(u);
		ch_free(u);
	}
	memory_purge(m);
	memory_retain(m);
}

static void memory_rollback(struct store_memory *m)
{
	struct ch_list *n;

	while ((n = ch_list_pop_front(&m->undo)) != NULL) {
		struct memory_undo *u = CH_CONTAINER_OF(n, struct memory_undo, link);

		u->back(m, u);
		ch_free(u);
	}
}

int memory_grow(void **items, size_t *cap, size_t len, size_t item_bytes)
{
	size_t wanted = *cap == 0 ? 4 : *cap * 2;
	void *p;

	if (len < *cap)
		return 0;
	p = ch_realloc(*items, wanted * item_bytes);
	if (p == NULL)
		return CH_ENOMEM;
	*items = p;
	*cap = wanted;
	return 0;
}

struct memory_space *memory_space_find(const struct store_memory *m, int64_t account)
{
	struct ch_map_node *n = ch_map_get(&m->spaces, &account, sizeof(account));

	return n == NULL ? NULL : CH_CONTAINER_OF(n, struct memory_space, node);
}

/* A space is kept even by a transaction that is taken back: an empty one answers as none does. */
struct memory_space *memory_space_of(struct store_memory *m, int64_t account)
{
	struct memory_space *s = memory_space_find(m, account);

	if (s != NULL)
		return s;
	s = ch_calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->account = account;
	ch_list_init(&s->webhooks);
	if (ch_map_insert(&m->spaces, &s->node, &s->account, sizeof(s->account)) != 0) {
		ch_free(s);
		return NULL;
	}
	return s;
}

static int memory_write(struct store *s, struct store_request *const *requests, size_t n, struct ch_err *err)
{
	struct store_memory *m = memory_of(s);
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	for (size_t i = 0; i < n && rc == 0; i++) {
		CH_ASSERT(store_kind_is_write(requests[i]->kind));
		rc = memory_write_one(m, requests[i]);
		if (rc == 0 && requests[i]->result == 0 && requests[i]->audit != NULL)
			rc = memory_audit_add(m, requests[i]->audit);
	}
	if (rc == 0)
		memory_commit(m);
	else
		memory_rollback(m);
	pthread_mutex_unlock(&m->lock);
	if (rc == 0) {
		rules_batch_done(requests, n);
		return 0;
	}
	rules_batch_failed(requests, n, rc, "out of memory");
	return ch_err_set(err, rc, "out of memory");
}

static int memory_reader_open(struct store *s, struct store_reader **ret, struct ch_err *err)
{
	struct memory_reader *r = ch_calloc(1, sizeof(*r));

	if (r == NULL)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	r->store = memory_of(s);
	*ret = (struct store_reader *)r;
	return 0;
}

static void memory_reader_close(struct store_reader *r)
{
	ch_free(r);
}

static void memory_read(struct store_reader *reader, struct store_request *request)
{
	struct store_memory *m = ((struct memory_reader *)reader)->store;

	CH_ASSERT(!store_kind_is_write(request->kind));
	pthread_mutex_lock(&m->lock);
	memory_read_one(m, request);
	pthread_mutex_unlock(&m->lock);
}

/* A row holds its own map node, which must not be asked for the next one once the row is freed, hence the
 * look ahead. */
#define FREE_ALL(map, type, free_fn)                                                                         \
	do {                                                                                                 \
		struct ch_map_node *next_node;                                                               \
                                                                                                             \
		for (struct ch_map_node *n = ch_map_next(map, NULL); n != NULL; n = next_node) {             \
			next_node = ch_map_next(map, n);                                                     \
			free_fn(CH_CONTAINER_OF(n, type, node));                                             \
		}                                                                                            \
		ch_map_fini(map);                                                                            \
	} while (0)

static void space_free(struct memory_space *s)
{
	ch_free(s->deliveries);
	ch_free(s);
}

static void memory_close(struct store *s)
{
	struct store_memory *m = memory_of(s);

	FREE_ALL(&m->deliveries, struct memory_delivery, memory_delivery_free);
	FREE_ALL(&m->webhooks, struct memory_webhook, memory_webhook_free);
	FREE_ALL(&m->agents, struct memory_agent, memory_agent_free);
	FREE_ALL(&m->calls, struct memory_call, memory_call_free);
	FREE_ALL(&m->spaces, struct memory_space, space_free);
	memory_accounts_free(m);
	ch_free(m->call_order);
	memory_finished_free(m);
	memory_replays_free(m);
	pthread_mutex_destroy(&m->lock);
	ch_free(m->log);
	ch_free(m);
}

static const struct store_ops memory_ops = {
		.name = "memory",
		.write = memory_write,
		.reader_open = memory_reader_open,
		.reader_close = memory_reader_close,
		.read = memory_read,
		.close = memory_close,
};

int store_memory_open(const struct store_conf *conf, struct store **ret, struct ch_err *err)
{
	struct store_memory *m = ch_calloc(1, sizeof(*m));

	if (m == NULL)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	if (pthread_mutex_init(&m->lock, NULL) != 0) {
		ch_free(m);
		return ch_err_set(err, CH_ENOMEM, "no memory for a lock");
	}
	m->base.ops = &memory_ops;
	id_gen_init(&m->ids, conf->clock, conf->rand);
	ch_map_init(&m->agents, &conf->rand);
	ch_rand_fill(&conf->rand, m->store_id.b, sizeof(m->store_id.b));
	ch_map_init(&m->calls, &conf->rand);
	ch_map_init(&m->webhooks, &conf->rand);
	ch_map_init(&m->deliveries, &conf->rand);
	ch_map_init(&m->spaces, &conf->rand);
	ch_list_init(&m->undo);
	ch_list_init(&m->replays);
	*ret = &m->base;
	return 0;
}
