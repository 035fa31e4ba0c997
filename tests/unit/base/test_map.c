#include "test_base.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/map.h"

#define NODES 500

static struct ch_rand_seeded seeded;

static struct ch_rand seeded_rand(void)
{
	ch_rand_seeded_init(&seeded, 11);
	return ch_rand_seeded_of(&seeded);
}

/* Made with CPython 3.11, whose bytes hash is SipHash-1-3 with a zero key under PYTHONHASHSEED=0. */
static void test_siphash(void **state)
{
	static const struct {
		const char *text;
		uint64_t hash;
	} cases[] = {{"a", 0x407448d2b89b1813}, {"1234567", 0xa33d651594fdae81},
			{"12345678", 0x3489982430560a87}, {"123456789", 0x0fbc0f0007965fcf},
			{"https://example.com/hook", 0xf73aa3f09c68d0aa}};
	static const uint64_t zero[2];
	static const uint64_t other[2] = {0, 1};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].text);
		assert_true(ch_siphash13(zero, cases[i].text, len) == cases[i].hash);
		assert_true(ch_siphash13(other, cases[i].text, len) != cases[i].hash);
	}
}

static void test_keys_are_bytes(void **state)
{
	struct ch_rand rand = seeded_rand();
	struct ch_map m;
	struct ch_map_node nodes[4];
	ch_map_init(&m, &rand);
	assert_null(ch_map_get(&m, "a", 1));
	assert_null(ch_map_next(&m, NULL));
	assert_int_equal(ch_map_insert(&m, &nodes[0], "a", 1), 0);
	assert_int_equal(ch_map_insert(&m, &nodes[1], "a\0", 2), 0);
	assert_int_equal(ch_map_insert(&m, &nodes[2], "", 0), 0);
	assert_int_equal(ch_map_insert(&m, &nodes[3], "a", 1), CH_EEXIST);
	assert_ptr_equal(ch_map_get(&m, "a", 1), &nodes[0]);
	assert_ptr_equal(ch_map_get(&m, "a\0b", 2), &nodes[1]);
	assert_ptr_equal(ch_map_get(&m, NULL, 0), &nodes[2]);
	assert_int_equal(m.len, 3);
	ch_map_fini(&m);
}

struct entry {
	char key[12];
	bool inside;
	bool seen;
	struct ch_map_node node;
};

static void assert_walk_sees_all(const struct ch_map *m, struct entry *entries)
{
	size_t steps = 0;
	for (const struct ch_map_node *n = ch_map_next(m, NULL); n; n = ch_map_next(m, n)) {
		struct entry *e =
				(struct entry *)(void *)((char *)(uintptr_t)n - offsetof(struct entry, node));
		assert_true(e->inside && !e->seen);
		e->seen = true;
		steps++;
	}
	assert_int_equal(steps, m->len);
	for (int i = 0; i < NODES; i++) {
		assert_true(entries[i].seen == entries[i].inside);
		entries[i].seen = false;
	}
}

static void test_random_moves_against_flags(void **state)
{
	struct ch_rand rand = seeded_rand();
	static struct entry entries[NODES];
	struct ch_map m;
	ch_map_init(&m, &rand);
	for (int i = 0; i < NODES; i++)
		snprintf(entries[i].key, sizeof(entries[i].key), "key%d", i);
	for (int step = 0; step < 20000; step++) {
		struct entry *e = &entries[ch_rand_below(&rand, NODES)];
		size_t len = strlen(e->key);
		assert_ptr_equal(ch_map_get(&m, e->key, len), e->inside ? &e->node : NULL);
		if (e->inside)
			ch_map_remove(&m, &e->node);
		else
			assert_int_equal(ch_map_insert(&m, &e->node, e->key, len), 0);
		e->inside = !e->inside;
		if (step % 500 == 0)
			assert_walk_sees_all(&m, entries);
	}
	assert_walk_sees_all(&m, entries);
	ch_map_fini(&m);
}

static void remove_outside(void *arg)
{
	struct ch_rand rand = seeded_rand();
	struct ch_map m;
	struct ch_map_node inside;
	struct ch_map_node outside = {0};
	ch_map_init(&m, &rand);
	(void)!ch_map_insert(&m, &inside, "a", 1);
	ch_map_remove(&m, &outside);
}

static void test_remove_of_a_stranger_aborts(void **state)
{
	assert_true(aborts(remove_outside, NULL));
}

/* Only the first table is needed; a map that can't grow goes on in the one it has. */
static void insert_many(struct torture *t)
{
	struct ch_rand rand = seeded_rand();
	static struct entry entries[NODES];
	struct ch_map m;
	ch_map_init(&m, &rand);
	size_t inserted = 0;
	for (int i = 0; i < NODES; i++) {
		snprintf(entries[i].key, sizeof(entries[i].key), "key%d", i);
		int rc = ch_map_insert(&m, &entries[i].node, entries[i].key, strlen(entries[i].key));
		entries[i].inside = rc == 0;
		inserted += rc == 0;
		assert_int_equal(rc, i == 0 && t->failed ? CH_ENOMEM : 0);
		assert_int_equal(m.len, inserted);
	}
	assert_walk_sees_all(&m, entries);
	ch_map_fini(&m);
}

static void test_torture(void **state)
{
	assert_true(torture_run(insert_many) >= 5);
}

int run_map(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_siphash),
			cmocka_unit_test(test_keys_are_bytes),
			cmocka_unit_test(test_random_moves_against_flags),
			cmocka_unit_test(test_remove_of_a_stranger_aborts),
			cmocka_unit_test(test_torture),
	};
	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
