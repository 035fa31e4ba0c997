#include "test_engine.h"

#include <string.h>

#include "test_engine_rig.h"

static struct rig rig;

static int set_up(void **state)
{
	rig_open(&rig);
	rig_hook(&rig, 0);
	*state = &rig;
	return 0;
}

static int tear_down(void **state)
{
	rig_close(*state);
	return 0;
}

static void what_an_earlier_run_left_is_delivered(void **state)
{
	struct rig *r = *state;
	rig_put(r, 0, 100);
	rig_start(r);
	rig_advance(r, 5000);
	assert_int_equal(r->send_count, 100);
	assert_int_equal(rig_ledger(r)->delivered, 100);
}

static void a_full_lane_leaves_the_rest_to_the_store(void **state)
{
	struct rig *r = *state;
	r->replies[0].latency_ms = 1000;
	rig_start(r);
	rig_put(r, 0, 200);
	rig_run(r);
	assert_true(rig_lane(r, 0).queued <= ENGINE_QUEUE_MAX);
	assert_true(atomic_load(&engine_stats_of(r->engine)->overflowed) > 0);
	rig_advance(r, 60000);
	assert_int_equal(r->send_count, 200);
	assert_int_equal(rig_ledger(r)->delivered, 200);
}

/* While a claim is under way its places are kept: fresh ones don't take them. */
static void a_claim_under_way_has_its_places(void **state)
{
	struct rig *r = *state;
	r->replies[0].latency_ms = 10000;
	rig_put(r, 0, 200);
	rig_start(r);
	rig_advance(r, 5);
	assert_true(rig_lane(r, 0).queued <= ENGINE_QUEUE_MAX);
	r->holds_reads = true;
	rig_advance(r, 10000);
	rig_put(r, 0, 200);
	rig_release_reads(r);
	r->holds_reads = false;
	rig_run(r);
	assert_true(rig_lane(r, 0).queued <= ENGINE_QUEUE_MAX);
}

/* The claim reads a delivery whose news is still on its way, the news brings it, it is sent and acknowledged;
 * then the old answer comes. */
static void an_old_answer_sends_nothing_twice(void **state)
{
	struct rig *r = *state;
	rig_start(r);
	r->holds_reads = true;
	r->holds_news = true;
	rig_put(r, 0, 1);
	engine_missed(r->engine);
	engine_turn(r->engine);
	rig_release_reads(r);
	rig_step(r); /* the survey's answer: the lane wants a claim */
	engine_turn(r->engine); /* which is read here, and held back */
	assert_false(ch_list_is_empty(&r->held_reads));
	struct delivery d = rig_newest(r);
	d.body = ch_bytes_create("{}", 2);
	assert_non_null(d.body);
	engine_fresh(r->engine, &d);
	rig_advance(r, 1000);
	assert_int_equal(r->send_count, 1);
	assert_int_equal(rig_ledger(r)->delivered, 1);
	rig_release_reads(r);
	r->holds_reads = false;
	rig_advance(r, 1000);
	assert_int_equal(r->send_count, 1);
}

static void news_and_claim_of_one_delivery_are_one(void **state)
{
	struct rig *r = *state;
	r->replies[0].latency_ms = 100;
	rig_start(r);
	r->holds_news = true;
	rig_put(r, 0, 1);
	struct delivery d = rig_newest(r);
	d.body = ch_bytes_create("{}", 2);
	engine_missed(r->engine);
	rig_run(r);
	assert_int_equal(r->send_count, 1);
	engine_fresh(r->engine, &d);
	assert_null(d.body);
	rig_advance(r, 1000);
	assert_int_equal(r->send_count, 1);
}

static void a_retry_comes_when_it_is_due(void **state)
{
	struct rig *r = *state;
	r->replies[0].status = 500;
	rig_start(r);
	rig_put(r, 0, 1);
	rig_advance(r, 3900);
	assert_int_equal(r->send_count, 1);
	struct delivery d = rig_newest(r);
	assert_int_equal(d.tries, 1);
	assert_int_equal(d.state, DELIVERY_PENDING);
	assert_in_range(d.due_ms, RIG_NOW_MS + 4000, RIG_NOW_MS + 6100);
	r->replies[0].status = 200;
	rig_advance(r, 2300);
	assert_int_equal(r->send_count, 2);
	assert_true(r->sends[1].at_mono_ms - 1000 >= d.due_ms - RIG_NOW_MS);
	assert_string_equal(rig_header(&r->sends[0], "webhook-id: ") ? "there" : "missing", "there");
	assert_memory_equal(&r->sends[0].delivery, &r->sends[1].delivery, sizeof(struct id));
	assert_int_equal(rig_newest(r).state, DELIVERY_DELIVERED);
}

static void put_and_fail(struct rig *r)
{
	r->replies[0].status = 500;
	rig_start(r);
	rig_put(r, 0, 1);
	rig_advance(r, 1000);
	assert_int_equal(r->send_count, 1);
}

/* Nobody tells when the wall clock steps: it is looked at again within a minute. */
static void a_wall_clock_ahead_is_noticed(void **state)
{
	struct rig *r = *state;
	r->conf.schedule = (struct retry_schedule){.pause_s = {7200}, .count = 1};
	put_and_fail(r);
	r->clock.wall.ms += (int64_t)3 * 3600 * 1000;
	rig_advance(r, 61000);
	assert_int_equal(r->send_count, 2);
}

static void a_wall_clock_behind_waits_for_the_wall(void **state)
{
	struct rig *r = *state;
	put_and_fail(r);
	r->clock.wall.ms -= 600000;
	rig_advance(r, 500000);
	assert_int_equal(r->send_count, 1);
	rig_advance(r, 110000);
	assert_int_equal(r->send_count, 2);
}

static void a_claim_that_fails_is_asked_again(void **state)
{
	struct rig *r = *state;
	rig_start(r);
	r->holds_news = true;
	rig_put(r, 0, 5);
	engine_missed(r->engine);
	store_fault_fail_read(r->fault, 2, CH_EIO); /* after the survey */
	rig_run(r);
	assert_int_equal(r->send_count, 0);
	rig_advance(r, 10000);
	assert_int_equal(r->send_count, 5);
}

static void a_survey_that_fails_is_asked_again(void **state)
{
	struct rig *r = *state;
	rig_put(r, 0, 1);
	store_fault_fail_read(r->fault, 1, CH_EIO);
	rig_start(r);
	assert_int_equal(r->send_count, 0);
	assert_non_null(strstr(r->log_text, "webhooks_unread"));
	rig_advance(r, 1000);
	assert_int_equal(r->send_count, 1);
}

/* A delivery whose news comes before the engine knows of any webhook, committed after the survey was read. */
static void news_during_the_survey_is_not_lost(void **state)
{
	struct rig *r = *state;
	r->holds_reads = true;
	rig_start(r);
	rig_put(r, 0, 1);
	rig_run(r);
	assert_int_equal(r->send_count, 0);
	r->holds_reads = false;
	rig_release_reads(r);
	rig_run(r);
	assert_int_equal(r->send_count, 1);
}

static void bodies_stay_within_the_budget(void **state)
{
	struct rig *r = *state;
	r->conf.body_budget_bytes = 100000;
	r->replies[0].latency_ms = 1000;
	for (int i = 1; i < RIG_HOOKS; i++) {
		rig_hook(r, i);
		r->replies[i].latency_ms = 1000;
	}
	rig_start(r);
	for (int i = 0; i < 100; i++) {
		rig_put_sized(r, i % RIG_HOOKS, i < 50 ? 20000 : 3000);
		rig_run(r);
		engine_turn(r->engine);
		assert_true(atomic_load(&engine_stats_of(r->engine)->body_bytes) <= 100000);
	}
	rig_advance(r, 300000);
	assert_int_equal(rig_ledger(r)->delivered, 100);
}

/* One record larger than the whole budget is still delivered, and does not keep others out for good. */
static void one_delivery_always_fits(void **state)
{
	struct rig *r = *state;
	r->conf.body_budget_bytes = 10;
	rig_hook(r, 1);
	rig_start(r);
	for (int i = 0; i < 6; i++)
		rig_put_sized(r, i % 2, 500);
	rig_advance(r, 10000);
	assert_int_equal(rig_ledger(r)->delivered, 6);
}

int engine_claim_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					what_an_earlier_run_left_is_delivered, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					a_full_lane_leaves_the_rest_to_the_store, set_up, tear_down),
			cmocka_unit_test_setup_teardown(a_claim_under_way_has_its_places, set_up, tear_down),
			cmocka_unit_test_setup_teardown(an_old_answer_sends_nothing_twice, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					news_and_claim_of_one_delivery_are_one, set_up, tear_down),
			cmocka_unit_test_setup_teardown(a_retry_comes_when_it_is_due, set_up, tear_down),
			cmocka_unit_test_setup_teardown(a_wall_clock_ahead_is_noticed, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					a_wall_clock_behind_waits_for_the_wall, set_up, tear_down),
			cmocka_unit_test_setup_teardown(a_claim_that_fails_is_asked_again, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					a_survey_that_fails_is_asked_again, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					news_during_the_survey_is_not_lost, set_up, tear_down),
			cmocka_unit_test_setup_teardown(bodies_stay_within_the_budget, set_up, tear_down),
			cmocka_unit_test_setup_teardown(one_delivery_always_fits, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("engine_claim", tests, NULL, NULL);
}
