#include "test_policy.h"

#include "policy/backlog.h"

static void columns_double_from_a_minute(void **state)
{
	assert_int_equal(backlog_bound_s(0), 60);
	for (size_t i = 1; i < BACKLOG_AGES - 1; i++)
		assert_int_equal(backlog_bound_s(i), 2 * backlog_bound_s(i - 1));
	assert_int_equal(backlog_bound_s(BACKLOG_AGES - 1), -1);
}

static void an_age_is_below_its_bound_and_not_below_the_one_before(void **state)
{
	static const struct {
		int64_t age_ms;
		size_t want;
	} rows[] = {
			{INT64_MIN, 0},
			{-1, 0},
			{0, 0},
			{59999, 0},
			{60000, 1},
			{119999, 1},
			{120000, 2},
			{INT64_C(245760000) - 1, 12},
			{245760000, 13},
			{INT64_MAX, 13},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(backlog_age_of(rows[i].age_ms), rows[i].want);
}

int backlog_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(columns_double_from_a_minute),
			cmocka_unit_test(an_age_is_below_its_bound_and_not_below_the_one_before),
	};
	return cmocka_run_group_tests_name("backlog", tests, NULL, NULL);
}
