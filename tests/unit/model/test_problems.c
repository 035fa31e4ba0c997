#include <string.h>

#include "base/alloc.h"
#include "model/problems.h"
#include "test_model.h"

#define POINTER_BYTES 256

static void problems_are_kept_in_order(void **state)
{
	struct problems p;
	problems_init(&p);
	problems_add(&p, "", "must be %s", "an object");
	problems_add(&p, "/phone", "must be a string");
	assert_int_equal(p.count, 2);
	assert_string_equal(p.items[0].pointer, "");
	assert_string_equal(p.items[0].detail, "must be an object");
	assert_string_equal(p.items[1].pointer, "/phone");
	assert_false(p.truncated);
	problems_fini(&p);
	assert_int_equal(p.count, 0);
}

static void a_full_list_takes_no_more_and_says_so(void **state)
{
	struct problems p;
	problems_init(&p);
	for (int i = 0; i < PROBLEMS_MAX; i++)
		problems_add(&p, "/x", "number %d", i);
	assert_int_equal(p.count, PROBLEMS_MAX);
	assert_false(p.truncated);
	problems_add(&p, "/x", "one more");
	assert_int_equal(p.count, PROBLEMS_MAX);
	assert_true(p.truncated);
	assert_string_equal(p.items[PROBLEMS_MAX - 1].detail, "number 49");
	problems_fini(&p);
	assert_false(p.truncated);
}

static void a_long_pointer_is_cut_behind_a_whole_character(void **state)
{
	char pointer[601];
	struct problems p;
	problems_init(&p);
	for (int shift = 0; shift < 4; shift++) {
		memset(pointer, 'x', (size_t)shift);
		for (int i = shift; i + 4 < 600; i += 4)
			memcpy(pointer + i, "\xf0\x9f\x98\x80", 5);
		problems_add(&p, pointer, "long");
		const char *cut = p.items[p.count - 1].pointer;
		size_t len = strlen(cut);
		assert_true(len <= POINTER_BYTES && len > POINTER_BYTES - 4);
		assert_string_equal(cut + len - 3, "\xe2\x80\xa6");
		assert_memory_equal(cut, pointer, len - 3);
		assert_int_equal((len - 3 - (size_t)shift) % 4, 0);
	}
	memset(pointer, 'y', POINTER_BYTES);
	pointer[POINTER_BYTES] = '\0';
	problems_add(&p, pointer, "just fits");
	assert_string_equal(p.items[p.count - 1].pointer, pointer);
	problems_fini(&p);
}

static void bytes_that_are_no_utf8_are_replaced(void **state)
{
	static const struct {
		const char *given, *kept;
	} rows[] = {
			{"/a\xff/b", "/a\xef\xbf\xbd/b"},
			{"/\xc3", "/\xef\xbf\xbd"},
			{"/\xed\xa0\x80", "/\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
			{"/\xc3\xa9", "/\xc3\xa9"},
	};
	struct problems p;
	problems_init(&p);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		problems_add(&p, rows[i].given, "%s", rows[i].given);
		assert_string_equal(p.items[i].pointer, rows[i].kept);
		assert_string_equal(p.items[i].detail, rows[i].kept);
	}
	problems_fini(&p);
}

static bool fail_nth(void *ctx)
{
	int *left = ctx;
	return (*left)-- == 0;
}

static void without_memory_an_entry_is_dropped_and_that_is_said(void **state)
{
	for (int nth = 0; nth < 2; nth++) {
		struct problems p;
		problems_init(&p);
		int left = nth;
		ch_alloc_set_hook(fail_nth, &left);
		problems_add(&p, "/x", "lost");
		ch_alloc_set_hook(NULL, NULL);
		assert_int_equal(p.count, 0);
		assert_true(p.truncated);
		problems_fini(&p);
	}
}

int problems_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(problems_are_kept_in_order),
			cmocka_unit_test(a_full_list_takes_no_more_and_says_so),
			cmocka_unit_test(a_long_pointer_is_cut_behind_a_whole_character),
			cmocka_unit_test(bytes_that_are_no_utf8_are_replaced),
			cmocka_unit_test(without_memory_an_entry_is_dropped_and_that_is_said),
	};
	return cmocka_run_group_tests_name("problems", tests, NULL, NULL);
}
