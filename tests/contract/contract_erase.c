#include "contract.h"

static const char secret[] = "what the receiver said";

static void ask_erase(const struct bed *b, struct store_request *r, unsigned call)
{
	store_request_init(r, STORE_CALL_ERASE, NULL, NULL);
	r->u.call_erase.in.account = ACCOUNT;
	r->u.call_erase.in.id = id_of('c', call);
	r->u.call_erase.in.now_ms = b->clock.wall.ms;
}

static int erase(const struct bed *b, unsigned call)
{
	struct store_request r;

	ask_erase(b, &r, call);
	return serve_drop(b, &r);
}

static int get_call(const struct bed *b, unsigned call)
{
	struct store_request r;

	store_request_init(&r, STORE_CALL_GET, NULL, NULL);
	r.u.call_get.in.account = ACCOUNT;
	r.u.call_get.in.id = id_of('c', call);
	return serve_drop(b, &r);
}

static int put_call(const struct bed *b, unsigned call, enum call_status status, unsigned note)
{
	struct store_request r;

	ask_put(b, &r, &(struct call_spec){.call = call, .status = status, .note = note});
	return serve_drop(b, &r);
}

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
	ch_free(r.u.attempt.in.attempt.answer);
	ch_free(r.u.attempt.in.attempt.location);
	r.u.attempt.in.attempt.answer = ch_memdup0(secret, strlen(secret));
	r.u.attempt.in.attempt.answer_len = strlen(secret);
	r.u.attempt.in.attempt.location = ch_strdup(secret);
	assert_int_equal(serve_drop(b, &r), 0);
}

/* How many attempts there are, and whether what was answered to each is there or not. */
static size_t attempts_with(const struct bed *b, const struct id *id, bool has_answer)
{
	struct store_request r;
	size_t count;

	store_request_init(&r, STORE_DELIVERY_GET, NULL, NULL);
	r.u.delivery_get.in.account = ACCOUNT;
	r.u.delivery_get.in.id = *id;
	r.u.delivery_get.in.attempt_limit = 100;
	assert_int_equal(serve(b, &r), 0);
	count = r.u.delivery_get.out.attempt_count;
	for (size_t i = 0; i < count; i++) {
		const struct attempt *a = &r.u.delivery_get.out.attempts[i];

		assert_int_equal(a->answer_len, has_answer ? strlen(secret) : 0);
		assert_int_equal(a->location != NULL, has_answer);
		assert_true(a->started_ms > 0);
	}
	store_request_fini(&r);
	return count;
}

/* What a delivery sends, or why it can't be had. */
static int get_body(const struct bed *b, const struct id *id, struct delivery *ret)
{
	struct store_request r;
	int rc;

	store_request_init(&r, STORE_DELIVERY_GET, NULL, NULL);
	r.u.delivery_get.in.account = ACCOUNT;
	r.u.delivery_get.in.id = *id;
	r.u.delivery_get.in.attempt_limit = 1;
	r.u.delivery_get.in.with_body = true;
	rc = serve(b, &r);
	if (rc == 0) {
		*ret = r.u.delivery_get.out.delivery;
		memset(&r.u.delivery_get.out.delivery, 0, sizeof(*ret));
	}
	store_request_fini(&r);
	return rc;
}

static void a_delivery_shows_the_version_it_was_made_for(void **state)
{
	struct bed *b = *state;
	struct delivery d, first, second;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	assert_int_equal(get_body(b, &d.id, &first), 0);
	assert_int_equal(put_call(b, 1, CALL_FAILED, 0), 0);
	assert_int_equal(get_body(b, &d.id, &second), 0);
	assert_true(first.body->len > 0);
	assert_int_equal(first.body->len, second.body->len);
	assert_memory_equal(first.body->data, second.body->data, first.body->len);
	assert_int_equal(second.version, 1);
	assert_int_equal(erase(b, 1), 0);
	assert_int_equal(get_body(b, &d.id, &second), CH_EGONE);
	delivery_fini(&d);
	delivery_fini(&first);
	delivery_fini(&second);
}

static void digest_of(const struct bed *b, const struct id *id, uint8_t ret[CH_SHA256_BYTES])
{
	struct store_request r;

	store_request_init(&r, STORE_DELIVERY_GET, NULL, NULL);
	r.u.delivery_get.in.account = ACCOUNT;
	r.u.delivery_get.in.id = *id;
	r.u.delivery_get.in.attempt_limit = 1;
	assert_int_equal(serve(b, &r), 0);
	assert_true(r.u.delivery_get.out.has_digest);
	memcpy(ret, r.u.delivery_get.out.body_sha256, CH_SHA256_BYTES);
	store_request_fini(&r);
}

/* Of each version its own: a delivery brought just one of them. */
static void digests_stay(void **state)
{
	struct bed *b = *state;
	struct call_spec spec = {.call = 1, .status = CALL_COMPLETED, .note = 1};
	uint8_t wanted[2][CH_SHA256_BYTES], got[CH_SHA256_BYTES];
	struct store_request r;
	struct id ids[2];

	make_webhook(b, 1, true);
	for (int i = 0; i < 2; i++) {
		ask_put(b, &r, &spec);
		assert_int_equal(serve(b, &r), 0);
		assert_int_equal(r.u.call_put.out.delivery_count, 1);
		ids[i] = r.u.call_put.out.deliveries[0].id;
		ch_sha256(r.u.call_put.out.body->data, r.u.call_put.out.body->len, wanted[i]);
		store_request_fini(&r);
		digest_of(b, &ids[i], got);
		assert_memory_equal(got, wanted[i], sizeof(got));
		spec.note++;
		spec.notify = true;
	}
	assert_int_equal(erase(b, 1), 0);
	if (flavour_is_durable(b->flavour))
		bed_restart(b);
	for (int i = 0; i < 2; i++) {
		digest_of(b, &ids[i], got);
		assert_memory_equal(got, wanted[i], sizeof(got));
	}
}

static void an_erased_call_is_gone_and_its_facts_stay(void **state)
{
	struct bed *b = *state;
	struct delivery done, other;

	make_webhook(b, 1, true);
	done = make_delivery(b, 1);
	other = make_delivery(b, 2);
	attempt(b, &done, 1, DELIVERY_PENDING);
	attempt(b, &done, 2, DELIVERY_DELIVERED);
	attempt(b, &other, 3, DELIVERY_FAILED);
	assert_int_equal(attempts_with(b, &done.id, true), 2);
	assert_int_equal(erase(b, 1), 0);
	assert_int_equal(get_call(b, 1), CH_EGONE);
	assert_int_equal(get_call(b, 2), 0);
	assert_int_equal(attempts_with(b, &done.id, false), 2);
	assert_int_equal(attempts_with(b, &other.id, true), 1);
	assert_int_equal(state_of(b, &done.id), DELIVERY_DELIVERED);
	assert_ledger(b, ACCOUNT, 0, 1, 1, 0, 0);
	delivery_fini(&done);
	delivery_fini(&other);
}

static void it_does_not_come_back(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	attempt(b, &d, 1, DELIVERY_FAILED);
	assert_int_equal(erase(b, 1), 0);
	assert_int_equal(put_call(b, 1, CALL_COMPLETED, 0), CH_EGONE);
	assert_int_equal(put_call(b, 1, CALL_FAILED, 7), CH_EGONE);
	ask_put(b, &r, &(struct call_spec){.call = 1, .status = CALL_COMPLETED});
	r.u.call_put.in.if_match_any = true;
	assert_int_equal(serve_drop(b, &r), CH_EGONE);
	assert_int_equal(resend(b, &d.id), CH_ECONFLICT);
	assert_int_equal(state_of(b, &d.id), DELIVERY_FAILED);
	assert_int_equal(erase(b, 1), 0);
	assert_ledger(b, ACCOUNT, 0, 0, 1, 0, 0);
	delivery_fini(&d);
}

static void what_was_to_be_sent_is_canceled(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery d, now;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	make_webhook(b, 2, false);
	ask_put(b, &r, &(struct call_spec){.call = 1, .status = CALL_FAILED, .note = 2, .notify = true});
	assert_int_equal(serve_drop(b, &r), 0);
	assert_ledger(b, ACCOUNT, 2, 0, 0, 1, 0);
	ch_clock_virtual_advance(&b->clock, 70);
	ask_erase(b, &r, 1);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_erase.out.count, 2); /* those PENDING */
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(state_of(b, &r.u.call_erase.out.canceled[i].delivery), DELIVERY_CANCELED);
	store_request_fini(&r);
	assert_ledger(b, ACCOUNT, 0, 0, 0, 0, 3);
	now = delivery_of(b, &d.id);
	assert_int_equal(now.finished_ms, NOW_MS + 70);
	assert_string_equal(now.reason, "the call was erased");
	assert_int_equal(lane_of(b, 1).next_due_ms, -1);
	ask_erase(b, &r, 1);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_erase.out.count, 0);
	store_request_fini(&r);
	delivery_fini(&now);
	delivery_fini(&d);
}

static void an_attempt_under_way_is_kept_without_its_answer(void **state)
{
	struct bed *b = *state;
	struct delivery well, badly;

	make_webhook(b, 1, true);
	well = make_delivery(b, 1);
	badly = make_delivery(b, 2);
	assert_int_equal(erase(b, 1), 0);
	assert_int_equal(erase(b, 2), 0);
	attempt(b, &well, 1, DELIVERY_DELIVERED);
	attempt(b, &badly, 2, DELIVERY_PENDING);
	assert_int_equal(state_of(b, &well.id), DELIVERY_DELIVERED);
	assert_int_equal(state_of(b, &badly.id), DELIVERY_CANCELED);
	assert_int_equal(attempts_with(b, &well.id, false), 1);
	assert_int_equal(attempts_with(b, &badly.id, false), 1);
	assert_ledger(b, ACCOUNT, 0, 1, 0, 0, 1);
	delivery_fini(&well);
	delivery_fini(&badly);
}

static void a_live_call_can_be_erased(void **state)
{
	struct bed *b = *state;

	make_webhook(b, 1, true);
	assert_int_equal(put_call(b, 1, CALL_IN_PROGRESS, 0), 0);
	assert_int_equal(erase(b, 1), 0);
	assert_int_equal(put_call(b, 1, CALL_COMPLETED, 0), CH_EGONE);
	assert_ledger(b, ACCOUNT, 0, 0, 0, 0, 0);
}

static void only_ones_own_call_can_be_erased(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	assert_int_equal(erase(b, 1), CH_ENOENT);
	assert_int_equal(put_call(b, 1, CALL_COMPLETED, 0), 0);
	ask_erase(b, &r, 1);
	r.u.call_erase.in.account = OTHER_ACCOUNT;
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	assert_int_equal(get_call(b, 1), 0);
}

/* Put, erased, attempted and put again within one transaction. */
static void a_batch_sees_what_it_erased(void **state)
{
	struct bed *b = *state;
	struct store_request r[3], *batch[] = {&r[0], &r[1], &r[2]};

	make_webhook(b, 1, true);
	ask_put(b, &r[0], &(struct call_spec){.call = 1, .status = CALL_COMPLETED});
	ask_erase(b, &r[1], 1);
	ask_put(b, &r[2], &(struct call_spec){.call = 1, .status = CALL_COMPLETED});
	assert_int_equal(b->store->ops->write(b->store, batch, 3, NULL), 0);
	assert_int_equal(r[0].result, 0);
	assert_int_equal(r[1].result, 0);
	assert_int_equal(r[1].u.call_erase.out.count, 1);
	assert_int_equal(r[2].result, CH_EGONE);
	for (int i = 0; i < 3; i++)
		store_request_fini(&r[i]);
	assert_int_equal(get_call(b, 1), CH_EGONE);
	assert_ledger(b, ACCOUNT, 0, 0, 0, 0, 1);
}

static void it_stays_erased_after_a_restart(void **state)
{
	struct bed *b = *state;
	struct delivery d;

	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	attempt(b, &d, 1, DELIVERY_FAILED);
	assert_int_equal(erase(b, 1), 0);
	if (flavour_is_durable(b->flavour))
		bed_restart(b);
	assert_int_equal(get_call(b, 1), CH_EGONE);
	assert_int_equal(put_call(b, 1, CALL_COMPLETED, 0), CH_EGONE);
	assert_int_equal(attempts_with(b, &d.id, false), 1);
	delivery_fini(&d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)

int contract_erase(void)
{
	static const struct CMUnitTest tests[] = {
			TEST(a_delivery_shows_the_version_it_was_made_for),
			TEST(an_erased_call_is_gone_and_its_facts_stay),
			TEST(digests_stay),
			TEST(it_does_not_come_back),
			TEST(what_was_to_be_sent_is_canceled),
			TEST(an_attempt_under_way_is_kept_without_its_answer),
			TEST(a_live_call_can_be_erased),
			TEST(only_ones_own_call_can_be_erased),
			TEST(a_batch_sees_what_it_erased),
			TEST(it_stays_erased_after_a_restart),
	};

	return cmocka_run_group_tests_name("erase", tests, NULL, NULL);
}
