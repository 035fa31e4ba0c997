#include "test_engine.h"

#include <string.h>

#include "base/alloc.h"
#include "test_engine_rig.h"

/* What once went wrong between lanes, each named after it. */

static struct rig rig;

static int set_up(void **state)
{
	rig_open(&rig);
	for (int i = 0; i < RIG_HOOKS; i++)
		rig_hook(&rig, i);
	*state = &rig;
	return 0;
}

static int tear_down(void **state)
{
	rig_close(*state);
	return 0;
}

static void reply(struct rig *r, int from, int to, struct transport_sim_reply reply)
{
	for (int i = from; i < to; i++)
		r->replies[i] = reply;
}

static const struct transport_sim_reply lost = {.latency_ms = 5, .outcome = ATTEMPT_DNS, .retry_after_s = -1};

static void put_all(struct rig *r, int from, int to, int count)
{
	for (int i = from; i < to; i++)
		rig_put(r, i, count);
}

/* Steps of 100 ms until webhook n was sent to; how long that took. */
static int64_t wait_for_send(struct rig *r, int n, int64_t most_ms)
{
	int64_t start = r->clock.mono.ms;
	int sent = rig_sends_to(r, n);
	while (rig_sends_to(r, n) == sent && r->clock.mono.ms - start < most_ms)
		rig_advance(r, 100);
	assert_true(rig_sends_to(r, n) > sent);
	return r->clock.mono.ms - start;
}

static void the_answer_that_ends_an_outage_counts(void **state)
{
	struct rig *r = *state;
	reply(r, 0, 5, lost);
	rig_start(r);
	put_all(r, 0, 5, 1);
	rig_advance(r, 100);
	const struct engine_stats *s = engine_stats_of(r->engine);
	assert_int_equal(atomic_load(&s->is_outage), 1);
	rig_put(r, 6, 1);
	wait_for_send(r, 6, 30000);
	rig_advance(r, 20);
	assert_int_equal(atomic_load(&s->is_outage), 0);
	put_all(r, 0, 5, 1);
	rig_advance(r, 15000);
	assert_int_equal(atomic_load(&s->outages), 1);
}

static void an_outage_asks_who_was_well_before(void **state)
{
	struct rig *r = *state;
	rig_start(r);
	rig_put(r, 7, 20);
	rig_advance(r, 32000);
	reply(r, 0, 7, lost);
	put_all(r, 0, 7, 4);
	rig_advance(r, 20);
	assert_int_equal(atomic_load(&engine_stats_of(r->engine)->is_outage), 1);
	rig_put(r, 7, 1);
	assert_true(wait_for_send(r, 7, 60000) <= 6000);
}

static void bodies_of_those_that_hang_starve_nobody(void **state)
{
	struct rig *r = *state;
	r->conf.body_budget_bytes = 100000;
	for (int i = 0; i < 5; i++)
		r->replies[i].latency_ms = 1000000;
	rig_start(r);
	rig_put(r, 7, 1);
	rig_advance(r, 100);
	for (int i = 0; i < 5; i++)
		rig_put_sized(r, i, 20000);
	rig_run(r);
	rig_put(r, 7, 1);
	rig_run(r);
	assert_int_equal(rig_sends_to(r, 7), 2);
}

static void probes_do_not_crowd_out_the_living(void **state)
{
	struct rig *r = *state;
	r->conf.max_in_flight = 4;
	reply(r, 0, 7,
			(struct transport_sim_reply){.latency_ms = 5,
					.outcome = ATTEMPT_ANSWERED,
					.status = 500,
					.retry_after_s = -1});
	rig_start(r);
	put_all(r, 0, 7, 40);
	rig_advance(r, 20000);
	for (int i = 0; i < 7; i++)
		assert_int_equal(rig_lane(r, i).state, LANE_DEAD);
	for (int i = 0; i < 7; i++)
		r->replies[i].latency_ms = 1000000;
	int sent = r->send_count;
	while (r->send_count < sent + 2)
		rig_advance(r, 100);
	rig_advance(r, 14000);
	sent = r->send_count;
	rig_put(r, 7, 1);
	wait_for_send(r, 7, 60000);
	assert_true(r->send_count - sent <= 2);
}

/* The receiver that said 410 is no longer the one that is called, though the loop has not heard of it. */
static void a_410_of_the_old_url_leaves_nothing_parked(void **state)
{
	struct rig *r = *state;
	struct webhook w;
	rig_start(r);
	r->replies[0] = (struct transport_sim_reply){
			.latency_ms = 1000, .outcome = ATTEMPT_ANSWERED, .status = 410, .retry_after_s = -1};
	rig_put(r, 0, 1);
	rig_advance(r, 500);
	r->holds_news = true;
	rig_hook_init(r, &w, 0);
	ch_free(w.url);
	w.url = ch_strdup("http://new.test/");
	rig_hook_update(r, &w, 0);
	r->holds_news = false;
	rig_advance(r, 600);
	r->replies[0].status = 200;
	engine_missed(r->engine);
	rig_advance(r, 3600000);
	assert_int_equal(rig_ledger(r)->delivered, 1);
}

static void a_wish_survives_a_change_during_the_first_survey(void **state)
{
	struct rig *r = *state;
	struct webhook w;
	rig_start(r);
	r->replies[0].status = 503;
	r->replies[0].retry_after_s = 3000;
	rig_put(r, 0, 2);
	rig_advance(r, 100);
	rig_stop(r);
	r->holds_reads = true;
	rig_start(r);
	rig_hook_init(r, &w, 0);
	w.timeout_s = 7;
	rig_hook_update(r, &w, 0);
	rig_run(r);
	r->holds_reads = false;
	rig_release_reads(r);
	rig_run(r);
	assert_int_equal(rig_lane(r, 0).state, LANE_SUSPENDED);
}

/* It was resent while its attempt was under way; that attempt killed the endpoint. */
static void a_resend_under_way_does_not_wait_for_the_pause(void **state)
{
	struct rig *r = *state;
	rig_start(r);
	reply(r, 0, 1, (struct transport_sim_reply){.latency_ms = 5, .outcome = ATTEMPT_REFUSED});
	rig_put(r, 0, 30);
	while (rig_lane(r, 0).state != LANE_DEAD)
		rig_advance(r, 5);
	struct id newest = rig_newest(r).id;
	r->replies[0].latency_ms = 5000;
	rig_resend(r, &newest);
	rig_run(r);
	int sent = r->send_count;
	rig_resend(r, &newest);
	r->replies[0].outcome = ATTEMPT_ANSWERED;
	r->replies[0].status = 200;
	rig_advance(r, 5200);
	assert_true(r->send_count > sent);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int engine_regression_tests(void)
{
	static const struct CMUnitTest tests[] = {
			ONE(the_answer_that_ends_an_outage_counts),
			ONE(an_outage_asks_who_was_well_before),
			ONE(bodies_of_those_that_hang_starve_nobody),
			ONE(probes_do_not_crowd_out_the_living),
			ONE(a_410_of_the_old_url_leaves_nothing_parked),
			ONE(a_wish_survives_a_change_during_the_first_survey),
			ONE(a_resend_under_way_does_not_wait_for_the_pause),
	};
	return cmocka_run_group_tests_name("engine_regressions", tests, NULL, NULL);
}
