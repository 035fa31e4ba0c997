#include "test_model.h"

#include <string.h>

#include "base/err.h"
#include "model/ops_event.h"

static struct id id_of(uint8_t n)
{
	struct id id = {{0}};
	id.b[15] = n;
	return id;
}

static struct ops_event some_event(enum ops_event_type type)
{
	return (struct ops_event){.type = type,
			.at_ms = (int64_t)TEST_NOW_S * 1000 + 999,
			.account = "blue",
			.webhook = id_of(1),
			.url = "https://example.com/hook?a=/\"",
			.reason = "answered 500 \xc3\xa9",
			.dropped = 3,
			.delivery = {id_of(2), id_of(3), 12},
			.replay = {id_of(4), 10, 7, 2, 1}};
}

#define HEAD(type)                                                                                           \
	"{\"type\":\"" type "\",\"time\":\"2024-07-30T14:45:00Z\",\"account\":\"blue\",\"dropped\":3,"       \
	"\"data\":{\"webhookId\":\"00000000-0000-0000-0000-000000000001\","                                  \
	"\"url\":\"https://example.com/hook?a=/\\\"\","

static void each_type_has_its_members(void **state)
{
	static const char *const texts[OPS_EVENT_TYPE_COUNT] = {
			HEAD("webhook.dead") "\"reason\":\"answered 500 \xc3\xa9\"}}",
			HEAD("webhook.disabled") "\"reason\":\"answered 500 \xc3\xa9\"}}",
			HEAD("delivery.failed") "\"deliveryId\":\"00000000-0000-0000-0000-000000000002\","
						"\"callId\":\"00000000-0000-0000-0000-000000000003\","
						"\"attempts\":12,\"reason\":\"answered 500 \xc3\xa9\"}}",
			HEAD("replay.finished") "\"replayId\":\"00000000-0000-0000-0000-000000000004\","
						"\"examined\":10,\"resent\":7,\"made\":2,\"skipped\":1}}",
	};
	for (int i = 0; i < OPS_EVENT_TYPE_COUNT; i++) {
		struct ops_event e = some_event((enum ops_event_type)i);
		struct ch_buf out;
		ch_buf_init(&out, OPS_EVENT_JSON_MAX);
		assert_int_equal(ops_event_write(&e, &out), 0);
		assert_string_equal(ch_buf_text(&out), texts[i]);
		ch_buf_fini(&out);
	}
}

/* What a receiver said may be part of a reason, and need not be text. */
static void words_that_are_no_text_are_left_out(void **state)
{
	static const char *const bad[] = {"\xff", "cut \xc3", "\xed\xa0\x80", "a\xc0\x80", NULL};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct ops_event e = some_event(EVENT_WEBHOOK_DEAD);
		struct ch_buf out;
		e.reason = bad[i];
		ch_buf_init(&out, OPS_EVENT_JSON_MAX);
		assert_int_equal(ops_event_write(&e, &out), 0);
		assert_non_null(strstr(ch_buf_text(&out), ",\"reason\":null}}"));
		ch_buf_fini(&out);
	}
}

static void an_account_and_its_events_are_two(void **state)
{
	assert_int_equal(ops_event_account(7), -7);
	assert_true(ops_event_is_account(ops_event_account(7)));
	assert_true(ops_event_is_account(EVENT_OPERATOR));
	assert_false(ops_event_is_account(7));
}

static void a_receiver_wants_every_event(void **state)
{
	struct id id = id_of(9), agent = {{0}};
	struct webhook w;
	assert_int_equal(ops_event_webhook_init(&w, -7, &id, 5, "https://example.com/"), 0);
	assert_true(webhook_wants(&w, CALL_COMPLETED, &agent));
	assert_true(w.enabled);
	assert_int_equal(w.account, -7);
	assert_string_equal(w.url, "https://example.com/");
	webhook_fini(&w);
}

int ops_event_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(each_type_has_its_members),
			cmocka_unit_test(words_that_are_no_text_are_left_out),
			cmocka_unit_test(an_account_and_its_events_are_two),
			cmocka_unit_test(a_receiver_wants_every_event),
	};
	return cmocka_run_group_tests_name("operational events", tests, NULL, NULL);
}
