#include "test_base.h"

#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/time_text.h"

#define YEAR_0000_S (-62167219200)
#define YEAR_9999_END_S 253402300799

struct good {
	const char *text;
	int64_t unix_s;
};

static void test_parse(void **state)
{
	static const struct good cases[] = {
			{"1970-01-01T00:00:00Z", 0},
			{"2024-07-30T14:35:00Z", 1722350100},
			{"2024-07-30T14:35:00+00:00", 1722350100},
			{"2024-07-30T14:35:00-00:00", 1722350100},
			{"2024-07-30T16:05:00+01:30", 1722350100},
			{"2024-07-30T00:35:00-14:00", 1722350100},
			{"2024-07-30T14:35:00.999999999999999999999Z", 1722350100},
			{"1969-12-31T23:59:59.9Z", -1},
			{"2000-02-29T00:00:00Z", 951782400},
			{"2024-02-29T23:59:59Z", 1709251199},
			{"2016-12-31T23:59:60Z", 1483228799},
			{"2024-07-30T14:35:60.5+02:00", 1722342959},
			{"0000-01-01T00:00:00Z", YEAR_0000_S},
			{"9999-12-31T23:59:59Z", YEAR_9999_END_S},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t got = 7;
		assert_int_equal(time_text_parse(cases[i].text, strlen(cases[i].text), &got), 0);
		assert_int_equal(got, cases[i].unix_s);
	}
}

static void test_parse_refuses(void **state)
{
	static const char *const cases[] = {"", "2024-07-30", "2024-07-30T14:35:00", "2024-07-30T14:35Z",
			"2024-07-30t14:35:00Z", "2024-07-30T14:35:00z", "2024-07-30 14:35:00Z",
			" 2024-07-30T14:35:00Z", "2024-07-30T14:35:00Z ", "2024-00-30T14:35:00Z",
			"2024-13-30T14:35:00Z", "2024-07-00T14:35:00Z", "2024-07-32T14:35:00Z",
			"2024-06-31T14:35:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
			"2024-07-30T24:00:00Z", "2024-07-30T14:60:00Z", "2024-07-30T14:35:61Z",
			"2024-07-30T14:35:00.Z", "2024-07-30T14:35:00,5Z", "2024-07-30T14:35:00+0200",
			"2024-07-30T14:35:00+02", "2024-07-30T14:35:00+24:00", "2024-07-30T14:35:00+02:60",
			"2024-07-30T14:35:00*02:00", "2024-07-30T14:35:00ZZ", "02024-07-30T14:35:00Z",
			"+024-07-30T14:35:00Z", "2024-7-30T14:35:00Z", "2024-07-30T-1:35:00Z",
			"0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "2024/07/30T14:35:00Z",
			"1722350100"};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t got = 7;
		assert_int_equal(time_text_parse(cases[i], strlen(cases[i]), &got), CH_EINVAL);
		assert_int_equal(got, 7);
	}
	int64_t got = 7;
	const char *text = "2024-07-30T14:35:00+02:00";
	for (size_t len = 0; len < strlen(text); len++)
		assert_int_equal(time_text_parse(text, len, &got), CH_EINVAL);
	assert_int_equal(time_text_parse("2024-07-30T14:35:00Z\0", 21, &got), CH_EINVAL);
}

/* Against the C library, over all years, and back. */
static void test_random_moments_both_ways(void **state)
{
	struct ch_rand_seeded seeded;
	ch_rand_seeded_init(&seeded, 5);
	struct ch_rand rand = ch_rand_seeded_of(&seeded);
	for (int i = 0; i < 20000; i++) {
		int64_t unix_s = (int64_t)ch_rand_below(&rand, YEAR_9999_END_S - YEAR_0000_S + 1) +
				 YEAR_0000_S;
		time_t t = (time_t)unix_s;
		struct tm tm;
		gmtime_r(&t, &tm);
		char expected[64];
		strftime(expected, sizeof(expected), "-%m-%dT%H:%M:%SZ", &tm);
		char text[TIME_TEXT_LEN + 1] = "";
		time_text_format(unix_s, text);
		assert_string_equal(text + 4, expected);
		int year = 0;
		for (int d = 0; d < 4; d++)
			year = year * 10 + (text[d] - '0');
		assert_int_equal(year, tm.tm_year + 1900);
		int64_t back;
		assert_int_equal(time_text_parse(text, TIME_TEXT_LEN, &back), 0);
		assert_int_equal(back, unix_s);
		char http[30];
		time_text_format_http(unix_s, http);
		assert_int_equal(strlen(http), 29);
		strftime(expected, sizeof(expected), "%a, %d %b ", &tm);
		assert_memory_equal(http, expected, 12);
		assert_int_equal(time_text_parse_http(http, 29, &back), 0);
		assert_int_equal(back, unix_s);
	}
}

static void test_format_milliseconds(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {{0, "1970-01-01T00:00:00.000Z"}, {1722350100123, "2024-07-30T14:35:00.123Z"},
			{-1, "1969-12-31T23:59:59.999Z"}, {-1000, "1969-12-31T23:59:59.000Z"}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[25];
		time_text_format_ms(cases[i].ms, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_parse_http(void **state)
{
	static const struct good cases[] = {
			{"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
			{"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
			{"Sun Nov  6 08:49:37 1994", 784111777},
			{"Sun Nov 16 08:49:37 1994", 784975777},
			{"Sun Nov 06 08:49:37 1994", 784111777},
			{"Thursday, 01-Jan-70 00:00:00 GMT", 0},
			{"Tuesday, 30-Jul-24 14:35:00 GMT", 1722350100},
			{"Thu, 29 Feb 2024 23:59:60 GMT", 1709251199},
			{"Mon, 30 Jul 2024 14:35:00 GMT", 1722350100},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t got = 7;
		assert_int_equal(time_text_parse_http(cases[i].text, strlen(cases[i].text), &got), 0);
		assert_int_equal(got, cases[i].unix_s);
	}
}

static void test_parse_http_refuses(void **state)
{
	static const char *const cases[] = {"", "120", "Sun, 06 Nov 1994 08:49:37",
			"Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 6 Nov 1994 08:49:37 GMT",
			"Sun, 06 nov 1994 08:49:37 GMT", "Xxx, 06 Nov 1994 08:49:37 GMT",
			"Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
			"Sun, 06 Nov 94 08:49:37 GMT", "Sun 06 Nov 1994 08:49:37 GMT",
			"Sunday, 06 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37 GMT",
			"Sunday, 06-Nov-1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994",
			"Sun Nov   6 08:49:37 1994", "Sun Nov  6 08:49:37 1994 GMT",
			"Sun Nov  0 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 GMT ", "1994-11-06T08:49:37Z",
			"Sun, 29 Feb 2023 08:49:37 GMT"};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t got = 7;
		assert_int_equal(time_text_parse_http(cases[i], strlen(cases[i]), &got), CH_EINVAL);
		assert_int_equal(got, 7);
	}
}

static void test_format_http(void **state)
{
	char text[30];
	time_text_format_http(1722350100, text);
	assert_string_equal(text, "Tue, 30 Jul 2024 14:35:00 GMT");
	time_text_format_http(-1, text);
	assert_string_equal(text, "Wed, 31 Dec 1969 23:59:59 GMT");
}

static void format_it(void *unix_s)
{
	char out[TIME_TEXT_LEN];
	time_text_format(*(int64_t *)unix_s, out);
}

static void test_format_outside_the_years_is_a_bug(void **state)
{
	int64_t early = YEAR_0000_S - 1;
	int64_t late = YEAR_9999_END_S + 1;
	int64_t last = YEAR_9999_END_S;
	assert_true(aborts(format_it, &early));
	assert_true(aborts(format_it, &late));
	assert_false(aborts(format_it, &last));
}

int run_time_text(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_parse),
			cmocka_unit_test(test_parse_refuses),
			cmocka_unit_test(test_random_moments_both_ways),
			cmocka_unit_test(test_format_milliseconds),
			cmocka_unit_test(test_parse_http),
			cmocka_unit_test(test_parse_http_refuses),
			cmocka_unit_test(test_format_http),
			cmocka_unit_test(test_format_outside_the_years_is_a_bug),
	};
	return cmocka_run_group_tests_name("time_text", tests, NULL, NULL);
}
