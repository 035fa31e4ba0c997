#include "test_policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "policy/sign.h"

/* The expected values come from another implementation:
 *   printf '%s' BODY | openssl dgst -sha256 -hmac SECRET
 *   python3: base64.b64encode(hmac.new(base64.b64decode(SECRET[6:]), b"ID.TIMESTAMP." + body,
 * "sha256").digest()) The first row is also the published test vector of the Standard Webhooks libraries. */
static const struct {
	const char *secret, *id;
	int64_t timestamp_s;
	const char *body, *hex, *standard;
} known[] = {
		{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
				"{\"test\": 2432232314}",
				"80ec8a89ce3cd22133a1066caecb4d04fea7467657c8514d717ec42c38a5c94c",
				"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
		{"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "msg_1", 1700000000, "{\"a\":1}",
				"d3f1ea16147b8b8d0304fe2a9559b4b4b84d057af19b132191df3378cbd1234a",
				"v1,AMaOha7DUT/0J0JMycRuYOBSvbx3WtwLd2khXXbaVj4="},
		{"a-plain-secret-of-mine", "msg_1", 1700000000, "{\"a\":1}",
				"e69c63f6945456ef2dd0e8f52cd1cbd7e6c436b3e2cfb49071c9e82b4fe94877",
				"v1,da4WSkSKsGv56eZ1DaQNnygyQuwoweSrlv6n36PpvOI="},
		{"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "m", 0, "",
				"3869a63cbe73c747431cf9ff4d38cbaa6ad6adb0541c4753e1c90f7b6920620f",
				"v1,UjFbwlC3+25BndkRm6m1Tr6SkklaR1xWGw5XUeb14nQ="},
};

static void signatures_are_those_of_others(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct sign_key k;
		char hex[SIGN_HEX_LEN + 1], standard[SIGN_STD_LEN + 1];
		size_t len = strlen(known[i].body);
		assert_int_equal(sign_key_init(&k, known[i].secret, strlen(known[i].secret), NULL), 0);
		/* Twice, because the contexts are used again and again. */
		for (int round = 0; round < 2; round++) {
			sign_body_hex(&k, known[i].body, len, hex);
			sign_body_standard(
					&k, known[i].id, known[i].timestamp_s, known[i].body, len, standard);
			assert_string_equal(hex, known[i].hex);
			assert_string_equal(standard, known[i].standard);
		}
		sign_key_fini(&k);
	}
}

static void generated_secrets_are_fresh_and_fit(void **state)
{
	struct ch_rand_seeded seeded;
	char a[SIGN_SECRET_TEXT_LEN + 1], b[SIGN_SECRET_TEXT_LEN + 1];
	ch_rand_seeded_init(&seeded, 7);
	struct ch_rand rand = ch_rand_seeded_of(&seeded);
	sign_secret_generate(&rand, a);
	sign_secret_generate(&rand, b);
	assert_string_not_equal(a, b);
	assert_memory_equal(a, "whsec_", 6);
	assert_int_equal(strlen(a), SIGN_SECRET_TEXT_LEN);
	assert_int_equal(sign_secret_check(a, strlen(a), NULL), 0);
}

#define A16 "AAAAAAAAAAAAAAAA" /* 12 zero bytes in base64 */

static void brought_secrets_are_measured(void **state)
{
	static const struct {
		const char *secret, *words; /* words NULL: taken */
	} rows[] = {
			{"whsec_" A16 A16, NULL}, /* 24 bytes */
			{"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", NULL},
			{"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", NULL}, /* padding left off */
			{"whsec_" A16 A16 A16 A16 A16 "AAAAAA==", NULL}, /* 64 bytes */
			{"whsec_" A16 "AAAAAAAAAAAAAAA=", "23 bytes after whsec_"},
			{"whsec_" A16 A16 A16 A16 A16 "AAAAAAA=", "not base64"}, /* 65 bytes */
			{"whsec_", "not base64"},
			{"whsec_!!!!", "not base64"},
			{"whsec_" A16 A16 "A", "not base64"},
			{"whsec_" A16 A16 "=", "not base64"},
			{"whsec_" A16 A16 "AB==", "not base64"}, /* spare bits that say something */
			{"0123456789abcdef", NULL},
			{"!\"#$%&'()*+,-./~", NULL},
			{A16 A16 A16 A16 A16 A16 A16 A16, NULL}, /* 128 characters */
			{A16 A16 A16 A16 A16 A16 A16 A16 "A", "longer than 128"},
			{"0123456789abcde", "shorter than 16"},
			{"", "empty"},
			{"0123456789 abcdef", "character 11 is not"},
			{"0123456789abcdef\n", "character 17 is not"},
			{"0123456789abcd\xc3\xa9", "character 15 is not"},
			{"0123456789abcdef\x7f", "character 17 is not"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ch_err err = {0};
		int r = sign_secret_check(rows[i].secret, strlen(rows[i].secret), &err);
		if (r != (rows[i].words == NULL ? 0 : CH_EINVAL))
			fail_msg("%s: code %d %s", rows[i].secret, r, err.text);
		if (rows[i].words != NULL && strstr(err.text, rows[i].words) == NULL)
			fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].secret, err.text, rows[i].words);
		/* Words about a secret must not hold it. */
		if (strlen(rows[i].secret) > 6)
			assert_null(strstr(err.text, rows[i].secret));
	}
	assert_int_equal(sign_secret_check("0123456789\0abcdef", 17, NULL), CH_EINVAL);
}

static void keys_of_others_may_be_shorter(void **state)
{
	struct sign_key k;
	static const char *const usable[] = {"x", "whsec_AAAA"};
	static const char *const unusable[] = {"", "a b", "whsec_", "whsec_?"};
	for (size_t i = 0; i < ARRAY_LEN(usable); i++) {
		assert_int_equal(sign_key_init(&k, usable[i], strlen(usable[i]), NULL), 0);
		sign_key_fini(&k);
	}
	for (size_t i = 0; i < ARRAY_LEN(unusable); i++)
		assert_int_equal(sign_key_init(&k, unusable[i], strlen(unusable[i]), NULL), CH_EINVAL);
}

int sign_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(signatures_are_those_of_others),
			cmocka_unit_test(generated_secrets_are_fresh_and_fit),
			cmocka_unit_test(brought_secrets_are_measured),
			cmocka_unit_test(keys_of_others_may_be_shorter),
	};
	return cmocka_run_group_tests_name("sign", tests, NULL, NULL);
}
