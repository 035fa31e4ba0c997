#include "test_base.h"

#include "base/assert.h"

static void assert_it(void *holds)
{
	CH_ASSERT(*(bool *)holds);
}

static void reach(void *arg)
{
	CH_UNREACHABLE();
}

static void test_only_a_broken_one_aborts(void **state)
{
	bool yes = true;
	bool no = false;
	assert_false(aborts(assert_it, &yes));
	assert_true(aborts(assert_it, &no));
	assert_true(aborts(reach, NULL));
}

static void test_condition_is_read_once(void **state)
{
	int reads = 0;
	CH_ASSERT(++reads);
	assert_int_equal(reads, 1);
}

int run_assert(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_only_a_broken_one_aborts),
			cmocka_unit_test(test_condition_is_read_once),
	};
	return cmocka_run_group_tests_name("assert", tests, NULL, NULL);
}
