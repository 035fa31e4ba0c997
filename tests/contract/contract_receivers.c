#include "../unit/nth_alloc.h"
#include "contract.h"
#include "policy/streak.h"

/* What is kept with a webhook about its receiver: when it asked to be left alone, and for how long nothing
 * has succeeded. */

#define DAY_MS (INT64_C(86400) * 1000)

struct two {
	struct delivery d[2];
	unsigned attempts; /* made so far */
};

static struct two make_two(const struct bed *b)
{
	struct two t = {0};

	make_webhook(b, 1, true);
	t.d[0] = make_delivery(b, 0);
	t.d[1] = make_delivery(b, 1);
	return t;
}

static void two_fini(struct two *t)
{
	delivery_fini(&t->d[0]);
	delivery_fini(&t->d[1]);
}

/* Another attempt at one of the two; is_hopeless as answered. */
static bool attempt(const struct bed *b, struct two *t, int which, enum delivery_state next,
		enum attempt_outcome outcome)
{
	struct store_request r;
	bool is_hopeless;

	ask_attempt(b, &r, &t->d[which], ++t->attempts, next);
	r.u.attempt.in.attempt.outcome = outcome;
	assert_int_equal(serve(b, &r), 0);
	is_hopeless = r.u.attempt.out.is_hopeless;
	store_request_fini(&r);
	return is_hopeless;
}

static bool flop(const struct bed *b, struct two *t, int which)
{
	return attempt(b, t, which, DELIVERY_PENDING, ATTEMPT_ANSWERED);
}

/* All that is wanting is that five days are over: nine attempts at two deliveries. */
static void flop_nine(struct bed *b, struct two *t)
{
	for (int i = 0; i < STREAK_HOPELESS_ATTEMPTS - 1; i++)
		assert_false(flop(b, t, i % 2));
}

static void update(const struct bed *b, bool enabled, const char *url, int64_t revision)
{
	struct store_request r;

	ask_update(b, &r, 1, enabled, revision);
	if (url != NULL) {
		ch_free(r.u.webhook_update.in.webhook.url);
		r.u.webhook_update.in.webhook.url = ch_strdup(url);
	}
	assert_int_equal(serve_drop(b, &r), 0);
}

static void five_days_without_success_are_hopeless(void **state)
{
	struct bed *b = *state;
	struct two t = make_two(b);

	flop_nine(b, &t);
	ch_clock_virtual_advance(&b->clock, STREAK_HOPELESS_MS - 1);
	assert_false(flop(b, &t, 0));
	ch_clock_virtual_advance(&b->clock, 1);
	assert_true(flop(b, &t, 0));
	assert_true(attempt(b, &t, 1, DELIVERY_FAILED, ATTEMPT_TIMEOUT));
	two_fini(&t);
}

static void a_success_is_hope(void **state)
{
	struct bed *b = *state;
	struct two t = make_two(b);

	flop_nine(b, &t);
	ch_clock_virtual_advance(&b->clock, STREAK_HOPELESS_MS);
	assert_false(attempt(b, &t, 1, DELIVERY_DELIVERED, ATTEMPT_ANSWERED));
	assert_false(flop(b, &t, 0));
	two_fini(&t);
}

static void a_success_of_what_was_delivered_is_hope_too(void **state)
{
	struct bed *b = *state;
	struct two t = make_two(b);

	attempt(b, &t, 1, DELIVERY_DELIVERED, ATTEMPT_ANSWERED);
	for (int i = 0; i < STREAK_HOPELESS_ATTEMPTS; i++)
		flop(b, &t, i % 2);
	ch_clock_virtual_advance(&b->clock, STREAK_HOPELESS_MS);
	attempt(b, &t, 1, DELIVERY_DELIVERED, ATTEMPT_ANSWERED);
	assert_false(flop(b, &t, 0));
	two_fini(&t);
}

static void our_own_fault_counts_for_nothing(void **state)
{
	struct bed *b = *state;
	struct two t = make_two(b);

	flop_nine(b, &t);
	ch_clock_virtual_advance(&b->clock, STREAK_HOPELESS_MS);
	assert_false(attempt(b, &t, 0, DELIVERY_PENDING, ATTEMPT_LOCAL));
	assert_true(flop(b, &t, 0));
	two_fini(&t);
}

static void the_same_attempt_counts_once(void **state)
{
	struct bed *b = *state;
	struct two t = make_two(b);

	flop_nine(b, &t);
	ch_clock_virtual_advance(&b->clock, STREAK_HOPELESS_MS);
	t.attempts--;
	assert_false(flop(b, &t, 0));
	assert_true(flop(b, &t, 0));
	two_fini(&t);
}

static void a_webhook_that_is_off_is_not_switched_off_again(void **state)
{
	struct bed *b = *state;
	struct two t = make_two(b);

	flop_nine(b, &t);
	ch_clock_virtual_advance(&b->clock, STREAK_HOPELESS_MS);
	update(b, false, NULL, 1);
	assert_false(flop(b, &t, 0));
	two_fini(&t);
}

static void switching_on_begins_anew(void **state)
{
	struct bed *b = *state;
	struct two t = make_two(b);

	flop_nine(b, &t);
	ch_clock_virtual_advance(&b->clock, STREAK_HOPELESS_MS);
	update(b, true, NULL, 1);
	assert_true(flop(b, &t, 0));
	update(b, false, NULL, 2);
	update(b, true, NULL, 3);
	assert_false(flop(b, &t, 0));
	two_fini(&t);
}

static void another_url_begins_anew(void **state)
{
	struct bed *b = *state;
	struct two t = make_two(b);

	flop_nine(b, &t);
	ch_clock_virtual_advance(&b->clock, STREAK_HOPELESS_MS);
	update(b, true, "https://example.com/other", 1);
	assert_false(flop(b, &t, 0));
	two_fini(&t);
}

/* quiet */

static void ask_quiet(
		const struct bed *b, struct two *t, struct store_request *r, int64_t until_ms, int status)
{
	ask_attempt(b, r, &t->d[0], ++t->attempts, DELIVERY_PENDING);
	r->u.attempt.in.quiet_until_ms = until_ms;
	r->u.attempt.in.quiet_status = status;
}

static void be_quiet(const struct bed *b, struct two *t, int64_t until_ms, int status)
{
	struct store_request r;

	ask_quiet(b, t, &r, until_ms, status);
	assert_int_equal(serve_drop(b, &r), 0);
}

static void assert_quiet(const struct bed *b, int64_t until_ms, int status)
{
	struct lane_row l = lane_of(b, 1);

	assert_int_equal(l.quiet_until_ms, until_ms);
	assert_int_equal(l.quiet_status, status);
}

static void the_latest_wish_is_kept(void **state)
{
	struct bed *b = *state;
	struct two t = make_two(b);

	assert_quiet(b, 0, 0);
	be_quiet(b, &t, NOW_MS + 5000, 503);
	assert_quiet(b, NOW_MS + 5000, 503);
	be_quiet(b, &t, NOW_MS + 4000, 429);
	assert_quiet(b, NOW_MS + 5000, 503);
	be_quiet(b, &t, NOW_MS + 6000, 429);
	assert_quiet(b, NOW_MS + 6000, 429);
	be_quiet(b, &t, 0, 0);
	assert_quiet(b, NOW_MS + 6000, 429);
	assert_int_equal(lane_of(b, 1).pending, 2);
	two_fini(&t);
}

static void another_url_ends_the_wish(void **state)
{
	struct bed *b = *state;
	struct two t = make_two(b);

	be_quiet(b, &t, NOW_MS + 5000, 503);
	update(b, false, NULL, 1);
	update(b, true, NULL, 2);
	assert_quiet(b, NOW_MS + 5000, 503);
	update(b, true, "https://example.com/other", 3);
	assert_quiet(b, 0, 0);
	two_fini(&t);
}

/* A test call was taken: what was asked for is over, with the settings as they are. */
static void who_shows_that_it_may_be_called_ends_the_wish(void **state)
{
	struct bed *b = *state;
	struct two t = make_two(b);
	struct store_request r;

	be_quiet(b, &t, NOW_MS + 5000, 503);
	ask_update(b, &r, 1, true, 1);
	r.u.webhook_update.in.ends_quiet = true;
	assert_int_equal(serve_drop(b, &r), 0);
	assert_quiet(b, 0, 0);
	be_quiet(b, &t, NOW_MS + 4000, 429);
	assert_quiet(b, NOW_MS + 4000, 429);
	ask_update(b, &r, 1, true, 2);
	r.u.webhook_update.in.ends_quiet = true;
	assert_int_equal(serve_drop(b, &r), 0);
	assert_quiet(b, 0, 0);
	two_fini(&t);
}

static void wishes_and_streaks_survive_a_restart(void **state)
{
	struct bed *b = *state;
	struct two t = make_two(b);
	struct store_request r;

	be_quiet(b, &t, NOW_MS + 5000, 503);
	for (int i = 0; i < STREAK_HOPELESS_ATTEMPTS - 2; i++)
		flop(b, &t, 1);
	bed_restart(b);
	assert_quiet(b, NOW_MS + 5000, 503);
	ch_clock_virtual_advance(&b->clock, STREAK_HOPELESS_MS);
	assert_true(flop(b, &t, 1));
	ask_update(b, &r, 1, true, 1);
	r.u.webhook_update.in.ends_quiet = true;
	assert_int_equal(serve_drop(b, &r), 0);
	bed_restart(b);
	assert_quiet(b, 0, 0);
	two_fini(&t);
}

/* One that fails for want of memory, wherever that happens, and goes through after: neither the wish nor
 * the streak may have been counted by what was taken back. */
static void what_is_taken_back_is_not_counted(void **state)
{
	struct bed *b = *state;
	struct two t = make_two(b);
	int rc = CH_ENOMEM;

	for (int i = 0; i < STREAK_HOPELESS_ATTEMPTS - 2; i++)
		flop(b, &t, i % 2);
	ch_clock_virtual_advance(&b->clock, STREAK_HOPELESS_MS);
	for (int at = 1; rc != 0; at++) {
		struct nth_alloc nth = {.fail_at = at};
		struct store_request r, *list[] = {&r};

		ask_quiet(b, &t, &r, NOW_MS + 5000, 503);
		t.attempts--;
		nth_alloc_begin(&nth);
		rc = b->store->ops->write(b->store, list, 1, NULL);
		nth_alloc_end(&nth);
		assert_false(r.u.attempt.out.is_hopeless);
		store_request_fini(&r);
		if (rc != 0)
			assert_quiet(b, 0, 0);
	}
	assert_quiet(b, NOW_MS + 5000, 503);
	t.attempts++;
	assert_true(flop(b, &t, 0));
	two_fini(&t);
}

static void a_failed_batch_gives_wish_and_streak_back(void **state)
{
	struct bed *b = *state;
	struct two t = make_two(b);
	struct store_request r, other, *list[] = {&r, &other};

	for (int i = 0; i < STREAK_HOPELESS_ATTEMPTS - 2; i++)
		flop(b, &t, i % 2);
	ch_clock_virtual_advance(&b->clock, STREAK_HOPELESS_MS);
	store_fault_fail_write(b->store, 1, CH_EFULL);
	ask_quiet(b, &t, &r, NOW_MS + 5000, 503);
	ask_webhook(b, &other, 2, true);
	assert_int_equal(b->store->ops->write(b->store, list, 2, NULL), CH_EFULL);
	store_request_fini(&r);
	store_request_fini(&other);
	assert_quiet(b, 0, 0);
	assert_false(flop(b, &t, 0));
	assert_true(flop(b, &t, 0));
	two_fini(&t);
}

static int restarts(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					wishes_and_streaks_survive_a_restart, bed_setup, bed_teardown),
	};

	return flavour_is_durable(contract_flavour)
			       ? cmocka_run_group_tests_name("receivers, restart", tests, NULL, NULL)
			       : 0;
}

static int faults(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					a_failed_batch_gives_wish_and_streak_back, bed_setup, bed_teardown),
	};

	return flavour_has_faults(contract_flavour)
			       ? cmocka_run_group_tests_name("receivers, faults", tests, NULL, NULL)
			       : 0;
}

int contract_receivers(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					five_days_without_success_are_hopeless, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(a_success_is_hope, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_success_of_what_was_delivered_is_hope_too, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					our_own_fault_counts_for_nothing, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					the_same_attempt_counts_once, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(a_webhook_that_is_off_is_not_switched_off_again,
					bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(switching_on_begins_anew, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(another_url_begins_anew, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(the_latest_wish_is_kept, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(another_url_ends_the_wish, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(who_shows_that_it_may_be_called_ends_the_wish,
					bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					what_is_taken_back_is_not_counted, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("receivers", tests, NULL, NULL) + restarts() + faults();
}
