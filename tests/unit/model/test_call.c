#include <string.h>

#include "base/err.h"
#include "model/call.h"
#include "test_model.h"

static void every_status_has_a_name_that_is_read_back(void **state)
{
	static const char *const names[] = {"IN_PROGRESS", "CANCELED", "COMPLETED", "NO_ANSWER", "VOICE_BOX",
			"UNREACHABLE", "FAILED", "TRANSFERRED", "REJECTED", "FAILOVER"};
	assert_int_equal(ARRAY_LEN(names), CALL_STATUS_COUNT);
	for (int s = 0; s < CALL_STATUS_COUNT; s++) {
		enum call_status back = CALL_STATUS_COUNT;
		assert_string_equal(call_status_name((enum call_status)s), names[s]);
		assert_int_equal(call_status_parse(names[s], strlen(names[s]), &back), 0);
		assert_int_equal(back, s);
	}
}

static void every_type_has_a_name_that_is_read_back(void **state)
{
	enum call_type back = CALL_OUTBOUND;
	assert_string_equal(call_type_name(CALL_INBOUND), "INBOUND");
	assert_string_equal(call_type_name(CALL_OUTBOUND), "OUTBOUND");
	assert_int_equal(call_type_parse("INBOUND", 7, &back), 0);
	assert_int_equal(back, CALL_INBOUND);
	assert_int_equal(call_type_parse("OUTBOUND", 8, &back), 0);
	assert_int_equal(back, CALL_OUTBOUND);
}

static void other_words_are_refused_and_change_nothing(void **state)
{
	static const char *const words[] = {
			"", "completed", "COMPLETED ", "COMPLETE", "IN PROGRESS", "INBOUND"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		enum call_status s = CALL_FAILOVER;
		assert_int_equal(call_status_parse(words[i], strlen(words[i]), &s), CH_EINVAL);
		assert_int_equal(s, CALL_FAILOVER);
	}
	enum call_type t = CALL_OUTBOUND;
	assert_int_equal(call_type_parse("inbound", 7, &t), CH_EINVAL);
	assert_int_equal(call_type_parse("INBOUND", 6, &t), CH_EINVAL);
	assert_int_equal(t, CALL_OUTBOUND);
}

static void only_in_progress_is_not_final(void **state)
{
	for (int s = 0; s < CALL_STATUS_COUNT; s++)
		assert_int_equal(call_status_is_final((enum call_status)s), s != CALL_IN_PROGRESS);
}

int call_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_status_has_a_name_that_is_read_back),
			cmocka_unit_test(every_type_has_a_name_that_is_read_back),
			cmocka_unit_test(other_words_are_refused_and_change_nothing),
			cmocka_unit_test(only_in_progress_is_not_final),
	};
	return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
