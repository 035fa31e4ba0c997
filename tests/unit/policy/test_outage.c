#include "test_policy.h"

#include "policy/outage.h"

#define NOW ((int64_t)1000000)

/* Hosts number first, first + 1, …; a host's hash is its number. */
static void note_some(struct outage *o, int first, int count, enum outage_sign sign, int64_t at)
{
	for (int i = 0; i < count; i++)
		outage_note(o, (uint64_t)(first + i), sign, at);
}

static struct outage outage_of(int unreached, int other)
{
	struct outage o;
	outage_init(&o);
	note_some(&o, 0, unreached, OUTAGE_UNREACHED, NOW);
	note_some(&o, 100, other, OUTAGE_OTHER, NOW);
	return o;
}

static void ours_is_9_of_10_of_at_least_5_hosts(void **state)
{
	static const struct {
		int unreached, other;
		bool is_ours;
	} rows[] = {{0, 0, false}, {1, 0, false}, {4, 0, false}, {5, 0, true}, {4, 1, false}, {8, 1, false},
			{9, 0, true}, {9, 1, true}, {8, 2, false}, {10, 1, true}, {10, 2, false},
			{18, 2, true}, {17, 2, false}, {0, 10, false}, {64, 0, true}, {57, 7, false},
			{58, 6, true}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct outage o = outage_of(rows[i].unreached, rows[i].other);
		if (outage_is_ours(&o, NOW) != rows[i].is_ours)
			fail_msg("%d unreached, %d other", rows[i].unreached, rows[i].other);
	}
}

static void one_answer_says_that_the_line_works(void **state)
{
	struct outage o = outage_of(60, 0);
	assert_true(outage_is_ours(&o, NOW));
	outage_note(&o, 200, OUTAGE_ANSWERED, NOW);
	assert_false(outage_is_ours(&o, NOW));
	/* Also when the host that answered has failed since, or was replaced by others. */
	outage_note(&o, 200, OUTAGE_UNREACHED, NOW + 1);
	assert_false(outage_is_ours(&o, NOW + 1));
	note_some(&o, 300, OUTAGE_HOSTS, OUTAGE_UNREACHED, NOW + 2);
	assert_false(outage_is_ours(&o, NOW + 2));
}

static void an_answer_counts_for_30_seconds(void **state)
{
	struct outage o;
	outage_init(&o);
	outage_note(&o, 200, OUTAGE_ANSWERED, NOW);
	note_some(&o, 0, 20, OUTAGE_UNREACHED, NOW + 25000);
	assert_false(outage_is_ours(&o, NOW + 25000));
	assert_false(outage_is_ours(&o, NOW + OUTAGE_WINDOW_MS - 1));
	assert_true(outage_is_ours(&o, NOW + OUTAGE_WINDOW_MS));
}

static void a_failure_counts_for_30_seconds(void **state)
{
	struct outage o = outage_of(5, 0);
	assert_true(outage_is_ours(&o, NOW + OUTAGE_WINDOW_MS - 1));
	assert_false(outage_is_ours(&o, NOW + OUTAGE_WINDOW_MS));
	/* Only the old one drops out: four are too few, and its next failure makes five again. */
	note_some(&o, 0, 4, OUTAGE_UNREACHED, NOW + 1000);
	assert_true(outage_is_ours(&o, NOW + OUTAGE_WINDOW_MS - 1));
	assert_false(outage_is_ours(&o, NOW + OUTAGE_WINDOW_MS));
	outage_note(&o, 4, OUTAGE_UNREACHED, NOW + OUTAGE_WINDOW_MS);
	assert_true(outage_is_ours(&o, NOW + OUTAGE_WINDOW_MS));
}

static void what_says_nothing_drops_out_as_well(void **state)
{
	struct outage o;
	outage_init(&o);
	note_some(&o, 100, 5, OUTAGE_OTHER, NOW);
	note_some(&o, 0, 5, OUTAGE_UNREACHED, NOW + 20000);
	assert_false(outage_is_ours(&o, NOW + OUTAGE_WINDOW_MS - 1));
	assert_true(outage_is_ours(&o, NOW + OUTAGE_WINDOW_MS));
}

static void a_host_counts_once_with_its_latest_sign(void **state)
{
	struct outage o;
	outage_init(&o);
	for (int i = 0; i < 100; i++)
		outage_note(&o, 1, OUTAGE_UNREACHED, NOW);
	note_some(&o, 2, 3, OUTAGE_UNREACHED, NOW);
	assert_false(outage_is_ours(&o, NOW));
	outage_note(&o, 5, OUTAGE_UNREACHED, NOW);
	assert_true(outage_is_ours(&o, NOW));
	outage_note(&o, 1, OUTAGE_OTHER, NOW);
	assert_false(outage_is_ours(&o, NOW));
	outage_note(&o, 1, OUTAGE_UNREACHED, NOW);
	assert_true(outage_is_ours(&o, NOW));
}

/* 58 of 64 are nine in ten and 57 are not: one host more or less shows which were kept. */
static void of_too_many_hosts_the_oldest_goes(void **state)
{
	struct outage o;
	outage_init(&o);
	note_some(&o, 100, 7, OUTAGE_OTHER, NOW + 10);
	note_some(&o, 0, 56, OUTAGE_UNREACHED, NOW + 20);
	outage_note(&o, 99, OUTAGE_UNREACHED, NOW + 5);
	assert_false(outage_is_ours(&o, NOW + 20));
	/* Replaces host 99, the oldest though it was noted last: still 57. */
	outage_note(&o, 56, OUTAGE_UNREACHED, NOW + 30);
	assert_false(outage_is_ours(&o, NOW + 30));
	/* Replaces one that says nothing. */
	outage_note(&o, 57, OUTAGE_UNREACHED, NOW + 30);
	assert_true(outage_is_ours(&o, NOW + 30));
	/* One that is known replaces nobody. */
	outage_note(&o, 57, OUTAGE_UNREACHED, NOW + 40);
	outage_note(&o, 106, OUTAGE_OTHER, NOW + 40);
	assert_true(outage_is_ours(&o, NOW + 40));
}

static void a_clock_near_its_zero_overflows_nothing(void **state)
{
	struct outage o;
	outage_init(&o);
	assert_false(outage_is_ours(&o, 0));
	note_some(&o, 0, 5, OUTAGE_UNREACHED, 0);
	assert_true(outage_is_ours(&o, 0));
	outage_note(&o, 9, OUTAGE_ANSWERED, 0);
	assert_false(outage_is_ours(&o, 0));
}

static void each_outcome_has_its_sign(void **state)
{
	static const enum outage_sign want[] = {
			[ATTEMPT_ANSWERED] = OUTAGE_ANSWERED,
			[ATTEMPT_TIMEOUT] = OUTAGE_UNREACHED,
			[ATTEMPT_REFUSED] = OUTAGE_UNREACHED,
			[ATTEMPT_RESET] = OUTAGE_OTHER,
			[ATTEMPT_DNS] = OUTAGE_UNREACHED,
			[ATTEMPT_TLS] = OUTAGE_OTHER,
			[ATTEMPT_ADDRESS] = OUTAGE_OTHER,
			[ATTEMPT_MALFORMED] = OUTAGE_OTHER,
			[ATTEMPT_LOCAL] = OUTAGE_OTHER,
	};
	assert_int_equal(ARRAY_LEN(want), ATTEMPT_OUTCOME_COUNT);
	for (int i = 0; i < ATTEMPT_OUTCOME_COUNT; i++) {
		struct attempt a = {.outcome = (enum attempt_outcome)i,
				.dns_us = -1,
				.connect_us = -1,
				.tls_us = -1,
				.first_byte_us = -1};
		assert_int_equal(outage_sign_of(&a), want[i]);
	}
}

static void a_timeout_after_the_connect_says_nothing(void **state)
{
	static const struct {
		int32_t dns_us, connect_us, tls_us, first_byte_us;
		uint8_t address_len;
		enum outage_sign want;
	} rows[] = {
			{-1, -1, -1, -1, 0, OUTAGE_UNREACHED},
			{900, -1, -1, -1, 0, OUTAGE_UNREACHED}, /* the name was found, that is all */
			{900, 0, -1, -1, 0, OUTAGE_OTHER}, {900, 1500, -1, -1, 4, OUTAGE_OTHER},
			{900, -1, 2500, -1, 0, OUTAGE_OTHER}, {900, 1500, 2500, -1, 16, OUTAGE_OTHER},
			{-1, -1, -1, -1, 4, OUTAGE_OTHER}, /* a kept connection */
			{-1, -1, -1, 3000, 0, OUTAGE_OTHER}, /* the same through a proxy */
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct attempt a = {.outcome = ATTEMPT_TIMEOUT,
				.dns_us = rows[i].dns_us,
				.connect_us = rows[i].connect_us,
				.tls_us = rows[i].tls_us,
				.first_byte_us = rows[i].first_byte_us,
				.address = {.len = rows[i].address_len}};
		assert_int_equal(outage_sign_of(&a), rows[i].want);
	}
}

int outage_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(ours_is_9_of_10_of_at_least_5_hosts),
			cmocka_unit_test(one_answer_says_that_the_line_works),
			cmocka_unit_test(an_answer_counts_for_30_seconds),
			cmocka_unit_test(a_failure_counts_for_30_seconds),
			cmocka_unit_test(what_says_nothing_drops_out_as_well),
			cmocka_unit_test(a_host_counts_once_with_its_latest_sign),
			cmocka_unit_test(of_too_many_hosts_the_oldest_goes),
			cmocka_unit_test(a_clock_near_its_zero_overflows_nothing),
			cmocka_unit_test(each_outcome_has_its_sign),
			cmocka_unit_test(a_timeout_after_the_connect_says_nothing),
	};
	return cmocka_run_group_tests_name("outage", tests, NULL, NULL);
}
