#include <string.h>

#include "api/api_core.h"
#include "api/handlers.h"
#include "api/webhook_change.h"
#include "base/alloc.h"
#include "base/crash_point.h"
#include "base/crypto.h"
#include "policy/sign.h"

struct secret_change {
	struct webhook_change change;
	struct ch_secret secret; /* the new one; none: security goes off */
	int64_t created_ms;
};

static void secret_destroy(void *state)
{
	struct secret_change *s = state;

	ch_secret_fini(&s->secret);
	ch_free(s);
}

static bool start_change(struct api_request *r, struct secret_change **ret)
{
	struct secret_change *s = ch_calloc(1, sizeof(*s));

	if (!s) {
		api_out_of_memory(r);
		return false;
	}
	s->created_ms = ch_clock_wall(&r->api->conf.clock).ms;
	r->state = s;
	r->state_fini = secret_destroy;
	r->is_secret = true;
	*ret = s;
	return true;
}

/* ---- a secret comes ---- */

static int seal(struct api_request *r, const struct ch_secret *secret, struct webhook *w)
{
	const struct api_conf *conf = &r->api->conf;
	uint8_t aad[24];
	struct ch_buf sealed;

	webhook_seal_aad(w, aad);
	ch_buf_init(&sealed, CH_SEAL_EXTRA_BYTES + SIGN_SECRET_TEXT_MAX);
	int rc = ch_seal(conf->seal_key, &conf->rand, aad, sizeof(aad), secret->text, secret->len, &sealed);
	size_t len = sealed.len;
	char *bytes = rc == 0 ? ch_buf_detach(&sealed) : NULL;
	ch_buf_fini(&sealed);
	if (!bytes)
		return CH_ENOMEM;
	w->secret_sealed = (uint8_t *)bytes;
	w->secret_sealed_len = len;
	return 0;
}

static bool post_apply(struct api_request *r, struct webhook *w)
{
	struct secret_change *s = r->state;

	if (w->secret_sealed) {
		api_problem(r, 409, "the webhook has a secret already");
		return false;
	}
	CH_CRASH_POINT(secret_sealed);
	if (seal(r, &s->secret, w) == 0)
		return true;
	api_out_of_memory(r);
	return false;
}

static void post_finished(struct api_request *r)
{
	struct secret_change *s = r->state;
	struct json_out o;
	struct ch_buf out;

	CH_CRASH_POINT(secret_stored);
	ch_buf_init(&out, API_JSON_MAX);
	/* Once and large enough: growing would leave a copy of the secret behind. */
	(void)ch_buf_reserve(&out, 2 * SIGN_SECRET_TEXT_MAX + 128);
	o = (struct json_out){.buf = &out};
	json_out_open(&o, NULL, '{');
	json_out_bytes(&o, "secret", s->secret.text, s->secret.len);
	json_out_time(&o, "created", s->created_ms);
	json_out_close(&o, '}');
	api_reply_json(r, 201, &out);
}

/* From now on overwritten when it is freed, as far as jansson lets us. */
static void forget_json(json_t *json)
{
	const char *text = json_string_value(json_object_get(json, "secret"));

	if (text)
		ch_wipe((char *)(uintptr_t)text, strlen(text));
	json_decref(json);
}

static bool check_brought(json_t *json, struct problems *problems)
{
	const char *key;
	json_t *value;
	struct ch_err err = {0};

	json_object_foreach(json, key, value)
	{
		if (strcmp(key, "secret") == 0) {
			if (!json_is_string(value))
				problems_add(problems, "/secret", "must be a string");
			else if (sign_secret_check(json_string_value(value), json_string_length(value),
						 &err) != 0)
				problems_add(problems, "/secret", "%s", err.text);
			continue;
		}
		api_unknown_member(problems, key);
	}
	return problems->count == 0;
}

/* The secret that the body brings, or a new one. False: it has replied. */
static bool choose_secret(struct api_request *r, struct secret_change *s, json_t *json)
{
	json_t *brought = json_object_get(json, "secret");
	char made[SIGN_SECRET_TEXT_LEN + 1];
	struct problems problems;
	int rc;

	problems_init(&problems);
	if (json && !check_brought(json, &problems)) {
		api_invalid(r, "the secret is not valid", &problems);
		return false;
	}
	if (brought) {
		rc = ch_secret_set(&s->secret, json_string_value(brought), json_string_length(brought));
	} else {
		sign_secret_generate(&r->api->conf.rand, made);
		rc = ch_secret_set(&s->secret, made, SIGN_SECRET_TEXT_LEN);
		ch_wipe(made, sizeof(made));
	}
	if (rc != 0)
		api_out_of_memory(r);
	return rc == 0;
}

void secrets_post(struct api_request *r)
{
	struct secret_change *s;
	struct query q;
	json_t *json;

	if (!api_path_id(r) || !api_query(r, NULL, &q))
		return;
	query_fini(&q);
	if (!start_change(r, &s) || !api_json_object(r, true, &json))
		return;
	bool is_good = choose_secret(r, s, json);
	forget_json(json);
	if (!is_good)
		return;
	s->change.apply = post_apply;
	s->change.finished = post_finished;
	webhook_change(r, &s->change);
}

/* ---- it goes ---- */

static bool delete_apply(struct api_request *r, struct webhook *w)
{
	if (!w->secret_sealed) {
		api_reply_empty(r);
		return false;
	}
	ch_wipe(w->secret_sealed, w->secret_sealed_len);
	ch_free(w->secret_sealed);
	w->secret_sealed = NULL;
	w->secret_sealed_len = 0;
	return true;
}

void secrets_delete(struct api_request *r)
{
	struct secret_change *s;
	struct query q;

	if (!api_path_id(r) || !api_query(r, NULL, &q))
		return;
	query_fini(&q);
	if (!start_change(r, &s))
		return;
	s->change.apply = delete_apply;
	s->change.finished = api_reply_empty;
	webhook_change(r, &s->change);
}
