#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/accounts_registry.h"
#include "base/alloc.h"
#include "base/err.h"

#define READERS 3
#define ROUNDS 2000

static void digest_of(const char *key, uint8_t out[CH_SHA256_BYTES])
{
	ch_sha256(key, strlen(key), out);
}

static struct accounts_registry *make(void)
{
	struct ch_rand rand = ch_rand_system();
	struct accounts_registry *r;
	assert_int_equal(accounts_create(&rand, &r), 0);
	return r;
}

static int add(struct accounts_registry *r, int64_t number, const char *id, const char *first,
		const char *second)
{
	struct account a = {.created_ms = 5, .key_rotated_ms = {0, 7}};
	const struct account *made;
	snprintf(a.id, sizeof(a.id), "%s", id);
	snprintf(a.name, sizeof(a.name), "the name of %s", id);
	if (first)
		digest_of(first, a.key_sha256[0]);
	if (second)
		digest_of(second, a.key_sha256[1]);
	assert_int_equal(accounts_prepare(&a, &made), 0);
	int rc = accounts_add(r, made, number);
	accounts_unref(&made);
	return rc;
}

/* The account's number, its slot in *ret_slot; 0: nobody's. */
static int64_t whose(struct accounts_registry *r, const char *key, int *ret_slot)
{
	uint8_t digest[CH_SHA256_BYTES];
	int kid_slot = -1;
	digest_of(key, digest);
	*ret_slot = -1;
	const struct account *a = accounts_by_digest(r, digest, ret_slot);
	const struct account *by_kid = accounts_by_kid(r, digest, &kid_slot);
	assert_ptr_equal(a, by_kid);
	assert_int_equal(*ret_slot, kid_slot);
	int64_t number = a ? a->number : 0;
	accounts_unref(&a);
	accounts_unref(&by_kid);
	return number;
}

static void accounts_are_found_by_key_and_id(void **state)
{
	struct accounts_registry *r = make();
	int slot;
	assert_int_equal(add(r, 1, "default", "a1", "a2"), 0);
	assert_int_equal(add(r, 2, "b", "b1", NULL), 0);
	assert_int_equal(whose(r, "a1", &slot), 1);
	assert_int_equal(slot, 0);
	assert_int_equal(whose(r, "a2", &slot), 1);
	assert_int_equal(slot, 1);
	assert_int_equal(whose(r, "b1", &slot), 2);
	assert_int_equal(whose(r, "b2", &slot), 0);
	assert_null(accounts_by_id(r, "nobody"));
	const struct account *b = accounts_by_id(r, "b");
	assert_string_equal(b->name, "the name of b");
	assert_int_equal(b->created_ms, 5);
	accounts_unref(&b);
	accounts_destroy(&r);
}

static void the_digest_counts_to_its_end(void **state)
{
	struct accounts_registry *r = make();
	uint8_t digest[CH_SHA256_BYTES];
	int slot = -1;
	assert_int_equal(add(r, 1, "default", "a1", NULL), 0);
	digest_of("a1", digest);
	digest[CH_SHA256_BYTES - 1] ^= 1;
	assert_null(accounts_by_digest(r, digest, &slot));
	assert_int_equal(slot, -1);
	memset(digest, 0, sizeof(digest));
	assert_null(accounts_by_digest(r, digest, &slot)); /* a key that is not set is none */
	accounts_destroy(&r);
}

static void a_rotated_key_works_no_more(void **state)
{
	struct accounts_registry *r = make();
	uint8_t digest[CH_SHA256_BYTES];
	struct account now;
	int slot;
	assert_int_equal(add(r, 1, "default", "a1", "a2"), 0);
	const struct account *a = accounts_by_id(r, "default");
	digest_of("new", digest);
	accounts_set_key(r, a, 0, digest, 99);
	assert_int_equal(whose(r, "a1", &slot), 0);
	assert_int_equal(whose(r, "a2", &slot), 1);
	assert_int_equal(whose(r, "new", &slot), 1);
	assert_int_equal(slot, 0);
	assert_int_equal(accounts_copy(r, a, &now), 0);
	assert_int_equal(now.key_rotated_ms[0], 99);
	assert_int_equal(now.key_rotated_ms[1], 7);
	assert_int_equal(now.number, 1);
	accounts_unref(&a);
	accounts_destroy(&r);
}

static void a_removed_account_is_readable_and_not_found(void **state)
{
	struct accounts_registry *r = make();
	uint8_t digest[CH_SHA256_BYTES];
	struct account now;
	int slot;
	assert_int_equal(add(r, 1, "default", "a1", "a2"), 0);
	assert_int_equal(add(r, 2, "b", "b1", "b2"), 0);
	const struct account *b = accounts_by_id(r, "b");
	accounts_remove(r, b);
	accounts_remove(r, b);
	assert_int_equal(whose(r, "b1", &slot), 0);
	assert_null(accounts_by_id(r, "b"));
	assert_string_equal(b->id, "b");
	assert_int_equal(accounts_copy(r, b, &now), CH_ENOENT);
	digest_of("late", digest);
	accounts_set_key(r, b, 0, digest, 1);
	assert_int_equal(whose(r, "late", &slot), 0);
	assert_int_equal(add(r, 3, "b", "b1", NULL), 0); /* id and key are free again */
	assert_int_equal(whose(r, "b1", &slot), 3);
	accounts_destroy(&r);
	assert_string_equal(b->id, "b");
	accounts_unref(&b);
}

static void nobody_takes_what_is_anothers(void **state)
{
	struct accounts_registry *r = make();
	int slot;
	assert_int_equal(add(r, 1, "default", "a1", "a2"), 0);
	assert_int_equal(add(r, 2, "default", "b1", "b2"), CH_EEXIST);
	assert_int_equal(add(r, 2, "b", "b1", "a1"), CH_EEXIST);
	assert_int_equal(add(r, 2, "b", "b1", "b1"), CH_EEXIST);
	assert_int_equal(whose(r, "b1", &slot), 0);
	assert_int_equal(whose(r, "a1", &slot), 1);
	assert_null(accounts_by_id(r, "b"));
	assert_int_equal(add(r, 2, "b", "b1", "b2"), 0);
	accounts_destroy(&r);
}

struct reading {
	struct accounts_registry *r;
	atomic_bool must_end;
};

static void *read_on(void *arg)
{
	struct reading *reading = arg;
	uint8_t digest[CH_SHA256_BYTES];
	int slot;
	digest_of("a1", digest);
	while (!atomic_load(&reading->must_end)) {
		const struct account *a = accounts_by_digest(reading->r, digest, &slot);
		const struct account *b = accounts_by_id(reading->r, "b");
		struct account now;
		if (!a || a->number != 1 || strcmp(a->id, "default") != 0 || (b && b->number < 2))
			return arg;
		if (b && accounts_copy(reading->r, b, &now) == 0 && now.number < 2)
			return arg;
		accounts_unref(&a);
		accounts_unref(&b);
	}
	return NULL;
}

/* ThreadSanitizer and AddressSanitizer judge this one. */
static void many_threads_look_while_one_changes(void **state)
{
	struct reading reading = {.r = make()};
	pthread_t threads[READERS];
	uint8_t digest[CH_SHA256_BYTES];
	assert_int_equal(add(reading.r, 1, "default", "a1", NULL), 0);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_on, &reading), 0);
	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(add(reading.r, 2 + i, "b", "b1", "b2"), 0);
		const struct account *b = accounts_by_id(reading.r, "b");
		digest_of(i % 2 ? "odd" : "even", digest);
		accounts_set_key(reading.r, b, 1, digest, i);
		accounts_remove(reading.r, b);
		accounts_unref(&b);
	}
	atomic_store(&reading.must_end, true);
	for (int i = 0; i < READERS; i++) {
		void *failed;
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	accounts_destroy(&reading.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(accounts_are_found_by_key_and_id),
			cmocka_unit_test(the_digest_counts_to_its_end),
			cmocka_unit_test(a_rotated_key_works_no_more),
			cmocka_unit_test(a_removed_account_is_readable_and_not_found),
			cmocka_unit_test(nobody_takes_what_is_anothers),
			cmocka_unit_test(many_threads_look_while_one_changes),
	};
	return cmocka_run_group_tests_name("accounts", tests, NULL, NULL);
}
