#include "contract.h"

static void webhooks_are_listed_oldest_first(void **state)
{
	struct bed *b = *state;
	static const unsigned made[] = {7, 2, 5, 3};
	struct store_request r;

	for (int i = 0; i < 4; i++) {
		make_webhook(b, made[i], true);
		ch_clock_virtual_advance(&b->clock, 1);
	}
	make_webhook_of(b, OTHER_ACCOUNT, 20);
	ask_delete(b, &r, 5);
	assert_int_equal(serve_drop(b, &r), 0);
	store_request_init(&r, STORE_WEBHOOK_LIST, NULL, NULL);
	r.u.webhook_list.in.account = ACCOUNT;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.webhook_list.out.count, 3);
	for (int i = 0, k = 0; i < 4; i++) {
		struct id id = id_of('w', made[i]);

		if (made[i] != 5)
			assert_id_equal(&r.u.webhook_list.out.rows[k++].webhook.id, &id);
	}
	store_request_fini(&r);
	store_request_init(&r, STORE_WEBHOOK_LIST, NULL, NULL);
	r.u.webhook_list.in.account = 77;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.webhook_list.out.count, 0);
	store_request_fini(&r);
}

/* Webhook n gets calls 0 to 9; of these 0 to 2 are delivered and 3 failed by now. */
static void make_some(struct bed *b)
{
	struct store_request r;

	make_webhook(b, 1, true);
	for (unsigned i = 0; i < 10; i++) {
		struct delivery d = make_delivery(b, i);

		if (i <= 3) {
			ask_attempt(b, &r, &d, i, i <= 2 ? DELIVERY_DELIVERED : DELIVERY_FAILED);
			assert_int_equal(serve_drop(b, &r), 0);
		}
		delivery_fini(&d);
		ch_clock_virtual_advance(&b->clock, 10);
	}
}

struct list_case {
	const char *what;
	uint8_t states;
	unsigned webhook; /* 0: any */
	int call; /* -1: any */
	int64_t from_ms, to_ms;
	size_t limit;
	size_t count;
	bool more;
};

static const struct list_case list_cases[] = {
		{"all", 0, 0, -1, INT64_MIN, INT64_MAX, 100, 10, false},
		{"just enough", 0, 0, -1, INT64_MIN, INT64_MAX, 10, 10, false},
		{"a page", 0, 0, -1, INT64_MIN, INT64_MAX, 9, 9, true},
		{"delivered", 1u << DELIVERY_DELIVERED, 0, -1, INT64_MIN, INT64_MAX, 100, 3, false},
		{"two states", (1u << DELIVERY_DELIVERED) | (1u << DELIVERY_FAILED), 0, -1, INT64_MIN,
				INT64_MAX, 100, 4, false},
		{"a page of a state", 1u << DELIVERY_PENDING, 0, -1, INT64_MIN, INT64_MAX, 5, 5, true},
		{"no parked", 1u << DELIVERY_PARKED, 0, -1, INT64_MIN, INT64_MAX, 100, 0, false},
		{"webhook", 0, 1, -1, INT64_MIN, INT64_MAX, 100, 10, false},
		{"another webhook", 0, 2, -1, INT64_MIN, INT64_MAX, 100, 0, false},
		{"call", 0, 0, 4, INT64_MIN, INT64_MAX, 100, 1, false},
		{"call and webhook", 0, 1, 4, INT64_MIN, INT64_MAX, 100, 1, false},
		{"call and state", 1u << DELIVERY_DELIVERED, 0, 4, INT64_MIN, INT64_MAX, 100, 0, false},
		{"from, inclusive", 0, 0, -1, NOW_MS + 20, INT64_MAX, 100, 8, false},
		{"to, inclusive", 0, 0, -1, INT64_MIN, NOW_MS + 20, 100, 3, false},
		{"both", 0, 0, -1, NOW_MS + 20, NOW_MS + 20, 100, 1, false},
		{"between", 0, 0, -1, NOW_MS + 21, NOW_MS + 29, 100, 0, false},
		{"webhook and dates", 0, 1, -1, NOW_MS + 20, NOW_MS + 55, 2, 2, true},
		{"webhook, state and dates", 1u << DELIVERY_PENDING, 1, -1, NOW_MS + 20, NOW_MS + 55, 100, 2,
				false},
};

static void deliveries_are_filtered(void **state)
{
	struct bed *b = *state;

	make_some(b);
	for (size_t i = 0; i < sizeof(list_cases) / sizeof(list_cases[0]); i++) {
		const struct list_case *c = &list_cases[i];
		struct store_request r;

		ask_list(&r, c->limit);
		r.u.delivery_list.in.states = c->states;
		r.u.delivery_list.in.has_webhook = c->webhook != 0;
		r.u.delivery_list.in.webhook_id = id_of('w', c->webhook);
		r.u.delivery_list.in.has_call = c->call >= 0;
		r.u.delivery_list.in.call_id = id_of('c', (unsigned)c->call);
		r.u.delivery_list.in.from_ms = c->from_ms;
		r.u.delivery_list.in.to_ms = c->to_ms;
		assert_int_equal(serve(b, &r), 0);
		if (r.u.delivery_list.out.count != c->count || r.u.delivery_list.out.more != c->more)
			fail_msg("%s: %zu rows, more %d", c->what, r.u.delivery_list.out.count,
					r.u.delivery_list.out.more);
		for (size_t k = 1; k < c->count; k++)
			assert_true(id_compare(&r.u.delivery_list.out.rows[k - 1].id,
						    &r.u.delivery_list.out.rows[k].id) > 0);
		store_request_fini(&r);
	}
}

static void a_cursor_goes_through_all(void **state)
{
	struct bed *b = *state;
	bool more = true, seen[10] = {false};
	struct id before = {{0}};
	size_t count = 0, pages = 0;

	make_some(b);
	while (more) {
		struct store_request r;

		ask_list(&r, 3);
		r.u.delivery_list.in.has_before = pages > 0;
		r.u.delivery_list.in.before = before;
		assert_int_equal(serve(b, &r), 0);
		for (size_t i = 0; i < r.u.delivery_list.out.count; i++) {
			unsigned call = r.u.delivery_list.out.rows[i].call_id.b[15];

			assert_null(r.u.delivery_list.out.rows[i].body);
			assert_true(call == 9 - count);
			assert_false(seen[call]);
			seen[call] = true;
			before = r.u.delivery_list.out.rows[i].id;
			count++;
		}
		more = r.u.delivery_list.out.more;
		pages++;
		store_request_fini(&r);
	}
	assert_int_equal(count, 10);
	assert_int_equal(pages, 4);
}

#define SPARSE_CALLS 80
#define SPARSE_MOST 40

/* Two webhooks, of which few deliveries succeeded; five calls share each millisecond. */
static void make_sparse(struct bed *b)
{
	make_webhook(b, 1, true);
	make_webhook(b, 2, true);
	for (unsigned i = 0; i < SPARSE_CALLS; i++) {
		struct call_spec spec = {.call = i, .status = CALL_COMPLETED};
		struct store_request r, a;

		ask_put(b, &r, &spec);
		assert_int_equal(serve(b, &r), 0);
		assert_int_equal(r.u.call_put.out.delivery_count, 2);
		for (unsigned k = 0; k < 2; k++) {
			bool is_good = i % (k == 0 ? 29 : 7) == 0;

			ask_attempt(b, &a, &r.u.call_put.out.deliveries[k], 2 * i + k,
					is_good ? DELIVERY_DELIVERED : DELIVERY_FAILED);
			assert_int_equal(serve_drop(b, &a), 0);
		}
		store_request_fini(&r);
		if (i % 5 == 4)
			ch_clock_virtual_advance(&b->clock, 1);
	}
}

/* Follows `rest` to the end; returns how many pages there were. */
static size_t walk_pages(const struct bed *b, size_t limit, size_t look_max, struct id ids[SPARSE_MOST],
		size_t *ret_count)
{
	struct id before = {{0}};
	size_t pages = 0, count = 0;
	bool more = true;

	while (more) {
		struct store_request r;

		ask_list(&r, limit);
		r.u.delivery_list.in.states = 1u << DELIVERY_DELIVERED;
		r.u.delivery_list.in.look_max = look_max;
		r.u.delivery_list.in.has_before = pages > 0;
		r.u.delivery_list.in.before = before;
		assert_int_equal(serve(b, &r), 0);
		for (size_t i = 0; i < r.u.delivery_list.out.count; i++) {
			assert_true(count < SPARSE_MOST);
			ids[count++] = r.u.delivery_list.out.rows[i].id;
		}
		more = r.u.delivery_list.out.more;
		if (more && pages > 0)
			assert_true(id_compare(&r.u.delivery_list.out.rest, &before) < 0);
		before = r.u.delivery_list.out.rest;
		pages++;
		store_request_fini(&r);
	}
	*ret_count = count;
	return pages;
}

static void a_page_ends_early_rather_than_look_for_ever(void **state)
{
	struct bed *b = *state;
	struct id all[SPARSE_MOST], some[SPARSE_MOST];
	size_t all_count = 0, count = 0;

	make_sparse(b);
	assert_int_equal(walk_pages(b, 100, 0, all, &all_count), 1);
	assert_int_equal(all_count, 3 + 12);
	for (size_t limit = 1; limit <= 8; limit++) {
		for (size_t look_max = 1; look_max <= 64; look_max *= 2) {
			size_t pages = walk_pages(b, limit, look_max, some, &count);

			assert_int_equal(count, all_count);
			assert_memory_equal(some, all, count * sizeof(all[0]));
			assert_true(pages > 1 && pages <= 2 * SPARSE_CALLS + 1);
		}
	}
	assert_true(walk_pages(b, 100, 40, some, &count) > 2);
}

static void others_see_nothing(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	ask_list(&r, 10);
	r.u.delivery_list.in.account = OTHER_ACCOUNT;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.delivery_list.out.count, 0);
	store_request_fini(&r);
	store_request_init(&r, STORE_DELIVERY_GET, NULL, NULL);
	r.u.delivery_get.in.account = OTHER_ACCOUNT;
	r.u.delivery_get.in.id = d.id;
	r.u.delivery_get.in.attempt_limit = 1;
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	store_request_init(&r, STORE_WEBHOOK_GET, NULL, NULL);
	r.u.webhook_get.in.account = OTHER_ACCOUNT;
	r.u.webhook_get.in.id = id_of('w', 1);
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	assert_ledger(b, OTHER_ACCOUNT, 0, 0, 0, 0, 0);
	assert_ledger(b, 0, 1, 0, 0, 0, 0);
	delivery_fini(&d);
}

static int64_t lane_due(const struct store_request *r, unsigned webhook)
{
	struct id id = id_of('w', webhook);

	for (size_t i = 0; i < r->u.lanes.out.count; i++) {
		if (id_equal(&r->u.lanes.out.rows[i].webhook.id, &id))
			return r->u.lanes.out.rows[i].next_due_ms;
	}
	return -2;
}

static void lanes_say_what_waits(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	ask_attempt(b, &r, &d, 1, DELIVERY_PENDING);
	assert_int_equal(serve_drop(b, &r), 0);
	make_webhook(b, 2, false);
	make_webhook_of(b, OTHER_ACCOUNT, 3);
	make_webhook(b, 4, true);
	ask_delete(b, &r, 4);
	assert_int_equal(serve_drop(b, &r), 0);
	store_request_init(&r, STORE_LANES, NULL, NULL);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.lanes.out.count, 3);
	assert_int_equal(lane_due(&r, 1), NOW_MS + 5000);
	assert_int_equal(lane_due(&r, 2), -1);
	assert_int_equal(lane_due(&r, 3), -1);
	assert_int_equal(lane_due(&r, 4), -2);
	store_request_fini(&r);
	delivery_fini(&d);
}

static int make_account(const struct bed *b, const char *id, uint8_t key, int64_t *ret_number)
{
	struct store_request r;
	int rc;

	store_request_init(&r, STORE_ACCOUNT_CREATE, NULL, NULL);
	strcpy(r.u.account_create.in.account.id, id);
	memset(r.u.account_create.in.account.key_sha256, key,
			sizeof(r.u.account_create.in.account.key_sha256));
	r.u.account_create.in.account.key_sha256[1][0] ^= 1;
	r.u.account_create.in.account.created_ms = b->clock.wall.ms;
	rc = serve(b, &r);
	if (rc == 0)
		*ret_number = r.u.account_create.out.number;
	store_request_fini(&r);
	return rc;
}

static void accounts_are_kept(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	int64_t first = 0, second = 0, none = 0;

	store_request_init(&r, STORE_ACCOUNT_LIST, NULL, NULL);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.account_list.out.count, 0);
	store_request_fini(&r);
	assert_int_equal(make_account(b, "zebra", 3, &first), 0);
	assert_int_equal(make_account(b, "ant", 5, &second), 0);
	assert_int_equal(make_account(b, "zebra", 9, &none), CH_EEXIST);
	assert_int_equal(make_account(b, "Zebra", 9, &none), 0);
	assert_true(first >= 1 && second > first && none > second);
	store_request_init(&r, STORE_ACCOUNT_LIST, NULL, NULL);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.account_list.out.count, 3);
	assert_string_equal(r.u.account_list.out.accounts[0].id, "zebra");
	assert_int_equal(r.u.account_list.out.accounts[0].number, first);
	assert_int_equal(r.u.account_list.out.accounts[0].created_ms, NOW_MS);
	assert_int_equal(r.u.account_list.out.accounts[0].key_sha256[0][0], 3);
	assert_int_equal(r.u.account_list.out.accounts[0].key_sha256[1][0], 2);
	assert_string_equal(r.u.account_list.out.accounts[1].id, "ant");
	store_request_fini(&r);
}

static void what_is_not_there_is_not_found(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	store_request_init(&r, STORE_CALL_GET, NULL, NULL);
	r.u.call_get.in.account = ACCOUNT;
	r.u.call_get.in.id = id_of('c', 1);
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	store_request_init(&r, STORE_DELIVERY_GET, NULL, NULL);
	r.u.delivery_get.in.account = ACCOUNT;
	r.u.delivery_get.in.id = id_of('d', 1);
	r.u.delivery_get.in.attempt_limit = 1;
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	store_request_init(&r, STORE_LANES, NULL, NULL);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.lanes.out.count, 0);
	store_request_fini(&r);
}

int contract_lists(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					webhooks_are_listed_oldest_first, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(deliveries_are_filtered, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(a_cursor_goes_through_all, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_page_ends_early_rather_than_look_for_ever, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(others_see_nothing, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(lanes_say_what_waits, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(accounts_are_kept, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					what_is_not_there_is_not_found, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("lists", tests, NULL, NULL);
}
