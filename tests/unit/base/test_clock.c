#include "test_base.h"

#include <time.h>

#include "base/clock.h"

static void test_system_clock_is_the_systems(void **state)
{
	struct ch_clock c = ch_clock_system();
	struct timespec before;
	struct timespec after;
	clock_gettime(CLOCK_REALTIME, &before);
	int64_t wall_ms = ch_clock_wall(&c).ms;
	clock_gettime(CLOCK_REALTIME, &after);
	assert_in_range(wall_ms, before.tv_sec * 1000 + before.tv_nsec / 1000000,
			after.tv_sec * 1000 + after.tv_nsec / 1000000);
	clock_gettime(CLOCK_MONOTONIC, &before);
	int64_t mono_ms = ch_clock_mono(&c).ms;
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_in_range(mono_ms, before.tv_sec * 1000 + before.tv_nsec / 1000000,
			after.tv_sec * 1000 + after.tv_nsec / 1000000);
}

static void test_virtual_clock_stands_until_moved(void **state)
{
	struct ch_clock_virtual v = {.wall = {1000}, .mono = {5}};
	struct ch_clock c = ch_clock_virtual_of(&v);
	assert_int_equal(ch_clock_wall(&c).ms, 1000);
	assert_int_equal(ch_clock_wall(&c).ms, 1000);
	ch_clock_virtual_advance(&v, 0);
	ch_clock_virtual_advance(&v, 86400000);
	assert_int_equal(ch_clock_wall(&c).ms, 86401000);
	assert_int_equal(ch_clock_mono(&c).ms, 86400005);
}

static void go_back(void *v)
{
	ch_clock_virtual_advance(v, -1);
}

static void test_virtual_clock_never_goes_back(void **state)
{
	struct ch_clock_virtual v = {.wall = {1000}, .mono = {5}};
	assert_true(aborts(go_back, &v));
}

int run_clock(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_system_clock_is_the_systems),
			cmocka_unit_test(test_virtual_clock_stands_until_moved),
			cmocka_unit_test(test_virtual_clock_never_goes_back),
	};
	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
