#include "test_base.h"

#include <string.h>

#include "base/rand.h"

static void test_system_fills_all(void **state)
{
	struct ch_rand r = ch_rand_system();
	uint8_t seen[64] = {0};
	uint8_t bytes[66] = {0};
	for (int round = 0; round < 40; round++) {
		ch_rand_fill(&r, bytes + 1, 64);
		for (int i = 0; i < 64; i++)
			seen[i] |= bytes[i + 1];
	}
	assert_int_equal(bytes[0], 0);
	assert_int_equal(bytes[65], 0);
	for (int i = 0; i < 64; i++)
		assert_true(seen[i] != 0);
	ch_rand_fill(&r, NULL, 0);
}

/* The first words of xoshiro256** from the state 1, 2, 3, 4. */
static void test_seeded_is_xoshiro(void **state)
{
	struct ch_rand_seeded s = {.s = {1, 2, 3, 4}};
	struct ch_rand r = ch_rand_seeded_of(&s);
	assert_true(ch_rand_u64(&r) == 11520);
	assert_true(ch_rand_u64(&r) == 0);
	assert_true(ch_rand_u64(&r) == 1509978240);
	assert_true(ch_rand_u64(&r) == 1215971899390074240);
}

static void test_seed_repeats(void **state)
{
	struct ch_rand_seeded a;
	struct ch_rand_seeded b;
	ch_rand_seeded_init(&a, 0);
	assert_true(a.s[0] == 0xE220A8397B1DCDAF);
	ch_rand_seeded_init(&a, 42);
	ch_rand_seeded_init(&b, 42);
	struct ch_rand ra = ch_rand_seeded_of(&a);
	struct ch_rand rb = ch_rand_seeded_of(&b);
	uint8_t x[13];
	uint8_t y[13];
	ch_rand_fill(&ra, x, sizeof(x));
	ch_rand_fill(&rb, y, sizeof(y));
	assert_memory_equal(x, y, sizeof(x));
	ch_rand_seeded_init(&b, 43);
	ch_rand_fill(&rb, y, sizeof(y));
	assert_memory_not_equal(x, y, sizeof(x));
}

struct counted_source {
	struct ch_rand_seeded seeded;
	int fills;
};

static void counted_fill(void *ctx, void *out, size_t len)
{
	struct counted_source *s = ctx;
	struct ch_rand r = ch_rand_seeded_of(&s->seeded);
	s->fills++;
	ch_rand_fill(&r, out, len);
}

/* Every byte comes once, in order, and small ones share a fetch. */
static void test_stock_gives_the_bytes_of_its_source(void **state)
{
	struct counted_source a = {.fills = 0}, b = {.fills = 0};
	struct ch_rand_stock stock;
	uint8_t got[256], want[256], large[300];
	ch_rand_seeded_init(&a.seeded, 7);
	ch_rand_seeded_init(&b.seeded, 7);
	ch_rand_stock_init(&stock, (struct ch_rand){.fill = counted_fill, .ctx = &a});
	struct ch_rand r = ch_rand_stock_of(&stock);
	counted_fill(&b, want, sizeof(want));
	for (size_t i = 0; i < sizeof(got); i += 8)
		ch_rand_fill(&r, got + i, 8);
	assert_int_equal(a.fills, 1);
	assert_memory_equal(got, want, sizeof(got));
	ch_rand_fill(&r, got, 250);
	counted_fill(&b, want, sizeof(want));
	assert_memory_equal(got, want, 250);
	/* What is left does not do for nine: they come whole from the next piece. */
	ch_rand_fill(&r, got, 9);
	counted_fill(&b, want, sizeof(want));
	assert_memory_equal(got, want, 9);
	ch_rand_fill(&r, large, sizeof(large));
	assert_int_equal(a.fills, 4);
}

static void test_below_reaches_all_and_no_more(void **state)
{
	struct ch_rand_seeded s;
	ch_rand_seeded_init(&s, 1);
	struct ch_rand r = ch_rand_seeded_of(&s);
	int counts[7] = {0};
	for (int i = 0; i < 70000; i++) {
		uint64_t x = ch_rand_below(&r, 7);
		assert_true(x < 7);
		counts[x]++;
	}
	for (int i = 0; i < 7; i++)
		assert_in_range(counts[i], 9600, 10400);
	assert_int_equal(ch_rand_below(&r, 1), 0);
}

/* With n just over half of the range, a plain remainder would draw the low half twice as often. */
static void test_below_is_unbiased(void **state)
{
	struct ch_rand_seeded s;
	ch_rand_seeded_init(&s, 2);
	struct ch_rand r = ch_rand_seeded_of(&s);
	const uint64_t n = 0xC000000000000000;
	int low = 0;
	for (int i = 0; i < 30000; i++)
		low += ch_rand_below(&r, n) < n / 3;
	assert_in_range(low, 9600, 10400);
}

static void below_zero(void *arg)
{
	(void)ch_rand_below(arg, 0);
}

static void test_below_zero_is_a_bug(void **state)
{
	struct ch_rand r = ch_rand_system();
	assert_true(aborts(below_zero, &r));
}

static void fill_ones(void *ctx, void *out, size_t len)
{
	memset(out, 0xFF, len);
}

static void fill_zeros(void *ctx, void *out, size_t len)
{
	memset(out, 0, len);
}

static void test_unit_stays_below_one(void **state)
{
	const struct ch_rand ones = {.fill = fill_ones};
	const struct ch_rand zeros = {.fill = fill_zeros};
	assert_true(ch_rand_unit(&ones) < 1.0);
	assert_true(ch_rand_unit(&ones) > 0.999999);
	assert_true(ch_rand_unit(&zeros) == 0.0);
}

int run_rand(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_system_fills_all),
			cmocka_unit_test(test_seeded_is_xoshiro),
			cmocka_unit_test(test_seed_repeats),
			cmocka_unit_test(test_stock_gives_the_bytes_of_its_source),
			cmocka_unit_test(test_below_reaches_all_and_no_more),
			cmocka_unit_test(test_below_is_unbiased),
			cmocka_unit_test(test_below_zero_is_a_bug),
			cmocka_unit_test(test_unit_stays_below_one),
	};
	return cmocka_run_group_tests_name("rand", tests, NULL, NULL);
}
