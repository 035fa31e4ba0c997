#include <string.h>

#include "api_rig.h"
#include "base/alloc.h"
#include "groups.h"
#include "policy/sign.h"

/* A webhook with a secret; path: its own; ret: the secret. */
static void make_secured(struct api_rig *r, char path[60], char secret[SIGN_SECRET_TEXT_LEN + 1])
{
	char deep[100];
	json_t *json = api_json(r, "POST", "/v1/webhooks", "{\"url\":\"http://127.0.0.1:9/\"}", 201);
	snprintf(path, 60, "/v1/webhooks/%s", json_text(json, "id"));
	json_decref(json);
	snprintf(deep, sizeof(deep), "%s/secret", path);
	json = api_json(r, "POST", deep, "{}", 201);
	snprintf(secret, SIGN_SECRET_TEXT_LEN + 1, "%s", json_text(json, "secret"));
	json_decref(json);
}

static json_t *ask_secret(struct api_rig *r, const char *path, const char *what, const char *body, int status)
{
	char deep[100];
	snprintf(deep, sizeof(deep), "%s/secret%s", path, what);
	return api_json(r, "POST", deep, body, status);
}

/* The state of the rotation in the webhook's answer. */
static bool is_rotating(struct api_rig *r, const char *path)
{
	json_t *json = api_json(r, "GET", path, NULL, 200);
	json_t *rotation = json_object_get(json, "rotation");
	assert_non_null(rotation);
	bool is = json_is_object(rotation);
	if (is) {
		assert_int_equal(strlen(json_text(rotation, "started")), 24);
		assert_int_equal(strlen(json_text(rotation, "ends")), 24);
	}
	assert_true(json_is_true(json_object_get(json, "secured")));
	json_decref(json);
	return is;
}

static void assert_revealed(struct api_rig *r, const char *path, const char *secret, const char *next)
{
	json_t *json = ask_secret(r, path, "/reveal", NULL, 200);
	assert_string_equal(json_text(json, "secret"), secret);
	if (next)
		assert_string_equal(json_text(json, "next"), next);
	else
		assert_true(json_is_null(json_object_get(json, "next")));
	assert_int_equal(json_is_object(json_object_get(json, "rotation")), next != NULL);
	json_decref(json);
}

static void rotate(struct api_rig *r, const char *path, const char *body, char next[SIGN_SECRET_TEXT_LEN + 1])
{
	struct ch_err err;
	json_t *json = ask_secret(r, path, "/rotate", body, 201);
	const char *secret = json_text(json, "secret");
	assert_int_equal(sign_secret_check(secret, strlen(secret), &err), 0);
	snprintf(next, SIGN_SECRET_TEXT_LEN + 1, "%s", secret);
	json_decref(json);
}

static void an_overlap_ends_by_the_clock(void **state)
{
	struct api_rig *r = *state;
	char path[60], old[SIGN_SECRET_TEXT_LEN + 1], next[SIGN_SECRET_TEXT_LEN + 1];
	make_secured(r, path, old);
	assert_false(is_rotating(r, path));
	rotate(r, path, "{\"overlap\":600}", next);
	assert_string_not_equal(old, next);
	assert_true(is_rotating(r, path));
	assert_revealed(r, path, old, next);
	json_decref(ask_secret(r, path, "/rotate", "{}", 409));
	json_decref(ask_secret(r, path, "", "{}", 409));
	ch_clock_virtual_advance(&r->rig.time, 599 * 1000);
	assert_true(is_rotating(r, path));
	ch_clock_virtual_advance(&r->rig.time, 1000);
	assert_false(is_rotating(r, path));
	assert_revealed(r, path, next, NULL);
	json_decref(ask_secret(r, path, "/rotate/finish", NULL, 409));
	json_decref(ask_secret(r, path, "/rotate/cancel", NULL, 409));
	rotate(r, path, NULL, old);
	assert_revealed(r, path, next, old);
}

static void it_is_finished_canceled_or_done_at_once(void **state)
{
	struct api_rig *r = *state;
	char path[60], old[SIGN_SECRET_TEXT_LEN + 1], next[SIGN_SECRET_TEXT_LEN + 1];
	make_secured(r, path, old);
	json_decref(ask_secret(r, path, "/rotate/finish", NULL, 409));
	rotate(r, path, "{}", next);
	json_decref(ask_secret(r, path, "/rotate/cancel", "{}", 200));
	assert_false(is_rotating(r, path));
	assert_revealed(r, path, old, NULL);
	rotate(r, path, "{}", next);
	json_decref(ask_secret(r, path, "/rotate/finish", NULL, 200));
	assert_false(is_rotating(r, path));
	assert_revealed(r, path, next, NULL);
	rotate(r, path, "{\"overlap\":0}", old);
	assert_false(is_rotating(r, path));
	assert_revealed(r, path, old, NULL);
}

static void what_is_not_possible_is_refused_and_changes_nothing(void **state)
{
	struct api_rig *r = *state;
	static const struct {
		const char *body;
		const char *pointer;
	} bad[] = {
			{"{\"overlap\":-1}", "/overlap"},
			{"{\"overlap\":604801}", "/overlap"},
			{"{\"overlap\":1.5}", "/overlap"},
			{"{\"overlap\":null}", "/overlap"},
			{"{\"secret\":\"short\"}", "/secret"},
			{"{\"other\":1}", "/other"},
	};
	char path[60], old[SIGN_SECRET_TEXT_LEN + 1], same[100];
	make_secured(r, path, old);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *json = ask_secret(r, path, "/rotate", bad[i].body, 400);
		json_t *first = json_array_get(json_object_get(json, "errors"), 0);
		assert_string_equal(json_text(first, "pointer"), bad[i].pointer);
		json_decref(json);
	}
	snprintf(same, sizeof(same), "{\"secret\":\"%s\"}", old);
	json_decref(ask_secret(r, path, "/rotate", same, 400));
	json_decref(ask_secret(r, path, "/reveal", "{\"x\":1}", 400));
	assert_false(is_rotating(r, path));
	assert_revealed(r, path, old, NULL);
	/* The longest is allowed. */
	json_decref(ask_secret(r, path, "/rotate", "{\"overlap\":604800}", 201));
}

static void without_a_secret_there_is_nothing_to_rotate_or_show(void **state)
{
	struct api_rig *r = *state;
	char path[60], deep[100], old[SIGN_SECRET_TEXT_LEN + 1], next[SIGN_SECRET_TEXT_LEN + 1];
	make_secured(r, path, old);
	rotate(r, path, "{}", next);
	snprintf(deep, sizeof(deep), "%s/secret", path);
	struct answer a = api_ask(r, "DELETE", deep, KEY_A, NULL);
	assert_int_equal(a.status, 204);
	answer_fini(&a);
	json_decref(ask_secret(r, path, "/rotate", "{}", 409));
	json_decref(ask_secret(r, path, "/rotate/cancel", NULL, 409));
	json_decref(ask_secret(r, path, "/reveal", NULL, 409));
	json_decref(ask_secret(r, path, "", "{}", 201));
	assert_false(is_rotating(r, path));
}

static void a_reveal_is_logged_kept_by_nobody_and_nobody_elses(void **state)
{
	struct api_rig *r = *state;
	char path[60], deep[100], value[100], old[SIGN_SECRET_TEXT_LEN + 1], next[SIGN_SECRET_TEXT_LEN + 1];
	make_secured(r, path, old);
	rotate(r, path, "{}", next);
	snprintf(deep, sizeof(deep), "%s/secret/reveal", path);
	struct answer a = api_ask(r, "POST", deep, KEY_B, NULL);
	assert_problem(&a, 404);
	answer_fini(&a);
	assert_null(strstr(r->logged.data, "secret_revealed"));
	a = api_ask(r, "POST", deep, KEY_A, NULL);
	assert_int_equal(a.status, 200);
	answer_header(&a, "Cache-Control", value, sizeof(value));
	assert_string_equal(value, "no-store");
	answer_fini(&a);
	assert_non_null(strstr(r->logged.data, "secret_revealed"));
	assert_non_null(strstr(r->logged.data, path + strlen("/v1/webhooks/")));
	assert_null(strstr(r->logged.data, old));
	assert_null(strstr(r->logged.data, next));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, api_rig_setup, api_rig_teardown)

int group_secrets(void)
{
	const struct CMUnitTest tests[] = {
			TEST(an_overlap_ends_by_the_clock),
			TEST(it_is_finished_canceled_or_done_at_once),
			TEST(what_is_not_possible_is_refused_and_changes_nothing),
			TEST(without_a_secret_there_is_nothing_to_rotate_or_show),
			TEST(a_reveal_is_logged_kept_by_nobody_and_nobody_elses),
	};
	return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
