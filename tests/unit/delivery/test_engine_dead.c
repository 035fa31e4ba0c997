#include "test_engine.h"

#include <string.h>

#include "policy/health.h"
#include "policy/window.h"
#include "test_engine_rig.h"

static struct rig rig;

static int set_up(void **state)
{
	rig_open(&rig);
	rig.replies[0].outcome = ATTEMPT_REFUSED;
	rig.replies[0].detail = "connection refused";
	*state = &rig;
	return 0;
}

static int tear_down(void **state)
{
	rig_close(*state);
	return 0;
}

/* Webhook 0 refuses until it is dead; `calls` are waiting for it. */
static void kill_it(struct rig *r, int calls)
{
	rig_hook(r, 0);
	rig_start(r);
	rig_put(r, 0, calls);
	rig_advance(r, 1000);
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
}

/* From a window of 4: three whole windows of failures. */
static void dies_of_three_windows_of_failures(void **state)
{
	struct rig *r = *state;
	kill_it(r, 40);
	int sent = r->send_count;
	assert_in_range(sent, HEALTH_DEAD_FAILURES, 12);
	struct lane_info info = rig_lane(r, 0);
	assert_int_equal(info.window, 1);
	assert_non_null(strstr(info.reason, "in a row failed, the last: connection refused"));
	assert_non_null(strstr(info.waits_for, "DEAD"));
	assert_in_range(info.until_wall_ms - r->clock.wall.ms, 20000, 36000);
	/* What it had in memory is given back. */
	assert_int_equal(info.queued, 0);
	assert_int_equal(atomic_load(&engine_stats_of(r->engine)->deaths), 1);
	assert_int_equal(rig_ledger(r)->pending, 40);
}

static void the_backlog_of_a_dead_one_waits(void **state)
{
	struct rig *r = *state;
	kill_it(r, 40);
	int sent = r->send_count;
	rig_put(r, 0, 10);
	rig_advance(r, 22000);
	assert_int_equal(r->send_count, sent);
}

static void a_probe_uses_up_no_try(void **state)
{
	struct rig *r = *state;
	kill_it(r, 40);
	int sent = r->send_count;
	rig_advance(r, 36000);
	assert_int_equal(r->send_count, sent + 1);
	struct delivery d = rig_delivery(r, &r->sends[sent].delivery);
	assert_int_equal(d.state, DELIVERY_PENDING);
	assert_int_equal(d.attempts, 1);
	assert_int_equal(d.tries, 0);
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
}

static void probes_come_less_and_less_often(void **state)
{
	struct rig *r = *state;
	kill_it(r, 40);
	int sent = r->send_count;
	int64_t last = r->sends[sent - 1].at_mono_ms, pause = HEALTH_PAUSE_MIN_MS;
	rig_advance(r, (int64_t)6 * 3600 * 1000);
	assert_true(r->send_count > sent + 8);
	for (int i = sent; i < r->send_count; i++) {
		int64_t waited = r->sends[i].at_mono_ms - last;
		assert_in_range(waited, pause * 79 / 100, pause * 121 / 100 + 20);
		last = r->sends[i].at_mono_ms;
		pause = 2 * pause > HEALTH_PAUSE_MAX_MS ? HEALTH_PAUSE_MAX_MS : 2 * pause;
	}
}

static bool was_sent_before(const struct rig *r, int at)
{
	for (int i = 0; i < at; i++) {
		if (id_equal(&r->sends[i].delivery, &r->sends[at].delivery))
			return true;
	}
	return false;
}

/* Never tried ones first; then the same is never taken twice while another waits. */
static void probes_take_another_each_time(void **state)
{
	struct rig *r = *state;
	kill_it(r, 14);
	int sent = r->send_count, fresh = 14 - sent;
	assert_true(fresh > 0);
	rig_advance(r, (int64_t)24 * 3600 * 1000);
	assert_true(r->send_count > 14 + 5);
	for (int i = sent; i < r->send_count; i++) {
		assert_int_equal(was_sent_before(r, i), i - sent >= fresh);
		assert_false(id_equal(&r->sends[i].delivery, &r->sends[i - 1].delivery));
	}
}

static void an_answered_probe_revives(void **state)
{
	struct rig *r = *state;
	kill_it(r, 40);
	r->replies[0].outcome = ATTEMPT_ANSWERED;
	rig_advance(r, 40000);
	assert_int_equal(rig_lane(r, 0).state, LANE_READY);
	rig_advance(r, 60000);
	assert_int_equal(rig_ledger(r)->delivered, 40);
	assert_string_equal(rig_lane(r, 0).reason, "");
}

/* 404 is an answer: it lives, and nothing was tried. */
static void a_refused_probe_revives_too(void **state)
{
	struct rig *r = *state;
	kill_it(r, 9);
	int sent = r->send_count;
	r->replies[0].outcome = ATTEMPT_ANSWERED;
	r->replies[0].status = 404;
	while (r->send_count == sent)
		rig_advance(r, 1000);
	rig_advance(r, 100);
	assert_int_equal(rig_lane(r, 0).state, LANE_READY);
	struct delivery d = rig_delivery(r, &r->sends[sent].delivery);
	assert_true(d.due_ms > r->clock.wall.ms);
}

static void a_probe_asked_to_wait_waits(void **state)
{
	struct rig *r = *state;
	kill_it(r, 9);
	int sent = r->send_count;
	r->replies[0] = (struct transport_sim_reply){
			.latency_ms = 5, .outcome = ATTEMPT_ANSWERED, .status = 429, .retry_after_s = 3600};
	rig_advance(r, 1800000);
	assert_int_equal(r->send_count, sent + 1);
	assert_int_equal(rig_lane(r, 0).state, LANE_SUSPENDED);
}

static void one_delivery_alone_can_kill(void **state)
{
	struct rig *r = *state;
	rig_hook(r, 0);
	rig_start(r);
	rig_put(r, 0, 1);
	rig_advance(r, (int64_t)12 * 3600 * 1000);
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
}

/* Two deliveries that fail again and again say nothing while a third has not been tried. */
static void two_of_three_do_not_kill(void **state)
{
	struct rig *r = *state;
	r->replies[0].latency_ms = 3000;
	struct webhook w;
	rig_hook_init(r, &w, 0);
	w.concurrency = 1;
	rig_hook_create(r, &w);
	rig_start(r);
	rig_put(r, 0, 3);
	rig_advance(r, 8000);
	assert_int_equal(rig_lane(r, 0).state, LANE_READY);
}

static void an_answer_in_between_saves(void **state)
{
	struct rig *r = *state;
	rig_hook(r, 0);
	rig_start(r);
	for (int i = 0; i < 30; i++) {
		r->replies[0].outcome = i % 4 == 3 ? ATTEMPT_ANSWERED : ATTEMPT_REFUSED;
		rig_put(r, 0, 1);
		rig_advance(r, 20);
	}
	assert_int_equal(rig_lane(r, 0).state, LANE_READY);
}

static void another_url_begins_anew(void **state)
{
	struct rig *r = *state;
	struct webhook w;
	kill_it(r, 40);
	r->replies[0].outcome = ATTEMPT_ANSWERED;
	rig_hook_init(r, &w, 0);
	strcpy(w.url, "http://other.test");
	rig_hook_update(r, &w, 0);
	rig_run(r);
	struct lane_info info = rig_lane(r, 0);
	assert_int_equal(info.state, LANE_READY);
	assert_int_equal(info.window, WINDOW_START);
	rig_advance(r, 60000);
	assert_int_equal(rig_ledger(r)->delivered, 40);
}

static void switching_off_and_on_begins_anew(void **state)
{
	struct rig *r = *state;
	struct webhook w;
	kill_it(r, 40);
	rig_hook_init(r, &w, 0);
	w.enabled = false;
	rig_hook_update(r, &w, 0);
	rig_run(r);
	assert_int_equal(rig_lane(r, 0).state, LANE_DISABLED);
	r->replies[0].outcome = ATTEMPT_ANSWERED;
	rig_hook_init(r, &w, 0);
	rig_hook_update(r, &w, 0);
	rig_run(r);
	assert_int_equal(rig_lane(r, 0).state, LANE_READY);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int engine_dead_tests(void)
{
	static const struct CMUnitTest tests[] = {
			ONE(dies_of_three_windows_of_failures),
			ONE(the_backlog_of_a_dead_one_waits),
			ONE(a_probe_uses_up_no_try),
			ONE(probes_come_less_and_less_often),
			ONE(probes_take_another_each_time),
			ONE(an_answered_probe_revives),
			ONE(a_refused_probe_revives_too),
			ONE(a_probe_asked_to_wait_waits),
			ONE(one_delivery_alone_can_kill),
			ONE(two_of_three_do_not_kill),
			ONE(an_answer_in_between_saves),
			ONE(another_url_begins_anew),
			ONE(switching_off_and_on_begins_anew),
	};
	return cmocka_run_group_tests_name("engine_dead", tests, NULL, NULL);
}
