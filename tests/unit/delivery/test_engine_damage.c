#include "test_engine.h"

#include <string.h>

#include "test_engine_rig.h"

#define HOUR_MS ((int64_t)3600 * 1000)

/* A result that can't be stored because of what is stored: that delivery's trouble, and nobody else's. */

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

static int count_of(const struct rig *r, const char *words)
{
	int count = 0;
	for (const char *at = r->log_text; (at = strstr(at, words)) != NULL; at++)
		count++;
	return count;
}

/* One result to webhook 0 is lost. */
static void lose_one(struct rig *r)
{
	rig_hook(r, 0);
	rig_hook(r, 1);
	rig_start(r);
	rig_put(r, 0, 1);
	rig_run(r);
	assert_int_equal(r->send_count, 1);
	store_fault_fail_write(r->fault, 1, CH_EDAMAGED);
	rig_advance(r, 100);
	assert_int_equal(rig_ledger(r)->delivered, 0);
}

static void a_lost_result_is_no_refusal(void **state)
{
	struct rig *r = *state;
	lose_one(r);
	assert_int_equal(count_of(r, "result_lost"), 1);
	assert_int_equal(count_of(r, "store_refuses_results"), 0);
	rig_put(r, 1, 3);
	rig_put(r, 0, 3);
	rig_advance(r, 1000);
	assert_int_equal(rig_sends_to(r, 1), 3);
	assert_int_equal(rig_sends_to(r, 0), 1 + 3);
	assert_int_equal(rig_ledger(r)->delivered, 6);
}

static void what_was_lost_rests_for_an_hour(void **state)
{
	struct rig *r = *state;
	lose_one(r);
	struct id lost = r->sends[0].delivery;
	for (int i = 0; i < 50; i++) {
		rig_put(r, 0, 1);
		/* Whatever makes the lane look into the store: it must not bring that one. */
		struct id hook = rig_hook_id(0);
		engine_due(r->engine, &hook);
		rig_advance(r, HOUR_MS / 60);
	}
	assert_int_equal(rig_sends_to(r, 0), 1 + 50);
	for (int i = 1; i < r->send_count; i++)
		assert_memory_not_equal(&r->sends[i].delivery, &lost, sizeof(lost));
	rig_advance(r, HOUR_MS / 6);
	assert_int_equal(rig_sends_to(r, 0), 1 + 50 + 1);
	assert_memory_equal(&r->sends[51].delivery, &lost, sizeof(lost));
	assert_int_equal(rig_ledger(r)->delivered, 51);
	assert_int_equal(rig_ledger(r)->pending, 0);
}

/* The question whether the store takes writes again may itself meet damage, and be the last that waits. */
static void damage_ends_a_refusal(void **state)
{
	struct rig *r = *state;
	rig_hook(r, 0);
	rig_start(r);
	rig_put(r, 0, 1);
	rig_run(r);
	store_fault_fail_write(r->fault, 1, CH_EFULL);
	rig_advance(r, 10);
	assert_int_equal(count_of(r, "store_refuses_results"), 1);
	store_fault_fail_write(r->fault, 1, CH_EDAMAGED);
	rig_advance(r, 1000);
	assert_int_equal(count_of(r, "result_lost"), 1);
	rig_put(r, 0, 2);
	rig_advance(r, 1000);
	assert_int_equal(rig_ledger(r)->delivered, 2);
}

static void somebody_who_asks_need_not_wait(void **state)
{
	struct rig *r = *state;
	lose_one(r);
	struct id lost = r->sends[0].delivery;
	rig_resend(r, &lost);
	rig_advance(r, 1000);
	assert_int_equal(r->send_count, 2);
	assert_int_equal(rig_delivery(r, &lost).state, DELIVERY_DELIVERED);
}

static void a_claim_that_meets_damage_stops_its_own_lane_only(void **state)
{
	struct rig *r = *state;
	rig_hook(r, 0);
	rig_hook(r, 1);
	rig_start(r);
	r->holds_news = true;
	rig_put(r, 0, 2);
	rig_put(r, 1, 2);
	store_fault_fail_read(r->fault, 2, CH_EDAMAGED); /* after the survey */
	engine_missed(r->engine);
	rig_run(r);
	assert_int_equal(r->send_count, 2);
	rig_advance(r, 10000);
	assert_int_equal(r->send_count, 4);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int engine_damage_tests(void)
{
	const struct CMUnitTest tests[] = {
			ONE(a_lost_result_is_no_refusal),
			ONE(what_was_lost_rests_for_an_hour),
			ONE(damage_ends_a_refusal),
			ONE(somebody_who_asks_need_not_wait),
			ONE(a_claim_that_meets_damage_stops_its_own_lane_only),
	};
	return cmocka_run_group_tests_name("engine_damage", tests, NULL, NULL);
}
