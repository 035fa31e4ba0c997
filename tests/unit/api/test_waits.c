#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/delivery_answer.h"
#include "api_rig.h"
#include "base/alloc.h"
#include "groups.h"
#include "store/store.h"

/* Deliveries that wait, and sending them again. */

#define NOW_MS 1722350100000

static void waits_for_is(const struct delivery *d, const struct delivery_live *live, const char *want)
{
	struct ch_buf out;
	struct json_out o = {.buf = &out};
	ch_buf_init(&out, 10000);
	json_out_open(&o, NULL, '{');
	delivery_members(&o, d, live);
	json_out_close(&o, '}');
	json_t *json = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	if (want)
		assert_string_equal(json_text(json, "waitsFor"), want);
	else
		assert_true(json_is_null(json_object_get(json, "waitsFor")));
	json_decref(json);
	ch_buf_fini(&out);
}

static void whoever_waits_says_what_for(void **state)
{
	struct delivery d = {.state = DELIVERY_PENDING, .due_ms = NOW_MS};
	struct lane_info lane = {.waits_for = "DEAD: connection refused"};
	struct delivery_live live = {.lane = &lane, .now_ms = NOW_MS};
	waits_for_is(&d, &live, "DEAD: connection refused");
	lane.waits_for[0] = '\0';
	waits_for_is(&d, &live, "its turn: it goes next");
	live.lane = NULL;
	waits_for_is(&d, &live, "no delivery loop has taken it up yet");
	d.due_ms = NOW_MS + 5250;
	waits_for_is(&d, &live, "the next try is due at 2024-07-30T14:35:05.250Z");
	live.is_in_flight = true;
	waits_for_is(&d, &live, NULL);
	for (int s = DELIVERY_DELIVERED; s < DELIVERY_STATE_COUNT; s++) {
		d.state = (enum delivery_state)s;
		waits_for_is(&d, &(struct delivery_live){.now_ms = NOW_MS}, NULL);
	}
}

/* One delivery of a webhook of its own; the paths of both. */
static void make_delivery(struct api_rig *r, char webhook[60], char path[80])
{
	json_t *json = api_json(r, "POST", "/v1/webhooks", "{\"url\":\"http://127.0.0.1:9/\"}", 201);
	snprintf(webhook, 60, "/v1/webhooks/%s", json_text(json, "id"));
	json_decref(json);
	json_decref(api_json(r, "PUT", "/v1/calls/" CALL_1, record_json(CALL_1, NULL, NULL), 201));
	json = api_json(r, "GET", "/v1/deliveries", NULL, 200);
	json_t *row = json_array_get(json_object_get(json, "content"), 0);
	snprintf(path, 80, "/v1/deliveries/%s", json_text(row, "id"));
	json_decref(json);
}

static void finish(struct api_rig *r, const char *webhook, const char *path, uint8_t attempt,
		enum delivery_state next)
{
	struct store_request s;
	store_request_init(&s, STORE_ATTEMPT, NULL, NULL);
	s.u.attempt.in.attempt =
			(struct attempt){.id = {{attempt}}, .outcome = ATTEMPT_ANSWERED, .status = 500};
	assert_int_equal(id_parse(path + strlen("/v1/deliveries/"), ID_TEXT_LEN,
					 &s.u.attempt.in.attempt.delivery_id),
			0);
	s.u.attempt.in.account = 1;
	assert_int_equal(id_parse(webhook + strlen("/v1/webhooks/"), ID_TEXT_LEN, &s.u.attempt.in.webhook_id),
			0);
	s.u.attempt.in.next.state = next;
	s.u.attempt.in.next.tries = 12;
	s.u.attempt.in.next.finished_ms = NOW_MS;
	api_rig_store(r, &s);
	assert_int_equal(s.result, 0);
	store_request_fini(&s);
}

static void resend(struct api_rig *r, const char *path, const char *body, int status, const char *words)
{
	char whole[100];
	snprintf(whole, sizeof(whole), "%s/resend", path);
	json_t *json = api_json(r, "POST", whole, body, status);
	if (words)
		assert_non_null(strstr(json_text(json, "detail"), words));
	json_decref(json);
}

static void a_resend_opens_a_new_round(void **state)
{
	struct api_rig *r = *state;
	char webhook[60], path[80], whole[100];
	make_delivery(r, webhook, path);
	finish(r, webhook, path, 1, DELIVERY_FAILED);
	snprintf(whole, sizeof(whole), "%s/resend", path);
	json_t *json = api_json(r, "POST", whole, NULL, 202);
	json_t *got = api_json(r, "GET", path, NULL, 200);
	assert_true(json_equal(json, got));
	json_decref(got);
	assert_string_equal(json_text(json, "state"), "PENDING");
	assert_int_equal(json_integer_value(json_object_get(json, "round")), 1);
	assert_int_equal(json_integer_value(json_object_get(json, "tries")), 0);
	assert_int_equal(json_integer_value(json_object_get(json, "attemptCount")), 1);
	assert_int_equal(json_array_size(json_object_get(json, "attempts")), 1);
	assert_true(json_is_false(json_object_get(json, "everDelivered")));
	assert_string_equal(json_text(json, "due"), "2024-07-30T14:35:00.000Z");
	json_decref(json);
}

static void what_was_delivered_once_says_so(void **state)
{
	struct api_rig *r = *state;
	char webhook[60], path[80];
	make_delivery(r, webhook, path);
	finish(r, webhook, path, 1, DELIVERY_DELIVERED);
	resend(r, path, "{}", 202, NULL);
	json_t *json = api_json(r, "GET", path, NULL, 200);
	assert_string_equal(json_text(json, "state"), "PENDING");
	assert_true(json_is_true(json_object_get(json, "everDelivered")));
	json_decref(json);
}

static void a_resend_that_can_not_be_says_why(void **state)
{
	struct api_rig *r = *state;
	char webhook[60], path[80], whole[100];
	make_delivery(r, webhook, path);
	resend(r, "/v1/deliveries/" NOBODY, NULL, 404, NULL);
	resend(r, "/v1/deliveries/x", NULL, 404, NULL);
	resend(r, path, "{\"now\":true}", 400, NULL);
	snprintf(whole, sizeof(whole), "%s/resend", path);
	struct answer a = api_ask(r, "POST", whole, KEY_B, NULL);
	assert_problem(&a, 404);
	answer_fini(&a);
	snprintf(whole, sizeof(whole), "%s/disable", webhook);
	json_decref(api_json(r, "POST", whole, NULL, 200));
	resend(r, path, NULL, 409, "switched off");
	a = api_ask(r, "DELETE", webhook, KEY_A, NULL);
	assert_int_equal(a.status, 204);
	answer_fini(&a);
	json_t *json = api_json(r, "GET", path, NULL, 200);
	for (int i = 0; strcmp(json_text(json, "state"), "CANCELED") != 0; i++) {
		assert_true(i < 100);
		json_decref(json);
		json = api_json(r, "GET", path, NULL, 200);
	}
	json_decref(json);
	resend(r, path, NULL, 409, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, api_rig_setup, api_rig_teardown)

int group_waits(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(whoever_waits_says_what_for),
			TEST(a_resend_opens_a_new_round),
			TEST(what_was_delivered_once_says_so),
			TEST(a_resend_that_can_not_be_says_why),
	};
	return cmocka_run_group_tests_name("waits", tests, NULL, NULL);
}
