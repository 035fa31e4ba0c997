#include "test_policy.h"

#include "base/rand.h"
#include "policy/window.h"

#define BUSY 1000 /* so much traffic that it never stops the growth */

static struct window window_of(int size)
{
	struct window w;
	window_init(&w, WINDOW_LIMIT_MAX);
	w.size = size;
	return w;
}

static void starts_at_4_or_at_a_lower_limit(void **state)
{
	static const struct {
		int limit, size;
	} rows[] = {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 4}, {32, 4}, {512, 4}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct window w;
		window_init(&w, rows[i].limit);
		assert_int_equal(w.limit, rows[i].limit);
		assert_int_equal(w.size, rows[i].size);
	}
}

static void answers_win_one_after_as_many_as_it_is_large(void **state)
{
	static const struct {
		int size, answers, want;
	} rows[] = {{5, 4, 5}, {5, 5, 6}, {5, 34, 9}, {5, 35, 10}, {5, 179, 19}, {5, 180, 20}, {1, 1, 2},
			{1, 3, 3}, {9, 8, 9}, {9, 9, 10}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct window w = window_of(rows[i].size);
		for (int n = 0; n < rows[i].answers; n++)
			window_note_answer(&w, BUSY);
		assert_int_equal(w.size, rows[i].want);
	}
}

static void rounding_costs_no_answer_at_any_size(void **state)
{
	for (int size = 1; size < WINDOW_LIMIT_MAX; size++) {
		struct window w = window_of(size);
		for (int n = 1; n < size; n++)
			window_note_answer(&w, BUSY);
		assert_int_equal(w.size, size);
		window_note_answer(&w, BUSY);
		assert_int_equal(w.size, size + 1);
	}
}

static void a_failure_at_10_is_won_back_by_nine_answers(void **state)
{
	struct window w = window_of(10);
	window_note_failure(&w);
	assert_int_equal(w.size, 9);
	for (int n = 0; n < 8; n++)
		window_note_answer(&w, BUSY);
	assert_int_equal(w.size, 9);
	window_note_answer(&w, BUSY);
	assert_int_equal(w.size, 10);
}

static void further_failures_take_one_for_a_whole_window(void **state)
{
	/* From 10: one at once, then nine take the next, eight more the one after. */
	static const struct {
		int failures, want;
	} rows[] = {{1, 9}, {9, 9}, {10, 8}, {17, 8}, {18, 7}, {24, 7}, {25, 6}, {1000, 1}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct window w = window_of(10);
		for (int n = 0; n < rows[i].failures; n++)
			window_note_failure(&w);
		assert_int_equal(w.size, rows[i].want);
	}
}

static void rounding_costs_no_failure_at_any_size(void **state)
{
	for (int size = 3; size <= WINDOW_LIMIT_MAX; size++) {
		struct window w = window_of(size);
		for (int n = 0; n < size - 1; n++)
			window_note_failure(&w);
		assert_int_equal(w.size, size - 1);
		window_note_failure(&w);
		assert_int_equal(w.size, size - 2);
	}
}

static void a_window_of_1_stays_and_grows_with_the_first_answer(void **state)
{
	struct window w = window_of(1);
	for (int n = 0; n < 10; n++)
		window_note_failure(&w);
	assert_int_equal(w.size, 1);
	window_note_answer(&w, 1);
	assert_int_equal(w.size, 2);
}

static void a_shrunken_window_forgets_its_credit(void **state)
{
	struct window w = window_of(10);
	for (int n = 0; n < 9; n++)
		window_note_answer(&w, BUSY);
	window_note_failure(&w);
	for (int n = 0; n < 8; n++)
		window_note_answer(&w, BUSY);
	assert_int_equal(w.size, 9);
	window_note_answer(&w, BUSY);
	assert_int_equal(w.size, 10);
}

static void after_growth_a_failure_takes_one_at_once_again(void **state)
{
	struct window w = window_of(10);
	window_note_failure(&w);
	for (int n = 0; n < 9; n++)
		window_note_answer(&w, BUSY);
	assert_int_equal(w.size, 10);
	window_note_failure(&w);
	assert_int_equal(w.size, 9);
}

static void as_many_failures_as_answers_keep_it_where_it_is(void **state)
{
	struct window w = window_of(10);
	for (int n = 0; n < 1000; n++) {
		window_note_failure(&w);
		assert_in_range(w.size, 9, 10);
		window_note_answer(&w, BUSY);
		assert_in_range(w.size, 9, 10);
	}
}

static void growth_stops_4_above_what_is_busy(void **state)
{
	for (int busy = 1; busy <= 40; busy++) {
		struct window w = window_of(4);
		for (int n = 0; n < 5000; n++)
			window_note_answer(&w, busy);
		assert_int_equal(w.size, busy + WINDOW_MARGIN);
	}
}

static void an_idle_lane_banks_no_credit(void **state)
{
	struct window w = window_of(5);
	for (int n = 0; n < 100; n++)
		window_note_answer(&w, 1);
	for (int n = 0; n < 4; n++)
		window_note_answer(&w, BUSY);
	assert_int_equal(w.size, 5);
	window_note_answer(&w, BUSY);
	assert_int_equal(w.size, 6);
}

static void growth_stops_at_the_limit(void **state)
{
	static const int limits[] = {1, 2, 4, 5, 32, 512};
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct window w;
		window_init(&w, limits[i]);
		for (int n = 0; n < 200000; n++)
			window_note_answer(&w, BUSY);
		assert_int_equal(w.size, limits[i]);
	}
}

static void a_lower_limit_pulls_it_down_and_a_higher_one_does_not_push(void **state)
{
	struct window w = window_of(20);
	window_set_limit(&w, 30);
	assert_int_equal(w.size, 20);
	window_set_limit(&w, 7);
	assert_int_equal(w.size, 7);
	window_set_limit(&w, 512);
	assert_int_equal(w.limit, 512);
	assert_int_equal(w.size, 7);
	for (int n = 0; n < 7; n++)
		window_note_answer(&w, BUSY);
	assert_int_equal(w.size, 8);
}

static void credit_does_not_outlive_a_lower_limit(void **state)
{
	struct window w = window_of(8);
	for (int n = 0; n < 7; n++)
		window_note_answer(&w, BUSY);
	window_set_limit(&w, 8);
	window_set_limit(&w, 512);
	window_note_answer(&w, BUSY);
	assert_int_equal(w.size, 8);
}

/* Anything may happen in any order: 1 <= size <= limit, steps of one, credit inside its bounds. */
static void random_sequences_keep_the_invariant(void **state)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct ch_rand_seeded seeded;
		struct window w;
		ch_rand_seeded_init(&seeded, seed);
		struct ch_rand rand = ch_rand_seeded_of(&seeded);
		uint64_t failing = ch_rand_below(&rand, 100);
		window_init(&w, 1 + (int)ch_rand_below(&rand, WINDOW_LIMIT_MAX));
		for (int n = 0; n < 5000; n++) {
			int before = w.size, busy = 1 + (int)ch_rand_below(&rand, 600);
			uint64_t what = ch_rand_below(&rand, 100);
			if (ch_rand_below(&rand, 500) == 0)
				window_set_limit(&w, 1 + (int)ch_rand_below(&rand, WINDOW_LIMIT_MAX));
			else if (what < failing)
				window_note_failure(&w);
			else
				window_note_answer(&w, busy);
			if (w.size < 1 || w.size > w.limit || w.size > before + 1 || w.gained < 0 ||
					w.gained >= 1 || w.spent < 0 || w.spent > 1)
				fail_msg("seed %d, step %d: size %d of %d, gained %f, spent %f", (int)seed, n,
						w.size, w.limit, w.gained, w.spent);
			if (w.size > before && w.size > busy + WINDOW_MARGIN)
				fail_msg("seed %d, step %d: grew to %d, busy %d", (int)seed, n, w.size, busy);
		}
	}
}

int window_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(starts_at_4_or_at_a_lower_limit),
			cmocka_unit_test(answers_win_one_after_as_many_as_it_is_large),
			cmocka_unit_test(rounding_costs_no_answer_at_any_size),
			cmocka_unit_test(a_failure_at_10_is_won_back_by_nine_answers),
			cmocka_unit_test(further_failures_take_one_for_a_whole_window),
			cmocka_unit_test(rounding_costs_no_failure_at_any_size),
			cmocka_unit_test(a_window_of_1_stays_and_grows_with_the_first_answer),
			cmocka_unit_test(a_shrunken_window_forgets_its_credit),
			cmocka_unit_test(after_growth_a_failure_takes_one_at_once_again),
			cmocka_unit_test(as_many_failures_as_answers_keep_it_where_it_is),
			cmocka_unit_test(growth_stops_4_above_what_is_busy),
			cmocka_unit_test(an_idle_lane_banks_no_credit),
			cmocka_unit_test(growth_stops_at_the_limit),
			cmocka_unit_test(a_lower_limit_pulls_it_down_and_a_higher_one_does_not_push),
			cmocka_unit_test(credit_does_not_outlive_a_lower_limit),
			cmocka_unit_test(random_sequences_keep_the_invariant),
	};
	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
