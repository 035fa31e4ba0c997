#include "model/json_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/map.h"

#define PAIRWISE_MAX 16 /* up to here comparing each with each is cheaper than hashing */

bool json_key_is_index_slow(const char *key, size_t len)
{
	if (key[0] == '0')
		return len == 1;
	uint64_t value = 0;
	for (size_t i = 0; i < len; i++) {
		if (key[i] < '0' || key[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(key[i] - '0');
	}
	return value <= JSON_KEY_INDEX_MAX;
}

static inline bool same_key(const struct json_doc *d, const struct json_node *a, const struct json_node *b)
{
	return a->key_len == b->key_len &&
	       memcmp(json_text(d, a->key), json_text(d, b->key), a->key_len) == 0;
}

static void find_pairwise(
		struct json_doc *d, uint32_t container, void (*found)(void *ctx, uint32_t node), void *ctx)
{
	uint32_t end = json_node(d, container)->end;
	for (uint32_t i = container + 1; i < end; i = json_node(d, i)->end) {
		for (uint32_t j = container + 1; j < i; j = json_node(d, j)->end) {
			if (same_key(d, json_node(d, i), json_node(d, j))) {
				found(ctx, i);
				break;
			}
		}
	}
}

/* True when an equal key was in the table; else it is put there. */
static bool table_has(struct json_doc *d, uint32_t *table, uint32_t mask, uint32_t node)
{
	const struct json_node *n = json_node(d, node);
	uint32_t at = (uint32_t)ch_siphash13(d->seed, json_text(d, n->key), n->key_len) & mask;
	for (; table[at] != 0; at = (at + 1) & mask) {
		if (same_key(d, n, json_node(d, table[at])))
			return true;
	}
	table[at] = node; /* never 0: that is the root, which is no child */
	return false;
}

static int find_hashed(
		struct json_doc *d, uint32_t container, void (*found)(void *ctx, uint32_t node), void *ctx)
{
	uint32_t size = PAIRWISE_MAX * 2;
	while (size < json_node(d, container)->text_len * 2)
		size *= 2;
	if (json_doc_grow_scratch(d, size))
		return CH_ENOMEM;
	uint32_t *table = d->scratch + d->scratch_len;
	memset(table, 0, size * sizeof *table);
	uint32_t end = json_node(d, container)->end;
	for (uint32_t i = container + 1; i < end; i = json_node(d, i)->end) {
		if (table_has(d, table, size - 1, i))
			found(ctx, i);
	}
	return 0;
}

int json_keys_find_double(
		struct json_doc *d, uint32_t container, void (*found)(void *ctx, uint32_t node), void *ctx)
{
	if (json_node(d, container)->text_len <= PAIRWISE_MAX) {
		find_pairwise(d, container, found, ctx);
		return 0;
	}
	return find_hashed(d, container, found, ctx);
}

/* Doubles are taken out of the list by way of their places in it, which come in ascending order. */
struct pruning {
	struct json_doc *d;
	uint32_t from; /* the next entry to look at */
	uint32_t kept; /* where the next entry that stays goes */
};

static void prune_one(void *ctx, uint32_t node)
{
	struct pruning *p = ctx;
	uint32_t *list = p->d->scratch;
	while (list[p->from] != node)
		list[p->kept++] = list[p->from++];
	p->from++;
}

static int prune_doubles(struct json_doc *d, uint32_t container, uint32_t from)
{
	struct pruning p = {.d = d, .from = from, .kept = from};
	int rc = json_keys_find_double(d, container, prune_one, &p);
	if (rc)
		return rc;
	while (p.from < d->scratch_len)
		d->scratch[p.kept++] = d->scratch[p.from++];
	d->scratch_len = p.kept;
	return 0;
}

static int compare_index(const void *a, const void *b, void *ctx)
{
	const struct json_doc *d = ctx;
	const struct json_node *x = json_node(d, *(const uint32_t *)a),
			       *y = json_node(d, *(const uint32_t *)b);
	if (x->key_len != y->key_len)
		return x->key_len < y->key_len ? -1 : 1;
	return memcmp(json_text(d, x->key), json_text(d, y->key), x->key_len);
}

static bool is_index(const struct json_doc *d, uint32_t node)
{
	const struct json_node *n = json_node(d, node);
	return json_key_is_index(json_text(d, n->key), n->key_len);
}

/* Array indices to the front, sorted; the others keep their order. */
static int indices_first(struct json_doc *d, uint32_t from)
{
	uint32_t count = d->scratch_len - from, indices = 0, others = 0;
	if (json_doc_grow_scratch(d, count))
		return CH_ENOMEM;
	uint32_t *list = d->scratch + from, *aside = d->scratch + d->scratch_len;
	for (uint32_t i = 0; i < count; i++) {
		if (is_index(d, list[i]))
			list[indices++] = list[i];
		else
			aside[others++] = list[i];
	}
	CH_ASSERT(indices + others == count);
	memcpy(list + indices, aside, others * sizeof *list);
	qsort_r(list, indices, sizeof *list, compare_index, d);
	return 0;
}

int json_keys_order(struct json_doc *d, uint32_t container, uint32_t *ret_from)
{
	const struct json_node *n = json_node(d, container);
	uint32_t from = d->scratch_len;
	if (json_doc_grow_scratch(d, n->text_len))
		return CH_ENOMEM;
	bool has_index = false;
	for (uint32_t i = container + 1; i < n->end; i = json_node(d, i)->end) {
		d->scratch[d->scratch_len++] = i;
		has_index |= is_index(d, i);
	}
	int rc = n->type == JSON_T_ARRAY ? prune_doubles(d, container, from) : 0;
	if (rc == 0 && has_index)
		rc = indices_first(d, from);
	if (rc) {
		d->scratch_len = from;
		return rc;
	}
	*ret_from = from;
	return 0;
}
