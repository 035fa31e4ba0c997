#include <string.h>

#include "contract.h"

static void ask_feed(struct store_request *r, int64_t account, int64_t after, size_t limit)
{
	store_request_init(r, STORE_ATTEMPT_FEED, NULL, NULL);
	r->u.attempt_feed.in.account = account;
	r->u.attempt_feed.in.after = after;
	r->u.attempt_feed.in.limit = limit;
}

static void make_attempt(const struct bed *b, const struct delivery *d, unsigned n, enum delivery_state next)
{
	struct store_request r;

	ask_attempt(b, &r, d, n, next);
	assert_int_equal(serve_drop(b, &r), 0);
}

static struct delivery make_delivery_of(const struct bed *b, int64_t account, unsigned call)
{
	struct call_spec spec = {.account = account, .call = call, .status = CALL_COMPLETED};
	struct store_request r;
	struct delivery d;

	ask_put(b, &r, &spec);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_put.out.delivery_count, 1);
	d = r.u.call_put.out.deliveries[0];
	memset(&r.u.call_put.out.deliveries[0], 0, sizeof(d));
	ch_bytes_unref(&d.body);
	store_request_fini(&r);
	return d;
}

static int64_t end_of(const struct bed *b)
{
	struct store_request r;
	int64_t end;

	ask_feed(&r, ACCOUNT, -1, 10);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.attempt_feed.out.count, 0);
	assert_int_equal(r.u.attempt_feed.out.last, r.u.attempt_feed.out.end);
	end = r.u.attempt_feed.out.end;
	store_request_fini(&r);
	return end;
}

/* The order is that of the commits, not of the ids, and each comes once however small the pieces. */
static void attempts_come_in_the_order_of_their_commits(void **state)
{
	static const unsigned ids[] = {5, 2, 9, 1, 7};
	struct bed *b = *state;
	struct store_request r;
	struct delivery d[2];
	size_t seen = 0;
	int64_t at;

	make_webhook(b, 1, true);
	at = end_of(b);
	d[0] = make_delivery(b, 1);
	d[1] = make_delivery(b, 2);
	for (size_t i = 0; i < 5; i++)
		make_attempt(b, &d[i % 2], ids[i], DELIVERY_PENDING);
	for (bool more = true; more;) {
		ask_feed(&r, ACCOUNT, at, 2);
		assert_int_equal(serve(b, &r), 0);
		for (size_t i = 0; i < r.u.attempt_feed.out.count; i++, seen++) {
			const struct store_attempt_row *row = &r.u.attempt_feed.out.rows[i];
			struct id want = id_of('t', ids[seen]), webhook = id_of('w', 1);

			assert_true(row->number > at);
			at = row->number;
			assert_id_equal(&row->id, &want);
			assert_id_equal(&row->webhook_id, &webhook);
			assert_id_equal(&row->delivery_id, &d[seen % 2].id);
			assert_id_equal(&row->call_id, &d[seen % 2].call_id);
			assert_int_equal(row->status, 500);
			assert_int_equal(row->total_us, 1500);
			assert_int_equal(row->started_ms, NOW_MS);
			assert_int_equal(row->state, DELIVERY_PENDING);
		}
		assert_int_equal(at, r.u.attempt_feed.out.last);
		more = r.u.attempt_feed.out.more;
		store_request_fini(&r);
	}
	assert_int_equal(seen, 5);
	assert_int_equal(at, end_of(b));
	delivery_fini(&d[0]);
	delivery_fini(&d[1]);
}

/* Others' attempts are passed over, and the place moves behind them. */
static void only_the_accounts_own_come(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery own, others;

	make_webhook(b, 1, true);
	make_webhook_of(b, OTHER_ACCOUNT, 2);
	own = make_delivery(b, 1);
	others = make_delivery_of(b, OTHER_ACCOUNT, 2);
	make_attempt(b, &own, 1, DELIVERY_DELIVERED);
	make_attempt(b, &others, 2, DELIVERY_FAILED);
	ask_feed(&r, OTHER_ACCOUNT, 0, 10);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.attempt_feed.out.count, 1);
	assert_id_equal(&r.u.attempt_feed.out.rows[0].delivery_id, &others.id);
	assert_int_equal(r.u.attempt_feed.out.rows[0].state, DELIVERY_FAILED);
	store_request_fini(&r);
	ask_feed(&r, ACCOUNT, 0, 10);
	r.u.attempt_feed.in.has_webhook = true;
	r.u.attempt_feed.in.webhook_id = id_of('w', 2);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.attempt_feed.out.count, 0);
	assert_int_equal(r.u.attempt_feed.out.last, r.u.attempt_feed.out.end);
	assert_false(r.u.attempt_feed.out.more);
	store_request_fini(&r);
	delivery_fini(&own);
	delivery_fini(&others);
}

static void an_attempt_written_twice_comes_once(void **state)
{
	struct bed *b = *state;
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	make_attempt(b, &d, 1, DELIVERY_PENDING);
	int64_t end = end_of(b);
	make_attempt(b, &d, 1, DELIVERY_PENDING);
	assert_int_equal(end_of(b), end);
	make_attempt(b, &d, 2, DELIVERY_DELIVERED);
	assert_int_equal(end_of(b), end + 1);
	delivery_fini(&d);
}

int contract_feed(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					attempts_come_in_the_order_of_their_commits, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(only_the_accounts_own_come, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					an_attempt_written_twice_comes_once, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
