#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_rig.h"
#include "base/alloc.h"
#include "groups.h"
#include "store/store.h"

static void make_webhook(struct api_rig *r, char id[ID_TEXT_LEN + 1])
{
	json_t *json = api_json(r, "POST", "/v1/webhooks", "{\"url\":\"http://127.0.0.1:9/\"}", 201);
	snprintf(id, ID_TEXT_LEN + 1, "%s", json_text(json, "id"));
	json_decref(json);
}

static void put_call(struct api_rig *r, int n)
{
	char path[60];
	snprintf(path, sizeof(path), "/v1/calls/3f2b8c1e-0000-4000-8000-%012d", n);
	json_decref(api_json(r, "PUT", path, record_json(path + strlen("/v1/calls/"), NULL, NULL), 201));
}

static json_t *list(struct api_rig *r, const char *query)
{
	char path[400];
	snprintf(path, sizeof(path), "/v1/deliveries%s", query);
	return api_json(r, "GET", path, NULL, 200);
}

static size_t count_of(struct api_rig *r, const char *query)
{
	json_t *json = list(r, query);
	size_t n = json_array_size(json_object_get(json, "content"));
	json_decref(json);
	return n;
}

/* Writes an attempt to the newest delivery; its id into out. */
static void attempt_newest(struct api_rig *r, const struct attempt *like, enum delivery_state next,
		char out[ID_TEXT_LEN + 1])
{
	json_t *json = list(r, "?size=1");
	json_t *row = json_array_get(json_object_get(json, "content"), 0);
	struct store_request s;
	snprintf(out, ID_TEXT_LEN + 1, "%s", json_text(row, "id"));
	store_request_init(&s, STORE_ATTEMPT, NULL, NULL);
	s.u.attempt.in.attempt = *like;
	assert_int_equal(id_parse(out, ID_TEXT_LEN, &s.u.attempt.in.attempt.delivery_id), 0);
	s.u.attempt.in.account = 1;
	assert_int_equal(id_parse(json_text(row, "webhookId"), ID_TEXT_LEN, &s.u.attempt.in.webhook_id), 0);
	s.u.attempt.in.next.state = next;
	s.u.attempt.in.next.tries = 1;
	s.u.attempt.in.next.due_ms = next == DELIVERY_PENDING ? 1722350105000 : 0;
	s.u.attempt.in.next.finished_ms = next == DELIVERY_DELIVERED ? 1722350101000 : 0;
	api_rig_store(r, &s);
	assert_int_equal(s.result, 0);
	store_request_fini(&s);
	json_decref(json);
}

static void deliveries_are_listed_newest_first_page_by_page(void **state)
{
	struct api_rig *r = *state;
	char webhook[ID_TEXT_LEN + 1];
	char query[100] = "?size=4";
	char before[ID_TEXT_LEN + 1] = "g";
	size_t seen = 0;
	make_webhook(r, webhook);
	for (int i = 1; i <= 10; i++)
		put_call(r, i);
	for (int page = 0; page < 3; page++) {
		json_t *json = list(r, query);
		json_t *content = json_object_get(json, "content");
		assert_int_equal(json_array_size(content), page < 2 ? 4 : 2);
		for (size_t i = 0; i < json_array_size(content); i++) {
			const char *id = json_text(json_array_get(content, i), "id");
			assert_true(strcmp(id, before) < 0);
			snprintf(before, sizeof(before), "%s", id);
			seen++;
		}
		if (page < 2)
			snprintf(query, sizeof(query), "?size=4&after=%s", json_text(json, "next"));
		else
			assert_true(json_is_null(json_object_get(json, "next")));
		json_decref(json);
	}
	assert_int_equal(seen, 10);
	json_t *json = list(r, "?size=1");
	json_t *row = json_array_get(json_object_get(json, "content"), 0);
	assert_string_equal(json_text(row, "webhookId"), webhook);
	assert_string_equal(json_text(row, "callId"), "3f2b8c1e-0000-4000-8000-000000000010");
	assert_string_equal(json_text(row, "callStatus"), "COMPLETED");
	assert_string_equal(json_text(row, "state"), "PENDING");
	assert_string_equal(json_text(row, "created"), "2024-07-30T14:35:00.000Z");
	assert_int_equal(json_integer_value(json_object_get(row, "callVersion")), 1);
	assert_true(json_is_null(json_object_get(row, "finished")));
	json_decref(json);
}

static void filters_choose(void **state)
{
	struct api_rig *r = *state;
	char first[ID_TEXT_LEN + 1];
	char second[ID_TEXT_LEN + 1];
	char query[200];
	make_webhook(r, first);
	put_call(r, 1);
	ch_clock_virtual_advance(&r->rig.time, 86400000);
	make_webhook(r, second);
	put_call(r, 2);
	assert_int_equal(count_of(r, ""), 3);
	snprintf(query, sizeof(query), "?webhookId=%s", first);
	assert_int_equal(count_of(r, query), 2);
	snprintf(query, sizeof(query), "?webhookId=%s&callId=3f2b8c1e-0000-4000-8000-000000000002", second);
	assert_int_equal(count_of(r, query), 1);
	assert_int_equal(count_of(r, "?callId=3f2b8c1e-0000-4000-8000-000000000001"), 1);
	assert_int_equal(count_of(r, "?state=PENDING"), 3);
	assert_int_equal(count_of(r, "?state=DELIVERING"), 0);
	assert_int_equal(count_of(r, "?state=DELIVERED"), 0);
	assert_int_equal(count_of(r, "?from=2024-07-31"), 2);
	assert_int_equal(count_of(r, "?to=2024-07-30"), 1);
	assert_int_equal(count_of(r, "?from=2024-07-30&to=2024-07-31"), 3);
	assert_int_equal(count_of(r, "?from=2024-07-30T16:35:00%2B02:00&to=2024-07-30T14:35:00Z"), 1);
	assert_int_equal(count_of(r, "?from=2024-07-30T14:35:01Z&to=2024-07-31T14:34:59Z"), 0);
	struct answer a = api_ask(r, "GET", "/v1/deliveries", KEY_B, NULL);
	assert_string_equal(a.body, "{\"content\":[],\"next\":null}");
	answer_fini(&a);
}

static void bad_queries_are_refused(void **state)
{
	struct api_rig *r = *state;
	static const char *const queries[] = {"?webhookId=x", "?callId=", "?state=pending", "?state=BOTH",
			"?from=yesterday", "?from=2024-02-30", "?to=2024-07-30T14:35:00+02:00",
			"?from=2024-07-31&to=2024-07-30", "?size=0", "?size=101", "?size=x", "?size=-1",
			"?size=99999999999999999999", "?size=", "?after=x", "?after=AAAAAAAAAAAAAAAAAAAAAB",
			"?page=1", "?size=1&size=1"};
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		char path[200];
		snprintf(path, sizeof(path), "/v1/deliveries%s", queries[i]);
		json_t *json = api_json(r, "GET", path, NULL, 400);
		assert_int_equal(json_array_size(json_object_get(json, "errors")), 1);
		json_decref(json);
	}
}

static void a_delivery_is_shown_with_its_attempts(void **state)
{
	struct api_rig *r = *state;
	char webhook[ID_TEXT_LEN + 1];
	char id[ID_TEXT_LEN + 1];
	char path[80];
	make_webhook(r, webhook);
	put_call(r, 1);
	struct attempt one = {.id = {{1}},
			.started_ms = 1722350100123,
			.outcome = ATTEMPT_REFUSED,
			.detail = ch_strdup("connection refused"),
			.dns_us = 1500,
			.connect_us = -1,
			.tls_us = -1,
			.first_byte_us = -1,
			.total_us = 12345678};
	attempt_newest(r, &one, DELIVERY_PENDING, id);
	struct attempt two = {.id = {{2}},
			.started_ms = 1722350105000,
			.outcome = ATTEMPT_ANSWERED,
			.status = 302,
			.connect_us = 5,
			.cert_end_s = 1800000000,
			.tls_version = "TLSv1.3",
			.request_headers = ch_strdup("Content-Type: application/json\nX-A:b: c\n"),
			.location = ch_strdup("https://x/\"y"),
			.answer = ch_memdup0("h\xc3\xa9!", 4),
			.answer_len = 4};
	assert_int_equal(address_parse("192.0.2.1", 9, &two.address), 0);
	attempt_newest(r, &two, DELIVERY_DELIVERED, id);
	snprintf(path, sizeof(path), "/v1/deliveries/%s", id);
	json_t *json = api_json(r, "GET", path, NULL, 200);
	assert_string_equal(json_text(json, "state"), "DELIVERED");
	assert_string_equal(json_text(json, "finished"), "2024-07-30T14:35:01.000Z");
	assert_int_equal(json_integer_value(json_object_get(json, "attemptCount")), 2);
	json_t *attempts = json_object_get(json, "attempts");
	assert_int_equal(json_array_size(attempts), 2);
	json_t *a = json_array_get(attempts, 0);
	assert_string_equal(json_text(a, "outcome"), "refused");
	assert_string_equal(json_text(a, "detail"), "connection refused");
	assert_string_equal(json_text(a, "time"), "2024-07-30T14:35:00.123Z");
	assert_true(json_is_null(json_object_get(a, "status")));
	json_t *timings = json_object_get(a, "timings");
	assert_true(json_real_value(json_object_get(timings, "dns")) == 1.5);
	assert_true(json_real_value(json_object_get(timings, "total")) == 12345.678);
	assert_true(json_is_null(json_object_get(timings, "connect")));
	assert_true(json_is_null(json_object_get(a, "answer")));
	a = json_array_get(attempts, 1);
	assert_int_equal(json_integer_value(json_object_get(a, "status")), 302);
	assert_string_equal(json_text(a, "address"), "192.0.2.1");
	assert_string_equal(json_text(a, "tlsVersion"), "TLSv1.3");
	assert_string_equal(json_text(a, "certificateEnd"), "2027-01-15T08:00:00Z");
	assert_string_equal(json_text(a, "location"), "https://x/\"y");
	assert_string_equal(json_text(a, "answer"), "h\xc3\xa9!");
	json_t *headers = json_object_get(a, "requestHeaders");
	assert_int_equal(json_array_size(headers), 2);
	assert_string_equal(json_text(json_array_get(headers, 1), "name"), "X-A");
	assert_string_equal(json_text(json_array_get(headers, 1), "value"), "b: c");
	json_decref(json);
	struct answer b = api_ask(r, "GET", path, KEY_B, NULL);
	assert_problem(&b, 404);
	answer_fini(&b);
	json_decref(api_json(r, "GET", "/v1/deliveries/" NOBODY, NULL, 404));
	json_decref(api_json(r, "GET", "/v1/deliveries/x", NULL, 404));
}

static void answers_that_are_no_text_come_in_base64(void **state)
{
	struct api_rig *r = *state;
	static char cut[ATTEMPT_ANSWER_KEPT_MAX];
	char webhook[ID_TEXT_LEN + 1];
	char id[ID_TEXT_LEN + 1];
	memset(cut, 'a', sizeof(cut));
	memcpy(cut + sizeof(cut) - 2, "\xe2\x82", 2);
	const struct {
		const char *answer;
		size_t len;
		const char *want;
		const char *encoding;
	} cases[] = {
			{"\xff\x00x", 3, "/wB4", "base64"},
			{"a\0b", 3, "YQBi", "base64"},
			{"", 0, "", NULL},
			{cut, sizeof(cut), NULL, NULL},
	};
	make_webhook(r, webhook);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[80];
		put_call(r, (int)i);
		struct attempt one = {.id = {{(uint8_t)(i + 1)}},
				.outcome = ATTEMPT_ANSWERED,
				.status = 200,
				.answer = ch_memdup0(cases[i].answer, cases[i].len),
				.answer_len = cases[i].len};
		attempt_newest(r, &one, DELIVERY_DELIVERED, id);
		snprintf(path, sizeof(path), "/v1/deliveries/%s", id);
		json_t *json = api_json(r, "GET", path, NULL, 200);
		json_t *a = json_array_get(json_object_get(json, "attempts"), 0);
		if (cases[i].want)
			assert_string_equal(json_text(a, "answer"), cases[i].want);
		else
			assert_int_equal(strlen(json_text(a, "answer")), sizeof(cut) - 2);
		if (cases[i].encoding)
			assert_string_equal(json_text(a, "answerEncoding"), cases[i].encoding);
		else
			assert_null(json_object_get(a, "answerEncoding"));
		json_decref(json);
	}
}

static void a_correction_notifies_when_asked_to(void **state)
{
	struct api_rig *r = *state;
	char webhook[ID_TEXT_LEN + 1];
	make_webhook(r, webhook);
	json_decref(api_json(r, "PUT", "/v1/calls/" CALL_1, record_json(CALL_1, NULL, NULL), 201));
	json_decref(api_json(r, "PUT", "/v1/calls/" CALL_1, record_json(CALL_1, NULL, "late"), 200));
	json_decref(api_json(r, "PUT", "/v1/calls/" CALL_1 "?notify=false",
			record_json(CALL_1, NULL, "later"), 200));
	assert_int_equal(count_of(r, ""), 1);
	json_decref(api_json(r, "PUT", "/v1/calls/" CALL_1 "?notify=true", record_json(CALL_1, NULL, "last"),
			200));
	assert_int_equal(count_of(r, ""), 2);
}

static void parked_deliveries_are_counted_with_the_webhook(void **state)
{
	struct api_rig *r = *state;
	char webhook[ID_TEXT_LEN + 1];
	char path[80];
	make_webhook(r, webhook);
	snprintf(path, sizeof(path), "/v1/webhooks/%s", webhook);
	json_decref(api_json(r, "PATCH", path, "{\"enabled\":false}", 200));
	put_call(r, 1);
	json_t *json = api_json(r, "GET", path, NULL, 200);
	assert_int_equal(json_integer_value(json_object_get(json, "parked")), 1);
	json_decref(json);
	assert_int_equal(count_of(r, "?state=PARKED"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, api_rig_setup, api_rig_teardown)

int group_deliveries(void)
{
	const struct CMUnitTest tests[] = {
			TEST(deliveries_are_listed_newest_first_page_by_page),
			TEST(filters_choose),
			TEST(bad_queries_are_refused),
			TEST(a_delivery_is_shown_with_its_attempts),
			TEST(answers_that_are_no_text_come_in_base64),
			TEST(a_correction_notifies_when_asked_to),
			TEST(parked_deliveries_are_counted_with_the_webhook),
	};
	return cmocka_run_group_tests_name("deliveries", tests, NULL, NULL);
}
