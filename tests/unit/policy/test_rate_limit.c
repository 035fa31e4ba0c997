#include "test_policy.h"

#include <limits.h>

#include "base/rand.h"
#include "policy/rate_limit.h"

#define LOG_MAX 200000

/* Every attempt that went, as plainly as can be. */
static int64_t taken[LOG_MAX];
static int taken_count;

static struct rate_limit limit_of(int count, int seconds)
{
	struct rate_limit r;
	rate_limit_init(&r);
	rate_limit_set(&r, count, seconds);
	taken_count = 0;
	return r;
}

static void take(struct rate_limit *r, int64_t now)
{
	assert_true(taken_count < LOG_MAX);
	taken[taken_count++] = now;
	rate_limit_take(r, now);
}

/* How many went in the stretch of `seconds` that ends after now. */
static int recent(int seconds, int64_t now)
{
	int n = 0;
	while (n < taken_count && taken[taken_count - 1 - n] > now - (int64_t)seconds * 1000)
		n++;
	return n;
}

/* The wait is a slot longer than the length at most, and a rounded ms. */
static int64_t longest_wait_ms(int seconds)
{
	return ((int64_t)seconds * 1000 * (RATE_LIMIT_SLOTS + 1) + RATE_LIMIT_SLOTS - 1) / RATE_LIMIT_SLOTS;
}

/* next_ms says the first moment, before it every ms is refused; returns it. */
static int64_t next_checked(const struct rate_limit *r, int64_t now)
{
	int64_t next = rate_limit_next_ms(r, now);
	if (next <= now)
		return now;
	assert_true(next - now <= longest_wait_ms(r->seconds));
	assert_int_equal(rate_limit_next_ms(r, next), next);
	assert_int_equal(rate_limit_next_ms(r, next - 1), next);
	return next;
}

static void without_a_limit_all_may_go(void **state)
{
	struct rate_limit r;
	rate_limit_init(&r);
	for (int i = 0; i < 1000; i++) {
		assert_true(rate_limit_next_ms(&r, i / 10) <= i / 10);
		rate_limit_take(&r, i / 10);
	}
	rate_limit_set(&r, 0, 0);
	assert_true(rate_limit_next_ms(&r, 100) <= 100);
}

static void a_burst_goes_at_once_and_the_next_waits_17_slots(void **state)
{
	static const struct {
		int count, seconds;
		int64_t at, next;
	} rows[] = {
			{1, 1, 0, 1063}, /* 17 slots of 62.5 ms are 1062.5 */
			{1, 1, 62, 1063}, /* the same slot's last ms */
			{1, 1, 63, 1125}, /* the second slot begins at 62.5 */
			{10, 1, 1000000, 1001063},
			{3, 16, 0, 17000},
			{3, 16, 999, 17000},
			{3, 16, 1000, 18000},
			{100000, 60, 3750, 67500},
			{5, 3600, 225000, 225000 * 18},
			{5, 3600, 449999, 225000 * 18},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rate_limit r = limit_of(rows[i].count, rows[i].seconds);
		for (int n = 0; n < rows[i].count; n++) {
			assert_true(rate_limit_next_ms(&r, rows[i].at) <= rows[i].at);
			rate_limit_take(&r, rows[i].at);
		}
		assert_int_equal(rate_limit_next_ms(&r, rows[i].at), rows[i].next);
		assert_int_equal(next_checked(&r, rows[i].at), rows[i].next);
	}
}

/* Fixed windows would let twice the count go around a boundary. */
static void a_burst_at_a_boundary_counts_on_both_sides(void **state)
{
	struct rate_limit r = limit_of(10, 16);
	for (int n = 0; n < 5; n++)
		take(&r, 15999);
	for (int n = 0; n < 5; n++)
		take(&r, 16000);
	assert_int_equal(next_checked(&r, 16000), 32000);
	for (int n = 0; n < 5; n++) {
		assert_true(rate_limit_next_ms(&r, 32000) <= 32000);
		take(&r, 32000);
	}
	assert_int_equal(next_checked(&r, 32000), 33000);
}

static void an_idle_gap_frees_the_whole_burst(void **state)
{
	static const int64_t gaps[] = {17000, 17001, 33999, 34000, 1000000, (int64_t)1 << 40};
	for (size_t i = 0; i < ARRAY_LEN(gaps); i++) {
		struct rate_limit r = limit_of(7, 16);
		for (int n = 0; n < 7; n++)
			take(&r, 0);
		for (int n = 0; n < 7; n++) {
			assert_true(rate_limit_next_ms(&r, gaps[i]) <= gaps[i]);
			take(&r, gaps[i]);
		}
		assert_true(rate_limit_next_ms(&r, gaps[i]) > gaps[i]);
	}
}

static void another_count_keeps_what_was_used(void **state)
{
	struct rate_limit r = limit_of(10, 16);
	for (int n = 0; n < 10; n++)
		take(&r, n * 1000);
	rate_limit_set(&r, 11, 16);
	assert_int_equal(next_checked(&r, 9000), 9000);
	rate_limit_set(&r, 4, 16);
	/* Seven of the ten must be out of sight: the slots 0 to 6. */
	assert_int_equal(next_checked(&r, 9000), 23000);
	rate_limit_set(&r, 0, 0);
	assert_int_equal(next_checked(&r, 9000), 9000);
	take(&r, 9000);
	rate_limit_set(&r, 11, 16);
	assert_int_equal(next_checked(&r, 9000), 17000);
}

static void another_length_begins_anew(void **state)
{
	struct rate_limit r = limit_of(3, 16);
	for (int n = 0; n < 3; n++)
		take(&r, 5000);
	rate_limit_set(&r, 3, 17);
	assert_int_equal(next_checked(&r, 5000), 5000);
}

static void what_goes_unasked_counts_too(void **state)
{
	struct rate_limit r = limit_of(2, 16);
	for (int n = 0; n < 5; n++)
		take(&r, 0);
	take(&r, 3000);
	assert_int_equal(next_checked(&r, 3000), 17000);
	take(&r, 17000);
	assert_int_equal(next_checked(&r, 17000), 20000);
}

static void more_than_a_number_holds_still_waits(void **state)
{
	struct rate_limit r = limit_of(100000, 16);
	rate_limit_take(&r, 0);
	r.used[0] = INT_MAX;
	rate_limit_take(&r, 1);
	rate_limit_take(&r, 1000);
	assert_int_equal(rate_limit_next_ms(&r, 1000), 17000);
}

/* Two readings of one turn of the loop may lie on both sides of a boundary. */
static void a_stale_time_counts_for_the_newest_slot(void **state)
{
	struct rate_limit r = limit_of(2, 16);
	take(&r, 1000);
	assert_int_equal(rate_limit_next_ms(&r, 999), 999);
	take(&r, 999);
	assert_int_equal(rate_limit_next_ms(&r, 999), 18000);
	assert_int_equal(rate_limit_next_ms(&r, 1000), 18000);
}

struct course {
	struct ch_rand rand;
	struct rate_limit r;
	int64_t now;
};

static void step_time(struct course *c)
{
	int64_t slot_ms = (int64_t)c->r.seconds * 1000 / RATE_LIMIT_SLOTS;
	switch (ch_rand_below(&c->rand, 8)) {
	case 0: /* to a boundary, or one ms beside it */
		c->now += slot_ms - c->now % slot_ms + (int64_t)ch_rand_below(&c->rand, 3) - 1;
		break;
	case 1:
		c->now += (int64_t)ch_rand_below(&c->rand, (uint64_t)c->r.seconds * 3000);
		break;
	case 2:
		c->now = next_checked(&c->r, c->now);
		break;
	case 3:
	case 4:
		c->now += (int64_t)ch_rand_below(&c->rand, (uint64_t)slot_ms);
		break;
	default:
		break;
	}
}

static void step_limit(struct course *c)
{
	int count = 1 + (int)ch_rand_below(&c->rand, 40), seconds = c->r.seconds;
	if (ch_rand_below(&c->rand, 3) == 0)
		seconds = 1 + (int)ch_rand_below(&c->rand, ch_rand_below(&c->rand, 2) ? 5 : 3600);
	if (seconds != c->r.seconds)
		taken_count = 0;
	rate_limit_set(&c->r, count, seconds);
}

static void random_courses_never_exceed_the_limit(void **state)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct ch_rand_seeded seeded;
		struct course c = {.r = limit_of(5, 1)};
		ch_rand_seeded_init(&seeded, seed);
		c.rand = ch_rand_seeded_of(&seeded);
		c.now = (int64_t)ch_rand_below(&c.rand, 100000);
		int went = 0;
		for (int n = 0; n < 3000; n++) {
			if (ch_rand_below(&c.rand, 200) == 0)
				step_limit(&c);
			step_time(&c);
			if (next_checked(&c.r, c.now) > c.now)
				continue;
			take(&c.r, c.now);
			went++;
			if (recent(c.r.seconds, c.now) > c.r.count)
				fail_msg("seed %d, step %d: %d in %d s, not %d", (int)seed, n,
						recent(c.r.seconds, c.now), c.r.seconds, c.r.count);
		}
		assert_true(went > 300);
	}
}

static void a_sustained_load_gets_16_of_17(void **state)
{
	static const struct {
		int count, seconds;
	} rows[] = {{1, 1}, {3, 1}, {10, 1}, {100, 7}, {16, 16}, {1000, 60}, {5, 3600}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rate_limit r = limit_of(rows[i].count, rows[i].seconds);
		int64_t rounds = 40, period = longest_wait_ms(rows[i].seconds), begin = 12345, now = begin;
		while (now < begin + rounds * period) {
			take(&r, now);
			assert_true(recent(rows[i].seconds, now) <= rows[i].count);
			now = next_checked(&r, now);
		}
		/* The round that has only begun, and half a ms of rounding in each. */
		assert_true(taken_count >= (rounds - 1) * rows[i].count);
	}
}

/* Asked every ms instead of told, with a burst wherever it begins. */
static void polling_each_ms_finds_the_same_moments(void **state)
{
	for (int64_t begin = 0; begin < 200; begin += 7) {
		struct rate_limit told = limit_of(4, 1), asked = told;
		int64_t now = begin;
		for (int64_t ms = begin; ms < begin + 5000; ms++) {
			while (rate_limit_next_ms(&asked, ms) <= ms) {
				assert_int_equal(now, ms);
				rate_limit_take(&asked, ms);
				take(&told, now);
				now = next_checked(&told, now);
			}
		}
		assert_in_range(taken_count, 16, 20);
	}
}

int rate_limit_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(without_a_limit_all_may_go),
			cmocka_unit_test(a_burst_goes_at_once_and_the_next_waits_17_slots),
			cmocka_unit_test(a_burst_at_a_boundary_counts_on_both_sides),
			cmocka_unit_test(an_idle_gap_frees_the_whole_burst),
			cmocka_unit_test(another_count_keeps_what_was_used),
			cmocka_unit_test(another_length_begins_anew),
			cmocka_unit_test(what_goes_unasked_counts_too),
			cmocka_unit_test(more_than_a_number_holds_still_waits),
			cmocka_unit_test(a_stale_time_counts_for_the_newest_slot),
			cmocka_unit_test(random_courses_never_exceed_the_limit),
			cmocka_unit_test(a_sustained_load_gets_16_of_17),
			cmocka_unit_test(polling_each_ms_finds_the_same_moments),
	};
	return cmocka_run_group_tests_name("rate_limit", tests, NULL, NULL);
}
