#include <pthread.h>
#include <stdatomic.h>

#include "../unit/nth_alloc.h"
#include "dump.h"

#define MANY 9
#define DUMP_CALLS 8
#define DUMP_WEBHOOKS 8

static int write_all(const struct bed *b, struct store_request *rows, size_t n)
{
	struct store_request *requests[MANY];
	struct ch_err err = {0};
	int rc;

	assert_true(n <= MANY);
	for (size_t i = 0; i < n; i++)
		requests[i] = &rows[i];
	rc = b->store->ops->write(b->store, requests, n, &err);
	if (rc != 0)
		assert_string_not_equal(err.text, "");
	return rc;
}

static void fini_all(struct store_request *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		store_request_fini(&rows[i]);
}

static void each_request_sees_those_before_it(void **state)
{
	struct bed *b = *state;
	struct call_spec first = {.call = 1, .status = CALL_IN_PROGRESS};
	struct call_spec last = {.call = 1, .status = CALL_COMPLETED, .note = 1};
	struct store_request r[7];

	ask_webhook(b, &r[0], 1, true);
	ask_put(b, &r[1], &first);
	ask_put(b, &r[2], &last);
	ask_put(b, &r[3], &last);
	ask_update(b, &r[4], 1, false, 1);
	ask_sweep(b, &r[5], 1, 10);
	ask_delete(b, &r[6], 1);
	assert_int_equal(write_all(b, r, 7), 0);
	for (int i = 0; i < 7; i++)
		assert_int_equal(r[i].result, 0);
	assert_int_equal(r[1].u.call_put.out.what, STORE_PUT_CREATED);
	assert_int_equal(r[2].u.call_put.out.what, STORE_PUT_REPLACED);
	assert_int_equal(r[2].u.call_put.out.delivery_count, 1);
	assert_int_equal(r[3].u.call_put.out.what, STORE_PUT_UNCHANGED);
	assert_int_equal(r[3].u.call_put.out.delivery_count, 0);
	assert_int_equal(r[4].u.webhook_update.in.webhook.revision, 2);
	assert_int_equal(r[5].u.webhook_sweep.out.moved, 1);
	fini_all(r, 7);
	assert_ledger(b, ACCOUNT, 0, 0, 0, 1, 0);
	assert_int_equal(sweep_all(b, 1, 10), 1);
	assert_ledger(b, ACCOUNT, 0, 0, 0, 0, 1);
}

static void one_that_fails_leaves_the_others_alone(void **state)
{
	struct bed *b = *state;
	struct call_spec done = {.call = 1, .status = CALL_COMPLETED};
	struct call_spec back = {.call = 1, .status = CALL_IN_PROGRESS};
	struct call_spec other = {.call = 2, .status = CALL_COMPLETED};
	struct store_request r[5];

	make_webhook(b, 1, true);
	ask_put(b, &r[0], &done);
	ask_put(b, &r[1], &back);
	ask_update(b, &r[2], 1, false, 99);
	ask_webhook(b, &r[3], 1, true);
	ask_put(b, &r[4], &other);
	assert_int_equal(write_all(b, r, 5), 0);
	assert_int_equal(r[0].result, 0);
	assert_int_equal(r[1].result, CH_ECONFLICT);
	assert_int_equal(r[2].result, CH_ECONFLICT);
	assert_int_equal(r[3].result, CH_EEXIST);
	assert_int_equal(r[4].result, 0);
	fini_all(r, 5);
	assert_ledger(b, ACCOUNT, 2, 0, 0, 0, 0);
}

/* One of everything, on a store that has some. */
static struct delivery prepare(struct bed *b)
{
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 0);
	make_webhook(b, 2, true);
	make_webhook(b, 3, true);
	for (unsigned i = 1; i < 4; i++) {
		struct call_spec spec = {.call = i, .status = CALL_COMPLETED};
		struct store_request r;

		ask_put(b, &r, &spec);
		assert_int_equal(serve_drop(b, &r), 0);
	}
	return d;
}

static void ask_everything(const struct bed *b, struct store_request *r, const struct delivery *d)
{
	struct call_spec fresh = {.call = 5, .status = CALL_COMPLETED};
	struct call_spec again = {.call = 2, .status = CALL_COMPLETED, .note = 9, .notify = true};

	ask_put(b, &r[0], &fresh);
	ask_put(b, &r[1], &again);
	ask_attempt(b, &r[2], d, 1, DELIVERY_DELIVERED);
	r[2].u.attempt.in.next.reason = ch_strdup("answered 200");
	r[2].u.attempt.in.attempt.detail = ch_strdup("fine");
	ask_webhook(b, &r[3], 4, true);
	ask_update(b, &r[4], 2, false, 1);
	ask_delete(b, &r[5], 3);
	ask_sweep(b, &r[6], 3, 2);
	store_request_init(&r[7], STORE_ACCOUNT_CREATE, NULL, NULL);
	strcpy(r[7].u.account_create.in.account.id, "new");
	ask_resend(b, &r[8], &d->id);
}

static void assert_untouched(const struct store_request *r, int code)
{
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(r[i].result, code);
		assert_string_not_equal(r[i].err.text, "");
	}
	assert_null(r[0].u.call_put.out.body);
	assert_null(r[0].u.call_put.out.deliveries);
	assert_int_equal(r[4].u.webhook_update.in.webhook.revision, 1);
	assert_int_equal(r[6].u.webhook_sweep.out.moved, 0);
	assert_null(r[8].u.resend.out.news);
}

static size_t count_accounts(const struct bed *b)
{
	struct store_request r;
	size_t count;

	store_request_init(&r, STORE_ACCOUNT_LIST, NULL, NULL);
	assert_int_equal(serve(b, &r), 0);
	count = r.u.account_list.out.count;
	store_request_fini(&r);
	return count;
}

static void assert_same(const struct bed *b, const char *before)
{
	char *now = dump(b, DUMP_CALLS, DUMP_WEBHOOKS);

	assert_string_equal(now, before);
	ch_free(now);
}

static void assert_done(const struct bed *b, struct store_request *r)
{
	for (int i = 0; i < MANY; i++)
		assert_int_equal(r[i].result, 0);
	assert_int_equal(r[0].u.call_put.out.delivery_count, 3);
	assert_int_equal(r[1].u.call_put.out.delivery_count, 3);
	assert_int_equal(r[6].u.webhook_sweep.out.moved, 2);
	assert_int_equal(r[8].u.resend.out.news->round, 1);
	assert_ledger(b, ACCOUNT, 14, 0, 0, 0, 2);
	assert_int_equal(count_accounts(b), 1);
}

static void a_write_that_fails_leaves_nothing(void **state)
{
	struct bed *b = *state;
	struct store_request r[MANY];
	struct delivery d;
	char *before;

	d = prepare(b);
	before = dump(b, DUMP_CALLS, DUMP_WEBHOOKS);
	store_fault_fail_write(b->store, 2, CH_EFULL);
	ask_everything(b, r, &d);
	assert_int_equal(serve(b, &r[7]), 0);
	assert_int_equal(write_all(b, r, MANY), CH_EFULL);
	assert_untouched(r, CH_EFULL);
	assert_same(b, before);
	fini_all(r, MANY);
	ask_everything(b, r, &d);
	strcpy(r[7].u.account_create.in.account.id, "newer");
	assert_int_equal(write_all(b, r, MANY), 0);
	assert_int_equal(r[7].result, 0);
	fini_all(r, MANY);
	ch_free(before);
	delivery_fini(&d);
}

static void a_read_that_fails_says_so(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	store_fault_fail_read(b->store, 2, CH_EIO);
	assert_int_equal(count_accounts(b), 0);
	store_request_init(&r, STORE_ACCOUNT_LIST, NULL, NULL);
	assert_int_equal(serve_drop(b, &r), CH_EIO);
	assert_int_equal(count_accounts(b), 0);
	store_fault_fail_read(b->store, 1, CH_EIO);
	store_fault_fail_read(b->store, 0, 0);
	assert_int_equal(count_accounts(b), 0);
}

static void an_allocation_that_fails_leaves_nothing(void **state)
{
	struct bed *b = *state;
	struct delivery d = prepare(b);
	char *before = dump(b, DUMP_CALLS, DUMP_WEBHOOKS);
	struct nth_alloc nth = {.fail_at = 1};

	for (bool has_failed = true; has_failed; nth.fail_at++) {
		struct store_request r[MANY];
		int rc;

		ask_everything(b, r, &d);
		nth_alloc_begin(&nth);
		rc = write_all(b, r, MANY);
		has_failed = nth_alloc_end(&nth);
		/* A store may do without some memory, but then it must be done. */
		if (rc != 0) {
			assert_true(has_failed);
			assert_int_equal(rc, CH_ENOMEM);
			assert_untouched(r, CH_ENOMEM);
			assert_same(b, before);
			assert_int_equal(count_accounts(b), 0);
		} else {
			assert_done(b, r);
			has_failed = false;
		}
		fini_all(r, MANY);
	}
	assert_true(nth.fail_at > 10);
	ch_free(before);
	delivery_fini(&d);
}

static void ask_read(
		const struct bed *b, struct store_request *r, enum store_kind kind, const struct delivery *d)
{
	store_request_init(r, kind, NULL, NULL);
	switch (kind) {
	case STORE_CALL_GET:
		r->u.call_get.in.account = ACCOUNT;
		r->u.call_get.in.id = d->call_id;
		break;
	case STORE_WEBHOOK_GET:
		r->u.webhook_get.in.account = ACCOUNT;
		r->u.webhook_get.in.id = d->webhook_id;
		break;
	case STORE_WEBHOOK_LIST:
		r->u.webhook_list.in.account = ACCOUNT;
		break;
	case STORE_DELIVERY_GET:
		r->u.delivery_get.in.account = ACCOUNT;
		r->u.delivery_get.in.id = d->id;
		r->u.delivery_get.in.attempt_limit = 10;
		break;
	case STORE_REPLAY_GET:
		r->u.replay_get.in.account = ACCOUNT;
		r->u.replay_get.in.id = id_of('r', 1);
		break;
	case STORE_REPLAY_LIST:
		r->u.replay_list.in.account = ACCOUNT;
		break;
	case STORE_CALL_FEED:
		r->u.call_feed.in.account = ACCOUNT;
		r->u.call_feed.in.after = -1;
		r->u.call_feed.in.limit = 10;
		break;
	case STORE_ATTEMPT_FEED:
		r->u.attempt_feed.in.account = ACCOUNT;
		r->u.attempt_feed.in.limit = 10;
		break;
	case STORE_DELIVERY_LIST:
		ask_list(r, 10);
		break;
	case STORE_CLAIM:
		ask_claim(b, r, 2, 10);
		break;
	case STORE_HISTORY:
		ask_history(b, r, 2, 60, 10);
		break;
	case STORE_BACKLOG:
		r->u.backlog.in.account = ACCOUNT;
		r->u.backlog.in.webhook_id = d->webhook_id;
		r->u.backlog.in.limit = 10;
		break;
	default:
		break;
	}
}

static void a_read_without_memory_says_so(void **state)
{
	struct bed *b = *state;
	struct delivery d = prepare(b);
	struct store_request r;

	ask_attempt(b, &r, &d, 1, DELIVERY_PENDING);
	r.u.attempt.in.attempt.detail = ch_strdup("refused");
	assert_int_equal(serve_drop(b, &r), 0);
	store_request_init(&r, STORE_REPLAY_CREATE, NULL, NULL);
	r.u.replay_create.in.account = ACCOUNT;
	r.u.replay_create.in.replay = (struct replay){.id = id_of('r', 1), .webhook_id = d.webhook_id};
	assert_int_equal(serve_drop(b, &r), 0);
	for (int kind = STORE_CALL_GET; kind < STORE_KIND_COUNT; kind++) {
		struct nth_alloc nth = {.fail_at = 1};
		bool has_failed = true;

		for (; has_failed; nth.fail_at++) {
			ask_read(b, &r, (enum store_kind)kind, &d);
			nth_alloc_begin(&nth);
			b->store->ops->read(b->reader, &r);
			has_failed = nth_alloc_end(&nth);
			if (r.result != 0) {
				assert_true(has_failed);
				assert_int_equal(r.result, CH_ENOMEM);
			} else {
				has_failed = false;
			}
			store_request_fini(&r);
		}
	}
	delivery_fini(&d);
}

/* A reader on a thread of its own, which looks on while writes go by. */
struct onlooker {
	const struct bed *bed;
	struct store_reader *reader;
	pthread_barrier_t begin;
	atomic_bool is_over;
	int torn; /* ledgers that did not add up or went back */
	int64_t last_accepted;
};

static void *look_on(void *arg)
{
	struct onlooker *o = arg;
	bool is_last = false;

	pthread_barrier_wait(&o->begin);
	while (!is_last) {
		struct store_request r;
		struct ledger l;

		is_last = atomic_load(&o->is_over);
		store_request_init(&r, STORE_LEDGER, NULL, NULL);
		r.u.ledger.in.account = ACCOUNT;
		o->bed->store->ops->read(o->reader, &r);
		l = r.u.ledger.out.ledger;
		if (r.result != 0 || l.accepted != l.pending + l.delivered || l.accepted < o->last_accepted ||
				l.accepted % 2 != 0)
			o->torn++;
		o->last_accepted = l.accepted;
		store_request_fini(&r);
	}
	return NULL;
}

static void write_pairs(struct bed *b, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct call_spec one = {.call = 2 * i, .status = CALL_COMPLETED};
		struct call_spec two = {.call = 2 * i + 1, .status = CALL_COMPLETED};
		struct store_request r[2], a;

		ask_put(b, &r[0], &one);
		ask_put(b, &r[1], &two);
		assert_int_equal(write_all(b, r, 2), 0);
		ask_attempt(b, &a, &r[0].u.call_put.out.deliveries[0], i, DELIVERY_DELIVERED);
		assert_int_equal(serve_drop(b, &a), 0);
		fini_all(r, 2);
	}
}

static void readers_see_whole_transactions(void **state)
{
	struct bed *b = *state;
	struct onlooker o = {.bed = b};
	pthread_t thread;

	make_webhook(b, 1, true);
	assert_int_equal(b->store->ops->reader_open(b->store, &o.reader, NULL), 0);
	assert_int_equal(pthread_barrier_init(&o.begin, NULL, 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, look_on, &o), 0);
	pthread_barrier_wait(&o.begin);
	write_pairs(b, 40);
	atomic_store(&o.is_over, true);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&o.begin);
	b->store->ops->reader_close(o.reader);
	assert_int_equal(o.torn, 0);
	assert_int_equal(o.last_accepted, 80);
}

static void all_of_it_survives_a_restart(void **state)
{
	struct bed *b = *state;
	struct store_request r[MANY];
	struct delivery d;
	char *before;

	d = prepare(b);
	ask_everything(b, r, &d);
	assert_int_equal(write_all(b, r, MANY), 0);
	fini_all(r, MANY);
	before = dump(b, DUMP_CALLS, DUMP_WEBHOOKS);
	bed_restart(b);
	assert_same(b, before);
	ch_free(before);
	delivery_fini(&d);
}

static void housekeeping_changes_nothing(void **state)
{
	struct bed *b = *state;
	struct delivery d = prepare(b);
	char *before = dump(b, DUMP_CALLS, DUMP_WEBHOOKS);

	if (b->store->ops->maintain != NULL)
		b->store->ops->maintain(b->store);
	assert_same(b, before);
	ch_free(before);
	delivery_fini(&d);
}

static int faults(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					a_write_that_fails_leaves_nothing, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(a_read_that_fails_says_so, bed_setup, bed_teardown),
	};

	return flavour_has_faults(contract_flavour)
			       ? cmocka_run_group_tests_name("batches, faults", tests, NULL, NULL)
			       : 0;
}

static int restarts(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					all_of_it_survives_a_restart, bed_setup, bed_teardown),
	};

	return flavour_is_durable(contract_flavour)
			       ? cmocka_run_group_tests_name("batches, restart", tests, NULL, NULL)
			       : 0;
}

int contract_batches(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					each_request_sees_those_before_it, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					one_that_fails_leaves_the_others_alone, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					an_allocation_that_fails_leaves_nothing, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_read_without_memory_says_so, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					readers_see_whole_transactions, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					housekeeping_changes_nothing, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("batches", tests, NULL, NULL) + faults() + restarts();
}
