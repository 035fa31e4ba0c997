#include "contract.h"

#include "model/call_codec.h"

struct put_step {
	struct call_spec spec;
	int result;
	enum store_put_result what;
	int64_t version;
	size_t deliveries;
};

/* One call's life a row after row, with one enabled webhook of the default statuses. */
static const struct put_step lives[][5] = {
		{
				{{.status = CALL_COMPLETED}, 0, STORE_PUT_CREATED, 1, 1},
				{{.status = CALL_COMPLETED}, 0, STORE_PUT_UNCHANGED, 1, 0},
				{{.status = CALL_COMPLETED, .notify = true}, 0, STORE_PUT_UNCHANGED, 1, 0},
				{{.status = CALL_COMPLETED, .note = 1}, 0, STORE_PUT_REPLACED, 2, 0},
				{{.status = CALL_COMPLETED, .note = 2, .notify = true}, 0, STORE_PUT_REPLACED,
						3, 1},
		},
		{
				{{.status = CALL_IN_PROGRESS}, 0, STORE_PUT_CREATED, 1, 0},
				{{.status = CALL_IN_PROGRESS, .note = 1, .notify = true}, 0,
						STORE_PUT_REPLACED, 2, 0},
				{{.status = CALL_FAILED, .note = 1}, 0, STORE_PUT_REPLACED, 3, 1},
				{{.status = CALL_IN_PROGRESS, .note = 2}, CH_ECONFLICT, 0, 0, 0},
				{{.status = CALL_FAILED, .note = 1}, 0, STORE_PUT_UNCHANGED, 3, 0},
		},
		{
				{{.status = CALL_NO_ANSWER}, 0, STORE_PUT_CREATED, 1, 0},
				{{.status = CALL_COMPLETED, .note = 1}, 0, STORE_PUT_REPLACED, 2, 0},
				{{.status = CALL_REJECTED, .note = 2, .notify = true}, 0, STORE_PUT_REPLACED,
						3, 0},
				{{.status = CALL_COMPLETED, .note = 3, .notify = true}, 0, STORE_PUT_REPLACED,
						4, 1},
				{{.status = CALL_IN_PROGRESS, .note = 3, .notify = true}, CH_ECONFLICT, 0, 0,
						0},
		},
};

static void check_step(const struct bed *b, const struct put_step *step, unsigned call)
{
	struct call_spec spec = step->spec;
	struct store_call_put *put;
	struct store_request r;

	spec.call = call;
	ask_put(b, &r, &spec);
	put = &r.u.call_put;
	assert_int_equal(serve(b, &r), step->result);
	assert_int_equal(put->out.delivery_count, step->deliveries);
	if (step->result == 0) {
		assert_int_equal(put->out.what, step->what);
		assert_int_equal(put->out.version, step->version);
		assert_int_equal(put->out.body->len, put->in.body_len);
		assert_memory_equal(put->out.body->data, put->in.body, put->in.body_len);
	} else {
		assert_null(put->out.body);
	}
	store_request_fini(&r);
}

static void a_call_lives(void **state)
{
	struct bed *b = *state;
	int64_t accepted = 0;

	make_webhook(b, 1, true);
	for (unsigned life = 0; life < sizeof(lives) / sizeof(lives[0]); life++) {
		for (unsigned i = 0; i < 5; i++) {
			check_step(b, &lives[life][i], life);
			accepted += (int64_t)lives[life][i].deliveries;
			assert_ledger(b, ACCOUNT, accepted, 0, 0, 0, 0);
			ch_clock_virtual_advance(&b->clock, 10);
		}
	}
}

static void a_delivery_is_made_as_the_call_says(void **state)
{
	struct bed *b = *state;
	struct call_spec spec = {.call = 3, .status = CALL_FAILED};
	struct id call = id_of('c', 3), webhook = id_of('w', 1);
	struct store_request r;
	const struct delivery *d;

	make_webhook(b, 1, true);
	ask_put(b, &r, &spec);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_put.out.delivery_count, 1);
	d = &r.u.call_put.out.deliveries[0];
	assert_id_equal(&d->call_id, &call);
	assert_id_equal(&d->webhook_id, &webhook);
	assert_int_equal(d->account, ACCOUNT);
	assert_int_equal(d->version, 1);
	assert_int_equal(d->call_status, CALL_FAILED);
	assert_int_equal(d->state, DELIVERY_PENDING);
	assert_int_equal(d->tries, 0);
	assert_int_equal(d->attempts, 0);
	assert_int_equal(d->created_ms, NOW_MS);
	assert_int_equal(d->due_ms, NOW_MS);
	assert_int_equal(d->finished_ms, 0);
	assert_null(d->reason);
	assert_int_equal(d->body->len, r.u.call_put.in.body_len);
	assert_memory_equal(d->body->data, r.u.call_put.in.body, d->body->len);
	assert_int_equal(id_time_ms(&d->id), NOW_MS);
	store_request_fini(&r);
}

static void get_body(const struct bed *b, unsigned call, int64_t version, char *ret, size_t room)
{
	struct store_request r;

	store_request_init(&r, STORE_CALL_GET, NULL, NULL);
	r.u.call_get.in.account = ACCOUNT;
	r.u.call_get.in.id = id_of('c', call);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_get.out.version, version);
	assert_true(r.u.call_get.out.body->len < room);
	memcpy(ret, r.u.call_get.out.body->data, r.u.call_get.out.body->len + 1);
	store_request_fini(&r);
}

static void created_is_kept_for_ever(void **state)
{
	struct bed *b = *state;
	struct call_spec first = {.call = 1, .status = CALL_COMPLETED, .created_s = 1000000000};
	struct call_spec again = first, later = first;
	struct store_request r;
	char body[512];

	again.created_s = 1111111111;
	later.created_s = 1222222222;
	later.note = 1;
	ask_put(b, &r, &first);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_put(b, &r, &again);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_put.out.what, STORE_PUT_UNCHANGED);
	store_request_fini(&r);
	ask_put(b, &r, &later);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_put.out.what, STORE_PUT_REPLACED);
	assert_int_equal(call_body_created(r.u.call_put.out.body->data, r.u.call_put.out.body->len),
			1000000000);
	store_request_fini(&r);
	get_body(b, 1, 2, body, sizeof(body));
	assert_non_null(strstr(body, "\"note\":1"));
	assert_int_equal(call_body_created(body, strlen(body)), 1000000000);
}

static int put_if_match(
		const struct bed *b, const struct call_spec *spec, const char *const *bodies, size_t count)
{
	struct store_request r;
	uint8_t digest[CH_SHA256_BYTES];

	ask_put(b, &r, spec);
	r.u.call_put.in.if_match_count = count;
	for (size_t i = 0; i < count; i++) {
		ch_sha256(bodies[i], strlen(bodies[i]), digest);
		memcpy(r.u.call_put.in.if_match[i], digest, STORE_ETAG_BYTES);
	}
	return serve_drop(b, &r);
}

static int put_if_any(const struct bed *b, const struct call_spec *spec)
{
	struct store_request r;

	ask_put(b, &r, spec);
	r.u.call_put.in.if_match_any = true;
	return serve_drop(b, &r);
}

static void if_match_guards(void **state)
{
	struct bed *b = *state;
	struct call_spec spec = {.call = 1, .status = CALL_IN_PROGRESS};
	char first[512], second[512];
	const char *one[] = {first}, *two[] = {second, first};

	assert_int_equal(put_if_any(b, &spec), CH_EPRECOND);
	assert_int_equal(put_if_match(b, &spec, (const char *const[]){"x"}, 1), CH_EPRECOND);
	assert_int_equal(put_if_match(b, &spec, NULL, 0), 0);
	get_body(b, 1, 1, first, sizeof(first));
	strcpy(second, first);
	second[0] = '[';
	spec.note = 1;
	assert_int_equal(put_if_match(b, &spec, (const char *const[]){second}, 1), CH_EPRECOND);
	assert_int_equal(put_if_match(b, &spec, two, 2), 0);
	spec.note = 2;
	assert_int_equal(put_if_match(b, &spec, one, 1), CH_EPRECOND);
	assert_int_equal(put_if_any(b, &spec), 0);
	/* A stale writer hears of it even when it sends what is stored. */
	assert_int_equal(put_if_match(b, &spec, one, 1), CH_EPRECOND);
	get_body(b, 1, 3, second, sizeof(second));
}

static void if_none_match_guards(void **state)
{
	struct bed *b = *state;
	struct call_spec spec = {.call = 1, .status = CALL_IN_PROGRESS};
	char first[512], now[512];
	struct store_request r;

	for (int i = 0; i < 2; i++) {
		ask_put(b, &r, &spec);
		r.u.call_put.in.if_none_match_any = true;
		assert_int_equal(serve_drop(b, &r), i == 0 ? 0 : CH_EPRECOND);
	}
	get_body(b, 1, 1, first, sizeof(first));
	spec.note = 1;
	ask_put(b, &r, &spec);
	r.u.call_put.in.if_none_match_any = true;
	assert_int_equal(serve_drop(b, &r), CH_EPRECOND);
	get_body(b, 1, 1, now, sizeof(now));
	assert_string_equal(now, first);
}

struct wish {
	call_status_set statuses;
	unsigned agents[2];
	size_t agent_count;
	enum call_status status;
	unsigned agent;
	bool wanted;
};

static const struct wish wishes[] = {
		{WEBHOOK_STATUSES_DEFAULT, {0}, 0, CALL_COMPLETED, 1, true},
		{WEBHOOK_STATUSES_DEFAULT, {0}, 0, CALL_FAILED, 1, true},
		{WEBHOOK_STATUSES_DEFAULT, {0}, 0, CALL_NO_ANSWER, 1, false},
		{1u << CALL_NO_ANSWER, {0}, 0, CALL_NO_ANSWER, 1, true},
		{1u << CALL_NO_ANSWER, {0}, 0, CALL_COMPLETED, 1, false},
		{WEBHOOK_STATUSES_DEFAULT, {1, 2}, 2, CALL_COMPLETED, 2, true},
		{WEBHOOK_STATUSES_DEFAULT, {1, 2}, 2, CALL_COMPLETED, 3, false},
		{WEBHOOK_STATUSES_DEFAULT, {1, 2}, 2, CALL_REJECTED, 1, false},
};

static void make_wishing_webhook(const struct bed *b, unsigned n, const struct wish *wish)
{
	struct store_request r;
	struct webhook *w = &r.u.webhook_create.in.webhook;

	ask_webhook(b, &r, n, true);
	w->statuses = wish->statuses;
	if (wish->agent_count > 0) {
		w->agent_ids = ch_calloc(wish->agent_count, sizeof(struct id));
		w->agent_count = wish->agent_count;
		for (size_t i = 0; i < wish->agent_count; i++)
			w->agent_ids[i] = id_of('a', wish->agents[i]);
	}
	assert_int_equal(serve_drop(b, &r), 0);
}

static void webhooks_get_what_they_want(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	for (unsigned i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		struct call_spec spec = {.call = i, .agent = wishes[i].agent, .status = wishes[i].status};

		make_wishing_webhook(b, i, &wishes[i]);
		ask_put(b, &r, &spec);
		assert_int_equal(serve(b, &r), 0);
		assert_int_equal(r.u.call_put.out.delivery_count, wishes[i].wanted ? 1 : 0);
		store_request_fini(&r);
		ask_delete(b, &r, i);
		assert_int_equal(serve_drop(b, &r), 0);
	}
}

static void a_call_is_news_for_its_own_account_only(void **state)
{
	struct bed *b = *state;
	struct call_spec spec = {.call = 1, .status = CALL_COMPLETED, .account = OTHER_ACCOUNT};
	struct store_request r;

	make_webhook(b, 1, true);
	ask_put(b, &r, &spec);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_put.out.delivery_count, 0);
	store_request_fini(&r);
	store_request_init(&r, STORE_CALL_GET, NULL, NULL);
	r.u.call_get.in.account = ACCOUNT;
	r.u.call_get.in.id = id_of('c', 1);
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	spec.account = ACCOUNT;
	ask_put(b, &r, &spec);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_put.out.what, STORE_PUT_CREATED);
	assert_int_equal(r.u.call_put.out.delivery_count, 1);
	store_request_fini(&r);
}

static void each_webhook_gets_its_delivery_oldest_first(void **state)
{
	struct bed *b = *state;
	struct call_spec spec = {.call = 1, .status = CALL_COMPLETED};
	static const unsigned made[] = {5, 3, 9};
	struct store_request r;

	for (int i = 0; i < 3; i++) {
		make_webhook(b, made[i], true);
		ch_clock_virtual_advance(&b->clock, 1);
	}
	ask_put(b, &r, &spec);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_put.out.delivery_count, 3);
	for (int i = 0; i < 3; i++) {
		struct id webhook = id_of('w', made[i]);
		const struct delivery *d = &r.u.call_put.out.deliveries[i];

		assert_id_equal(&d->webhook_id, &webhook);
		if (i > 0)
			assert_true(id_compare(&d[-1].id, &d->id) < 0);
	}
	store_request_fini(&r);
}

static void a_disabled_webhook_parks_what_comes(void **state)
{
	struct bed *b = *state;
	struct call_spec spec = {.call = 1, .status = CALL_COMPLETED};
	struct store_request r;
	const struct delivery *d;

	make_webhook(b, 1, false);
	ask_put(b, &r, &spec);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_put.out.delivery_count, 1);
	d = &r.u.call_put.out.deliveries[0];
	assert_int_equal(d->state, DELIVERY_PARKED);
	assert_non_null(d->reason);
	assert_int_equal(state_of(b, &d->id), DELIVERY_PARKED);
	store_request_fini(&r);
	assert_ledger(b, ACCOUNT, 0, 0, 0, 1, 0);
}

static void a_version_keeps_its_bytes(void **state)
{
	struct bed *b = *state;
	struct call_spec spec = {.call = 1, .status = CALL_COMPLETED, .note = 10};
	struct store_request r;

	make_webhook(b, 1, true);
	ask_put(b, &r, &spec);
	assert_int_equal(serve_drop(b, &r), 0);
	spec.note = 11;
	ask_put(b, &r, &spec);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_claim(b, &r, 1, 10);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.claim.out.count, 1);
	assert_non_null(strstr(r.u.claim.out.rows[0].body->data, "\"note\":10,"));
	store_request_fini(&r);
}

int contract_calls(void)
{
	static const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(a_call_lives, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_delivery_is_made_as_the_call_says, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(created_is_kept_for_ever, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(if_match_guards, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(if_none_match_guards, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(webhooks_get_what_they_want, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_call_is_news_for_its_own_account_only, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					each_webhook_gets_its_delivery_oldest_first, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_disabled_webhook_parks_what_comes, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(a_version_keeps_its_bytes, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
