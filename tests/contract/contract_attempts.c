#include "contract.h"

/* How a row gets to be in a state before the attempt comes in. */
static struct delivery make_in_state(const struct bed *b, enum delivery_state state)
{
	struct delivery d = make_delivery(b, 1);
	struct store_request r;

	if (state == DELIVERY_DELIVERED || state == DELIVERY_FAILED) {
		ask_attempt(b, &r, &d, 1, state);
		assert_int_equal(serve_drop(b, &r), 0);
	} else if (state == DELIVERY_PARKED) {
		ask_update(b, &r, 1, false, 1);
		assert_int_equal(serve_drop(b, &r), 0);
		assert_int_equal(sweep_all(b, 1, 10), 1);
	} else if (state == DELIVERY_CANCELED) {
		ask_delete(b, &r, 1);
		assert_int_equal(serve_drop(b, &r), 0);
		assert_int_equal(sweep_all(b, 1, 10), 1);
	}
	assert_int_equal(state_of(b, &d.id), state);
	return d;
}

struct move {
	enum delivery_state was, next, is;
};

static const struct move moves[] = {
		{DELIVERY_PENDING, DELIVERY_DELIVERED, DELIVERY_DELIVERED},
		{DELIVERY_PENDING, DELIVERY_PENDING, DELIVERY_PENDING},
		{DELIVERY_PENDING, DELIVERY_FAILED, DELIVERY_FAILED},
		{DELIVERY_PENDING, DELIVERY_PARKED, DELIVERY_PARKED},
		{DELIVERY_PARKED, DELIVERY_DELIVERED, DELIVERY_DELIVERED},
		{DELIVERY_PARKED, DELIVERY_PENDING, DELIVERY_PARKED},
		{DELIVERY_PARKED, DELIVERY_FAILED, DELIVERY_PARKED},
		{DELIVERY_CANCELED, DELIVERY_DELIVERED, DELIVERY_DELIVERED},
		{DELIVERY_CANCELED, DELIVERY_PENDING, DELIVERY_CANCELED},
		{DELIVERY_CANCELED, DELIVERY_FAILED, DELIVERY_CANCELED},
		{DELIVERY_CANCELED, DELIVERY_PARKED, DELIVERY_CANCELED},
		{DELIVERY_FAILED, DELIVERY_DELIVERED, DELIVERY_DELIVERED},
		{DELIVERY_FAILED, DELIVERY_PENDING, DELIVERY_FAILED},
		{DELIVERY_DELIVERED, DELIVERY_FAILED, DELIVERY_DELIVERED},
		{DELIVERY_DELIVERED, DELIVERY_PENDING, DELIVERY_DELIVERED},
		{DELIVERY_DELIVERED, DELIVERY_PARKED, DELIVERY_DELIVERED},
		{DELIVERY_DELIVERED, DELIVERY_DELIVERED, DELIVERY_DELIVERED},
};

static void assert_one_in(const struct bed *b, enum delivery_state s)
{
	assert_ledger(b, ACCOUNT, s == DELIVERY_PENDING, s == DELIVERY_DELIVERED, s == DELIVERY_FAILED,
			s == DELIVERY_PARKED, s == DELIVERY_CANCELED);
}

static void check_move(const struct move *m)
{
	struct store_request r;
	struct delivery d, now;
	struct bed b;

	bed_open(&b, contract_flavour);
	make_webhook(&b, 1, true);
	d = make_in_state(&b, m->was);
	ch_clock_virtual_advance(&b.clock, 100);
	ask_attempt(&b, &r, &d, 2, m->next);
	r.u.attempt.in.next.reason = ch_strdup("what the attempt says");
	r.u.attempt.in.next.tries = 7;
	assert_int_equal(serve(&b, &r), 0);
	assert_int_equal(r.u.attempt.out.state, m->is);
	store_request_fini(&r);
	now = delivery_of(&b, &d.id);
	assert_int_equal(now.state, m->is);
	assert_int_equal(now.tries, m->was == DELIVERY_DELIVERED ? 1 : 7);
	assert_one_in(&b, m->is);
	if (m->is != m->was || m->was == DELIVERY_PENDING) {
		bool is_end = m->is == DELIVERY_DELIVERED || m->is == DELIVERY_FAILED;

		assert_string_equal(now.reason, "what the attempt says");
		assert_int_equal(now.due_ms, m->is == DELIVERY_PENDING ? NOW_MS + 5100 : 0);
		assert_int_equal(now.finished_ms, is_end ? NOW_MS + 100 : 0);
	} else if (now.reason != NULL) {
		assert_string_not_equal(now.reason, "what the attempt says");
	}
	delivery_fini(&now);
	delivery_fini(&d);
	bed_close(&b);
}

static void states_move_as_they_may(void **state)
{
	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++)
		check_move(&moves[i]);
}

static void a_retry_waits_until_it_is_due(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	ask_attempt(b, &r, &d, 1, DELIVERY_PENDING);
	r.u.attempt.in.next.tries = 1;
	assert_int_equal(serve_drop(b, &r), 0);
	ask_claim(b, &r, 1, 5);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.claim.out.count, 0);
	assert_int_equal(r.u.claim.out.next_due_ms, NOW_MS + 5000);
	store_request_fini(&r);
	ch_clock_virtual_advance(&b->clock, 5000);
	ask_claim(b, &r, 1, 5);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.claim.out.count, 1);
	assert_int_equal(r.u.claim.out.rows[0].tries, 1);
	assert_int_equal(r.u.claim.out.rows[0].attempts, 1);
	store_request_fini(&r);
	delivery_fini(&d);
}

static void an_attempt_written_twice_counts_once(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d, now;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	for (int i = 0; i < 2; i++) {
		ask_attempt(b, &r, &d, 1, DELIVERY_PENDING);
		r.u.attempt.in.next.tries = 1 + i;
		assert_int_equal(serve(b, &r), 0);
		assert_int_equal(r.u.attempt.out.state, DELIVERY_PENDING);
		store_request_fini(&r);
	}
	now = delivery_of(b, &d.id);
	assert_int_equal(now.attempts, 1);
	assert_int_equal(now.tries, 1);
	delivery_fini(&now);
	/* Even when it comes with other words: the first one stands. */
	ask_attempt(b, &r, &d, 1, DELIVERY_FAILED);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.attempt.out.state, DELIVERY_PENDING);
	store_request_fini(&r);
	assert_ledger(b, ACCOUNT, 1, 0, 0, 0, 0);
	delivery_fini(&d);
}

static void an_attempt_at_nothing_is_refused(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d, other;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	other = d;
	other.id = id_of('d', 1);
	ask_attempt(b, &r, &other, 1, DELIVERY_DELIVERED);
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	other = d;
	other.account = OTHER_ACCOUNT;
	ask_attempt(b, &r, &other, 1, DELIVERY_DELIVERED);
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	other = d;
	other.webhook_id = id_of('w', 2);
	ask_attempt(b, &r, &other, 1, DELIVERY_DELIVERED);
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	assert_ledger(b, ACCOUNT, 1, 0, 0, 0, 0);
	delivery_fini(&d);
}

static void fill_attempt(struct attempt *a)
{
	a->outcome = ATTEMPT_ANSWERED;
	a->status = 302;
	a->detail = ch_strdup("redirects are not followed");
	a->dns_us = 10;
	a->connect_us = 20;
	a->tls_us = 30;
	a->first_byte_us = 40;
	a->total_us = 50;
	a->address = (struct address){.len = 16, .b = {0x20, 1, 0xd, 0xb8, [15] = 7}};
	strcpy(a->tls_version, "TLSv1.3");
	a->cert_end_s = 1800000000;
	a->request_headers = ch_strdup("webhook-id: 1\nX-Token: ***\n");
	a->location = ch_strdup("https://example.com/elsewhere");
	a->answer = ch_memdup0("a\0b\xff", 4);
	a->answer_len = 4;
}

static void every_field_of_an_attempt_comes_back(void **state)
{
	struct bed *b = *state;
	struct store_request r, got;
	const struct attempt *have, *want = &r.u.attempt.in.attempt;
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	ask_attempt(b, &r, &d, 1, DELIVERY_PENDING);
	fill_attempt(&r.u.attempt.in.attempt);
	assert_int_equal(serve(b, &r), 0);
	store_request_init(&got, STORE_DELIVERY_GET, NULL, NULL);
	got.u.delivery_get.in.account = ACCOUNT;
	got.u.delivery_get.in.id = d.id;
	got.u.delivery_get.in.attempt_limit = 10;
	assert_int_equal(serve(b, &got), 0);
	assert_int_equal(got.u.delivery_get.out.attempt_count, 1);
	assert_null(got.u.delivery_get.out.delivery.body);
	have = got.u.delivery_get.out.attempts;
	assert_id_equal(&have->id, &want->id);
	assert_id_equal(&have->delivery_id, &d.id);
	assert_int_equal(have->started_ms, NOW_MS);
	assert_int_equal(have->outcome, ATTEMPT_ANSWERED);
	assert_int_equal(have->status, 302);
	assert_string_equal(have->detail, want->detail);
	assert_int_equal(have->dns_us, 10);
	assert_int_equal(have->connect_us, 20);
	assert_int_equal(have->tls_us, 30);
	assert_int_equal(have->first_byte_us, 40);
	assert_int_equal(have->total_us, 50);
	assert_int_equal(have->address.len, 16);
	assert_memory_equal(have->address.b, want->address.b, 16);
	assert_string_equal(have->tls_version, "TLSv1.3");
	assert_int_equal(have->cert_end_s, 1800000000);
	assert_string_equal(have->request_headers, want->request_headers);
	assert_string_equal(have->location, want->location);
	assert_int_equal(have->answer_len, 4);
	assert_memory_equal(have->answer, "a\0b\xff", 4);
	store_request_fini(&got);
	store_request_fini(&r);
	delivery_fini(&d);
}

static void a_bare_attempt_comes_back_bare(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	const struct attempt *have;
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	ask_attempt(b, &r, &d, 1, DELIVERY_PENDING);
	r.u.attempt.in.attempt.outcome = ATTEMPT_REFUSED;
	r.u.attempt.in.attempt.status = 0;
	assert_int_equal(serve_drop(b, &r), 0);
	store_request_init(&r, STORE_DELIVERY_GET, NULL, NULL);
	r.u.delivery_get.in.account = ACCOUNT;
	r.u.delivery_get.in.id = d.id;
	r.u.delivery_get.in.attempt_limit = 10;
	assert_int_equal(serve(b, &r), 0);
	have = r.u.delivery_get.out.attempts;
	assert_int_equal(have->outcome, ATTEMPT_REFUSED);
	assert_int_equal(have->status, 0);
	assert_null(have->detail);
	assert_null(have->request_headers);
	assert_null(have->location);
	assert_null(have->answer);
	assert_int_equal(have->answer_len, 0);
	assert_int_equal(have->dns_us, -1);
	assert_int_equal(have->address.len, 0);
	assert_string_equal(have->tls_version, "");
	assert_int_equal(have->cert_end_s, 0);
	store_request_fini(&r);
	delivery_fini(&d);
}

static void the_newest_attempts_are_given_oldest_first(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	for (unsigned i = 1; i <= 6; i++) {
		ask_attempt(b, &r, &d, i == 2 ? 3 : i == 3 ? 2 : i, DELIVERY_PENDING);
		r.u.attempt.in.next.tries = (int)i;
		assert_int_equal(serve_drop(b, &r), 0);
	}
	store_request_init(&r, STORE_DELIVERY_GET, NULL, NULL);
	r.u.delivery_get.in.account = ACCOUNT;
	r.u.delivery_get.in.id = d.id;
	r.u.delivery_get.in.attempt_limit = 5;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.delivery_get.out.delivery.attempts, 6);
	assert_int_equal(r.u.delivery_get.out.delivery.tries, 6);
	assert_int_equal(r.u.delivery_get.out.attempt_count, 5);
	for (unsigned i = 0; i < 5; i++) {
		struct id id = id_of('t', i + 2);

		assert_id_equal(&r.u.delivery_get.out.attempts[i].id, &id);
	}
	store_request_fini(&r);
	delivery_fini(&d);
}

int contract_attempts(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test(states_move_as_they_may),
			cmocka_unit_test_setup_teardown(
					a_retry_waits_until_it_is_due, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					an_attempt_written_twice_counts_once, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					an_attempt_at_nothing_is_refused, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					every_field_of_an_attempt_comes_back, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_bare_attempt_comes_back_bare, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					the_newest_attempts_are_given_oldest_first, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("attempts", tests, NULL, NULL);
}
