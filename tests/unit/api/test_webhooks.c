#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../nth_alloc.h"
#include "api_rig.h"
#include "base/crypto.h"
#include "groups.h"
#include "policy/sign.h"
#include "store/store.h"

#define URL "http://127.0.0.1:9/hook"

/* Makes one; its path into out. */
static void make_webhook(struct api_rig *r, char out[60])
{
	json_t *json = api_json(r, "POST", "/v1/webhooks", "{\"url\":\"" URL "\"}", 201);
	snprintf(out, 60, "/v1/webhooks/%s", json_text(json, "id"));
	json_decref(json);
}

static void a_webhook_is_made_with_defaults_and_listed(void **state)
{
	struct api_rig *r = *state;
	char location[100];
	struct answer a = api_ask(r, "POST", "/v1/webhooks", KEY_A JSON_TYPE,
			"{\"url\":\"" URL "\",\"name\":\"Main\"}");
	assert_int_equal(a.status, 201);
	answer_header(&a, "Location", location, sizeof(location));
	json_t *made = json_loads(a.body, 0, NULL);
	assert_int_equal(strncmp(location, "/v1/webhooks/", 13), 0);
	assert_string_equal(location + 13, json_text(made, "id"));
	assert_string_equal(json_text(made, "url"), URL);
	assert_string_equal(json_text(made, "state"), "READY");
	assert_true(json_is_null(json_object_get(made, "reason")));
	assert_true(json_is_true(json_object_get(made, "enabled")));
	assert_true(json_is_false(json_object_get(made, "secured")));
	assert_int_equal(json_integer_value(json_object_get(made, "parked")), 0);
	assert_string_equal(json_text(made, "created"), "2024-07-30T14:35:00Z");
	answer_fini(&a);
	json_t *got = api_json(r, "GET", location, NULL, 200);
	assert_true(json_equal(got, made));
	json_t *list = api_json(r, "GET", "/v1/webhooks", NULL, 200);
	assert_int_equal(json_array_size(json_object_get(list, "content")), 1);
	assert_true(json_equal(json_array_get(json_object_get(list, "content"), 0), made));
	json_decref(list);
	json_decref(got);
	json_decref(made);
}

static void a_merge_patch_changes_what_it_names(void **state)
{
	struct api_rig *r = *state;
	char path[60];
	make_webhook(r, path);
	json_t *json = api_json(r, "PATCH", path, "{\"name\":\"x\",\"timeout\":30,\"enabled\":false}", 200);
	assert_string_equal(json_text(json, "name"), "x");
	assert_int_equal(json_integer_value(json_object_get(json, "timeout")), 30);
	assert_string_equal(json_text(json, "state"), "DISABLED");
	json_decref(json);
	json = api_json(r, "PATCH", path, "{\"timeout\":null,\"enabled\":true}", 200);
	assert_string_equal(json_text(json, "name"), "x");
	assert_int_equal(json_integer_value(json_object_get(json, "timeout")), 15);
	assert_string_equal(json_text(json, "state"), "READY");
	json_decref(json);
	json_decref(api_json(r, "PATCH", path, "{\"timeout\":61,\"bogus\":1}", 400));
	json_decref(api_json(r, "PATCH", path, "[]", 400));
	json_decref(api_json(r, "PATCH", "/v1/webhooks/" NOBODY, "{}", 404));
}

static void a_deleted_webhook_is_gone(void **state)
{
	struct api_rig *r = *state;
	char path[60];
	make_webhook(r, path);
	struct answer a = api_ask(r, "DELETE", path, KEY_A, NULL);
	assert_int_equal(a.status, 204);
	assert_int_equal(a.body_len, 0);
	answer_fini(&a);
	json_decref(api_json(r, "DELETE", path, NULL, 404));
	json_decref(api_json(r, "GET", path, NULL, 404));
	json_decref(api_json(r, "PATCH", path, "{}", 404));
}

static void there_is_a_limit_for_an_account(void **state)
{
	struct api_rig *r = *state;
	char path[60];
	for (int i = 0; i < 3; i++)
		make_webhook(r, path);
	json_decref(api_json(r, "POST", "/v1/webhooks", "{\"url\":\"" URL "\"}", 409));
	struct answer a = api_ask(r, "POST", "/v1/webhooks", KEY_B JSON_TYPE, "{\"url\":\"" URL "\"}");
	assert_int_equal(a.status, 201);
	answer_fini(&a);
}

static void what_is_asked_wrongly_is_refused(void **state)
{
	struct api_rig *r = *state;
	char path[60];
	char deep[80];
	make_webhook(r, path);
	snprintf(deep, sizeof(deep), "%s/secret", path);
	const struct {
		const char *method, *path, *headers, *body;
		int status;
	} cases[] = {
			{"POST", "/v1/webhooks", KEY_A JSON_TYPE, "{}", 400},
			{"POST", "/v1/webhooks", KEY_A JSON_TYPE, "{\"url\":\"ftp://x/\"}", 400},
			{"POST", "/v1/webhooks", KEY_A JSON_TYPE, "{\"url\":\"" URL "\",\"url\":\"" URL "\"}",
					400},
			{"POST", "/v1/webhooks", KEY_A JSON_TYPE, "{\"url\":\"" URL "\"", 400},
			{"POST", "/v1/webhooks", KEY_A JSON_TYPE, "[1]", 400},
			{"POST", "/v1/webhooks", KEY_A JSON_TYPE, "", 400},
			{"POST", "/v1/webhooks", KEY_A JSON_TYPE, NULL, 411},
			{"POST", "/v1/webhooks", KEY_A, "{}", 415},
			{"POST", "/v1/webhooks", KEY_A "Content-Type: application/merge-patch+json\r\n", "{}",
					415},
			{"POST", "/v1/webhooks?x=y", KEY_A JSON_TYPE, "{}", 400},
			{"GET", "/v1/webhooks?page=1", KEY_A, NULL, 400},
			{"GET", "/v1/webhooks/x", KEY_A, NULL, 404},
			{"GET", path, KEY_B, NULL, 404},
			{"DELETE", path, KEY_B, NULL, 404},
			{"PATCH", path, KEY_B JSON_TYPE, "{}", 404},
			{"POST", deep, KEY_B, NULL, 404},
			{"DELETE", deep, KEY_B, NULL, 404},
			{"GET", deep, KEY_A, NULL, 405},
			{"PUT", path, KEY_A JSON_TYPE, "{}", 405},
			{"GET", "/v1/webhooks", "", NULL, 401},
			{"POST", deep, KEY_A JSON_TYPE, "{\"secret\":\"short\"}", 400},
			{"POST", deep, KEY_A JSON_TYPE, "{\"secret\":1}", 400},
			{"POST", deep, KEY_A JSON_TYPE, "{\"a/b\":1}", 400},
			{"POST", deep, KEY_A JSON_TYPE, "[]", 400},
			{"POST", deep, KEY_A, "{}", 415},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer a = api_ask(r, cases[i].method, cases[i].path, cases[i].headers, cases[i].body);
		if (a.status != cases[i].status)
			fail_msg("case %zu: %d: %s", i, a.status, a.body);
		assert_problem(&a, cases[i].status);
		answer_fini(&a);
	}
}

static void a_json_error_says_where(void **state)
{
	struct api_rig *r = *state;
	json_t *json = api_json(r, "POST", "/v1/webhooks", "{\n \"url\": nope}", 400);
	const char *detail = json_text(json_array_get(json_object_get(json, "errors"), 0), "detail");
	assert_non_null(strstr(detail, "line 2"));
	json_decref(json);
}

/* ---- secrets ---- */

static void a_secret_is_made_shown_once_and_switched_off(void **state)
{
	struct api_rig *r = *state;
	char path[60];
	char deep[80];
	char value[100];
	struct ch_err err;
	make_webhook(r, path);
	snprintf(deep, sizeof(deep), "%s/secret", path);
	struct answer a = api_ask(r, "POST", deep, KEY_A, NULL);
	assert_int_equal(a.status, 201);
	answer_header(&a, "Cache-Control", value, sizeof(value));
	assert_string_equal(value, "no-store");
	json_t *json = json_loads(a.body, 0, NULL);
	const char *secret = json_text(json, "secret");
	assert_int_equal(strlen(secret), SIGN_SECRET_TEXT_LEN);
	assert_int_equal(sign_secret_check(secret, strlen(secret), &err), 0);
	assert_null(strstr(r->logged.data, secret));
	json_decref(json);
	answer_fini(&a);

	json = api_json(r, "GET", path, NULL, 200);
	assert_true(json_is_true(json_object_get(json, "secured")));
	assert_null(json_object_get(json, "secret"));
	json_decref(json);
	json_decref(api_json(r, "POST", deep, "{}", 409));
	for (int i = 0; i < 2; i++) {
		a = api_ask(r, "DELETE", deep, KEY_A, NULL);
		assert_int_equal(a.status, 204);
		answer_fini(&a);
	}
	json = api_json(r, "GET", path, NULL, 200);
	assert_true(json_is_false(json_object_get(json, "secured")));
	json_decref(json);
	json_decref(api_json(r, "POST", deep, "{}", 201));
}

static void a_secret_that_is_brought_opens_with_the_key(void **state)
{
	struct api_rig *r = *state;
	static const char brought[] = "my old secret of 24 char";
	char path[60];
	char deep[80];
	uint8_t aad[24];
	struct store_request get;
	struct ch_buf plain;
	struct api_conf conf = api_rig_conf(r);
	make_webhook(r, path);
	snprintf(deep, sizeof(deep), "%s/secret", path);
	struct answer a = api_ask(
			r, "POST", deep, KEY_A JSON_TYPE, "{\"secret\":\"my old secret of 24 char\"}");
	assert_int_equal(a.status, 400);
	answer_fini(&a);
	a = api_ask(r, "POST", deep, KEY_A JSON_TYPE, "{\"secret\":\"my-old-secret-of-24-char\"}");
	assert_int_equal(a.status, 201);
	assert_non_null(strstr(a.body, "\"secret\":\"my-old-secret-of-24-char\""));
	answer_fini(&a);
	store_request_init(&get, STORE_WEBHOOK_GET, NULL, NULL);
	get.u.webhook_get.in.account = 1;
	assert_int_equal(id_parse(path + strlen("/v1/webhooks/"), ID_TEXT_LEN, &get.u.webhook_get.in.id), 0);
	api_rig_store(r, &get);
	const struct webhook *w = &get.u.webhook_get.out.row.webhook;
	webhook_seal_aad(w, aad);
	ch_buf_init(&plain, 1000);
	assert_int_equal(ch_unseal(conf.seal_key, aad, sizeof(aad), w->secret_sealed, w->secret_sealed_len,
					 &plain),
			0);
	assert_string_equal(plain.data, "my-old-secret-of-24-char");
	assert_int_equal(plain.len, sizeof(brought) - 1);
	ch_buf_fini(&plain);
	store_request_fini(&get);
}

/* ---- changes that collide ---- */

/* Another change is written between the api's read and its write, `times` times. */
struct rival {
	struct api_rig *r;
	void (*submit)(struct store_client *c, struct store_request *q);
	int times;
};
static struct rival rival;

static void rival_submit(struct store_client *c, struct store_request *q)
{
	if (q->kind == STORE_WEBHOOK_UPDATE && rival.times > 0) {
		rival.times--;
		q->u.webhook_update.in.webhook.revision--;
	}
	rival.submit(c, q);
}

static void a_change_is_made_again_when_another_was_quicker(void **state)
{
	struct api_rig *r = *state;
	char path[80];
	make_webhook(r, path);
	rival = (struct rival){.r = r, .submit = r->store->submit, .times = 4};
	r->store->submit = rival_submit;
	json_t *json = api_json(r, "PATCH", path, "{\"name\":\"x\"}", 200);
	assert_string_equal(json_text(json, "name"), "x");
	json_decref(json);
	rival.times = 5;
	json_decref(api_json(r, "PATCH", path, "{\"name\":\"y\"}", 409));
	assert_int_equal(rival.times, 0);
	rival.times = 4;
	strcat(path, "/disable");
	json = api_json(r, "POST", path, NULL, 200);
	assert_true(json_is_false(json_object_get(json, "enabled")));
	json_decref(json);
	assert_int_equal(rival.times, 0);
	r->store->submit = rival.submit;
}

/* Makes one; its path into out. */
static void newest_delivery(struct api_rig *r, char out[80])
{
	json_decref(api_json(r, "PUT", "/v1/calls/" CALL_2, record_json(CALL_2, NULL, NULL), 201));
	json_t *json = api_json(r, "GET", "/v1/deliveries?size=1", NULL, 200);
	json_t *row = json_array_get(json_object_get(json, "content"), 0);
	snprintf(out, 80, "/v1/deliveries/%s", json_text(row, "id"));
	json_decref(json);
}

static void any_allocation_may_fail(void **state)
{
	struct api_rig *r = *state;
	struct nth_alloc nth = {0};
	char path[60];
	char deep[80], enable[80], disable[80], resend[80];
	make_webhook(r, path);
	snprintf(deep, sizeof(deep), "%s/secret", path);
	snprintf(enable, sizeof(enable), "%s/enable", path);
	snprintf(disable, sizeof(disable), "%s/disable", path);
	newest_delivery(r, resend);
	strcat(resend, "/resend");
	const struct {
		const char *method, *path, *headers, *body;
	} requests[] = {
			{"POST", resend, KEY_A, NULL},
			{"POST", disable, KEY_A, NULL},
			{"POST", disable, KEY_A JSON_TYPE, "{\"bad\":1}"},
			{"POST", enable, KEY_A JSON_TYPE, "{\"deliverParked\":true}"},
			{"POST", enable, KEY_A JSON_TYPE, "{\"a/b\":1}"},
			{"GET", "/v1/webhooks", KEY_A, NULL},
			{"GET", path, KEY_A, NULL},
			{"PATCH", path, KEY_A JSON_TYPE, "{\"name\":\"z\"}"},
			{"PATCH", path, KEY_A JSON_TYPE, "{\"bad\":1}"},
			{"POST", deep, KEY_A, NULL},
			{"DELETE", deep, KEY_A, NULL},
			{"GET", "/v1/deliveries?size=5&state=FAILED", KEY_A, NULL},
			{"GET", "/v1/deliveries?size=0", KEY_A, NULL},
			{"GET", "/v1/deliveries/" NOBODY, KEY_A, NULL},
			{"GET", "/v1/calls/" CALL_1, KEY_A, NULL},
			{"PUT", "/v1/calls/" CALL_1 "?notify=true", KEY_A JSON_TYPE,
					record_json(CALL_1, NULL, NULL)},
			{"PUT", "/v1/calls/" CALL_1, KEY_A JSON_TYPE, "{}"},
			{"POST", "/v1/calls/" CALL_1, KEY_A, NULL},
			{"GET", "/metrics", "", NULL},
			{"GET", "/readyz", "", NULL},
	};
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		bool failed = true;
		for (nth.fail_at = 1; failed; nth.fail_at++) {
			struct ch_buf text;
			struct client c;
			ch_buf_init(&text, SIZE_MAX);
			ch_buf_addf(&text, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s",
					requests[i].method, requests[i].path, requests[i].headers);
			if (requests[i].body)
				ch_buf_addf(&text, "Content-Length: %zu\r\n\r\n%s", strlen(requests[i].body),
						requests[i].body);
			else
				ch_buf_adds(&text, "\r\n");
			client_open(&c, &r->rig);
			(void)!ch_buf_reserve(&c.in, 100000);
			client_send(&c, text.data, text.len);
			nth_alloc_begin(&nth);
			while (!c.is_closed)
				rig_turn(&r->rig);
			failed = nth_alloc_end(&nth);
			struct answer a = client_read(&c, false);
			if (a.status != 0 && a.status != 503 && a.status != 405)
				assert_in_range(a.status, 200, 409);
			answer_fini(&a);
			client_close(&c);
			ch_buf_fini(&text);
			assert_int_equal(api_busy(r->api), 0);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, api_rig_setup, api_rig_teardown)

int group_webhooks(void)
{
	const struct CMUnitTest tests[] = {
			TEST(a_webhook_is_made_with_defaults_and_listed),
			TEST(a_merge_patch_changes_what_it_names),
			TEST(a_deleted_webhook_is_gone),
			TEST(there_is_a_limit_for_an_account),
			TEST(what_is_asked_wrongly_is_refused),
			TEST(a_json_error_says_where),
			TEST(a_secret_is_made_shown_once_and_switched_off),
			TEST(a_secret_that_is_brought_opens_with_the_key),
			TEST(a_change_is_made_again_when_another_was_quicker),
			TEST(any_allocation_may_fail),
	};
	return cmocka_run_group_tests_name("webhooks", tests, NULL, NULL);
}
