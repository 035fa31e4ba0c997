#include "../unit/nth_alloc.h"
#include "clients.h"
#include "store/writer.h"

struct inline_bed {
	struct bed bed;
	struct seen seen;
	struct ch_port port;
	struct store_client *client;
	struct store *fault; /* borrowed from the client */
};

static void start(struct inline_bed *b)
{
	struct store_watcher watcher = watcher_of(&b->seen);

	b->bed.store->ops->reader_close(b->bed.reader);
	b->fault = b->bed.store;
	assert_int_equal(store_inline_start(&b->bed.store, ch_clock_virtual_of(&b->bed.clock), &watcher,
					 &b->client, NULL),
			0);
	assert_null(b->bed.store);
}

static int setup(void **state)
{
	struct inline_bed *b = calloc(1, sizeof(*b));

	bed_open(&b->bed, MEMORY_FAULT);
	assert_int_equal(ch_port_init(&b->port, true, NULL), 0);
	asked_seen = &b->seen;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct inline_bed *b = *state;

	store_client_destroy(&b->client);
	assert_null(b->client);
	ch_port_fini(&b->port);
	free(b);
	return 0;
}

static struct asked *submit_put(struct inline_bed *b, unsigned call, enum call_status status)
{
	struct asked *a = asked_create();
	struct call_spec spec = {.call = call, .status = status};

	ask_put(&b->bed, &a->r, &spec);
	asked_aim(a, &b->port);
	store_submit(b->client, &a->r);
	return a;
}

static struct asked *submit_ledger(struct inline_bed *b)
{
	struct asked *a = asked_create();

	store_request_init(&a->r, STORE_LEDGER, &b->port, asked_done);
	store_submit(b->client, &a->r);
	return a;
}

static struct asked *submit_delete(struct inline_bed *b)
{
	struct asked *a = asked_create();

	ask_delete(&b->bed, &a->r, 1);
	asked_aim(a, &b->port);
	store_submit(b->client, &a->r);
	return a;
}

static void step_all(struct inline_bed *b)
{
	while (store_inline_step(b->client) > 0)
		ch_port_dispatch(&b->port);
}

static void one_step_serves_all_that_waits(void **state)
{
	struct inline_bed *b = *state;
	struct asked *read, *first, *second;

	fill_store(&b->bed, 0);
	start(b);
	read = submit_ledger(b);
	first = submit_put(b, 1, CALL_COMPLETED);
	second = submit_put(b, 2, CALL_COMPLETED);
	assert_int_equal(store_inline_step(b->client), 3);
	assert_int_equal(atomic_load(&b->seen.commits), 1);
	assert_int_equal(atomic_load(&b->seen.requests), 2);
	assert_int_equal(atomic_load(&b->seen.deliveries), 2);
	assert_false(first->is_done);
	assert_int_equal(ch_port_dispatch(&b->port), 3);
	assert_true(first->is_done && second->is_done && read->is_done);
	assert_int_equal(first->result, 0);
	assert_int_equal(first->commits_seen, 1);
	assert_null(first->r.u.call_put.out.deliveries);
	assert_int_equal(read->r.u.ledger.out.ledger.accepted, 2);
	assert_int_equal(store_inline_step(b->client), 0);
	asked_free(read);
	asked_free(first);
	asked_free(second);
}

static void a_change_is_followed_by_its_sweeps(void **state)
{
	struct inline_bed *b = *state;
	struct asked *a, *read;

	fill_store(&b->bed, 1100);
	start(b);
	a = submit_delete(b);
	step_all(b);
	assert_int_equal(a->result, 0);
	assert_int_equal(atomic_load(&b->seen.sweeps), 3);
	assert_int_equal(atomic_load(&b->seen.last_sweeps), 1);
	read = submit_ledger(b);
	step_all(b);
	assert_int_equal(read->r.u.ledger.out.ledger.canceled, 1100);
	assert_int_equal(read->r.u.ledger.out.ledger.pending, 0);
	asked_free(a);
	asked_free(read);
}

static void sweeps_left_by_a_crash_are_found(void **state)
{
	struct inline_bed *b = *state;
	struct store_request r;
	struct asked *read;

	fill_store(&b->bed, 5);
	ask_delete(&b->bed, &r, 1);
	assert_int_equal(serve_drop(&b->bed, &r), 0);
	start(b);
	step_all(b);
	read = submit_ledger(b);
	step_all(b);
	assert_int_equal(read->r.u.ledger.out.ledger.canceled, 5);
	asked_free(read);
}

static struct asked *submit_account(struct inline_bed *b, enum store_kind kind)
{
	struct asked *a = asked_create();

	store_request_init(&a->r, kind, &b->port, asked_done);
	if (kind == STORE_ACCOUNT_CREATE)
		a->r.u.account_create.in.account.id[0] = 'x';
	else
		a->r.u.account_delete.in.number = ACCOUNT;
	store_submit(b->client, &a->r);
	return a;
}

/* The first look comes while the deliveries are still being canceled, and finds no account to be removed. */
static void a_deleted_account_is_removed_however_long_its_sweeps_take(void **state)
{
	struct inline_bed *b = *state;
	struct store_request r;

	store_request_init(&r, STORE_ACCOUNT_CREATE, NULL, NULL);
	r.u.account_create.in.account.id[0] = 'x';
	assert_int_equal(serve_drop(&b->bed, &r), 0);
	fill_store(&b->bed, 2600);
	start(b);
	struct asked *gone = submit_account(b, STORE_ACCOUNT_DELETE);
	for (int i = 0; i < 20; i++) {
		store_inline_step(b->client);
		ch_port_dispatch(&b->port);
		ch_clock_virtual_advance(&b->bed.clock, WRITER_RETRY_MS);
	}
	assert_int_equal(gone->result, 0);
	struct asked *again = submit_account(b, STORE_ACCOUNT_CREATE);
	step_all(b);
	assert_int_equal(again->result, 0);
	asked_free(gone);
	asked_free(again);
}

static struct asked *submit_update(struct inline_bed *b, bool enabled, int64_t revision)
{
	struct asked *a = asked_create();

	ask_update(&b->bed, &a->r, 1, enabled, revision);
	a->r.u.webhook_update.in.release = enabled;
	asked_aim(a, &b->port);
	store_submit(b->client, &a->r);
	return a;
}

static void a_release_is_followed_by_its_sweeps(void **state)
{
	struct inline_bed *b = *state;
	struct asked *off, *on, *read;

	fill_store(&b->bed, 2 * WRITER_SWEEP_ROWS + 1);
	start(b);
	off = submit_update(b, false, 1);
	step_all(b);
	on = submit_update(b, true, 2);
	step_all(b);
	assert_int_equal(on->result, 0);
	assert_int_equal(atomic_load(&b->seen.last_sweeps), 2);
	read = submit_ledger(b);
	step_all(b);
	assert_int_equal(read->r.u.ledger.out.ledger.pending, 2 * WRITER_SWEEP_ROWS + 1);
	asked_free(off);
	asked_free(on);
	asked_free(read);
}

static void a_sweep_that_fails_is_tried_again_later(void **state)
{
	struct inline_bed *b = *state;
	struct asked *a;

	fill_store(&b->bed, 5);
	start(b);
	store_fault_fail_write(b->fault, 2, CH_EFULL);
	a = submit_delete(b);
	step_all(b);
	assert_int_equal(a->result, 0);
	assert_int_equal(atomic_load(&b->seen.last_sweeps), 0);
	step_all(b);
	assert_int_equal(atomic_load(&b->seen.last_sweeps), 0);
	ch_clock_virtual_advance(&b->bed.clock, 1000);
	step_all(b);
	assert_int_equal(atomic_load(&b->seen.last_sweeps), 1);
	asked_free(a);
}

static void a_look_for_sweeps_that_fails_is_tried_again(void **state)
{
	struct inline_bed *b = *state;
	struct store_request r;

	fill_store(&b->bed, 5);
	ask_delete(&b->bed, &r, 1);
	assert_int_equal(serve_drop(&b->bed, &r), 0);
	start(b);
	store_fault_fail_read(b->fault, 1, CH_EIO);
	step_all(b);
	assert_int_equal(atomic_load(&b->seen.sweeps), 0);
	ch_clock_virtual_advance(&b->bed.clock, 1000);
	step_all(b);
	assert_int_equal(atomic_load(&b->seen.last_sweeps), 1);
}

static void a_batch_that_fails_is_answered_so(void **state)
{
	struct inline_bed *b = *state;
	struct asked *first, *second;

	start(b);
	store_fault_fail_write(b->fault, 1, CH_EFULL);
	first = submit_put(b, 1, CALL_COMPLETED);
	second = submit_put(b, 2, CALL_COMPLETED);
	step_all(b);
	assert_int_equal(first->result, CH_EFULL);
	assert_int_equal(second->result, CH_EFULL);
	assert_string_not_equal(first->r.err.text, "");
	assert_int_equal(atomic_load(&b->seen.commits), 0);
	asked_free(first);
	/* The same request may be asked again. */
	second->is_done = false;
	store_submit(b->client, &second->r);
	step_all(b);
	assert_int_equal(second->result, 0);
	assert_string_equal(second->r.err.text, "");
	assert_int_equal(atomic_load(&b->seen.commits), 1);
	asked_free(second);
}

static void the_watcher_sees_what_was_refused(void **state)
{
	struct inline_bed *b = *state;
	struct asked *a, *back;

	start(b);
	a = submit_put(b, 1, CALL_COMPLETED);
	back = submit_put(b, 1, CALL_IN_PROGRESS);
	step_all(b);
	assert_int_equal(a->result, 0);
	assert_int_equal(back->result, CH_ECONFLICT);
	assert_int_equal(atomic_load(&b->seen.requests), 2);
	assert_int_equal(atomic_load(&b->seen.failed), 1);
	asked_free(a);
	asked_free(back);
}

static void without_memory_everyone_is_told(void **state)
{
	struct inline_bed *b = *state;

	start(b);
	step_all(b);
	for (int nth_at = 1; nth_at <= 6; nth_at++) {
		struct nth_alloc nth = {.fail_at = nth_at};
		struct asked *a = submit_put(b, 100 + (unsigned)nth_at, CALL_COMPLETED);

		nth_alloc_begin(&nth);
		store_inline_step(b->client);
		nth_alloc_end(&nth);
		ch_port_dispatch(&b->port);
		assert_true(a->is_done);
		assert_true(a->result == 0 || a->result == CH_ENOMEM);
		if (nth_at == 1)
			assert_int_equal(a->result, CH_ENOMEM);
		asked_free(a);
	}
}

static void a_start_without_memory_leaves_the_store(void **state)
{
	struct inline_bed *b = *state;
	int failures = 0;

	for (int nth_at = 1; b->client == NULL; nth_at++) {
		struct nth_alloc nth = {.fail_at = nth_at};
		struct ch_err err = {0};
		int rc;

		nth_alloc_begin(&nth);
		rc = store_inline_start(
				&b->bed.store, ch_clock_virtual_of(&b->bed.clock), NULL, &b->client, &err);
		nth_alloc_end(&nth);
		if (rc == 0)
			break;
		assert_int_equal(rc, CH_ENOMEM);
		assert_non_null(b->bed.store);
		assert_null(b->client);
		failures++;
	}
	assert_true(failures >= 3);
	b->fault = NULL;
	/* The bed's own reader would outlive the store otherwise. */
	b->bed.reader = NULL;
}

static int setup_without_reader(void **state)
{
	struct inline_bed *b;

	setup(state);
	b = *state;
	b->bed.store->ops->reader_close(b->bed.reader);
	return 0;
}

static void destroy_answers_what_is_queued(void **state)
{
	struct inline_bed *b = *state;
	struct asked *write, *read;

	start(b);
	write = submit_put(b, 1, CALL_COMPLETED);
	read = submit_ledger(b);
	store_client_destroy(&b->client);
	assert_int_equal(ch_port_dispatch(&b->port), 2);
	assert_int_equal(write->result, 0);
	assert_int_equal(read->result, 0);
	asked_free(write);
	asked_free(read);
}

/* Sweeps are the next start's: an end must not take as long as a million rows do. */
static void destroy_begins_no_sweep(void **state)
{
	struct inline_bed *b = *state;
	struct asked *a;

	fill_store(&b->bed, 5);
	start(b);
	a = submit_delete(b);
	store_client_destroy(&b->client);
	assert_int_equal(ch_port_dispatch(&b->port), 1);
	assert_int_equal(a->result, 0);
	assert_int_equal(atomic_load(&b->seen.sweeps), 0);
	asked_free(a);
}

int test_client_inline(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(one_step_serves_all_that_waits, setup, teardown),
			cmocka_unit_test_setup_teardown(a_change_is_followed_by_its_sweeps, setup, teardown),
			cmocka_unit_test_setup_teardown(a_release_is_followed_by_its_sweeps, setup, teardown),
			cmocka_unit_test_setup_teardown(sweeps_left_by_a_crash_are_found, setup, teardown),
			cmocka_unit_test_setup_teardown(
					a_deleted_account_is_removed_however_long_its_sweeps_take, setup,
					teardown),
			cmocka_unit_test_setup_teardown(
					a_sweep_that_fails_is_tried_again_later, setup, teardown),
			cmocka_unit_test_setup_teardown(
					a_look_for_sweeps_that_fails_is_tried_again, setup, teardown),
			cmocka_unit_test_setup_teardown(a_batch_that_fails_is_answered_so, setup, teardown),
			cmocka_unit_test_setup_teardown(the_watcher_sees_what_was_refused, setup, teardown),
			cmocka_unit_test_setup_teardown(without_memory_everyone_is_told, setup, teardown),
			cmocka_unit_test_setup_teardown(a_start_without_memory_leaves_the_store,
					setup_without_reader, teardown),
			cmocka_unit_test_setup_teardown(destroy_answers_what_is_queued, setup, teardown),
			cmocka_unit_test_setup_teardown(destroy_begins_no_sweep, setup, teardown),
	};

	return cmocka_run_group_tests_name("inline client", tests, NULL, NULL);
}
