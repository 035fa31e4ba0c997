#include <stdio.h>

#include "contract.h"

/* What a list must hold is worked out here from all that was put, call by call. */

#define CALLS 60
#define AGENTS 3
#define PHONES 4 /* 0 is none */
#define DAY_S 86400
#define FIRST_DAY_S INT64_C(1722297600) /* 2024-07-30T00:00:00Z */
#define DAYS 4

struct known {
	struct call_spec spec;
	int64_t created_s;
	unsigned order; /* of its latest version; 0: there is none */
	bool is_erased;
};

struct world {
	struct bed *b;
	struct ch_rand_seeded seeded;
	struct ch_rand rand;
	struct known calls[CALLS];
	unsigned order;
};

static unsigned below(struct world *w, unsigned n)
{
	return (unsigned)ch_rand_below(&w->rand, n);
}

static void world_init(struct world *w, struct bed *b, unsigned seed)
{
	memset(w, 0, sizeof(*w));
	w->b = b;
	ch_rand_seeded_init(&w->seeded, seed);
	w->rand = ch_rand_seeded_of(&w->seeded);
}

/* Few different moments, so that many calls share one, and the first and last second of a day among them. */
static int64_t some_moment(struct world *w)
{
	static const int64_t offsets[] = {0, 1, 40000, DAY_S - 1};

	return FIRST_DAY_S + below(w, DAYS) * (int64_t)DAY_S + offsets[below(w, 4)];
}

static void put_some(struct world *w)
{
	unsigned n = below(w, CALLS);
	struct known *k = &w->calls[n];
	struct call_spec spec = {
			.account = n % 7 == 0 ? OTHER_ACCOUNT : ACCOUNT,
			.call = n,
			.agent = below(w, AGENTS),
			.status = (enum call_status)below(w, CALL_STATUS_COUNT),
			.type = (enum call_type)below(w, 2),
			.phone = below(w, PHONES),
			.note = below(w, 3),
			.created_s = some_moment(w),
	};
	struct store_request r;

	ask_put(w->b, &r, &spec);
	if (serve(w->b, &r) == 0 && r.u.call_put.out.what != STORE_PUT_UNCHANGED) {
		assert_false(k->is_erased);
		if (r.u.call_put.out.what == STORE_PUT_CREATED)
			k->created_s = spec.created_s;
		k->spec = spec;
		k->order = ++w->order;
	}
	store_request_fini(&r);
}

static int erase(struct world *w, unsigned n)
{
	struct store_request r;

	store_request_init(&r, STORE_CALL_ERASE, NULL, NULL);
	r.u.call_erase.in.account = n % 7 == 0 ? OTHER_ACCOUNT : ACCOUNT;
	r.u.call_erase.in.id = id_of('c', n);
	r.u.call_erase.in.now_ms = w->b->clock.wall.ms;
	return serve_drop(w->b, &r);
}

static void erase_some(struct world *w)
{
	unsigned n = below(w, CALLS);

	if (erase(w, n) == 0)
		w->calls[n].is_erased = true;
}

/* ---- the list as it must be ---- */

static bool belongs(const struct known *k, const struct store_call_list *q)
{
	char phone[17] = "";

	if (k->spec.phone != 0)
		snprintf(phone, sizeof(phone), "+33%u", k->spec.phone);
	struct id agent = id_of('a', k->spec.agent);
	return k->order > 0 && !k->is_erased && k->spec.account == q->in.account &&
	       (!q->in.has_agent || id_equal(&agent, &q->in.agent_id)) &&
	       (!q->in.has_type || k->spec.type == q->in.type) &&
	       (q->in.statuses == 0 || (q->in.statuses & 1u << k->spec.status) != 0) &&
	       (q->in.phone[0] == '\0' || strcmp(phone, q->in.phone) == 0) && k->created_s >= q->in.from_s &&
	       k->created_s <= q->in.to_s;
}

static int compare(const void *a, const void *b)
{
	const struct known *x = *(const struct known *const *)a, *y = *(const struct known *const *)b;

	if (x->created_s != y->created_s)
		return x->created_s < y->created_s ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static size_t expected(const struct world *w, const struct store_call_list *q, const struct known **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < CALLS; i++) {
		if (belongs(&w->calls[i], q))
			ret[n++] = &w->calls[i];
	}
	qsort(ret, n, sizeof(*ret), compare);
	for (size_t i = 0; !q->in.is_ascending && i < n / 2; i++) {
		const struct known *swap = ret[i];

		ret[i] = ret[n - 1 - i];
		ret[n - 1 - i] = swap;
	}
	return n;
}

/* The body that GET gives. */
static void assert_same_as_get(const struct world *w, const struct known *k, const struct ch_bytes *body)
{
	struct store_request r;

	store_request_init(&r, STORE_CALL_GET, NULL, NULL);
	r.u.call_get.in.account = k->spec.account;
	r.u.call_get.in.id = id_of('c', k->spec.call);
	assert_int_equal(serve(w->b, &r), 0);
	assert_int_equal(body->len, r.u.call_get.out.body->len);
	assert_memory_equal(body->data, r.u.call_get.out.body->data, body->len);
	store_request_fini(&r);
}

static void check(const struct world *w, struct store_request *r)
{
	const struct known *wanted[CALLS];
	struct store_call_list *q = &r->u.call_list;
	size_t total, count;

	total = expected(w, q, wanted);
	count = q->in.skip >= (int64_t)total ? 0 : total - (size_t)q->in.skip;
	count = count > q->in.limit ? q->in.limit : count;
	assert_int_equal(serve(w->b, r), 0);
	assert_int_equal(q->out.total, total);
	assert_int_equal(q->out.count, count);
	for (size_t i = 0; i < count; i++)
		assert_same_as_get(w, wanted[(size_t)q->in.skip + i], q->out.bodies[i]);
	store_request_fini(r);
}

static void ask(struct store_request *r, size_t limit)
{
	store_request_init(r, STORE_CALL_LIST, NULL, NULL);
	r->u.call_list.in.account = ACCOUNT;
	r->u.call_list.in.from_s = INT64_MIN;
	r->u.call_list.in.to_s = INT64_MAX;
	r->u.call_list.in.limit = limit;
	r->u.call_list.in.max_bytes = SIZE_MAX;
}

static void ask_some(struct world *w, struct store_request *r)
{
	struct store_call_list *q = &r->u.call_list;

	ask(r, 1 + below(w, 12));
	if (below(w, 8) == 0)
		q->in.account = OTHER_ACCOUNT;
	q->in.has_agent = below(w, 3) == 0;
	q->in.agent_id = id_of('a', below(w, AGENTS + 1));
	q->in.has_type = below(w, 3) == 0;
	q->in.type = (enum call_type)below(w, 2);
	q->in.statuses = (call_status_set)(below(w, 3) == 0   ? 1u << below(w, CALL_STATUS_COUNT)
					   : below(w, 4) == 0 ? below(w, 1u << CALL_STATUS_COUNT)
							      : 0);
	if (below(w, 3) == 0)
		snprintf(q->in.phone, sizeof(q->in.phone), "+33%u", 1 + below(w, PHONES));
	if (below(w, 2) == 0) {
		q->in.from_s = FIRST_DAY_S + ((int64_t)below(w, DAYS + 2) - 1) * DAY_S;
		q->in.to_s = q->in.from_s + (1 + below(w, 2)) * (int64_t)DAY_S - 1;
	}
	q->in.is_ascending = below(w, 2) == 0;
	q->in.skip = below(w, 3) == 0 ? below(w, CALLS) : 0;
}

static void lists_hold_what_was_put(void **state)
{
	struct store_request r;
	struct world w;

	world_init(&w, *state, 3);
	for (unsigned step = 0; step < 600; step++) {
		if (below(&w, 12) == 0)
			erase_some(&w);
		else
			put_some(&w);
		ask_some(&w, &r);
		check(&w, &r);
		if (step == 300 && flavour_is_durable(w.b->flavour))
			bed_restart(w.b);
	}
	for (unsigned i = 0; i < 400; i++) {
		ask_some(&w, &r);
		check(&w, &r);
	}
}

static void pages_meet_without_a_gap(void **state)
{
	struct store_request r;
	struct world w;

	world_init(&w, *state, 4);
	for (unsigned i = 0; i < 150; i++)
		put_some(&w);
	for (int64_t skip = 0; skip < CALLS + 5; skip += 5) {
		for (int up = 0; up < 2; up++) {
			ask(&r, 5);
			r.u.call_list.in.skip = skip;
			r.u.call_list.in.is_ascending = up;
			check(&w, &r);
		}
	}
}

static void a_store_without_calls_lists_none(void **state)
{
	struct store_request r;
	struct world w;

	world_init(&w, *state, 5);
	ask(&r, 100);
	check(&w, &r);
	ask(&r, 100);
	strcpy(r.u.call_list.in.phone, "+331");
	r.u.call_list.in.has_agent = true;
	check(&w, &r);
}

static void a_page_that_is_too_large_is_refused(void **state)
{
	struct bed *b = *state;
	struct call_spec spec = {.status = CALL_COMPLETED, .padding = 4000};
	struct store_request r;

	for (spec.call = 0; spec.call < 4; spec.call++) {
		ask_put(b, &r, &spec);
		assert_int_equal(serve_drop(b, &r), 0);
	}
	ask(&r, 4);
	r.u.call_list.in.max_bytes = 14000;
	assert_int_equal(serve(b, &r), CH_ELIMIT);
	assert_int_equal(r.u.call_list.out.count, 0);
	assert_null(r.u.call_list.out.bodies);
	store_request_fini(&r);
	ask(&r, 3);
	r.u.call_list.in.max_bytes = 14000;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_list.out.count, 3);
	assert_int_equal(r.u.call_list.out.total, 4);
	store_request_fini(&r);
}

/* Two versions of a call, and another call, in one transaction. */
static void a_batch_lists_the_last_of_its_versions(void **state)
{
	struct bed *b = *state;
	struct call_spec specs[] = {{.call = 1, .status = CALL_IN_PROGRESS, .phone = 1},
			{.call = 2, .status = CALL_FAILED},
			{.call = 1, .status = CALL_COMPLETED, .phone = 2, .agent = 2}};
	struct store_request rows[3], *list[3], r;

	for (int i = 0; i < 3; i++) {
		ask_put(b, &rows[i], &specs[i]);
		list[i] = &rows[i];
	}
	assert_int_equal(b->store->ops->write(b->store, list, 3, NULL), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rows[i].result, 0);
		store_request_fini(&rows[i]);
	}
	ask(&r, 10);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_list.out.total, 2);
	assert_non_null(strstr(r.u.call_list.out.bodies[0]->data, "COMPLETED"));
	assert_non_null(strstr(r.u.call_list.out.bodies[1]->data, "FAILED"));
	store_request_fini(&r);
	ask(&r, 10);
	strcpy(r.u.call_list.in.phone, "+331");
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_list.out.total, 0);
	store_request_fini(&r);
}

static void a_batch_that_fails_lists_nothing(void **state)
{
	struct bed *b = *state;
	struct call_spec spec = {.call = 1, .status = CALL_COMPLETED};
	struct store_request r, *one = &r;

	if (!flavour_has_faults(b->flavour))
		return;
	ask_put(b, &r, &spec);
	store_fault_fail_write(b->store, 1, CH_EFULL);
	assert_int_equal(b->store->ops->write(b->store, &one, 1, NULL), CH_EFULL);
	store_request_fini(&r);
	ask(&r, 10);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_list.out.total, 0);
	store_request_fini(&r);
}

int contract_call_lists(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(lists_hold_what_was_put, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(pages_meet_without_a_gap, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_store_without_calls_lists_none, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_page_that_is_too_large_is_refused, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_batch_lists_the_last_of_its_versions, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_batch_that_fails_lists_nothing, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("lists of calls", tests, NULL, NULL);
}
