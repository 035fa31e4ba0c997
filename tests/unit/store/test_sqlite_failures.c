#include <stdio.h>

#include "test_store_sqlite.h"

static void set_page_limit(const struct bed *b, int pages)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %d", pages);
	assert_int_equal(sqlite3_exec(sqlite_of_bed(b)->conn.db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static size_t count_calls(const struct bed *b, unsigned calls)
{
	size_t count = 0;

	for (unsigned i = 1; i <= calls; i++) {
		struct store_request r;

		store_request_init(&r, STORE_CALL_GET, NULL, NULL);
		r.u.call_get.in.account = ACCOUNT;
		r.u.call_get.in.id = id_of('c', i);
		count += serve_drop(b, &r) == 0;
	}
	return count;
}

#define BATCH 64

/* A batch of everything that keeps something in memory, too large for the room that is left. */
static int write_large_batch(const struct bed *b, struct store_request *r, struct ch_err *err)
{
	struct store_request *list[BATCH];

	for (unsigned i = 0; i < BATCH; i++) {
		struct call_spec spec = {.call = i + 1, .status = CALL_COMPLETED, .padding = 8000};

		list[i] = &r[i];
		if (i > 0)
			ask_put(b, &r[i], &spec);
	}
	return b->store->ops->write(b->store, list, BATCH, err);
}

static void fill_up(struct bed *b, struct store_request *first, struct ch_err *err)
{
	struct store_request *r = calloc(BATCH, sizeof(*r));

	r[0] = *first;
	set_page_limit(b, 40);
	assert_int_equal(write_large_batch(b, r, err), CH_EFULL);
	for (unsigned i = 0; i < BATCH; i++) {
		assert_int_equal(r[i].result, CH_EFULL);
		assert_string_equal(r[i].err.text, err->text);
		if (i > 0) {
			assert_null(r[i].u.call_put.out.body);
			assert_null(r[i].u.call_put.out.deliveries);
		}
		store_request_fini(&r[i]);
	}
	set_page_limit(b, 1 << 30);
	free(r);
}

static void a_full_disk_leaves_nothing(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct ch_err err = {0};
	struct delivery d;

	make_webhook(b, 1, true);
	ask_webhook(b, &r, 2, true);
	fill_up(b, &r, &err);
	assert_null(strstr(err.text, "INSERT"));
	assert_int_equal(count_calls(b, BATCH), 0);
	assert_ledger(b, ACCOUNT, 0, 0, 0, 0, 0);

	/* Webhook 2 is not there for the next call, neither on disk nor in memory. */
	d = make_delivery(b, 1);
	assert_id_equal(&d.webhook_id, &(struct id[]){id_of('w', 1)}[0]);
	delivery_fini(&d);
	assert_ledger(b, ACCOUNT, 1, 0, 0, 0, 0);
	bed_restart(b);
	assert_ledger(b, ACCOUNT, 1, 0, 0, 0, 0);
	make_webhook(b, 2, true);
}

static void a_switch_that_failed_is_as_it_was(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct ch_err err = {0};
	struct delivery d;

	make_webhook(b, 1, true);
	ask_update(b, &r, 1, false, 1);
	fill_up(b, &r, &err);
	d = make_delivery(b, 1);
	assert_int_equal(d.state, DELIVERY_PENDING);
	delivery_fini(&d);
	ask_update(b, &r, 1, false, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(sweep_all(b, 1, 10), 1);
	assert_ledger(b, ACCOUNT, 0, 0, 0, 1, 0);
}

static void another_writer_makes_it_busy_for_a_while(void **state)
{
	struct bed *b = *state;
	struct call_spec spec = {.call = 1, .status = CALL_COMPLETED};
	struct store_request r, *list[1] = {&r};
	struct ch_err err = {0};
	sqlite3 *db = NULL;

	sqlite3_busy_timeout(sqlite_of_bed(b)->conn.db, 0);
	assert_int_equal(sqlite3_open(sqlite_of_bed(b)->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	ask_put(b, &r, &spec);
	assert_int_equal(b->store->ops->write(b->store, list, 1, &err), CH_EBUSY);
	assert_int_equal(r.result, CH_EBUSY);
	assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(b->store->ops->write(b->store, list, 1, &err), 0);
	assert_int_equal(r.result, 0);
	store_request_fini(&r);
}

/* Ids of attempts that come out of order are still listed in order, and each is written once. */
static void attempts_out_of_order_find_their_place(void **state)
{
	static const unsigned order[] = {50, 10, 30, 90, 20, 40, 30, 90, 10, 50};
	static const unsigned sorted[] = {10, 20, 30, 40, 50, 90};
	struct bed *b = *state;
	struct store_request r;
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	for (size_t i = 0; i < 10; i++) {
		ask_attempt(b, &r, &d, order[i], DELIVERY_PENDING);
		assert_int_equal(serve_drop(b, &r), 0);
	}
	for (size_t limit = 1; limit <= 7; limit++) {
		size_t count = limit < 6 ? limit : 6;

		store_request_init(&r, STORE_DELIVERY_GET, NULL, NULL);
		r.u.delivery_get.in.account = ACCOUNT;
		r.u.delivery_get.in.id = d.id;
		r.u.delivery_get.in.attempt_limit = limit;
		assert_int_equal(serve(b, &r), 0);
		assert_int_equal(r.u.delivery_get.out.delivery.attempts, 6);
		assert_int_equal(r.u.delivery_get.out.attempt_count, count);
		for (size_t i = 0; i < count; i++) {
			struct id want = id_of('t', sorted[6 - count + i]);

			assert_memory_equal(r.u.delivery_get.out.attempts[i].id.b + 8, want.b + 8, 8);
		}
		store_request_fini(&r);
	}
	delivery_fini(&d);
}

int sqlite_failure_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(a_full_disk_leaves_nothing, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_switch_that_failed_is_as_it_was, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					another_writer_makes_it_busy_for_a_while, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					attempts_out_of_order_find_their_place, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
