#include "test_base.h"

#include <openssl/err.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/err.h"

static const uint8_t seal_key[CH_SEAL_KEY_BYTES] = "0123456789abcdef0123456789abcdef";

static void assert_hex(const uint8_t digest[CH_SHA256_BYTES], const char *expected)
{
	char text[2 * CH_SHA256_BYTES + 1] = "";
	ch_hex(digest, CH_SHA256_BYTES, text);
	assert_string_equal(text, expected);
}

static void test_sha256(void **state)
{
	uint8_t digest[CH_SHA256_BYTES];
	ch_sha256(NULL, 0, digest);
	assert_hex(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	ch_sha256("abc", 3, digest);
	assert_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 4231, cases 1, 2 and 6, and the empty key. */
static const struct hmac_case {
	const char *key;
	size_t key_len; /* key[0] repeated; 0: key as it stands */
	const char *data;
	const char *expected;
} hmac_cases[] = {
		{"\x0b", 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{"Jefe", 0, "what do ya want for nothing?",
				"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{"\xaa", 131, "Test Using Larger Than Block-Size Key - Hash Key First",
				"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
		{"", 0, "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
};

/* Each twice, and in pieces the second time: the key must survive the first message. */
static void test_hmac(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(hmac_cases); i++) {
		const struct hmac_case *c = &hmac_cases[i];
		char key[200] = "";
		memset(key, c->key[0], c->key_len);
		size_t key_len = c->key_len ? c->key_len : strlen(c->key);
		struct ch_hmac h;
		assert_int_equal(ch_hmac_init(&h, c->key_len ? key : c->key, key_len), 0);
		uint8_t digest[CH_SHA256_BYTES];
		ch_hmac_begin(&h);
		ch_hmac_update(&h, c->data, strlen(c->data));
		ch_hmac_end(&h, digest);
		assert_hex(digest, c->expected);
		ch_hmac_begin(&h);
		ch_hmac_update(&h, "given up half way", 17);
		ch_hmac_begin(&h);
		for (const char *p = c->data; *p; p++)
			ch_hmac_update(&h, p, 1);
		ch_hmac_end(&h, digest);
		assert_hex(digest, c->expected);
		ch_hmac_fini(&h);
		assert_null(h.ctx);
		ch_hmac_fini(&h);
	}
}

static void test_hmac_without_a_key(void **state)
{
	struct ch_hmac h;
	uint8_t digest[CH_SHA256_BYTES];
	assert_int_equal(ch_hmac_init(&h, NULL, 0), 0);
	ch_hmac_begin(&h);
	ch_hmac_end(&h, digest);
	assert_hex(digest, hmac_cases[3].expected);
	ch_hmac_fini(&h);
}

static void hmac_unset(void *arg)
{
	struct ch_hmac h = {0};
	ch_hmac_begin(&h);
}

static void test_hmac_not_initialised_aborts(void **state)
{
	assert_true(aborts(hmac_unset, NULL));
}

static struct ch_buf sealed_of(const struct ch_rand *rand, const char *aad, const char *plain)
{
	struct ch_buf b;
	ch_buf_init(&b, 1000);
	assert_int_equal(ch_seal(seal_key, rand, aad, strlen(aad), plain, strlen(plain), &b), 0);
	assert_int_equal(b.len, strlen(plain) + CH_SEAL_EXTRA_BYTES);
	return b;
}

static void test_seal_opens_again(void **state)
{
	static const char *const texts[] = {
			"", "x", "whsec_c2VjcmV0", "a text that is longer than one block"};
	static const char *const aads[] = {"", "default/1"};
	struct ch_rand rand = ch_rand_system();
	for (size_t i = 0; i < ARRAY_LEN(texts) * ARRAY_LEN(aads); i++) {
		const char *text = texts[i / 2];
		const char *aad = aads[i % 2];
		struct ch_buf sealed = sealed_of(&rand, aad, text);
		assert_int_equal(sealed.data[0], 1);
		struct ch_buf plain;
		ch_buf_init(&plain, 1000);
		ch_buf_adds(&plain, "kept:");
		assert_int_equal(ch_unseal(seal_key, aad, strlen(aad), sealed.data, sealed.len, &plain), 0);
		assert_string_equal(ch_buf_text(&plain) + 5, text);
		ch_buf_fini(&plain);
		ch_buf_fini(&sealed);
	}
}

static void test_seal_never_repeats(void **state)
{
	struct ch_rand rand = ch_rand_system();
	struct ch_buf a = sealed_of(&rand, "", "same");
	struct ch_buf b = sealed_of(&rand, "", "same");
	assert_memory_not_equal(a.data + 1, b.data + 1, 12);
	assert_memory_not_equal(a.data + 13, b.data + 13, 4);
	ch_buf_fini(&a);
	ch_buf_fini(&b);
}

static void assert_does_not_open(const uint8_t *key, const char *aad, const void *sealed, size_t len)
{
	struct ch_buf plain;
	ch_buf_init(&plain, 1000);
	ch_buf_adds(&plain, "kept");
	assert_int_equal(ch_unseal(key, aad, strlen(aad), sealed, len, &plain), CH_ECRYPT);
	assert_string_equal(ch_buf_text(&plain), "kept");
	assert_int_equal(plain.err, 0);
	assert_int_equal(ERR_peek_error(), 0);
	ch_buf_fini(&plain);
}

static void test_seal_refuses_each_changed_bit(void **state)
{
	struct ch_rand rand = ch_rand_system();
	struct ch_buf sealed = sealed_of(&rand, "default/1", "secret");
	for (size_t bit = 0; bit < sealed.len * 8; bit++) {
		sealed.data[bit / 8] ^= (char)(1 << bit % 8);
		assert_does_not_open(seal_key, "default/1", sealed.data, sealed.len);
		sealed.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t len = 0; len < sealed.len; len++)
		assert_does_not_open(seal_key, "default/1", sealed.data, len);
	assert_does_not_open(seal_key, "default/2", sealed.data, sealed.len);
	assert_does_not_open(seal_key, "", sealed.data, sealed.len);
	uint8_t other[CH_SEAL_KEY_BYTES];
	memcpy(other, seal_key, sizeof(other));
	other[31] ^= 1;
	assert_does_not_open(other, "default/1", sealed.data, sealed.len);
	ch_buf_fini(&sealed);
}

static void test_seal_into_a_full_buffer(void **state)
{
	struct ch_rand rand = ch_rand_system();
	struct ch_buf b;
	ch_buf_init(&b, CH_SEAL_EXTRA_BYTES);
	assert_int_equal(ch_seal(seal_key, &rand, "", 0, "x", 1, &b), CH_ELIMIT);
	assert_int_equal(b.len, 0);
	ch_buf_fini(&b);
	struct ch_buf sealed = sealed_of(&rand, "", "four");
	ch_buf_init(&b, 3);
	assert_int_equal(ch_unseal(seal_key, "", 0, sealed.data, sealed.len, &b), CH_ELIMIT);
	assert_int_equal(b.len, 0);
	ch_buf_fini(&b);
	ch_buf_fini(&sealed);
}

static void test_ct_equal(void **state)
{
	assert_true(ch_ct_equal("abc", 3, "abc", 3));
	assert_false(ch_ct_equal("abc", 3, "abd", 3));
	assert_false(ch_ct_equal("abc", 3, "abc", 2));
	assert_true(ch_ct_equal(NULL, 0, "", 0));
}

static void test_secret(void **state)
{
	struct ch_secret s = {0};
	assert_int_equal(ch_secret_set(&s, "first", 5), 0);
	assert_int_equal(ch_secret_set(&s, s.text + 1, 3), 0);
	assert_string_equal(s.text, "irs");
	assert_int_equal(s.len, 3);
	assert_int_equal(ch_secret_set(&s, NULL, 0), 0);
	assert_null(s.text);
	assert_int_equal(ch_secret_set(&s, "", 0), 0);
	assert_string_equal(s.text, "");
	ch_secret_fini(&s);
	assert_null(s.text);
	ch_secret_fini(&s);
}

static void test_wipe(void **state)
{
	char text[] = "secret";
	ch_wipe(text, 4);
	assert_memory_equal(text, "\0\0\0\0et", 7);
	ch_wipe(NULL, 0);
}

static void seal_and_open(struct torture *t)
{
	struct ch_rand rand = ch_rand_system();
	struct ch_buf sealed;
	struct ch_buf plain;
	ch_buf_init(&sealed, 1000);
	ch_buf_init(&plain, 1000);
	int rc = ch_seal(seal_key, &rand, "a", 1, "secret", 6, &sealed);
	assert_int_equal(rc, t->failed ? CH_ENOMEM : 0);
	assert_int_equal(sealed.len, rc ? 0 : 6 + CH_SEAL_EXTRA_BYTES);
	if (!rc) {
		rc = ch_unseal(seal_key, "a", 1, sealed.data, sealed.len, &plain);
		assert_int_equal(rc, t->failed ? CH_ENOMEM : 0);
		assert_string_equal(ch_buf_text(&plain), rc ? "" : "secret");
	}
	ch_buf_fini(&plain);
	ch_buf_fini(&sealed);
}

static void set_secret_twice(struct torture *t)
{
	struct ch_secret s = {0};
	int first = ch_secret_set(&s, "old", 3);
	assert_int_equal(first, t->failed ? CH_ENOMEM : 0);
	int second = ch_secret_set(&s, "newer", 5);
	assert_int_equal(second, t->failed && !first ? CH_ENOMEM : 0);
	assert_string_equal(s.text, second ? "old" : "newer");
	ch_secret_fini(&s);
}

static void test_torture(void **state)
{
	assert_int_equal(torture_run(seal_and_open), 2);
	assert_int_equal(torture_run(set_secret_twice), 2);
}

int run_crypto(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_sha256),
			cmocka_unit_test(test_hmac),
			cmocka_unit_test(test_hmac_without_a_key),
			cmocka_unit_test(test_hmac_not_initialised_aborts),
			cmocka_unit_test(test_seal_opens_again),
			cmocka_unit_test(test_seal_never_repeats),
			cmocka_unit_test(test_seal_refuses_each_changed_bit),
			cmocka_unit_test(test_seal_into_a_full_buffer),
			cmocka_unit_test(test_ct_equal),
			cmocka_unit_test(test_secret),
			cmocka_unit_test(test_wipe),
			cmocka_unit_test(test_torture),
	};
	return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
