#include "test_store_sqlite.h"

#include "store/history.h"

#define MINUTE_MS 60000

/* What only the tables show: how many rows there are, and that nothing of them holds up a delivery. */

static int64_t number_of(const struct bed *b, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(sqlite_of_bed(b)->conn.db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

static void try_at(const struct bed *b, const struct delivery *d, unsigned attempt, int64_t started_ms)
{
	struct store_request r;

	ask_attempt(b, &r, d, attempt, DELIVERY_PENDING);
	r.u.attempt.in.attempt.started_ms = started_ms;
	assert_int_equal(serve_drop(b, &r), 0);
}

static int64_t attempts_of(const struct bed *b, unsigned webhook, int32_t step_s, size_t count)
{
	struct store_request r;
	int64_t sum = 0;

	ask_history(b, &r, webhook, step_s, count);
	assert_int_equal(serve(b, &r), 0);
	for (size_t i = 0; i < count; i++)
		sum += r.u.history.out.points[i].attempts;
	store_request_fini(&r);
	return sum;
}

static void a_minute_becomes_rows_when_another_begins(void **state)
{
	static const char rows[] = "SELECT count(*) FROM history",
			  sum[] = "SELECT total(attempts) FROM history "
				  "WHERE step = 60";
	struct bed *b = *state;
	struct delivery d;
	int64_t at_ms = NOW_MS - NOW_MS % (60 * MINUTE_MS) + 10 * MINUTE_MS;

	b->clock.wall.ms = at_ms;
	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	for (unsigned i = 1; i <= 5; i++)
		try_at(b, &d, i, at_ms);
	assert_int_equal(number_of(b, rows), 0);
	try_at(b, &d, 6, at_ms + MINUTE_MS);
	assert_int_equal(number_of(b, rows), 2);
	assert_int_equal(number_of(b, sum), 5);
	/* One that began before it and ended after leaves the minute open. */
	try_at(b, &d, 7, at_ms);
	assert_int_equal(number_of(b, rows), 2);
	assert_int_equal(number_of(b, sum), 6);
	assert_int_equal(number_of(b, "SELECT minute_attempts FROM ledger"), 1);
	/* A clock that was ahead by a day does not keep that day's minute open. */
	try_at(b, &d, 8, at_ms + 1440 * MINUTE_MS);
	try_at(b, &d, 9, at_ms + 2 * MINUTE_MS);
	assert_int_equal(number_of(b, "SELECT minute_s FROM ledger") * 1000, at_ms + 2 * MINUTE_MS);
	b->clock.wall.ms = at_ms + 2 * MINUTE_MS;
	assert_int_equal(attempts_of(b, 1, 60, 3), 8);
	delivery_fini(&d);
}

/* As many minutes as there are, a few at a time. */
static void what_is_old_is_removed_in_small_steps(void **state)
{
	struct bed *b = *state;
	struct delivery d;
	int64_t minutes, before;
	unsigned n = 0;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	for (int i = 0; i < 1000; i++, ch_clock_virtual_advance(&b->clock, MINUTE_MS))
		try_at(b, &d, ++n, b->clock.wall.ms);
	before = number_of(b, "SELECT count(*) FROM history WHERE step = 60");
	assert_int_equal(before, 999);
	ch_clock_virtual_advance(&b->clock, (int64_t)40 * 86400 * 1000);
	for (int i = 0; before > 1; i++) {
		try_at(b, &d, ++n, b->clock.wall.ms + i);
		minutes = number_of(b, "SELECT count(*) FROM history WHERE step = 60");
		assert_true(minutes < before && before - minutes <= 128);
		before = minutes;
	}
	assert_int_equal(number_of(b, "SELECT count(*) FROM history WHERE step = 3600"), 18);
	delivery_fini(&d);
}

/* A whole round of retention; in steps of limit rows. */
static int keep(const struct bed *b, int64_t attempts_before_ms, size_t limit)
{
	struct store_request r;
	int steps = 0;

	store_request_init(&r, STORE_RETENTION_STEP, NULL, NULL);
	for (bool more = true; more; steps++) {
		r.u.retention_step.in.now_ms = b->clock.wall.ms;
		r.u.retention_step.in.calls_before_ms = INT64_MIN;
		r.u.retention_step.in.attempts_before_ms = attempts_before_ms;
		r.u.retention_step.in.limit = limit;
		assert_int_equal(serve(b, &r), 0);
		more = r.u.retention_step.out.more;
		r.u.retention_step.in.place = r.u.retention_step.out.place;
		store_request_clear_out(&r);
	}
	store_request_fini(&r);
	return steps;
}

/* As long as attempts are kept, but never shorter than their minutes; also where nothing is sent any more. */
static void hours_go_with_the_attempts(void **state)
{
	static const char hours[] = "SELECT count(*) FROM history WHERE step = 3600";
	static const char minutes[] = "SELECT count(*) FROM history WHERE step = 60";
	struct bed *b = *state;
	struct delivery d;
	int64_t begin_ms = NOW_MS - NOW_MS % (60 * MINUTE_MS);

	b->clock.wall.ms = begin_ms;
	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	for (unsigned i = 0; i <= 40; i++)
		try_at(b, &d, i + 1, begin_ms + i * (int64_t)60 * MINUTE_MS);
	assert_int_equal(number_of(b, hours), 40);
	b->clock.wall.ms = begin_ms + (int64_t)50 * 60 * MINUTE_MS;
	keep(b, INT64_MIN, 100);
	assert_int_equal(number_of(b, hours), 40);
	/* Two days ago is in hour 2: what attempts say is later. */
	keep(b, b->clock.wall.ms, 100);
	assert_int_equal(number_of(b, hours), 38);
	assert_int_equal(number_of(b, minutes), 38);
	b->clock.wall.ms += (int64_t)30 * 86400 * 1000;
	assert_true(keep(b, begin_ms + (int64_t)10 * 60 * MINUTE_MS + 1, 5) >= 40 / 5);
	assert_int_equal(number_of(b, hours), 30);
	assert_int_equal(number_of(b, minutes), 0);
	delivery_fini(&d);
}

static void a_deleted_webhooks_rows_go_and_others_stay(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d, other;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	ask_update(b, &r, 1, true, 1);
	r.u.webhook_update.in.webhook.statuses = 1u << CALL_NO_ANSWER;
	assert_int_equal(serve_drop(b, &r), 0);
	make_webhook(b, 2, true);
	other = make_delivery(b, 2);
	for (unsigned i = 0; i < 100; i++) {
		try_at(b, &d, 2 * i + 1, NOW_MS + i * (int64_t)MINUTE_MS);
		try_at(b, &other, 2 * i + 2, NOW_MS + i * (int64_t)MINUTE_MS);
	}
	int64_t all = number_of(b, "SELECT count(*) FROM history");
	ask_delete(b, &r, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	sweep_all(b, 1, 10);
	assert_int_equal(number_of(b, "SELECT count(*) FROM history"), all / 2);
	assert_int_equal(number_of(b, "SELECT count(*) FROM ledger WHERE minute_s > 0"), 1);
	try_at(b, &d, 1000, NOW_MS + 500 * (int64_t)MINUTE_MS);
	assert_int_equal(number_of(b, "SELECT count(*) FROM history"), all / 2);
	assert_int_equal(number_of(b, "SELECT count(*) FROM ledger WHERE minute_s > 0"), 1);
	delivery_fini(&d);
	delivery_fini(&other);
}

static void counts_that_are_damaged_hold_nothing_up(void **state)
{
	static const char *const damage[] = {"UPDATE ledger SET minute_latency = x'01'",
			"UPDATE ledger SET minute_s = 61", "UPDATE ledger SET minute_attempts = -5",
			"UPDATE history SET latency = x'ffff'"};
	struct bed *b = *state;
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	for (unsigned i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		int64_t at_ms = NOW_MS + (int64_t)i * 10 * MINUTE_MS;

		try_at(b, &d, 10 * i + 1, at_ms);
		try_at(b, &d, 10 * i + 2, at_ms + MINUTE_MS);
		assert_int_equal(sqlite3_exec(sqlite_of_bed(b)->conn.db, damage[i], NULL, NULL, NULL),
				SQLITE_OK);
		bed_restart(b);
		try_at(b, &d, 10 * i + 3, at_ms + MINUTE_MS);
		try_at(b, &d, 10 * i + 4, at_ms);
		try_at(b, &d, 10 * i + 5, at_ms + 2 * MINUTE_MS);
	}
	delivery_fini(&d);
}

int sqlite_history_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					a_minute_becomes_rows_when_another_begins, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					what_is_old_is_removed_in_small_steps, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(hours_go_with_the_attempts, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_deleted_webhooks_rows_go_and_others_stay, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					counts_that_are_damaged_hold_nothing_up, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("sqlite history", tests, NULL, NULL);
}
