#include <string.h>

#include "contract.h"

#define MINUTE_MS 60000
#define HOUR_MS 3600000
#define DAY_MS (24 * HOUR_MS)

struct
try {
	unsigned attempt;
	int64_t started_ms;
	enum attempt_outcome outcome;
	int status;
	int32_t total_us;
};

static void make_attempt(const struct bed *b, const struct delivery *d, const struct try *t)
{
	bool is_good = t->outcome == ATTEMPT_ANSWERED && t->status == 200;
	struct store_request r;

	ask_attempt(b, &r, d, t->attempt, is_good ? DELIVERY_DELIVERED : DELIVERY_PENDING);
	r.u.attempt.in.attempt.started_ms = t->started_ms;
	r.u.attempt.in.attempt.outcome = t->outcome;
	r.u.attempt.in.attempt.status = t->status;
	r.u.attempt.in.attempt.total_us = t->total_us;
	assert_int_equal(serve_drop(b, &r), 0);
}

static void good_try(const struct bed *b, const struct delivery *d, unsigned attempt, int64_t started_ms)
{
	make_attempt(b, d, &(struct try){attempt, started_ms, ATTEMPT_ANSWERED, 200, 1500});
}

/* The sums of the newest count stretches. */
static struct store_history_point sum_of(const struct bed *b, unsigned webhook, int32_t step_s, size_t count)
{
	struct store_history_point sum = {0};
	struct store_request r;

	ask_history(b, &r, webhook, step_s, count);
	assert_int_equal(serve(b, &r), 0);
	for (size_t i = 0; i < count; i++) {
		sum.attempts += r.u.history.out.points[i].attempts;
		sum.delivered += r.u.history.out.points[i].delivered;
		latency_merge(&sum.latency, &r.u.history.out.points[i].latency);
	}
	store_request_fini(&r);
	return sum;
}

static void assert_point(
		const struct store_history_point *p, int64_t attempts, int64_t delivered, uint64_t timed)
{
	assert_int_equal(p->attempts, attempts);
	assert_int_equal(p->delivered, delivered);
	assert_int_equal(latency_count(&p->latency), timed);
}

static void each_attempt_counts_in_its_stretch(void **state)
{
	static const int32_t steps[] = {60, 300, 3600, 86400};
	struct bed *b = *state;
	struct store_request r;
	struct delivery d;

	b->clock.wall.ms = NOW_MS - NOW_MS % DAY_MS + 12 * HOUR_MS;
	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	good_try(b, &d, 1, b->clock.wall.ms);
	good_try(b, &d, 2, b->clock.wall.ms + 59999);
	for (size_t i = 0; i < 4; i++) {
		int32_t step_s = steps[i];

		good_try(b, &d, 10 + (unsigned)i, b->clock.wall.ms - 1 - (int64_t)step_s * 1000);
		ask_history(b, &r, 1, step_s, 3);
		assert_int_equal(serve(b, &r), 0);
		for (size_t at = 0; at < 3; at++) {
			const struct store_history_point *p = &r.u.history.out.points[at];
			int64_t begins = r.u.history.in.from_s + (int64_t)at * step_s, want = 0;

			for (size_t j = 0; j <= i + 2; j++) {
				int64_t s = b->clock.wall.ms / 1000;

				s = j < 2 ? s : s - 1 - steps[j - 2];
				want += s >= begins && s < begins + step_s;
			}
			assert_point(p, want, want, (uint64_t)want);
		}
		store_request_fini(&r);
	}
	delivery_fini(&d);
}

static void what_an_attempt_counts_as(void **state)
{
	static const struct try tries[] = {
			{1, NOW_MS, ATTEMPT_ANSWERED, 500, 1000}, {2, NOW_MS, ATTEMPT_ANSWERED, 302, 1000},
			{3, NOW_MS, ATTEMPT_TIMEOUT, 200, 15000000}, /* the answer did not end */
			{4, NOW_MS, ATTEMPT_REFUSED, 0, 100},
			{5, NOW_MS, ATTEMPT_LOCAL, 0, 100}, /* no attempt at the receiver at all */
			{6, NOW_MS, ATTEMPT_ANSWERED, 200, 1000},
			{7, NOW_MS, ATTEMPT_ANSWERED, 200, -1}, /* no time is known */
	};
	struct bed *b = *state;
	struct store_history_point p;
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
		make_attempt(b, &d, &tries[i]);
	p = sum_of(b, 1, 60, 1);
	assert_point(&p, 6, 2, 3);
	assert_true(latency_percentile(&p.latency, 99) < 1100);
	delivery_fini(&d);
}

static void an_attempt_written_twice_counts_once(void **state)
{
	struct bed *b = *state;
	struct store_history_point p;
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	for (int i = 0; i < 3; i++)
		good_try(b, &d, 1, NOW_MS);
	good_try(b, &d, 2, NOW_MS);
	good_try(b, &d, 1, NOW_MS);
	p = sum_of(b, 1, 60, 1);
	assert_point(&p, 2, 2, 2);
	p = sum_of(b, 1, 3600, 1);
	assert_point(&p, 2, 2, 2);
	delivery_fini(&d);
}

/* Several minutes and webhooks in one transaction, with one that is refused among them. */
static void a_batch_counts_for_each_of_its_webhooks(void **state)
{
	struct bed *b = *state;
	struct delivery nowhere = {.account = ACCOUNT, .webhook_id = id_of('w', 1)};
	struct store_request put, rows[12], *list[12];
	struct store_history_point p;
	struct call_spec spec = {.call = 1, .status = CALL_COMPLETED};
	struct ch_err err = {0};

	make_webhook(b, 1, true);
	make_webhook(b, 2, true);
	ask_put(b, &put, &spec);
	assert_int_equal(serve(b, &put), 0);
	assert_int_equal(put.u.call_put.out.delivery_count, 2);
	ask_attempt(b, &rows[0], &nowhere, 99, DELIVERY_DELIVERED);
	for (unsigned i = 1; i < 12; i++) {
		ask_attempt(b, &rows[i], &put.u.call_put.out.deliveries[i % 3 == 0], i, DELIVERY_PENDING);
		rows[i].u.attempt.in.attempt.started_ms = NOW_MS - (int64_t)(i % 4) * MINUTE_MS;
	}
	for (unsigned i = 0; i < 12; i++)
		list[i] = &rows[i];
	assert_int_equal(b->store->ops->write(b->store, list, 12, &err), 0);
	assert_int_equal(rows[0].result, CH_ENOENT);
	store_request_fini(&put);
	for (unsigned i = 0; i < 12; i++)
		store_request_fini(&rows[i]);
	p = sum_of(b, 1, 60, 4);
	assert_point(&p, 8, 0, 8);
	p = sum_of(b, 2, 60, 4);
	assert_point(&p, 3, 0, 3);
	p = sum_of(b, 2, 60, 1);
	assert_point(&p, 0, 0, 0); /* 3, 6 and 9 are none of this minute */
	p = sum_of(b, 1, 3600, 2);
	assert_point(&p, 8, 0, 8);
}

static void others_and_deleted_webhooks_are_not_found(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d;

	make_webhook_of(b, OTHER_ACCOUNT, 2);
	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	good_try(b, &d, 1, NOW_MS);
	for (unsigned webhook = 2; webhook <= 3; webhook++) {
		ask_history(b, &r, webhook, 60, 10);
		assert_int_equal(serve(b, &r), CH_ENOENT);
		assert_null(r.u.history.out.points);
		store_request_fini(&r);
	}
	ask_delete(b, &r, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_history(b, &r, 1, 60, 10);
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	sweep_all(b, 1, 10);
	good_try(b, &d, 2, NOW_MS);
	ask_history(b, &r, 1, 60, 10);
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	delivery_fini(&d);
}

/* The newest two days in minutes and the newest month in hours are there whatever is removed. */
static void two_days_of_minutes_and_a_month_of_hours_are_kept(void **state)
{
	struct bed *b = *state;
	struct store_history_point p;
	struct delivery d;
	unsigned n = 0;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	for (int hour = 0; hour < 40 * 24; hour++, ch_clock_virtual_advance(&b->clock, HOUR_MS))
		good_try(b, &d, ++n, b->clock.wall.ms);
	p = sum_of(b, 1, 60, 1500);
	assert_point(&p, 24, 24, 24);
	p = sum_of(b, 1, 300, 47 * 12);
	assert_point(&p, 46, 46, 46);
	p = sum_of(b, 1, 3600, 30 * 24);
	assert_point(&p, 30 * 24 - 1, 30 * 24 - 1, 30 * 24 - 1);
	delivery_fini(&d);
}

static void counts_survive_a_restart(void **state)
{
	struct bed *b = *state;
	struct store_history_point p;
	struct delivery d;

	if (!flavour_is_durable(b->flavour))
		return;
	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	good_try(b, &d, 1, NOW_MS);
	bed_restart(b);
	good_try(b, &d, 2, NOW_MS);
	p = sum_of(b, 1, 60, 1);
	assert_point(&p, 2, 2, 2);
	delivery_fini(&d);
}

int contract_history(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					each_attempt_counts_in_its_stretch, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(what_an_attempt_counts_as, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					an_attempt_written_twice_counts_once, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_batch_counts_for_each_of_its_webhooks, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					others_and_deleted_webhooks_are_not_found, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(two_days_of_minutes_and_a_month_of_hours_are_kept,
					bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(counts_survive_a_restart, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
