#include "base/map.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

#define FIRST_BUCKETS 16

static inline uint64_t rotl(uint64_t x, int by)
{
	return (x << by) | (x >> (64 - by));
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static inline uint64_t read_le64(const unsigned char *p, size_t len)
{
	uint64_t word = 0;
	for (size_t i = len; i > 0; i--)
		word = word << 8 | p[i - 1];
	return word;
}

uint64_t ch_siphash13(const uint64_t seed[2], const void *data, size_t len)
{
	uint64_t v[4] = {seed[0] ^ 0x736F6D6570736575u, seed[1] ^ 0x646F72616E646F6Du,
			seed[0] ^ 0x6C7967656E657261u, seed[1] ^ 0x7465646279746573u};
	const unsigned char *p = data;
	size_t left = len;
	for (; left >= 8; left -= 8, p += 8) {
		uint64_t word = read_le64(p, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	uint64_t last = (uint64_t)(len & 0xFF) << 56 | read_le64(p, left);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xFF;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void ch_map_init(struct ch_map *m, const struct ch_rand *rand)
{
	*m = (struct ch_map){0};
	m->seed[0] = ch_rand_u64(rand);
	m->seed[1] = ch_rand_u64(rand);
}

void ch_map_fini(struct ch_map *m)
{
	ch_free(m->buckets);
	m->buckets = NULL;
	m->bucket_count = 0;
	m->len = 0;
}

static struct ch_map_node **bucket_of(const struct ch_map *m, uint64_t hash)
{
	return &m->buckets[hash & (m->bucket_count - 1)];
}

static int rehash(struct ch_map *m, size_t count)
{
	struct ch_map_node **old = m->buckets;
	size_t old_count = m->bucket_count;
	struct ch_map_node **buckets = ch_calloc(count, sizeof(*buckets));
	if (!buckets)
		return CH_ENOMEM;
	m->buckets = buckets;
	m->bucket_count = count;
	for (size_t i = 0; i < old_count; i++) {
		for (struct ch_map_node *n = old[i], *next; n; n = next) {
			next = n->next;
			struct ch_map_node **to = bucket_of(m, n->hash);
			n->next = *to;
			*to = n;
		}
	}
	ch_free(old);
	return 0;
}

static struct ch_map_node *find(const struct ch_map *m, uint64_t hash, const void *key, size_t key_len)
{
	if (m->bucket_count == 0)
		return NULL;
	for (struct ch_map_node *n = *bucket_of(m, hash); n; n = n->next) {
		if (n->hash == hash && n->key_len == key_len &&
				(key_len == 0 || memcmp(n->key, key, key_len) == 0))
			return n;
	}
	return NULL;
}

int ch_map_insert(struct ch_map *m, struct ch_map_node *n, const void *key, size_t key_len)
{
	uint64_t hash = ch_siphash13(m->seed, key, key_len);
	if (find(m, hash, key, key_len))
		return CH_EEXIST;
	if (m->len >= m->bucket_count) {
		int rc = rehash(m, m->bucket_count ? m->bucket_count * 2 : FIRST_BUCKETS);
		/* Without memory to grow, longer chains still serve. */
		if (rc && !m->buckets)
			return rc;
	}
	struct ch_map_node **to = bucket_of(m, hash);
	*n = (struct ch_map_node){.next = *to, .hash = hash, .key = key, .key_len = key_len};
	*to = n;
	m->len++;
	return 0;
}

struct ch_map_node *ch_map_get(const struct ch_map *m, const void *key, size_t key_len)
{
	if (m->len == 0)
		return NULL;
	return find(m, ch_siphash13(m->seed, key, key_len), key, key_len);
}

void ch_map_remove(struct ch_map *m, struct ch_map_node *n)
{
	CH_ASSERT(m->len > 0);
	struct ch_map_node **at = bucket_of(m, n->hash);
	while (*at && *at != n)
		at = &(*at)->next;
	CH_ASSERT(*at == n);
	*at = n->next;
	n->next = NULL;
	m->len--;
}

struct ch_map_node *ch_map_next(const struct ch_map *m, const struct ch_map_node *n)
{
	if (m->bucket_count == 0)
		return NULL;
	if (n && n->next)
		return n->next;
	size_t at = n ? (n->hash & (m->bucket_count - 1)) + 1 : 0;
	while (at < m->bucket_count && !m->buckets[at])
		at++;
	return at < m->bucket_count ? m->buckets[at] : NULL;
}
