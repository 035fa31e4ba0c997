#include "test_base.h"

#include <string.h>

#include "base/alloc.h"

static void test_zero_bytes_are_served(void **state)
{
	void *a = ch_alloc(0);
	void *b = ch_calloc(0, 8);
	assert_non_null(a);
	assert_non_null(b);
	a = ch_realloc(a, 0);
	assert_non_null(a);
	ch_free(a);
	ch_free(b);
	ch_free(NULL);
}

static void test_calloc_clears_and_refuses_overflow(void **state)
{
	static const char zeros[64];
	char *p = ch_calloc(8, 8);
	assert_memory_equal(p, zeros, 64);
	ch_free(p);
	volatile size_t huge = SIZE_MAX / 2;
	assert_null(ch_calloc(huge, 3));
	assert_null(ch_memdup0("", SIZE_MAX));
}

static void test_copies(void **state)
{
	char *s = ch_strdup("call");
	assert_string_equal(s, "call");
	ch_free(s);
	char *m = ch_memdup0("a\0b", 3);
	assert_memory_equal(m, "a\0b", 4);
	ch_free(m);
	char *e = ch_memdup0(NULL, 0);
	assert_string_equal(e, "");
	ch_free(e);
}

static void test_cleanup_frees(void **state)
{
	CH_CLEANUP(ch_free_p) char *text = ch_strdup("freed at the end of the scope");
	CH_CLEANUP(ch_free_p) int *none = NULL;
	assert_non_null(text);
	assert_null(none);
}

static bool always(void *ctx)
{
	++*(int *)ctx;
	return true;
}

static void test_hook_fails_every_door(void **state)
{
	int asked = 0;
	char *old = ch_strdup("stays");
	unsigned failures = ch_alloc_failures();
	ch_alloc_set_hook(always, &asked);
	void *a = ch_alloc(1);
	void *b = ch_calloc(1, 1);
	void *c = ch_realloc(old, 100);
	char *d = ch_strdup("x");
	char *e = ch_memdup0("x", 1);
	ch_alloc_set_hook(NULL, NULL);
	assert_true(!a && !b && !c && !d && !e);
	assert_int_equal(ch_alloc_failures() - failures, 5);
	assert_int_equal(asked, 5);
	assert_string_equal(old, "stays");
	ch_free(old);
	a = ch_alloc(1);
	assert_non_null(a);
	ch_free(a);
}

int run_alloc(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_zero_bytes_are_served),
			cmocka_unit_test(test_calloc_clears_and_refuses_overflow),
			cmocka_unit_test(test_copies),
			cmocka_unit_test(test_cleanup_frees),
			cmocka_unit_test(test_hook_fails_every_door),
	};
	return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
