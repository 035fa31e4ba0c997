#include "base/heap.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

#define FIRST_CAP 16

void ch_heap_init(struct ch_heap *h)
{
	*h = (struct ch_heap){0};
}

void ch_heap_fini(struct ch_heap *h)
{
	ch_free(h->nodes);
	*h = (struct ch_heap){0};
}

static inline void put(struct ch_heap *h, size_t index, struct ch_heap_node *n)
{
	h->nodes[index] = n;
	n->at = index + 1;
}

static void sift_up(struct ch_heap *h, struct ch_heap_node *n, size_t at)
{
	while (at > 0) {
		size_t parent = (at - 1) / 2;
		if (h->nodes[parent]->key <= n->key)
			break;
		put(h, at, h->nodes[parent]);
		at = parent;
	}
	put(h, at, n);
}

static void sift_down(struct ch_heap *h, struct ch_heap_node *n, size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= h->len)
			break;
		if (child + 1 < h->len && h->nodes[child + 1]->key < h->nodes[child]->key)
			child++;
		if (n->key <= h->nodes[child]->key)
			break;
		put(h, at, h->nodes[child]);
		at = child;
	}
	put(h, at, n);
}

static void settle(struct ch_heap *h, struct ch_heap_node *n, size_t at)
{
	if (at > 0 && n->key < h->nodes[(at - 1) / 2]->key)
		sift_up(h, n, at);
	else
		sift_down(h, n, at);
}

static int make_room(struct ch_heap *h)
{
	if (h->len < h->cap)
		return 0;
	size_t cap = h->cap ? h->cap * 2 : FIRST_CAP;
	struct ch_heap_node **nodes = ch_realloc(h->nodes, cap * sizeof(struct ch_heap_node *));
	if (!nodes)
		return CH_ENOMEM;
	h->nodes = nodes;
	h->cap = cap;
	return 0;
}

int ch_heap_push(struct ch_heap *h, struct ch_heap_node *n, int64_t key)
{
	CH_ASSERT(!ch_heap_has(n));
	int rc = make_room(h);
	if (rc)
		return rc;
	n->key = key;
	sift_up(h, n, h->len++);
	return 0;
}

static size_t index_of(const struct ch_heap *h, const struct ch_heap_node *n)
{
	CH_ASSERT(n->at >= 1 && n->at <= h->len && h->nodes[n->at - 1] == n);
	return n->at - 1;
}

void ch_heap_remove(struct ch_heap *h, struct ch_heap_node *n)
{
	if (!ch_heap_has(n))
		return;
	size_t at = index_of(h, n);
	n->at = 0;
	struct ch_heap_node *last = h->nodes[--h->len];
	if (last != n)
		settle(h, last, at);
}

void ch_heap_rekey(struct ch_heap *h, struct ch_heap_node *n, int64_t key)
{
	size_t at = index_of(h, n);
	n->key = key;
	settle(h, n, at);
}

struct ch_heap_node *ch_heap_min(const struct ch_heap *h)
{
	return h->len ? h->nodes[0] : NULL;
}
