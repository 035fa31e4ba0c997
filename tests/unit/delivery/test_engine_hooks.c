#include "test_engine.h"

#include <string.h>

#include "base/alloc.h"
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

static void update(struct rig *r, bool enabled, const char *url)
{
	struct webhook w;
	rig_hook_init(r, &w, 0);
	w.enabled = enabled;
	if (url) {
		ch_free(w.url);
		w.url = ch_strdup(url);
	}
	rig_hook_update(r, &w, 0);
}

static void a_new_webhook_is_served_at_once(void **state)
{
	struct rig *r = *state;
	rig_start(r);
	rig_hook(r, 1);
	rig_put(r, 1, 1);
	rig_advance(r, 20);
	assert_int_equal(rig_ledger(r)->delivered, 1);
}

static void switched_off_nothing_is_sent(void **state)
{
	struct rig *r = *state;
	r->conf.max_in_flight = 1;
	r->replies[0].latency_ms = 1000;
	rig_start(r);
	rig_put(r, 0, 5);
	rig_run(r);
	update(r, false, NULL);
	rig_advance(r, 5000);
	assert_int_equal(r->send_count, 1);
	assert_int_equal(rig_lane(r, 0).state, LANE_DISABLED);
	assert_string_equal(rig_lane(r, 0).reason, "switched off");
	assert_int_equal(rig_lane(r, 0).queued, 0);
	assert_int_equal(rig_ledger(r)->parked, 4);
	assert_int_equal(rig_ledger(r)->delivered, 1);
}

static void switched_on_again_it_goes_on(void **state)
{
	struct rig *r = *state;
	rig_start(r);
	update(r, false, NULL);
	rig_run(r);
	rig_put(r, 0, 1);
	rig_run(r);
	update(r, true, NULL);
	rig_put(r, 0, 2);
	rig_advance(r, 1000);
	assert_int_equal(rig_lane(r, 0).state, LANE_READY);
	assert_int_equal(rig_ledger(r)->delivered, 2);
	assert_int_equal(rig_ledger(r)->parked, 1);
}

static void deleted_the_lane_ends_with_its_last_attempt(void **state)
{
	struct rig *r = *state;
	struct id id = rig_hook_id(0);
	struct lane_info info;
	r->conf.max_in_flight = 1;
	r->replies[0].latency_ms = 1000;
	rig_start(r);
	rig_put(r, 0, 3);
	rig_run(r);
	rig_hook_delete(r, 0);
	assert_false(engine_lane_info(r->engine, &id, &info));
	assert_int_equal(r->forgotten, 1);
	rig_advance(r, 3000);
	engine_turn(r->engine);
	assert_int_equal(r->send_count, 1);
	assert_int_equal(atomic_load(&engine_stats_of(r->engine)->lanes), 0);
	assert_int_equal(rig_ledger(r)->delivered, 1);
	assert_int_equal(rig_ledger(r)->canceled, 2);
}

/* The answer that names all webhooks was read before the deletion and comes after it. */
static void an_old_survey_brings_no_webhook_back(void **state)
{
	struct rig *r = *state;
	struct id id = rig_hook_id(0);
	struct lane_info info;
	rig_start(r);
	assert_true(engine_lane_info(r->engine, &id, &info));
	r->holds_reads = true;
	engine_missed(r->engine);
	rig_run(r);
	rig_hook_delete(r, 0);
	r->holds_reads = false;
	rig_release_reads(r);
	rig_run(r);
	assert_false(engine_lane_info(r->engine, &id, &info));
}

static void a_deletion_nobody_told_of_is_noticed(void **state)
{
	struct rig *r = *state;
	struct id id = rig_hook_id(0);
	struct lane_info info;
	rig_start(r);
	r->holds_news = true;
	rig_hook_delete(r, 0);
	rig_run(r);
	assert_true(engine_lane_info(r->engine, &id, &info));
	engine_missed(r->engine);
	rig_run(r);
	assert_false(engine_lane_info(r->engine, &id, &info));
}

static void another_url_is_used_from_the_next_attempt_on(void **state)
{
	struct rig *r = *state;
	r->conf.max_in_flight = 1;
	r->replies[0].latency_ms = 1000;
	rig_start(r);
	rig_put(r, 0, 2);
	rig_run(r);
	update(r, true, "http://moved.test/");
	rig_advance(r, 3000);
	assert_int_equal(r->send_count, 2);
	assert_string_equal(r->sends[0].url, "http://hook0.test/");
	assert_string_equal(r->sends[1].url, "http://moved.test/");
	assert_int_equal(r->forgotten, 1);
}

static void suspend(struct rig *r)
{
	r->replies[0].status = 429;
	r->replies[0].retry_after_s = 3600;
	rig_start(r);
	rig_put(r, 0, 1);
	rig_advance(r, 20);
	assert_int_equal(rig_lane(r, 0).state, LANE_SUSPENDED);
}

static void another_url_ends_a_suspension(void **state)
{
	struct rig *r = *state;
	suspend(r);
	update(r, true, "http://moved.test/");
	assert_int_equal(rig_lane(r, 0).state, LANE_READY);
}

static void the_switch_does_not_end_a_suspension(void **state)
{
	struct rig *r = *state;
	suspend(r);
	update(r, false, NULL);
	assert_int_equal(rig_lane(r, 0).state, LANE_DISABLED);
	update(r, true, NULL);
	assert_int_equal(rig_lane(r, 0).state, LANE_SUSPENDED);
	rig_put(r, 0, 1);
	rig_advance(r, 3000000);
	assert_int_equal(r->send_count, 1);
	rig_advance(r, 1000000);
	assert_true(r->send_count > 1);
}

/* ---- 410 ---- */

static void gone_switches_the_webhook_off(void **state)
{
	struct rig *r = *state;
	r->replies[0].status = 410;
	rig_start(r);
	rig_put(r, 0, 1);
	rig_advance(r, 20);
	struct lane_info info = rig_lane(r, 0);
	assert_int_equal(info.state, LANE_DISABLED);
	assert_non_null(strstr(info.reason, "410"));
	assert_int_equal(r->revisions[0], 2);
	assert_int_equal(rig_newest(r).state, DELIVERY_PARKED);
	rig_put(r, 0, 1);
	rig_advance(r, 1000);
	assert_int_equal(rig_ledger(r)->parked, 2);
	assert_int_equal(r->send_count, 1);
	r->replies[0].status = 200;
	update(r, true, NULL);
	rig_put(r, 0, 1);
	rig_advance(r, 20);
	assert_int_equal(rig_ledger(r)->delivered, 1);
}

/* Somebody changes the webhook in the same moment: the switch goes off on top of that change. */
static void gone_wins_against_another_change(void **state)
{
	struct rig *r = *state;
	r->replies[0].status = 410;
	rig_start(r);
	rig_put(r, 0, 1);
	rig_run(r);
	ch_clock_virtual_advance(&r->clock, 10);
	r->holds_news = true;
	update(r, true, NULL); /* revision 2, and the engine has only 1 */
	r->holds_news = false;
	transport_sim_step(r->net);
	rig_run(r);
	assert_int_equal(r->revisions[0], 2);
	assert_int_equal(rig_lane(r, 0).state, LANE_DISABLED);
	engine_missed(r->engine);
	rig_run(r);
	assert_int_equal(r->revisions[0], 3);
	assert_int_equal(rig_lane(r, 0).state, LANE_DISABLED);
}

/* The other change is committed together with ours: its news comes before our refusal. */
static void gone_wins_within_one_commit(void **state)
{
	struct rig *r = *state;
	r->replies[0].status = 410;
	rig_start(r);
	rig_put(r, 0, 1);
	rig_run(r);
	ch_clock_virtual_advance(&r->clock, 10);
	r->defers = true;
	update(r, true, NULL);
	transport_sim_step(r->net);
	rig_run(r);
	assert_int_equal(r->revisions[0], 3);
	assert_int_equal(rig_lane(r, 0).state, LANE_DISABLED);
	assert_int_equal(rig_ledger(r)->parked, 1);
}

static void gone_of_an_old_url_means_nothing_for_the_new(void **state)
{
	struct rig *r = *state;
	r->replies[0].status = 410;
	r->replies[0].latency_ms = 1000;
	rig_start(r);
	rig_put(r, 0, 1);
	rig_run(r);
	update(r, true, "http://moved.test/");
	rig_advance(r, 2000);
	r->replies[0].status = 200;
	assert_int_equal(rig_lane(r, 0).state, LANE_READY);
	assert_int_equal(rig_newest(r).state, DELIVERY_PENDING);
	rig_advance(r, 10000);
	assert_int_equal(rig_ledger(r)->delivered, 1);
}

static void gone_is_tried_again_while_the_store_refuses(void **state)
{
	struct rig *r = *state;
	r->replies[0].status = 410;
	rig_start(r);
	rig_put(r, 0, 1);
	rig_run(r);
	store_fault_fail_write(r->fault, 1, CH_EFULL);
	rig_advance(r, 10);
	assert_int_equal(r->revisions[0], 1);
	assert_int_equal(rig_lane(r, 0).state, LANE_DISABLED);
	rig_advance(r, 3000);
	assert_int_equal(r->revisions[0], 2);
	assert_int_equal(rig_ledger(r)->parked, 1);
}

/* ---- settings that can't be used ---- */

static void a_secret_of_another_key_stops_the_lane(void **state)
{
	struct rig *r = *state;
	struct webhook w;
	rig_hook_init(r, &w, 1);
	rig_seal(r, &w, RIG_SECRET);
	w.secret_sealed[w.secret_sealed_len - 1] ^= 1;
	rig_hook_create(r, &w);
	rig_start(r);
	rig_put(r, 1, 2);
	rig_advance(r, 1000);
	assert_int_equal(r->send_count, 0);
	assert_int_equal(rig_lane(r, 1).state, LANE_DISABLED);
	assert_non_null(strstr(rig_lane(r, 1).reason, "secret"));
	assert_int_equal(rig_ledger(r)->pending, 2);
	const char *line = strstr(r->log_text, "secret");
	assert_non_null(line);
	assert_null(strstr(line + 1, "signing secret"));
	rig_hook_init(r, &w, 1);
	rig_seal(r, &w, RIG_SECRET);
	rig_hook_update(r, &w, 1);
	rig_advance(r, 1000);
	assert_int_equal(rig_ledger(r)->delivered, 2);
}

static void a_url_that_is_no_longer_allowed_stops_the_lane(void **state)
{
	struct rig *r = *state;
	r->conf.url_rules.allow_http = false;
	rig_start(r);
	rig_put(r, 0, 1);
	rig_advance(r, 1000);
	assert_int_equal(r->send_count, 0);
	assert_int_equal(rig_lane(r, 0).state, LANE_DISABLED);
	assert_non_null(strstr(rig_lane(r, 0).reason, "URL"));
}

static void an_older_revision_changes_nothing(void **state)
{
	struct rig *r = *state;
	struct webhook old;
	rig_start(r);
	update(r, true, "http://moved.test/");
	rig_hook_init(r, &old, 0);
	old.revision = 1;
	engine_webhook(r->engine, &old);
	rig_put(r, 0, 1);
	rig_run(r);
	assert_string_equal(r->sends[0].url, "http://moved.test/");
}

static void what_is_in_flight_can_be_asked_for(void **state)
{
	struct rig *r = *state;
	struct id hook = rig_hook_id(0), other = rig_hook_id(1);
	rig_start(r);
	rig_put(r, 0, 1);
	struct id delivery = rig_newest(r).id;
	assert_false(engine_is_in_flight(r->engine, &hook, &delivery));
	rig_run(r);
	assert_true(engine_is_in_flight(r->engine, &hook, &delivery));
	assert_false(engine_is_in_flight(r->engine, &other, &delivery));
	rig_advance(r, 20);
	assert_false(engine_is_in_flight(r->engine, &hook, &delivery));
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int engine_hooks_tests(void)
{
	const struct CMUnitTest tests[] = {
			ONE(a_new_webhook_is_served_at_once),
			ONE(switched_off_nothing_is_sent),
			ONE(switched_on_again_it_goes_on),
			ONE(deleted_the_lane_ends_with_its_last_attempt),
			ONE(an_old_survey_brings_no_webhook_back),
			ONE(a_deletion_nobody_told_of_is_noticed),
			ONE(another_url_is_used_from_the_next_attempt_on),
			ONE(another_url_ends_a_suspension),
			ONE(the_switch_does_not_end_a_suspension),
			ONE(gone_switches_the_webhook_off),
			ONE(gone_wins_against_another_change),
			ONE(gone_wins_within_one_commit),
			ONE(gone_of_an_old_url_means_nothing_for_the_new),
			ONE(gone_is_tried_again_while_the_store_refuses),
			ONE(a_secret_of_another_key_stops_the_lane),
			ONE(a_url_that_is_no_longer_allowed_stops_the_lane),
			ONE(an_older_revision_changes_nothing),
			ONE(what_is_in_flight_can_be_asked_for),
	};
	return cmocka_run_group_tests_name("engine_hooks", tests, NULL, NULL);
}
