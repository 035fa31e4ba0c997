#include "contract.h"

#define MINUTE_MS 60000

static int64_t total_of(const struct backlog *all)
{
	int64_t total = 0;

	for (size_t i = 0; i < BACKLOG_AGES; i++)
		total += all->counts[i];
	return total;
}

/* Due at any time and tried or not: the age alone says the column, however small the pieces. */
static void what_waits_is_counted_by_its_age(void **state)
{
	static const size_t limits[] = {1, 2, 4, 5, 1000};
	struct bed *b = *state;
	struct delivery d[5];
	struct store_request r;

	make_webhook(b, 1, true);
	for (unsigned i = 0; i < 5; i++) {
		d[i] = make_delivery(b, i);
		ch_clock_virtual_advance(&b->clock, MINUTE_MS);
	}
	/* Ages are 5, 4, 3, 2 and 1 minutes. */
	for (unsigned i = 0; i < 2; i++) {
		ask_attempt(b, &r, &d[i], i + 1, DELIVERY_PENDING);
		r.u.attempt.in.next.due_ms = b->clock.wall.ms + (int64_t)(9 - i) * 1000;
		assert_int_equal(serve_drop(b, &r), 0);
	}
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct backlog all = backlog_of(b, 1, limits[i]);

		assert_int_equal(all.counts[0], 0);
		assert_int_equal(all.counts[1], 1);
		assert_int_equal(all.counts[2], 2);
		assert_int_equal(all.counts[3], 2);
		assert_int_equal(total_of(&all), 5);
		assert_int_equal(all.oldest_ms, NOW_MS);
	}
	for (unsigned i = 0; i < 5; i++)
		delivery_fini(&d[i]);
}

static void only_pending_ones_of_the_webhook_count(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct backlog all;
	struct delivery d[3];

	make_webhook(b, 1, true);
	for (unsigned i = 0; i < 3; i++)
		d[i] = make_delivery(b, i);
	ask_attempt(b, &r, &d[0], 1, DELIVERY_DELIVERED);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_attempt(b, &r, &d[1], 2, DELIVERY_FAILED);
	assert_int_equal(serve_drop(b, &r), 0);
	make_webhook(b, 2, true);
	all = backlog_of(b, 1, 10);
	assert_int_equal(total_of(&all), 1);
	all = backlog_of(b, 2, 10);
	assert_int_equal(total_of(&all), 0);
	assert_int_equal(all.oldest_ms, -1);
	ask_update(b, &r, 1, false, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	sweep_all(b, 1, 10);
	all = backlog_of(b, 1, 10);
	assert_int_equal(total_of(&all), 0);
	for (unsigned i = 0; i < 3; i++)
		delivery_fini(&d[i]);
}

static void a_resent_one_is_as_old_as_it_is(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct backlog all;
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	ask_attempt(b, &r, &d, 1, DELIVERY_DELIVERED);
	assert_int_equal(serve_drop(b, &r), 0);
	ch_clock_virtual_advance(&b->clock, 10 * MINUTE_MS);
	ask_resend(b, &r, &d.id);
	assert_int_equal(serve_drop(b, &r), 0);
	all = backlog_of(b, 1, 10);
	assert_int_equal(all.counts[backlog_age_of(10 * MINUTE_MS)], 1);
	assert_int_equal(all.oldest_ms, NOW_MS);
	delivery_fini(&d);
}

static void others_and_deleted_webhooks_have_none(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	make_webhook_of(b, OTHER_ACCOUNT, 2);
	make_webhook(b, 1, true);
	assert_int_equal(backlog_of(b, 2, 10).oldest_ms, -2);
	assert_int_equal(backlog_of(b, 3, 10).oldest_ms, -2);
	ask_delete(b, &r, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(backlog_of(b, 1, 10).oldest_ms, -2);
}

/* In whatever pieces, also where one ends between two webhooks; other accounts' and deleted ones' too. */
static void everybodys_is_the_sum_of_all(void **state)
{
	static const size_t limits[] = {1, 2, 3, 4, 100};
	struct bed *b = *state;
	struct call_spec spec = {.account = OTHER_ACCOUNT, .call = 9, .status = CALL_COMPLETED};
	struct store_request r;
	struct backlog all = backlog_of(b, ALL_WEBHOOKS, 10);

	assert_int_equal(total_of(&all), 0);
	assert_int_equal(all.oldest_ms, -1);
	make_webhook(b, 1, true);
	make_webhook(b, 2, true);
	make_webhook_of(b, OTHER_ACCOUNT, 3);
	ask_put(b, &r, &spec);
	assert_int_equal(serve_drop(b, &r), 0);
	ch_clock_virtual_advance(&b->clock, 2 * MINUTE_MS);
	for (unsigned i = 0; i < 2; i++) {
		spec = (struct call_spec){.call = i, .status = CALL_COMPLETED};
		ask_put(b, &r, &spec);
		assert_int_equal(serve_drop(b, &r), 0);
	}
	ask_delete(b, &r, 2);
	assert_int_equal(serve_drop(b, &r), 0);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		all = backlog_of(b, ALL_WEBHOOKS, limits[i]);
		assert_int_equal(all.counts[0], 4);
		assert_int_equal(all.counts[2], 1);
		assert_int_equal(total_of(&all), 5);
		assert_int_equal(all.oldest_ms, NOW_MS);
	}
}

int contract_backlog(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					what_waits_is_counted_by_its_age, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					only_pending_ones_of_the_webhook_count, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_resent_one_is_as_old_as_it_is, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					others_and_deleted_webhooks_have_none, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					everybodys_is_the_sum_of_all, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("backlog", tests, NULL, NULL);
}
