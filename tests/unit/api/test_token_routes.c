#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/token.h"
#include "api_rig.h"
#include "groups.h"

/* Bearer tokens through the whole API, on a clock that moves when told to. */

#define LIFE_MS 900000

static char *minted(struct api_rig *r, const char *scope)
{
	char body[100];

	snprintf(body, sizeof(body), "{\"scope\":[\"%s\"]}", scope);
	json_t *json = api_json(r, "POST", "/v1/auth/token", body, 200);
	char *token = strdup(json_text(json, "token"));
	json_decref(json);
	return token;
}

static int asked(struct api_rig *r, const char *token)
{
	char headers[2000];

	snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n", token);
	struct answer a = api_ask(r, "GET", "/v1/webhooks", headers, NULL);
	int status = a.status;
	if (status >= 400)
		assert_problem(&a, status);
	answer_fini(&a);
	return status;
}

/* As the rig's api would write it. */
static int asked_as(struct api_rig *r, const struct token *t)
{
	struct api_conf conf = api_rig_conf(r);
	uint8_t key[TOKEN_KEY_BYTES];
	struct ch_buf text;

	assert_int_equal(token_key_make(conf.seal_key, key), 0);
	ch_buf_init(&text, TOKEN_TEXT_MAX);
	assert_int_equal(token_write(key, t, &text), 0);
	int status = asked(r, ch_buf_text(&text));
	ch_buf_fini(&text);
	return status;
}

static struct token valid(struct api_rig *r)
{
	struct token t = {.use = TOKEN_BEARER,
			.account = "default",
			.account_created_ms = r->accounts[0].created_ms,
			.scopes = SCOPE_ALL,
			.id = {{1}},
			.expires_s = r->rig.time.wall.ms / 1000 + 900};

	memcpy(t.kid, r->accounts[0].key_sha256[0], sizeof(t.kid));
	return t;
}

static void a_token_lasts_900_s(void **state)
{
	struct api_rig *r = *state;
	char *token = minted(r, "integrations:read");

	ch_clock_virtual_advance(&r->rig.time, LIFE_MS - 1000);
	assert_int_equal(asked(r, token), 200);
	ch_clock_virtual_advance(&r->rig.time, 1000);
	assert_int_equal(asked(r, token), 401);
	free(token);
}

static void a_scope_that_is_not_held_is_403(void **state)
{
	struct api_rig *r = *state;
	char *token = minted(r, "calls:write");

	assert_int_equal(asked(r, token), 403);
	free(token);
}

static void a_signed_token_of_nobody_is_401(void **state)
{
	struct api_rig *r = *state;
	struct token t = valid(r);

	assert_int_equal(asked_as(r, &t), 200);
	t.kid[0] ^= 1; /* of a key that is gone */
	assert_int_equal(asked_as(r, &t), 401);
	t = valid(r);
	memcpy(t.kid, r->accounts[1].key_sha256[0], sizeof(t.kid)); /* of another account's */
	assert_int_equal(asked_as(r, &t), 401);
	t = valid(r);
	t.account_created_ms++; /* of an account that had this id before */
	assert_int_equal(asked_as(r, &t), 401);
	t = valid(r);
	t.use = TOKEN_SESSION;
	assert_int_equal(asked_as(r, &t), 401);
	t.use = TOKEN_LINK;
	assert_int_equal(asked_as(r, &t), 401);
}

static void a_key_that_is_not_set_makes_no_token(void **state)
{
	struct api_rig *r = *state;
	struct token t = valid(r);

	memset(t.kid, 0, sizeof(t.kid));
	assert_int_equal(asked_as(r, &t), 401);
}

int group_token_routes(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(a_token_lasts_900_s, api_rig_setup, api_rig_teardown),
			cmocka_unit_test_setup_teardown(
					a_scope_that_is_not_held_is_403, api_rig_setup, api_rig_teardown),
			cmocka_unit_test_setup_teardown(
					a_signed_token_of_nobody_is_401, api_rig_setup, api_rig_teardown),
			cmocka_unit_test_setup_teardown(a_key_that_is_not_set_makes_no_token, api_rig_setup,
					api_rig_teardown),
	};
	return cmocka_run_group_tests_name("token routes", tests, NULL, NULL);
}
