#include "test_store_sqlite.h"

static bool is_kept(const struct bed *b)
{
	struct id id = id_of('w', 1);

	return sq_hook_find(&sqlite_of_bed(b)->hooks, &id) != NULL;
}

/* Webhook 1 deleted; both deliveries canceled. */
static void make_gone(const struct bed *b, struct delivery d[2])
{
	struct store_request r;

	make_webhook(b, 1, true);
	d[0] = make_delivery(b, 1);
	d[1] = make_delivery(b, 2);
	ask_delete(b, &r, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_sweep(b, &r, 1, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_true(is_kept(b));
	assert_int_equal(sweep_all(b, 1, 5), 1);
}

static void a_deleted_webhook_is_not_kept_in_memory(void **state)
{
	struct bed *b = *state;
	struct delivery d[2];

	make_gone(b, d);
	assert_false(is_kept(b));
	bed_restart(b);
	assert_false(is_kept(b));
	for (int i = 0; i < 2; i++)
		delivery_fini(&d[i]);
}

static void late_answers_to_one_that_is_gone_still_count(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d[2];

	make_gone(b, d);
	ask_attempt(b, &r, &d[0], 1, DELIVERY_DELIVERED);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.attempt.out.state, DELIVERY_DELIVERED);
	store_request_fini(&r);
	assert_false(is_kept(b));
	assert_ledger(b, ACCOUNT, 0, 1, 0, 0, 1);
	ask_resend(b, &r, &d[1].id);
	assert_int_equal(serve_drop(b, &r), CH_ECONFLICT);
	ask_webhook(b, &r, 1, true);
	assert_int_equal(serve_drop(b, &r), CH_EEXIST);
	assert_int_equal(sweep_all(b, 1, 5), 0);
	assert_false(is_kept(b));
	for (int i = 0; i < 2; i++)
		delivery_fini(&d[i]);
}

static void a_success_without_a_streak_writes_nothing_about_the_receiver(void **state)
{
	struct bed *b = *state;
	struct sq_hook *hook;
	struct store_request r;
	struct delivery d;
	struct id id = id_of('w', 1);
	struct ch_err err = {0};

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	ask_attempt(b, &r, &d, 1, DELIVERY_DELIVERED);
	assert_int_equal(serve_drop(b, &r), 0);
	hook = sq_hook_find(&sqlite_of_bed(b)->hooks, &id);
	ask_attempt(b, &r, &d, 2, DELIVERY_DELIVERED);
	assert_int_equal(sq_attempt(sqlite_of_bed(b), &r, &err), 0);
	assert_false(hook->is_dirty);
	store_request_fini(&r);
	ask_attempt(b, &r, &d, 3, DELIVERY_FAILED);
	assert_int_equal(sq_attempt(sqlite_of_bed(b), &r, &err), 0);
	assert_true(hook->is_dirty);
	store_request_fini(&r);
	delivery_fini(&d);
}

int sqlite_hook_tests(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					a_deleted_webhook_is_not_kept_in_memory, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(late_answers_to_one_that_is_gone_still_count,
					bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_success_without_a_streak_writes_nothing_about_the_receiver,
					bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("sqlite hooks", tests, NULL, NULL);
}
