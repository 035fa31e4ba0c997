#include <stdlib.h>
#include <string.h>

#include "api/token.h"
#include "base/alloc.h"
#include "base/err.h"
#include "groups.h"
#include "rig.h"

#define NOW 1000000
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"0102030405060708\"}"
#define CLAIMS(aud, exp)                                                                                     \
	"{\"aud\":\"" aud "\",\"sub\":\"default\",\"since\":5,\"scope\":[\"calls:read\"],\"permit\":[],"     \
	"\"jti\":\"3f2b8c1e-0000-4000-8000-000000000001\",\"exp\":" exp "}"
#define GOOD CLAIMS("callhook", "1000001")

static const uint8_t key[TOKEN_KEY_BYTES] = {1, 2, 3};

static struct token some(void)
{
	struct token t = {.use = TOKEN_BEARER,
			.kid = {1, 2, 3, 4, 5, 6, 7, 8},
			.account = "default",
			.account_created_ms = 5,
			.scopes = SCOPE_CALLS_READ | SCOPE_INTEGRATIONS_WRITE,
			.permits = PERMIT_REVEAL,
			.id = {{9}},
			.expires_s = NOW + 900};
	return t;
}

/* Base64 of URLs, appended. */
static void add_part(char *to, const void *data, size_t len)
{
	char text[4096] = {0};

	ch_base64(data, len, text);
	for (char *p = text; *p; p++)
		*p = (char)(*p == '+' ? '-' : *p == '/' ? '_' : *p);
	strncat(to, text, strcspn(text, "="));
}

/* A token of any header and claims, signed rightly. */
static const char *forged(const char *header, const char *claims)
{
	static char text[8192];
	uint8_t signature[CH_SHA256_BYTES];
	struct ch_hmac h;

	text[0] = '\0';
	add_part(text, header, strlen(header));
	strcat(text, ".");
	add_part(text, claims, strlen(claims));
	assert_int_equal(ch_hmac_init(&h, key, sizeof(key)), 0);
	ch_hmac_begin(&h);
	ch_hmac_update(&h, text, strlen(text));
	ch_hmac_end(&h, signature);
	ch_hmac_fini(&h);
	strcat(text, ".");
	add_part(text, signature, sizeof(signature));
	return text;
}

static int read_as(const char *text, enum token_use use)
{
	struct token t = {.expires_s = -7};
	int rc = token_read(key, text, use, NOW, &t);

	assert_int_equal(rc != 0, t.expires_s == -7); /* untouched on failure */
	return rc;
}

static int read(const char *text)
{
	return read_as(text, TOKEN_BEARER);
}

static char *written(const struct token *t)
{
	struct ch_buf out;

	ch_buf_init(&out, TOKEN_TEXT_MAX);
	assert_int_equal(token_write(key, t, &out), 0);
	return ch_buf_detach(&out);
}

static void what_was_written_is_read(void **state)
{
	struct token t = some(), got;
	char *text = written(&t);

	assert_int_equal(token_read(key, text, TOKEN_BEARER, NOW, &got), 0);
	assert_memory_equal(got.kid, t.kid, sizeof(t.kid));
	assert_string_equal(got.account, "default");
	assert_int_equal(got.account_created_ms, 5);
	assert_int_equal(got.scopes, t.scopes);
	assert_int_equal(got.permits, t.permits);
	assert_true(id_equal(&got.id, &t.id));
	assert_int_equal(got.expires_s, t.expires_s);
	ch_free(text);
}

static void the_longest_fits(void **state)
{
	struct token t = some();
	struct token got;

	memset(t.account, 'a', ACCOUNT_ID_MAX);
	t.use = TOKEN_SESSION;
	t.scopes = SCOPE_ALL;
	t.permits = PERMIT_ALL;
	t.account_created_ms = INT64_MAX;
	t.expires_s = INT64_MAX;
	char *text = written(&t);
	assert_int_equal(token_read(key, text, TOKEN_SESSION, NOW, &got), 0);
	assert_string_equal(got.account, t.account);
	ch_free(text);
}

static void it_is_over_at_its_second(void **state)
{
	struct token t = some(), got;
	char *text = written(&t);

	assert_int_equal(token_read(key, text, TOKEN_BEARER, NOW + 899, &got), 0);
	assert_int_equal(token_read(key, text, TOKEN_BEARER, NOW + 900, &got), CH_ECRYPT);
	ch_free(text);
}

static void one_use_is_not_another(void **state)
{
	for (int made = TOKEN_BEARER; made <= TOKEN_LINK; made++) {
		struct token t = some();
		t.use = (enum token_use)made;
		char *text = written(&t);
		for (int use = TOKEN_BEARER; use <= TOKEN_LINK; use++)
			assert_int_equal(read_as(text, (enum token_use)use), use == made ? 0 : CH_ECRYPT);
		ch_free(text);
	}
}

static void every_changed_byte_is_noticed(void **state)
{
	struct token t = some();
	char *text = written(&t);

	for (size_t i = 0; i < strlen(text); i++) {
		char was = text[i];
		text[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(read(text), CH_ECRYPT);
		text[i] = was;
	}
	uint8_t other[TOKEN_KEY_BYTES] = {1, 2, 4};
	assert_int_equal(token_read(other, text, TOKEN_BEARER, NOW, &t), CH_ECRYPT);
	assert_int_equal(read(text), 0);
	ch_free(text);
}

static void headers_ask_for_nothing_else(void **state)
{
	static const char *const bad[] = {"{\"alg\":\"none\",\"typ\":\"JWT\",\"kid\":\"0102030405060708\"}",
			"{\"alg\":\"hs256\",\"typ\":\"JWT\",\"kid\":\"0102030405060708\"}",
			"{\"alg\":\"HS512\",\"typ\":\"JWT\",\"kid\":\"0102030405060708\"}",
			"{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"0102030405060708\"}",
			"{\"typ\":\"JWT\",\"kid\":\"0102030405060708\"}",
			"{\"alg\":\"HS256\",\"alg\":\"HS256\",\"kid\":\"0102030405060708\"}",
			"{\"alg\":\"HS256\",\"typ\":\"JWE\",\"kid\":\"0102030405060708\"}",
			"{\"alg\":\"HS256\",\"typ\":7,\"kid\":\"0102030405060708\"}",
			"{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
			"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"01020304050607\"}",
			"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"010203040506070x\"}",
			"{\"alg\":\"HS256\",\"kid\":\"0102030405060708\",\"crit\":[\"x\"]}", "[]", "7", "{",
			"\"HS256\""};

	assert_int_equal(read(forged(HEADER, GOOD)), 0);
	assert_int_equal(read(forged("{\"alg\":\"HS256\",\"kid\":\"0102030405060708\"}", GOOD)), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (read(forged(bad[i], GOOD)) != CH_ECRYPT)
			fail_msg("taken: %s", bad[i]);
}

static void claims_are_all_there(void **state)
{
	static const char *const bad[] = {CLAIMS("callhook", "1000000"), CLAIMS("callhook", "\"1000001\""),
			CLAIMS("callhook", "1000001.5"), CLAIMS("callhook", "null"),
			CLAIMS("other", "1000001"), CLAIMS("callhook-session", "1000001"),
			CLAIMS("", "1000001"),
			"{\"sub\":\"default\",\"since\":5,\"scope\":[],\"permit\":[],"
			"\"jti\":\"3f2b8c1e-0000-4000-8000-000000000001\",\"exp\":1000001}",
			"{\"aud\":\"callhook\",\"sub\":\"default\",\"since\":5,\"scope\":[],\"permit\":[],"
			"\"jti\":\"3f2b8c1e-0000-4000-8000-000000000001\"}",
			"{\"aud\":\"callhook\",\"since\":5,\"scope\":[],\"permit\":[],"
			"\"jti\":\"3f2b8c1e-0000-4000-8000-000000000001\",\"exp\":1000001}",
			"{\"aud\":\"callhook\",\"sub\":\"a/b\",\"since\":5,\"scope\":[],\"permit\":[],"
			"\"jti\":\"3f2b8c1e-0000-4000-8000-000000000001\",\"exp\":1000001}",
			"{\"aud\":\"callhook\",\"sub\":\"a\",\"since\":5,\"scope\":[\"all\"],\"permit\":[],"
			"\"jti\":\"3f2b8c1e-0000-4000-8000-000000000001\",\"exp\":1000001}",
			"{\"aud\":\"callhook\",\"sub\":\"a\",\"since\":5,\"scope\":[],\"permit\":[7],"
			"\"jti\":\"3f2b8c1e-0000-4000-8000-000000000001\",\"exp\":1000001}",
			"{\"aud\":\"callhook\",\"sub\":\"a\",\"since\":5,\"scope\":[],\"permit\":[],\"jti\":"
			"\"x\","
			"\"exp\":1000001}",
			"[]", "{}", "null", "{"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (read(forged(HEADER, bad[i])) != CH_ECRYPT)
			fail_msg("taken: %s", bad[i]);
}

static void junk_is_no_token(void **state)
{
	static const char *const bad[] = {"", ".", "..", "...", "a.b.c", "a.b", "é.é.é", "e30.e30.",
			"e30=.e30=.e30=", ".e30.e30", "e30..e30"};
	char *whole = strdup(forged(HEADER, GOOD));
	char long_text[TOKEN_TEXT_MAX + 2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(read(bad[i]), CH_ECRYPT);
	for (size_t i = 0; i < strlen(whole); i++) {
		char was = whole[i];
		whole[i] = '\0';
		assert_int_equal(read(whole), CH_ECRYPT);
		whole[i] = was;
	}
	free(whole);
	memset(long_text, 'e', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	assert_int_equal(read(long_text), CH_ECRYPT);
	char claims[2000] = GOOD;
	memset(claims + strlen(GOOD), ' ', 1000); /* signed rightly, and too long */
	assert_int_equal(read(forged(HEADER, claims)), CH_ECRYPT);
}

static void the_key_is_of_the_stores_key(void **state)
{
	uint8_t seal[CH_SEAL_KEY_BYTES] = {1}, first[TOKEN_KEY_BYTES], again[TOKEN_KEY_BYTES];

	assert_int_equal(token_key_make(seal, first), 0);
	assert_int_equal(token_key_make(seal, again), 0);
	assert_memory_equal(first, again, sizeof(first));
	seal[0] = 2;
	assert_int_equal(token_key_make(seal, again), 0);
	assert_memory_not_equal(first, again, sizeof(first));
	assert_memory_not_equal(seal, again, sizeof(first));
}

int group_tokens(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(what_was_written_is_read),
			cmocka_unit_test(the_longest_fits),
			cmocka_unit_test(it_is_over_at_its_second),
			cmocka_unit_test(one_use_is_not_another),
			cmocka_unit_test(every_changed_byte_is_noticed),
			cmocka_unit_test(headers_ask_for_nothing_else),
			cmocka_unit_test(claims_are_all_there),
			cmocka_unit_test(junk_is_no_token),
			cmocka_unit_test(the_key_is_of_the_stores_key),
	};
	return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
