#include "../unit/nth_alloc.h"
#include "clients.h"

/* Ends and beginnings of the client with threads, and many askers at once. */

#define ASKERS 4
#define ASKS 100

static struct store_threads_conf conf_of(void)
{
	return (struct store_threads_conf){
			.clock = ch_clock_system(), .readers = 2, .batch_max = 16, .result_wait_ms = 1};
}

static struct store_client *start(struct store **store)
{
	struct store_threads_conf conf = conf_of();
	struct store_client *client = NULL;

	assert_int_equal(store_threads_start(store, &conf, &client, NULL), 0);
	assert_null(*store);
	return client;
}

static struct asked *ask_call(
		const struct bed *b, struct store_client *client, struct ch_port *port, unsigned call)
{
	struct asked *a = asked_create();
	struct call_spec spec = {.call = call, .status = CALL_COMPLETED};

	ask_put(b, &a->r, &spec);
	asked_aim(a, port);
	store_submit(client, &a->r);
	return a;
}

static struct asked *ask_ledger(struct store_client *client, struct ch_port *port)
{
	struct asked *a = asked_create();

	store_request_init(&a->r, STORE_LEDGER, port, asked_done);
	store_submit(client, &a->r);
	return a;
}

static void *destroy_client(void *arg)
{
	store_client_destroy(arg);
	return NULL;
}

/* Until destroy has begun, which the shut gate keeps from ending, a read is served; then it is refused. */
static void wait_for_refusal(struct store_client *client)
{
	struct ch_port port;
	int result = 0;

	assert_int_equal(ch_port_init(&port, false, NULL), 0);
	while (result == 0) {
		struct asked *a = ask_ledger(client, &port);

		port_pump(&port, 1);
		result = a->result;
		asked_free(a);
	}
	assert_int_equal(result, CH_ECANCELED);
	ch_port_fini(&port);
}

static void what_was_queued_is_still_written(void **state)
{
	struct asked *writes[6], *late;
	struct store_client *client, *same;
	struct bed b;
	struct ch_port port;
	struct gate *gate;
	struct store *store;
	pthread_t thread;

	asked_seen = NULL;
	bed_open(&b, MEMORY);
	b.store->ops->reader_close(b.reader);
	gate = gate_create(b.store, false);
	store = &gate->base;
	assert_int_equal(ch_port_init(&port, false, NULL), 0);
	same = client = start(&store);
	writes[0] = ask_call(&b, client, &port, 0);
	gate_wait_inside(gate, 1);
	for (unsigned i = 1; i < 6; i++)
		writes[i] = ask_call(&b, client, &port, i);
	assert_int_equal(pthread_create(&thread, NULL, destroy_client, &client), 0);
	wait_for_refusal(same);
	late = ask_call(&b, same, &port, 9);
	port_pump(&port, 1);
	assert_int_equal(late->result, CH_ECANCELED);
	assert_string_not_equal(late->r.err.text, "");
	assert_false(writes[0]->is_done);
	gate_open(gate);
	pthread_join(thread, NULL);
	assert_null(client);
	assert_int_equal(ch_port_dispatch(&port), 6);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(writes[i]->result, 0);
		asked_free(writes[i]);
	}
	asked_free(late);
	ch_port_fini(&port);
}

static void waiting_results_are_written_at_the_end(void **state)
{
	struct store_threads_conf conf = conf_of();
	struct store_client *client = NULL;
	struct delivery d = {.account = ACCOUNT};
	struct asked *a = asked_create();
	struct ch_port port;
	struct bed b;

	asked_seen = NULL;
	bed_open(&b, MEMORY);
	b.store->ops->reader_close(b.reader);
	assert_int_equal(ch_port_init(&port, false, NULL), 0);
	conf.result_wait_ms = 60000;
	assert_int_equal(store_threads_start(&b.store, &conf, &client, NULL), 0);
	ask_attempt(&b, &a->r, &d, 1, DELIVERY_DELIVERED);
	asked_aim(a, &port);
	store_submit(client, &a->r);
	store_client_destroy(&client);
	assert_int_equal(ch_port_dispatch(&port), 1);
	assert_int_equal(a->result, CH_ENOENT);
	asked_free(a);
	ch_port_fini(&port);
}

static void a_start_that_fails_leaves_the_store(void **state)
{
	struct store_threads_conf conf = conf_of();
	struct store_client *client = NULL;
	struct bed b;
	int failures = 0;

	bed_open(&b, MEMORY);
	for (int nth_at = 1; client == NULL; nth_at++) {
		struct nth_alloc nth = {.fail_at = nth_at};
		struct ch_err err = {0};
		int rc;

		/* Up to the first thread only: the hook is not for several. */
		nth_alloc_begin(&nth);
		rc = nth_at <= 5 ? store_threads_start(&b.store, &conf, &client, &err) : 0;
		nth_alloc_end(&nth);
		if (rc == 0)
			break;
		assert_int_equal(rc, CH_ENOMEM);
		assert_string_not_equal(err.text, "");
		assert_non_null(b.store);
		failures++;
	}
	assert_int_equal(failures, 5);
	bed_close(&b);
}

struct asker {
	const struct bed *bed;
	struct store_client *client;
	pthread_t thread;
	unsigned at;
	int wrong;
};

static void *ask_much(void *arg)
{
	struct asker *me = arg;
	struct ch_port port;
	struct asked *rows[ASKS];

	if (ch_port_init(&port, me->at % 2 == 0, NULL) != 0)
		return NULL;
	for (unsigned i = 0; i < ASKS; i++) {
		rows[i] = i % 5 == 4 ? ask_ledger(me->client, &port)
				     : ask_call(me->bed, me->client, &port, me->at * ASKS + i);
		if (i % 7 == 0)
			ch_port_dispatch(&port);
	}
	for (unsigned i = 0; i < ASKS; i++) {
		while (!rows[i]->is_done)
			port_wait(&port);
		me->wrong += rows[i]->result != 0;
		asked_free(rows[i]);
	}
	ch_port_fini(&port);
	return NULL;
}

static void many_ask_at_once(enum flavour flavour)
{
	struct asker askers[ASKERS];
	struct store_client *client;
	struct asked *last;
	struct ch_port port;
	struct bed b;

	asked_seen = NULL;
	bed_open(&b, flavour);
	make_webhook(&b, 1, true);
	b.store->ops->reader_close(b.reader);
	client = start(&b.store);
	for (unsigned i = 0; i < ASKERS; i++) {
		askers[i] = (struct asker){.bed = &b, .client = client, .at = i};
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_much, &askers[i]), 0);
	}
	for (unsigned i = 0; i < ASKERS; i++) {
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].wrong, 0);
	}
	assert_int_equal(ch_port_init(&port, false, NULL), 0);
	last = ask_ledger(client, &port);
	port_pump(&port, 1);
	assert_int_equal(last->r.u.ledger.out.ledger.accepted, ASKERS * ASKS * 4 / 5);
	asked_free(last);
	store_client_destroy(&client);
	ch_port_fini(&port);
	bed_remove(&b);
}

static void many_ask_a_store_in_memory(void **state)
{
	many_ask_at_once(MEMORY);
}

static void many_ask_a_store_on_disk(void **state)
{
	many_ask_at_once(SQLITE);
}

int test_client_stop(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test(what_was_queued_is_still_written),
			cmocka_unit_test(waiting_results_are_written_at_the_end),
			cmocka_unit_test(a_start_that_fails_leaves_the_store),
			cmocka_unit_test(many_ask_a_store_in_memory),
			cmocka_unit_test(many_ask_a_store_on_disk),
	};

	return cmocka_run_group_tests_name("threads client: start, stop, crowd", tests, NULL, NULL);
}
