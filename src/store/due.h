/* store/due.h - rows in the order in which they come due.
 *
 * Role:      an ordered set with nodes inside the rows: insert, remove and "the next one after" cost
 *            O(log n) and allocate nothing. A heap would not do: a claim passes over rows that are in
 *            flight already and goes on behind them.
 * Ownership: the set owns nothing; a node stays where it is in memory while inside.
 * Threads:   as the store it belongs to.
 * Invariant: keys ascend from left to right, priorities never grow from parent to child.
 * Source:    treap (Aragon and Seidel 1989); priorities are a hash of the id, so the same rows give
 *            the same tree.
 */
#ifndef CH_STORE_DUE_H
#define CH_STORE_DUE_H

#include <stddef.h>
#include <stdint.h>

#include "model/id.h"

struct due_node {
	struct due_node *left;
	struct due_node *right;
	int64_t due_ms;
	struct id id; /* unique in a set */
	uint32_t priority;
};

struct due_set {
	struct due_node *root;
	size_t len;
};

void due_insert(struct due_set *s, struct due_node *n, int64_t due_ms, const struct id *id); /* n: outside */
void due_remove(struct due_set *s, struct due_node *n); /* n: inside */
struct due_node *due_first(const struct due_set *s); /* NULL: empty */
struct due_node *due_after(const struct due_set *s, const struct due_node *n); /* NULL: n is the last */

#endif
