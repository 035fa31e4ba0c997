#include "test_model.h"

#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "model/account.h"
#include "model/delivery.h"

static void states_have_names_both_ways(void **state)
{
	static const char *const names[] = {
			"PENDING", "DELIVERING", "DELIVERED", "FAILED", "PARKED", "CANCELED"};
	assert_int_equal(sizeof(names) / sizeof(names[0]), DELIVERY_STATE_COUNT);
	for (int i = 0; i < DELIVERY_STATE_COUNT; i++) {
		enum delivery_state s = DELIVERY_STATE_COUNT;
		assert_string_equal(delivery_state_name((enum delivery_state)i), names[i]);
		assert_int_equal(delivery_state_parse(names[i], strlen(names[i]), &s), 0);
		assert_int_equal(s, i);
	}
	enum delivery_state s = DELIVERY_PARKED;
	assert_int_equal(delivery_state_parse("pending", 7, &s), CH_EINVAL);
	assert_int_equal(delivery_state_parse("PENDIN", 6, &s), CH_EINVAL);
	assert_int_equal(delivery_state_parse("PENDINGS", 8, &s), CH_EINVAL);
	assert_int_equal(delivery_state_parse("", 0, &s), CH_EINVAL);
	assert_int_equal(s, DELIVERY_PARKED);
}

static void outcomes_have_names_both_ways(void **state)
{
	static const char *const names[] = {"answered", "timeout", "refused", "reset", "dns", "tls",
			"address", "malformed", "local"};
	assert_int_equal(sizeof(names) / sizeof(names[0]), ATTEMPT_OUTCOME_COUNT);
	for (int i = 0; i < ATTEMPT_OUTCOME_COUNT; i++) {
		enum attempt_outcome o = ATTEMPT_OUTCOME_COUNT;
		assert_string_equal(attempt_outcome_name((enum attempt_outcome)i), names[i]);
		assert_int_equal(attempt_outcome_parse(names[i], strlen(names[i]), &o), 0);
		assert_int_equal(o, i);
	}
	enum attempt_outcome o = ATTEMPT_TLS;
	assert_int_equal(attempt_outcome_parse("TIMEOUT", 7, &o), CH_EINVAL);
	assert_int_equal(o, ATTEMPT_TLS);
}

/* The leak checker of the build is the judge of these two. */
static void fini_frees_all_and_may_come_twice(void **state)
{
	struct attempt a = {.detail = ch_strdup("d"),
			.request_headers = ch_strdup("h"),
			.location = ch_strdup("l"),
			.answer = ch_memdup0("a\0b", 3),
			.answer_len = 3};
	attempt_fini(&a);
	assert_null(a.answer);
	assert_int_equal(a.answer_len, 0);
	attempt_fini(&a);

	struct delivery d = {.reason = ch_strdup("r"), .body = ch_bytes_create("{}", 2)};
	struct ch_bytes *kept = ch_bytes_ref(d.body);
	delivery_fini(&d);
	assert_null(d.body);
	delivery_fini(&d);
	assert_memory_equal(kept->data, "{}", 2);
	ch_bytes_unref(&kept);
}

static void account_ids_fit_a_path(void **state)
{
	static const char *const good[] = {"default", "a", "A-b_c.9", "...", ".a",
			"0123456789012345678901234567890123456789012345678901234567890123"};
	static const char *const bad[] = {"", ".", "..", "a/b", "a b", "\xc3\xa9", "a%", "a:b",
			"01234567890123456789012345678901234567890123456789012345678901234"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(account_id_check(good[i], strlen(good[i])), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(account_id_check(bad[i], strlen(bad[i])), CH_EINVAL);
	assert_int_equal(account_id_check("a\0b", 3), CH_EINVAL);
}

int delivery_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(states_have_names_both_ways),
			cmocka_unit_test(outcomes_have_names_both_ways),
			cmocka_unit_test(fini_frees_all_and_may_come_twice),
			cmocka_unit_test(account_ids_fit_a_path),
	};
	return cmocka_run_group_tests_name("delivery", tests, NULL, NULL);
}
