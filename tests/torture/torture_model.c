/* The record codec, webhooks, problems, URLs and signatures without memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "model/call_codec.h"
#include "model/webhook.h"
#include "policy/sign.h"
#include "torture.h"

#define ID "3c90c3cc-0d44-4b50-8888-8dd25736052a"
#define NOW_S 1722350700
#define SECRET "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const struct address_policy strict = {NULL, 0};
static const struct url_rules rules = {false, &strict};

/* ---- records ---- */

struct record {
	struct call_codec *codec;
	struct ch_buf out;
	struct call_facts facts;
	struct problems problems;
	char *json;
	size_t len;
};

/* A record that needs every kind of scratch: nodes, arena, lists to be ordered, tables of many keys. */
static void write_record(struct ch_buf *out)
{
	ch_buf_adds(out, "{\"id\":\"" ID "\",\"agentId\":\"" ID
			 "\",\"type\":\"INBOUND\",\"status\":\"COMPLETED\","
			 "\"summary\":\"a\\u0041\\n\",\"extractors\":[{\"name\":\"x\",\"value\":[{\"name\":"
			 "\"y\","
			 "\"value\":[\"z\"]}]}],\"classifiers\":[{\"name\":\"c\",\"value\":\"d\"}],"
			 "\"context\":{");
	for (int i = 40; i > 0; i--)
		ch_buf_addf(out, "\"%d\":[%d.50,\"\\u00e9\"],", i, i);
	ch_buf_adds(out, "\"deep\":{\"a\":[[[{\"b\":1e2}]]]}}}");
}

static void *record_open(void)
{
	struct record *r = calloc(1, sizeof(*r));
	struct ch_buf text;

	ch_buf_init(&text, SIZE_MAX);
	write_record(&text);
	r->len = text.len;
	r->json = ch_buf_detach(&text);
	r->facts.created_s = -5;
	ch_buf_init(&r->out, 1 << 20);
	problems_init(&r->problems);
	return r;
}

static int record_run(void *ctx)
{
	struct record *r = ctx;

	if (!r->codec)
		r->codec = call_codec_create(1 << 20);
	if (!r->codec)
		return CH_ENOMEM;
	return call_codec_run(r->codec, r->json, r->len, NULL, NOW_S, &r->out, &r->facts, &r->problems);
}

static void record_check(void *ctx, int rc)
{
	struct record *r = ctx;

	assert_int_equal(r->problems.count, 0);
	assert_int_equal(r->facts.created_s, rc == 0 ? NOW_S : -5);
	if (rc == 0)
		assert_int_equal(call_body_created(r->out.data, r->out.len), NOW_S);
	else
		assert_int_equal(r->out.len, 0);
}

static void record_close(void *ctx)
{
	struct record *r = ctx;

	call_codec_destroy(&r->codec);
	ch_buf_fini(&r->out);
	problems_fini(&r->problems);
	ch_free(r->json);
	free(r);
}

/* A record with many mistakes: it is refused for them, though some of the words may be lost. */
static int refused_run(void *ctx)
{
	struct record *r = ctx;
	static const char bad[] = "{\"id\":\"x\",\"agentId\":5,\"type\":\"UP\",\"phone\":\"1\",\"other\":1,"
				  "\"context\":[],\"duration\":-1,\"extractors\":[{\"nam\":\"\"}]}";

	if (!r->codec)
		r->codec = call_codec_create(1 << 20);
	if (!r->codec)
		return CH_ENOMEM;
	problems_fini(&r->problems);
	int rc = call_codec_run(
			r->codec, bad, sizeof(bad) - 1, NULL, NOW_S, &r->out, &r->facts, &r->problems);
	if (rc == CH_EINVAL)
		return r->problems.truncated ? CH_ENOMEM : 0;
	return rc == 0 ? CH_EIO : rc;
}

static void refused_check(void *ctx, int rc)
{
	struct record *r = ctx;

	assert_int_equal(r->out.len, 0);
	if (rc == 0)
		assert_true(r->problems.count >= 8 && !r->problems.truncated);
	for (size_t i = 0; i < r->problems.count; i++)
		assert_true(r->problems.items[i].pointer && r->problems.items[i].detail);
}

/* ---- webhooks ---- */

struct hook {
	struct webhook w;
	struct webhook copy;
	json_t *json;
	char *before;
	struct ch_buf text;
	struct problems problems;
};

static const char first[] =
		"{\"url\":\"https://example.com/hook?x=1\",\"name\":\"n\",\"agentIds\":[\"" ID "\"],"
		"\"headers\":{\"X-A\":\"1\",\"X-B\":\"2\"},\"timeout\":7}";
static const char second[] =
		"{\"url\":\"https://[2606:4700::1111]:8443/\",\"name\":\"other\","
		"\"agentIds\":[],\"statuses\":[\"REJECTED\"],\"headers\":{\"X-A\":null,\"X-C\":\"3\"},"
		"\"rateLimit\":{\"count\":5,\"seconds\":10},\"enabled\":false}";

static char *text_of(const struct webhook *w)
{
	json_t *json = webhook_to_json(w);
	char *text = json_dumps(json, JSON_COMPACT);

	assert_non_null(text);
	json_decref(json);
	return text;
}

static void *hook_open(void)
{
	struct hook *h = calloc(1, sizeof(*h));

	webhook_init(&h->w);
	problems_init(&h->problems);
	ch_buf_init(&h->text, 1 << 20);
	h->json = json_loads(first, JSON_REJECT_DUPLICATES, NULL);
	assert_int_equal(webhook_from_json(h->json, &rules, &h->w, &h->problems), 0);
	json_decref(h->json);
	h->json = json_loads(second, JSON_REJECT_DUPLICATES, NULL);
	h->w.disabled_reason = ch_strdup("410 Gone");
	h->w.secret_sealed = (uint8_t *)ch_memdup0("\1\2\3", 3);
	h->w.secret_sealed_len = 3;
	h->before = text_of(&h->w);
	return h;
}

static void hook_close(void *ctx)
{
	struct hook *h = ctx;

	webhook_fini(&h->w);
	problems_fini(&h->problems);
	ch_buf_fini(&h->text);
	json_decref(h->json);
	ch_free(h->before);
	free(h);
}

static void hook_unchanged(void *ctx, int rc)
{
	struct hook *h = ctx;
	char *text = text_of(&h->w);

	if (rc != 0)
		assert_string_equal(text, h->before);
	assert_int_equal(h->problems.count, 0);
	ch_free(text);
}

static int hook_merge(void *ctx)
{
	struct hook *h = ctx;

	return webhook_merge_json(h->json, &rules, &h->w, &h->problems);
}

static void merge_check(void *ctx, int rc)
{
	struct hook *h = ctx;

	hook_unchanged(ctx, rc);
	if (rc == 0) {
		assert_string_equal(h->w.name, "other");
		assert_int_equal(h->w.header_count, 2);
		assert_int_equal(h->w.rate_count, 5);
		assert_int_equal(h->w.secret_sealed_len, 3);
	}
}

static int hook_text_round(void *ctx)
{
	struct hook *h = ctx;

	ch_buf_clear(&h->text);
	int rc = webhook_settings_write(&h->w, &h->text);
	return rc == 0 ? webhook_settings_read(h->text.data, h->text.len, &h->w) : rc;
}

static int hook_clone(void *ctx)
{
	struct hook *h = ctx;
	struct webhook *clone = webhook_clone(&h->w);

	if (!clone)
		return CH_ENOMEM;
	assert_memory_equal(clone->secret_sealed, "\1\2\3", 3);
	webhook_destroy(&clone);
	return 0;
}

static int hook_answer(void *ctx)
{
	struct hook *h = ctx;
	json_t *json = webhook_to_json(&h->w);

	json_decref(json);
	return json ? 0 : CH_ENOMEM;
}

/* ---- signatures ---- */

static int sign_run(void *ctx)
{
	static const char body[] = "{ \"a\" : [1, 2.50, {\"b\": \"c\"}] }";
	struct sign_check got = {.verdict = SIGN_VALID};
	char hex[SIGN_HEX_LEN + 1];
	struct sign_key k;
	int rc = sign_key_init(&k, SECRET, strlen(SECRET), NULL);

	if (rc != 0)
		return rc;
	sign_body_hex(&k, "{\"a\":[1,2.50,{\"b\":\"c\"}]}", 24, hex);
	sign_key_fini(&k);
	const struct sign_received r = {.body = body, .body_len = sizeof(body) - 1, .hex_signature = hex};
	rc = sign_check(&r, SECRET, NULL, 0, &got, NULL);
	assert_int_equal(got.verdict, rc == 0 ? SIGN_OTHER_WHITESPACE : SIGN_VALID);
	return rc;
}

static int seal_run(void *ctx)
{
	static const uint8_t key[CH_SEAL_KEY_BYTES] = {1};
	const struct ch_rand rand = ch_rand_system();
	struct ch_buf sealed;
	struct ch_buf plain;

	ch_buf_init(&sealed, 1000);
	ch_buf_init(&plain, 1000);
	int rc = ch_seal(key, &rand, "x", 1, SECRET, strlen(SECRET), &sealed);
	if (rc == 0)
		rc = ch_unseal(key, "x", 1, sealed.data, sealed.len, &plain);
	if (rc == 0)
		assert_memory_equal(plain.data, SECRET, strlen(SECRET));
	ch_buf_fini(&sealed);
	ch_buf_fini(&plain);
	return rc;
}

static const struct torture all[] = {
		{.name = "a record",
				.open = record_open,
				.run = record_run,
				.check = record_check,
				.close = record_close},
		{.name = "a refused record",
				.open = record_open,
				.run = refused_run,
				.check = refused_check,
				.close = record_close},
		{.name = "a merge patch",
				.open = hook_open,
				.run = hook_merge,
				.check = merge_check,
				.close = hook_close},
		{.name = "settings to the store and back",
				.open = hook_open,
				.run = hook_text_round,
				.check = hook_unchanged,
				.close = hook_close},
		{.name = "a clone of a webhook",
				.open = hook_open,
				.run = hook_clone,
				.check = hook_unchanged,
				.close = hook_close},
		{.name = "a webhook's answer",
				.open = hook_open,
				.run = hook_answer,
				.check = hook_unchanged,
				.close = hook_close},
		/* Of a body that is no record the mistakes are not told anyway. */
		{.name = "a signature explained", .run = sign_run, .may_manage = true},
		{.name = "a sealed secret", .run = seal_run},
};

int main(int argc, char **argv)
{
	torture_libraries();
	return torture_main(argc, argv, "model", all, sizeof(all) / sizeof(all[0]));
}
