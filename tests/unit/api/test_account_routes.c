#include <stdio.h>
#include <string.h>

#include "api_rig.h"
#include "groups.h"

#define OPERATOR_JSON OPERATOR JSON_TYPE
#define PATCH_TYPE "Content-Type: application/merge-patch+json\r\n"

static json_t *ask(struct api_rig *r, const char *method, const char *path, const char *headers,
		const char *body, int status)
{
	struct answer a = api_ask(r, method, path, headers, body);
	json_t *json = a.body ? json_loadb(a.body, a.body_len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (a.status != status)
		fail_msg("%s %s: %d and not %d: %s", method, path, a.status, status, a.body ? a.body : "");
	if (status >= 400)
		assert_problem(&a, status);
	answer_fini(&a);
	return json;
}

static void refused(struct api_rig *r, const char *method, const char *path, const char *headers,
		const char *body, int status)
{
	json_decref(ask(r, method, path, headers, body, status));
}

static int status_with_key(struct api_rig *r, const char *key)
{
	char header[200];
	snprintf(header, sizeof(header), "X-Api-Key: %s\r\n", key);
	struct answer a = api_ask(r, "GET", "/v1/account", header, NULL);
	int status = a.status;
	answer_fini(&a);
	return status;
}

/* The value of "key" or of "keys/primary". */
static void take_text(const json_t *json, const char *key, char out[100])
{
	snprintf(out, 100, "%s", json_text(json, key));
}

static void an_account_comes_and_goes(void **state)
{
	struct api_rig *r = *state;
	char primary[100], secondary[100];
	json_t *json = ask(r, "POST", "/v1/accounts", OPERATOR_JSON, "{\"id\":\"new\",\"name\":\"N\u00e9w\"}",
			201);
	assert_string_equal(json_text(json, "id"), "new");
	assert_string_equal(json_text(json, "name"), "N\u00e9w");
	take_text(json_object_get(json, "keys"), "primary", primary);
	take_text(json_object_get(json, "keys"), "secondary", secondary);
	json_decref(json);
	assert_int_equal(status_with_key(r, primary), 200);
	assert_int_equal(status_with_key(r, secondary), 200);
	assert_string_not_equal(primary, secondary);
	assert_null(strstr(r->logged.data, primary));
	refused(r, "POST", "/v1/accounts", OPERATOR_JSON, "{\"id\":\"new\"}", 409);
	json = ask(r, "GET", "/v1/account", OPERATOR "X-Account-Id: new\r\n", NULL, 200);
	assert_string_equal(json_text(json, "id"), "new");
	json_decref(json);
	refused(r, "DELETE", "/v1/accounts/new", OPERATOR, NULL, 204);
	assert_int_equal(status_with_key(r, primary), 401);
	assert_int_equal(status_with_key(r, secondary), 401);
	refused(r, "GET", "/v1/account", OPERATOR "X-Account-Id: new\r\n", NULL, 404);
	refused(r, "DELETE", "/v1/accounts/new", OPERATOR, NULL, 404);
}

static void an_id_is_made_when_none_is_given(void **state)
{
	struct api_rig *r = *state;
	struct id id;
	json_t *json = ask(r, "POST", "/v1/accounts", OPERATOR_JSON, "{}", 201);
	const char *text = json_text(json, "id");
	assert_int_equal(id_parse(text, strlen(text), &id), 0);
	assert_string_equal(json_text(json, "name"), "");
	json_decref(json);
}

static void accounts_are_listed_in_pages(void **state)
{
	struct api_rig *r = *state;
	char path[100];
	refused(r, "POST", "/v1/accounts", OPERATOR_JSON, "{\"id\":\"third\"}", 201);
	json_t *first = ask(r, "GET", "/v1/accounts?size=2", OPERATOR, NULL, 200);
	assert_int_equal(json_array_size(json_object_get(first, "content")), 2);
	snprintf(path, sizeof(path), "/v1/accounts?size=2&after=%s", json_text(first, "next"));
	json_t *second = ask(r, "GET", path, OPERATOR, NULL, 200);
	const json_t *rows = json_object_get(second, "content");
	assert_int_equal(json_array_size(rows), 1);
	assert_string_equal(json_text(json_array_get(rows, 0), "id"), "third");
	assert_true(json_is_null(json_object_get(second, "next")));
	json_decref(first);
	json_decref(second);
	refused(r, "GET", "/v1/accounts?size=0", OPERATOR, NULL, 400);
	refused(r, "GET", "/v1/accounts?after=x", OPERATOR, NULL, 400);
	refused(r, "GET", "/v1/accounts?page=1", OPERATOR, NULL, 400);
}

static void only_the_operator_manages_accounts(void **state)
{
	struct api_rig *r = *state;
	refused(r, "GET", "/v1/accounts", KEY_A, NULL, 403);
	refused(r, "POST", "/v1/accounts", KEY_A JSON_TYPE, "{\"id\":\"x\"}", 403);
	refused(r, "DELETE", "/v1/accounts/other", KEY_A, NULL, 403);
	refused(r, "DELETE", "/v1/accounts/other", KEY_B, NULL, 403);
	refused(r, "DELETE", "/v1/accounts/other", "", NULL, 401);
	refused(r, "DELETE", "/v1/accounts/default", OPERATOR, NULL, 409);
	assert_int_equal(status_with_key(r, "key-a1"), 200);
	assert_int_equal(status_with_key(r, "key-b1"), 200);
	refused(r, "GET", "/v1/accounts", OPERATOR "X-Account-Id: nobody\r\n", NULL, 404);
}

static void bad_accounts_are_named(void **state)
{
	struct api_rig *r = *state;
	static const struct {
		const char *body, *pointer;
	} cases[] = {{"{\"id\":\"\"}", "/id"}, {"{\"id\":\"..\"}", "/id"}, {"{\"id\":\"a/b\"}", "/id"},
			{"{\"id\":null}", "/id"}, {"{\"id\":1}", "/id"}, {"{\"name\":null}", "/name"},
			{"{\"name\":\"a\\nb\"}", "/name"}, {"{\"key\":\"x\"}", "/key"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *json = ask(r, "POST", "/v1/accounts", OPERATOR_JSON, cases[i].body, 400);
		const json_t *errors = json_object_get(json, "errors");
		assert_int_equal(json_array_size(errors), 1);
		assert_string_equal(json_text(json_array_get(errors, 0), "pointer"), cases[i].pointer);
		json_decref(json);
	}
	char body[400];
	snprintf(body, sizeof(body), "{\"name\":\"%0*d\"}", ACCOUNT_NAME_MAX + 1, 0);
	refused(r, "POST", "/v1/accounts", OPERATOR_JSON, body, 400);
	snprintf(body, sizeof(body), "{\"name\":\"%0*d\"}", ACCOUNT_NAME_MAX, 0);
	refused(r, "POST", "/v1/accounts", OPERATOR_JSON, body, 201);
	char path[200];
	snprintf(path, sizeof(path), "/v1/accounts/%0*d", ACCOUNT_ID_MAX + 1, 0);
	refused(r, "DELETE", path, OPERATOR, NULL, 404);
}

static void a_key_is_rotated(void **state)
{
	struct api_rig *r = *state;
	char key[100];
	json_t *before = ask(r, "GET", "/v1/account", KEY_A, NULL, 200);
	json_t *made = ask(r, "POST", "/v1/account/keys/primary/rotate", KEY_A, NULL, 200);
	take_text(made, "key", key);
	assert_int_equal(status_with_key(r, "key-a1"), 401);
	assert_int_equal(status_with_key(r, "key-a2"), 200);
	assert_int_equal(status_with_key(r, key), 200);
	json_t *after = ask(r, "GET", "/v1/account", "X-Api-Key: key-a2\r\n", NULL, 200);
	const json_t *old_keys = json_object_get(before, "keys"), *keys = json_object_get(after, "keys");
	assert_true(json_equal(json_object_get(old_keys, "secondary"), json_object_get(keys, "secondary")));
	assert_string_equal(
			json_text(json_object_get(keys, "primary"), "created"), json_text(made, "created"));
	json_decref(before);
	json_decref(made);
	json_decref(after);
	made = ask(r, "POST", "/v1/account/keys/secondary/rotate", OPERATOR JSON_TYPE, "{}", 200);
	assert_int_equal(status_with_key(r, "key-a2"), 401);
	assert_int_equal(status_with_key(r, json_text(made, "key")), 200);
	json_decref(made);
	refused(r, "POST", "/v1/account/keys/third/rotate", OPERATOR, NULL, 404);
	refused(r, "POST", "/v1/account/keys/primar/rotate", OPERATOR, NULL, 404);
	refused(r, "POST", "/v1/account/keys/primary/rotate", OPERATOR JSON_TYPE, "{\"key\":\"mine\"}", 400);
	assert_int_equal(status_with_key(r, key), 200);
}

static void a_refused_rotation_changes_nothing(void **state)
{
	struct api_rig *r = *state;
	store_fault_fail_write(r->fault, 1, CH_EFULL);
	refused(r, "POST", "/v1/account/keys/primary/rotate", KEY_A, NULL, 503);
	assert_int_equal(status_with_key(r, "key-a1"), 200);
	store_fault_fail_write(r->fault, 1, CH_EFULL);
	refused(r, "DELETE", "/v1/accounts/other", OPERATOR, NULL, 503);
	assert_int_equal(status_with_key(r, "key-b1"), 200);
	store_fault_fail_write(r->fault, 1, CH_EFULL);
	refused(r, "POST", "/v1/accounts", OPERATOR_JSON, "{\"id\":\"new\"}", 503);
	refused(r, "GET", "/v1/account", OPERATOR "X-Account-Id: new\r\n", NULL, 404);
	refused(r, "POST", "/v1/accounts", OPERATOR_JSON, "{\"id\":\"new\"}", 201);
}

static void an_account_says_where_its_events_go(void **state)
{
	struct api_rig *r = *state;
	json_t *json = ask(r, "GET", "/v1/account", KEY_B, NULL, 200);
	const json_t *keys = json_object_get(json, "keys");
	assert_true(json_is_null(json_object_get(json, "eventsUrl")));
	assert_true(json_is_null(json_object_get(json_object_get(keys, "secondary"), "created")));
	json_decref(json);
	json = ask(r, "PATCH", "/v1/account", KEY_B PATCH_TYPE,
			"{\"eventsUrl\":\"http://127.0.0.1:9/Events\"}", 200);
	assert_string_equal(json_text(json, "eventsUrl"), "http://127.0.0.1:9/Events");
	json_decref(json);
	json = ask(r, "PATCH", "/v1/account", KEY_B PATCH_TYPE, "{}", 200);
	assert_string_equal(json_text(json, "eventsUrl"), "http://127.0.0.1:9/Events");
	json_decref(json);
	refused(r, "PATCH", "/v1/account", KEY_B PATCH_TYPE, "{\"eventsUrl\":\"ftp://x/\"}", 400);
	refused(r, "PATCH", "/v1/account", KEY_B PATCH_TYPE, "{\"eventsUrl\":1}", 400);
	refused(r, "PATCH", "/v1/account", KEY_B PATCH_TYPE,
			"{\"name\":\"x\",\"eventsUrl\":\"http://127.0.0.1:9/\"}", 400);
	json = ask(r, "GET", "/v1/account", KEY_A, NULL, 200);
	assert_true(json_is_null(json_object_get(json, "eventsUrl")));
	json_decref(json);
	json = ask(r, "PATCH", "/v1/account", KEY_B PATCH_TYPE, "{\"eventsUrl\":null}", 200);
	assert_true(json_is_null(json_object_get(json, "eventsUrl")));
	json_decref(json);
}

static const char *action_at(const json_t *page, size_t i)
{
	return json_text(json_array_get(json_object_get(page, "content"), i), "action");
}

static void it_is_written_down(void **state)
{
	struct api_rig *r = *state;
	refused(r, "POST", "/v1/accounts", OPERATOR_JSON, "{\"id\":\"new\"}", 201);
	refused(r, "DELETE", "/v1/accounts/new", OPERATOR, NULL, 204);
	refused(r, "PATCH", "/v1/account", KEY_B PATCH_TYPE, "{\"eventsUrl\":\"http://127.0.0.1:9/\"}", 200);
	refused(r, "POST", "/v1/account/keys/primary/rotate", KEY_B, NULL, 200);
	json_t *all = ask(r, "GET", "/v1/audit?log=installation", OPERATOR, NULL, 200);
	assert_int_equal(json_array_size(json_object_get(all, "content")), 2);
	assert_string_equal(action_at(all, 0), "account.delete");
	assert_string_equal(action_at(all, 1), "account.create");
	assert_string_equal(json_text(json_array_get(json_object_get(all, "content"), 1), "objectId"), "new");
	json_decref(all);
	json_t *own = ask(r, "GET", "/v1/audit", OPERATOR "X-Account-Id: other\r\n", NULL, 200);
	assert_int_equal(json_array_size(json_object_get(own, "content")), 2);
	assert_string_equal(action_at(own, 0), "key.rotate");
	assert_string_equal(
			json_text(json_array_get(json_object_get(own, "content"), 0), "objectId"), "primary");
	assert_string_equal(action_at(own, 1), "account.update");
	json_decref(own);
	refused(r, "GET", "/v1/audit?log=installation", KEY_A, NULL, 403);
	refused(r, "GET", "/v1/audit?log=all", OPERATOR, NULL, 400);
}

static void one_key_for_two_accounts_stops_the_start(void **state)
{
	struct api_rig *r = *state;
	struct api_conf conf = api_rig_conf(r);
	struct api *second = NULL;
	struct ch_err err;
	struct account accounts[2] = {r->accounts[0], r->accounts[1]};
	memcpy(accounts[1].key_sha256[1], accounts[0].key_sha256[0], CH_SHA256_BYTES);
	conf.accounts = accounts;
	assert_int_equal(api_create(&conf, &second, &err), CH_EEXIST);
	assert_non_null(strstr(err.text, "other"));
}

int group_account_routes(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, api_rig_setup, api_rig_teardown)
			TEST(an_account_comes_and_goes),
			TEST(an_id_is_made_when_none_is_given),
			TEST(accounts_are_listed_in_pages),
			TEST(only_the_operator_manages_accounts),
			TEST(bad_accounts_are_named),
			TEST(a_key_is_rotated),
			TEST(a_refused_rotation_changes_nothing),
			TEST(an_account_says_where_its_events_go),
			TEST(it_is_written_down),
			TEST(one_key_for_two_accounts_stops_the_start),
	};
	return cmocka_run_group_tests_name("account routes", tests, NULL, NULL);
}
