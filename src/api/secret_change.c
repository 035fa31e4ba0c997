#include "api/secret_change.h"

#include <string.h>

#include "base/alloc.h"
#include "policy/rotation.h"
#include "policy/sign.h"

static void change_destroy(void *state)
{
	struct secret_change *s = state;

	ch_secret_fini(&s->secret);
	ch_free(s);
}

bool secret_change_start(struct api_request *r, struct secret_change **ret)
{
	struct secret_change *s = ch_calloc(1, sizeof(*s));

	if (!s) {
		api_out_of_memory(r);
		return false;
	}
	s->now_ms = ch_clock_wall(&r->api->conf.clock).ms;
	r->state = s;
	r->state_fini = change_destroy;
	r->is_secret = true;
	*ret = s;
	return true;
}

/* ---- sealed and opened ---- */

int secret_seal(struct api_request *r, const struct webhook *w, const struct ch_secret *secret, uint8_t **ret,
		size_t *ret_len)
{
	return webhook_seal(w, r->api->conf.seal_key, &r->api->conf.rand, secret, ret, ret_len);
}

int secret_open(struct api_request *r, const struct webhook *w, const uint8_t *sealed, size_t len,
		struct ch_secret *ret)
{
	return webhook_unseal(w, r->api->conf.seal_key, sealed, len, ret);
}

void secret_open_failed(struct api_request *r, int code)
{
	if (code == CH_ENOMEM)
		api_out_of_memory(r);
	else
		api_problem(r, 500, "the secret can't be opened with this server's key");
}

void secret_answer_init(struct ch_buf *out)
{
	ch_buf_init(out, API_JSON_MAX);
	(void)ch_buf_reserve(out, 4 * SIGN_SECRET_TEXT_MAX + 256);
}

/* ---- what the body says ---- */

/* From now on overwritten when it is freed, as far as jansson lets us. */
static void forget_json(json_t *json)
{
	const char *text = json_string_value(json_object_get(json, "secret"));

	if (text)
		ch_wipe((char *)(uintptr_t)text, strlen(text));
	json_decref(json);
}

/* What the document can't say: the two forms that a secret may have. */
static bool check_secret(const json_t *secret, struct problems *problems)
{
	struct ch_err err = {0};

	if (!secret || sign_secret_check(json_string_value(secret), json_string_length(secret), &err) == 0)
		return true;
	problems_add(problems, "/secret", "%s", err.text);
	return false;
}

static int choose(struct api_request *r, struct secret_change *s, json_t *brought)
{
	char made[SIGN_SECRET_TEXT_LEN + 1];

	if (brought)
		return ch_secret_set(&s->secret, json_string_value(brought), json_string_length(brought));
	sign_secret_generate(&r->api->conf.rand, made);
	int rc = ch_secret_set(&s->secret, made, SIGN_SECRET_TEXT_LEN);
	ch_wipe(made, sizeof(made));
	return rc;
}

static bool take_body(struct api_request *r, struct secret_change *s, json_t *json, bool with_overlap)
{
	json_t *overlap = json_object_get(json, "overlap"), *secret = json_object_get(json, "secret");
	struct problems problems;

	problems_init(&problems);
	if (!check_secret(secret, &problems)) {
		api_invalid(r, with_overlap ? "the rotation is not valid" : "the secret is not valid",
				&problems);
		return false;
	}
	s->overlap_s = overlap ? json_integer_value(overlap) : ROTATION_OVERLAP_DEFAULT_S;
	if (choose(r, s, secret) == 0)
		return true;
	api_out_of_memory(r);
	return false;
}

bool secret_change_read(struct api_request *r, struct secret_change *s, bool with_overlap)
{
	json_t *json;

	if (!api_json_object(r, true, &json))
		return false;
	bool is_good = take_body(r, s, json, with_overlap);
	forget_json(json);
	return is_good;
}
