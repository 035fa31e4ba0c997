#include "clients.h"

#define DEADLINE_MS 60000 /* longer than any test may take: what waits for it to pass, hangs */

/* A clock that all threads may read. */
static atomic_llong now_ms;

static struct ch_wall wall_now(void *ctx)
{
	return (struct ch_wall){NOW_MS + atomic_load(&now_ms)};
}

static struct ch_mono mono_now(void *ctx)
{
	return (struct ch_mono){atomic_load(&now_ms)};
}

struct threads_bed {
	struct bed bed;
	struct seen seen;
	struct ch_port port;
	struct gate *gate;
	struct store *fault;
	struct store_client *client;
	struct store_stats *stats;
};

static void start_waiting(struct threads_bed *b, size_t batch_max, bool is_open, int result_wait_ms)
{
	struct store_threads_conf conf = {
			.clock = {wall_now, mono_now, NULL},
			.readers = 2,
			.batch_max = batch_max,
			.result_wait_ms = result_wait_ms,
			.watcher = watcher_of(&b->seen),
	};
	struct store *store;
	struct ch_err err = {0};

	b->bed.store->ops->reader_close(b->bed.reader);
	b->fault = b->bed.store;
	b->gate = gate_create(b->bed.store, is_open);
	store = &b->gate->base;
	if (store_threads_start(&store, &conf, &b->client, &err) != 0)
		fail_msg("start: %s", err.text);
	assert_null(store);
	b->stats = store_threads_stats(b->client);
}

static void start(struct threads_bed *b, size_t batch_max, bool is_open)
{
	start_waiting(b, batch_max, is_open, DEADLINE_MS);
}

static int setup(void **state)
{
	struct threads_bed *b = calloc(1, sizeof(*b));

	atomic_store(&now_ms, 1000);
	bed_open(&b->bed, MEMORY_FAULT);
	assert_int_equal(ch_port_init(&b->port, false, NULL), 0);
	asked_seen = &b->seen;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct threads_bed *b = *state;

	if (b->client != NULL)
		gate_open(b->gate);
	store_client_destroy(&b->client);
	ch_port_fini(&b->port);
	free(b);
	return 0;
}

static struct asked *submit_put(struct threads_bed *b, int64_t account, unsigned call, bool is_bulk)
{
	struct asked *a = asked_create();
	struct call_spec spec = {.account = account, .call = call, .status = CALL_COMPLETED};

	ask_put(&b->bed, &a->r, &spec);
	a->r.u.call_put.in.is_bulk = is_bulk;
	asked_aim(a, &b->port);
	store_submit(b->client, &a->r);
	return a;
}

static struct asked *submit_attempt(struct threads_bed *b, unsigned n)
{
	struct asked *a = asked_create();
	struct delivery d = {.account = ACCOUNT, .id = id_of('d', n), .webhook_id = id_of('w', 1)};

	ask_attempt(&b->bed, &a->r, &d, n, DELIVERY_DELIVERED);
	asked_aim(a, &b->port);
	store_submit(b->client, &a->r);
	return a;
}

static struct asked *submit_ledger(struct threads_bed *b, struct ch_port *port)
{
	struct asked *a = asked_create();

	store_request_init(&a->r, STORE_LEDGER, port, asked_done);
	store_submit(b->client, &a->r);
	return a;
}

static void finish(struct asked **rows, size_t n, int result)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(rows[i]->is_done);
		assert_int_equal(rows[i]->result, result);
		asked_free(rows[i]);
	}
}

static void what_queues_meanwhile_is_one_batch(void **state)
{
	struct threads_bed *b = *state;
	struct asked *rows[11];

	fill_store(&b->bed, 0);
	start(b, 512, false);
	rows[0] = submit_put(b, ACCOUNT, 0, false);
	gate_wait_inside(b->gate, 1);
	for (unsigned i = 1; i < 11; i++)
		rows[i] = submit_put(b, ACCOUNT, i, false);
	assert_int_equal(atomic_load(&b->stats->queued), 10);
	gate_open(b->gate);
	port_pump(&b->port, 11);
	assert_int_equal(gate_batches(b->gate), 2);
	assert_int_equal(gate_batch_at(b->gate, 0).n, 1);
	assert_int_equal(gate_batch_at(b->gate, 1).n, 10);
	assert_int_equal(atomic_load(&b->stats->commits), 2);
	assert_int_equal(atomic_load(&b->stats->rows), 11);
	assert_int_equal(atomic_load(&b->stats->queued), 0);
	assert_int_equal(atomic_load(&b->seen.deliveries), 11);
	finish(rows, 11, 0);
}

static void a_batch_has_its_limit(void **state)
{
	struct threads_bed *b = *state;
	struct asked *rows[11];
	static const size_t want[] = {1, 4, 4, 2};

	start(b, 4, false);
	rows[0] = submit_put(b, ACCOUNT, 0, false);
	gate_wait_inside(b->gate, 1);
	for (unsigned i = 1; i < 11; i++)
		rows[i] = submit_put(b, ACCOUNT, i, false);
	gate_open(b->gate);
	port_pump(&b->port, 11);
	assert_int_equal(gate_batches(b->gate), 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(gate_batch_at(b->gate, i).n, want[i]);
	finish(rows, 11, 0);
}

static void an_import_does_not_hold_up_others(void **state)
{
	struct threads_bed *b = *state;
	struct asked *rows[32];
	struct gate_batch second;
	bool has_single = false, has_result = false;

	start(b, 8, false);
	rows[0] = submit_put(b, ACCOUNT, 0, true);
	gate_wait_inside(b->gate, 1);
	for (unsigned i = 1; i < 30; i++)
		rows[i] = submit_put(b, ACCOUNT, i, true);
	rows[30] = submit_put(b, OTHER_ACCOUNT, 30, false);
	rows[31] = submit_attempt(b, 1);
	gate_open(b->gate);
	port_pump(&b->port, 32);
	second = gate_batch_at(b->gate, 1);
	for (size_t i = 0; i < second.n; i++) {
		has_single = has_single || second.accounts[i] == OTHER_ACCOUNT;
		has_result = has_result || second.kinds[i] == STORE_ATTEMPT;
	}
	assert_true(has_single);
	assert_true(has_result);
	assert_int_equal(rows[31]->result, CH_ENOENT);
	asked_free(rows[31]);
	finish(rows, 31, 0);
}

static void results_wait_for_company(void **state)
{
	struct threads_bed *b = *state;
	struct asked *rows[3];

	start(b, 512, true);
	rows[0] = submit_attempt(b, 1);
	rows[1] = submit_attempt(b, 2);
	rows[2] = submit_put(b, ACCOUNT, 1, false);
	port_pump(&b->port, 3);
	assert_int_equal(gate_batches(b->gate), 1);
	assert_int_equal(gate_batch_at(b->gate, 0).n, 3);
	finish(rows, 2, CH_ENOENT);
	finish(&rows[2], 1, 0);
}

/* The clock of this test stands still: the wait must end all the same. */
static void a_lone_result_does_not_wait_for_ever(void **state)
{
	struct threads_bed *b = *state;
	struct asked *a;

	start_waiting(b, 512, true, 1);
	a = submit_attempt(b, 1);
	port_pump(&b->port, 1);
	finish(&a, 1, CH_ENOENT);
}

static void a_full_batch_of_results_goes_at_once(void **state)
{
	struct threads_bed *b = *state;
	struct asked *rows[3];

	start(b, 3, true);
	for (unsigned i = 0; i < 3; i++)
		rows[i] = submit_attempt(b, i);
	port_pump(&b->port, 3);
	finish(rows, 3, CH_ENOENT);
}

static void the_watcher_hears_before_the_asker(void **state)
{
	struct threads_bed *b = *state;

	start(b, 512, true);
	for (unsigned i = 0; i < 20; i++) {
		struct asked *a = submit_put(b, ACCOUNT, i, false);

		port_pump(&b->port, 1);
		assert_true(a->commits_seen > (int64_t)i);
		finish(&a, 1, 0);
	}
	assert_int_equal(atomic_load(&b->seen.requests), 20);
}

static void a_failing_store_is_said_and_recovers(void **state)
{
	struct threads_bed *b = *state;
	struct asked *rows[4];

	start(b, 512, false);
	store_fault_fail_write(b->fault, 2, CH_EFULL);
	rows[0] = submit_put(b, ACCOUNT, 0, false);
	gate_wait_inside(b->gate, 1);
	for (unsigned i = 1; i < 4; i++)
		rows[i] = submit_put(b, ACCOUNT, i, false);
	gate_open(b->gate);
	port_pump(&b->port, 4);
	finish(rows, 1, 0);
	finish(&rows[1], 3, CH_EFULL);
	assert_int_equal(atomic_load(&b->stats->last_error), CH_EFULL);
	assert_int_equal(atomic_load(&b->stats->failures), 1);
	assert_int_equal(atomic_load(&b->seen.commits), 1);
	rows[0] = submit_put(b, ACCOUNT, 5, false);
	port_pump(&b->port, 1);
	finish(rows, 1, 0);
	assert_int_equal(atomic_load(&b->stats->last_error), 0);
}

static void reads_see_what_was_answered(void **state)
{
	struct threads_bed *b = *state;

	fill_store(&b->bed, 0);
	start(b, 512, true);
	for (unsigned i = 0; i < 20; i++) {
		struct asked *a = submit_put(b, ACCOUNT, i, false), *read;

		port_pump(&b->port, 1);
		read = submit_ledger(b, &b->port);
		port_pump(&b->port, 1);
		assert_int_equal(read->r.u.ledger.out.ledger.accepted, i + 1);
		finish(&a, 1, 0);
		finish(&read, 1, 0);
	}
	assert_int_equal(atomic_load(&b->stats->reads), 20);
}

static void reads_go_on_while_a_commit_hangs(void **state)
{
	struct threads_bed *b = *state;
	struct asked *a, *read;

	start(b, 512, false);
	a = submit_put(b, ACCOUNT, 1, false);
	gate_wait_inside(b->gate, 1);
	read = submit_ledger(b, &b->port);
	port_pump(&b->port, 1);
	assert_false(a->is_done);
	finish(&read, 1, 0);
	gate_open(b->gate);
	port_pump(&b->port, 1);
	finish(&a, 1, 0);
}

static void each_port_gets_its_own_answers(void **state)
{
	struct threads_bed *b = *state;
	struct ch_port other;
	struct asked *rows[10];

	assert_int_equal(ch_port_init(&other, false, NULL), 0);
	start(b, 512, false);
	rows[0] = submit_put(b, ACCOUNT, 0, false);
	gate_wait_inside(b->gate, 1);
	for (unsigned i = 1; i < 10; i++) {
		struct call_spec spec = {.call = i, .status = CALL_COMPLETED};

		rows[i] = asked_create();
		ask_put(&b->bed, &rows[i]->r, &spec);
		asked_aim(rows[i], i % 2 == 1 ? &other : &b->port);
		store_submit(b->client, &rows[i]->r);
	}
	gate_open(b->gate);
	port_pump(&other, 5);
	for (int i = 1; i < 10; i += 2)
		assert_true(rows[i]->is_done);
	port_pump(&b->port, 5);
	finish(rows, 10, 0);
	ch_port_fini(&other);
}

static void a_switch_is_followed_in_chunks(void **state)
{
	struct threads_bed *b = *state;
	struct asked *a, *read;

	fill_store(&b->bed, 1200);
	b->seen.wake = &b->port;
	start(b, 512, true);
	a = asked_create();
	ask_update(&b->bed, &a->r, 1, false, 1);
	asked_aim(a, &b->port);
	store_submit(b->client, &a->r);
	port_pump(&b->port, 2);
	assert_int_equal(atomic_load(&b->seen.sweeps), 3);
	read = submit_ledger(b, &b->port);
	port_pump(&b->port, 1);
	assert_int_equal(read->r.u.ledger.out.ledger.parked, 1200);
	finish(&a, 1, 0);
	finish(&read, 1, 0);
}

static void sweeps_left_by_a_crash_are_done_at_start(void **state)
{
	struct threads_bed *b = *state;
	struct store_request r;
	struct asked *read;

	fill_store(&b->bed, 3);
	ask_delete(&b->bed, &r, 1);
	assert_int_equal(serve_drop(&b->bed, &r), 0);
	b->seen.wake = &b->port;
	start(b, 512, true);
	port_pump(&b->port, 1);
	read = submit_ledger(b, &b->port);
	port_pump(&b->port, 1);
	assert_int_equal(read->r.u.ledger.out.ledger.canceled, 3);
	finish(&read, 1, 0);
}

static void a_quiet_moment_is_for_housekeeping(void **state)
{
	struct threads_bed *b = *state;
	struct asked *a;

	start(b, 512, true);
	for (int i = 1; i <= 3; i++) {
		atomic_fetch_add(&now_ms, 5000);
		a = submit_put(b, ACCOUNT, (unsigned)i, false);
		port_pump(&b->port, 1);
		gate_wait_maintained(b->gate, i);
		finish(&a, 1, 0);
	}
}

int test_client_threads(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					a_lone_result_does_not_wait_for_ever, setup, teardown),
			cmocka_unit_test_setup_teardown(what_queues_meanwhile_is_one_batch, setup, teardown),
			cmocka_unit_test_setup_teardown(a_batch_has_its_limit, setup, teardown),
			cmocka_unit_test_setup_teardown(an_import_does_not_hold_up_others, setup, teardown),
			cmocka_unit_test_setup_teardown(results_wait_for_company, setup, teardown),
			cmocka_unit_test_setup_teardown(
					a_full_batch_of_results_goes_at_once, setup, teardown),
			cmocka_unit_test_setup_teardown(the_watcher_hears_before_the_asker, setup, teardown),
			cmocka_unit_test_setup_teardown(
					a_failing_store_is_said_and_recovers, setup, teardown),
			cmocka_unit_test_setup_teardown(reads_see_what_was_answered, setup, teardown),
			cmocka_unit_test_setup_teardown(reads_go_on_while_a_commit_hangs, setup, teardown),
			cmocka_unit_test_setup_teardown(each_port_gets_its_own_answers, setup, teardown),
			cmocka_unit_test_setup_teardown(a_switch_is_followed_in_chunks, setup, teardown),
			cmocka_unit_test_setup_teardown(
					sweeps_left_by_a_crash_are_done_at_start, setup, teardown),
			cmocka_unit_test_setup_teardown(a_quiet_moment_is_for_housekeeping, setup, teardown),
	};

	return cmocka_run_group_tests_name("threads client", tests, NULL, NULL);
}
