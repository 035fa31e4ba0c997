#include "test_policy.h"

#include <string.h>

#include "policy/retry.h"

static void default_schedule_is_the_documented_one(void **state)
{
	static const int32_t want[] = {5, 30, 120, 600, 1800, 3600, 10800, 21600, 43200, 86400, 86400};
	struct retry_schedule s = retry_schedule_default();
	int64_t sum = 0;
	assert_int_equal(s.count, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(s.pause_s[i], want[i]);
		sum += s.pause_s[i];
	}
	/* Even when every pause comes out shortest, two nights and the day between are bridged. */
	assert_true(sum > 2 * 86400 && sum * 8 / 10 > 2 * 86400);
}

static void parse_reads_each_unit(void **state)
{
	struct retry_schedule s;
	static const int32_t want[] = {5, 30, 120, 3600, 86400, 604800, 604800, 1};
	assert_int_equal(retry_schedule_parse("5s,30s,2m,1h,1d,7d,604800s,1s", &s, NULL), 0);
	assert_int_equal(s.count, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(s.pause_s[i], want[i]);
	assert_int_equal(retry_schedule_parse("5s,30s,2m,10m,30m,1h,3h,6h,12h,24h,24h", &s, NULL), 0);
	struct retry_schedule d = retry_schedule_default();
	assert_memory_equal(&s, &d, sizeof(s));
}

static void parse_names_the_bad_pause(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
			{"", "\"\" is not a pause"},
			{"5", "\"5\" is not a pause"},
			{"s", "\"s\" is not a pause"},
			{"5s,", "\"\" is not a pause"},
			{",5s", "\"\" is not a pause"},
			{"5s,,6s", "\"\" is not a pause"},
			{"5s, 6s", "\" 6s\" is not a pause"},
			{"5s;6s", "\"5s;6s\" is not a pause"},
			{"-5s", "\"-5s\" is not a pause"},
			{"1.5h", "\"1.5h\" is not a pause"},
			{"5S", "\"5S\" is not a pause"},
			{"5ms", "\"5ms\" is not a pause"},
			{"1w", "\"1w\" is not a pause"},
			{"0s", "\"0s\" is not between 1s and 7d"},
			{"8d", "\"8d\" is not between 1s and 7d"},
			{"604801s", "is not between 1s and 7d"},
			{"99999999999999999999d", "is not between 1s and 7d"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct retry_schedule s = {.count = 77};
		struct ch_err err = {0};
		assert_int_equal(retry_schedule_parse(rows[i].text, &s, &err), CH_EINVAL);
		assert_int_equal(s.count, 77);
		if (strstr(err.text, rows[i].words) == NULL)
			fail_msg("%s: %s", rows[i].text, err.text);
	}
}

static void parse_takes_32_pauses(void **state)
{
	char text[200] = "1s";
	struct retry_schedule s;
	for (int i = 1; i < RETRY_PAUSES_MAX; i++)
		strncat(text, ",1s", 4);
	assert_int_equal(retry_schedule_parse(text, &s, NULL), 0);
	assert_int_equal(s.count, RETRY_PAUSES_MAX);
	strncat(text, ",1s", 4);
	assert_int_equal(retry_schedule_parse(text, &s, NULL), CH_EINVAL);
}

static const struct ch_wall now = {1722350100000};

static void pauses_come_with_jitter_inside_its_bounds(void **state)
{
	struct ch_rand_seeded seeded;
	struct retry_schedule s = retry_schedule_default();
	ch_rand_seeded_init(&seeded, 1);
	struct ch_rand rand = ch_rand_seeded_of(&seeded);
	for (int tries = 1; tries <= s.count; tries++) {
		int64_t pause_ms = s.pause_s[tries - 1] * (int64_t)1000, least = INT64_MAX, most = 0;
		for (int i = 0; i < 2000; i++) {
			struct ch_wall due;
			assert_true(retry_next(&s, tries, now, 0, &rand, &due));
			int64_t waited = due.ms - now.ms;
			assert_true(waited >= pause_ms * 8 / 10 && waited < pause_ms * 12 / 10);
			least = waited < least ? waited : least;
			most = waited > most ? waited : most;
		}
		/* 2,000 draws that all miss the outer twentieth would be no even spread. */
		assert_true(least < pause_ms * 82 / 100);
		assert_true(most > pause_ms * 118 / 100);
	}
}

static void after_the_last_try_there_is_no_next(void **state)
{
	struct ch_rand rand = ch_rand_system();
	struct retry_schedule s = retry_schedule_default();
	struct ch_wall due = {7};
	assert_true(retry_next(&s, 11, now, 0, &rand, &due));
	due.ms = 7;
	assert_false(retry_next(&s, 12, now, 0, &rand, &due));
	assert_false(retry_next(&s, 1000, now, now.ms + 5, &rand, &due));
	assert_int_equal(due.ms, 7);
}

static void the_later_of_schedule_and_wish_wins(void **state)
{
	struct ch_rand rand = ch_rand_system();
	struct retry_schedule s = retry_schedule_default();
	struct ch_wall due;
	assert_true(retry_next(&s, 1, now, now.ms + 60000, &rand, &due));
	assert_int_equal(due.ms, now.ms + 60000);
	assert_true(retry_next(&s, 3, now, now.ms + 60000, &rand, &due));
	assert_true(due.ms >= now.ms + 96000);
	assert_true(retry_next(&s, 1, now, now.ms - 60000, &rand, &due));
	assert_true(due.ms >= now.ms + 4000);
}

int retry_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(default_schedule_is_the_documented_one),
			cmocka_unit_test(parse_reads_each_unit),
			cmocka_unit_test(parse_names_the_bad_pause),
			cmocka_unit_test(parse_takes_32_pauses),
			cmocka_unit_test(pauses_come_with_jitter_inside_its_bounds),
			cmocka_unit_test(after_the_last_try_there_is_no_next),
			cmocka_unit_test(the_later_of_schedule_and_wish_wins),
	};
	return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
