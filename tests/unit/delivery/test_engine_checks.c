#include "test_engine.h"

#include <string.h>

#include "base/alloc.h"
#include "delivery/engine_check.h"
#include "test_engine_rig.h"

/* Checks of URLs within the engine: who may ask, what they leave alone, and how they end. */

struct asked {
	struct engine_check check;
	struct url url;
	int ends;
};

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

static void ended(struct engine_check *c)
{
	CH_CONTAINER_OF(c, struct asked, check)->ends++;
}

/* Of webhook n's URL. */
static void ask(struct rig *r, struct asked *a, int n)
{
	const struct url_rules rules = {.allow_http = true};
	struct webhook w;
	rig_hook_init(r, &w, n);
	*a = (struct asked){.check = {.url = &a->url, .timeout_ms = 15000, .done = ended}};
	assert_int_equal(url_parse(w.url, strlen(w.url), &rules, &a->url, NULL), 0);
	webhook_fini(&w);
	a->check.endpoint = (struct id){.b = {[1] = (uint8_t)n}};
	engine_check_start(r->engine, &a->check);
}

static void forget(struct asked *a)
{
	assert_int_equal(a->ends, 1);
	attempt_fini(&a->check.job.attempt);
	url_fini(&a->url);
}

static void it_says_how_far_it_came_and_touches_nothing(void **state)
{
	struct rig *r = *state;
	struct asked a;
	rig_hook(r, 0);
	rig_start(r);
	ask(r, &a, 0);
	assert_int_equal(a.ends, 0);
	assert_int_equal(rig_lane(r, 0).busy, 0);
	assert_false(engine_is_idle(r->engine));
	rig_advance(r, 1000);
	assert_int_equal(a.check.result, 0);
	assert_true(a.check.seen.is_ready);
	assert_true(engine_is_idle(r->engine));
	assert_int_equal(rig_ledger(r)->accepted, 0);
	assert_int_equal(atomic_load(&engine_stats_of(r->engine)->attempts[ATTEMPT_ANSWERED]), 0);
	forget(&a);
}

/* Only a test call, which gets an answer, clears DEAD. */
static void a_dead_webhook_stays_dead(void **state)
{
	struct rig *r = *state;
	struct asked a;
	r->replies[0].outcome = ATTEMPT_REFUSED;
	rig_hook(r, 0);
	rig_start(r);
	rig_put(r, 0, 40);
	rig_advance(r, 1000);
	r->replies[0] = (struct transport_sim_reply){
			.outcome = ATTEMPT_ANSWERED, .status = 200, .retry_after_s = -1};
	ask(r, &a, 0);
	rig_advance(r, 100);
	assert_true(a.check.seen.is_ready);
	assert_int_equal(rig_lane(r, 0).state, LANE_DEAD);
	forget(&a);
}

static void there_is_room_for_so_many(void **state)
{
	static struct asked a[ENGINE_CHECKS_MAX + 1];
	struct rig *r = *state;
	rig_start(r);
	for (int i = 0; i <= ENGINE_CHECKS_MAX; i++)
		ask(r, &a[i], 1);
	assert_int_equal(a[ENGINE_CHECKS_MAX].check.result, CH_ELIMIT);
	rig_advance(r, 1000);
	for (int i = 0; i < ENGINE_CHECKS_MAX; i++)
		assert_int_equal(a[i].check.result, 0);
	for (int i = 0; i <= ENGINE_CHECKS_MAX; i++)
		forget(&a[i]);
}

static void stopping_waits_and_an_abort_ends_it(void **state)
{
	struct rig *r = *state;
	struct asked a, late;
	rig_start(r);
	r->replies[0].latency_ms = 5000;
	ask(r, &a, 0);
	engine_stop(r->engine);
	ask(r, &late, 0);
	assert_int_equal(late.check.result, CH_ECANCELED);
	rig_advance(r, 1000);
	assert_int_equal(a.ends, 0);
	engine_abort(r->engine);
	rig_run(r);
	assert_int_equal(a.check.result, CH_ECANCELED);
	assert_true(engine_is_idle(r->engine));
	forget(&late);
	forget(&a);
}

int engine_check_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					it_says_how_far_it_came_and_touches_nothing, set_up, tear_down),
			cmocka_unit_test_setup_teardown(a_dead_webhook_stays_dead, set_up, tear_down),
			cmocka_unit_test_setup_teardown(there_is_room_for_so_many, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					stopping_waits_and_an_abort_ends_it, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("engine_checks", tests, NULL, NULL);
}
