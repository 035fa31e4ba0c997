#include "api/accounts_registry.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"

struct entry;

struct key_node {
	struct ch_map_node node; /* by the first bytes of the digest */
	struct entry *owner; /* NULL: not in the table */
};

struct entry {
	atomic_uint refs;
	struct account shown; /* what never changes; readers have it without the lock */

	/* under the lock from accounts_add on */
	bool is_in;
	struct account now;
	struct ch_map_node by_id;
	struct key_node keys[ACCOUNT_KEYS];
};

/* One lock for all: what is done under it is a look into a table, some ten nanoseconds, once a request. */
struct accounts_registry {
	pthread_mutex_t lock;
	struct ch_map ids;
	struct ch_map keys;
};

static struct entry *entry_of(const struct account *a)
{
	/* Given out as const, made as not. */
	return CH_CONTAINER_OF((uintptr_t)a, struct entry, shown);
}

static struct entry *of_id(struct ch_map_node *n)
{
	return CH_CONTAINER_OF(n, struct entry, by_id);
}

/* ---- references ---- */

const struct account *accounts_ref(const struct account *a)
{
	atomic_fetch_add_explicit(&entry_of(a)->refs, 1, memory_order_relaxed);
	return a;
}

void accounts_unref(const struct account **a)
{
	struct entry *e = *a ? entry_of(*a) : NULL;

	*a = NULL;
	if (!e || atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1)
		return;
	ch_wipe(e->now.key_sha256, sizeof(e->now.key_sha256));
	ch_free(e);
}

/* ---- begin and end ---- */

/* A table that was made never fails to take one more. */
static int make_table(struct ch_map *m)
{
	struct ch_map_node first;
	int rc = ch_map_insert(m, &first, "", 0);

	if (rc == 0)
		ch_map_remove(m, &first);
	return rc;
}

int accounts_create(const struct ch_rand *rand, struct accounts_registry **ret)
{
	struct accounts_registry *r = ch_calloc(1, sizeof(*r));

	if (!r)
		return CH_ENOMEM;
	ch_map_init(&r->ids, rand);
	ch_map_init(&r->keys, rand);
	int rc = make_table(&r->ids);
	if (rc == 0)
		rc = make_table(&r->keys);
	if (rc == 0 && pthread_mutex_init(&r->lock, NULL) != 0)
		rc = CH_ENOMEM;
	if (rc != 0) {
		ch_map_fini(&r->ids);
		ch_map_fini(&r->keys);
		ch_free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

void accounts_destroy(struct accounts_registry **pr)
{
	struct accounts_registry *r = *pr;

	*pr = NULL;
	if (!r)
		return;
	for (struct ch_map_node *n = ch_map_next(&r->ids, NULL), *next; n; n = next) {
		next = ch_map_next(&r->ids, n);
		accounts_remove(r, &of_id(n)->shown);
	}
	ch_map_fini(&r->ids);
	ch_map_fini(&r->keys);
	pthread_mutex_destroy(&r->lock);
	ch_free(r);
}

/* ---- looking up ---- */

const struct account *accounts_by_id(struct accounts_registry *r, const char *id)
{
	const struct account *found = NULL;

	pthread_mutex_lock(&r->lock);
	struct ch_map_node *n = ch_map_get(&r->ids, id, strlen(id));
	if (n)
		found = accounts_ref(&of_id(n)->shown);
	pthread_mutex_unlock(&r->lock);
	return found;
}

/* Under the lock. Looking a digest up by a table gives nothing away: what the time could tell is about a
 * SHA-256, which nobody can steer by choosing keys. The rest is compared in constant time all the same. */
static struct entry *find_key(
		const struct accounts_registry *r, const uint8_t *bytes, size_t len, int *ret_slot)
{
	struct ch_map_node *n = ch_map_get(&r->keys, bytes, ACCOUNTS_KID_BYTES);

	if (!n)
		return NULL;
	const struct key_node *k = CH_CONTAINER_OF(n, struct key_node, node);
	struct entry *e = k->owner;
	int slot = (int)(k - e->keys);
	if (!ch_ct_equal(e->now.key_sha256[slot], len, bytes, len))
		return NULL;
	*ret_slot = slot;
	return e;
}

static const struct account *by_key(
		struct accounts_registry *r, const uint8_t *bytes, size_t len, int *ret_slot)
{
	const struct account *found = NULL;

	pthread_mutex_lock(&r->lock);
	struct entry *e = find_key(r, bytes, len, ret_slot);
	if (e)
		found = accounts_ref(&e->shown);
	pthread_mutex_unlock(&r->lock);
	return found;
}

const struct account *accounts_by_digest(
		struct accounts_registry *r, const uint8_t digest[CH_SHA256_BYTES], int *ret_slot)
{
	return by_key(r, digest, CH_SHA256_BYTES, ret_slot);
}

const struct account *accounts_by_kid(
		struct accounts_registry *r, const uint8_t kid[ACCOUNTS_KID_BYTES], int *ret_slot)
{
	return by_key(r, kid, ACCOUNTS_KID_BYTES, ret_slot);
}

int accounts_copy(struct accounts_registry *r, const struct account *a, struct account *ret)
{
	const struct entry *e = entry_of(a);

	pthread_mutex_lock(&r->lock);
	bool is_in = e->is_in;
	if (is_in)
		*ret = e->now;
	pthread_mutex_unlock(&r->lock);
	return is_in ? 0 : CH_ENOENT;
}

/* ---- changing ---- */

int accounts_prepare(const struct account *a, const struct account **ret)
{
	struct entry *e = ch_calloc(1, sizeof(*e));

	if (!e)
		return CH_ENOMEM;
	e->now = *a;
	atomic_init(&e->refs, 1);
	e->shown.created_ms = a->created_ms;
	memcpy(e->shown.id, a->id, sizeof(a->id));
	memcpy(e->shown.name, a->name, sizeof(a->name));
	*ret = &e->shown;
	return 0;
}

static void take_out(struct accounts_registry *r, struct key_node *k)
{
	if (k->owner)
		ch_map_remove(&r->keys, &k->node);
	k->owner = NULL;
}

/* CH_EEXIST: another key begins with the same bytes, so it is the same one. */
static int put_in(struct accounts_registry *r, struct entry *e, int slot)
{
	struct key_node *k = &e->keys[slot];

	if (!account_key_is_set(&e->now, slot))
		return 0;
	int rc = ch_map_insert(&r->keys, &k->node, e->now.key_sha256[slot], ACCOUNTS_KID_BYTES);
	if (rc == 0)
		k->owner = e;
	return rc;
}

static int add(struct accounts_registry *r, struct entry *e)
{
	int rc = ch_map_insert(&r->ids, &e->by_id, e->shown.id, strlen(e->shown.id));

	if (rc != 0)
		return rc;
	for (int i = 0; rc == 0 && i < ACCOUNT_KEYS; i++)
		rc = put_in(r, e, i);
	e->is_in = rc == 0;
	if (rc == 0)
		return 0;
	for (int i = 0; i < ACCOUNT_KEYS; i++)
		take_out(r, &e->keys[i]);
	ch_map_remove(&r->ids, &e->by_id);
	return rc;
}

int accounts_add(struct accounts_registry *r, const struct account *prepared, int64_t number)
{
	struct entry *e = entry_of(prepared);

	CH_ASSERT(!e->is_in && number >= 1);
	e->shown.number = number;
	e->now.number = number;
	pthread_mutex_lock(&r->lock);
	int rc = add(r, e);
	if (rc == 0)
		accounts_ref(prepared);
	pthread_mutex_unlock(&r->lock);
	return rc;
}

void accounts_set_key(struct accounts_registry *r, const struct account *a, int slot,
		const uint8_t digest[CH_SHA256_BYTES], int64_t now_ms)
{
	struct entry *e = entry_of(a);

	pthread_mutex_lock(&r->lock);
	if (e->is_in) {
		take_out(r, &e->keys[slot]);
		memcpy(e->now.key_sha256[slot], digest, CH_SHA256_BYTES);
		e->now.key_rotated_ms[slot] = now_ms;
		/* Two random keys are never the same; were they, this one would open nothing until the next
		 * start says why. */
		(void)put_in(r, e, slot);
	}
	pthread_mutex_unlock(&r->lock);
}

void accounts_remove(struct accounts_registry *r, const struct account *a)
{
	struct entry *e = entry_of(a);
	const struct account *held = NULL;

	pthread_mutex_lock(&r->lock);
	if (e->is_in) {
		for (int i = 0; i < ACCOUNT_KEYS; i++)
			take_out(r, &e->keys[i]);
		ch_map_remove(&r->ids, &e->by_id);
		e->is_in = false;
		held = a;
	}
	pthread_mutex_unlock(&r->lock);
	accounts_unref(&held);
}
