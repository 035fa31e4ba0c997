#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_rig.h"
#include "base/alloc.h"
#include "groups.h"
#include "store/store.h"

static void make_webhook(struct api_rig *r, char path[60])
{
	json_t *json = api_json(r, "POST", "/v1/webhooks", "{\"url\":\"http://127.0.0.1:9/\"}", 201);
	snprintf(path, 60, "/v1/webhooks/%s", json_text(json, "id"));
	json_decref(json);
}

static void put_call(struct api_rig *r, int n)
{
	char path[60];
	snprintf(path, sizeof(path), "/v1/calls/3f2b8c1e-0000-4000-8000-%012d", n);
	json_decref(api_json(r, "PUT", path, record_json(path + strlen("/v1/calls/"), NULL, NULL), 201));
}

/* POSTs to path and the switch behind it. */
static json_t *turn(struct api_rig *r, const char *path, const char *which, const char *body, int status)
{
	char whole[80];
	snprintf(whole, sizeof(whole), "%s/%s", path, which);
	return api_json(r, "POST", whole, body, status);
}

static void turn_to(
		struct api_rig *r, const char *path, const char *which, const char *body, const char *state)
{
	json_t *json = turn(r, path, which, body, 200);
	json_t *got = api_json(r, "GET", path, NULL, 200);
	assert_string_equal(json_text(json, "state"), state);
	assert_true(json_is_true(json_object_get(json, "enabled")) == (strcmp(state, "READY") == 0));
	/* The sweeps that follow move rows; all else is what GET shows. */
	json_object_del(json, "parked");
	json_object_del(got, "parked");
	assert_true(json_equal(json, got));
	json_decref(got);
	json_decref(json);
}

static size_t count_of(struct api_rig *r, const char *state)
{
	char path[80];
	snprintf(path, sizeof(path), "/v1/deliveries?size=100&state=%s", state);
	json_t *json = api_json(r, "GET", path, NULL, 200);
	size_t n = json_array_size(json_object_get(json, "content"));
	json_decref(json);
	return n;
}

static void wait_count(struct api_rig *r, const char *state, size_t n)
{
	for (int i = 0; count_of(r, state) != n; i++)
		assert_true(i < 100);
}

static void the_switch_turns_and_turning_it_twice_is_once(void **state)
{
	struct api_rig *r = *state;
	char path[60];
	make_webhook(r, path);
	turn_to(r, path, "enable", NULL, "READY");
	turn_to(r, path, "disable", NULL, "DISABLED");
	turn_to(r, path, "disable", "{}", "DISABLED");
	turn_to(r, path, "enable", "{}", "READY");
	turn_to(r, path, "enable", "{\"deliverParked\":false}", "READY");
	json_decref(turn(r, "/v1/webhooks/" NOBODY, "enable", NULL, 404));
	json_decref(turn(r, "/v1/webhooks/" NOBODY, "disable", NULL, 404));
}

static void what_was_parked_stays_unless_asked_for(void **state)
{
	struct api_rig *r = *state;
	char path[60];
	make_webhook(r, path);
	turn_to(r, path, "disable", NULL, "DISABLED");
	for (int i = 0; i < 3; i++)
		put_call(r, i);
	wait_count(r, "PARKED", 3);
	turn_to(r, path, "enable", NULL, "READY");
	put_call(r, 3);
	assert_int_equal(count_of(r, "PENDING"), 1);
	assert_int_equal(count_of(r, "PARKED"), 3);
	/* Enabled already, and asked for now. */
	turn_to(r, path, "enable", "{\"deliverParked\":true}", "READY");
	wait_count(r, "PENDING", 4);
	assert_int_equal(count_of(r, "PARKED"), 0);
	turn_to(r, path, "disable", NULL, "DISABLED");
	wait_count(r, "PARKED", 4);
	turn_to(r, path, "enable", "{\"deliverParked\":true}", "READY");
	wait_count(r, "PENDING", 4);
}

static void a_patch_turns_it_without_a_release(void **state)
{
	struct api_rig *r = *state;
	char path[60];
	make_webhook(r, path);
	put_call(r, 1);
	json_decref(api_json(r, "PATCH", path, "{\"enabled\":false}", 200));
	wait_count(r, "PARKED", 1);
	json_decref(api_json(r, "PATCH", path, "{\"enabled\":true}", 200));
	put_call(r, 2);
	assert_int_equal(count_of(r, "PARKED"), 1);
	assert_int_equal(count_of(r, "PENDING"), 1);
}

/* As the delivery loop does after a 410. */
static void switch_off(struct api_rig *r, const char *path, const char *reason)
{
	struct store_request get, update;
	store_request_init(&get, STORE_WEBHOOK_GET, NULL, NULL);
	get.u.webhook_get.in.account = 1;
	assert_int_equal(id_parse(path + strlen("/v1/webhooks/"), ID_TEXT_LEN, &get.u.webhook_get.in.id), 0);
	api_rig_store(r, &get);
	assert_int_equal(get.result, 0);
	store_request_init(&update, STORE_WEBHOOK_UPDATE, NULL, NULL);
	update.u.webhook_update.in.webhook = get.u.webhook_get.out.row.webhook;
	get.u.webhook_get.out.row.webhook = (struct webhook){0};
	update.u.webhook_update.in.webhook.enabled = false;
	update.u.webhook_update.in.webhook.disabled_reason = ch_strdup(reason);
	api_rig_store(r, &update);
	assert_int_equal(update.result, 0);
	store_request_fini(&update);
	store_request_fini(&get);
}

static void a_reason_stays_until_it_is_switched_on(void **state)
{
	struct api_rig *r = *state;
	char path[60];
	make_webhook(r, path);
	switch_off(r, path, "answered 410");
	json_t *json = turn(r, path, "disable", NULL, 200);
	assert_string_equal(json_text(json, "reason"), "answered 410");
	json_decref(json);
	json = turn(r, path, "enable", NULL, 200);
	assert_true(json_is_null(json_object_get(json, "reason")));
	json_decref(json);
	json = turn(r, path, "disable", NULL, 200);
	assert_true(json_is_null(json_object_get(json, "reason")));
	json_decref(json);
}

static void what_the_switch_does_not_know_is_refused(void **state)
{
	struct api_rig *r = *state;
	char path[60], enable[80], disable[80];
	make_webhook(r, path);
	snprintf(enable, sizeof(enable), "%s/enable", path);
	snprintf(disable, sizeof(disable), "%s/disable", path);
	const struct {
		const char *path, *headers, *body;
		int status;
	} cases[] = {
			{enable, KEY_A JSON_TYPE, "{\"deliverParked\":1}", 400},
			{enable, KEY_A JSON_TYPE, "{\"deliverParked\":null}", 400},
			{enable, KEY_A JSON_TYPE, "{\"parked\":true}", 400},
			{enable, KEY_A JSON_TYPE, "[]", 400},
			{enable, KEY_A, "{}", 415},
			{enable, KEY_B, NULL, 404},
			{enable, "", NULL, 401},
			{disable, KEY_A JSON_TYPE, "{\"deliverParked\":true}", 400},
			{disable, KEY_A JSON_TYPE, "1", 400},
			{disable, KEY_B, NULL, 404},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer a = api_ask(r, "POST", cases[i].path, cases[i].headers, cases[i].body);
		if (a.status != cases[i].status)
			fail_msg("case %zu: %d: %s", i, a.status, a.body);
		assert_problem(&a, cases[i].status);
		answer_fini(&a);
	}
	json_decref(api_json(r, "GET", enable, NULL, 405));
	json_t *json = turn(r, path, "enable", "{\"parked\":true}", 400);
	json_t *first = json_array_get(json_object_get(json, "errors"), 0);
	assert_string_equal(json_text(first, "pointer"), "/parked");
	json_decref(json);
}

static void a_store_that_refuses_is_said(void **state)
{
	struct api_rig *r = *state;
	char path[60];
	make_webhook(r, path);
	store_fault_fail_write(r->fault, 1, CH_EFULL);
	json_decref(turn(r, path, "disable", NULL, 503));
	json_t *json = api_json(r, "GET", path, NULL, 200);
	assert_true(json_is_true(json_object_get(json, "enabled")));
	json_decref(json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, api_rig_setup, api_rig_teardown)

int group_switch(void)
{
	const struct CMUnitTest tests[] = {
			TEST(the_switch_turns_and_turning_it_twice_is_once),
			TEST(what_was_parked_stays_unless_asked_for),
			TEST(a_patch_turns_it_without_a_release),
			TEST(a_reason_stays_until_it_is_switched_on),
			TEST(what_the_switch_does_not_know_is_refused),
			TEST(a_store_that_refuses_is_said),
	};
	return cmocka_run_group_tests_name("switch", tests, NULL, NULL);
}
