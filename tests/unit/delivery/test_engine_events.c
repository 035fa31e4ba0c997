#include "test_engine.h"

#include <string.h>

#include "model/ops_event.h"
#include "test_engine_rig.h"

/* Webhook 1 receives the events of account 1, which has all the others. */

static struct rig rig;

static void make_receiver(struct rig *r, int64_t account)
{
	struct webhook w;
	struct id id = rig_hook_id(1);
	assert_int_equal(ops_event_webhook_init(&w, account, &id, r->clock.wall.ms, "http://hook1.test/"), 0);
	rig_seal(r, &w, RIG_SECRET);
	rig_hook_create(r, &w);
}

static void refuse(struct rig *r, int n)
{
	r->replies[n].outcome = ATTEMPT_REFUSED;
	r->replies[n].detail = "connection refused";
}

static int set_up(void **state)
{
	rig_open(&rig);
	refuse(&rig, 0);
	*state = &rig;
	return 0;
}

static int tear_down(void **state)
{
	rig_close(*state);
	return 0;
}

static void kill_it(struct rig *r)
{
	rig_put(r, 0, 40);
	rig_advance(r, 5000);
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
}

static const struct rig_send *last_send_to(const struct rig *r, int hook)
{
	for (int i = r->send_count; i-- > 0;)
		if (r->sends[i].hook == hook)
			return &r->sends[i];
	return NULL;
}

static void each_death_is_told_once(void **state)
{
	struct rig *r = *state;
	make_receiver(r, ops_event_account(1));
	rig_hook(r, 0);
	rig_start(r);
	kill_it(r);
	assert_int_equal(rig_sends_to(r, 1), 1);
	/* Probes that fail are no other death. */
	rig_advance(r, 300000);
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
	assert_int_equal(rig_sends_to(r, 1), 1);
	r->replies[0] = (struct transport_sim_reply){.status = 200};
	rig_advance(r, 3600000);
	assert_int_equal(rig_lane(r, 0).state, LANE_READY);
	refuse(r, 0);
	kill_it(r);
	assert_int_equal(rig_sends_to(r, 1), 2);
}

static void an_event_is_signed_like_a_webhook(void **state)
{
	struct rig *r = *state;
	make_receiver(r, EVENT_OPERATOR);
	rig_hook(r, 0);
	rig_start(r);
	kill_it(r);
	const struct rig_send *sent = last_send_to(r, 1);
	assert_non_null(sent);
	assert_non_null(rig_header(sent, "X-Webhook-Signature: "));
	assert_non_null(rig_header(sent, "webhook-signature: v1,"));
	assert_non_null(rig_header(sent, "webhook-id: "));
}

/* Whichever write the store refuses, for whichever reason that passes. */
static void a_store_that_refuses_is_told_later(void **state)
{
	static const int codes[] = {CH_EFULL, CH_EIO, CH_EBUSY, CH_ENOMEM};
	for (int nth = 1; nth <= 20; nth++) {
		struct rig *r = *state;
		make_receiver(r, ops_event_account(1));
		rig_hook(r, 0);
		rig_start(r);
		rig_put(r, 0, 40);
		store_fault_fail_write(r->fault, nth, codes[nth % 4]);
		rig_advance(r, 20000);
		assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
		assert_int_equal(rig_sends_to(r, 1), 1);
		rig_close(r);
		set_up(state);
	}
}

/* Its receiver dies of the news of six others; that it did, is no news. (They answer: that so many don't
 * would be taken for an outage of our own.) */
static void a_dead_receiver_makes_no_event(void **state)
{
	struct rig *r = *state;
	make_receiver(r, EVENT_OPERATOR);
	r->replies[1] = (struct transport_sim_reply){.status = 500};
	for (int n = 2; n < RIG_HOOKS; n++) {
		r->replies[n] = r->replies[1];
		rig_hook(r, n);
	}
	rig_start(r);
	for (int n = 2; n < RIG_HOOKS; n++) {
		rig_put(r, n, 12);
		rig_advance(r, 5000);
		assert_int_equal(rig_lane(r, n).state, LANE_DEAD);
	}
	assert_int_equal(rig_lane(r, 1).state, LANE_DEAD);
	assert_int_equal(atomic_load(&engine_stats_of(r->engine)->deaths), RIG_HOOKS - 1);
	int before = r->send_count;
	r->replies[1] = (struct transport_sim_reply){.status = 200};
	rig_advance(r, 3600000);
	assert_int_equal(rig_lane(r, 1).state, LANE_READY);
	int delivered = 0;
	for (int i = before; i < r->send_count; i++)
		delivered += r->sends[i].hook == 1;
	assert_int_equal(delivered, RIG_HOOKS - 2);
}

static void what_could_not_be_told_does_not_keep_the_engine(void **state)
{
	struct rig *r = *state;
	rig_hook(r, 0);
	rig_start(r);
	rig_put(r, 0, 40);
	for (int i = 0; i < 30 && rig_lane(r, 0).state != LANE_DEAD; i++) {
		store_fault_fail_write(r->fault, 1, CH_EFULL);
		rig_advance(r, 500);
	}
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
	store_fault_fail_write(r->fault, 1, CH_EFULL);
	rig_stop(r);
}

#define ONE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int engine_events_tests(void)
{
	const struct CMUnitTest tests[] = {
			ONE(each_death_is_told_once),
			ONE(an_event_is_signed_like_a_webhook),
			ONE(a_store_that_refuses_is_told_later),
			ONE(a_dead_receiver_makes_no_event),
			ONE(what_could_not_be_told_does_not_keep_the_engine),
	};
	return cmocka_run_group_tests_name("engine events", tests, NULL, NULL);
}
