#include "test_engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "delivery/engine_test.h"
#include "test_engine_rig.h"

/* Test calls within the engine: what they may touch, and what happens around them meanwhile. */

struct asked {
	struct engine_test test;
	int ends;
};

static void ended(struct engine_test *t)
{
	CH_CONTAINER_OF(t, struct asked, test)->ends++;
}

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

static void ask(struct rig *r, struct asked *a, int hook)
{
	*a = (struct asked){.test = {.webhook = rig_hook_id(hook), .done = ended}};
	a->test.body = ch_bytes_create("{}", 2);
	assert_non_null(a->test.body);
	engine_test_start(r->engine, &a->test);
}

static void forget(struct asked *a)
{
	assert_int_equal(a->ends, 1);
	attempt_fini(&a->test.attempt);
	ch_bytes_unref(&a->test.body);
}

/* A webhook that answers after 5 s, with a test of it under way. */
static void ask_slow(struct rig *r, struct asked *a)
{
	rig_hook(r, 0);
	rig_start(r);
	r->replies[0].latency_ms = 5000;
	ask(r, a, 0);
}

static void it_touches_neither_ledger_nor_lane(void **state)
{
	struct rig *r = *state;
	struct asked a;
	rig_hook(r, 0);
	rig_start(r);
	ask(r, &a, 0);
	assert_int_equal(a.ends, 0);
	assert_int_equal(rig_lane(r, 0).busy, 0);
	rig_advance(r, 1000);
	assert_int_equal(a.test.result, 0);
	assert_int_equal(a.test.attempt.status, 200);
	assert_non_null(strstr(a.test.attempt.request_headers, "X-Webhook-Test: true\n"));
	assert_non_null(rig_header(&r->sends[0], "X-Webhook-Test: true"));
	assert_int_equal(rig_ledger(r)->accepted, 0);
	assert_int_equal(atomic_load(&engine_stats_of(r->engine)->attempts[ATTEMPT_ANSWERED]), 0);
	forget(&a);
}

/* Webhook 0 refuses until it is dead. */
static void kill_it(struct rig *r)
{
	r->replies[0].outcome = ATTEMPT_REFUSED;
	rig_hook(r, 0);
	rig_start(r);
	rig_put(r, 0, 40);
	rig_advance(r, 1000);
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
	r->replies[0] = (struct transport_sim_reply){
			.outcome = ATTEMPT_ANSWERED, .status = 200, .retry_after_s = -1};
}

static void one_that_is_taken_ends_dead_and_the_backlog_goes(void **state)
{
	struct rig *r = *state;
	struct asked a;
	kill_it(r);
	ask(r, &a, 0);
	rig_advance(r, 60000);
	assert_int_equal(rig_lane(r, 0).state, LANE_READY);
	assert_int_equal(rig_ledger(r)->delivered, 40);
	forget(&a);
}

/* Asked to wait for an hour, then switched off: what is learnt meanwhile counts when it is switched on. */
static void one_that_is_taken_while_off_ends_a_suspension(void **state)
{
	struct rig *r = *state;
	struct asked a;
	struct webhook w;
	rig_hook(r, 0);
	rig_start(r);
	r->replies[0].status = 429;
	r->replies[0].retry_after_s = 3600;
	rig_put(r, 0, 1);
	rig_advance(r, 1000);
	assert_int_equal(rig_lane(r, 0).state, LANE_SUSPENDED);
	rig_hook_init(r, &w, 0);
	w.enabled = false;
	rig_hook_update(r, &w, 0);
	rig_run(r);
	assert_int_equal(rig_lane(r, 0).state, LANE_DISABLED);
	r->replies[0] = (struct transport_sim_reply){
			.outcome = ATTEMPT_ANSWERED, .status = 200, .retry_after_s = -1};
	ask(r, &a, 0);
	rig_advance(r, 1000);
	assert_int_equal(rig_lane(r, 0).state, LANE_DISABLED);
	rig_hook_init(r, &w, 0);
	rig_hook_update(r, &w, 0);
	rig_run(r);
	assert_int_equal(rig_lane(r, 0).state, LANE_READY);
	forget(&a);
}

/* The store has the receiver's wish too, for the next start: it ends there as well. */
static void a_suspension_that_one_ended_stays_ended_after_a_restart(void **state)
{
	struct rig *r = *state;
	struct asked a;
	rig_hook(r, 0);
	rig_start(r);
	r->replies[0].status = 429;
	r->replies[0].retry_after_s = 3600;
	rig_put(r, 0, 1);
	rig_advance(r, 1000);
	rig_stop(r);
	rig_start(r);
	assert_int_equal(rig_lane(r, 0).state, LANE_SUSPENDED);
	r->replies[0] = (struct transport_sim_reply){
			.outcome = ATTEMPT_ANSWERED, .status = 200, .retry_after_s = -1};
	ask(r, &a, 0);
	rig_advance(r, 100);
	forget(&a);
	assert_int_equal(rig_lane(r, 0).state, LANE_READY);
	rig_stop(r);
	rig_start(r);
	assert_int_equal(rig_lane(r, 0).state, LANE_READY);
}

static void one_that_is_refused_ends_nothing(void **state)
{
	struct rig *r = *state;
	struct asked a;
	kill_it(r);
	r->replies[0].status = 500;
	int64_t until = rig_lane(r, 0).until_wall_ms;
	ask(r, &a, 0);
	rig_advance(r, 1000);
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
	assert_int_equal(rig_lane(r, 0).until_wall_ms, until);
	assert_int_equal(a.test.attempt.status, 500);
	forget(&a);
}

static void one_to_another_url_ends_nothing(void **state)
{
	struct rig *r = *state;
	struct asked a;
	struct webhook w;
	kill_it(r);
	r->replies[0].latency_ms = 5000;
	ask(r, &a, 0);
	/* Moved, and dead again before the old address answers. */
	rig_hook_init(r, &w, 0);
	ch_free(w.url);
	w.url = ch_strdup("https://other.example.com/");
	rig_hook_update(r, &w, 0);
	r->replies[0] = (struct transport_sim_reply){.outcome = ATTEMPT_REFUSED, .retry_after_s = -1};
	rig_advance(r, 4000);
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
	rig_advance(r, 1500);
	assert_int_equal(a.test.attempt.status, 200);
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
	forget(&a);
}

static void the_webhook_may_go_meanwhile(void **state)
{
	struct rig *r = *state;
	struct asked a;
	ask_slow(r, &a);
	rig_hook_delete(r, 0);
	rig_advance(r, 6000);
	assert_int_equal(a.test.attempt.status, 200);
	forget(&a);
}

static void there_is_room_for_few(void **state)
{
	struct rig *r = *state;
	struct asked a[4];
	for (int i = 0; i < 3; i++)
		rig_hook(r, i);
	rig_start(r);
	for (int i = 0; i < 3; i++)
		r->replies[i].latency_ms = 5000;
	ask(r, &a[0], 0);
	ask(r, &a[1], 0);
	ask(r, &a[2], 1);
	ask(r, &a[3], 2);
	assert_int_equal(a[1].test.result, CH_EBUSY);
	assert_int_equal(a[3].test.result, CH_ELIMIT);
	rig_advance(r, 6000);
	assert_int_equal(a[0].test.result, 0);
	assert_int_equal(a[2].test.result, 0);
	for (int i = 0; i < 4; i++)
		forget(&a[i]);
	ask(r, &a[0], 2);
	rig_advance(r, 6000);
	assert_int_equal(a[0].test.result, 0);
	forget(&a[0]);
}

static void nobody_knows_it_and_stopping_are_said(void **state)
{
	struct rig *r = *state;
	struct asked a;
	rig_hook(r, 0);
	rig_start(r);
	ask(r, &a, 5);
	assert_int_equal(a.test.result, CH_EAGAIN);
	forget(&a);
	engine_stop(r->engine);
	ask(r, &a, 0);
	assert_int_equal(a.test.result, CH_ECANCELED);
	forget(&a);
}

static void an_abort_ends_it(void **state)
{
	struct rig *r = *state;
	struct asked a;
	ask_slow(r, &a);
	engine_stop(r->engine);
	assert_false(engine_is_idle(r->engine));
	engine_abort(r->engine);
	rig_run(r);
	assert_true(engine_is_idle(r->engine));
	assert_int_equal(a.test.attempt.outcome, ATTEMPT_LOCAL);
	forget(&a);
}

/* It is not sent unsigned: a receiver that checks would be told something wrong. */
static void a_secret_that_cant_be_opened_is_shown(void **state)
{
	struct rig *r = *state;
	struct asked a;
	struct webhook w;
	rig_hook_init(r, &w, 0);
	rig_seal(r, &w, RIG_SECRET);
	w.secret_sealed[w.secret_sealed_len - 1] ^= 1;
	rig_hook_create(r, &w);
	rig_start(r);
	ask(r, &a, 0);
	assert_int_equal(a.test.result, 0);
	assert_int_equal(a.test.attempt.outcome, ATTEMPT_LOCAL);
	assert_non_null(strstr(a.test.attempt.detail, "secret"));
	assert_int_equal(r->send_count, 0);
	forget(&a);
}

int engine_trial_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					it_touches_neither_ledger_nor_lane, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					one_that_is_taken_ends_dead_and_the_backlog_goes, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					one_that_is_taken_while_off_ends_a_suspension, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					a_suspension_that_one_ended_stays_ended_after_a_restart, set_up,
					tear_down),
			cmocka_unit_test_setup_teardown(one_that_is_refused_ends_nothing, set_up, tear_down),
			cmocka_unit_test_setup_teardown(one_to_another_url_ends_nothing, set_up, tear_down),
			cmocka_unit_test_setup_teardown(the_webhook_may_go_meanwhile, set_up, tear_down),
			cmocka_unit_test_setup_teardown(there_is_room_for_few, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					nobody_knows_it_and_stopping_are_said, set_up, tear_down),
			cmocka_unit_test_setup_teardown(an_abort_ends_it, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					a_secret_that_cant_be_opened_is_shown, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("engine_trials", tests, NULL, NULL);
}
