#include "test_base.h"

#include "base/err.h"
#include "base/heap.h"
#include "base/rand.h"

#define NODES 300

static void check(const struct ch_heap *h)
{
	for (size_t i = 0; i < h->len; i++) {
		assert_int_equal(h->nodes[i]->at, i + 1);
		if (i > 0)
			assert_true(h->nodes[(i - 1) / 2]->key <= h->nodes[i]->key);
	}
}

static void test_comes_out_sorted(void **state)
{
	static const int64_t keys[] = {5, INT64_MAX, -3, 5, 0, INT64_MIN, 7, 5};
	struct ch_heap_node nodes[ARRAY_LEN(keys)] = {0};
	struct ch_heap h;
	ch_heap_init(&h);
	assert_null(ch_heap_min(&h));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_int_equal(ch_heap_push(&h, &nodes[i], keys[i]), 0);
	int64_t last = INT64_MIN;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct ch_heap_node *n = ch_heap_min(&h);
		assert_true(n->key >= last);
		last = n->key;
		ch_heap_remove(&h, n);
		assert_false(ch_heap_has(n));
		ch_heap_remove(&h, n);
		check(&h);
	}
	assert_null(ch_heap_min(&h));
	ch_heap_fini(&h);
}

static int64_t least_inside(const struct ch_heap_node *nodes)
{
	int64_t least = INT64_MAX;
	for (int i = 0; i < NODES; i++)
		if (ch_heap_has(&nodes[i]) && nodes[i].key < least)
			least = nodes[i].key;
	return least;
}

static void test_random_moves_against_a_scan(void **state)
{
	struct ch_rand_seeded seeded;
	ch_rand_seeded_init(&seeded, 7);
	struct ch_rand rand = ch_rand_seeded_of(&seeded);
	struct ch_heap_node nodes[NODES] = {0};
	struct ch_heap h;
	ch_heap_init(&h);
	for (int step = 0; step < 20000; step++) {
		struct ch_heap_node *n = &nodes[ch_rand_below(&rand, NODES)];
		int64_t key = (int64_t)ch_rand_below(&rand, 50) - 25;
		if (!ch_heap_has(n))
			assert_int_equal(ch_heap_push(&h, n, key), 0);
		else if (ch_rand_below(&rand, 2))
			ch_heap_rekey(&h, n, key);
		else
			ch_heap_remove(&h, n);
		if (step % 16 == 0)
			check(&h);
		if (h.len)
			assert_int_equal(ch_heap_min(&h)->key, least_inside(nodes));
	}
	ch_heap_fini(&h);
}

static void push_twice(void *arg)
{
	struct ch_heap h;
	struct ch_heap_node n = {0};
	ch_heap_init(&h);
	(void)!ch_heap_push(&h, &n, 1);
	(void)!ch_heap_push(&h, &n, 2);
}

static void rekey_outside(void *arg)
{
	struct ch_heap h;
	struct ch_heap_node n = {0};
	ch_heap_init(&h);
	ch_heap_rekey(&h, &n, 1);
}

static void test_misuse_aborts(void **state)
{
	assert_true(aborts(push_twice, NULL));
	assert_true(aborts(rekey_outside, NULL));
}

static void push_many(struct torture *t)
{
	struct ch_heap_node nodes[NODES] = {0};
	struct ch_heap h;
	ch_heap_init(&h);
	size_t pushed = 0;
	for (int i = 0; i < NODES; i++) {
		bool failed_before = t->failed;
		int rc = ch_heap_push(&h, &nodes[i], NODES - i);
		pushed += rc == 0;
		assert_int_equal(rc, t->failed && !failed_before ? CH_ENOMEM : 0);
		assert_int_equal(ch_heap_has(&nodes[i]), rc == 0);
		assert_int_equal(h.len, pushed);
	}
	check(&h);
	ch_heap_fini(&h);
}

static void test_torture(void **state)
{
	assert_true(torture_run(push_many) >= 5);
}

int run_heap(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_comes_out_sorted),
			cmocka_unit_test(test_random_moves_against_a_scan),
			cmocka_unit_test(test_misuse_aborts),
			cmocka_unit_test(test_torture),
	};
	return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
