#include <stdio.h>
#include <string.h>

#include "api/api_core.h"
#include "api/handlers.h"

#define LIFE_S 900
#define SCOPES_MAX 16

/* Short-lived bearer tokens, for programs that should not hold a key or may do less than it. */

static void read_scopes(const json_t *list, scope_set *ret, struct problems *problems)
{
	json_t *v;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > SCOPES_MAX) {
		problems_add(problems, "/scope", "must be a list of 1 to %d scopes", SCOPES_MAX);
		return;
	}
	json_array_foreach(list, i, v)
	{
		char pointer[32];
		enum scope s;

		if (json_is_string(v) && scope_parse(json_string_value(v), json_string_length(v), &s) == 0) {
			*ret |= (scope_set)s;
			continue;
		}
		snprintf(pointer, sizeof(pointer), "/scope/%zu", i);
		problems_add(problems, pointer, "is none of the scopes");
	}
}

/* False: it has replied. */
static bool read_body(struct api_request *r, scope_set *ret)
{
	struct problems problems;
	const char *key;
	json_t *json, *value;

	if (!api_json_object(r, false, &json))
		return false;
	problems_init(&problems);
	json_object_foreach(json, key, value)
	{
		if (strcmp(key, "scope") != 0)
			api_unknown_member(&problems, key);
	}
	read_scopes(json_object_get(json, "scope"), ret, &problems);
	json_decref(json);
	if (problems.count == 0)
		return true;
	api_invalid(r, "the token can't be made", &problems);
	return false;
}

void tokens_post(struct api_request *r)
{
	const struct account *account = r->caller.account;
	struct token t = {.use = TOKEN_BEARER,
			.account_created_ms = account->created_ms,
			.permits = PERMIT_ALL,
			.id = id_gen_next(&r->api->ids),
			.expires_s = ch_clock_wall(&r->api->conf.clock).ms / 1000 + LIFE_S};
	struct ch_buf text, out;
	struct json_out o = {.buf = &out};

	r->is_secret = true;
	if (!api_no_query(r) || !read_body(r, &t.scopes))
		return;
	snprintf(t.account, sizeof(t.account), "%s", account->id);
	memcpy(t.kid, r->caller.kid, sizeof(t.kid));
	ch_buf_init(&text, TOKEN_TEXT_MAX);
	ch_buf_init(&out, API_JSON_MAX);
	int rc = token_write(r->api->auth.token_key, &t, &text);
	json_out_open(&o, NULL, '{');
	json_out_bytes(&o, "token", rc == 0 ? text.data : "", rc == 0 ? text.len : 0);
	json_out_int(&o, "expiresIn", LIFE_S);
	json_out_text(&o, "tokenType", "Bearer");
	json_out_close(&o, '}');
	if (rc != 0)
		out.err = rc;
	ch_buf_fini(&text);
	api_reply_json(r, 200, &out);
}
