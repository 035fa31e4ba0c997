#include "store/due.h"

#include <string.h>

#include "base/assert.h"

static int compare(const struct due_node *a, const struct due_node *b)
{
	if (a->due_ms != b->due_ms)
		return a->due_ms < b->due_ms ? -1 : 1;
	return id_compare(&a->id, &b->id);
}

/* The last half of a UUIDv7 is random, but it need not be: whoever writes the id may count. */
static uint32_t priority_of(const struct id *id)
{
	uint64_t a, b;

	memcpy(&a, id->b, 8);
	memcpy(&b, id->b + 8, 8);
	a ^= b * 0x9e3779b97f4a7c15u;
	a = (a ^ (a >> 30)) * 0xbf58476d1ce4e5b9u;
	a = (a ^ (a >> 27)) * 0x94d049bb133111ebu;
	return (uint32_t)(a >> 32);
}

static void split(
		struct due_node *t, const struct due_node *at, struct due_node **less, struct due_node **more)
{
	while (t != NULL) {
		if (compare(t, at) < 0) {
			*less = t;
			less = &t->right;
			t = t->right;
		} else {
			*more = t;
			more = &t->left;
			t = t->left;
		}
	}
	*less = NULL;
	*more = NULL;
}

static void merge(struct due_node *less, struct due_node *more, struct due_node **into)
{
	while (less != NULL && more != NULL) {
		if (less->priority >= more->priority) {
			*into = less;
			into = &less->right;
			less = less->right;
		} else {
			*into = more;
			into = &more->left;
			more = more->left;
		}
	}
	*into = less != NULL ? less : more;
}

void due_insert(struct due_set *s, struct due_node *n, int64_t due_ms, const struct id *id)
{
	struct due_node **at = &s->root;

	n->due_ms = due_ms;
	n->id = *id;
	n->priority = priority_of(id);
	while (*at != NULL && (*at)->priority >= n->priority) {
		int c = compare(n, *at);

		CH_ASSERT(c != 0);
		at = c < 0 ? &(*at)->left : &(*at)->right;
	}
	split(*at, n, &n->left, &n->right);
	*at = n;
	s->len++;
}

void due_remove(struct due_set *s, struct due_node *n)
{
	struct due_node **at = &s->root;

	while (*at != n) {
		CH_ASSERT(*at != NULL);
		at = compare(n, *at) < 0 ? &(*at)->left : &(*at)->right;
	}
	merge(n->left, n->right, at);
	n->left = n->right = NULL;
	s->len--;
}

struct due_node *due_first(const struct due_set *s)
{
	struct due_node *n = s->root;

	while (n != NULL && n->left != NULL)
		n = n->left;
	return n;
}

struct due_node *due_after(const struct due_set *s, const struct due_node *n)
{
	struct due_node *best = NULL;

	for (struct due_node *t = s->root; t != NULL;) {
		if (compare(t, n) > 0) {
			best = t;
			t = t->left;
		} else {
			t = t->right;
		}
	}
	return best;
}
