#include "test_engine.h"

#include <string.h>

#include "test_engine_rig.h"

static struct rig rig;

static int set_up(void **state)
{
	rig_open(&rig);
	for (int i = 0; i < RIG_HOOKS; i++)
		rig_hook(&rig, i);
	rig_start(&rig);
	*state = &rig;
	return 0;
}

static int tear_down(void **state)
{
	rig_close(*state);
	return 0;
}

static void cut_the_line(struct rig *r)
{
	for (int i = 0; i < RIG_HOOKS; i++)
		r->replies[i].outcome = ATTEMPT_DNS;
}

static void mend_the_line(struct rig *r)
{
	for (int i = 0; i < RIG_HOOKS; i++)
		r->replies[i].outcome = ATTEMPT_ANSWERED;
}

static bool is_outage(const struct rig *r)
{
	return atomic_load(&engine_stats_of(r->engine)->is_outage) == 1;
}

static void call_everybody(struct rig *r, int count)
{
	for (int i = 0; i < RIG_HOOKS; i++)
		rig_put(r, i, count);
}

static void our_own_outage_is_recognised(void **state)
{
	struct rig *r = *state;
	cut_the_line(r);
	call_everybody(r, 20);
	rig_advance(r, 100);
	assert_true(is_outage(r));
	assert_non_null(strstr(r->log_text, "outage"));
	assert_non_null(strstr(rig_lane(r, 0).waits_for, "our own network or name server"));
	for (int i = 0; i < RIG_HOOKS; i++)
		assert_int_not_equal(rig_lane(r, i).state, LANE_DEAD);
}

/* One attempt at a time asks whether it is over: each endpoint once in quick succession, then ever more
 * seldom. */
static void in_an_outage_hardly_anything_is_sent(void **state)
{
	struct rig *r = *state;
	cut_the_line(r);
	call_everybody(r, 20);
	rig_advance(r, 100);
	int sent = r->send_count;
	rig_advance(r, 60000);
	assert_in_range(r->send_count - sent, RIG_HOOKS + 8, RIG_HOOKS + 25);
	for (int i = sent; i < r->send_count; i++) {
		assert_int_equal(rig_delivery(r, &r->sends[i].delivery).tries, 0);
		assert_true(r->sends[i].at_mono_ms - r->sends[i - 1].at_mono_ms >=
				(i - sent <= RIG_HOOKS ? 200 : 800));
	}
}

static void after_it_everything_goes_on(void **state)
{
	struct rig *r = *state;
	cut_the_line(r);
	call_everybody(r, 20);
	rig_advance(r, 600000);
	mend_the_line(r);
	rig_advance(r, 10000);
	assert_false(is_outage(r));
	rig_advance(r, 600000);
	assert_int_equal(rig_ledger(r)->delivered, 20 * RIG_HOOKS);
	assert_int_equal(atomic_load(&engine_stats_of(r->engine)->outages), 1);
}

static void one_that_answers_means_it_is_they(void **state)
{
	struct rig *r = *state;
	cut_the_line(r);
	r->replies[3].outcome = ATTEMPT_ANSWERED;
	rig_put(r, 3, 1);
	rig_advance(r, 50);
	call_everybody(r, 20);
	rig_advance(r, 10000);
	assert_false(is_outage(r));
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
}

static void four_hosts_are_too_few(void **state)
{
	struct rig *r = *state;
	cut_the_line(r);
	for (int i = 0; i < 4; i++)
		rig_put(r, i, 20);
	rig_advance(r, 10000);
	assert_false(is_outage(r));
}

/* Those that were dead before go on failing when they are probed: that says nothing about us. */
static void probes_of_the_dead_say_nothing(void **state)
{
	struct rig *r = *state;
	for (int i = 0; i < 7; i++) {
		r->replies[i].outcome = ATTEMPT_REFUSED;
		rig_put(r, i, 20);
		rig_put(r, 7, 1);
		rig_advance(r, 1000);
		assert_int_equal(rig_lane(r, i).state, LANE_DEAD);
	}
	rig_advance(r, (int64_t)3 * 3600 * 1000);
	assert_int_equal(atomic_load(&engine_stats_of(r->engine)->outages), 0);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int engine_outage_tests(void)
{
	static const struct CMUnitTest tests[] = {
			ONE(our_own_outage_is_recognised),
			ONE(in_an_outage_hardly_anything_is_sent),
			ONE(after_it_everything_goes_on),
			ONE(one_that_answers_means_it_is_they),
			ONE(four_hosts_are_too_few),
			ONE(probes_of_the_dead_say_nothing),
	};
	return cmocka_run_group_tests_name("engine_outage", tests, NULL, NULL);
}
