#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/request_limit.h"
#include "base/err.h"

#define LOOPS 4
#define EACH 1000

static struct request_limit *make(int count, int seconds)
{
	struct ch_rand rand = ch_rand_system();
	struct request_limit *l;

	assert_int_equal(request_limit_create((struct request_rate){count, seconds}, &rand, &l), 0);
	return l;
}

static struct request_quota take(struct request_limit *l, int64_t account, enum request_kind kind, int64_t ms)
{
	struct request_quota q;

	assert_int_equal(request_limit_take(l, account, kind, (struct ch_mono){ms}, &q), 0);
	return q;
}

static void a_window_has_so_many(void **state)
{
	struct request_limit *l = make(3, 15);

	for (int i = 2; i >= 0; i--) {
		struct request_quota q = take(l, 1, REQUEST_API, 30000);
		assert_int_equal(q.limit, 3);
		assert_int_equal(q.remaining, i);
		assert_false(q.is_over);
	}
	struct request_quota q = take(l, 1, REQUEST_API, 30001);
	assert_true(q.is_over);
	assert_int_equal(q.remaining, 0);
	assert_int_equal(q.retry_after_s, 15);
	assert_int_equal(take(l, 1, REQUEST_API, 44999).retry_after_s, 1);
	assert_true(take(l, 1, REQUEST_API, 44999).is_over);
	q = take(l, 1, REQUEST_API, 45000); /* the next one; what was refused counts nowhere */
	assert_false(q.is_over);
	assert_int_equal(q.remaining, 2);
	request_limit_destroy(&l);
}

static void accounts_and_kinds_are_counted_apart(void **state)
{
	struct request_limit *l = make(1, 15);

	assert_false(take(l, 1, REQUEST_API, 0).is_over);
	assert_true(take(l, 1, REQUEST_API, 0).is_over);
	assert_false(take(l, 1, REQUEST_PAGE, 0).is_over);
	assert_true(take(l, 1, REQUEST_PAGE, 0).is_over);
	assert_false(take(l, 2, REQUEST_API, 0).is_over);
	request_limit_destroy(&l);
}

static void a_clock_of_another_loop_opens_no_second_window(void **state)
{
	struct request_limit *l = make(1, 15);

	assert_false(take(l, 1, REQUEST_API, 15000).is_over);
	assert_true(take(l, 1, REQUEST_API, 14999).is_over);
	assert_true(take(l, 1, REQUEST_API, 15000).is_over);
	request_limit_destroy(&l);
}

static void old_windows_are_forgotten(void **state)
{
	struct request_limit *l = make(1, 1);

	for (int64_t i = 0; i < 10000; i++)
		assert_false(take(l, i, REQUEST_API, i).is_over);
	for (int64_t i = 9900; i < 10000; i++)
		assert_true(take(l, i, REQUEST_API, 9999).is_over);
	request_limit_destroy(&l);
}

static void without_a_limit_nothing_is_counted(void **state)
{
	struct request_limit *l = make(0, 0);

	for (int i = 0; i < 1000; i++) {
		struct request_quota q = take(l, 1, REQUEST_API, 0);
		assert_int_equal(q.limit, 0);
		assert_false(q.is_over);
	}
	request_limit_destroy(&l);
}

struct loop {
	pthread_t thread;
	struct request_limit *limit;
	int passed;
};

static void *ask(void *arg)
{
	struct loop *loop = arg;
	struct request_quota q = {0};

	for (int i = 0; i < EACH; i++)
		if (request_limit_take(loop->limit, 1, REQUEST_API, (struct ch_mono){0}, &q) == 0)
			loop->passed += !q.is_over;
	return NULL;
}

static void several_loops_count_together(void **state)
{
	struct loop loops[LOOPS] = {0};
	struct request_limit *l = make(EACH + 7, 15);
	int passed = 0;

	for (int i = 0; i < LOOPS; i++) {
		loops[i].limit = l;
		assert_int_equal(pthread_create(&loops[i].thread, NULL, ask, &loops[i]), 0);
	}
	for (int i = 0; i < LOOPS; i++) {
		pthread_join(loops[i].thread, NULL);
		passed += loops[i].passed;
	}
	assert_int_equal(passed, EACH + 7);
	request_limit_destroy(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_window_has_so_many),
			cmocka_unit_test(accounts_and_kinds_are_counted_apart),
			cmocka_unit_test(a_clock_of_another_loop_opens_no_second_window),
			cmocka_unit_test(old_windows_are_forgotten),
			cmocka_unit_test(without_a_limit_nothing_is_counted),
			cmocka_unit_test(several_loops_count_together),
	};
	return cmocka_run_group_tests_name("request limit", tests, NULL, NULL);
}
