#include "test_engine.h"

#include <string.h>

#include "base/alloc.h"
#include "test_engine_rig.h"

static struct rig rig;

static int set_up(void **state)
{
	rig_open(&rig);
	*state = &rig;
	return 0;
}

static int tear_down(void **state)
{
	rig_close(*state);
	return 0;
}

static void hook_with(struct rig *r, int n, int concurrency)
{
	struct webhook w;
	rig_hook_init(r, &w, n);
	w.concurrency = concurrency;
	rig_hook_create(r, &w);
}

/* ---- the window ---- */

static void the_window_grows_while_it_answers(void **state)
{
	struct rig *r = *state;
	hook_with(r, 0, 20);
	rig_start(r);
	rig_put(r, 0, 60);
	rig_run(r);
	assert_int_equal(rig_lane(r, 0).busy, 4);
	rig_advance(r, 10);
	assert_int_equal(rig_lane(r, 0).window, 5);
	rig_advance(r, 1000);
	assert_int_equal(rig_ledger(r)->delivered, 60);
	assert_in_range(rig_lane(r, 0).window, 8, 20);
}

static void an_idle_lane_banks_nothing(void **state)
{
	struct rig *r = *state;
	hook_with(r, 0, 500);
	rig_start(r);
	for (int i = 0; i < 200; i++) {
		rig_put(r, 0, 1);
		rig_advance(r, 20);
	}
	assert_in_range(rig_lane(r, 0).window, 4, 5);
}

/* ---- slow ones share half ---- */

static void slow_ones_leave_half_to_the_others(void **state)
{
	struct rig *r = *state;
	r->conf.max_in_flight = 20;
	for (int i = 0; i < 6; i++)
		hook_with(r, i, 10);
	rig_start(r);
	rig_widen(r, 5);
	for (int i = 0; i < 5; i++) {
		r->replies[i].latency_ms = 14000;
		rig_put(r, i, 10);
	}
	rig_run(r);
	assert_int_equal(r->send_count, 10);
	for (int i = 0; i < 5; i++)
		assert_int_equal(rig_sends_to(r, i), 2);
	assert_non_null(strstr(rig_lane(r, 0).waits_for, "half"));
	rig_put(r, 5, 30);
	rig_advance(r, 100);
	assert_int_equal(rig_sends_to(r, 5), 30);
}

static void what_turned_slow_under_way_counts(void **state)
{
	struct rig *r = *state;
	r->conf.max_in_flight = 20;
	hook_with(r, 0, 10);
	hook_with(r, 1, 10);
	rig_start(r);
	rig_widen(r, 0);
	r->replies[0].latency_ms = 14000;
	rig_put(r, 0, 10);
	rig_run(r);
	assert_int_equal(r->send_count, 10);
	assert_int_equal(atomic_load(&engine_stats_of(r->engine)->slow_in_flight), 0);
	rig_advance(r, 2100);
	assert_int_equal(atomic_load(&engine_stats_of(r->engine)->slow_in_flight), 10);
	assert_true(rig_lane(r, 0).is_slow);
	/* Of a newcomer nothing is known yet: it waits with the slow ones. */
	rig_put(r, 1, 1);
	rig_run(r);
	assert_int_equal(rig_sends_to(r, 1), 0);
	rig_advance(r, 14000);
	assert_int_equal(rig_sends_to(r, 1), 1);
	engine_turn(r->engine);
	assert_int_equal(atomic_load(&engine_stats_of(r->engine)->slow_in_flight), 0);
}

static void a_slow_one_that_gets_quick_is_quick(void **state)
{
	struct rig *r = *state;
	hook_with(r, 0, 4);
	rig_start(r);
	r->replies[0].latency_ms = 3000;
	rig_put(r, 0, 8);
	rig_advance(r, 8000);
	assert_true(rig_lane(r, 0).is_slow);
	r->replies[0].latency_ms = 10;
	rig_put(r, 0, 10);
	rig_advance(r, 1000);
	assert_false(rig_lane(r, 0).is_slow);
}

/* ---- slots for probes ---- */

static void a_probe_finds_a_slot_when_all_are_taken(void **state)
{
	struct rig *r = *state;
	r->conf.max_in_flight = 32;
	hook_with(r, 0, 4);
	hook_with(r, 1, 500);
	rig_start(r);
	r->replies[0].outcome = ATTEMPT_REFUSED;
	rig_put(r, 0, 20);
	rig_advance(r, 1000);
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
	int sent = rig_sends_to(r, 0);
	rig_widen(r, 1);
	r->replies[1].latency_ms = 1900;
	for (int i = 0; i < 40; i++) {
		rig_put(r, 1, 18);
		rig_advance(r, 1000);
	}
	assert_int_equal(rig_sends_to(r, 0), sent + 1);
}

/* ---- the rate limit ---- */

static void limit_rate(struct rig *r, int count, int seconds)
{
	struct webhook w;
	rig_hook_init(r, &w, 0);
	w.rate_count = count;
	w.rate_seconds = seconds;
	rig_hook_create(r, &w);
	rig_start(r);
}

static void no_more_than_the_rate(void **state)
{
	struct rig *r = *state;
	limit_rate(r, 5, 60);
	rig_put(r, 0, 20);
	rig_advance(r, 30000);
	assert_int_equal(r->send_count, 5);
	assert_non_null(strstr(rig_lane(r, 0).waits_for, "the rate limit of 5 in 60 s"));
	assert_int_equal(atomic_load(&engine_stats_of(r->engine)->lanes_rate_limited), 1);
	rig_advance(r, 34000);
	assert_int_equal(r->send_count, 10);
	rig_advance(r, 200000);
	assert_int_equal(rig_ledger(r)->delivered, 20);
	assert_int_equal(atomic_load(&engine_stats_of(r->engine)->lanes_rate_limited), 0);
	for (int i = 5; i < 20; i++)
		assert_true(r->sends[i].at_mono_ms - r->sends[i - 5].at_mono_ms >= 60000);
}

static void retries_count_as_well(void **state)
{
	struct rig *r = *state;
	limit_rate(r, 3, 3600);
	r->replies[0].status = 500;
	rig_put(r, 0, 1);
	rig_advance(r, 1800000);
	assert_int_equal(r->send_count, 3);
}

/* ---- resends ---- */

static void a_resend_goes_ahead_of_the_window(void **state)
{
	struct rig *r = *state;
	hook_with(r, 0, 1);
	rig_start(r);
	rig_put(r, 0, 1);
	rig_advance(r, 100);
	struct id first = rig_newest(r).id;
	r->replies[0].latency_ms = 10000;
	rig_put(r, 0, 5);
	rig_run(r);
	assert_int_equal(r->send_count, 2);
	rig_resend(r, &first);
	rig_run(r);
	assert_int_equal(r->send_count, 3);
	assert_true(id_equal(&r->sends[2].delivery, &first));
	rig_advance(r, 10000);
	struct delivery d = rig_delivery(r, &first);
	assert_int_equal(d.state, DELIVERY_DELIVERED);
	assert_int_equal(d.round, 1);
	assert_int_equal(d.attempts, 2);
}

static void kill_it(struct rig *r)
{
	rig_hook(r, 0);
	rig_start(r);
	r->replies[0].outcome = ATTEMPT_REFUSED;
	rig_put(r, 0, 20);
	rig_advance(r, 1000);
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
}

static void a_resend_goes_ahead_of_dead_and_revives(void **state)
{
	struct rig *r = *state;
	kill_it(r);
	struct id newest = rig_newest(r).id;
	r->replies[0].outcome = ATTEMPT_ANSWERED;
	int sent = r->send_count;
	rig_resend(r, &newest);
	rig_run(r);
	assert_int_equal(r->send_count, sent + 1);
	rig_advance(r, 1000);
	assert_int_equal(rig_lane(r, 0).state, LANE_READY);
}

static void a_resend_that_fails_leaves_it_dead(void **state)
{
	struct rig *r = *state;
	kill_it(r);
	struct id newest = rig_newest(r).id;
	rig_resend(r, &newest);
	rig_advance(r, 100);
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
	struct delivery d = rig_delivery(r, &newest);
	assert_int_equal(d.state, DELIVERY_PENDING);
	assert_int_equal(d.tries, 1);
}

static void a_resend_waits_for_a_suspension(void **state)
{
	struct rig *r = *state;
	hook_with(r, 0, 1);
	rig_start(r);
	rig_put(r, 0, 1);
	rig_advance(r, 100);
	struct id first = rig_newest(r).id;
	r->replies[0].status = 429;
	r->replies[0].retry_after_s = 600;
	rig_put(r, 0, 1);
	rig_advance(r, 100);
	assert_int_equal(rig_lane(r, 0).state, LANE_SUSPENDED);
	rig_resend(r, &first);
	rig_advance(r, 500000);
	assert_int_equal(r->send_count, 2);
	r->replies[0].status = 200;
	rig_advance(r, 300000);
	assert_int_equal(rig_delivery(r, &first).state, DELIVERY_DELIVERED);
	assert_int_equal(r->send_count, 4);
}

/* The attempt of the round before is still under way: its failure ends nothing, and the new round goes. */
static void a_resend_of_what_is_in_flight(void **state)
{
	struct rig *r = *state;
	hook_with(r, 0, 4);
	rig_start(r);
	r->replies[0].latency_ms = 5000;
	r->replies[0].status = 500;
	rig_put(r, 0, 1);
	rig_run(r);
	struct id first = rig_newest(r).id;
	rig_resend(r, &first);
	rig_advance(r, 1000);
	assert_int_equal(r->send_count, 1);
	r->replies[0].status = 200;
	r->replies[0].latency_ms = 10;
	rig_advance(r, 4100);
	assert_int_equal(r->send_count, 2);
	struct delivery d = rig_delivery(r, &first);
	assert_int_equal(d.state, DELIVERY_DELIVERED);
	assert_int_equal(d.tries, 1);
	assert_int_equal(d.attempts, 2);
}

static void a_resend_of_what_is_queued_goes_once(void **state)
{
	struct rig *r = *state;
	hook_with(r, 0, 1);
	rig_start(r);
	r->replies[0].latency_ms = 1000;
	rig_put(r, 0, 3);
	rig_run(r);
	struct id last = rig_newest(r).id;
	rig_resend(r, &last);
	rig_advance(r, 10000);
	assert_int_equal(r->send_count, 3);
	assert_int_equal(rig_ledger(r)->delivered, 3);
}

/* ---- what outlives a restart ---- */

static void a_suspension_outlives_a_restart(void **state)
{
	struct rig *r = *state;
	rig_hook(r, 0);
	rig_start(r);
	r->replies[0].status = 429;
	r->replies[0].retry_after_s = 3600;
	rig_put(r, 0, 9);
	rig_advance(r, 100);
	int sent = r->send_count;
	rig_stop(r);
	rig_start(r);
	assert_int_equal(rig_lane(r, 0).state, LANE_SUSPENDED);
	assert_non_null(strstr(rig_lane(r, 0).reason, "(429)"));
	r->replies[0].status = 200;
	rig_advance(r, 3500 * 1000);
	assert_int_equal(r->send_count, sent);
	rig_advance(r, 900 * 1000);
	assert_int_equal(rig_ledger(r)->delivered, 9);
}

static void five_days_without_success_switch_it_off(void **state)
{
	struct rig *r = *state;
	rig_hook(r, 0);
	rig_start(r);
	r->replies[0].status = 500;
	rig_put(r, 0, 12);
	rig_advance(r, (int64_t)110 * 3600 * 1000);
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
	rig_advance(r, (int64_t)12 * 3600 * 1000);
	struct lane_info info = rig_lane(r, 0);
	assert_int_equal(info.state, LANE_DISABLED);
	assert_non_null(strstr(info.reason, "nothing succeeded for 5 days"));
	assert_int_equal(rig_ledger(r)->parked, 12);
	assert_int_equal(atomic_load(&engine_stats_of(r->engine)->switched_off), 1);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int engine_slots_tests(void)
{
	static const struct CMUnitTest tests[] = {
			ONE(the_window_grows_while_it_answers),
			ONE(an_idle_lane_banks_nothing),
			ONE(slow_ones_leave_half_to_the_others),
			ONE(what_turned_slow_under_way_counts),
			ONE(a_slow_one_that_gets_quick_is_quick),
			ONE(a_probe_finds_a_slot_when_all_are_taken),
			ONE(no_more_than_the_rate),
			ONE(retries_count_as_well),
			ONE(a_resend_goes_ahead_of_the_window),
			ONE(a_resend_goes_ahead_of_dead_and_revives),
			ONE(a_resend_that_fails_leaves_it_dead),
			ONE(a_resend_waits_for_a_suspension),
			ONE(a_resend_of_what_is_in_flight),
			ONE(a_resend_of_what_is_queued_goes_once),
			ONE(a_suspension_outlives_a_restart),
			ONE(five_days_without_success_switch_it_off),
	};
	return cmocka_run_group_tests_name("engine_slots", tests, NULL, NULL);
}
