#include <stdio.h>

#include "contract.h"

/* Events are made by the writes that are their cause, for the account's receiver and the operator's. */

#define HOOK 1
#define OWN 91 /* receives ACCOUNT's events */
#define OPERATORS 92

#define EVENTS (-ACCOUNT)

static void create_account(const struct bed *b, const char *id)
{
	struct store_request r;

	store_request_init(&r, STORE_ACCOUNT_CREATE, NULL, NULL);
	snprintf(r.u.account_create.in.account.id, ACCOUNT_ID_MAX, "%s", id);
	assert_int_equal(serve_drop(b, &r), 0);
}

/* Both accounts with a webhook each, and the receivers of the first one's events and of all. */
static void prepare(const struct bed *b)
{
	create_account(b, "one");
	create_account(b, "two");
	make_webhook(b, HOOK, true);
	make_webhook_of(b, OTHER_ACCOUNT, 2);
	make_webhook_of(b, EVENTS, OWN);
	make_webhook_of(b, EVENT_OPERATOR, OPERATORS);
}

static int64_t pending(const struct bed *b, unsigned webhook)
{
	return lane_of(b, webhook).pending;
}

/* The body of the one event that waits for a receiver. */
struct text {
	char is[2048];
};

static struct text event_of(const struct bed *b, unsigned webhook)
{
	struct text text = {""};
	struct store_request r;

	ask_claim(b, &r, webhook, 1000);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.claim.out.count, 1);
	assert_in_range(r.u.claim.out.rows[0].body->len, 2, sizeof(text.is) - 1);
	memcpy(text.is, r.u.claim.out.rows[0].body->data, r.u.claim.out.rows[0].body->len);
	store_request_fini(&r);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("%s has no %s", text, part);
}

static int fail_delivery(const struct bed *b, const struct delivery *d, unsigned attempt)
{
	struct store_request r;

	ask_attempt(b, &r, d, attempt, DELIVERY_FAILED);
	r.u.attempt.in.next.reason = ch_strdup("no try is left; the last: answered 500");
	return serve_drop(b, &r);
}

static void a_delivery_that_failed_is_told_with_its_attempt(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	prepare(b);
	struct delivery d = make_delivery(b, 7);
	ask_attempt(b, &r, &d, 1, DELIVERY_PENDING);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.events.count, 0);
	store_request_fini(&r);
	ask_attempt(b, &r, &d, 2, DELIVERY_FAILED);
	r.u.attempt.in.next.reason = ch_strdup("no try is left; the last: answered 500");
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.events.count, 2);
	assert_int_equal(r.events.made, 2);
	struct id own = id_of('w', OWN), all = id_of('w', OPERATORS);
	assert_id_equal(&r.events.webhooks[0], &own);
	assert_id_equal(&r.events.webhooks[1], &all);
	store_request_fini(&r);
	struct text text = event_of(b, OWN);
	assert_has(text.is,
			"{\"type\":\"delivery.failed\",\"time\":\"2024-07-30T14:35:00Z\",\"account\":\"one\","
			"\"dropped\":0,\"data\":{\"webhookId\":\"77000000-0000-4000-8000-000000000001\","
			"\"url\":\"https://example.com/hook\",\"deliveryId\":\"");
	assert_has(text.is, "\"callId\":\"63000000-0000-4000-8000-000000000007\",\"attempts\":2,"
			    "\"reason\":\"no try is left; the last: answered 500\"}}");
	struct text same = event_of(b, OPERATORS);
	assert_string_equal(same.is, text.is);
	/* The same attempt again, and a late one, fail nothing anew. */
	assert_int_equal(fail_delivery(b, &d, 2), 0);
	assert_int_equal(fail_delivery(b, &d, 3), 0);
	assert_int_equal(pending(b, OWN), 1);
	assert_ledger(b, ACCOUNT, 0, 0, 1, 0, 0);
	delivery_fini(&d);
}

static void the_first_try_may_be_the_last(void **state)
{
	struct bed *b = *state;

	prepare(b);
	struct delivery d = make_delivery(b, 7);
	assert_int_equal(fail_delivery(b, &d, 1), 0);
	assert_has(event_of(b, OWN).is, "\"attempts\":1,");
	delivery_fini(&d);
}

static void one_that_was_delivered_before_never_failed(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	prepare(b);
	struct delivery d = make_delivery(b, 7);
	ask_attempt(b, &r, &d, 1, DELIVERY_DELIVERED);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_resend(b, &r, &d.id);
	assert_int_equal(serve_drop(b, &r), 0);
	d.round = 1;
	assert_int_equal(fail_delivery(b, &d, 2), 0);
	assert_int_equal(state_of(b, &d.id), DELIVERY_DELIVERED);
	assert_int_equal(pending(b, OWN), 0);
	delivery_fini(&d);
}

static void switching_off_is_told_when_there_is_a_reason(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	prepare(b);
	ask_update(b, &r, HOOK, false, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_update(b, &r, HOOK, true, 2);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(pending(b, OWN), 0);
	ask_update(b, &r, HOOK, false, 3);
	r.u.webhook_update.in.webhook.disabled_reason = ch_strdup("the receiver answered 410 Gone");
	r.u.webhook_update.in.now_ms = NOW_MS + 1000;
	assert_int_equal(serve_drop(b, &r), 0);
	ask_update(b, &r, HOOK, false, 4);
	r.u.webhook_update.in.webhook.disabled_reason = ch_strdup("the receiver answered 410 Gone");
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(pending(b, OWN), 1);
	b->clock.wall.ms += 1000;
	struct text text = event_of(b, OWN);
	assert_has(text.is, "{\"type\":\"webhook.disabled\",\"time\":\"2024-07-30T14:35:01Z\",");
	assert_has(text.is, ",\"reason\":\"the receiver answered 410 Gone\"}}");
}

static void a_dead_webhook_is_told_of_when_the_engine_says_so(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	prepare(b);
	ask_dead(b, &r, HOOK);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_has(event_of(b, OWN).is, "{\"type\":\"webhook.dead\",");
	assert_has(event_of(b, OWN).is, ",\"reason\":\"5 attempts in a row failed\"}}");
	ask_dead(b, &r, HOOK);
	r.u.event.in.account = OTHER_ACCOUNT;
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	ask_delete(b, &r, HOOK);
	assert_int_equal(serve_drop(b, &r), 0);
	ask_dead(b, &r, HOOK);
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	assert_int_equal(pending(b, OWN), 1);
}

static void a_replay_is_told_of_when_it_is_done(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	bool more = true;

	prepare(b);
	struct delivery d = make_delivery(b, 7);
	ask_attempt(b, &r, &d, 1, DELIVERY_DELIVERED);
	assert_int_equal(serve_drop(b, &r), 0);
	store_request_init(&r, STORE_REPLAY_CREATE, NULL, NULL);
	r.u.replay_create.in.account = ACCOUNT;
	r.u.replay_create.in.replay = (struct replay){.id = id_of('r', 1),
			.webhook_id = id_of('w', HOOK),
			.to_ms = NOW_MS * 2,
			.statuses = 1u << CALL_COMPLETED,
			.states = 1u << DELIVERY_DELIVERED};
	assert_int_equal(serve_drop(b, &r), 0);
	for (int steps = 0; more; steps++) {
		assert_int_equal(pending(b, OWN), 0);
		store_request_init(&r, STORE_REPLAY_STEP, NULL, NULL);
		r.u.replay_step.in.id = id_of('r', 1);
		r.u.replay_step.in.limit = 1;
		r.u.replay_step.in.now_ms = NOW_MS;
		assert_int_equal(serve(b, &r), 0);
		more = r.u.replay_step.out.more;
		assert_int_equal(r.events.count, more ? 0 : 2);
		store_request_fini(&r);
	}
	assert_has(event_of(b, OWN).is, "{\"type\":\"replay.finished\",");
	assert_has(event_of(b, OWN).is,
			",\"replayId\":\"72000000-0000-4000-8000-000000000001\",\"examined\":1,"
			"\"resent\":1,\"made\":0,\"skipped\":0}}");
	delivery_fini(&d);
}

static struct delivery first_event(const struct bed *b, unsigned webhook, int64_t account)
{
	struct delivery d;
	struct store_request r;

	ask_claim(b, &r, webhook, 1);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.claim.out.count, 1);
	d = (struct delivery){.id = r.u.claim.out.rows[0].id,
			.account = account,
			.webhook_id = id_of('w', webhook)};
	store_request_fini(&r);
	return d;
}

/* An event that fails, and a receiver that is switched off or dead, make no events. */
static void nothing_is_told_of_what_tells(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	prepare(b);
	ask_dead(b, &r, HOOK);
	assert_int_equal(serve_drop(b, &r), 0);
	struct delivery own = first_event(b, OWN, EVENTS), all = first_event(b, OPERATORS, EVENT_OPERATOR);
	assert_int_equal(fail_delivery(b, &own, 1), 0);
	assert_int_equal(fail_delivery(b, &all, 2), 0);
	ask_dead(b, &r, OWN);
	r.u.event.in.account = EVENTS;
	assert_int_equal(serve_drop(b, &r), 0);
	ask_update(b, &r, OWN, false, 1);
	r.u.webhook_update.in.webhook.account = EVENTS;
	r.u.webhook_update.in.webhook.disabled_reason = ch_strdup("gone");
	assert_int_equal(serve_drop(b, &r), 0);
	assert_ledger(b, EVENTS, 0, 0, 1, 0, 0);
	assert_int_equal(pending(b, OPERATORS), 0);
}

static void others_hear_nothing_and_see_nothing(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	prepare(b);
	make_webhook_of(b, ops_event_account(OTHER_ACCOUNT), 93);
	ask_dead(b, &r, HOOK);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(pending(b, OWN), 1);
	assert_int_equal(pending(b, OPERATORS), 1);
	assert_int_equal(pending(b, 93), 0);
	for (int64_t account = ACCOUNT; account <= OTHER_ACCOUNT; account++) {
		store_request_init(&r, STORE_WEBHOOK_LIST, NULL, NULL);
		r.u.webhook_list.in.account = account;
		assert_int_equal(serve(b, &r), 0);
		assert_int_equal(r.u.webhook_list.out.count, 1);
		store_request_fini(&r);
		ask_list(&r, 10);
		r.u.delivery_list.in.account = account;
		assert_int_equal(serve(b, &r), 0);
		assert_int_equal(r.u.delivery_list.out.count, 0);
		store_request_fini(&r);
		assert_ledger(b, account, 0, 0, 0, 0, 0);
	}
	assert_ledger(b, 0, 0, 0, 0, 0, 0); /* over all */
}

static void what_happens_without_a_receiver_is_not_kept(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	make_webhook(b, HOOK, true);
	struct delivery d = make_delivery(b, 7);
	assert_int_equal(fail_delivery(b, &d, 1), 0);
	ask_dead(b, &r, HOOK);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.events.made + r.events.dropped + r.events.count, 0);
	store_request_fini(&r);
	make_webhook_of(b, EVENTS, OWN);
	assert_int_equal(pending(b, OWN), 0);
	delivery_fini(&d);
}

/* A receiver that is switched off is no reason to forget; that it is, is none to wake anybody. */
static void for_a_receiver_that_is_off_they_are_parked(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	make_webhook(b, HOOK, true);
	ask_webhook(b, &r, OWN, false);
	r.u.webhook_create.in.webhook.account = EVENTS;
	assert_int_equal(serve_drop(b, &r), 0);
	ask_dead(b, &r, HOOK);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.events.made, 1);
	assert_int_equal(r.events.count, 0);
	store_request_fini(&r);
	assert_ledger(b, EVENTS, 0, 0, 0, 1, 0);
}

/* So many in one transaction that each makes an event. */
static void tell_often(const struct bed *b, size_t times, size_t *ret_dropped)
{
	enum { PART = 500 };
	struct store_request *rows = calloc(PART, sizeof(*rows)), *list[PART];

	*ret_dropped = 0;
	while (times > 0) {
		size_t n = times < PART ? times : PART;

		for (size_t i = 0; i < n; i++) {
			ask_dead(b, &rows[i], HOOK);
			list[i] = &rows[i];
		}
		assert_int_equal(b->store->ops->write(b->store, list, n, NULL), 0);
		for (size_t i = 0; i < n; i++) {
			*ret_dropped += rows[i].events.dropped;
			store_request_fini(&rows[i]);
		}
		times -= n;
	}
	free(rows);
}

static void no_more_wait_than_there_is_room_for(void **state)
{
	struct bed *b = *state;
	size_t dropped;

	make_webhook(b, HOOK, true);
	make_webhook_of(b, EVENTS, OWN);
	tell_often(b, 10000, &dropped);
	assert_int_equal(dropped, 0);
	tell_often(b, 7, &dropped);
	assert_int_equal(dropped, 7);
	assert_int_equal(pending(b, OWN), 10000);
	if (flavour_is_durable(b->flavour))
		bed_restart(b);
	struct delivery d = first_event(b, OWN, EVENTS);
	struct store_request r;
	ask_attempt(b, &r, &d, 1, DELIVERY_DELIVERED);
	assert_int_equal(serve_drop(b, &r), 0);
	b->clock.wall.ms += 60000;
	tell_often(b, 2, &dropped);
	assert_int_equal(dropped, 1);
	/* The one that found room says how many before it did not. */
	ask_claim(b, &r, OWN, 20000);
	r.u.claim.in.max_bytes = SIZE_MAX;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.claim.out.count, 10000);
	assert_has(r.u.claim.out.rows[0].body->data, "\"dropped\":0,");
	assert_has(r.u.claim.out.rows[9999].body->data, "\"dropped\":7,");
	store_request_fini(&r);
}

static void an_account_takes_its_events_along(void **state)
{
	struct bed *b = *state;
	struct store_request r;

	prepare(b);
	struct delivery d = make_delivery(b, 7);
	ask_dead(b, &r, HOOK);
	assert_int_equal(serve_drop(b, &r), 0);
	store_request_init(&r, STORE_ACCOUNT_DELETE, NULL, NULL);
	r.u.account_delete.in.number = ACCOUNT;
	r.u.account_delete.in.now_ms = NOW_MS;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.account_delete.out.webhook_count, 2);
	store_request_fini(&r);
	ask_webhook(b, &r, 94, true);
	r.u.webhook_create.in.webhook.account = EVENTS;
	assert_int_equal(serve_drop(b, &r), CH_ENOENT);
	/* A late attempt of a deleted account is nobody's news. */
	assert_int_equal(fail_delivery(b, &d, 1), 0);
	assert_int_equal(pending(b, OPERATORS), 1);
	sweep_all(b, HOOK, 10);
	store_request_init(&r, STORE_SWEEPS, NULL, NULL);
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.sweeps.out.account_count, 0);
	store_request_fini(&r);
	assert_int_equal(sweep_all(b, OWN, 10), 1);
	bool more = true;
	while (more) {
		store_request_init(&r, STORE_ACCOUNT_SWEEP, NULL, NULL);
		r.u.account_sweep.in.number = ACCOUNT;
		r.u.account_sweep.in.limit = 1;
		assert_int_equal(serve(b, &r), 0);
		more = r.u.account_sweep.out.more;
		store_request_fini(&r);
	}
	ask_list(&r, 10);
	r.u.delivery_list.in.account = EVENTS;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.delivery_list.out.count, 0);
	store_request_fini(&r);
	assert_int_equal(pending(b, OPERATORS), 1);
	delivery_fini(&d);
}

static void the_same_batch_may_hold_cause_and_receiver(void **state)
{
	struct bed *b = *state;
	struct store_request rows[3], *list[] = {&rows[0], &rows[1], &rows[2]};

	ask_webhook(b, &rows[0], HOOK, true);
	ask_webhook(b, &rows[1], OWN, true);
	rows[1].u.webhook_create.in.webhook.account = EVENTS;
	ask_dead(b, &rows[2], HOOK);
	assert_int_equal(b->store->ops->write(b->store, list, 3, NULL), 0);
	assert_int_equal(rows[2].events.count, 1);
	for (int i = 0; i < 3; i++)
		store_request_fini(&rows[i]);
	assert_int_equal(pending(b, OWN), 1);
}

#define ONE(f) cmocka_unit_test_setup_teardown(f, bed_setup, bed_teardown)

int contract_events(void)
{
	const struct CMUnitTest tests[] = {
			ONE(a_delivery_that_failed_is_told_with_its_attempt),
			ONE(the_first_try_may_be_the_last),
			ONE(one_that_was_delivered_before_never_failed),
			ONE(switching_off_is_told_when_there_is_a_reason),
			ONE(a_dead_webhook_is_told_of_when_the_engine_says_so),
			ONE(a_replay_is_told_of_when_it_is_done),
			ONE(nothing_is_told_of_what_tells),
			ONE(others_hear_nothing_and_see_nothing),
			ONE(what_happens_without_a_receiver_is_not_kept),
			ONE(for_a_receiver_that_is_off_they_are_parked),
			ONE(no_more_wait_than_there_is_room_for),
			ONE(an_account_takes_its_events_along),
			ONE(the_same_batch_may_hold_cause_and_receiver),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
