/* base/map.h - a hash map with intrusive nodes, keyed by bytes.
 *
 * Role:      find a webhook by id, an endpoint by host. The key lies in the caller's element and
 *            must stay as it is while the node is in the map.
 * Ownership: the map owns its table of buckets, never the nodes or the keys.
 * Errors:    ch_map_insert fails with CH_ENOMEM (only when the table has to be made) or CH_EEXIST.
 * Source:    SipHash-1-3 (Aumasson, Bernstein) with a random key, because keys come from outside.
 */
#ifndef CH_BASE_MAP_H
#define CH_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/rand.h"

struct ch_map_node {
	struct ch_map_node *next;
	uint64_t hash;
	const void *key; /* borrowed */
	size_t key_len;
};

struct ch_map {
	struct ch_map_node **buckets; /* NULL until the first insert */
	size_t bucket_count; /* 0 or a power of two */
	size_t len;
	uint64_t seed[2];
};

void ch_map_init(struct ch_map *m, const struct ch_rand *rand);
void ch_map_fini(struct ch_map *m); /* forgets the nodes, touches none */
int ch_map_insert(struct ch_map *m, struct ch_map_node *n, const void *key, size_t key_len) CH_MUST_USE;
struct ch_map_node *ch_map_get(const struct ch_map *m, const void *key, size_t key_len); /* or NULL */
void ch_map_remove(struct ch_map *m, struct ch_map_node *n); /* n must be inside */

/* Walks: NULL starts, NULL ends. The node returned may be removed before the next step only if
 * the next one was fetched first. */
struct ch_map_node *ch_map_next(const struct ch_map *m, const struct ch_map_node *n);

uint64_t ch_siphash13(const uint64_t seed[2], const void *data, size_t len);

#endif
