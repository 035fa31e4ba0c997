#include <errno.h>
#include <stdio.h>

#include "clients.h"
#include "test_faults.h"

#define CLIENTS 3
#define CALLS_EACH 25

/* The service's threads over the SQLite store on the failing disk. */
struct service {
	struct twin twin;
	struct seen seen;
	struct ch_port port;
	struct store_client *client;
	struct store_stats *stats;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int refused; /* answers so far that said the disk was full */
	int in_sync; /* syncs that have begun */
	bool is_shut; /* syncs wait */
};

struct caller {
	struct service *s;
	pthread_t thread;
	unsigned first;
	int other; /* a result that nobody expected */
};

static int setup(void **state)
{
	struct service *s = calloc(1, sizeof(*s));
	struct store_threads_conf conf = {.readers = 2, .batch_max = 512, .watcher = watcher_of(&s->seen)};
	struct ch_err err = {0};

	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	twin_init(&s->twin);
	assert_int_equal(twin_open(&s->twin, &err), 0);
	make_webhook(&s->twin.disk, 1, true);
	s->twin.disk.store->ops->reader_close(s->twin.disk.reader);
	s->twin.is_open = false;
	conf.clock = ch_clock_virtual_of(&s->twin.disk.clock);
	assert_int_equal(ch_port_init(&s->port, false, NULL), 0);
	asked_seen = &s->seen;
	assert_int_equal(store_threads_start(&s->twin.disk.store, &conf, &s->client, &err), 0);
	s->stats = store_threads_stats(s->client);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct service *s = *state;

	store_client_destroy(&s->client);
	twin_fini(&s->twin);
	ch_port_fini(&s->port);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return 0;
}

static struct asked *submit_put(struct service *s, struct ch_port *port, unsigned call)
{
	struct asked *a = asked_create();
	struct call_spec spec = {.call = call, .status = CALL_COMPLETED, .padding = 500};

	ask_put(&s->twin.disk, &a->r, &spec);
	asked_aim(a, port);
	store_submit(s->client, &a->r);
	return a;
}

static int64_t accepted(struct service *s)
{
	struct asked *a = asked_create();
	int64_t n;

	store_request_init(&a->r, STORE_LEDGER, &s->port, asked_done);
	store_submit(s->client, &a->r);
	while (!a->is_done)
		port_wait(&s->port);
	assert_int_equal(a->result, 0);
	n = a->r.u.ledger.out.ledger.accepted;
	asked_free(a);
	return n;
}

/* As a client of the API does: asks again until it is taken. */
static void *caller_main(void *arg)
{
	struct caller *c = arg;
	struct ch_port port;

	if (ch_port_init(&port, false, NULL) != 0)
		return NULL;
	for (unsigned i = 0; i < CALLS_EACH;) {
		struct asked *a = submit_put(c->s, &port, c->first + i);

		while (!a->is_done)
			port_wait(&port);
		i += a->result == 0;
		if (a->result == CH_EFULL) {
			pthread_mutex_lock(&c->s->lock);
			c->s->refused++;
			pthread_cond_broadcast(&c->s->changed);
			pthread_mutex_unlock(&c->s->lock);
		} else if (a->result != 0) {
			c->other = a->result;
		}
		asked_free(a);
	}
	ch_port_fini(&port);
	return NULL;
}

static void wait_for(struct service *s, const int *count, int wanted)
{
	pthread_mutex_lock(&s->lock);
	while (*count < wanted)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static void check_after(struct service *s, int64_t calls)
{
	struct ch_err err = {0};

	store_client_destroy(&s->client);
	assert_int_equal(twin_open(&s->twin, &err), 0);
	assert_ledger(&s->twin.disk, ACCOUNT, calls, 0, 0, 0, 0);
	twin_check_file(&s->twin);
}

static void clients_go_on_over_a_full_disk(void **state)
{
	static const struct disk_fault full = {.ops = DISK_BIT(DISK_WRITE),
			.suffix = "-wal",
			.nth = 60,
			.code = SQLITE_FULL,
			.os_errno = ENOSPC};
	struct service *s = *state;
	struct caller callers[CLIENTS];

	disk_fail(&full);
	for (unsigned i = 0; i < CLIENTS; i++) {
		callers[i] = (struct caller){.s = s, .first = 1 + i * 1000};
		assert_int_equal(pthread_create(&callers[i].thread, NULL, caller_main, &callers[i]), 0);
	}
	wait_for(s, &s->refused, 20);
	/* Reads go on, and what was taken before is there. */
	assert_true(accepted(s) < CLIENTS * CALLS_EACH);
	assert_int_equal(atomic_load(&s->stats->last_error), CH_EFULL);
	disk_heal();
	for (unsigned i = 0; i < CLIENTS; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].other, 0);
	}
	assert_int_equal(atomic_load(&s->stats->last_error), 0);
	assert_int_equal(accepted(s), CLIENTS * CALLS_EACH);
	assert_int_equal(atomic_load(&s->seen.deliveries), CLIENTS * CALLS_EACH);
	check_after(s, CLIENTS * CALLS_EACH);
}

static void hold(void *ctx)
{
	struct service *s = ctx;

	pthread_mutex_lock(&s->lock);
	s->in_sync++;
	pthread_cond_broadcast(&s->changed);
	while (s->is_shut)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static void let_go(struct service *s)
{
	pthread_mutex_lock(&s->lock);
	s->is_shut = false;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* Nobody is answered before the sync is through, readers see nothing of it and don't wait, and what queued
 * meanwhile is one commit. */
static void a_slow_sync_makes_larger_batches(void **state)
{
	struct service *s = *state;
	struct asked *rows[11];
	unsigned long long commits = atomic_load(&s->stats->commits);

	s->is_shut = true;
	disk_on_sync(hold, s, "-wal");
	rows[0] = submit_put(s, &s->port, 1);
	wait_for(s, &s->in_sync, 1);
	for (unsigned i = 1; i < 11; i++)
		rows[i] = submit_put(s, &s->port, 1 + i);
	assert_int_equal(accepted(s), 0);
	for (unsigned i = 0; i < 11; i++)
		assert_false(rows[i]->is_done);
	let_go(s);
	while (!rows[10]->is_done)
		port_wait(&s->port);
	for (unsigned i = 0; i < 11; i++) {
		assert_true(rows[i]->is_done);
		assert_int_equal(rows[i]->result, 0);
		asked_free(rows[i]);
	}
	assert_int_equal(atomic_load(&s->stats->commits), commits + 2);
	assert_int_equal(accepted(s), 11);
	check_after(s, 11);
}

int fault_thread_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(clients_go_on_over_a_full_disk, setup, teardown),
			cmocka_unit_test_setup_teardown(a_slow_sync_makes_larger_batches, setup, teardown),
	};

	return cmocka_run_group_tests_name("threads over a failing disk", tests, NULL, NULL);
}
