#include "api/request_limit.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"

#define SWEEP_MIN 64 /* buckets that are not worth a sweep */

struct bucket_key {
	int64_t account;
	int64_t kind; /* as wide as the other: a key has no bytes that mean nothing */
};

struct bucket {
	struct ch_map_node node;
	struct bucket_key key;
	int64_t window; /* that used counts in */
	int used;
};

struct request_limit {
	struct request_rate rate;
	pthread_mutex_t lock;
	struct ch_map buckets;
	size_t sweep_at; /* buckets */
};

int request_limit_create(struct request_rate rate, const struct ch_rand *rand, struct request_limit **ret)
{
	struct request_limit *l = ch_calloc(1, sizeof(*l));

	CH_ASSERT(rate.count == 0 || (rate.count > 0 && rate.seconds >= 1));
	if (!l)
		return CH_ENOMEM;
	if (pthread_mutex_init(&l->lock, NULL) != 0) {
		ch_free(l);
		return CH_ENOMEM;
	}
	l->rate = rate;
	l->sweep_at = SWEEP_MIN;
	ch_map_init(&l->buckets, rand);
	*ret = l;
	return 0;
}

/* Removes what counts in windows before this one. */
static void sweep(struct request_limit *l, int64_t window)
{
	struct ch_map_node *next;

	for (struct ch_map_node *n = ch_map_next(&l->buckets, NULL); n; n = next) {
		struct bucket *b = CH_CONTAINER_OF(n, struct bucket, node);
		next = ch_map_next(&l->buckets, n);
		if (b->window >= window)
			continue;
		ch_map_remove(&l->buckets, n);
		ch_free(b);
	}
	l->sweep_at = 2 * l->buckets.len > SWEEP_MIN ? 2 * l->buckets.len : SWEEP_MIN;
}

void request_limit_destroy(struct request_limit **pl)
{
	struct request_limit *l = *pl;

	*pl = NULL;
	if (!l)
		return;
	sweep(l, INT64_MAX);
	ch_map_fini(&l->buckets);
	pthread_mutex_destroy(&l->lock);
	ch_free(l);
}

/* NULL: no memory. */
static struct bucket *bucket_of(struct request_limit *l, const struct bucket_key *key, int64_t window)
{
	struct ch_map_node *n = ch_map_get(&l->buckets, key, sizeof(*key));

	if (n)
		return CH_CONTAINER_OF(n, struct bucket, node);
	if (l->buckets.len >= l->sweep_at)
		sweep(l, window);
	struct bucket *b = ch_calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->key = *key;
	if (ch_map_insert(&l->buckets, &b->node, &b->key, sizeof(b->key)) != 0) {
		ch_free(b);
		return NULL;
	}
	return b;
}

/* Under the lock. A time of before, from another loop, counts in the window that is. */
static void count(struct request_limit *l, struct bucket *b, int64_t window, struct request_quota *q)
{
	if (window > b->window) {
		b->window = window;
		b->used = 0;
	}
	q->is_over = b->used >= l->rate.count;
	b->used += !q->is_over;
	q->remaining = l->rate.count - b->used;
}

int request_limit_take(struct request_limit *l, int64_t account, enum request_kind kind, struct ch_mono now,
		struct request_quota *ret)
{
	const struct bucket_key key = {account, kind};
	int64_t length_ms = (int64_t)l->rate.seconds * 1000;

	if (l->rate.count == 0) {
		*ret = (struct request_quota){0};
		return 0;
	}
	int64_t window = now.ms / length_ms;
	struct request_quota q = {.limit = l->rate.count,
			.retry_after_s = (int)((length_ms - now.ms % length_ms + 999) / 1000)};
	pthread_mutex_lock(&l->lock);
	struct bucket *b = bucket_of(l, &key, window);
	if (b)
		count(l, b, window, &q);
	pthread_mutex_unlock(&l->lock);
	if (!b)
		return CH_ENOMEM;
	*ret = q;
	return 0;
}
