#include "contract.h"

/* The id that a probe of webhook 1 would take, and its body with it. false: there is none. */
static bool probe(const struct bed *b, const struct id *last, struct id *ret)
{
	struct store_request r;
	bool has_row;

	ask_probe(&r, 1, last);
	assert_int_equal(serve(b, &r), 0);
	has_row = r.u.probe.out.has_row;
	if (has_row) {
		assert_int_equal(r.u.probe.out.row.state, DELIVERY_PENDING);
		assert_non_null(strstr(r.u.probe.out.row.body->data, "COMPLETED"));
		*ret = r.u.probe.out.row.id;
	}
	store_request_fini(&r);
	return has_row;
}

static void assert_probe(const struct bed *b, const struct id *last, const struct id *want)
{
	struct id got;

	assert_true(probe(b, last, &got));
	assert_id_equal(&got, want);
}

static struct delivery tried(const struct bed *b, unsigned call, unsigned attempt)
{
	struct delivery d = make_delivery(b, call);
	struct store_request r;

	ask_attempt(b, &r, &d, attempt, DELIVERY_PENDING);
	assert_int_equal(serve_drop(b, &r), 0);
	return d;
}

static void nothing_pending_gives_none(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d;
	struct id got;

	assert_false(probe(b, NULL, &got));
	make_webhook(b, 1, true);
	assert_false(probe(b, NULL, &got));
	d = make_delivery(b, 1);
	ask_attempt(b, &r, &d, 1, DELIVERY_DELIVERED);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_false(probe(b, NULL, &got));
	assert_false(probe(b, &d.id, &got));
	delivery_fini(&d);
}

static void one_that_was_never_tried_goes_first(void **state)
{
	struct bed *b = *state;
	struct delivery d[4];

	make_webhook(b, 1, true);
	for (unsigned i = 0; i < 2; i++)
		d[i] = tried(b, i, 1 + i);
	/* Due before the two that were tried: made at once due, they after 5 s. */
	for (unsigned i = 2; i < 4; i++)
		d[i] = make_delivery(b, i);
	assert_probe(b, NULL, &d[2].id);
	assert_probe(b, &d[2].id, &d[3].id);
	ch_clock_virtual_advance(&b->clock, 60000);
	assert_probe(b, NULL, &d[2].id);
	for (unsigned i = 0; i < 4; i++)
		delivery_fini(&d[i]);
}

static void then_the_one_tried_longest_ago(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d[3];

	make_webhook(b, 1, true);
	for (unsigned i = 0; i < 3; i++)
		d[i] = tried(b, i, 10 + i);
	assert_probe(b, NULL, &d[0].id);
	assert_probe(b, &d[0].id, &d[1].id);
	assert_probe(b, &d[1].id, &d[0].id);
	ask_attempt(b, &r, &d[0], 20, DELIVERY_PENDING);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_probe(b, NULL, &d[1].id);
	assert_probe(b, &d[1].id, &d[2].id);
	/* A result that came late and stands before the last one is no news. */
	ask_attempt(b, &r, &d[1], 5, DELIVERY_PENDING);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_probe(b, NULL, &d[1].id);
	for (unsigned i = 0; i < 3; i++)
		delivery_fini(&d[i]);
}

static void the_same_only_when_there_is_no_other(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d, other;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	assert_probe(b, &d.id, &d.id);
	other = tried(b, 2, 1);
	assert_probe(b, &d.id, &other.id);
	ask_attempt(b, &r, &d, 2, DELIVERY_FAILED);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_probe(b, &d.id, &other.id);
	assert_probe(b, &other.id, &other.id);
	delivery_fini(&other);
	delivery_fini(&d);
}

static void a_resent_one_counts_as_tried(void **state)
{
	struct bed *b = *state;
	struct delivery d, other;
	struct store_request r;

	make_webhook(b, 1, true);
	d = tried(b, 1, 1);
	other = make_delivery(b, 2);
	ask_resend(b, &r, &d.id);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_probe(b, NULL, &other.id);
	delivery_fini(&other);
	delivery_fini(&d);
}

/* More that were tried lie due first than are looked through: the fresh one is found at the other end. */
static void a_fresh_one_behind_an_old_backlog_is_found(void **state)
{
	enum { BACKLOG = 300 };
	struct bed *b = *state;
	struct delivery d;
	struct store_request r;

	make_webhook(b, 1, true);
	for (unsigned i = 0; i < BACKLOG; i++) {
		d = make_delivery(b, i);
		ask_attempt(b, &r, &d, 1 + i, DELIVERY_PENDING);
		r.u.attempt.in.next.due_ms = NOW_MS - 1000;
		assert_int_equal(serve_drop(b, &r), 0);
		delivery_fini(&d);
	}
	d = make_delivery(b, BACKLOG);
	assert_probe(b, NULL, &d.id);
	delivery_fini(&d);
}

int contract_probes(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(nothing_pending_gives_none, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					one_that_was_never_tried_goes_first, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					then_the_one_tried_longest_ago, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					the_same_only_when_there_is_no_other, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_resent_one_counts_as_tried, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_fresh_one_behind_an_old_backlog_is_found, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("probes", tests, NULL, NULL);
}
