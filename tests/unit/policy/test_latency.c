#include "test_policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rand.h"
#include "policy/latency.h"

/* Each value alone: what is read is within 6.25 % of it. */
static void a_value_is_read_within_a_sixteenth(void **state)
{
	struct ch_rand_seeded seeded;
	ch_rand_seeded_init(&seeded, 3);
	struct ch_rand rand = ch_rand_seeded_of(&seeded);
	for (int i = 0; i < 200000; i++) {
		struct latency l = {{0}};
		uint32_t bits = (uint32_t)ch_rand_below(&rand, 32);
		int32_t us = (int32_t)(ch_rand_below(&rand, UINT64_C(1) << 31) >> bits);
		latency_add(&l, us);
		double read = latency_percentile(&l, 50);
		if (us < 16)
			assert_true(read == us);
		else if (fabs(read - us) > us * 0.0625)
			fail_msg("%d is read as %f", us, read);
	}
}

static void the_ends_have_their_buckets(void **state)
{
	struct latency l = {{0}};
	latency_add(&l, 0);
	assert_int_equal(l.counts[0], 1);
	latency_add(&l, INT32_MAX);
	assert_int_equal(l.counts[LATENCY_BUCKETS - 1], 1);
	assert_int_equal(latency_count(&l), 2);
}

static int compare(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
	return (x > y) - (x < y);
}

/* Beside the sorted values themselves: the value at the rank, within the stated error. */
static void percentiles_are_those_of_the_sorted_values(void **state)
{
	static const double percents[] = {0.1, 1, 50, 90, 99, 99.9, 100};
	struct ch_rand_seeded seeded;
	ch_rand_seeded_init(&seeded, 5);
	struct ch_rand rand = ch_rand_seeded_of(&seeded);
	for (int round = 0; round < 50; round++) {
		struct latency l = {{0}};
		int32_t values[1000];
		size_t n = 1 + (size_t)ch_rand_below(&rand, ARRAY_LEN(values));
		for (size_t i = 0; i < n; i++) {
			values[i] = (int32_t)ch_rand_below(&rand, UINT64_C(1) << (8 + round % 20));
			latency_add(&l, values[i]);
		}
		qsort(values, n, sizeof(values[0]), compare);
		for (size_t i = 0; i < ARRAY_LEN(percents); i++) {
			size_t rank = (size_t)ceil((double)n * percents[i] / 100);
			double want = values[rank - 1];
			assert_true(fabs(latency_percentile(&l, percents[i]) - want) <= want * 0.0625);
		}
	}
}

static void nothing_has_no_percentile(void **state)
{
	struct latency l = {{0}};
	assert_true(latency_percentile(&l, 50) < 0);
	assert_int_equal(latency_count(&l), 0);
}

static void packed_and_unpacked_is_the_same(void **state)
{
	struct ch_rand_seeded seeded;
	ch_rand_seeded_init(&seeded, 7);
	struct ch_rand rand = ch_rand_seeded_of(&seeded);
	for (int round = 0; round < 300; round++) {
		struct latency l = {{0}}, twice = {{0}}, read = {{0}};
		uint8_t packed[LATENCY_PACKED_MAX];
		for (int i = 0; i < round; i++)
			latency_add(&l, (int32_t)ch_rand_below(&rand, UINT64_C(1) << (round % 31)));
		if (round % 3 == 0)
			l.counts[(size_t)round % LATENCY_BUCKETS] = UINT64_C(1) << 40;
		size_t len = latency_pack(&l, packed);
		assert_int_equal(latency_unpack(packed, len, &read), 0);
		assert_memory_equal(&read, &l, sizeof(l));
		assert_int_equal(latency_unpack(packed, len, &read), 0);
		latency_merge(&twice, &l);
		latency_merge(&twice, &l);
		assert_memory_equal(&read, &twice, sizeof(l));
	}
}

/* A quiet minute takes a few bytes, the worst fits the room. */
static void packed_is_short(void **state)
{
	struct latency l = {{0}};
	uint8_t packed[LATENCY_PACKED_MAX];
	assert_int_equal(latency_pack(&l, packed), 0);
	for (int i = 0; i < 60; i++)
		latency_add(&l, 20000 + i * 100);
	assert_true(latency_pack(&l, packed) <= 16);
	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		l.counts[i] = INT64_MAX;
	assert_true(latency_pack(&l, packed) <= LATENCY_PACKED_MAX);
}

static void what_cant_be_read_adds_nothing(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
			{"\x01", 1}, /* no count */
			{"\x01\x00", 2}, /* a count of nothing */
			{"\x01\x80", 2}, /* the count has no end */
			{"\xe8\x01\x05", 3}, /* bucket 232 */
			{"\x01\x05\xe6\x01\x05", 5}, /* bucket 232 in two steps */
			{"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, /* more than 63 bits */
			{"\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01", 10},
	};
	struct latency none = {{0}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct latency l = {{0}};
		assert_int_equal(
				latency_unpack((const uint8_t *)rows[i].bytes, rows[i].len, &l), CH_EDAMAGED);
		assert_memory_equal(&l, &none, sizeof(l));
	}
}

int latency_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_value_is_read_within_a_sixteenth),
			cmocka_unit_test(the_ends_have_their_buckets),
			cmocka_unit_test(percentiles_are_those_of_the_sorted_values),
			cmocka_unit_test(nothing_has_no_percentile),
			cmocka_unit_test(packed_and_unpacked_is_the_same),
			cmocka_unit_test(packed_is_short),
			cmocka_unit_test(what_cant_be_read_adds_nothing),
	};
	return cmocka_run_group_tests_name("latency", tests, NULL, NULL);
}
