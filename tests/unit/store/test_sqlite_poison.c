#include <stdio.h>

#include "clients.h"
#include "test_store_sqlite.h"

/* One delivery whose row can't be used: whoever needs it fails, and nobody else. */

#define COMPANY 4
#define LONG_MS 60000

struct poison {
	struct bed bed;
	struct delivery bad, good;
	struct seen seen;
	struct ch_port port;
	struct gate *gate; /* owned by the client */
	struct store_client *client;
	struct asked *rows[COMPANY];
};

static void exec_beside(const struct poison *p, const char *sql)
{
	char path[128];
	sqlite3 *db = NULL;

	snprintf(path, sizeof(path), "%s/store.db", p->bed.dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int setup(void **state)
{
	struct poison *p = calloc(1, sizeof(*p));

	bed_open(&p->bed, SQLITE);
	make_webhook(&p->bed, 1, true);
	p->bad = make_delivery(&p->bed, 1);
	p->good = make_delivery(&p->bed, 2);
	assert_int_equal(ch_port_init(&p->port, true, NULL), 0);
	asked_seen = &p->seen;
	exec_beside(p, "UPDATE delivery SET round = -1 WHERE key = (SELECT min(key) FROM delivery)");
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct poison *p = *state;

	if (p->client == NULL) {
		p->bed.store->ops->reader_close(p->bed.reader);
		store_close(&p->bed.store);
	}
	store_client_destroy(&p->client);
	bed_remove(&p->bed);
	ch_port_fini(&p->port);
	delivery_fini(&p->bad);
	delivery_fini(&p->good);
	free(p);
	return 0;
}

static struct asked *submit(struct poison *p, struct asked *a)
{
	asked_aim(a, &p->port);
	store_submit(p->client, &a->r);
	return a;
}

static struct asked *submit_put(struct poison *p, unsigned call)
{
	struct asked *a = asked_create();
	struct call_spec spec = {.call = call, .status = CALL_COMPLETED};

	ask_put(&p->bed, &a->r, &spec);
	return submit(p, a);
}

static struct asked *submit_attempt(struct poison *p, const struct delivery *d, unsigned n)
{
	struct asked *a = asked_create();

	ask_attempt(&p->bed, &a->r, d, n, DELIVERY_DELIVERED);
	return submit(p, a);
}

static void submit_company(struct poison *p)
{
	p->rows[0] = submit_put(p, 10);
	p->rows[1] = submit_attempt(p, &p->bad, 1);
	p->rows[2] = submit_put(p, 11);
	p->rows[3] = submit_attempt(p, &p->good, 2);
}

static void check_company(struct poison *p)
{
	for (size_t i = 0; i < COMPANY; i++) {
		assert_true(p->rows[i]->is_done);
		assert_int_equal(p->rows[i]->result, i == 1 ? CH_EDAMAGED : 0);
		if (i != 1)
			assert_string_equal(p->rows[i]->r.err.text, "");
		else
			assert_non_null(strstr(p->rows[i]->r.err.text, "damaged"));
		asked_free(p->rows[i]);
	}
	/* Two calls and one result; each in its transaction, and told of once. */
	assert_int_equal(atomic_load(&p->seen.requests), 3);
	assert_int_equal(atomic_load(&p->seen.failed), 0);
	assert_int_equal(atomic_load(&p->seen.deliveries), 2);
}

static void check_store(struct poison *p)
{
	struct store_conf conf = bed_conf(&p->bed);
	struct ch_err err = {0};
	char path[128];

	store_client_destroy(&p->client);
	snprintf(path, sizeof(path), "%s/store.db", p->bed.dir);
	exec_beside(p, "UPDATE delivery SET round = 0 WHERE round = -1");
	assert_int_equal(store_sqlite_open(path, &conf, &p->bed.store, &err), 0);
	assert_int_equal(p->bed.store->ops->reader_open(p->bed.store, &p->bed.reader, &err), 0);
	assert_int_equal(state_of(&p->bed, &p->bad.id), DELIVERY_PENDING);
	assert_int_equal(state_of(&p->bed, &p->good.id), DELIVERY_DELIVERED);
	assert_ledger(&p->bed, ACCOUNT, 3, 1, 0, 0, 0);
}

static void inline_only_what_is_damaged_fails(void **state)
{
	struct poison *p = *state;
	struct store_watcher watcher = watcher_of(&p->seen);

	p->bed.store->ops->reader_close(p->bed.reader);
	assert_int_equal(store_inline_start(&p->bed.store, ch_clock_virtual_of(&p->bed.clock), &watcher,
					 &p->client, NULL),
			0);
	submit_company(p);
	while (store_inline_step(p->client) > 0)
		ch_port_dispatch(&p->port);
	check_company(p);
	check_store(p);
}

static void start_threads(struct poison *p)
{
	struct store_threads_conf conf = {
			.clock = ch_clock_virtual_of(&p->bed.clock),
			.readers = 1,
			.batch_max = 512,
			.result_wait_ms = LONG_MS,
			.watcher = watcher_of(&p->seen),
	};
	struct store *store;
	struct ch_err err = {0};

	p->bed.store->ops->reader_close(p->bed.reader);
	p->gate = gate_create(p->bed.store, false);
	store = &p->gate->base;
	if (store_threads_start(&store, &conf, &p->client, &err) != 0)
		fail_msg("start: %s", err.text);
}

/* In order, in halves. */
static void threads_only_what_is_damaged_fails(void **state)
{
	static const size_t sizes[] = {1, COMPANY, 2, 1, 1, 2};
	struct poison *p = *state;
	struct store_stats *stats;
	struct asked *first;

	ch_port_fini(&p->port);
	assert_int_equal(ch_port_init(&p->port, false, NULL), 0);
	start_threads(p);
	stats = store_threads_stats(p->client);
	/* The writer is busy with a call that changes nothing while the company gathers. */
	first = submit_put(p, 2);
	gate_wait_inside(p->gate, 1);
	submit_company(p);
	gate_open(p->gate);
	port_pump(&p->port, 1 + COMPANY);
	assert_int_equal(gate_batches(p->gate), sizeof(sizes) / sizeof(sizes[0]));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		assert_int_equal(gate_batch_at(p->gate, i).n, sizes[i]);
	assert_int_equal(first->result, 0);
	asked_free(first);
	assert_int_equal(atomic_load(&stats->failures), 3);
	assert_int_equal(atomic_load(&stats->last_error), 0);
	atomic_fetch_sub(&p->seen.requests, 1);
	check_company(p);
	check_store(p);
}

static void a_claim_passes_over_what_is_damaged(void **state)
{
	struct poison *p = *state;
	struct store_request r;

	ask_claim(&p->bed, &r, 1, 10);
	assert_int_equal(serve(&p->bed, &r), 0);
	assert_int_equal(r.u.claim.out.count, 1);
	assert_int_equal(r.u.claim.out.damaged, 1);
	assert_id_equal(&r.u.claim.out.rows[0].id, &p->good.id);
	assert_string_equal(r.err.text, "");
	store_request_fini(&r);
}

static void too_much_damage_fails_the_claim(void **state)
{
	struct poison *p = *state;
	struct store_request r;

	for (unsigned i = 0; i < STORE_CLAIM_DAMAGED_MAX; i++) {
		struct delivery d = make_delivery(&p->bed, 100 + i);

		delivery_fini(&d);
	}
	exec_beside(p, "UPDATE delivery SET round = -1");
	ask_claim(&p->bed, &r, 1, 10);
	assert_int_equal(serve_drop(&p->bed, &r), CH_EDAMAGED);
}

static void a_probe_takes_another_than_the_damaged(void **state)
{
	struct poison *p = *state;
	struct store_request r;

	ask_probe(&r, 1, NULL);
	assert_int_equal(serve(&p->bed, &r), 0);
	assert_true(r.u.probe.out.has_row);
	assert_id_equal(&r.u.probe.out.row.id, &p->good.id);
	store_request_fini(&r);
}

/* What every write needs is gone: that is the store, not a request. */
static void a_store_damaged_as_a_whole_refuses(void **state)
{
	struct poison *p = *state;
	struct store_sqlite *s = sqlite_of_bed(&p->bed);
	struct call_spec spec = {.call = 50, .status = CALL_COMPLETED};
	struct store_request r, *list[1] = {&r};
	struct ch_err err = {0};

	exec_beside(p, "DELETE FROM mark");
	sq_hooks_clear(&s->hooks);
	ask_put(&p->bed, &r, &spec);
	assert_int_equal(p->bed.store->ops->write(p->bed.store, list, 1, &err), CH_EIO);
	assert_int_equal(err.code, CH_EIO);
	assert_int_equal(r.result, CH_EIO);
	store_request_fini(&r);
}

int sqlite_poison_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(inline_only_what_is_damaged_fails, setup, teardown),
			cmocka_unit_test_setup_teardown(threads_only_what_is_damaged_fails, setup, teardown),
			cmocka_unit_test_setup_teardown(a_claim_passes_over_what_is_damaged, setup, teardown),
			cmocka_unit_test_setup_teardown(too_much_damage_fails_the_claim, setup, teardown),
			cmocka_unit_test_setup_teardown(
					a_probe_takes_another_than_the_damaged, setup, teardown),
			cmocka_unit_test_setup_teardown(a_store_damaged_as_a_whole_refuses, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
