#include "test_base.h"

#include <string.h>

#include "base/err.h"

static void test_set_fills_and_returns_the_code(void **state)
{
	struct ch_err e = {0};
	assert_int_equal(ch_err_set(&e, CH_EINVAL, "field %s, line %d", "status", 3), CH_EINVAL);
	assert_int_equal(e.code, CH_EINVAL);
	assert_string_equal(e.text, "field status, line 3");
	assert_int_equal(ch_err_set(NULL, CH_EIO, "nobody asked"), CH_EIO);
}

static void test_long_text_is_cut_between_characters(void **state)
{
	static const char *const chars[] = {"a", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
	for (size_t i = 0; i < ARRAY_LEN(chars); i++) {
		size_t size = strlen(chars[i]);
		for (size_t lead = 0; lead < 4; lead++) {
			char text[600] = "";
			memset(text, '.', lead);
			while (strlen(text) < 500)
				memcpy(text + strlen(text), chars[i], size + 1);
			struct ch_err e;
			ch_err_set(&e, CH_EINVAL, "%s", text);
			size_t len = strlen(e.text);
			assert_int_equal((len - lead) % size, 0);
			assert_in_range(len, sizeof(e.text) - size, sizeof(e.text) - 1);
			assert_memory_equal(e.text, text, len);
		}
	}
}

static void test_text_stays_one_line(void **state)
{
	struct ch_err e;
	ch_err_set(&e, CH_EINVAL, "a\nb\rc\x1B[0m\x7F");
	assert_string_equal(e.text, "a b c [0m ");
}

static void test_names(void **state)
{
	assert_string_equal(ch_err_name(CH_OK), "CH_OK");
	assert_string_equal(ch_err_name(CH_EINVAL), "CH_EINVAL");
	assert_string_equal(ch_err_name(CH_EVERSION), "CH_EVERSION");
	assert_string_equal(ch_err_name(CH_EAGAIN), "CH_EAGAIN");
	assert_string_equal(ch_err_name(CH_EDAMAGED), "CH_EDAMAGED");
	assert_string_equal(ch_err_name(CH_EGONE), "CH_EGONE");
	assert_string_equal(ch_err_name(CH_EGONE - 1), "CH_E?");
	assert_string_equal(ch_err_name(1), "CH_E?");
}

int run_err(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_set_fills_and_returns_the_code),
			cmocka_unit_test(test_long_text_is_cut_between_characters),
			cmocka_unit_test(test_text_stays_one_line),
			cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
