#include "contract.h"

/* A replay of webhook 1 over all of time. */
static void ask_replay(const struct bed *b, struct store_request *r, unsigned n)
{
	struct replay *p = &r->u.replay_create.in.replay;

	store_request_init(r, STORE_REPLAY_CREATE, NULL, NULL);
	r->u.replay_create.in.account = ACCOUNT;
	p->id = id_of('r', n);
	p->webhook_id = id_of('w', 1);
	p->to_ms = NOW_MS * 2;
	p->statuses = 1u << CALL_COMPLETED;
	p->states = 1u << DELIVERY_FAILED | 1u << DELIVERY_DELIVERED | 1u << DELIVERY_PARKED;
	p->created_ms = b->clock.wall.ms;
}

static void begin(const struct bed *b, unsigned n)
{
	struct store_request r;

	ask_replay(b, &r, n);
	assert_int_equal(serve_drop(b, &r), 0);
}

/* How many it opened; *ret_more as the store says. */
static size_t step(const struct bed *b, unsigned n, size_t limit, bool *ret_more, int64_t *ret_wait_ms)
{
	struct store_request r;
	size_t opened;

	store_request_init(&r, STORE_REPLAY_STEP, NULL, NULL);
	r.u.replay_step.in.id = id_of('r', n);
	r.u.replay_step.in.limit = limit;
	r.u.replay_step.in.now_ms = b->clock.wall.ms;
	assert_int_equal(serve(b, &r), 0);
	opened = r.u.replay_step.out.opened;
	*ret_more = r.u.replay_step.out.more;
	*ret_wait_ms = r.u.replay_step.out.wait_ms;
	store_request_fini(&r);
	return opened;
}

static size_t step_all(const struct bed *b, unsigned n, size_t limit)
{
	size_t opened = 0;
	bool more = true;
	int64_t wait_ms;

	while (more)
		opened += step(b, n, limit, &more, &wait_ms);
	return opened;
}

static struct replay replay_of(const struct bed *b, unsigned n)
{
	struct store_request r;
	struct replay p;

	store_request_init(&r, STORE_REPLAY_GET, NULL, NULL);
	r.u.replay_get.in.account = ACCOUNT;
	r.u.replay_get.in.id = id_of('r', n);
	assert_int_equal(serve(b, &r), 0);
	p = r.u.replay_get.out.replay;
	store_request_fini(&r);
	return p;
}

/* A delivery of a new call, brought to that state. */
static struct id made(const struct bed *b, unsigned call, enum delivery_state state)
{
	struct delivery d = make_delivery(b, call);
	struct id id = d.id;
	struct store_request r;

	if (state != DELIVERY_PENDING) {
		ask_attempt(b, &r, &d, call, state);
		assert_int_equal(serve_drop(b, &r), 0);
	}
	delivery_fini(&d);
	return id;
}

static void a_replay_opens_rounds_step_by_step(void **state)
{
	struct bed *b = *state;
	struct delivery d;
	struct replay p;
	struct id failed;
	bool more;
	int64_t wait_ms;

	make_webhook(b, 1, true);
	failed = made(b, 1, DELIVERY_FAILED);
	made(b, 2, DELIVERY_PENDING);
	made(b, 3, DELIVERY_DELIVERED);
	made(b, 4, DELIVERY_FAILED);
	begin(b, 1);
	made(b, 5, DELIVERY_FAILED);
	assert_int_equal(step(b, 1, 2, &more, &wait_ms), 1);
	assert_true(more);
	assert_int_equal(wait_ms, 0);
	p = replay_of(b, 1);
	assert_int_equal(p.state, REPLAY_RUNNING);
	assert_int_equal(p.examined, 2);
	assert_int_equal(step_all(b, 1, 2), 2);
	p = replay_of(b, 1);
	assert_int_equal(p.state, REPLAY_DONE);
	assert_int_equal(p.resent, 3);
	assert_int_equal(p.skipped, 1);
	assert_int_equal(p.examined, 4);
	assert_int_equal(p.finished_ms, b->clock.wall.ms);
	assert_ledger(b, ACCOUNT, 4, 0, 1, 0, 0);
	d = delivery_of(b, &failed);
	assert_int_equal(d.round, 1);
	assert_int_equal(d.tries, 0);
	assert_int_equal(d.due_ms, b->clock.wall.ms);
	delivery_fini(&d);
}

static void a_replay_keeps_to_its_range_and_filters(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct replay p;

	make_webhook(b, 1, true);
	made(b, 1, DELIVERY_FAILED);
	ch_clock_virtual_advance(&b->clock, 1000);
	made(b, 2, DELIVERY_FAILED);
	made(b, 3, DELIVERY_DELIVERED);
	ch_clock_virtual_advance(&b->clock, 1000);
	made(b, 4, DELIVERY_FAILED);
	ask_replay(b, &r, 1);
	r.u.replay_create.in.replay.from_ms = NOW_MS + 1000;
	r.u.replay_create.in.replay.to_ms = NOW_MS + 2000;
	r.u.replay_create.in.replay.states = 1u << DELIVERY_FAILED;
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(step_all(b, 1, 10), 1);
	p = replay_of(b, 1);
	assert_int_equal(p.resent, 1);
	assert_ledger(b, ACCOUNT, 1, 1, 2, 0, 0);
}

static void missing_makes_deliveries_for_calls_that_had_none(void **state)
{
	struct call_spec first = {.call = 1, .status = CALL_COMPLETED}, live = {.call = 2};
	struct call_spec other = {.call = 3, .status = CALL_REJECTED}, again = first;
	struct bed *b = *state;
	struct store_request r;
	struct replay p;

	ask_put(b, &r, &first);
	assert_int_equal(serve_drop(b, &r), 0);
	again.note = 7;
	ask_put(b, &r, &again);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_put(b, &r, &live);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_put(b, &r, &other);
	assert_int_equal(serve_drop(b, &r), 0);
	make_webhook(b, 1, true);
	made(b, 4, DELIVERY_PENDING);
	ask_replay(b, &r, 1);
	r.u.replay_create.in.replay.missing = true;
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(step_all(b, 1, 2), 1);
	p = replay_of(b, 1);
	assert_int_equal(p.made, 1);
	assert_ledger(b, ACCOUNT, 2, 0, 0, 0, 0);
	ask_claim(b, &r, 1, 10);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.claim.out.count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct delivery *d = &r.u.claim.out.rows[i];
		struct id id = id_of('c', 1);

		if (id_equal(&d->call_id, &id)) {
			assert_int_equal(d->version, 2);
			assert_non_null(strstr(d->body->data, "\"note\":7"));
		}
	}
	store_request_fini(&r);
	begin(b, 2);
	step_all(b, 2, 10);
	assert_ledger(b, ACCOUNT, 2, 0, 0, 0, 0);
}

static void a_rate_paces_the_steps(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	int64_t wait_ms;
	bool more;

	make_webhook(b, 1, true);
	for (unsigned i = 1; i <= 5; i++)
		made(b, i, DELIVERY_FAILED);
	ask_replay(b, &r, 1);
	r.u.replay_create.in.replay.rate = 8;
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(step(b, 1, 100, &more, &wait_ms), 2);
	assert_int_equal(wait_ms, 250);
	assert_int_equal(step(b, 1, 100, &more, &wait_ms), 0);
	assert_int_equal(wait_ms, 250);
	assert_true(more);
	ch_clock_virtual_advance(&b->clock, 250);
	assert_int_equal(step(b, 1, 100, &more, &wait_ms), 2);
	b->clock.wall.ms -= 3600 * 1000;
	assert_int_equal(step(b, 1, 100, &more, &wait_ms), 1);
	assert_false(more);
}

static void there_is_one_at_a_time_and_it_can_be_canceled(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	bool more;
	int64_t wait_ms;

	make_webhook(b, 1, true);
	made(b, 1, DELIVERY_FAILED);
	made(b, 2, DELIVERY_FAILED);
	begin(b, 1);
	ask_replay(b, &r, 2);
	assert_int_equal(serve_drop(b, &r), CH_ECONFLICT);
	assert_int_equal(step(b, 1, 1, &more, &wait_ms), 1);
	store_request_init(&r, STORE_REPLAY_CANCEL, NULL, NULL);
	r.u.replay_cancel.in.account = OTHER_ACCOUNT;
	r.u.replay_cancel.in.id = id_of('r', 1);
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	store_request_init(&r, STORE_REPLAY_CANCEL, NULL, NULL);
	r.u.replay_cancel.in.account = ACCOUNT;
	r.u.replay_cancel.in.id = id_of('r', 1);
	r.u.replay_cancel.in.now_ms = b->clock.wall.ms;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.replay_cancel.out.replay.state, REPLAY_CANCELED);
	store_request_fini(&r);
	assert_int_equal(step(b, 1, 1, &more, &wait_ms), 0);
	assert_false(more);
	assert_ledger(b, ACCOUNT, 1, 0, 1, 0, 0);
	begin(b, 3);
	assert_int_equal(step_all(b, 3, 5), 1);
}

static void a_replay_waits_for_the_switch_and_ends_with_its_webhook(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct replay p;
	bool more;
	int64_t wait_ms;

	make_webhook(b, 1, true);
	made(b, 1, DELIVERY_FAILED);
	begin(b, 1);
	ask_update(b, &r, 1, false, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(step(b, 1, 5, &more, &wait_ms), 0);
	assert_true(more);
	assert_string_equal(replay_of(b, 1).reason, "it waits: the webhook is switched off");
	ask_replay(b, &r, 2);
	assert_int_equal(serve_drop(b, &r), CH_ECONFLICT);
	ask_delete(b, &r, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(step(b, 1, 5, &more, &wait_ms), 0);
	assert_false(more);
	p = replay_of(b, 1);
	assert_int_equal(p.state, REPLAY_CANCELED);
	assert_string_equal(p.reason, "the webhook was deleted");
}

static void what_is_running_is_found_after_a_restart(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	bool more;
	int64_t wait_ms;

	make_webhook(b, 1, true);
	made(b, 1, DELIVERY_FAILED);
	made(b, 2, DELIVERY_FAILED);
	begin(b, 1);
	assert_int_equal(step(b, 1, 1, &more, &wait_ms), 1);
	if (flavour_is_durable(b->flavour))
		bed_restart(b);
	store_request_init(&r, STORE_SWEEPS, NULL, NULL);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.sweeps.out.replay_count, 1);
	store_request_fini(&r);
	assert_int_equal(step_all(b, 1, 5), 1);
	assert_int_equal(replay_of(b, 1).resent, 2);
	store_request_init(&r, STORE_REPLAY_LIST, NULL, NULL);
	r.u.replay_list.in.account = ACCOUNT;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.replay_list.out.count, 1);
	store_request_fini(&r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bed_setup, bed_teardown)

int contract_replays(void)
{
	const struct CMUnitTest tests[] = {
			TEST(a_replay_opens_rounds_step_by_step),
			TEST(a_replay_keeps_to_its_range_and_filters),
			TEST(missing_makes_deliveries_for_calls_that_had_none),
			TEST(a_rate_paces_the_steps),
			TEST(there_is_one_at_a_time_and_it_can_be_canceled),
			TEST(a_replay_waits_for_the_switch_and_ends_with_its_webhook),
			TEST(what_is_running_is_found_after_a_restart),
	};

	return cmocka_run_group_tests_name("replays", tests, NULL, NULL);
}
