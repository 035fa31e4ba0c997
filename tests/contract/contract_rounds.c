#include "contract.h"

static int resend(const struct bed *b, const struct id *id)
{
	struct store_request r;

	ask_resend(b, &r, id);
	return serve_drop(b, &r);
}

static void attempt(const struct bed *b, const struct delivery *d, unsigned n, enum delivery_state next)
{
	struct store_request r;

	ask_attempt(b, &r, d, n, next);
	assert_int_equal(serve_drop(b, &r), 0);
}

static void put_in_state(const struct bed *b, const struct delivery *d, enum delivery_state state)
{
	if (state != DELIVERY_PENDING)
		attempt(b, d, 1, state);
	assert_int_equal(state_of(b, &d->id), state);
}

static void check_fresh(const struct bed *b, const struct delivery *now, const struct delivery *was)
{
	assert_id_equal(&now->id, &was->id);
	assert_int_equal(now->state, DELIVERY_PENDING);
	assert_int_equal(now->round, was->round + 1);
	assert_int_equal(now->was_delivered, was->state == DELIVERY_DELIVERED || was->was_delivered);
	assert_int_equal(now->tries, 0);
	assert_int_equal(now->attempts, was->attempts);
	assert_int_equal(now->due_ms, b->clock.wall.ms);
	assert_int_equal(now->finished_ms, 0);
	assert_int_equal(now->created_ms, was->created_ms);
	assert_null(now->reason);
}

static void a_resend_opens_a_round_from(enum delivery_state state)
{
	struct delivery d, was, now;
	struct store_request r;
	struct bed b;

	bed_open(&b, contract_flavour);
	make_webhook(&b, 1, true);
	d = make_delivery(&b, 1);
	put_in_state(&b, &d, state);
	was = delivery_of(&b, &d.id);
	ch_clock_virtual_advance(&b.clock, 700);
	ask_resend(&b, &r, &d.id);
	assert_int_equal(serve(&b, &r), 0);
	check_fresh(&b, &r.u.resend.out.delivery, &was);
	assert_null(r.u.resend.out.delivery.body);
	assert_non_null(r.u.resend.out.news);
	check_fresh(&b, r.u.resend.out.news, &was);
	assert_non_null(strstr(r.u.resend.out.news->body->data, "COMPLETED"));
	store_request_fini(&r);
	now = delivery_of(&b, &d.id);
	check_fresh(&b, &now, &was);
	assert_ledger(&b, ACCOUNT, 1, 0, 0, 0, 0);
	assert_int_equal(lane_of(&b, 1).next_due_ms, NOW_MS + 700);
	delivery_fini(&now);
	delivery_fini(&was);
	delivery_fini(&d);
	bed_close(&b);
}

static void a_resend_opens_a_round(void **state)
{
	a_resend_opens_a_round_from(DELIVERY_PENDING);
	a_resend_opens_a_round_from(DELIVERY_DELIVERED);
	a_resend_opens_a_round_from(DELIVERY_FAILED);
	a_resend_opens_a_round_from(DELIVERY_PARKED);
}

static void the_watcher_may_take_the_news(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d, *news;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	ask_resend(b, &r, &d.id);
	assert_int_equal(serve(b, &r), 0);
	news = r.u.resend.out.news;
	r.u.resend.out.news = NULL;
	store_request_fini(&r);
	assert_id_equal(&news->id, &d.id);
	delivery_fini(news);
	ch_free(news);
	delivery_fini(&d);
}

static void a_resend_that_may_not_be_is_refused(void **state)
{
	struct bed *b = *state;
	struct id nobody = id_of('d', 77);
	struct store_request r;
	struct delivery d, done;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	done = make_delivery(b, 2);
	attempt(b, &done, 1, DELIVERY_DELIVERED);
	assert_int_equal(resend(b, &nobody), CH_ENOENT);
	ask_resend(b, &r, &d.id);
	r.u.resend.in.account = OTHER_ACCOUNT;
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	ask_update(b, &r, 1, false, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_resend(b, &r, &d.id);
	assert_int_equal(serve(b, &r), CH_ECONFLICT);
	assert_string_equal(r.err.text, "the webhook is switched off");
	assert_null(r.u.resend.out.news);
	store_request_fini(&r);
	ask_delete(b, &r, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(resend(b, &d.id), CH_ENOENT);
	assert_int_equal(sweep_all(b, 1, 5), 1);
	ask_resend(b, &r, &d.id);
	assert_int_equal(serve(b, &r), CH_ECONFLICT);
	assert_string_equal(r.err.text, "it was canceled: the webhook was deleted");
	store_request_fini(&r);
	assert_int_equal(resend(b, &done.id), CH_ENOENT);
	assert_ledger(b, ACCOUNT, 0, 1, 0, 0, 1);
	delivery_fini(&done);
	delivery_fini(&d);
}

struct late {
	enum delivery_state next, is;
};

/* The attempt began before the resend. */
static void check_late(const struct late *l)
{
	struct delivery d, now;
	struct store_request r;
	struct bed b;

	bed_open(&b, contract_flavour);
	make_webhook(&b, 1, true);
	d = make_delivery(&b, 1);
	ch_clock_virtual_advance(&b.clock, 10);
	assert_int_equal(resend(&b, &d.id), 0);
	ch_clock_virtual_advance(&b.clock, 10);
	ask_attempt(&b, &r, &d, 1, l->next);
	r.u.attempt.in.next.tries = 9;
	r.u.attempt.in.next.reason = ch_strdup("late");
	assert_int_equal(serve(&b, &r), 0);
	assert_int_equal(r.u.attempt.out.state, l->is);
	assert_int_equal(r.u.attempt.out.pending, l->is == DELIVERY_PENDING);
	store_request_fini(&r);
	now = delivery_of(&b, &d.id);
	assert_int_equal(now.state, l->is);
	assert_int_equal(now.round, 1);
	assert_int_equal(now.tries, 0);
	assert_int_equal(now.attempts, 1);
	assert_int_equal(now.was_delivered, l->is == DELIVERY_DELIVERED);
	assert_int_equal(now.due_ms, l->is == DELIVERY_PENDING ? NOW_MS + 10 : 0);
	if (l->is == DELIVERY_PENDING)
		assert_null(now.reason);
	else
		assert_string_equal(now.reason, "late");
	delivery_fini(&now);
	/* The round's own attempts go on as if nothing had been. */
	d.round = 1;
	attempt(&b, &d, 2, DELIVERY_FAILED);
	assert_int_equal(state_of(&b, &d.id),
			l->is == DELIVERY_DELIVERED ? DELIVERY_DELIVERED : DELIVERY_FAILED);
	delivery_fini(&d);
	bed_close(&b);
}

static void a_result_of_an_older_round_brings_good_news_only(void **state)
{
	static const struct late rows[] = {
			{DELIVERY_PENDING, DELIVERY_PENDING},
			{DELIVERY_FAILED, DELIVERY_PENDING},
			{DELIVERY_PARKED, DELIVERY_PENDING},
			{DELIVERY_DELIVERED, DELIVERY_DELIVERED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_late(&rows[i]);
}

/* As the sender would have it: the attempt after the first, then that of the round before. */
static void a_round_counts_its_own_tries(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d, now;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	attempt(b, &d, 1, DELIVERY_PENDING);
	assert_int_equal(resend(b, &d.id), 0);
	d.round = 1;
	ask_attempt(b, &r, &d, 3, DELIVERY_PENDING);
	r.u.attempt.in.next.tries = 1;
	assert_int_equal(serve_drop(b, &r), 0);
	d.round = 0;
	ask_attempt(b, &r, &d, 2, DELIVERY_FAILED);
	r.u.attempt.in.next.tries = 2;
	assert_int_equal(serve_drop(b, &r), 0);
	now = delivery_of(b, &d.id);
	assert_int_equal(now.state, DELIVERY_PENDING);
	assert_int_equal(now.tries, 1);
	assert_int_equal(now.attempts, 3);
	assert_int_equal(now.due_ms, NOW_MS + 5000);
	delivery_fini(&now);
	delivery_fini(&d);
}

static void once_delivered_it_ends_so_whatever_a_round_brings(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d, now;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	attempt(b, &d, 1, DELIVERY_DELIVERED);
	for (d.round = 1; d.round <= 2; d.round++) {
		assert_int_equal(resend(b, &d.id), 0);
		attempt(b, &d, 1 + 2 * (unsigned)d.round, DELIVERY_PENDING);
		now = delivery_of(b, &d.id);
		assert_int_equal(now.state, DELIVERY_PENDING);
		assert_true(now.was_delivered);
		delivery_fini(&now);
		ch_clock_virtual_advance(&b->clock, 100);
		ask_attempt(b, &r, &d, 2 + 2 * (unsigned)d.round, DELIVERY_FAILED);
		r.u.attempt.in.next.reason = ch_strdup("500, again and again");
		assert_int_equal(serve(b, &r), 0);
		assert_int_equal(r.u.attempt.out.state, DELIVERY_DELIVERED);
		store_request_fini(&r);
		now = delivery_of(b, &d.id);
		assert_int_equal(now.state, DELIVERY_DELIVERED);
		assert_int_equal(now.finished_ms, NOW_MS + 100 * d.round);
		assert_string_equal(now.reason, "500, again and again");
		delivery_fini(&now);
		assert_ledger(b, ACCOUNT, 0, 1, 0, 0, 0);
	}
	delivery_fini(&d);
}

static void everyone_reads_the_round(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	attempt(b, &d, 1, DELIVERY_DELIVERED);
	assert_int_equal(resend(b, &d.id), 0);
	assert_int_equal(resend(b, &d.id), 0);
	ask_claim(b, &r, 1, 5);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.claim.out.count, 1);
	assert_int_equal(r.u.claim.out.rows[0].round, 2);
	assert_true(r.u.claim.out.rows[0].was_delivered);
	store_request_fini(&r);
	ask_list(&r, 5);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.delivery_list.out.rows[0].round, 2);
	assert_true(r.u.delivery_list.out.rows[0].was_delivered);
	store_request_fini(&r);
	ask_probe(&r, 1, NULL);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.probe.out.row.round, 2);
	assert_true(r.u.probe.out.row.was_delivered);
	store_request_fini(&r);
	delivery_fini(&d);
}

static void rounds_survive_a_restart(void **state)
{
	struct bed *b = *state;
	struct delivery d, now;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	attempt(b, &d, 1, DELIVERY_DELIVERED);
	assert_int_equal(resend(b, &d.id), 0);
	bed_restart(b);
	now = delivery_of(b, &d.id);
	assert_int_equal(now.round, 1);
	assert_true(now.was_delivered);
	assert_int_equal(now.state, DELIVERY_PENDING);
	delivery_fini(&now);
	delivery_fini(&d);
}

static int restarts(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(rounds_survive_a_restart, bed_setup, bed_teardown),
	};

	return flavour_is_durable(contract_flavour)
			       ? cmocka_run_group_tests_name("rounds, restart", tests, NULL, NULL)
			       : 0;
}

int contract_rounds(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_resend_opens_a_round),
			cmocka_unit_test_setup_teardown(
					the_watcher_may_take_the_news, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_resend_that_may_not_be_is_refused, bed_setup, bed_teardown),
			cmocka_unit_test(a_result_of_an_older_round_brings_good_news_only),
			cmocka_unit_test_setup_teardown(
					a_round_counts_its_own_tries, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(once_delivered_it_ends_so_whatever_a_round_brings,
					bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(everyone_reads_the_round, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("rounds", tests, NULL, NULL) + restarts();
}
