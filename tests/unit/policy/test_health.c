#include "test_policy.h"

#include <limits.h>

#include "policy/health.h"
#include "policy/window.h"

static struct id delivery_of(int n)
{
	return (struct id){{(uint8_t)n, (uint8_t)(n >> 8)}};
}

/* n failures in a window that does not change, at deliveries of which `different` are different. */
static struct health failed(int n, int window, int different)
{
	struct health h;
	health_init(&h);
	for (int i = 0; i < n; i++) {
		struct id d = delivery_of(i % different);
		health_note_failure(&h, window, &d);
	}
	return h;
}

static void dead_needs_failures_cohorts_and_deliveries(void **state)
{
	static const struct {
		int failures, window, different;
		int64_t pending;
		bool is_dead;
	} rows[] = {
			{4, 1, 3, 100, false}, /* 4 cohorts, but a failure short */
			{5, 1, 3, 100, true},
			{5, 2, 3, 100, false}, /* 2.5 cohorts */
			{6, 2, 3, 100, true},
			{8, 3, 3, 100, false},
			{9, 3, 3, 100, true}, /* 9 times 1/3 */
			{29, 10, 3, 100, false},
			{30, 10, 3, 100, true}, /* adds up to less than 3 */
			{146, 49, 3, 100, false},
			{147, 49, 3, 100, true},
			{1535, 512, 3, 2000, false},
			{1536, 512, 3, 2000, true},
			{50, 1, 2, 3, false}, /* the third was not tried */
			{50, 1, 2, 2, true}, /* there are no others */
			{50, 1, 1, 2, false},
			{50, 1, 1, 1, true},
			{50, 1, 1, 0, true}, /* it was the last and had used up its tries */
			{4, 1, 1, 1, false},
			{50, 1, 50, 1000000, true},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct health h = failed(rows[i].failures, rows[i].window, rows[i].different);
		if (health_is_dead(&h, rows[i].pending) != rows[i].is_dead)
			fail_msg("row %zu: %d failures, %.17g cohorts, %d deliveries", i, h.failures,
					h.cohorts, h.delivery_count);
	}
}

static void three_whole_windows_are_enough_at_any_size(void **state)
{
	for (int window = 2; window <= WINDOW_LIMIT_MAX; window++) {
		struct health h = failed(3 * window - 1, window, 3);
		struct id d = delivery_of(1);
		assert_false(health_is_dead(&h, 1000));
		health_note_failure(&h, window, &d);
		assert_true(health_is_dead(&h, 1000));
	}
}

static void cohorts_with_a_shrinking_window_follow_the_vectors(void **state)
{
	static const struct {
		int size, failures;
	} rows[] = {{1, 3}, {5, 10}, {10, 25}, {20, 55}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct window w;
		struct health h;
		int n = 0;
		window_init(&w, 32);
		w.size = rows[i].size;
		health_init(&h);
		while (h.cohorts < HEALTH_DEAD_COHORTS) {
			struct id d = delivery_of(n++);
			health_note_failure(&h, w.size, &d);
			window_note_failure(&w);
		}
		assert_int_equal(n, rows[i].failures);
		assert_int_equal(h.failures, n);
	}
}

static void an_answer_in_between_begins_anew(void **state)
{
	struct health h = failed(4, 1, 4);
	health_note_answer(&h);
	for (int i = 0; i < 4; i++) {
		struct id d = delivery_of(i);
		health_note_failure(&h, 1, &d);
		assert_false(health_is_dead(&h, 100));
	}
	struct id d = delivery_of(9);
	health_note_failure(&h, 1, &d);
	assert_true(health_is_dead(&h, 100));
	health_note_answer(&h);
	assert_false(health_is_dead(&h, 0));
}

/* Whoever reads them must find different deliveries, wherever the doubles stand in the row. */
static void the_same_delivery_counts_once(void **state)
{
	static const int row[] = {7, 7, 8, 7, 8, 8, 7};
	struct health h;
	struct id d;
	health_init(&h);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		d = delivery_of(row[i]);
		health_note_failure(&h, 1, &d);
	}
	assert_int_equal(h.delivery_count, 2);
	assert_false(health_is_dead(&h, 3));
	d = delivery_of(9);
	health_note_failure(&h, 1, &d);
	assert_int_equal(h.delivery_count, 3);
	assert_true(health_is_dead(&h, 4));
}

static void a_row_longer_than_a_number_stays_dead(void **state)
{
	struct health h = failed(5, 1, 3);
	struct id d = delivery_of(0);
	h.failures = INT_MAX;
	health_note_failure(&h, 1, &d);
	assert_int_equal(h.failures, INT_MAX);
	assert_true(health_is_dead(&h, 100));
}

static void pauses_double_up_to_an_hour_with_jitter(void **state)
{
	static const struct {
		int probes;
		int64_t seconds;
	} rows[] = {{0, 30}, {1, 60}, {2, 120}, {3, 240}, {4, 480}, {5, 960}, {6, 1920}, {7, 3600}, {8, 3600},
			{31, 3600}, {63, 3600}, {64, 3600}, {100000, 3600}, {INT_MAX, 3600}};
	struct ch_rand_seeded seeded;
	ch_rand_seeded_init(&seeded, 3);
	struct ch_rand rand = ch_rand_seeded_of(&seeded);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t nominal_ms = rows[i].seconds * 1000, least = INT64_MAX, most = 0;
		for (int n = 0; n < 1000; n++) {
			int64_t ms = health_pause_ms(rows[i].probes, &rand);
			assert_true(ms >= nominal_ms * 8 / 10 && ms < nominal_ms * 12 / 10);
			least = ms < least ? ms : least;
			most = ms > most ? ms : most;
		}
		/* 1,000 draws that all miss the outer twentieth would be no even spread. */
		assert_true(least < nominal_ms * 82 / 100);
		assert_true(most > nominal_ms * 118 / 100);
	}
}

int health_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(dead_needs_failures_cohorts_and_deliveries),
			cmocka_unit_test(three_whole_windows_are_enough_at_any_size),
			cmocka_unit_test(cohorts_with_a_shrinking_window_follow_the_vectors),
			cmocka_unit_test(an_answer_in_between_begins_anew),
			cmocka_unit_test(the_same_delivery_counts_once),
			cmocka_unit_test(a_row_longer_than_a_number_stays_dead),
			cmocka_unit_test(pauses_double_up_to_an_hour_with_jitter),
	};
	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
