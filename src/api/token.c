#include "api/token.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/json_out.h"
#include "base/assert.h"
#include "base/err.h"
#include "model/json_load.h"

#define KEY_LABEL "callhook token v1"

static const char *const audiences[] = {"callhook", "callhook-session", "callhook-link"};

static int sign(const void *key, size_t key_len, const char *text, size_t len, uint8_t ret[CH_SHA256_BYTES])
{
	struct ch_hmac h;
	int rc = ch_hmac_init(&h, key, key_len);

	if (rc != 0)
		return rc;
	ch_hmac_begin(&h);
	ch_hmac_update(&h, text, len);
	ch_hmac_end(&h, ret);
	ch_hmac_fini(&h);
	return 0;
}

int token_key_make(const uint8_t seal_key[CH_SEAL_KEY_BYTES], uint8_t ret[TOKEN_KEY_BYTES])
{
	return sign(seal_key, CH_SEAL_KEY_BYTES, KEY_LABEL, strlen(KEY_LABEL), ret);
}

/* ---- writing ---- */

/* Base64 of URLs, which has no padding. */
static void add_part(struct ch_buf *out, const void *data, size_t len)
{
	size_t n = ch_base64_len(len);
	char *to = ch_buf_reserve(out, n);

	if (!to)
		return;
	ch_base64(data, len, to);
	while (n > 0 && to[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		to[i] = (char)(to[i] == '+' ? '-' : to[i] == '/' ? '_' : to[i]);
	ch_buf_commit(out, n);
}

static void add_json(struct ch_buf *out, struct ch_buf *json)
{
	if (json->err)
		out->err = json->err;
	else
		add_part(out, json->data, json->len);
	ch_buf_fini(json);
}

static void add_header(struct ch_buf *out, const struct token *t)
{
	char kid[2 * TOKEN_KID_BYTES + 1] = {0};
	struct ch_buf json;
	struct json_out o = {.buf = &json};

	ch_hex(t->kid, TOKEN_KID_BYTES, kid);
	ch_buf_init(&json, TOKEN_TEXT_MAX);
	json_out_open(&o, NULL, '{');
	json_out_text(&o, "alg", "HS256");
	json_out_text(&o, "typ", "JWT");
	json_out_text(&o, "kid", kid);
	json_out_close(&o, '}');
	add_json(out, &json);
}

static void add_claims(struct ch_buf *out, const struct token *t)
{
	struct ch_buf json;
	struct json_out o = {.buf = &json};

	ch_buf_init(&json, TOKEN_TEXT_MAX);
	json_out_open(&o, NULL, '{');
	json_out_text(&o, "aud", audiences[t->use]);
	json_out_text(&o, "sub", t->account);
	json_out_int(&o, "since", t->account_created_ms);
	json_out_open(&o, "scope", '[');
	for (unsigned bit = 1; bit < SCOPE_ALL; bit <<= 1)
		if (t->scopes & bit)
			json_out_text(&o, NULL, scope_name((enum scope)bit));
	json_out_close(&o, ']');
	json_out_open(&o, "permit", '[');
	for (unsigned bit = 1; bit < PERMIT_ALL; bit <<= 1)
		if (t->permits & bit)
			json_out_text(&o, NULL, permit_name((enum permit)bit));
	json_out_close(&o, ']');
	json_out_id(&o, "jti", &t->id);
	json_out_int(&o, "exp", t->expires_s);
	json_out_close(&o, '}');
	add_json(out, &json);
}

int token_write(const uint8_t key[TOKEN_KEY_BYTES], const struct token *t, struct ch_buf *out)
{
	uint8_t signature[CH_SHA256_BYTES];
	size_t begin = out->len;

	add_header(out, t);
	ch_buf_addc(out, '.');
	add_claims(out, t);
	if (out->err)
		return CH_ENOMEM;
	int rc = sign(key, TOKEN_KEY_BYTES, out->data + begin, out->len - begin, signature);
	if (rc != 0)
		return rc;
	ch_buf_addc(out, '.');
	add_part(out, signature, sizeof(signature));
	return out->err ? CH_ENOMEM : 0;
}

/* ---- reading ---- */

struct part {
	const char *text;
	size_t len;
};

static int read_part(struct part p, uint8_t out[TOKEN_TEXT_MAX], size_t *ret_len)
{
	char plain[TOKEN_TEXT_MAX + 4];
	size_t len = p.len;

	if (len == 0 || len > TOKEN_TEXT_MAX || len % 4 == 1)
		return CH_ECRYPT;
	for (size_t i = 0; i < len; i++) {
		char c = p.text[i];
		if (c == '+' || c == '/' || c == '=')
			return CH_ECRYPT;
		plain[i] = (char)(c == '-' ? '+' : c == '_' ? '/' : c);
	}
	while (len % 4 != 0)
		plain[len++] = '=';
	return ch_unbase64(plain, len, out, ret_len) == 0 ? 0 : CH_ECRYPT;
}

static int read_json(struct part p, json_t **ret)
{
	uint8_t bytes[TOKEN_TEXT_MAX];
	size_t len = 0;
	int rc = read_part(p, bytes, &len);

	if (rc == 0)
		rc = json_load((const char *)bytes, len, JSON_REJECT_DUPLICATES, ret, NULL);
	return rc == 0 || rc == CH_ENOMEM ? rc : CH_ECRYPT;
}

static bool is_text(const json_t *object, const char *key, const char *wanted)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && strcmp(text, wanted) == 0;
}

/* Nothing else may stand in it: a header that asks for more than this can't be obeyed ("crit"). */
static bool take_header(const json_t *h, struct token *t)
{
	const json_t *type = json_object_get(h, "typ"), *kid = json_object_get(h, "kid");
	const char *type_text = json_string_value(type);

	if (!json_is_object(h) || !is_text(h, "alg", "HS256"))
		return false;
	if (type && (!type_text || strcasecmp(type_text, "JWT") != 0))
		return false;
	if (!json_is_string(kid) || json_string_length(kid) != 2 * TOKEN_KID_BYTES ||
			ch_unhex(json_string_value(kid), 2 * TOKEN_KID_BYTES, t->kid) != 0)
		return false;
	return json_object_size(h) == (type ? 3 : 2);
}

static bool take_scopes(const json_t *list, scope_set *ret)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		enum scope s;
		if (!json_is_string(v) || scope_parse(json_string_value(v), json_string_length(v), &s) != 0)
			return false;
		*ret |= (scope_set)s;
	}
	return json_is_array(list);
}

static bool take_permits(const json_t *list, permit_set *ret)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		enum permit p;
		if (!json_is_string(v) || permit_parse(json_string_value(v), json_string_length(v), &p) != 0)
			return false;
		*ret |= (permit_set)p;
	}
	return json_is_array(list);
}

static bool take_claims(const json_t *c, enum token_use use, int64_t now_s, struct token *t)
{
	const json_t *account = json_object_get(c, "sub"), *id = json_object_get(c, "jti");
	const json_t *expires = json_object_get(c, "exp"), *since = json_object_get(c, "since");

	if (!json_is_object(c) || !is_text(c, "aud", audiences[use]))
		return false;
	if (!json_is_integer(expires) || json_integer_value(expires) <= now_s || !json_is_integer(since))
		return false;
	if (!json_is_string(account) ||
			account_id_check(json_string_value(account), json_string_length(account)) != 0)
		return false;
	if (!json_is_string(id) || id_parse(json_string_value(id), json_string_length(id), &t->id) != 0)
		return false;
	t->use = use;
	t->expires_s = json_integer_value(expires);
	t->account_created_ms = json_integer_value(since);
	snprintf(t->account, sizeof(t->account), "%s", json_string_value(account));
	return take_scopes(json_object_get(c, "scope"), &t->scopes) &&
	       take_permits(json_object_get(c, "permit"), &t->permits);
}

/* Is the text header.claims.signature, with the signature that it must have? */
static int check_signature(
		const uint8_t *key, const char *text, struct part *ret_header, struct part *ret_claims)
{
	uint8_t given[TOKEN_TEXT_MAX], right[CH_SHA256_BYTES];
	const char *first = strchr(text, '.');
	const char *second = first ? strchr(first + 1, '.') : NULL;
	size_t given_len = 0;

	if (!second || strchr(second + 1, '.'))
		return CH_ECRYPT;
	int rc = read_part((struct part){second + 1, strlen(second + 1)}, given, &given_len);
	if (rc == 0)
		rc = sign(key, TOKEN_KEY_BYTES, text, (size_t)(second - text), right);
	if (rc == 0 && !ch_ct_equal(given, given_len, right, sizeof(right)))
		rc = CH_ECRYPT;
	*ret_header = (struct part){text, (size_t)(first - text)};
	*ret_claims = (struct part){first + 1, (size_t)(second - first - 1)};
	return rc;
}

int token_read(const uint8_t key[TOKEN_KEY_BYTES], const char *text, enum token_use use, int64_t now_s,
		struct token *ret)
{
	struct token t = {0};
	struct part header, claims;
	json_t *json = NULL;

	if (strnlen(text, TOKEN_TEXT_MAX + 1) > TOKEN_TEXT_MAX)
		return CH_ECRYPT;
	int rc = check_signature(key, text, &header, &claims);
	if (rc == 0)
		rc = read_json(header, &json);
	if (rc == 0 && !take_header(json, &t))
		rc = CH_ECRYPT;
	json_decref(json);
	json = NULL;
	if (rc == 0)
		rc = read_json(claims, &json);
	if (rc == 0 && !take_claims(json, use, now_s, &t))
		rc = CH_ECRYPT;
	json_decref(json);
	if (rc == 0)
		*ret = t;
	return rc;
}
