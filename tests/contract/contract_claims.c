#include "contract.h"

#define ROWS 8

/* ROWS deliveries of webhook 1, due one ms after another in the order of ret, which is not that of the ids.
 */
static void make_rows(struct bed *b, struct id ret[ROWS])
{
	struct store_request r;

	make_webhook(b, 1, true);
	for (unsigned i = 0; i < ROWS; i++) {
		struct delivery d = make_delivery(b, i);
		unsigned place = (i * 3) % ROWS;

		ask_attempt(b, &r, &d, i, DELIVERY_PENDING);
		r.u.attempt.in.next.due_ms = NOW_MS + 10 + place;
		assert_int_equal(serve_drop(b, &r), 0);
		ret[place] = d.id;
		delivery_fini(&d);
	}
	b->clock.wall.ms = NOW_MS + 10 + ROWS;
}

static void assert_rows(const struct store_request *r, const struct id *want, size_t count)
{
	assert_int_equal(r->u.claim.out.count, count);
	for (size_t i = 0; i < count; i++) {
		assert_id_equal(&r->u.claim.out.rows[i].id, &want[i]);
		assert_non_null(r->u.claim.out.rows[i].body);
		assert_int_equal(r->u.claim.out.rows[i].state, DELIVERY_PENDING);
	}
}

static void the_least_due_comes_first(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct id rows[ROWS];

	make_rows(b, rows);
	ask_claim(b, &r, 1, ROWS);
	assert_int_equal(serve(b, &r), 0);
	assert_rows(&r, rows, ROWS);
	assert_false(r.u.claim.out.more);
	assert_int_equal(r.u.claim.out.next_due_ms, -1);
	store_request_fini(&r);
}

static int64_t first_due(const struct bed *b, int64_t account)
{
	struct store_request r;

	store_request_init(&r, STORE_LEDGER, NULL, NULL);
	r.u.ledger.in.account = account;
	assert_int_equal(serve(b, &r), 0);
	int64_t due_ms = r.u.ledger.out.first_due_ms;
	store_request_fini(&r);
	return due_ms;
}

static void the_ledger_tells_what_is_due_first(void **state)
{
	struct bed *b = *state;
	struct id rows[ROWS];

	assert_int_equal(first_due(b, 0), -1);
	make_rows(b, rows);
	assert_int_equal(first_due(b, 0), NOW_MS + 10);
	assert_int_equal(first_due(b, ACCOUNT), NOW_MS + 10);
	assert_int_equal(first_due(b, OTHER_ACCOUNT), -1);
}

static void equal_due_times_go_by_id(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	make_webhook(b, 1, true);
	for (unsigned i = 0; i < 20; i++) {
		struct delivery d = make_delivery(b, i);

		delivery_fini(&d);
	}
	ask_claim(b, &r, 1, 20);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.claim.out.count, 20);
	for (int i = 1; i < 20; i++)
		assert_true(id_compare(&r.u.claim.out.rows[i - 1].id, &r.u.claim.out.rows[i].id) < 0);
	store_request_fini(&r);
}

static void a_claim_stops_at_its_limit(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct id rows[ROWS];

	make_rows(b, rows);
	ask_claim(b, &r, 1, 3);
	assert_int_equal(serve(b, &r), 0);
	assert_rows(&r, rows, 3);
	assert_true(r.u.claim.out.more);
	store_request_fini(&r);
}

static void what_is_not_due_is_announced(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct id rows[ROWS];

	make_rows(b, rows);
	b->clock.wall.ms = NOW_MS + 10 + 2;
	ask_claim(b, &r, 1, ROWS);
	assert_int_equal(serve(b, &r), 0);
	assert_rows(&r, rows, 3);
	assert_false(r.u.claim.out.more);
	assert_int_equal(r.u.claim.out.next_due_ms, NOW_MS + 10 + 3);
	store_request_fini(&r);
	ask_claim(b, &r, 1, 3);
	assert_int_equal(serve(b, &r), 0);
	assert_rows(&r, rows, 3);
	assert_false(r.u.claim.out.more);
	store_request_fini(&r);
}

static int compare_ids(const void *a, const void *b)
{
	return id_compare(a, b);
}

static void skip_rows(struct store_request *r, const struct id *rows, const unsigned *which, size_t count)
{
	r->u.claim.in.skip = ch_calloc(count, sizeof(struct id));
	for (size_t i = 0; i < count; i++)
		r->u.claim.in.skip[i] = rows[which[i]];
	r->u.claim.in.skip_count = count;
	qsort(r->u.claim.in.skip, count, sizeof(struct id), compare_ids);
}

static void skipped_rows_are_passed_over(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct id rows[ROWS];

	make_rows(b, rows);
	ask_claim(b, &r, 1, 2);
	skip_rows(&r, rows, (const unsigned[]){0, 1, 3}, 3);
	assert_int_equal(serve(b, &r), 0);
	assert_rows(&r, (const struct id[]){rows[2], rows[4]}, 2);
	assert_true(r.u.claim.out.more);
	store_request_fini(&r);
	/* Those that are left but skipped are not "others that are due". */
	ask_claim(b, &r, 1, 6);
	skip_rows(&r, rows, (const unsigned[]){6, 7}, 2);
	assert_int_equal(serve(b, &r), 0);
	assert_rows(&r, rows, 6);
	assert_false(r.u.claim.out.more);
	store_request_fini(&r);
	b->clock.wall.ms = NOW_MS + 10 + 1;
	ask_claim(b, &r, 1, ROWS);
	skip_rows(&r, rows, (const unsigned[]){0, 2, 3}, 3);
	assert_int_equal(serve(b, &r), 0);
	assert_rows(&r, &rows[1], 1);
	assert_int_equal(r.u.claim.out.next_due_ms, NOW_MS + 10 + 4);
	store_request_fini(&r);
}

static void a_claim_of_all_skipped_is_empty(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct id rows[ROWS];

	make_rows(b, rows);
	ask_claim(b, &r, 1, 3);
	skip_rows(&r, rows, (const unsigned[]){0, 1, 2, 3, 4, 5, 6, 7}, ROWS);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.claim.out.count, 0);
	assert_false(r.u.claim.out.more);
	assert_int_equal(r.u.claim.out.next_due_ms, -1);
	store_request_fini(&r);
}

static void bodies_stay_within_their_bytes(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	make_webhook(b, 1, true);
	for (unsigned i = 0; i < 5; i++) {
		struct call_spec spec = {.call = i, .status = CALL_COMPLETED, .padding = 1000};

		ask_put(b, &r, &spec);
		assert_int_equal(serve_drop(b, &r), 0);
	}
	ask_claim(b, &r, 1, 5);
	r.u.claim.in.max_bytes = 1;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.claim.out.count, 1);
	assert_true(r.u.claim.out.more);
	store_request_fini(&r);
	ask_claim(b, &r, 1, 5);
	r.u.claim.in.max_bytes = 3000;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.claim.out.count, 3);
	assert_true(r.u.claim.out.more);
	store_request_fini(&r);
}

static void a_claim_takes_what_is_pending_of_its_webhook(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d, done;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	done = make_delivery(b, 2);
	ask_attempt(b, &r, &done, 1, DELIVERY_DELIVERED);
	assert_int_equal(serve_drop(b, &r), 0);
	make_webhook(b, 2, true);
	ask_claim(b, &r, 1, 10);
	assert_int_equal(serve(b, &r), 0);
	assert_rows(&r, &d.id, 1);
	store_request_fini(&r);
	for (unsigned webhook = 2; webhook <= 3; webhook++) {
		ask_claim(b, &r, webhook, 10);
		assert_int_equal(serve(b, &r), 0);
		assert_int_equal(r.u.claim.out.count, 0);
		assert_int_equal(r.u.claim.out.next_due_ms, -1);
		store_request_fini(&r);
	}
	delivery_fini(&d);
	delivery_fini(&done);
}

static void claims_survive_a_restart(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct id rows[ROWS];

	make_rows(b, rows);
	bed_restart(b);
	ask_claim(b, &r, 1, ROWS);
	assert_int_equal(serve(b, &r), 0);
	assert_rows(&r, rows, ROWS);
	store_request_fini(&r);
}

static int restarts(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(claims_survive_a_restart, bed_setup, bed_teardown),
	};

	return flavour_is_durable(contract_flavour)
			       ? cmocka_run_group_tests_name("claims, restart", tests, NULL, NULL)
			       : 0;
}

int contract_claims(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(the_least_due_comes_first, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					the_ledger_tells_what_is_due_first, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(equal_due_times_go_by_id, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(a_claim_stops_at_its_limit, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					what_is_not_due_is_announced, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					skipped_rows_are_passed_over, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_claim_of_all_skipped_is_empty, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					bodies_stay_within_their_bytes, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(a_claim_takes_what_is_pending_of_its_webhook,
					bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("claims", tests, NULL, NULL) + restarts();
}
