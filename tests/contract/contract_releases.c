#include "contract.h"

#define PARKED_COUNT 7

/* Webhook 1 switched off with PARKED_COUNT parked, oldest first in ids; its revision is 2. */
static void park_some(struct bed *b, struct id ids[PARKED_COUNT])
{
	struct store_request r;

	make_webhook(b, 1, true);
	for (unsigned i = 0; i < PARKED_COUNT; i++) {
		struct delivery d = make_delivery(b, i);

		ids[i] = d.id;
		ask_attempt(b, &r, &d, 1 + i, DELIVERY_PENDING);
		/* The oldest is due last, so that the order of due times is not that of ids. */
		r.u.attempt.in.next.due_ms -= i;
		r.u.attempt.in.next.tries = 3;
		assert_int_equal(serve_drop(b, &r), 0);
		delivery_fini(&d);
	}
	ask_update(b, &r, 1, false, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(sweep_all(b, 1, 3), PARKED_COUNT);
}

static void update(const struct bed *b, bool enabled, bool release, int64_t revision)
{
	struct store_request r;

	ask_update(b, &r, 1, enabled, revision);
	r.u.webhook_update.in.release = release;
	assert_int_equal(serve_drop(b, &r), 0);
}

/* Serves one sweep and checks what it says. */
static void sweep(const struct bed *b, size_t limit, size_t moved, bool more, bool released)
{
	struct store_request r;

	ask_sweep(b, &r, 1, limit);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.webhook_sweep.out.moved, moved);
	assert_int_equal(r.u.webhook_sweep.out.more, more);
	assert_int_equal(r.u.webhook_sweep.out.released, released);
	store_request_fini(&r);
}

static size_t count_sweeps(const struct bed *b)
{
	struct store_request r;
	size_t count;

	store_request_init(&r, STORE_SWEEPS, NULL, NULL);
	assert_int_equal(serve(b, &r), 0);
	count = r.u.sweeps.out.count;
	store_request_fini(&r);
	return count;
}

static void assert_released(const struct bed *b, const struct id *id)
{
	struct delivery d = delivery_of(b, id);

	assert_int_equal(d.state, DELIVERY_PENDING);
	assert_int_equal(d.due_ms, b->clock.wall.ms);
	assert_int_equal(d.tries, 0);
	assert_int_equal(d.attempts, 1);
	assert_int_equal(d.round, 0);
	assert_null(d.reason);
	delivery_fini(&d);
}

static void a_release_goes_in_chunks_oldest_first(void **state)
{
	struct bed *b = *state;
	struct id ids[PARKED_COUNT];

	park_some(b, ids);
	update(b, true, true, 2);
	assert_int_equal(count_sweeps(b), 1);
	assert_ledger(b, ACCOUNT, 0, 0, 0, PARKED_COUNT, 0);
	ch_clock_virtual_advance(&b->clock, 9000);
	sweep(b, 3, 3, true, true);
	for (int i = 0; i < PARKED_COUNT; i++) {
		if (i < 3)
			assert_released(b, &ids[i]);
		else
			assert_int_equal(state_of(b, &ids[i]), DELIVERY_PARKED);
	}
	assert_ledger(b, ACCOUNT, 3, 0, 0, PARKED_COUNT - 3, 0);
	assert_int_equal(count_sweeps(b), 1);
	sweep(b, 3, 3, true, true);
	sweep(b, 3, 1, false, true);
	assert_ledger(b, ACCOUNT, PARKED_COUNT, 0, 0, 0, 0);
	assert_int_equal(count_sweeps(b), 0);
	sweep(b, 3, 0, false, false);
	assert_int_equal(lane_of(b, 1).pending, PARKED_COUNT);
}

static void nothing_to_release_ends_at_once(void **state)
{
	struct bed *b = *state;

	make_webhook(b, 1, true);
	update(b, true, true, 1);
	assert_int_equal(count_sweeps(b), 1);
	sweep(b, 3, 0, false, false);
	assert_int_equal(count_sweeps(b), 0);
}

static void another_change_does_not_end_a_release(void **state)
{
	struct bed *b = *state;
	struct id ids[PARKED_COUNT];

	park_some(b, ids);
	update(b, true, true, 2);
	sweep(b, 2, 2, true, true);
	update(b, true, false, 3);
	assert_int_equal(count_sweeps(b), 1);
	assert_int_equal(sweep_all(b, 1, 2), PARKED_COUNT - 2);
	assert_ledger(b, ACCOUNT, PARKED_COUNT, 0, 0, 0, 0);
}

static void switching_off_ends_a_release(void **state)
{
	struct bed *b = *state;
	struct id ids[PARKED_COUNT];

	park_some(b, ids);
	update(b, true, true, 2);
	sweep(b, 2, 2, true, true);
	update(b, false, false, 3);
	sweep(b, 10, 2, false, false);
	assert_ledger(b, ACCOUNT, 0, 0, 0, PARKED_COUNT, 0);
	/* And it stays ended when the switch goes on again. */
	update(b, true, false, 4);
	assert_int_equal(count_sweeps(b), 0);
	assert_int_equal(sweep_all(b, 1, 10), 0);
	assert_ledger(b, ACCOUNT, 0, 0, 0, PARKED_COUNT, 0);
}

static void deleting_ends_a_release(void **state)
{
	struct bed *b = *state;
	struct id ids[PARKED_COUNT];
	struct store_request r;

	park_some(b, ids);
	update(b, true, true, 2);
	sweep(b, 2, 2, true, true);
	ask_delete(b, &r, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	sweep(b, 4, 4, true, false);
	sweep(b, 4, 3, false, false);
	assert_ledger(b, ACCOUNT, 0, 0, 0, 0, PARKED_COUNT);
	assert_int_equal(count_sweeps(b), 0);
}

static void a_release_that_overtakes_the_parking_leaves_nothing_parked(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	make_webhook(b, 1, true);
	for (unsigned i = 0; i < 5; i++) {
		struct delivery d = make_delivery(b, i);

		delivery_fini(&d);
	}
	ask_update(b, &r, 1, false, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	sweep(b, 2, 2, true, false);
	update(b, true, true, 2);
	sweep(b, 10, 2, false, true);
	assert_ledger(b, ACCOUNT, 5, 0, 0, 0, 0);
}

static void a_release_is_resumed_after_a_restart(void **state)
{
	struct bed *b = *state;
	struct id ids[PARKED_COUNT];

	park_some(b, ids);
	update(b, true, true, 2);
	bed_restart(b);
	assert_int_equal(count_sweeps(b), 1);
	sweep(b, 3, 3, true, true);
	bed_restart(b);
	assert_int_equal(count_sweeps(b), 1);
	update(b, true, false, 3);
	assert_int_equal(sweep_all(b, 1, 3), PARKED_COUNT - 3);
	bed_restart(b);
	assert_int_equal(count_sweeps(b), 0);
	assert_ledger(b, ACCOUNT, PARKED_COUNT, 0, 0, 0, 0);
}

static int restarts(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					a_release_is_resumed_after_a_restart, bed_setup, bed_teardown),
	};

	return flavour_is_durable(contract_flavour)
			       ? cmocka_run_group_tests_name("releases, restart", tests, NULL, NULL)
			       : 0;
}

int contract_releases(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					a_release_goes_in_chunks_oldest_first, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					nothing_to_release_ends_at_once, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					another_change_does_not_end_a_release, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					switching_off_ends_a_release, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(deleting_ends_a_release, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_release_that_overtakes_the_parking_leaves_nothing_parked, bed_setup,
					bed_teardown),
	};

	return cmocka_run_group_tests_name("releases", tests, NULL, NULL) + restarts();
}
