#include "test_policy.h"

#include <string.h>

#include "policy/outcome.h"

static struct outcome of(enum attempt_outcome o, int status, int64_t retry_after_s, int suspensions)
{
	const struct attempt a = {.outcome = o, .status = status, .retry_after_s = retry_after_s};
	return outcome_of(&a, suspensions);
}

static void assert_outcome(
		struct outcome got, enum outcome_delivery d, enum outcome_endpoint e, int64_t suspend_s)
{
	assert_int_equal(got.delivery, d);
	assert_int_equal(got.endpoint, e);
	assert_int_equal(got.suspend_s, suspend_s);
}

static void every_status_has_its_row(void **state)
{
	for (int status = 100; status <= 999; status++) {
		struct outcome got = of(ATTEMPT_ANSWERED, status, -1, 0);
		if (status >= 200 && status <= 299)
			assert_outcome(got, OUTCOME_DELIVERED, OUTCOME_HEALTHY, 0);
		else if (status >= 300 && status <= 399)
			assert_outcome(got, OUTCOME_RETRY, OUTCOME_HEALTHY, 0);
		else if (status == 408 || status == 425)
			assert_outcome(got, OUTCOME_RETRY, OUTCOME_FAILURE, 0);
		else if (status == 410)
			assert_outcome(got, OUTCOME_PARK, OUTCOME_GONE, 0);
		else if (status == 429)
			assert_outcome(got, OUTCOME_RETRY, OUTCOME_SUSPENDED, 30);
		else if (status >= 400 && status <= 499)
			assert_outcome(got, OUTCOME_RETRY, OUTCOME_HEALTHY, 0);
		else
			assert_outcome(got, OUTCOME_RETRY, OUTCOME_FAILURE, 0);
	}
	assert_outcome(of(ATTEMPT_ANSWERED, 0, -1, 0), OUTCOME_RETRY, OUTCOME_FAILURE, 0);
}

static void failures_without_an_answer_count_against_it(void **state)
{
	static const enum attempt_outcome failures[] = {ATTEMPT_TIMEOUT, ATTEMPT_REFUSED, ATTEMPT_RESET,
			ATTEMPT_DNS, ATTEMPT_TLS, ATTEMPT_ADDRESS, ATTEMPT_MALFORMED};
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		assert_outcome(of(failures[i], 0, -1, 0), OUTCOME_RETRY, OUTCOME_FAILURE, 0);
		/* An answer that began well and did not end is no success, and asks for nothing. */
		assert_outcome(of(failures[i], 200, -1, 0), OUTCOME_RETRY, OUTCOME_FAILURE, 0);
		assert_outcome(of(failures[i], 410, -1, 0), OUTCOME_RETRY, OUTCOME_FAILURE, 0);
		assert_outcome(of(failures[i], 429, 60, 0), OUTCOME_RETRY, OUTCOME_FAILURE, 0);
	}
}

static void our_own_fault_says_nothing(void **state)
{
	assert_outcome(of(ATTEMPT_LOCAL, 0, -1, 0), OUTCOME_AGAIN, OUTCOME_UNTOUCHED, 0);
	assert_outcome(of(ATTEMPT_LOCAL, 500, 60, 3), OUTCOME_AGAIN, OUTCOME_UNTOUCHED, 0);
}

static void retry_after_suspends_at_429_and_503_only(void **state)
{
	assert_outcome(of(ATTEMPT_ANSWERED, 429, 120, 5), OUTCOME_RETRY, OUTCOME_SUSPENDED, 120);
	assert_outcome(of(ATTEMPT_ANSWERED, 503, 120, 5), OUTCOME_RETRY, OUTCOME_SUSPENDED, 120);
	assert_outcome(of(ATTEMPT_ANSWERED, 503, -1, 5), OUTCOME_RETRY, OUTCOME_FAILURE, 0);
	assert_outcome(of(ATTEMPT_ANSWERED, 429, 1000000, 0), OUTCOME_RETRY, OUTCOME_SUSPENDED, 86400);
	assert_outcome(of(ATTEMPT_ANSWERED, 502, 120, 0), OUTCOME_RETRY, OUTCOME_FAILURE, 0);
	assert_outcome(of(ATTEMPT_ANSWERED, 404, 120, 0), OUTCOME_RETRY, OUTCOME_HEALTHY, 0);
	assert_outcome(of(ATTEMPT_ANSWERED, 302, 120, 0), OUTCOME_RETRY, OUTCOME_HEALTHY, 0);
	assert_outcome(of(ATTEMPT_ANSWERED, 200, 120, 0), OUTCOME_DELIVERED, OUTCOME_HEALTHY, 0);
}

static void bare_429_doubles_to_a_day(void **state)
{
	static const int64_t want[] = {
			30, 60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 30720, 61440, 86400, 86400};
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_outcome(of(ATTEMPT_ANSWERED, 429, -1, (int)i), OUTCOME_RETRY, OUTCOME_SUSPENDED,
				want[i]);
	assert_outcome(of(ATTEMPT_ANSWERED, 429, -1, INT32_MAX), OUTCOME_RETRY, OUTCOME_SUSPENDED, 86400);
}

#define NOW_S 1722350100 /* Tue, 30 Jul 2024 14:35:00 GMT */

static void retry_after_is_read_both_ways(void **state)
{
	static const struct {
		const char *value, *date;
		int64_t want;
	} rows[] = {
			{"120", NULL, 120},
			{"1", NULL, 1},
			{"0", NULL, 1},
			{"00060", NULL, 60},
			{"86400", NULL, 86400},
			{"86401", NULL, 86400},
			{"99999999999999999999999999", NULL, 86400},
			{"Tue, 30 Jul 2024 14:36:40 GMT", NULL, 100},
			{"Tuesday, 30-Jul-24 14:36:40 GMT", NULL, 100},
			{"Tue Jul 30 14:36:40 2024", NULL, 100},
			{"Tue, 30 Jul 2024 14:36:40 GMT", "Tue, 30 Jul 2024 14:36:30 GMT", 10},
			{"Tue, 30 Jul 2024 14:36:40 GMT", "yesterday", 100},
			{"Tue, 30 Jul 2024 14:36:40 GMT", "", 100},
			{"Tue, 30 Jul 2024 14:35:00 GMT", NULL, 1},
			{"Mon, 29 Jul 2024 14:35:00 GMT", NULL, 1},
			{"Thu, 30 Jul 2026 14:35:00 GMT", NULL, 86400},
			{"120", "Tue, 30 Jul 2024 14:36:30 GMT", 120},
			{"", NULL, -1},
			{"-1", NULL, -1},
			{"+5", NULL, -1},
			{"1.5", NULL, -1},
			{"5 ", NULL, -1},
			{"5s", NULL, -1},
			{"120, 60", NULL, -1},
			{"soon", NULL, -1},
			{"2024-07-30T14:36:40Z", NULL, -1},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *date = rows[i].date;
		int64_t got = retry_after_parse(rows[i].value, strlen(rows[i].value), date,
				date == NULL ? 0 : strlen(date), NOW_S);
		if (got != rows[i].want)
			fail_msg("Retry-After: %s gives %lld", rows[i].value, (long long)got);
	}
}

int outcome_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_status_has_its_row),
			cmocka_unit_test(failures_without_an_answer_count_against_it),
			cmocka_unit_test(our_own_fault_says_nothing),
			cmocka_unit_test(retry_after_suspends_at_429_and_503_only),
			cmocka_unit_test(bare_429_doubles_to_a_day),
			cmocka_unit_test(retry_after_is_read_both_ways),
	};
	return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
