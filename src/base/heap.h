/* base/heap.h - an intrusive binary min-heap.
 *
 * Role:      timers and due times; a node knows its place, so it can be moved or taken out in
 *            O(log n).
 * Ownership: the heap owns its array of pointers, never the nodes.
 * Errors:    ch_heap_push may fail with CH_ENOMEM and then changes nothing.
 * Invariant: no node is less than its parent; node->at is its index + 1, or 0 when outside.
 */
#ifndef CH_BASE_HEAP_H
#define CH_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct ch_heap_node {
	int64_t key; /* the least comes first; equal keys in no promised order */
	size_t at; /* 0: not in a heap */
};

struct ch_heap {
	struct ch_heap_node **nodes;
	size_t len;
	size_t cap;
};

void ch_heap_init(struct ch_heap *h);
void ch_heap_fini(struct ch_heap *h); /* forgets the nodes, touches none */
int ch_heap_push(struct ch_heap *h, struct ch_heap_node *n, int64_t key) CH_MUST_USE; /* n must be outside */
void ch_heap_remove(struct ch_heap *h, struct ch_heap_node *n); /* outside: nothing */
void ch_heap_rekey(struct ch_heap *h, struct ch_heap_node *n, int64_t key); /* n must be inside */
struct ch_heap_node *ch_heap_min(const struct ch_heap *h); /* NULL when empty */

static inline bool ch_heap_has(const struct ch_heap_node *n)
{
	return n->at != 0;
}

#endif
