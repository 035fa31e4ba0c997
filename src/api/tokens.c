#include <stdio.h>
#include <string.h>

#include "api/api_core.h"
#include "api/grants.h"
#include "api/handlers.h"

#define LIFE_S 900

/* Short-lived bearer tokens, for programs that should not hold a key or may do less than it. */

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
	json_t *json;

	r->is_secret = true;
	if (!api_no_query(r) || !api_json_object(r, false, &json))
		return;
	t.scopes = grants_scopes(json_object_get(json, "scope"));
	json_decref(json);
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
