#include "test_faults.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)

/* Where the wall clock stands at each put, from NOW_MS. */
static const int64_t places_ms[] = {
		0, DAY_MS, DAY_MS + 1, -2 * DAY_MS, -HOUR_MS, 0, 3650 * DAY_MS, 1, -3650 * DAY_MS, 2, 3};
#define PLACES (sizeof(places_ms) / sizeof(places_ms[0]))

static int setup(void **state)
{
	struct twin *t = calloc(1, sizeof(*t));
	struct ch_err err = {0};

	twin_init(t);
	assert_int_equal(twin_open(t, &err), 0);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	twin_fini(*state);
	free(*state);
	return 0;
}

static void reopen(struct twin *t)
{
	struct ch_err err = {0};

	twin_close(t);
	assert_int_equal(twin_open(t, &err), 0);
}

/* Puts one call at each place; with_restarts: the store is opened anew before each. */
static void put_all(struct twin *t, struct delivery made[PLACES], bool with_restarts)
{
	make_webhook(&t->disk, 1, true);
	for (size_t i = 0; i < PLACES; i++) {
		t->disk.clock.wall.ms = NOW_MS + places_ms[i];
		if (with_restarts)
			reopen(t);
		made[i] = make_delivery(&t->disk, (unsigned)i + 1);
		assert_int_equal(made[i].created_ms, NOW_MS + places_ms[i]);
		assert_int_equal(made[i].due_ms, NOW_MS + places_ms[i]);
		if (i > 0)
			assert_true(id_compare(&made[i - 1].id, &made[i].id) < 0);
	}
}

/* Newest first by id, whatever the clock said. */
static void assert_listed(const struct twin *t, const struct delivery made[PLACES])
{
	struct store_request r;

	ask_list(&r, 100);
	assert_int_equal(serve(&t->disk, &r), 0);
	assert_int_equal(r.u.delivery_list.out.count, PLACES);
	for (size_t i = 0; i < PLACES; i++)
		assert_id_equal(&r.u.delivery_list.out.rows[i].id, &made[PLACES - 1 - i].id);
	store_request_fini(&r);
}

/* A list by time finds a delivery by when it was made, though its id may name another moment. */
static void assert_found_by_time(const struct twin *t, const struct delivery *d)
{
	struct store_request r;

	ask_list(&r, 100);
	r.u.delivery_list.in.from_ms = r.u.delivery_list.in.to_ms = d->created_ms;
	assert_int_equal(serve(&t->disk, &r), 0);
	assert_true(r.u.delivery_list.out.count >= 1);
	for (size_t i = 0; i < r.u.delivery_list.out.count; i++)
		assert_int_equal(r.u.delivery_list.out.rows[i].created_ms, d->created_ms);
	store_request_fini(&r);
}

/* What is due at a moment is claimed by its due time; of the rest the store says when. */
static void assert_claimed(struct twin *t, int64_t now_ms)
{
	struct store_request r;
	int64_t next_ms = -1, last_ms = INT64_MIN;
	size_t due = 0;

	for (size_t i = 0; i < PLACES; i++) {
		int64_t at_ms = NOW_MS + places_ms[i];

		due += at_ms <= now_ms;
		if (at_ms > now_ms && (next_ms < 0 || at_ms < next_ms))
			next_ms = at_ms;
	}
	t->disk.clock.wall.ms = now_ms;
	ask_claim(&t->disk, &r, 1, 50);
	assert_int_equal(serve(&t->disk, &r), 0);
	assert_int_equal(r.u.claim.out.count, due);
	assert_int_equal(r.u.claim.out.next_due_ms, next_ms);
	for (size_t i = 0; i < due; i++) {
		assert_true(r.u.claim.out.rows[i].due_ms >= last_ms);
		last_ms = r.u.claim.out.rows[i].due_ms;
	}
	store_request_fini(&r);
}

static void check_all(struct twin *t, struct delivery made[PLACES])
{
	assert_listed(t, made);
	for (size_t i = 0; i < PLACES; i++)
		assert_found_by_time(t, &made[i]);
	assert_claimed(t, NOW_MS + 3);
	assert_claimed(t, NOW_MS - 3 * DAY_MS);
	assert_claimed(t, NOW_MS + 4000 * DAY_MS);
	assert_ledger(&t->disk, ACCOUNT, PLACES, 0, 0, 0, 0);
}

static void a_clock_that_jumps_between_puts(void **state)
{
	struct delivery made[PLACES];

	put_all(*state, made, false);
	check_all(*state, made);
	reopen(*state);
	check_all(*state, made);
	for (size_t i = 0; i < PLACES; i++)
		delivery_fini(&made[i]);
}

static void a_clock_that_jumps_between_runs(void **state)
{
	struct delivery made[PLACES];

	put_all(*state, made, true);
	check_all(*state, made);
	for (size_t i = 0; i < PLACES; i++)
		delivery_fini(&made[i]);
}

int fault_clock_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(a_clock_that_jumps_between_puts, setup, teardown),
			cmocka_unit_test_setup_teardown(a_clock_that_jumps_between_runs, setup, teardown),
	};

	return cmocka_run_group_tests_name("the wall clock", tests, NULL, NULL);
}
