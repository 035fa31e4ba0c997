#include "test_engine.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/sign.h"
#include "test_engine_rig.h"

static struct rig rig;

static int set_up(void **state)
{
	rig_open(&rig);
	*state = &rig;
	return 0;
}

static int tear_down(void **state)
{
	rig_close(*state);
	return 0;
}

static void one_call(struct rig *r)
{
	rig_hook(r, 0);
	rig_start(r);
	rig_put(r, 0, 1);
}

/* ---- the request ---- */

static void add_header(struct webhook *w, const char *name, const char *value)
{
	struct webhook_header *h = &w->headers[w->header_count++];
	h->name = ch_strdup(name);
	h->value = ch_strdup(value);
}

static void assert_line(const struct rig_send *s, const char *line)
{
	const char *at = rig_header(s, line);
	if (!at || at[strlen(line)] != '\n')
		fail_msg("no line '%s' in:\n%s", line, s->headers);
}

static void without_a_secret_nothing_is_signed(void **state)
{
	struct rig *r = *state;
	char id[ID_TEXT_LEN + 1], line[80];
	one_call(r);
	rig_run(r);
	const struct rig_send *s = &r->sends[0];
	assert_int_equal(s->header_count, 4);
	assert_line(s, "Content-Type: application/json");
	assert_line(s, "User-Agent: callhook/test");
	id_format(&s->delivery, id);
	snprintf(line, sizeof(line), "webhook-id: %s", id);
	assert_line(s, line);
	assert_line(s, "webhook-timestamp: 1722350100");
	assert_string_equal(s->url, "http://hook0.test/");
}

static void expect_log_headers(struct rig *r, const char *part, const char *absent)
{
	struct store_request q;
	store_request_init(&q, STORE_DELIVERY_GET, NULL, NULL);
	q.u.delivery_get.in.account = 1;
	q.u.delivery_get.in.id = rig_newest(r).id;
	q.u.delivery_get.in.attempt_limit = 1;
	r->fault->ops->read(r->reader, &q);
	assert_int_equal(q.u.delivery_get.out.attempt_count, 1);
	const char *kept = q.u.delivery_get.out.attempts[0].request_headers;
	assert_non_null(kept);
	assert_non_null(strstr(kept, part));
	assert_null(strstr(kept, absent));
	store_request_fini(&q);
}

static void with_a_secret_both_signatures_are_right(void **state)
{
	struct rig *r = *state;
	struct webhook w;
	struct sign_key key;
	char hex[SIGN_HEX_LEN + 1], standard[SIGN_STD_LEN + 1], id[ID_TEXT_LEN + 1], line[120];
	rig_hook_init(r, &w, 0);
	rig_seal(r, &w, RIG_SECRET);
	add_header(&w, "X-Tenant", "t-17");
	rig_hook_create(r, &w);
	rig_start(r);
	rig_put(r, 0, 1);
	rig_advance(r, 100);
	const char *body = "{\"pad\":\"xxxxxxx\",\"created\":\"2024-07-30T14:35:00Z\"}";
	const struct rig_send *s = &r->sends[0];
	assert_int_equal(s->header_count, 7);
	assert_int_equal(sign_key_init(&key, RIG_SECRET, strlen(RIG_SECRET), NULL), 0);
	sign_body_hex(&key, body, strlen(body), hex);
	id_format(&s->delivery, id);
	sign_body_standard(&key, id, 1722350100, body, strlen(body), standard);
	sign_key_fini(&key);
	snprintf(line, sizeof(line), "X-Webhook-Signature: %s", hex);
	assert_line(s, line);
	snprintf(line, sizeof(line), "webhook-signature: %s", standard);
	assert_line(s, line);
	assert_line(s, "X-Tenant: t-17");
	expect_log_headers(r, "X-Tenant: ***\n", "t-17");
	assert_null(strstr(r->log_text, "whsec_"));
}

/* ---- outcomes ---- */

static void after_the_last_try_it_has_failed(void **state)
{
	struct rig *r = *state;
	r->conf.schedule = (struct retry_schedule){.pause_s = {5, 5}, .count = 2};
	r->replies[0] = (struct transport_sim_reply){.latency_ms = 1,
			.outcome = ATTEMPT_REFUSED,
			.retry_after_s = -1,
			.detail = "connection refused"};
	one_call(r);
	rig_advance(r, 60000);
	assert_int_equal(r->send_count, 3);
	assert_int_equal(rig_newest(r).state, DELIVERY_FAILED);
	assert_int_equal(rig_newest(r).tries, 3);
	assert_int_equal(rig_ledger(r)->failed, 1);
	assert_non_null(strstr(r->log_text, "delivery_failed"));
	assert_int_equal(engine_next_wake(r->engine).ms, INT64_MAX);
}

static void retry_after_suspends_the_lane(void **state)
{
	struct rig *r = *state;
	one_call(r);
	r->replies[0].status = 429;
	r->replies[0].retry_after_s = 120;
	rig_advance(r, 50);
	struct lane_info info = rig_lane(r, 0);
	assert_int_equal(info.state, LANE_SUSPENDED);
	assert_non_null(strstr(info.reason, "asked to wait (429)"));
	r->replies[0].status = 200;
	r->replies[0].retry_after_s = -1;
	rig_put(r, 0, 5);
	rig_advance(r, 119900);
	assert_int_equal(r->send_count, 1);
	rig_advance(r, 30000);
	assert_int_equal(r->send_count, 7);
	assert_int_equal(rig_lane(r, 0).state, LANE_READY);
	assert_int_equal(rig_ledger(r)->delivered, 6);
}

static void suspend_at_the_last_try(struct rig *r)
{
	r->conf.schedule = (struct retry_schedule){.count = 0};
	r->replies[0].status = 429;
	r->replies[0].retry_after_s = 60;
}

static void end_suspension(struct rig *r)
{
	assert_int_equal(rig_lane(r, 0).state, LANE_SUSPENDED);
	assert_int_equal(rig_ledger(r)->failed, 1);
	r->replies[0].status = 200;
	rig_advance(r, 100000);
}

/* No retry is left that would wake the lane: what was queued has to. */
static void what_was_queued_goes_on_after_a_suspension(void **state)
{
	struct rig *r = *state;
	suspend_at_the_last_try(r);
	r->conf.max_in_flight = 1;
	one_call(r);
	rig_put(r, 0, 4);
	rig_advance(r, 10);
	end_suspension(r);
	assert_int_equal(rig_ledger(r)->delivered, 4);
}

static void what_was_claimed_goes_on_after_a_suspension(void **state)
{
	struct rig *r = *state;
	suspend_at_the_last_try(r);
	one_call(r);
	rig_run(r);
	r->holds_news = r->holds_reads = true;
	rig_put(r, 0, 4);
	engine_missed(r->engine);
	rig_run(r);
	rig_release_reads(r);
	rig_run(r); /* the claim is under way */
	rig_advance(r, 10);
	r->holds_reads = false;
	rig_release_reads(r);
	rig_run(r);
	end_suspension(r);
	assert_int_equal(rig_ledger(r)->delivered, 4);
}

/* All that were in flight are answered 429 at once: that is one suspension of 30 s, the next is of 60. */
static void without_retry_after_the_pause_doubles(void **state)
{
	struct rig *r = *state;
	rig_hook(r, 0);
	rig_start(r);
	rig_widen(r, 0);
	r->replies[0].status = 429;
	rig_put(r, 0, 8);
	rig_advance(r, 29000);
	assert_int_equal(r->send_count, 8);
	rig_advance(r, 10000);
	assert_int_equal(r->send_count, 16);
	int64_t second = r->sends[15].at_mono_ms;
	rig_advance(r, 50000);
	assert_int_equal(r->send_count, 16);
	rig_advance(r, 20000);
	assert_true(r->send_count > 16);
	assert_true(r->sends[16].at_mono_ms - second >= 60000);
}

static void our_own_fault_counts_no_try(void **state)
{
	struct rig *r = *state;
	one_call(r);
	r->replies[0] = (struct transport_sim_reply){.latency_ms = 0,
			.outcome = ATTEMPT_LOCAL,
			.retry_after_s = -1,
			.detail = "no descriptor"};
	rig_put(r, 0, 40);
	rig_run(r);
	int first = r->send_count;
	assert_true(first <= 32); /* the lane rests after the first answers */
	assert_non_null(strstr(rig_lane(r, 0).reason, "fault of our own"));
	rig_advance(r, 700);
	assert_int_equal(r->send_count, first);
	rig_advance(r, 20000);
	assert_true(r->send_count > first);
	assert_int_equal(rig_newest(r).tries, 0);
	assert_int_equal(rig_ledger(r)->pending, 41);
	r->replies[0] = (struct transport_sim_reply){
			.latency_ms = 1, .outcome = ATTEMPT_ANSWERED, .status = 200, .retry_after_s = -1};
	rig_advance(r, 60000);
	assert_int_equal(rig_ledger(r)->delivered, 41);
	assert_string_equal(rig_lane(r, 0).reason, "");
}

/* ---- a store that refuses ---- */

static void refuse_results(struct rig *r, int times)
{
	for (int i = 0; i < times; i++) {
		store_fault_fail_write(r->fault, 1, CH_EFULL);
		int64_t wake = engine_next_wake(r->engine).ms;
		assert_true(wake != INT64_MAX);
		rig_advance(r, wake - r->clock.mono.ms);
	}
}

static void no_attempt_starts_while_results_are_refused(void **state)
{
	struct rig *r = *state;
	one_call(r);
	rig_run(r);
	store_fault_fail_write(r->fault, 1, CH_EFULL);
	rig_advance(r, 10);
	assert_non_null(strstr(r->log_text, "store_refuses_results"));
	assert_int_equal(rig_ledger(r)->delivered, 0);
	rig_put(r, 0, 3);
	rig_run(r);
	assert_int_equal(r->send_count, 1);
	refuse_results(r, 3);
	assert_int_equal(r->send_count, 1);
	rig_advance(r, 1300);
	assert_int_equal(r->send_count, 4);
	assert_int_equal(rig_ledger(r)->delivered, 4);
	assert_non_null(strstr(r->log_text, "store_takes_results"));
}

static void the_pause_between_questions_grows(void **state)
{
	struct rig *r = *state;
	one_call(r);
	rig_run(r);
	store_fault_fail_write(r->fault, 1, CH_EIO);
	rig_advance(r, 10);
	static const int expected[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		int64_t wait = engine_next_wake(r->engine).ms - r->clock.mono.ms;
		assert_in_range(wait, expected[i] * 8 / 10, expected[i] * 12 / 10);
		refuse_results(r, 1);
	}
}

static void many_refused_results_are_all_written(void **state)
{
	struct rig *r = *state;
	rig_hook(r, 0);
	rig_start(r);
	rig_widen(r, 0);
	rig_put(r, 0, 20);
	rig_run(r);
	assert_int_equal(r->send_count, 20);
	store_fault_fail_write(r->fault, 1, CH_EBUSY);
	rig_advance(r, 10);
	assert_int_equal(rig_ledger(r)->delivered, 0);
	rig_advance(r, 200);
	assert_int_equal(rig_ledger(r)->delivered, 20);
	assert_int_equal(r->send_count, 20);
}

static void giving_up_drops_what_is_refused(void **state)
{
	struct rig *r = *state;
	one_call(r);
	rig_run(r);
	store_fault_fail_write(r->fault, 1, CH_EFULL);
	rig_advance(r, 10);
	engine_stop(r->engine);
	assert_false(engine_is_idle(r->engine));
	engine_abort(r->engine);
	assert_true(engine_is_idle(r->engine));
	assert_int_equal(rig_ledger(r)->pending, 1);
}

/* ---- the end ---- */

static void stopping_finishes_what_is_in_flight(void **state)
{
	struct rig *r = *state;
	one_call(r);
	rig_run(r);
	engine_stop(r->engine);
	rig_put(r, 0, 2);
	assert_false(engine_is_idle(r->engine));
	rig_advance(r, 20);
	assert_true(engine_is_idle(r->engine));
	assert_int_equal(r->send_count, 1);
	assert_int_equal(rig_ledger(r)->delivered, 1);
	assert_int_equal(rig_ledger(r)->pending, 2);
}

static void what_is_canceled_is_due_at_once(void **state)
{
	struct rig *r = *state;
	r->replies[0].latency_ms = 14000;
	one_call(r);
	rig_run(r);
	rig_stop(r);
	struct delivery d = rig_newest(r);
	assert_int_equal(d.state, DELIVERY_PENDING);
	assert_int_equal(d.tries, 0);
	assert_int_equal(d.attempts, 1);
	assert_true(d.due_ms <= r->clock.wall.ms);
	r->replies[0].latency_ms = 1;
	rig_start(r);
	rig_advance(r, 10);
	assert_int_equal(r->send_count, 2);
	assert_int_equal(rig_ledger(r)->delivered, 1);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int engine_results_tests(void)
{
	const struct CMUnitTest tests[] = {
			ONE(without_a_secret_nothing_is_signed),
			ONE(with_a_secret_both_signatures_are_right),
			ONE(after_the_last_try_it_has_failed),
			ONE(retry_after_suspends_the_lane),
			ONE(what_was_queued_goes_on_after_a_suspension),
			ONE(what_was_claimed_goes_on_after_a_suspension),
			ONE(without_retry_after_the_pause_doubles),
			ONE(our_own_fault_counts_no_try),
			ONE(no_attempt_starts_while_results_are_refused),
			ONE(the_pause_between_questions_grows),
			ONE(many_refused_results_are_all_written),
			ONE(giving_up_drops_what_is_refused),
			ONE(stopping_finishes_what_is_in_flight),
			ONE(what_is_canceled_is_due_at_once),
	};
	return cmocka_run_group_tests_name("engine_results", tests, NULL, NULL);
}
