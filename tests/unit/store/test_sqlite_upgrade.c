#include <stdio.h>

#include "test_store_sqlite.h"

/* The migrations, in order: the first makes the database as the first version did. */
extern const unsigned char *const store_sql_data[];
extern const unsigned long store_sql_count;

/* The ids are those of id_of('w', 1), ('c', 1), ('t', 1) and of deliveries whose keys are 1 to 5. */
static const char rows[] =
		"PRAGMA application_id = 0x63686f6b; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;"
		"INSERT INTO account VALUES (1, 'default', x'00', x'00', 5);"
		"INSERT INTO webhook VALUES (1, x'77000000000040008000000000000001', 1, 3, "
		"'https://example.com/hook', 'old', 1, NULL, '{}', NULL, 5, 0, 0);"
		"INSERT INTO webhook VALUES (2, x'77000000000040008000000000000002', 1, 4, "
		"'https://example.com/off', 'off', 0, 'why', '{}', NULL, 6, 0, 1);"
		"INSERT INTO ledger VALUES (1, 4, 1, 1, 1, 1, 0);"
		"INSERT INTO ledger VALUES (2, 1, 1, 0, 0, 0, 0);"
		"INSERT INTO call_version VALUES (1, 1, x'63000000000040008000000000000001', 1, 2, "
		"x'61000000000040008000000000000000', 5, 1, 5, "
		"CAST('{\"old\":1,\"created\":\"2024-07-30T14:35:00Z\"}' AS BLOB));"
		"INSERT INTO delivery VALUES (1, 1, x'00000000000070018000000000000000', 1, 0, 2, 2, 2, 5, "
		"900, NULL);"
		"INSERT INTO delivery VALUES (1, 2, x'00000000000070028000000000000000', 1, 2, 1, 1, 3, 5, "
		"800, NULL);"
		"INSERT INTO delivery VALUES (1, 3, x'00000000000070038000000000000000', 1, 3, 9, 0, 0, 5, "
		"700, 'no');"
		"INSERT INTO delivery VALUES (1, 4, x'00000000000070048000000000000000', 1, 4, 0, 0, 0, 5, "
		"0, 'off');"
		"INSERT INTO delivery VALUES (2, 5, x'00000000000070058000000000000000', 1, 0, 0, 0, 0, 5, "
		"600, NULL);"
		"INSERT INTO attempt (number, delivery, previous, id, started_ms, outcome, status, dns_us, "
		"connect_us, tls_us, first_byte_us, total_us, cert_end_s) VALUES "
		"(1, 1, 0, x'74000000000040008000000000000001', 10, 0, 500, 1, 2, 3, 4, 5, 0), "
		"(2, 1, 1, x'74000000000040008000000000000002', 20, 1, 0, 1, 2, 3, 4, 5, 0), "
		"(3, 2, 0, x'74000000000040008000000000000003', 30, 0, 200, 1, 2, 3, 4, 5, 0);";

static struct id old_delivery(unsigned key)
{
	struct id id = {{0}};

	id.b[6] = 0x70;
	id.b[7] = (uint8_t)key;
	id.b[8] = 0x80;
	return id;
}

static void exec(sqlite3 *db, const char *sql)
{
	char *words = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
		fail_msg("%s", words);
}

static void make_old(const struct bed *b)
{
	sqlite3 *db = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/store.db", b->dir);
	assert_int_equal(remove(path), 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	exec(db, (const char *)store_sql_data[0]);
	exec(db, rows);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int setup(void **state)
{
	struct store_conf conf;
	struct ch_err err = {0};
	struct bed *b;
	char path[128];

	if (bed_setup(state) != 0)
		return -1;
	b = *state;
	b->store->ops->reader_close(b->reader);
	store_close(&b->store);
	make_old(b);
	conf = bed_conf(b);
	snprintf(path, sizeof(path), "%s/store.db", b->dir);
	if (store_sqlite_open(path, &conf, &b->store, &err) != 0)
		fail_msg("%s", err.text);
	return b->store->ops->reader_open(b->store, &b->reader, &err);
}

static void an_old_database_is_brought_up_to_date(void **state)
{
	struct bed *b = *state;
	static const enum delivery_state states[] = {
			DELIVERY_PENDING, DELIVERY_DELIVERED, DELIVERY_FAILED, DELIVERY_PARKED};

	assert_true(store_sql_count >= 2);
	for (unsigned i = 0; i < 4; i++) {
		struct id id = old_delivery(i + 1);
		struct delivery d = delivery_of(b, &id);

		assert_int_equal(d.state, states[i]);
		assert_int_equal(d.round, 0);
		assert_int_equal(d.was_delivered, d.state == DELIVERY_DELIVERED);
		delivery_fini(&d);
	}
	assert_ledger(b, ACCOUNT, 2, 1, 1, 1, 0);
	assert_int_equal(lane_of(b, 1).next_due_ms, 900);
	assert_int_equal(lane_of(b, 1).pending, 1);
	assert_int_equal(lane_of(b, 1).quiet_until_ms, 0);
}

static void what_was_delivered_before_the_upgrade_ends_delivered(void **state)
{
	struct bed *b = *state;
	struct id id = old_delivery(2);
	struct store_request r;
	struct delivery d;

	ask_resend(b, &r, &id);
	assert_int_equal(serve(b, &r), 0);
	assert_true(r.u.resend.out.delivery.was_delivered);
	d = r.u.resend.out.delivery;
	store_request_fini(&r);
	ask_attempt(b, &r, &d, 9, DELIVERY_FAILED);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.attempt.out.state, DELIVERY_DELIVERED);
	store_request_fini(&r);
}

static void old_rows_go_on_being_tried_parked_and_released(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct id id = old_delivery(1);
	struct delivery d = delivery_of(b, &id);

	ask_probe(&r, 1, NULL);
	assert_int_equal(serve(b, &r), 0);
	assert_id_equal(&r.u.probe.out.row.id, &id);
	store_request_fini(&r);
	ask_attempt(b, &r, &d, 9, DELIVERY_PENDING);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(sweep_all(b, 2, 10), 1);
	assert_ledger(b, ACCOUNT, 1, 1, 1, 2, 0);
	ask_update(b, &r, 1, true, 3);
	r.u.webhook_update.in.release = true;
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(sweep_all(b, 1, 10), 1);
	assert_ledger(b, ACCOUNT, 2, 1, 1, 1, 0);
	delivery_fini(&d);
}

static void new_rows_follow_the_old(void **state)
{
	struct bed *b = *state;
	struct delivery d;
	struct store_request r;

	ask_delete(b, &r, 2);
	assert_int_equal(serve_drop(b, &r), 0);
	d = make_delivery(b, 7);
	assert_int_equal(d.round, 0);
	ask_attempt(b, &r, &d, 9, DELIVERY_DELIVERED);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(state_of(b, &d.id), DELIVERY_DELIVERED);
	delivery_fini(&d);
}

static int64_t attempts_counted(const struct bed *b)
{
	struct store_request r;
	int64_t sum = 0;

	ask_history(b, &r, 1, 3600, 10);
	assert_int_equal(serve(b, &r), 0);
	for (size_t i = 0; i < 10; i++)
		sum += r.u.history.out.points[i].attempts;
	store_request_fini(&r);
	return sum;
}

/* Old attempts are not counted, the next ones at the old deliveries are; what waits is as old as it is. */
static void counting_over_time_begins_with_the_upgrade(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct id id = old_delivery(1);
	struct delivery d = delivery_of(b, &id);
	struct backlog waits = backlog_of(b, 1, 10);

	assert_int_equal(waits.counts[BACKLOG_AGES - 1], 1);
	assert_int_equal(waits.oldest_ms, 0);
	assert_int_equal(attempts_counted(b), 0);
	ask_attempt(b, &r, &d, 9, DELIVERY_DELIVERED);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(attempts_counted(b), 1);
	delivery_fini(&d);
}

/* Calls from before are in the feed, and what retention has removed is missed. */
static void the_feed_begins_with_the_old_calls(void **state)
{
	struct bed *b = *state;
	struct id call = id_of('c', 1), none = {{0}};
	struct store_request r;

	store_request_init(&r, STORE_CALL_FEED, NULL, NULL);
	r.u.call_feed.in.account = ACCOUNT;
	r.u.call_feed.in.after = 0;
	r.u.call_feed.in.limit = 10;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_feed.out.count, 1);
	assert_id_equal(&r.u.call_feed.out.rows[0].call_id, &call);
	assert_memory_not_equal(&r.u.call_feed.out.store_id, &none, sizeof(none));
	store_request_clear_out(&r);
	exec(sqlite_of_bed(b)->conn.db, "INSERT INTO feed_purged (account, seq) VALUES (1, 1)");
	assert_int_equal(serve(b, &r), 0);
	assert_true(r.u.call_feed.out.is_purged);
	assert_int_equal(r.u.call_feed.out.count, 0);
	store_request_clear_out(&r);
	r.u.call_feed.in.after = 1;
	assert_int_equal(serve(b, &r), 0);
	assert_false(r.u.call_feed.out.is_purged);
	store_request_clear_out(&r);
	r.u.call_feed.in.after = -1;
	assert_int_equal(serve(b, &r), 0);
	assert_false(r.u.call_feed.out.is_purged);
	assert_int_equal(r.u.call_feed.out.last, 1);
	store_request_fini(&r);
}

int sqlite_upgrade_tests(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					an_old_database_is_brought_up_to_date, setup, bed_teardown),
			cmocka_unit_test_setup_teardown(what_was_delivered_before_the_upgrade_ends_delivered,
					setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					old_rows_go_on_being_tried_parked_and_released, setup, bed_teardown),
			cmocka_unit_test_setup_teardown(new_rows_follow_the_old, setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					counting_over_time_begins_with_the_upgrade, setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					the_feed_begins_with_the_old_calls, setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("sqlite upgrade", tests, NULL, NULL);
}
