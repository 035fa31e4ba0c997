#include <float.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "model/call_number.h"
#include "test_model.h"

static void numbers_are_printed_as_javascript_does(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {
			{0, "0"},
			{-0.0, "0"},
			{1, "1"},
			{-1, "-1"},
			{0.1, "0.1"},
			{0.1 + 0.2, "0.30000000000000004"},
			{1.0 / 3, "0.3333333333333333"},
			{5e-324, "5e-324"},
			{2.2250738585072009e-308, "2.225073858507201e-308"},
			{DBL_MIN, "2.2250738585072014e-308"},
			{DBL_MAX, "1.7976931348623157e+308"},
			{-DBL_MAX, "-1.7976931348623157e+308"},
			{1e21, "1e+21"},
			{123456789012345680000.0, "123456789012345680000"},
			{1e-6, "0.000001"},
			{1e-7, "1e-7"},
			{1.5e-7, "1.5e-7"},
			{9007199254740991.0, "9007199254740991"},
			{9007199254740992.0, "9007199254740992"},
			{0x1p-44, "5.684341886080802e-14"}, /* the nearest of 16 digits, …801, reads back as
							       another */
			{0x1p-24, "5.960464477539063e-8"},
			{4.35, "4.35"},
			{1e23, "1e+23"},
			{9.5367431640625e-7, "9.5367431640625e-7"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ch_buf b;
		ch_buf_init(&b, 64);
		call_number_write(&b, rows[i].value);
		assert_string_equal(ch_buf_text(&b), rows[i].text);
		ch_buf_fini(&b);
	}
}

static void tokens_become_canonical(void **state)
{
	static const struct {
		const char *token, *text;
	} rows[] = {
			{"0", "0"},
			{"-0", "0"},
			{"-0.0e5", "0"},
			{"0e999999999999999999999", "0"},
			{"1e-999999999999999999999", "0"},
			{"-1e-400", "0"},
			{"5e-324", "5e-324"},
			{"2e-324", "0"},
			{"3e-324", "5e-324"},
			{"3e2", "300"},
			{"3E+2", "300"},
			{"360.0", "360"},
			{"360.50", "360.5"},
			{"0.000001", "0.000001"},
			{"0.0000001", "1e-7"},
			{"12.34e-8", "1.234e-7"},
			{"-1.5e15", "-1500000000000000"},
			{"9007199254740991", "9007199254740991"},
			{"-9007199254740991", "-9007199254740991"},
			{"9007199254740991.4", "9007199254740991"},
			{"1e21", "1e+21"},
			{"-1E+21", "-1e+21"},
			{"1.50e300", "1.5e+300"},
			{"1.7976931348623157e308", "1.7976931348623157e+308"},
			{"0.1000000000000000055511151231257827021181583404541015625", "0.1"},
			{"0.30000000000000004", "0.30000000000000004"},
			{"0.300000000000000040", "0.30000000000000004"},
			{"123456789.123456789123456789", "123456789.12345679"},
			{"4503599627370495.5", "4503599627370495.5"},
			{"4503599627370494.5e0", "4503599627370494.5"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[CALL_NUMBER_TEXT_MAX + 1];
		size_t len = 0;
		assert_int_equal(call_number_canonical(rows[i].token, strlen(rows[i].token), out, &len), 0);
		out[len] = '\0';
		assert_string_equal(out, rows[i].text);
	}
}

static void tokens_too_large_are_refused(void **state)
{
	static const struct {
		const char *token;
		int rc;
	} rows[] = {
			{"1e400", CH_ELIMIT},
			{"-1e309", CH_ELIMIT},
			{"1.8e308", CH_ELIMIT},
			{"1e999999999999999999999", CH_ELIMIT},
			{"9007199254740992", CH_EINVAL},
			{"-9007199254740992", CH_EINVAL},
			{"9007199254740991.5", CH_EINVAL},
			{"1e16", CH_EINVAL},
			{"9.1e15", CH_EINVAL},
			{"123456789012345680000", CH_EINVAL},
			{"1e20", CH_EINVAL},
			{"1000000000000000000000", CH_EINVAL},
			{"1000000000000000000000.5", CH_EINVAL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[CALL_NUMBER_TEXT_MAX];
		size_t len = 0;
		assert_int_equal(call_number_canonical(rows[i].token, strlen(rows[i].token), out, &len),
				rows[i].rc);
	}
}

static void a_long_tail_of_digits_still_breaks_a_tie(void **state)
{
	/* Half way between two doubles: ties go to the even one, but a digit far behind decides. */
	static const char tie[] = "4503599627370495.25";
	char token[2000], out[CALL_NUMBER_TEXT_MAX + 1];
	size_t len = 0;
	memcpy(token, tie, sizeof tie);
	assert_int_equal(call_number_canonical(token, strlen(token), out, &len), 0);
	out[len] = '\0';
	assert_string_equal(out, "4503599627370495");
	memset(token + sizeof tie - 1, '0', 1500);
	memcpy(token + sizeof tie - 1 + 1500, "1", 2);
	assert_int_equal(call_number_canonical(token, strlen(token), out, &len), 0);
	out[len] = '\0';
	assert_string_equal(out, "4503599627370495.5");
}

static void the_locale_changes_nothing(void **state)
{
	/* Made by the build, found by LOCPATH. */
	assert_non_null(setlocale(LC_ALL, "de_DE.UTF-8"));
	assert_string_equal(localeconv()->decimal_point, ",");
	char out[CALL_NUMBER_TEXT_MAX + 1];
	size_t len = 0;
	assert_int_equal(call_number_canonical("0.30000000000000004", 19, out, &len), 0);
	setlocale(LC_ALL, "C");
	out[len] = '\0';
	assert_string_equal(out, "0.30000000000000004");
}

int call_number_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(numbers_are_printed_as_javascript_does),
			cmocka_unit_test(tokens_become_canonical),
			cmocka_unit_test(tokens_too_large_are_refused),
			cmocka_unit_test(a_long_tail_of_digits_still_breaks_a_tie),
			cmocka_unit_test(the_locale_changes_nothing),
	};
	return cmocka_run_group_tests_name("call_number", tests, NULL, NULL);
}
