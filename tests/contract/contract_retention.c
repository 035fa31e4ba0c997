#include <stdio.h>

#include "contract.h"
#include "store/rules.h"
#include "store/store_check.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define KEPT_MS (10 * DAY_MS)

struct removed {
	size_t canceled, calls, attempts, replays, steps;
};

/* ---- the check of what is stored ---- */

/* The suite's records are no real ones; anything else that is found is wrong. */
static void on_finding(void *ctx, const char *where, const char *what)
{
	if (strcmp(what, "its record can't be read") != 0)
		fail_msg("%s: %s", where, what);
}

static void on_note(void *ctx, const char *where, const char *what)
{
}

static void on_account(void *ctx, const char *id, const struct ledger *counts)
{
}

static void check_store(const struct bed *b)
{
	struct store_check_sink sink = {on_finding, on_note, on_account, NULL};
	struct store_check_totals totals;
	struct ch_err err = {0};
	char path[128];

	if (!flavour_is_durable(b->flavour))
		return;
	snprintf(path, sizeof(path), "%s/store.db", b->dir);
	if (store_sqlite_check(path, &sink, &totals, &err) != 0)
		fail_msg("%s", err.text);
}

/* ---- short ways ---- */

static void make_account(const struct bed *b)
{
	struct store_request r;

	store_request_init(&r, STORE_ACCOUNT_CREATE, NULL, NULL);
	strcpy(r.u.account_create.in.account.id, "default");
	r.u.account_create.in.account.created_ms = b->clock.wall.ms;
	assert_int_equal(serve_drop(b, &r), 0);
}

static void ask_step(const struct bed *b, struct store_request *r, int64_t calls_ms, int64_t attempts_ms)
{
	int64_t now_ms = b->clock.wall.ms;

	store_request_init(r, STORE_RETENTION_STEP, NULL, NULL);
	r->u.retention_step.in.now_ms = now_ms;
	r->u.retention_step.in.calls_before_ms = calls_ms == 0 ? INT64_MIN : now_ms - calls_ms;
	r->u.retention_step.in.attempts_before_ms = attempts_ms == 0 ? INT64_MIN : now_ms - attempts_ms;
}

/* A whole round. */
static struct removed retain(const struct bed *b, int64_t calls_ms, int64_t attempts_ms, size_t limit)
{
	struct store_retention_place place = {0, 0};
	struct removed sum = {0};
	bool more = true;

	while (more) {
		struct store_request r;

		ask_step(b, &r, calls_ms, attempts_ms);
		r.u.retention_step.in.limit = limit;
		r.u.retention_step.in.place = place;
		assert_int_equal(serve(b, &r), 0);
		sum.canceled += r.u.retention_step.out.canceled;
		sum.calls += r.u.retention_step.out.calls;
		sum.attempts += r.u.retention_step.out.attempts;
		sum.replays += r.u.retention_step.out.replays;
		sum.steps++;
		place = r.u.retention_step.out.place;
		more = r.u.retention_step.out.more;
		store_request_fini(&r);
		check_store(b);
		assert_true(sum.steps < 1000);
	}
	return sum;
}

static size_t calls_gone(const struct bed *b)
{
	return retain(b, KEPT_MS, 0, 100).calls;
}

static void pass(struct bed *b, int64_t ms)
{
	ch_clock_virtual_advance(&b->clock, ms);
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

static int erase(const struct bed *b, unsigned call)
{
	struct store_request r;

	store_request_init(&r, STORE_CALL_ERASE, NULL, NULL);
	r.u.call_erase.in.account = ACCOUNT;
	r.u.call_erase.in.id = id_of('c', call);
	r.u.call_erase.in.now_ms = b->clock.wall.ms;
	return serve_drop(b, &r);
}

static void attempt(const struct bed *b, const struct delivery *d, unsigned n, enum delivery_state next)
{
	struct store_request r;

	ask_attempt(b, &r, d, n, next);
	if (next == DELIVERY_FAILED)
		r.u.attempt.in.next.reason = ch_strdup("the last try failed");
	assert_int_equal(serve_drop(b, &r), 0);
}

/* A delivery of a new call, brought to that state by an attempt of the call's number. */
static struct id made(const struct bed *b, unsigned call, enum delivery_state state)
{
	struct delivery d = make_delivery(b, call);
	struct id id = d.id;

	if (state != DELIVERY_PENDING)
		attempt(b, &d, call, state);
	delivery_fini(&d);
	return id;
}

/* How many attempts are there; -1: there is no such delivery. */
static int attempts_of(const struct bed *b, const struct id *id)
{
	struct store_request r;
	int count = -1;

	store_request_init(&r, STORE_DELIVERY_GET, NULL, NULL);
	r.u.delivery_get.in.account = ACCOUNT;
	r.u.delivery_get.in.id = *id;
	r.u.delivery_get.in.attempt_limit = 100;
	if (serve(b, &r) == 0)
		count = (int)r.u.delivery_get.out.attempt_count;
	store_request_fini(&r);
	return count;
}

static size_t count_listed(const struct bed *b)
{
	struct store_request r;
	size_t count;

	ask_list(&r, 100);
	assert_int_equal(serve(b, &r), 0);
	count = r.u.delivery_list.out.count;
	store_request_fini(&r);
	return count;
}

/* ---- calls ---- */

static void an_old_call_goes_whole_and_stays_counted(void **state)
{
	struct bed *b = *state;
	struct id delivered, failed, young;

	make_account(b);
	make_webhook(b, 1, true);
	delivered = made(b, 1, DELIVERY_DELIVERED);
	failed = made(b, 2, DELIVERY_FAILED);
	pass(b, KEPT_MS);
	assert_int_equal(calls_gone(b), 0);
	young = made(b, 3, DELIVERY_DELIVERED);
	pass(b, 1);
	assert_int_equal(calls_gone(b), 2);
	assert_int_equal(get_call(b, 1), CH_ENOENT);
	assert_int_equal(get_call(b, 2), CH_ENOENT);
	assert_int_equal(get_call(b, 3), 0);
	assert_int_equal(attempts_of(b, &delivered), -1);
	assert_int_equal(attempts_of(b, &failed), -1);
	assert_int_equal(attempts_of(b, &young), 1);
	assert_int_equal(count_listed(b), 1);
	assert_ledger(b, ACCOUNT, 0, 2, 1, 0, 0);
	if (flavour_is_durable(b->flavour))
		bed_restart(b);
	assert_ledger(b, ACCOUNT, 0, 2, 1, 0, 0);
	assert_int_equal(put_call(b, 1, CALL_COMPLETED, 1), 0);
	assert_ledger(b, ACCOUNT, 1, 2, 1, 0, 0);
	check_store(b);
}

static void what_is_to_be_delivered_keeps_its_call(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct delivery first, second;

	make_account(b);
	make_webhook(b, 1, true);
	make_webhook(b, 2, true);
	ask_put(b, &r, &(struct call_spec){.call = 1, .status = CALL_COMPLETED});
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.call_put.out.delivery_count, 2);
	first = r.u.call_put.out.deliveries[0];
	second = r.u.call_put.out.deliveries[1];
	attempt(b, &first, 1, DELIVERY_DELIVERED);
	attempt(b, &second, 2, DELIVERY_PENDING);
	pass(b, KEPT_MS * 5);
	assert_int_equal(calls_gone(b), 0);
	assert_int_equal(get_call(b, 1), 0);
	assert_int_equal(attempts_of(b, &first.id), 1);
	attempt(b, &second, 3, DELIVERY_DELIVERED);
	assert_int_equal(calls_gone(b), 0);
	pass(b, RULES_RETENTION_SEEN_MS);
	assert_int_equal(calls_gone(b), 1);
	assert_int_equal(attempts_of(b, &second.id), -1);
	assert_ledger(b, ACCOUNT, 0, 2, 0, 0, 0);
	store_request_fini(&r);
}

static void a_call_without_deliveries_goes_a_live_one_too(void **state)
{
	struct bed *b = *state;

	make_account(b);
	assert_int_equal(put_call(b, 1, CALL_IN_PROGRESS, 1), 0);
	assert_int_equal(put_call(b, 2, CALL_REJECTED, 1), 0);
	pass(b, KEPT_MS + 1);
	assert_int_equal(calls_gone(b), 2);
	assert_int_equal(get_call(b, 1), CH_ENOENT);
	assert_int_equal(get_call(b, 2), CH_ENOENT);
}

static void a_call_is_as_old_as_its_latest_version(void **state)
{
	struct bed *b = *state;
	struct id id;

	make_account(b);
	make_webhook(b, 1, true);
	assert_int_equal(put_call(b, 1, CALL_IN_PROGRESS, 1), 0);
	id = made(b, 1, DELIVERY_DELIVERED);
	pass(b, KEPT_MS);
	assert_int_equal(put_call(b, 1, CALL_COMPLETED, 7), 0);
	pass(b, KEPT_MS);
	assert_int_equal(calls_gone(b), 0);
	assert_int_equal(attempts_of(b, &id), 1);
	pass(b, 1);
	assert_int_equal(calls_gone(b), 1);
	assert_int_equal(attempts_of(b, &id), -1);
}

static void what_was_sent_again_stays_a_day(void **state)
{
	struct bed *b = *state;
	struct delivery d;
	struct store_request r;

	make_account(b);
	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	attempt(b, &d, 1, DELIVERY_FAILED);
	pass(b, KEPT_MS * 2);
	ask_resend(b, &r, &d.id);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(calls_gone(b), 0);
	d.round = 1;
	attempt(b, &d, 2, DELIVERY_DELIVERED);
	pass(b, RULES_RETENTION_SEEN_MS - 1);
	assert_int_equal(calls_gone(b), 0);
	assert_int_equal(state_of(b, &d.id), DELIVERY_DELIVERED);
	pass(b, 1);
	assert_int_equal(calls_gone(b), 1);
	delivery_fini(&d);
}

static void what_was_parked_too_long_is_canceled(void **state)
{
	struct bed *b = *state;
	struct id old, young;
	struct delivery d;

	make_account(b);
	make_webhook(b, 1, false);
	old = made(b, 1, DELIVERY_PENDING);
	pass(b, KEPT_MS);
	young = made(b, 2, DELIVERY_PENDING);
	assert_int_equal(retain(b, KEPT_MS, 0, 100).canceled, 0);
	pass(b, 1);
	assert_int_equal(retain(b, KEPT_MS, 0, 100).canceled, 1);
	d = delivery_of(b, &old);
	assert_int_equal(d.state, DELIVERY_CANCELED);
	assert_int_equal(d.finished_ms, b->clock.wall.ms);
	assert_string_equal(d.reason, rules_expired);
	delivery_fini(&d);
	assert_int_equal(state_of(b, &young), DELIVERY_PARKED);
	assert_ledger(b, ACCOUNT, 0, 0, 0, 1, 1);
	assert_int_equal(calls_gone(b), 0);
	pass(b, RULES_RETENTION_SEEN_MS);
	assert_int_equal(calls_gone(b), 1);
	assert_int_equal(attempts_of(b, &old), -1);
	assert_int_equal(get_call(b, 2), 0);
	assert_int_equal(state_of(b, &young), DELIVERY_PARKED);
	assert_ledger(b, ACCOUNT, 0, 0, 0, 1, 1);
}

static void what_is_just_being_released_is_not_canceled(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct id id;

	make_account(b);
	make_webhook(b, 1, false);
	id = made(b, 1, DELIVERY_PENDING);
	pass(b, KEPT_MS * 2);
	ask_update(b, &r, 1, true, 1);
	r.u.webhook_update.in.release = true;
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(retain(b, KEPT_MS, 0, 100).canceled, 0);
	assert_int_equal(sweep_all(b, 1, 10), 1);
	assert_int_equal(state_of(b, &id), DELIVERY_PENDING);
	assert_int_equal(calls_gone(b), 0);
}

static void an_erased_call_does_not_come_back(void **state)
{
	struct bed *b = *state;
	struct id id;

	make_account(b);
	make_webhook(b, 1, true);
	assert_int_equal(put_call(b, 1, CALL_IN_PROGRESS, 1), 0);
	id = made(b, 1, DELIVERY_DELIVERED);
	made(b, 2, DELIVERY_DELIVERED);
	assert_int_equal(erase(b, 1), 0);
	pass(b, KEPT_MS + 1);
	assert_int_equal(calls_gone(b), 2);
	assert_int_equal(attempts_of(b, &id), -1);
	assert_int_equal(calls_gone(b), 0);
	if (flavour_is_durable(b->flavour))
		bed_restart(b);
	assert_int_equal(get_call(b, 1), CH_EGONE);
	assert_int_equal(put_call(b, 1, CALL_COMPLETED, 9), CH_EGONE);
	assert_int_equal(erase(b, 1), 0);
	assert_int_equal(get_call(b, 2), CH_ENOENT);
	pass(b, KEPT_MS * 100);
	assert_int_equal(calls_gone(b), 0);
	assert_int_equal(put_call(b, 1, CALL_COMPLETED, 9), CH_EGONE);
	assert_ledger(b, ACCOUNT, 0, 2, 0, 0, 0);
}

static void a_deleted_webhooks_rows_go_as_well(void **state)
{
	struct bed *b = *state;
	struct store_request r;
	struct id id;

	make_account(b);
	make_webhook(b, 1, true);
	id = made(b, 1, DELIVERY_PENDING);
	ask_delete(b, &r, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	assert_int_equal(sweep_all(b, 1, 10), 1);
	pass(b, KEPT_MS + 1);
	assert_int_equal(calls_gone(b), 1);
	assert_int_equal(attempts_of(b, &id), -1);
	assert_ledger(b, ACCOUNT, 0, 0, 0, 0, 1);
}

/* ---- steps ---- */

static void a_round_goes_in_small_steps_past_what_stays(void **state)
{
	struct bed *b = *state;
	struct id stays;
	struct removed sum;

	make_account(b);
	make_webhook(b, 1, true);
	stays = made(b, 1, DELIVERY_PENDING);
	for (unsigned i = 2; i <= 40; i++)
		made(b, i, i % 10 == 0 ? DELIVERY_PENDING : DELIVERY_DELIVERED);
	pass(b, KEPT_MS + 1);
	sum = retain(b, KEPT_MS, 0, 6);
	assert_int_equal(sum.calls, 35);
	/* A call is three rows here. */
	if (flavour_is_durable(b->flavour))
		assert_true(sum.steps >= 35 / 2);
	assert_int_equal(state_of(b, &stays), DELIVERY_PENDING);
	assert_int_equal(count_listed(b), 5);
	assert_ledger(b, ACCOUNT, 5, 35, 0, 0, 0);
	sum = retain(b, KEPT_MS, 0, 6);
	assert_int_equal(sum.calls, 0);
	assert_true(sum.steps < 10);
}

static void parked_rows_are_canceled_in_small_steps(void **state)
{
	struct bed *b = *state;
	struct removed sum;

	make_account(b);
	for (unsigned w = 1; w <= 3; w++)
		make_webhook(b, w, false);
	for (unsigned i = 1; i <= 10; i++)
		assert_int_equal(put_call(b, i, CALL_COMPLETED, 1), 0);
	pass(b, KEPT_MS + 1);
	sum = retain(b, KEPT_MS, 0, 4);
	assert_int_equal(sum.canceled, 30);
	if (flavour_is_durable(b->flavour))
		assert_true(sum.steps >= 30 / 4);
	assert_ledger(b, ACCOUNT, 0, 0, 0, 0, 30);
}

static void what_is_kept_for_ever_stays(void **state)
{
	struct bed *b = *state;
	struct id id;
	struct removed sum;

	make_account(b);
	make_webhook(b, 1, true);
	id = made(b, 1, DELIVERY_DELIVERED);
	pass(b, KEPT_MS * 1000);
	sum = retain(b, 0, 0, 10);
	assert_int_equal(sum.calls + sum.attempts, 0);
	assert_int_equal(attempts_of(b, &id), 1);
	sum = retain(b, 0, KEPT_MS, 10);
	assert_int_equal(sum.calls, 0);
	assert_int_equal(sum.attempts, 1);
	assert_int_equal(state_of(b, &id), DELIVERY_DELIVERED);
	assert_int_equal(retain(b, KEPT_MS, 0, 10).calls, 1);
}

/* ---- attempts ---- */

static void old_attempts_go_and_the_delivery_stays(void **state)
{
	struct bed *b = *state;
	struct delivery d, seen;

	make_account(b);
	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	attempt(b, &d, 1, DELIVERY_PENDING);
	attempt(b, &d, 2, DELIVERY_PENDING);
	pass(b, KEPT_MS);
	attempt(b, &d, 3, DELIVERY_PENDING);
	pass(b, 1);
	assert_int_equal(retain(b, KEPT_MS * 2, KEPT_MS, 1).attempts, 2);
	assert_int_equal(attempts_of(b, &d.id), 1);
	attempt(b, &d, 4, DELIVERY_DELIVERED);
	assert_int_equal(attempts_of(b, &d.id), 2);
	seen = delivery_of(b, &d.id);
	assert_int_equal(seen.attempts, 4);
	assert_int_equal(seen.state, DELIVERY_DELIVERED);
	delivery_fini(&seen);
	pass(b, KEPT_MS * 2);
	assert_int_equal(retain(b, KEPT_MS * 100, KEPT_MS, 10).attempts, 2);
	assert_int_equal(attempts_of(b, &d.id), 0);
	assert_int_equal(state_of(b, &d.id), DELIVERY_DELIVERED);
	assert_int_equal(calls_gone(b), 1);
	delivery_fini(&d);
}

static void attempts_written_out_of_order_leave_nothing_behind(void **state)
{
	struct bed *b = *state;
	struct delivery d;

	make_account(b);
	make_webhook(b, 1, true);
	d = make_delivery(b, 1);
	attempt(b, &d, 2, DELIVERY_PENDING);
	attempt(b, &d, 1, DELIVERY_PENDING);
	pass(b, KEPT_MS + 1);
	attempt(b, &d, 3, DELIVERY_PENDING);
	assert_int_equal(retain(b, 0, KEPT_MS, 1).attempts, 2);
	assert_int_equal(attempts_of(b, &d.id), 1);
	delivery_fini(&d);
}

static int64_t feed_end(const struct bed *b)
{
	struct store_request r;
	int64_t end;

	store_request_init(&r, STORE_ATTEMPT_FEED, NULL, NULL);
	r.u.attempt_feed.in.account = ACCOUNT;
	r.u.attempt_feed.in.after = -1;
	r.u.attempt_feed.in.limit = 10;
	assert_int_equal(serve(b, &r), 0);
	end = r.u.attempt_feed.out.end;
	store_request_fini(&r);
	return end;
}

static void numbers_of_what_is_gone_are_not_given_again(void **state)
{
	struct bed *b = *state;

	make_account(b);
	make_webhook(b, 1, true);
	made(b, 1, DELIVERY_DELIVERED);
	made(b, 2, DELIVERY_DELIVERED);
	pass(b, KEPT_MS + 1);
	retain(b, KEPT_MS, KEPT_MS, 10);
	assert_int_equal(feed_end(b), 2);
	if (flavour_is_durable(b->flavour))
		bed_restart(b);
	assert_int_equal(feed_end(b), 2);
	made(b, 3, DELIVERY_DELIVERED);
	assert_int_equal(feed_end(b), 3);
}

/* ---- replays ---- */

static void begin_replay(const struct bed *b, unsigned n, bool missing)
{
	struct store_request r;
	struct replay *p = &r.u.replay_create.in.replay;

	store_request_init(&r, STORE_REPLAY_CREATE, NULL, NULL);
	r.u.replay_create.in.account = ACCOUNT;
	p->id = id_of('r', n);
	p->webhook_id = id_of('w', 1);
	p->to_ms = NOW_MS * 2;
	p->statuses = 1u << CALL_COMPLETED;
	p->states = 1u << DELIVERY_FAILED | 1u << DELIVERY_DELIVERED;
	p->missing = missing;
	p->created_ms = b->clock.wall.ms;
	assert_int_equal(serve_drop(b, &r), 0);
}

/* How many it opened. */
static size_t step_replay(const struct bed *b, unsigned n, size_t limit)
{
	struct store_request r;
	size_t opened;

	store_request_init(&r, STORE_REPLAY_STEP, NULL, NULL);
	r.u.replay_step.in.id = id_of('r', n);
	r.u.replay_step.in.limit = limit;
	r.u.replay_step.in.now_ms = b->clock.wall.ms;
	assert_int_equal(serve(b, &r), 0);
	opened = r.u.replay_step.out.opened;
	store_request_fini(&r);
	return opened;
}

static int get_replay(const struct bed *b, unsigned n)
{
	struct store_request r;

	store_request_init(&r, STORE_REPLAY_GET, NULL, NULL);
	r.u.replay_get.in.account = ACCOUNT;
	r.u.replay_get.in.id = id_of('r', n);
	return serve_drop(b, &r);
}

static void ended_replays_go_and_running_ones_stay(void **state)
{
	struct bed *b = *state;

	make_account(b);
	make_webhook(b, 1, true);
	begin_replay(b, 1, false);
	step_replay(b, 1, 10);
	made(b, 1, DELIVERY_PENDING);
	made(b, 2, DELIVERY_PENDING);
	begin_replay(b, 2, false);
	step_replay(b, 2, 1);
	pass(b, KEPT_MS);
	assert_int_equal(retain(b, KEPT_MS, 0, 10).replays, 0);
	pass(b, 1);
	assert_int_equal(retain(b, KEPT_MS, 0, 10).replays, 1);
	assert_int_equal(get_replay(b, 1), CH_ENOENT);
	assert_int_equal(get_replay(b, 2), 0);
}

static void a_replay_goes_on_over_what_was_removed_under_it(void **state)
{
	struct bed *b = *state;
	struct id last;

	make_account(b);
	make_webhook(b, 1, true);
	for (unsigned i = 1; i <= 4; i++)
		made(b, i, DELIVERY_DELIVERED);
	pass(b, KEPT_MS + 1);
	for (unsigned i = 5; i <= 7; i++)
		last = made(b, i, DELIVERY_FAILED);
	begin_replay(b, 1, true);
	assert_int_equal(step_replay(b, 1, 1), 1);
	assert_int_equal(calls_gone(b), 3);
	made(b, 8, DELIVERY_FAILED);
	for (int i = 0; i < 20; i++)
		step_replay(b, 1, 1);
	assert_int_equal(state_of(b, &last), DELIVERY_PENDING);
	assert_ledger(b, ACCOUNT, 4, 3, 1, 0, 0);
}

/* A call that had a delivery, and got another one late for a webhook that is younger. */
static void what_was_made_late_keeps_its_call(void **state)
{
	struct bed *b = *state;

	make_account(b);
	make_webhook(b, 2, true);
	made(b, 1, DELIVERY_DELIVERED);
	pass(b, KEPT_MS / 2);
	made(b, 2, DELIVERY_DELIVERED);
	make_webhook(b, 1, true);
	begin_replay(b, 1, true);
	step_replay(b, 1, 10);
	step_replay(b, 1, 10);
	assert_ledger(b, ACCOUNT, 2, 2, 0, 0, 0);
	pass(b, KEPT_MS / 2 + 1);
	assert_int_equal(calls_gone(b), 0);
	pass(b, KEPT_MS);
	assert_int_equal(calls_gone(b), 0);
	assert_int_equal(get_call(b, 1), 0);
}

#define MANY 300

/* So many new calls at once, the first of that number, each with a delivery that is DELIVERED. */
static void make_many(const struct bed *b, unsigned first)
{
	struct store_request *puts = calloc(MANY, sizeof(*puts)), *attempts = calloc(MANY, sizeof(*attempts));
	struct store_request *list[MANY];
	struct ch_err err = {0};

	for (unsigned i = 0; i < MANY; i++) {
		ask_put(b, &puts[i], &(struct call_spec){.call = first + i, .status = CALL_COMPLETED});
		list[i] = &puts[i];
	}
	assert_int_equal(b->store->ops->write(b->store, list, MANY, &err), 0);
	for (unsigned i = 0; i < MANY; i++) {
		ask_attempt(b, &attempts[i], &puts[i].u.call_put.out.deliveries[0], first + i,
				DELIVERY_DELIVERED);
		list[i] = &attempts[i];
	}
	assert_int_equal(b->store->ops->write(b->store, list, MANY, &err), 0);
	for (unsigned i = 0; i < MANY; i++) {
		store_request_fini(&puts[i]);
		store_request_fini(&attempts[i]);
	}
	free(puts);
	free(attempts);
}

/* Between the two deliveries of the first call lie more than a step looks at; a round later they are gone. */
static void a_call_whose_deliveries_lie_far_apart_goes_later(void **state)
{
	struct bed *b = *state;
	size_t first, second;

	make_account(b);
	make_webhook(b, 2, true);
	made(b, 1, DELIVERY_DELIVERED);
	for (unsigned i = 0; i < 7; i++)
		make_many(b, 2 + i * MANY);
	make_webhook(b, 1, true);
	begin_replay(b, 1, true);
	while (step_replay(b, 1, 500) == 0)
		;
	/* It has made some for the first calls; these end as they are deleted. */
	struct store_request r;
	ask_delete(b, &r, 1);
	assert_int_equal(serve_drop(b, &r), 0);
	sweep_all(b, 1, 10000);
	step_replay(b, 1, 1);
	pass(b, KEPT_MS + 1);
	first = calls_gone(b);
	second = calls_gone(b);
	assert_int_equal(first + second, 1 + 7 * MANY);
	assert_int_equal(second > 0, flavour_is_durable(b->flavour));
	assert_int_equal(count_listed(b), 0);
}

static void a_clock_that_was_ahead_for_a_while_holds_nothing_up(void **state)
{
	struct bed *b = *state;

	make_account(b);
	make_webhook(b, 1, true);
	pass(b, KEPT_MS * 100);
	made(b, 1, DELIVERY_DELIVERED);
	b->clock.wall.ms -= KEPT_MS * 100;
	assert_int_equal(put_call(b, 2, CALL_REJECTED, 1), 0);
	assert_int_equal(put_call(b, 3, CALL_REJECTED, 1), 0);
	pass(b, KEPT_MS + 1);
	assert_int_equal(retain(b, KEPT_MS, KEPT_MS, 100).calls, 2);
	assert_int_equal(get_call(b, 1), 0);
}

int contract_retention(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, bed_setup, bed_teardown)
			TEST(an_old_call_goes_whole_and_stays_counted),
			TEST(what_is_to_be_delivered_keeps_its_call),
			TEST(a_call_without_deliveries_goes_a_live_one_too),
			TEST(a_call_is_as_old_as_its_latest_version),
			TEST(what_was_sent_again_stays_a_day),
			TEST(what_was_parked_too_long_is_canceled),
			TEST(what_is_just_being_released_is_not_canceled),
			TEST(an_erased_call_does_not_come_back),
			TEST(a_deleted_webhooks_rows_go_as_well),
			TEST(a_round_goes_in_small_steps_past_what_stays),
			TEST(parked_rows_are_canceled_in_small_steps),
			TEST(what_is_kept_for_ever_stays),
			TEST(old_attempts_go_and_the_delivery_stays),
			TEST(attempts_written_out_of_order_leave_nothing_behind),
			TEST(numbers_of_what_is_gone_are_not_given_again),
			TEST(ended_replays_go_and_running_ones_stay),
			TEST(a_replay_goes_on_over_what_was_removed_under_it),
			TEST(what_was_made_late_keeps_its_call),
			TEST(a_call_whose_deliveries_lie_far_apart_goes_later),
			TEST(a_clock_that_was_ahead_for_a_while_holds_nothing_up),
	};

	return cmocka_run_group_tests_name("retention", tests, NULL, NULL);
}
