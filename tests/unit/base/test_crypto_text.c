#include "test_base.h"

#include <string.h>

#include "base/crypto.h"
#include "base/err.h"
#include "base/rand.h"

static void test_hex_both_ways(void **state)
{
	char text[9] = "";
	uint8_t bytes[4];
	ch_hex("\x00\x7f\xa5\xff", 4, text);
	assert_string_equal(text, "007fa5ff");
	assert_int_equal(ch_unhex("007FA5ff", 8, bytes), 0);
	assert_memory_equal(bytes, "\x00\x7f\xa5\xff", 4);
	assert_int_equal(ch_unhex("", 0, bytes), 0);
}

static void test_hex_refuses(void **state)
{
	static const char *const bad[] = {"0", "0g", "g0", "00 1", "0x", "+1", "000", "0/", "0:", "0@", "0`"};
	uint8_t bytes[8];
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(ch_unhex(bad[i], strlen(bad[i]), bytes), CH_EINVAL);
}

/* RFC 4648 section 10, and the two digits that are not letters or numbers. */
static const struct {
	const char *plain;
	const char *text;
} base64_cases[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "+/+/"}};

static void test_base64_both_ways(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(base64_cases); i++) {
		const char *plain = base64_cases[i].plain;
		size_t len = strlen(plain);
		char text[16] = "";
		uint8_t back[16];
		size_t back_len = 99;
		assert_int_equal(ch_base64_len(len), strlen(base64_cases[i].text));
		ch_base64(plain, len, text);
		assert_string_equal(text, base64_cases[i].text);
		assert_int_equal(ch_unbase64(text, strlen(text), back, &back_len), 0);
		assert_int_equal(back_len, len);
		assert_memory_equal(back, plain, len);
	}
}

static void test_base64_refuses(void **state)
{
	static const char *const bad[] = {"Z", "Zg", "Zg=", "Zg===", "=",
			"====", "Z===", "Zh==", "Zm9=", "Zg==Zg==", "Zm8=Zm8=", "Zm-v", "Zm_v", "Zm9v\n",
			"Zm 9", " Zm9", "Zg=a", "Zm9vY===", "Z=g=", "\xC3\xA4zz"};
	uint8_t out[16];
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		size_t len = 99;
		assert_int_equal(ch_unbase64(bad[i], strlen(bad[i]), out, &len), CH_EINVAL);
		assert_int_equal(len, 99);
	}
	size_t len = 99;
	assert_int_equal(ch_unbase64("Zm\0v", 4, out, &len), CH_EINVAL);
}

static void test_base64_random(void **state)
{
	struct ch_rand_seeded seeded;
	ch_rand_seeded_init(&seeded, 3);
	struct ch_rand rand = ch_rand_seeded_of(&seeded);
	for (size_t len = 0; len < 300; len++) {
		uint8_t bytes[300];
		char text[400];
		uint8_t back[300];
		size_t back_len;
		ch_rand_fill(&rand, bytes, len);
		ch_base64(bytes, len, text);
		assert_int_equal(ch_unbase64(text, ch_base64_len(len), back, &back_len), 0);
		assert_int_equal(back_len, len);
		assert_memory_equal(back, bytes, len);
	}
}

int run_crypto_text(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_hex_both_ways),
			cmocka_unit_test(test_hex_refuses),
			cmocka_unit_test(test_base64_both_ways),
			cmocka_unit_test(test_base64_refuses),
			cmocka_unit_test(test_base64_random),
	};
	return cmocka_run_group_tests_name("crypto_text", tests, NULL, NULL);
}
