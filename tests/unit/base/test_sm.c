#include "test_base.h"

#include "base/sm.h"

enum { READY, DEAD, PROBING, STATES };

static const struct ch_sm_state states[STATES] = {
		[READY] = {"READY", 1u << DEAD},
		[DEAD] = {"DEAD", 1u << PROBING | 1u << READY},
		[PROBING] = {"PROBING", 1u << DEAD | 1u << READY | 1u << PROBING},
};
static const struct ch_sm_conf conf = {.name = "lane", .states = states, .count = STATES};

static void test_may_follows_the_table(void **state)
{
	static const bool allowed[STATES][STATES] = {
			[READY] = {[DEAD] = true},
			[DEAD] = {[PROBING] = true, [READY] = true},
			[PROBING] = {[DEAD] = true, [READY] = true, [PROBING] = true},
	};
	for (int from = 0; from < STATES; from++) {
		struct ch_sm sm;
		ch_sm_init(&sm, &conf, from, NULL);
		assert_string_equal(ch_sm_name(&sm), states[from].name);
		for (int to = 0; to < STATES; to++)
			assert_int_equal(ch_sm_may(&sm, to), allowed[from][to]);
		assert_false(ch_sm_may(&sm, -1));
		assert_false(ch_sm_may(&sm, STATES));
		assert_false(ch_sm_may(&sm, 32));
	}
}

struct traced {
	int from;
	int to;
	int count;
};

static void trace(const struct ch_sm *sm, int from, int to, void *ctx)
{
	struct traced *t = ctx;
	assert_int_equal(sm->state, to);
	*t = (struct traced){.from = from, .to = to, .count = t->count + 1};
}

static void test_moves_are_traced(void **state)
{
	struct traced t = {0};
	struct ch_sm sm;
	ch_sm_init(&sm, &conf, READY, NULL);
	sm.trace = trace;
	sm.trace_ctx = &t;
	ch_sm_move(&sm, DEAD);
	ch_sm_move(&sm, PROBING);
	assert_int_equal(sm.state, PROBING);
	assert_int_equal(t.count, 2);
	assert_int_equal(t.from, DEAD);
	assert_int_equal(t.to, PROBING);
}

static void move_to(void *to)
{
	struct ch_sm sm;
	ch_sm_init(&sm, &conf, READY, NULL);
	ch_sm_move(&sm, *(int *)to);
}

static void test_other_moves_abort(void **state)
{
	static const int bad[] = {READY, PROBING, STATES, -1};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int to = bad[i];
		assert_true(aborts(move_to, &to));
	}
	int good = DEAD;
	assert_false(aborts(move_to, &good));
}

struct lane {
	struct ch_sm sm;
	int busy;
};

static bool dead_is_idle(const struct ch_sm *sm)
{
	const struct lane *l = (const struct lane *)(const void *)sm;
	return sm->state != DEAD || l->busy == 0;
}

static void move_lane(void *arg)
{
	struct lane *l = arg;
	ch_sm_move(&l->sm, DEAD);
}

static void test_invariant_is_checked_after_the_move(void **state)
{
	struct lane l = {.busy = 0};
	ch_sm_init(&l.sm, &conf, READY, dead_is_idle);
	assert_false(aborts(move_lane, &l));
	l.busy = 1;
	assert_true(aborts(move_lane, &l));
}

static void start_at(void *at)
{
	struct ch_sm sm;
	ch_sm_init(&sm, &conf, *(int *)at, NULL);
}

static void test_start_must_be_a_state(void **state)
{
	int at = STATES;
	assert_true(aborts(start_at, &at));
}

int run_sm(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_may_follows_the_table),
			cmocka_unit_test(test_moves_are_traced),
			cmocka_unit_test(test_other_moves_abort),
			cmocka_unit_test(test_invariant_is_checked_after_the_move),
			cmocka_unit_test(test_start_must_be_a_state),
	};
	return cmocka_run_group_tests_name("sm", tests, NULL, NULL);
}
