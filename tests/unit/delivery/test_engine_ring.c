#include "test_engine.h"

#include <string.h>

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

static void lanes_take_turns(void **state)
{
	struct rig *r = *state;
	r->conf.max_in_flight = 3;
	for (int i = 0; i < 3; i++)
		hook_with(r, i, 10);
	rig_start(r);
	for (int i = 0; i < 3; i++)
		rig_widen(r, i);
	for (int i = 0; i < 3; i++)
		rig_put(r, i, 4);
	rig_advance(r, 1000);
	assert_int_equal(r->send_count, 12);
	for (int i = 0; i < 12; i += 3) {
		unsigned seen = 0;
		for (int j = 0; j < 3; j++)
			seen |= 1u << r->sends[i + j].hook;
		assert_int_equal(seen, 7);
	}
}

static void a_flood_delays_nobody(void **state)
{
	struct rig *r = *state;
	r->conf.max_in_flight = 2;
	hook_with(r, 0, 10);
	hook_with(r, 1, 10);
	rig_start(r);
	rig_widen(r, 0);
	rig_widen(r, 1);
	rig_put(r, 0, 60);
	rig_put(r, 1, 1);
	rig_run(r);
	assert_int_equal(r->send_count, 2);
	assert_int_equal(rig_sends_to(r, 1), 1);
}

static void no_more_than_the_window(void **state)
{
	struct rig *r = *state;
	hook_with(r, 0, 3);
	rig_start(r);
	rig_put(r, 0, 10);
	rig_run(r);
	assert_int_equal(r->send_count, 3);
	struct lane_info info = rig_lane(r, 0);
	assert_int_equal(info.busy, 3);
	assert_int_equal(info.window, 3);
	assert_int_equal(info.queued, 7);
	assert_int_equal(info.state, LANE_READY);
	rig_advance(r, 1000);
	assert_int_equal(rig_ledger(r)->delivered, 10);
}

static void no_more_than_the_whole_may_have(void **state)
{
	struct rig *r = *state;
	r->conf.max_in_flight = 5;
	hook_with(r, 0, 10);
	hook_with(r, 1, 10);
	rig_start(r);
	rig_widen(r, 0);
	rig_widen(r, 1);
	rig_put(r, 0, 10);
	rig_put(r, 1, 10);
	rig_run(r);
	assert_int_equal(r->send_count, 5);
	rig_advance(r, 10);
	assert_int_equal(r->send_count, 10);
}

static void a_turn_ends(void **state)
{
	struct rig *r = *state;
	for (int i = 0; i < RIG_HOOKS; i++)
		hook_with(r, i, 100);
	rig_start(r);
	for (int i = 0; i < RIG_HOOKS; i++)
		rig_widen(r, i);
	for (int i = 0; i < RIG_HOOKS; i++)
		rig_put(r, i, 50);
	engine_turn(r->engine);
	assert_int_equal(r->send_count, 256);
	assert_true(engine_next_wake(r->engine).ms <= r->clock.mono.ms);
	engine_turn(r->engine);
	assert_int_equal(r->send_count, 400);
}

static void at_rest_nothing_is_waited_for(void **state)
{
	struct rig *r = *state;
	hook_with(r, 0, 4);
	rig_start(r);
	assert_int_equal(engine_next_wake(r->engine).ms, INT64_MAX);
	rig_put(r, 0, 1);
	assert_true(engine_next_wake(r->engine).ms <= r->clock.mono.ms);
	rig_advance(r, 100);
	assert_int_equal(engine_next_wake(r->engine).ms, INT64_MAX);
	assert_true(engine_is_idle(r->engine));
}

/* News of now and what was left in the store, one after the other. */
static void fresh_and_backlog_take_turns(void **state)
{
	struct rig *r = *state;
	hook_with(r, 0, 1);
	rig_start(r);
	r->holds_news = true;
	rig_put(r, 0, 4);
	r->holds_news = false;
	struct id last_of_backlog = rig_newest(r).id;
	engine_missed(r->engine);
	rig_run(r);
	assert_int_equal(r->send_count, 1);
	rig_put(r, 0, 3);
	rig_advance(r, 1000);
	assert_int_equal(r->send_count, 7);
	for (int i = 0; i < 7; i++) {
		bool is_backlog = id_compare(&r->sends[i].delivery, &last_of_backlog) <= 0;
		assert_int_equal(is_backlog, i % 2 == 0);
	}
}

static void counters_add_up(void **state)
{
	struct rig *r = *state;
	hook_with(r, 0, 4);
	hook_with(r, 1, 4);
	r->replies[1].status = 500;
	rig_start(r);
	rig_put(r, 0, 3);
	rig_put(r, 1, 2);
	rig_advance(r, 100);
	const struct engine_stats *s = engine_stats_of(r->engine);
	assert_int_equal(atomic_load(&s->attempts[ATTEMPT_ANSWERED]), 5);
	assert_int_equal(atomic_load(&s->answers[2]), 3);
	assert_int_equal(atomic_load(&s->answers[5]), 2);
	assert_int_equal(atomic_load(&s->delivered), 3);
	assert_int_equal(atomic_load(&s->retried), 2);
	assert_int_equal(atomic_load(&s->attempt_us), 50000);
	assert_int_equal(atomic_load(&s->attempt_bucket[3]), 5);
	assert_int_equal(atomic_load(&s->receipt_us), 30000);
	engine_turn(r->engine);
	assert_int_equal(atomic_load(&s->lanes), 2);
	assert_int_equal(atomic_load(&s->held), 0);
	assert_int_equal(atomic_load(&s->body_bytes), 0);
}

int engine_ring_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(lanes_take_turns, set_up, tear_down),
			cmocka_unit_test_setup_teardown(a_flood_delays_nobody, set_up, tear_down),
			cmocka_unit_test_setup_teardown(no_more_than_the_window, set_up, tear_down),
			cmocka_unit_test_setup_teardown(no_more_than_the_whole_may_have, set_up, tear_down),
			cmocka_unit_test_setup_teardown(a_turn_ends, set_up, tear_down),
			cmocka_unit_test_setup_teardown(at_rest_nothing_is_waited_for, set_up, tear_down),
			cmocka_unit_test_setup_teardown(fresh_and_backlog_take_turns, set_up, tear_down),
			cmocka_unit_test_setup_teardown(counters_add_up, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("engine_ring", tests, NULL, NULL);
}
