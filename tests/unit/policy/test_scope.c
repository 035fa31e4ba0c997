#include "test_policy.h"

#include <string.h>

#include "base/err.h"
#include "policy/scope.h"

static void names_go_both_ways(void **state)
{
	static const struct {
		enum scope scope;
		const char *name;
	} rows[] = {
			{SCOPE_CALLS_READ, "calls:read"},
			{SCOPE_CALLS_WRITE, "calls:write"},
			{SCOPE_INTEGRATIONS_READ, "integrations:read"},
			{SCOPE_INTEGRATIONS_WRITE, "integrations:write"},
	};
	scope_set all = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum scope got = SCOPE_NONE;
		assert_string_equal(scope_name(rows[i].scope), rows[i].name);
		assert_int_equal(scope_parse(rows[i].name, strlen(rows[i].name), &got), 0);
		assert_int_equal(got, rows[i].scope);
		all |= (scope_set)rows[i].scope;
	}
	assert_int_equal(all, SCOPE_ALL);
}

static void other_names_are_refused(void **state)
{
	static const char *const bad[] = {
			"", "calls", "calls:", "calls:read ", "Calls:read", "calls:reads", "*", "none"};
	enum scope got = SCOPE_CALLS_WRITE;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(scope_parse(bad[i], strlen(bad[i]), &got), CH_EINVAL);
	assert_int_equal(got, SCOPE_CALLS_WRITE);
}

static void all_that_is_needed_must_be_held(void **state)
{
	for (unsigned held = 0; held <= SCOPE_ALL; held++) {
		for (unsigned needed = 0; needed <= SCOPE_ALL; needed++) {
			bool want = true;
			for (unsigned bit = 1; bit <= SCOPE_ALL; bit <<= 1)
				want = want && ((needed & bit) == 0 || (held & bit) != 0);
			assert_int_equal(scope_allows((scope_set)held, (scope_set)needed), want);
		}
	}
	/* Writing does not include reading. */
	assert_false(scope_allows(SCOPE_CALLS_WRITE, SCOPE_CALLS_READ));
}

int scope_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(names_go_both_ways),
			cmocka_unit_test(other_names_are_refused),
			cmocka_unit_test(all_that_is_needed_must_be_held),
	};
	return cmocka_run_group_tests_name("scope", tests, NULL, NULL);
}
