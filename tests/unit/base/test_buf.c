#include "test_base.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"

static void test_empty_reads_as_text(void **state)
{
	struct ch_buf b;
	ch_buf_init(&b, 10);
	assert_string_equal(ch_buf_text(&b), "");
	ch_buf_add(&b, NULL, 0);
	ch_buf_adds(&b, "");
	assert_null(b.data);
	ch_buf_fini(&b);
}

static void test_appends_in_order(void **state)
{
	struct ch_buf b;
	ch_buf_init(&b, 1000);
	ch_buf_add(&b, "a\0b", 3);
	ch_buf_addc(&b, 'c');
	ch_buf_adds(&b, "de");
	ch_buf_addf(&b, "%d-%s", 42, "x");
	assert_int_equal(b.len, 10);
	assert_memory_equal(b.data, "a\0bcde42-x", 11);
	assert_int_equal(b.err, 0);
	ch_buf_fini(&b);
	assert_null(b.data);
}

static void test_limit_is_reached_and_not_passed(void **state)
{
	for (size_t limit = 0; limit < 200; limit++) {
		struct ch_buf b;
		ch_buf_init(&b, limit);
		for (size_t i = 0; i < limit; i++)
			ch_buf_addc(&b, 'x');
		assert_int_equal(b.err, 0);
		assert_int_equal(b.len, limit);
		assert_true(b.cap <= limit + 1);
		ch_buf_addc(&b, 'y');
		assert_int_equal(b.err, CH_ELIMIT);
		assert_int_equal(b.len, limit);
		assert_int_equal(strlen(ch_buf_text(&b)), limit);
		ch_buf_fini(&b);
	}
}

static void test_first_failure_sticks_until_clear(void **state)
{
	struct ch_buf b;
	ch_buf_init(&b, 5);
	ch_buf_adds(&b, "abc");
	ch_buf_adds(&b, "defg");
	ch_buf_addc(&b, 'h');
	ch_buf_addf(&b, "i");
	assert_null(ch_buf_reserve(&b, 1));
	assert_int_equal(b.err, CH_ELIMIT);
	assert_string_equal(ch_buf_text(&b), "abc");
	ch_buf_clear(&b);
	assert_int_equal(b.err, 0);
	assert_string_equal(ch_buf_text(&b), "");
	ch_buf_adds(&b, "12345");
	assert_string_equal(ch_buf_text(&b), "12345");
	ch_buf_fini(&b);
}

static void test_format_leaves_nothing_of_what_does_not_fit(void **state)
{
	struct ch_buf b;
	ch_buf_init(&b, 8);
	ch_buf_adds(&b, "ab");
	ch_buf_addf(&b, "%s", "1234567");
	assert_int_equal(b.err, CH_ELIMIT);
	assert_string_equal(ch_buf_text(&b), "ab");
	ch_buf_clear(&b);
	ch_buf_addf(&b, "%s", "12345678");
	assert_int_equal(b.err, 0);
	assert_string_equal(ch_buf_text(&b), "12345678");
	ch_buf_fini(&b);
}

static void test_format_longer_than_what_is_allocated(void **state)
{
	char long_text[3000];
	memset(long_text, 'q', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	struct ch_buf b;
	ch_buf_init(&b, 10000);
	ch_buf_addf(&b, "<%s>", long_text);
	assert_int_equal(b.len, 3001);
	assert_memory_equal(b.data + 1, long_text, 2999);
	assert_int_equal(b.data[3000], '>');
	ch_buf_fini(&b);
}

static void test_reserve_and_commit(void **state)
{
	struct ch_buf b;
	ch_buf_init(&b, 100);
	ch_buf_adds(&b, "x");
	char *to = ch_buf_reserve(&b, 99);
	assert_non_null(to);
	memset(to, 'y', 99);
	ch_buf_commit(&b, 3);
	assert_string_equal(ch_buf_text(&b), "xyyy");
	assert_non_null(ch_buf_reserve(&b, 96));
	assert_null(ch_buf_reserve(&b, 97));
	ch_buf_fini(&b);
}

static void commit_too_much(void *arg)
{
	struct ch_buf *b = arg;
	(void)ch_buf_reserve(b, 1);
	ch_buf_commit(b, 1000);
}

static void test_commit_past_the_room_is_a_bug(void **state)
{
	struct ch_buf b;
	ch_buf_init(&b, 2000);
	assert_true(aborts(commit_too_much, &b));
	ch_buf_fini(&b);
}

static void test_huge_sizes_do_not_wrap(void **state)
{
	struct ch_buf b;
	ch_buf_init(&b, SIZE_MAX);
	ch_buf_adds(&b, "abc");
	assert_null(ch_buf_reserve(&b, SIZE_MAX));
	assert_int_equal(b.err, CH_ELIMIT);
	ch_buf_clear(&b);
	assert_null(ch_buf_reserve(&b, SIZE_MAX - 3));
	assert_int_equal(b.err, CH_ELIMIT);
	ch_buf_fini(&b);
}

static void test_detach(void **state)
{
	struct ch_buf b;
	ch_buf_init(&b, 100);
	char *none = ch_buf_detach(&b);
	assert_string_equal(none, "");
	ch_free(none);
	ch_buf_adds(&b, "mine now");
	char *text = ch_buf_detach(&b);
	assert_string_equal(text, "mine now");
	ch_free(text);
	assert_int_equal(b.len, 0);
	assert_null(b.data);
	ch_buf_adds(&b, "again");
	ch_buf_addf(&b, "%200s", "");
	assert_int_equal(b.err, CH_ELIMIT);
	assert_null(ch_buf_detach(&b));
	assert_int_equal(b.err, CH_ELIMIT);
	assert_null(b.data);
}

static void grow_in_steps(struct torture *t)
{
	struct ch_buf b;
	ch_buf_init(&b, 1 << 20);
	for (int i = 0; i < 3000 && !b.err; i++) {
		size_t before = b.len;
		if (i % 2)
			ch_buf_addf(&b, "%08d", i);
		else
			ch_buf_add(&b, "01234567", 8);
		assert_int_equal(b.len, b.err ? before : before + 8);
		if (b.data)
			assert_int_equal(b.data[b.len], '\0');
	}
	assert_int_equal(b.err, t->failed ? CH_ENOMEM : 0);
	char *text = ch_buf_detach(&b);
	assert_true((text == NULL) == t->failed);
	ch_free(text);
	ch_buf_fini(&b);
}

static void test_torture(void **state)
{
	assert_true(torture_run(grow_in_steps) > 5);
}

int run_buf(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_empty_reads_as_text),
			cmocka_unit_test(test_appends_in_order),
			cmocka_unit_test(test_limit_is_reached_and_not_passed),
			cmocka_unit_test(test_first_failure_sticks_until_clear),
			cmocka_unit_test(test_format_leaves_nothing_of_what_does_not_fit),
			cmocka_unit_test(test_format_longer_than_what_is_allocated),
			cmocka_unit_test(test_reserve_and_commit),
			cmocka_unit_test(test_commit_past_the_room_is_a_bug),
			cmocka_unit_test(test_huge_sizes_do_not_wrap),
			cmocka_unit_test(test_detach),
			cmocka_unit_test(test_torture),
	};
	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
