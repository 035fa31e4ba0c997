#include "contract.h"

static int get_webhook(const struct bed *b, int64_t account, unsigned n, struct store_request *r)
{
	store_request_init(r, STORE_WEBHOOK_GET, NULL, NULL);
	r->u.webhook_get.in.account = account;
	r->u.webhook_get.in.id = id_of('w', n);
	return serve(b, r);
}

static void put_call(const struct bed *b, unsigned call)
{
	struct call_spec spec = {.call = call, .status = CALL_COMPLETED};
	struct store_request r;

	ask_put(b, &r, &spec);
	assert_int_equal(serve_drop(b, &r), 0);
}

/* Asks for webhook n, unless one serves the same already. */
static int ask_once(const struct bed *b, unsigned n, call_status_set statuses, struct id *ret_same)
{
	struct store_request r;
	int rc;

	ask_webhook(b, &r, n, true);
	r.u.webhook_create.in.is_once = true;
	r.u.webhook_create.in.max_webhooks = 4;
	r.u.webhook_create.in.webhook.statuses = statuses;
	rc = serve(b, &r);
	*ret_same = r.u.webhook_create.out.same;
	store_request_fini(&r);
	return rc;
}

static void asked_for_once_it_is_the_oldest_that_is_on(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct id same, second = id_of('w', 2);

	ask_webhook(b, &r, 1, false);
	call_status_set statuses = r.u.webhook_create.in.webhook.statuses;
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(ask_once(b, 2, statuses, &same), 0);
	ask_webhook(b, &r, 3, true);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(ask_once(b, 4, statuses, &same), CH_EEXIST);
	assert_id_equal(&same, &second);
	assert_int_equal(ask_once(b, 4, 1u << CALL_FAILED, &same), 0);
	assert_int_equal(ask_once(b, 5, statuses, &same), CH_EEXIST);
	assert_id_equal(&same, &second);
	assert_int_equal(ask_once(b, 5, 1u << CALL_REJECTED, &same), CH_ELIMIT);
}

static void all_settings_come_back(void **state)
{
	struct bed *b = *state;
	struct store_request r, got;
	struct webhook *w = &r.u.webhook_create.in.webhook;
	const struct webhook *have = &got.u.webhook_get.out.row.webhook;
	struct id agent = id_of('a', 4);

	ask_webhook(b, &r, 1, false);
	w->disabled_reason = ch_strdup("the receiver said 410 Gone");
	ch_free(w->name);
	w->name = ch_strdup("Grüße");
	w->agent_ids = ch_calloc(1, sizeof(struct id));
	w->agent_ids[0] = agent;
	w->agent_count = 1;
	w->statuses = 1u << CALL_REJECTED;
	w->headers[0] = (struct webhook_header){ch_strdup("X-Token"), ch_strdup("a b")};
	w->header_count = 1;
	w->timeout_s = 7;
	w->concurrency = 3;
	w->rate_count = 5;
	w->rate_seconds = 60;
	w->secret_sealed = (uint8_t *)ch_memdup0("\0seal\xff", 6);
	w->secret_sealed_len = 6;
	w->next_sealed = (uint8_t *)ch_memdup0("\0next\xff.", 7);
	w->next_sealed_len = 7;
	w->rotation_started_ms = NOW_MS - 5;
	w->rotation_ends_ms = NOW_MS + 86400000;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(w->revision, 1);
	assert_int_equal(get_webhook(b, ACCOUNT, 1, &got), 0);
	assert_id_equal(&have->id, &w->id);
	assert_int_equal(have->account, ACCOUNT);
	assert_int_equal(have->revision, 1);
	assert_string_equal(have->url, w->url);
	assert_string_equal(have->name, "Grüße");
	assert_false(have->enabled);
	assert_string_equal(have->disabled_reason, "the receiver said 410 Gone");
	assert_int_equal(have->agent_count, 1);
	assert_id_equal(&have->agent_ids[0], &agent);
	assert_int_equal(have->statuses, 1u << CALL_REJECTED);
	assert_int_equal(have->header_count, 1);
	assert_string_equal(have->headers[0].name, "X-Token");
	assert_string_equal(have->headers[0].value, "a b");
	assert_int_equal(have->timeout_s, 7);
	assert_int_equal(have->concurrency, 3);
	assert_int_equal(have->rate_count, 5);
	assert_int_equal(have->rate_seconds, 60);
	assert_int_equal(have->secret_sealed_len, 6);
	assert_memory_equal(have->secret_sealed, "\0seal\xff", 6);
	assert_int_equal(have->next_sealed_len, 7);
	assert_memory_equal(have->next_sealed, "\0next\xff.", 7);
	assert_int_equal(have->rotation_started_ms, NOW_MS - 5);
	assert_int_equal(have->rotation_ends_ms, NOW_MS + 86400000);
	assert_int_equal(have->created_ms, NOW_MS);
	assert_false(have->deleted);
	assert_int_equal(got.u.webhook_get.out.row.counts.accepted, 0);
	store_request_fini(&got);
	store_request_fini(&r);
}

static void an_id_is_taken_once(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	make_webhook(b, 1, true);
	ask_webhook(b, &r, 1, true);
	assert_int_equal(serve_drop(b, &r), CH_EEXIST);
}

static void an_account_has_so_many_webhooks(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	for (unsigned i = 0; i < 3; i++)
		make_webhook(b, i, true);
	make_webhook_of(b, OTHER_ACCOUNT, 10);
	ask_webhook(b, &r, 3, true);
	r.u.webhook_create.in.max_webhooks = 3;
	assert_int_equal(serve_drop(b, &r), CH_ELIMIT);
	ask_delete(b, &r, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_webhook(b, &r, 3, true);
	r.u.webhook_create.in.max_webhooks = 3;
	assert_int_equal(serve_drop(b, &r), 0);
}

static void an_update_needs_the_latest_revision(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	make_webhook(b, 1, true);
	ch_clock_virtual_advance(&b->clock, 1000);
	ask_update(b, &r, 1, true, 1);
	r.u.webhook_update.in.webhook.timeout_s = 9;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.webhook_update.in.webhook.revision, 2);
	store_request_fini(&r);
	ask_update(b, &r, 1, true, 1);
	assert_int_equal(serve(b, &r), CH_ECONFLICT);
	assert_int_equal(r.u.webhook_update.in.webhook.revision, 1);
	store_request_fini(&r);
	ask_update(b, &r, 2, true, 1);
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	ask_update(b, &r, 1, true, 2);
	r.u.webhook_update.in.webhook.account = OTHER_ACCOUNT;
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	assert_int_equal(get_webhook(b, ACCOUNT, 1, &r), 0);
	assert_int_equal(r.u.webhook_get.out.row.webhook.revision, 2);
	assert_int_equal(r.u.webhook_get.out.row.webhook.timeout_s, 9);
	assert_int_equal(r.u.webhook_get.out.row.webhook.created_ms, NOW_MS);
	store_request_fini(&r);
}

static void a_deleted_webhook_is_gone(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	make_webhook(b, 1, true);
	ask_delete(b, &r, 1);
	r.u.webhook_delete.in.account = OTHER_ACCOUNT;
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	ask_delete(b, &r, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_delete(b, &r, 1);
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	ask_update(b, &r, 1, true, 1);
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	ask_update(b, &r, 1, true, 2);
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	assert_int_equal(get_webhook(b, ACCOUNT, 1, &r), CH_ENOENT);
	store_request_fini(&r);
	put_call(b, 1);
	assert_ledger(b, ACCOUNT, 0, 0, 0, 0, 0);
}

static size_t count_sweeps(const struct bed *b)
{
	struct store_request r;
	size_t count;

	store_request_init(&r, STORE_SWEEPS, NULL, NULL);
	assert_int_equal(serve(b, &r), 0);
	count = r.u.sweeps.out.count;
	store_request_fini(&r);
	return count;
}

static void a_delete_cancels_in_chunks(void **state)
{
	struct bed *b = *state;
	struct delivery first = {0};
	struct store_request r;
	struct delivery now;

	make_webhook(b, 1, true);
	first = make_delivery(b, 0);
	for (unsigned i = 1; i < 7; i++)
		put_call(b, i);
	ask_attempt(b, &r, &first, 1, DELIVERY_DELIVERED);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_delete(b, &r, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_ledger(b, ACCOUNT, 6, 1, 0, 0, 0);
	assert_int_equal(count_sweeps(b), 1);
	ch_clock_virtual_advance(&b->clock, 50);
	ask_sweep(b, &r, 1, 4);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.webhook_sweep.out.moved, 4);
	assert_true(r.u.webhook_sweep.out.more);
	store_request_fini(&r);
	assert_ledger(b, ACCOUNT, 2, 1, 0, 0, 4);
	assert_int_equal(count_sweeps(b), 1);
	assert_int_equal(sweep_all(b, 1, 4), 2);
	assert_int_equal(count_sweeps(b), 0);
	assert_ledger(b, ACCOUNT, 0, 1, 0, 0, 6);
	ask_list(&r, 1);
	assert_int_equal(serve(b, &r), 0);
	now = r.u.delivery_list.out.rows[0];
	assert_int_equal(now.state, DELIVERY_CANCELED);
	assert_int_equal(now.finished_ms, NOW_MS + 50);
	assert_non_null(now.reason);
	store_request_fini(&r);
	assert_int_equal(state_of(b, &first.id), DELIVERY_DELIVERED);
	delivery_fini(&first);
}

static void a_switch_off_parks_and_a_delete_cancels_the_parked(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	make_webhook(b, 1, true);
	make_webhook(b, 2, true);
	for (unsigned i = 0; i < 5; i++)
		put_call(b, i);
	ask_update(b, &r, 1, false, 1);
	r.u.webhook_update.in.webhook.disabled_reason = ch_strdup("410 Gone");
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(count_sweeps(b), 1);
	assert_ledger(b, ACCOUNT, 10, 0, 0, 0, 0);
	assert_int_equal(sweep_all(b, 1, 2), 5);
	assert_ledger(b, ACCOUNT, 5, 0, 0, 5, 0);
	assert_int_equal(count_sweeps(b), 0);
	assert_int_equal(get_webhook(b, ACCOUNT, 1, &r), 0);
	assert_int_equal(r.u.webhook_get.out.row.counts.parked, 5);
	assert_int_equal(r.u.webhook_get.out.row.counts.accepted, 5);
	store_request_fini(&r);
	ask_list(&r, 10);
	r.u.delivery_list.in.states = 1u << DELIVERY_PARKED;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.delivery_list.out.count, 5);
	assert_string_equal(r.u.delivery_list.out.rows[0].reason, "410 Gone");
	assert_int_equal(r.u.delivery_list.out.rows[0].finished_ms, 0);
	store_request_fini(&r);
	ask_delete(b, &r, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(sweep_all(b, 1, 2), 5);
	assert_ledger(b, ACCOUNT, 5, 0, 0, 0, 5);
}

static void a_switch_back_on_leaves_the_parked(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	make_webhook(b, 1, false);
	put_call(b, 1);
	ask_update(b, &r, 1, false, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_update(b, &r, 1, true, 2);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(count_sweeps(b), 0);
	assert_int_equal(sweep_all(b, 1, 5), 0);
	put_call(b, 2);
	assert_ledger(b, ACCOUNT, 1, 0, 0, 1, 0);
}

static void a_sweep_of_nothing_known_is_refused(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	ask_sweep(b, &r, 1, 5);
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
}

static void unfinished_sweeps_survive_a_restart(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	make_webhook(b, 1, true);
	for (unsigned i = 0; i < 3; i++)
		put_call(b, i);
	ask_delete(b, &r, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_sweep(b, &r, 1, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	bed_restart(b);
	assert_int_equal(count_sweeps(b), 1);
	assert_ledger(b, ACCOUNT, 2, 0, 0, 0, 1);
	assert_int_equal(sweep_all(b, 1, 10), 2);
	assert_int_equal(count_sweeps(b), 0);
}

struct sweep_case {
	enum store_kind kind;
	int result;
	bool enabled;
	bool more;
	bool sweeps;
	bool release;
};

static const struct sweep_case sweep_cases[] = {
		{STORE_WEBHOOK_UPDATE, 0, false, false, true, false},
		{STORE_WEBHOOK_UPDATE, 0, true, false, false, false},
		{STORE_WEBHOOK_UPDATE, 0, true, false, true, true},
		{STORE_WEBHOOK_UPDATE, CH_ECONFLICT, true, false, false, true},
		{STORE_WEBHOOK_UPDATE, CH_ECONFLICT, false, false, false, false},
		{STORE_WEBHOOK_DELETE, 0, false, false, true, false},
		{STORE_WEBHOOK_DELETE, CH_ENOENT, false, false, false, false},
		{STORE_WEBHOOK_SWEEP, 0, false, true, true, false},
		{STORE_WEBHOOK_SWEEP, 0, false, false, false, false},
		{STORE_WEBHOOK_SWEEP, CH_EIO, false, true, false, false},
		{STORE_WEBHOOK_CREATE, 0, false, false, false, false},
		{STORE_CALL_PUT, 0, false, false, false, false},
		{STORE_LEDGER, 0, false, false, false, false},
};

static void sweeps_follow_what_calls_for_them(void **state)
{
	struct id webhook = id_of('w', 5);

	for (size_t i = 0; i < sizeof(sweep_cases) / sizeof(sweep_cases[0]); i++) {
		const struct sweep_case *c = &sweep_cases[i];
		struct id got = id_of('x', 1), untouched = got;
		struct store_request r;

		store_request_init(&r, c->kind, NULL, NULL);
		r.result = c->result;
		if (c->kind == STORE_WEBHOOK_UPDATE) {
			r.u.webhook_update.in.webhook.id = webhook;
			r.u.webhook_update.in.webhook.enabled = c->enabled;
			r.u.webhook_update.in.release = c->release;
		} else if (c->kind == STORE_WEBHOOK_DELETE) {
			r.u.webhook_delete.in.id = webhook;
		} else if (c->kind == STORE_WEBHOOK_SWEEP) {
			r.u.webhook_sweep.in.id = webhook;
			r.u.webhook_sweep.out.more = c->more;
		}
		assert_int_equal(store_sweep_after(&r, &got), c->sweeps);
		if (c->sweeps)
			assert_id_equal(&got, &webhook);
		else
			assert_id_equal(&got, &untouched);
		store_request_fini(&r);
	}
}

static int restarts(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					unfinished_sweeps_survive_a_restart, bed_setup, bed_teardown),
	};

	return flavour_is_durable(contract_flavour)
			       ? cmocka_run_group_tests_name("webhooks, restart", tests, NULL, NULL)
			       : 0;
}

int contract_webhooks(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					asked_for_once_it_is_the_oldest_that_is_on, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(all_settings_come_back, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(an_id_is_taken_once, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					an_account_has_so_many_webhooks, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					an_update_needs_the_latest_revision, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(a_deleted_webhook_is_gone, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(a_delete_cancels_in_chunks, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(a_switch_off_parks_and_a_delete_cancels_the_parked,
					bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_switch_back_on_leaves_the_parked, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_sweep_of_nothing_known_is_refused, bed_setup, bed_teardown),
			cmocka_unit_test(sweeps_follow_what_calls_for_them),
	};

	return cmocka_run_group_tests_name("webhooks", tests, NULL, NULL) + restarts();
}
