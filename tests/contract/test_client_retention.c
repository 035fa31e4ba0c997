#include "../unit/nth_alloc.h"
#include "clients.h"
#include "store/writer.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define CALLS 300 /* more than a step takes */

struct keeping_bed {
	struct bed bed;
	struct seen seen;
	struct ch_port port;
	struct store_client *client;
	struct store *fault; /* borrowed from the client */
};

static int setup(void **state)
{
	struct keeping_bed *b = calloc(1, sizeof(*b));

	bed_open(&b->bed, SQLITE_FAULT);
	assert_int_equal(ch_port_init(&b->port, true, NULL), 0);
	asked_seen = &b->seen;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct keeping_bed *b = *state;

	store_client_destroy(&b->client);
	bed_remove(&b->bed);
	ch_port_fini(&b->port);
	free(b);
	return 0;
}

static void put_calls(struct keeping_bed *b, unsigned first, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct store_request r;

		ask_put(&b->bed, &r, &(struct call_spec){.call = first + i, .status = CALL_REJECTED});
		assert_int_equal(serve_drop(&b->bed, &r), 0);
	}
}

static void start(struct keeping_bed *b, int64_t calls_ms)
{
	struct store_retention retention = {.calls_ms = calls_ms};
	struct store_watcher watcher = watcher_of(&b->seen);

	b->bed.store->ops->reader_close(b->bed.reader);
	b->fault = b->bed.store;
	assert_int_equal(store_inline_start(&b->bed.store, ch_clock_virtual_of(&b->bed.clock), &watcher,
					 &b->client, NULL),
			0);
	assert_int_equal(store_inline_keep(b->client, &retention, NULL), 0);
}

/* Serves until there is nothing to do at this moment. */
static size_t step_all(struct keeping_bed *b)
{
	size_t steps = 0;

	while (store_inline_step(b->client) > 0) {
		ch_port_dispatch(&b->port);
		steps++;
	}
	return steps;
}

static bool has_call(struct keeping_bed *b, unsigned call)
{
	struct asked *a = asked_create();
	bool has;

	store_request_init(&a->r, STORE_CALL_GET, &b->port, asked_done);
	a->r.u.call_get.in.account = ACCOUNT;
	a->r.u.call_get.in.id = id_of('c', call);
	store_submit(b->client, &a->r);
	while (!a->is_done) {
		store_inline_step(b->client);
		ch_port_dispatch(&b->port);
	}
	has = a->result == 0;
	asked_free(a);
	return has;
}

static void pass(struct keeping_bed *b, int64_t ms)
{
	ch_clock_virtual_advance(&b->bed.clock, ms);
}

/* A moment of the length of a pause after another, as often as that. */
static size_t pauses(struct keeping_bed *b, int count)
{
	size_t steps = 0;

	for (int i = 0; i < count; i++) {
		pass(b, WRITER_RETENTION_PAUSE_MS);
		steps += step_all(b);
	}
	return steps;
}

static void what_an_earlier_run_left_is_found_after_a_start(void **state)
{
	struct keeping_bed *b = *state;

	put_calls(b, 1, CALLS);
	pass(b, 2 * DAY_MS);
	put_calls(b, CALLS + 1, 1);
	start(b, DAY_MS);
	assert_int_equal(step_all(b), 0);
	pass(b, WRITER_RETRY_MS - 1);
	assert_int_equal(step_all(b), 0);
	pass(b, 1);
	/* One, and then a pause: others may be waiting. */
	assert_int_equal(step_all(b), 1);
	assert_true(has_call(b, CALLS));
	pauses(b, 10);
	assert_false(has_call(b, 1));
	assert_false(has_call(b, CALLS));
	assert_true(has_call(b, CALLS + 1));
}

static void a_round_follows_a_round(void **state)
{
	struct keeping_bed *b = *state;

	start(b, DAY_MS);
	pass(b, WRITER_RETRY_MS);
	step_all(b);
	pauses(b, 10);
	b->bed.store = b->fault; /* straight into it, beside the client */
	put_calls(b, 1, 1);
	b->bed.store = NULL;
	pass(b, DAY_MS - WRITER_RETENTION_EVERY_MS);
	step_all(b);
	pauses(b, 10);
	assert_true(has_call(b, 1));
	pass(b, WRITER_RETENTION_EVERY_MS);
	step_all(b);
	pauses(b, 10);
	assert_false(has_call(b, 1));
	assert_int_equal(pauses(b, 10), 0);
}

static void a_step_that_fails_is_tried_again_later(void **state)
{
	struct keeping_bed *b = *state;

	put_calls(b, 1, 1);
	pass(b, 2 * DAY_MS);
	start(b, DAY_MS);
	pass(b, WRITER_RETRY_MS);
	step_all(b);
	store_fault_fail_write(b->fault, 1, CH_EFULL);
	assert_int_equal(pauses(b, 1), 1);
	assert_true(has_call(b, 1));
	assert_int_equal(pauses(b, 10), 0);
	pass(b, WRITER_RETRY_MS);
	assert_int_equal(step_all(b), 1);
	assert_false(has_call(b, 1));
}

/* What is damaged is there for ever: what is behind it in another walk must not wait for it. */
static void damage_in_one_walk_leaves_the_others(void **state)
{
	struct keeping_bed *b = *state;

	put_calls(b, 1, 1);
	pass(b, 2 * DAY_MS);
	start(b, DAY_MS);
	pass(b, WRITER_RETRY_MS);
	store_fault_fail_write(b->fault, 1, CH_EDAMAGED);
	assert_int_equal(step_all(b), 1);
	assert_true(has_call(b, 1));
	pass(b, WRITER_RETRY_MS);
	assert_int_equal(step_all(b), 1);
	assert_false(has_call(b, 1));
}

static void a_clock_that_jumps_ahead_removes_nothing(void **state)
{
	struct keeping_bed *b = *state;

	put_calls(b, 1, 1);
	start(b, DAY_MS);
	b->bed.clock.wall.ms += 365 * DAY_MS;
	pass(b, WRITER_RETRY_MS);
	step_all(b);
	pauses(b, 10);
	assert_true(has_call(b, 1));
	/* Its day passes by the other clock too. */
	for (int i = 0; i < 26; i++) {
		pass(b, DAY_MS / 24);
		step_all(b);
		pauses(b, 10);
	}
	assert_false(has_call(b, 1));
}

static void what_is_kept_for_ever_costs_nothing(void **state)
{
	struct keeping_bed *b = *state;

	put_calls(b, 1, 1);
	start(b, 0);
	pass(b, 1000 * DAY_MS);
	assert_int_equal(step_all(b), 0);
	assert_true(has_call(b, 1));
}

static void without_memory_it_is_said(void **state)
{
	struct keeping_bed *b = *state;
	struct store_retention retention = {.calls_ms = DAY_MS};
	struct nth_alloc nth = {.fail_at = 1};
	struct ch_err err = {0};

	start(b, 0);
	nth_alloc_begin(&nth);
	assert_int_equal(store_inline_keep(b->client, &retention, &err), CH_ENOMEM);
	nth_alloc_end(&nth);
	assert_string_not_equal(err.text, "");
	assert_int_equal(store_inline_keep(b->client, &retention, &err), 0);
}

int test_client_retention(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
			TEST(what_an_earlier_run_left_is_found_after_a_start),
			TEST(a_round_follows_a_round),
			TEST(a_step_that_fails_is_tried_again_later),
			TEST(damage_in_one_walk_leaves_the_others),
			TEST(a_clock_that_jumps_ahead_removes_nothing),
			TEST(what_is_kept_for_ever_costs_nothing),
			TEST(without_memory_it_is_said),
	};

	return cmocka_run_group_tests_name("client retention", tests, NULL, NULL);
}
