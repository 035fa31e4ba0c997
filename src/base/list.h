/* base/list.h - an intrusive, circular, doubly linked list.
 *
 * Role:      the link sits in the element, so linking never allocates and unlinking is O(1).
 * Ownership: the list owns nothing.
 * Invariant: an unlinked node points to itself (ch_list_init), so unlinking twice is harmless.
 */
#ifndef CH_BASE_LIST_H
#define CH_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct ch_list {
	struct ch_list *prev;
	struct ch_list *next;
};

#define CH_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Iterates; the current element may be unlinked and freed inside the loop. */
#define CH_LIST_FOREACH(head, it, nx)                                                                        \
	for (struct ch_list *it = (head)->next, *nx = it->next; it != (head); it = nx, nx = it->next)

static inline void ch_list_init(struct ch_list *n)
{
	n->prev = n->next = n;
}

static inline bool ch_list_is_empty(const struct ch_list *head)
{
	return head->next == head;
}

static inline bool ch_list_is_linked(const struct ch_list *n)
{
	return n->next != n;
}

static inline void ch_list_insert_between(struct ch_list *n, struct ch_list *prev, struct ch_list *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

static inline void ch_list_push_back(struct ch_list *head, struct ch_list *n)
{
	ch_list_insert_between(n, head->prev, head);
}

static inline void ch_list_push_front(struct ch_list *head, struct ch_list *n)
{
	ch_list_insert_between(n, head, head->next);
}

static inline void ch_list_unlink(struct ch_list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	ch_list_init(n);
}

/* The first element, unlinked; NULL when empty. */
static inline struct ch_list *ch_list_pop_front(struct ch_list *head)
{
	struct ch_list *n = head->next;
	if (n == head)
		return NULL;
	ch_list_unlink(n);
	return n;
}

/* Moves all of src behind dst; src is empty after. */
static inline void ch_list_splice_back(struct ch_list *dst, struct ch_list *src)
{
	if (ch_list_is_empty(src))
		return;
	src->next->prev = dst->prev;
	dst->prev->next = src->next;
	src->prev->next = dst;
	dst->prev = src->prev;
	ch_list_init(src);
}

#endif
