#include "test_policy.h"

#include <string.h>

#include "base/alloc.h"
#include "policy/rotation.h"

#define START_MS 1722350100000

static void seal_next(struct webhook *w)
{
	w->secret_sealed = (uint8_t *)ch_memdup0("old", 3);
	w->secret_sealed_len = 3;
	w->next_sealed = (uint8_t *)ch_memdup0("newer", 5);
	w->next_sealed_len = 5;
}

static void the_end_belongs_to_the_new_secret(void **state)
{
	static const struct {
		int64_t overlap_s, after_ms;
		enum rotation_phase want;
	} rows[] = {
			{0, 0, ROTATION_ENDED},
			{0, -1, ROTATION_OVERLAP},
			{1, 0, ROTATION_OVERLAP},
			{1, 999, ROTATION_OVERLAP},
			{1, 1000, ROTATION_ENDED},
			{1, 1001, ROTATION_ENDED},
			{ROTATION_OVERLAP_MAX_S, ROTATION_OVERLAP_MAX_S * 1000 - 1, ROTATION_OVERLAP},
			{ROTATION_OVERLAP_MAX_S, ROTATION_OVERLAP_MAX_S * 1000, ROTATION_ENDED},
			/* the clock was set back, and far ahead */
			{1, -INT64_C(86400000), ROTATION_OVERLAP},
			{ROTATION_OVERLAP_MAX_S, INT64_C(86400000) * 365, ROTATION_ENDED},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct webhook w;
		webhook_init(&w);
		seal_next(&w);
		rotation_begin(&w, START_MS, rows[i].overlap_s);
		assert_int_equal(rotation_phase_of(&w, START_MS + rows[i].after_ms), rows[i].want);
		assert_int_equal(rotation_settle(&w, START_MS + rows[i].after_ms),
				rows[i].want == ROTATION_ENDED);
		webhook_fini(&w);
	}
}

static void what_ended_does_not_come_back_when_the_clock_does(void **state)
{
	struct webhook w;
	webhook_init(&w);
	assert_int_equal(rotation_phase_of(&w, START_MS), ROTATION_NONE);
	assert_false(rotation_settle(&w, START_MS));
	seal_next(&w);
	rotation_begin(&w, START_MS, 10);
	assert_true(rotation_settle(&w, START_MS + 10000));
	assert_int_equal(w.secret_sealed_len, 5);
	assert_memory_equal(w.secret_sealed, "newer", 5);
	assert_null(w.next_sealed);
	assert_int_equal(w.rotation_started_ms + w.rotation_ends_ms, 0);
	assert_int_equal(rotation_phase_of(&w, START_MS), ROTATION_NONE);
	webhook_fini(&w);
}

int rotation_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(the_end_belongs_to_the_new_secret),
			cmocka_unit_test(what_ended_does_not_come_back_when_the_clock_does),
	};
	return cmocka_run_group_tests_name("rotation", tests, NULL, NULL);
}
