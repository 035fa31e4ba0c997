#include "test_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "../nth_alloc.h"
#include "base/err.h"
#include "policy/sign.h"

#define SECRET "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER "whsec_/////////////////////////////////////////w=="
#define AGENT "3c90c3cc-0d44-4b50-8888-8dd25736052a"
#define NOW_S 1700000000

/* A call record as callhook writes it, and what frameworks make of it. */
static const char canonical[] =
		"{\"id\":\"" AGENT "\",\"agentId\":\"" AGENT
		"\",\"phone\":null,\"type\":\"INBOUND\",\"duration\":null,"
		"\"startTime\":null,\"endTime\":null,\"anonymous\":false,\"status\":\"COMPLETED\","
		"\"extractors\":[],"
		"\"extractorData\":{},\"classifiers\":[],\"classifierData\":{},\"context\":{\"ratio\":0.1,"
		"\"who\":"
		"\"Zo\xc3\xab \\\"Z\\\" "
		"\"},\"recorded\":false,\"summary\":null,\"created\":\"2024-07-30T14:45:00Z\"}";

struct sample {
	char hex[SIGN_HEX_LEN + 1];
	char standard[SIGN_STD_LEN + 1];
	struct sign_received r; /* as sent: everything right */
};

static void sample_make(struct sample *s, const char *secret, const char *body)
{
	struct sign_key k;
	assert_int_equal(sign_key_init(&k, secret, strlen(secret), NULL), 0);
	sign_body_hex(&k, body, strlen(body), s->hex);
	sign_body_standard(&k, "msg_1", NOW_S, body, strlen(body), s->standard);
	sign_key_fini(&k);
	s->r = (struct sign_received){
			.body = body,
			.body_len = strlen(body),
			.id = "msg_1",
			.timestamp = "1700000000",
			.hex_signature = s->hex,
			.std_signature = s->standard,
			.now_s = NOW_S,
			.tolerance_s = SIGN_TOLERANCE_S,
	};
}

static void assert_verdict_with(const struct sign_received *r, const char *secret, const char *const *others,
		size_t count, enum sign_verdict want, const char *words)
{
	struct sign_check got;
	assert_int_equal(sign_check(r, secret, others, count, &got, NULL), 0);
	if (got.verdict != want)
		fail_msg("verdict %d (%s), not %d", (int)got.verdict, got.words, (int)want);
	if (strstr(got.words, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", got.words, words);
	assert_true(strlen(got.words) < sizeof(got.words) - 1);
}

static void assert_verdict(const struct sign_received *r, enum sign_verdict want, const char *words)
{
	assert_verdict_with(r, SECRET, NULL, 0, want, words);
}

/* The verdict of each header alone. */
static void assert_each(const struct sign_received *r, enum sign_verdict want)
{
	struct sign_received one = *r;
	one.std_signature = NULL;
	assert_verdict(&one, want, "X-Webhook-Signature");
	one = *r;
	one.hex_signature = NULL;
	assert_verdict(&one, want, "webhook-signature");
	assert_verdict(r, want, "");
}

static void what_callhook_sends_is_valid(void **state)
{
	struct sample s;
	sample_make(&s, SECRET, canonical);
	assert_each(&s.r, SIGN_VALID);
	assert_verdict(&s.r, SIGN_VALID, "each signature is valid");
	sample_make(&s, SECRET, "");
	s.r.body = NULL;
	assert_each(&s.r, SIGN_VALID);
	sample_make(&s, "a-plain-secret-of-mine", "not JSON");
	assert_verdict_with(&s.r, "a-plain-secret-of-mine", NULL, 0, SIGN_VALID, "valid");
}

static void a_missing_signature_is_said(void **state)
{
	struct sample s;
	sample_make(&s, SECRET, canonical);
	s.r.hex_signature = s.r.std_signature = NULL;
	assert_verdict(&s.r, SIGN_NO_SIGNATURE, "neither X-Webhook-Signature nor webhook-signature is there");
}

static void rotation_is_valid_on_both_sides(void **state)
{
	struct sample old, new;
	char both[2 * SIGN_STD_LEN + 2];
	sample_make(&old, SECRET, canonical);
	sample_make(&new, OTHER, canonical);
	(void)snprintf(both, sizeof(both), "%s %s", old.standard, new.standard);
	old.r.std_signature = both;
	old.r.hex_signature_next = new.hex;
	assert_verdict_with(&old.r, SECRET, NULL, 0, SIGN_VALID, "valid");
	assert_verdict_with(&old.r, OTHER, NULL, 0, SIGN_VALID, "valid");
	assert_verdict_with(&old.r, "some-third-secret", NULL, 0, SIGN_MISMATCH, "does not match");
}

static void signatures_of_other_versions_are_passed_over(void **state)
{
	struct sample s;
	char text[256];
	sample_make(&s, SECRET, canonical);
	(void)snprintf(text, sizeof(text), "v1a,abcdef  %s v2,xyz ", s.standard);
	s.r.std_signature = text;
	assert_verdict(&s.r, SIGN_VALID, "valid");
	s.r.std_signature = "v1a,abcdef v2,xyz";
	assert_verdict(&s.r, SIGN_BAD_FORMAT, "webhook-signature is not a signature");
}

static void timestamps_too_far_away_are_stale(void **state)
{
	static const struct {
		int64_t now_s, tolerance_s;
		enum sign_verdict want;
	} rows[] = {
			{NOW_S + 300, 300, SIGN_VALID},
			{NOW_S + 301, 300, SIGN_STALE},
			{NOW_S - 300, 300, SIGN_VALID},
			{NOW_S - 301, 300, SIGN_STALE},
			{NOW_S + 100000, 0, SIGN_VALID},
	};
	struct sample s;
	sample_make(&s, SECRET, canonical);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		s.r.now_s = rows[i].now_s;
		s.r.tolerance_s = rows[i].tolerance_s;
		assert_verdict(&s.r, rows[i].want, rows[i].want == SIGN_VALID ? "valid" : "too far from now");
	}
	/* A timestamp that nothing signs says nothing. */
	s.r.now_s = NOW_S + 100000;
	s.r.tolerance_s = 300;
	s.r.std_signature = NULL;
	assert_verdict(&s.r, SIGN_VALID, "valid");
}

static void timestamps_must_be_numbers(void **state)
{
	static const char *const bad[] = {"", "now", "-1", "+1700000000", " 1700000000", "1700000000.0",
			"01700000000", "1234567890123456"};
	struct sample s;
	sample_make(&s, SECRET, canonical);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		s.r.timestamp = bad[i];
		assert_verdict(&s.r, SIGN_BAD_TIMESTAMP, "webhook-timestamp is not a number");
	}
	s.r.timestamp = NULL;
	assert_verdict(&s.r, SIGN_BAD_TIMESTAMP, "webhook-timestamp");
	s.r.timestamp = "1700000000";
	s.r.id = NULL;
	assert_verdict(&s.r, SIGN_BAD_FORMAT, "without the webhook-id header");
}

static void garbage_is_no_signature(void **state)
{
	static const char *const bad[] = {"", " ", "x", "v1,", "v1,abc", "v1", "sha256=", "sha256=xyz",
			"d3f1ea16147b8b8d0304fe2a9559b4b4b84d057af19b132191df3378cbd1234",
			"g3f1ea16147b8b8d0304fe2a9559b4b4b84d057af19b132191df3378cbd1234a",
			"v1,AMaOha7DUT/0J0JMycRuYOBSvbx3WtwLd2khXXbaVj5=",
			"v1,AMaOha7DUT/0J0JMycRuYOBSvbx3WtwLd2khXXbaVg=="};
	struct sample s;
	sample_make(&s, SECRET, canonical);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		s.r.hex_signature = s.r.std_signature = bad[i];
		assert_each(&s.r, SIGN_BAD_FORMAT);
	}
}

static void to_hex_and_base64(const struct sample *s, char hex[65], char b64[45])
{
	uint8_t mac[33];
	size_t len;
	assert_int_equal(ch_unhex(s->hex, 64, mac), 0);
	ch_base64(mac, 32, b64);
	b64[44] = '\0';
	assert_int_equal(ch_unbase64(s->standard + 3, 44, mac, &len), 0);
	ch_hex(mac, 32, hex);
	hex[64] = '\0';
}

static void other_spellings_are_seen(void **state)
{
	struct sample s;
	char hex_of_standard[65], b64_of_hex[45], upper[65], text[128];
	sample_make(&s, SECRET, canonical);
	to_hex_and_base64(&s, hex_of_standard, b64_of_hex);
	for (int i = 0; i <= 64; i++)
		upper[i] = (char)(s.hex[i] >= 'a' ? s.hex[i] - 32 : s.hex[i]);
	struct sign_received r = s.r;
	r.std_signature = NULL;
	r.hex_signature = upper;
	assert_verdict(&r, SIGN_ENCODING, "lower-case hex");
	r.hex_signature = b64_of_hex;
	assert_verdict(&r, SIGN_ENCODING, "lower-case hex");
	(void)snprintf(text, sizeof(text), "sha256=%s", s.hex);
	r.hex_signature = text;
	assert_verdict(&r, SIGN_ENCODING, "nothing before it");
	r = s.r;
	r.hex_signature = NULL;
	r.std_signature = s.standard + 3;
	assert_verdict(&r, SIGN_ENCODING, "v1,");
	(void)snprintf(text, sizeof(text), "v1,%s", hex_of_standard);
	r.std_signature = text;
	assert_verdict(&r, SIGN_ENCODING, "base64");
	(void)snprintf(text, sizeof(text), "%.46s", s.standard); /* without its padding */
	assert_verdict(&r, SIGN_ENCODING, "base64");
}

static void the_url_safe_alphabet_is_seen(void **state)
{
	struct sample s;
	char body[] = "{\"a\":0}";
	size_t at;
	do { /* until the signature has one of the two characters that differ */
		body[5]++;
		sample_make(&s, SECRET, body);
		at = strcspn(s.standard, "+/");
	} while (s.standard[at] == '\0');
	s.r.hex_signature = NULL;
	assert_verdict(&s.r, SIGN_VALID, "valid");
	for (char *p = s.standard; *p != '\0'; p++) {
		if (*p == '+')
			*p = '-';
		else if (*p == '/')
			*p = '_';
	}
	assert_verdict(&s.r, SIGN_ENCODING, "base64");
}

/* Signs as somebody does who takes the other form of the secret for the key. */
static void the_other_form_of_the_secret_is_seen(void **state)
{
	struct sample s;
	struct sign_key k;
	uint8_t raw[32], mac[32];
	for (int i = 0; i < 32; i++)
		raw[i] = (uint8_t)i;
	sample_make(&s, SECRET, canonical);
	assert_int_equal(ch_hmac_init(&k.plain, raw, 32), 0);
	ch_hmac_begin(&k.plain);
	ch_hmac_update(&k.plain, canonical, strlen(canonical));
	ch_hmac_end(&k.plain, mac);
	ch_hmac_fini(&k.plain);
	ch_hex(mac, 32, s.hex);
	assert_int_equal(ch_hmac_init(&k.standard, SECRET, strlen(SECRET)), 0);
	ch_hmac_begin(&k.standard);
	ch_hmac_update(&k.standard, "msg_1.1700000000.", 17);
	ch_hmac_update(&k.standard, canonical, strlen(canonical));
	ch_hmac_end(&k.standard, mac);
	ch_hmac_fini(&k.standard);
	ch_base64(mac, 32, s.standard + 3);
	assert_each(&s.r, SIGN_SECRET_AS_BYTES);
}

static void other_secrets_given_are_tried(void **state)
{
	static const char *const others[] = {"", "unrelated-secret-1", "whsec_???", OTHER};
	struct sample s;
	sample_make(&s, OTHER, canonical);
	assert_verdict_with(&s.r, SECRET, others, 4, SIGN_PREVIOUS_SECRET, "another of the secrets");
	assert_verdict_with(&s.r, SECRET, others, 3, SIGN_MISMATCH,
			"another secret, or the body was changed (a framework");
}

static char *pretty(const char *json, size_t flags)
{
	json_error_t e;
	json_t *j = json_loads(json, 0, &e);
	assert_non_null(j);
	char *text = json_dumps(j, flags);
	json_decref(j);
	return text;
}

static void assert_body_gives(struct sign_received r, const char *body, enum sign_verdict want)
{
	r.body = body;
	r.body_len = strlen(body);
	assert_each(&r, want);
}

static void the_same_json_otherwise_written_is_seen(void **state)
{
	struct sample s;
	char line[1024];
	sample_make(&s, SECRET, canonical);
	(void)snprintf(line, sizeof(line), "%s\r\n", canonical);
	assert_body_gives(s.r, line, SIGN_OTHER_WHITESPACE);
	const size_t spaced[] = {JSON_INDENT(2), 0, JSON_ENSURE_ASCII, JSON_ENSURE_ASCII | JSON_COMPACT};
	for (size_t i = 0; i < ARRAY_LEN(spaced); i++) {
		char *text = pretty(canonical, spaced[i] | JSON_REAL_PRECISION(15));
		assert_string_not_equal(text, canonical);
		assert_body_gives(s.r, text, SIGN_OTHER_WHITESPACE);
		free(text);
	}
	const size_t sorted[] = {
			JSON_SORT_KEYS, JSON_SORT_KEYS | JSON_COMPACT, JSON_SORT_KEYS | JSON_ENSURE_ASCII};
	for (size_t i = 0; i < ARRAY_LEN(sorted); i++) {
		char *text = pretty(canonical, sorted[i] | JSON_REAL_PRECISION(15));
		assert_body_gives(s.r, text, SIGN_OTHER_KEY_ORDER);
		free(text);
	}
}

static void white_space_is_seen_in_json_that_is_no_call(void **state)
{
	struct sample s;
	sample_make(&s, SECRET, "{\"a b\":[1.50,\"c \\\" d\"]}");
	assert_body_gives(s.r, "{ \"a b\" : [ 1.50,\n\t\"c \\\" d\" ] }\n", SIGN_OTHER_WHITESPACE);
	assert_body_gives(s.r, "{ \"ab\" : [ 1.50, \"c \\\" d\" ] }", SIGN_MISMATCH);
	assert_body_gives(s.r, "{\"a b\":[1.50,\"c \\\"d\"]}", SIGN_MISMATCH);
}

static void what_was_changed_is_a_mismatch(void **state)
{
	struct sample s;
	char text[sizeof(canonical)];
	sample_make(&s, SECRET, canonical);
	memcpy(text, canonical, sizeof(text));
	text[strlen(text) - 3] = '1';
	assert_body_gives(s.r, text, SIGN_MISMATCH);
	assert_body_gives(s.r, "", SIGN_MISMATCH);
	assert_body_gives(s.r, "{\"a\":\"", SIGN_MISMATCH);
	assert_body_gives(s.r, "{\"a\":\"\\", SIGN_MISMATCH);
	struct sign_received r = s.r;
	r.id = "msg_2";
	assert_verdict(&r, SIGN_MISMATCH, "webhook-id or webhook-timestamp is not the one");
	r = s.r;
	r.timestamp = "1700000001";
	assert_verdict(&r, SIGN_MISMATCH, "webhook-id or webhook-timestamp is not the one");
}

static void the_header_that_explains_is_told(void **state)
{
	struct sample s, other;
	sample_make(&s, SECRET, canonical);
	sample_make(&other, OTHER, canonical);
	struct sign_received r = s.r;
	r.hex_signature = "nonsense";
	assert_verdict(&r, SIGN_BAD_FORMAT, "X-Webhook-Signature is not a signature");
	r.hex_signature = other.hex;
	assert_verdict(&r, SIGN_MISMATCH, "X-Webhook-Signature does not match");
	r.std_signature = "nonsense";
	assert_verdict(&r, SIGN_BAD_FORMAT, "webhook-signature is not a signature");
}

static void an_unusable_secret_is_an_error(void **state)
{
	struct sample s;
	struct sign_check got = {.verdict = SIGN_STALE};
	struct ch_err err = {0};
	sample_make(&s, SECRET, canonical);
	assert_int_equal(sign_check(&s.r, "whsec_?", NULL, 0, &got, &err), CH_EINVAL);
	assert_non_null(strstr(err.text, "not base64"));
	assert_int_equal(got.verdict, SIGN_STALE);
}

static void every_allocation_may_fail(void **state)
{
	struct sample s;
	char line[1024];
	bool failed = true;
	sample_make(&s, OTHER, canonical);
	(void)snprintf(line, sizeof(line), "%s\n", canonical);
	s.r.body = line;
	s.r.body_len++;
	for (struct nth_alloc n = {.fail_at = 1}; failed; n.fail_at++) {
		struct sign_check got = {.verdict = SIGN_STALE};
		nth_alloc_begin(&n);
		int r = sign_check(&s.r, OTHER, NULL, 0, &got, NULL);
		failed = nth_alloc_end(&n);
		assert_int_equal(r, failed ? CH_ENOMEM : 0);
		assert_int_equal(got.verdict, failed ? SIGN_STALE : SIGN_OTHER_WHITESPACE);
		assert_true(n.fail_at < 1000);
	}
}

int sign_check_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(what_callhook_sends_is_valid),
			cmocka_unit_test(a_missing_signature_is_said),
			cmocka_unit_test(rotation_is_valid_on_both_sides),
			cmocka_unit_test(signatures_of_other_versions_are_passed_over),
			cmocka_unit_test(timestamps_too_far_away_are_stale),
			cmocka_unit_test(timestamps_must_be_numbers),
			cmocka_unit_test(garbage_is_no_signature),
			cmocka_unit_test(other_spellings_are_seen),
			cmocka_unit_test(the_url_safe_alphabet_is_seen),
			cmocka_unit_test(the_other_form_of_the_secret_is_seen),
			cmocka_unit_test(other_secrets_given_are_tried),
			cmocka_unit_test(the_same_json_otherwise_written_is_seen),
			cmocka_unit_test(white_space_is_seen_in_json_that_is_no_call),
			cmocka_unit_test(what_was_changed_is_a_mismatch),
			cmocka_unit_test(the_header_that_explains_is_told),
			cmocka_unit_test(an_unusable_secret_is_an_error),
			cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests_name("sign_check", tests, NULL, NULL);
}
