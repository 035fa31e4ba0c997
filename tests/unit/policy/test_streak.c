#include "test_policy.h"

#include "policy/streak.h"

#define DAY_MS (INT64_C(86400) * 1000)
#define START_MS 1722350100000

static struct id delivery(unsigned n)
{
	struct id id = {{'d'}};
	id.b[15] = (uint8_t)n;
	return id;
}

/* count failures of deliveries 0..deliveries-1 in turn, evenly from START_MS over span_ms. */
static struct streak streak_of(int count, unsigned deliveries, int64_t span_ms)
{
	struct streak s = {0};
	for (int i = 0; i < count; i++) {
		struct id id = delivery((unsigned)i % deliveries);
		streak_note_failure(&s, &id, START_MS + (count < 2 ? 0 : span_ms * i / (count - 1)));
	}
	return s;
}

static void hopeless_needs_the_days_the_attempts_and_another_delivery(void **state)
{
	static const struct {
		int count;
		unsigned deliveries;
		int64_t span_ms;
		bool want;
	} rows[] = {
			{0, 1, 0, false},
			{1, 1, 5 * DAY_MS, false},
			{10, 2, 5 * DAY_MS, true},
			{10, 10, 5 * DAY_MS, true},
			{9, 2, 5 * DAY_MS, false},
			{10, 1, 5 * DAY_MS, false},
			{1000, 1, 50 * DAY_MS, false},
			{10, 2, 5 * DAY_MS - 1, false},
			{1000, 2, 5 * DAY_MS - 1, false},
			{1000, 2, 50 * DAY_MS, true},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct streak s = streak_of(rows[i].count, rows[i].deliveries, rows[i].span_ms);
		assert_int_equal(s.attempts, rows[i].count);
		assert_int_equal(streak_is_hopeless(&s, START_MS + rows[i].span_ms), rows[i].want);
	}
}

static void a_success_ends_it(void **state)
{
	struct streak s = streak_of(20, 2, 6 * DAY_MS);
	struct id id = delivery(1);
	streak_note_success(&s);
	assert_int_equal(s.since_ms, 0);
	assert_int_equal(s.attempts, 0);
	assert_false(s.has_others);
	assert_false(streak_is_hopeless(&s, START_MS + 6 * DAY_MS));
	streak_note_failure(&s, &id, START_MS + 7 * DAY_MS);
	assert_int_equal(s.since_ms, START_MS + 7 * DAY_MS);
	assert_int_equal(s.attempts, 1);
	assert_memory_equal(&s.delivery, &id, sizeof(id));
}

static void a_clock_that_went_back_makes_it_no_older(void **state)
{
	struct streak s = streak_of(12, 2, DAY_MS);
	struct id id = delivery(3);
	streak_note_failure(&s, &id, START_MS - 10 * DAY_MS);
	assert_int_equal(s.since_ms, START_MS);
	assert_int_equal(s.attempts, 13);
	assert_false(streak_is_hopeless(&s, START_MS - 10 * DAY_MS));
	assert_false(streak_is_hopeless(&s, START_MS + DAY_MS));
	assert_true(streak_is_hopeless(&s, START_MS + 5 * DAY_MS));
}

static void a_clock_at_nothing_still_begins_one(void **state)
{
	static const int64_t times[] = {0, -5, INT64_MIN};
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct streak s = {0};
		struct id id = delivery(1);
		streak_note_failure(&s, &id, times[i]);
		assert_int_equal(s.since_ms, 1);
		assert_int_equal(s.attempts, 1);
		assert_false(streak_is_hopeless(&s, times[i]));
	}
}

int streak_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(hopeless_needs_the_days_the_attempts_and_another_delivery),
			cmocka_unit_test(a_success_ends_it),
			cmocka_unit_test(a_clock_that_went_back_makes_it_no_older),
			cmocka_unit_test(a_clock_at_nothing_still_begins_one),
	};
	return cmocka_run_group_tests_name("streak", tests, NULL, NULL);
}
