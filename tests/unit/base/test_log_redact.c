#include "test_base.h"

#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/log.h"
#include "base/rand.h"

#define DOTS "\xE2\x80\xA6"
#define GONE "whsec_" DOTS

struct pair {
	const char *in;
	const char *out;
};

static void assert_redacts(const struct pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct ch_buf b;
		ch_buf_init(&b, 10000);
		char *exact = ch_memdup0(pairs[i].in, strlen(pairs[i].in)); /* no byte to spare behind it */
		ch_log_redact(&b, exact, strlen(exact));
		assert_string_equal(ch_buf_text(&b), pairs[i].out);
		ch_free(exact);
		ch_buf_fini(&b);
	}
}

static void test_phone_numbers(void **state)
{
	static const struct pair pairs[] = {
			{"+14155550178", "+" DOTS "78"},
			{"+1234", "+" DOTS "34"},
			{"+123", "+123"},
			{"+", "+"},
			{"from +14155550178 to +491701234567.", "from +" DOTS "78 to +" DOTS "67."},
			{"\"to\":\"+14155550178\"", "\"to\":\"+" DOTS "78\""},
			{"tel:+14155550178;ext=1", "tel:+" DOTS "78;ext=1"},
			{"sip:+14155550178@pbx", "sip:+" DOTS "78@pbx"},
			{"x+14155550178y", "x+" DOTS "78y"},
			{"++14155550178", "++" DOTS "78"},
			{"/v1/calls?to=%2B14155550178&n=1", "/v1/calls?to=+" DOTS "78&n=1"},
			{"\\u002b14155550178", "+" DOTS "78"},
			{"+1 (415) 555-0178", "+" DOTS "78"},
			{"+44 20 7946 0958", "+" DOTS "58"},
			{"+49.30.901820", "+" DOTS "20"},
			{"+14155550178 200 OK", "+" DOTS "78 200 OK"},
			{"+1415555017812345678901234567", "+" DOTS "67"},
			{"2024-07-30T14:35:00+02:00", "2024-07-30T14:35:00+02:00"},
			{"1 + 2", "1 + 2"},
	};
	assert_redacts(pairs, ARRAY_LEN(pairs));
}

static void test_secrets(void **state)
{
	static const struct pair pairs[] = {
			{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", GONE},
			{"whsec_ab+/cd==", GONE},
			{"secret is whsec_abc, really", "secret is " GONE ", really"},
			{"Xwhsec_abc", "X" GONE},
			{"whsec_a whsec_b", GONE " " GONE},
			{"whsec_+14155550178", GONE},
			{"k7Jq0xV9sT3uYb2ZcN5mRdPfGhLwEaQi", GONE},
			{"0123456789abcdef0123456789abcdef", GONE},
			{"key=k7Jq0xV9sT3uYb2ZcN5mRdPfGhLwEaQi/+8=", "key=" GONE},
			{"k7Jq0/xV9sT3uY/b2ZcN5mRd+PfGhLwEaQiAA==", GONE},
			{"Authorization: Bearer abc.def", "Authorization: " GONE},
			{"got Bearer s3cret, expected", "got Bearer " GONE ", expected"},
			{"eyJhbGciOiJIUzI1NiJ9.eyJzIjoxfQ.c2ln rest", GONE " rest"},
			{"X-Api-Key: short1", "X-Api-Key: " GONE},
			{"client_secret=hunter2&x=1", "client_secret=" GONE "&x=1"},
			{"{\"secret\": \"hunter2\", \"x\": 1}", "{\"secret\": \"" GONE "\", \"x\": 1}"},
			{"postgres://app:p@ss@db/calls", "postgres://app:" GONE "@db/calls"},
	};
	assert_redacts(pairs, ARRAY_LEN(pairs));
}

static void test_phone_numbers_as_user_names(void **state)
{
	static const struct pair pairs[] = {
			{"sip://+14155550178:pw@pbx", "sip://+" DOTS "78:" GONE "@pbx"},
			{"sip://whsec_abc:pw@pbx", "sip://" GONE ":" GONE "@pbx"},
			{"sip://a@+14155550178:pw@pbx", "sip://a@+" DOTS "78:" GONE "@pbx"},
	};
	assert_redacts(pairs, ARRAY_LEN(pairs));
}

static void test_what_people_need_stays(void **state)
{
	static const struct pair pairs[] = {
			{"", ""},
			{"0190b5c2-7b3a-7cde-8f01-23456789abcd", "0190b5c2-7b3a-7cde-8f01-23456789abcd"},
			{"https://example.com:8443/hooks/call-completed/agents/incoming/2024?x=1",
					"https://example.com:8443/hooks/call-completed/agents/incoming/"
					"2024?x=1"},
			{"calls/0190b5c2-7b3a-7cde-8f01-23456789abcd/deliveries",
					"calls/0190b5c2-7b3a-7cde-8f01-23456789abcd/deliveries"},
			{"ec2-203-0-113-25.eu-central-1.compute.amazonaws.com",
					"ec2-203-0-113-25.eu-central-1.compute.amazonaws.com"},
			{"token: expired at 12:00", "token: expired at 12:00"},
			{"secret=", "secret="},
			{"a_rather_long_name_in_snake_case_2_be_kept",
					"a_rather_long_name_in_snake_case_2_be_kept"},
			{"[2001:db8::1]:8080", "[2001:db8::1]:8080"},
			{"http://example.com/@someone:1", "http://example.com/@someone:1"},
	};
	assert_redacts(pairs, ARRAY_LEN(pairs));
}

/* Hostile shapes, as long as a value may be: quadratic work here would take minutes. */
static void test_long_repetitions(void **state)
{
	static const char *const pieces[] = {
			"a/", "a+", "+1 ", "://", "a:@", "secret=", "eyJ", "eyJ.", "bearer ", "%2B", "a-"};
	struct ch_buf in;
	struct ch_buf out;
	ch_buf_init(&in, 1 << 20);
	ch_buf_init(&out, 1 << 23);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		ch_buf_clear(&in);
		ch_buf_clear(&out);
		while (in.len < (1 << 20) - 10)
			ch_buf_adds(&in, pieces[i]);
		ch_log_redact(&out, in.data, in.len);
		assert_int_equal(out.err, 0);
		assert_true(out.len > 0);
	}
	ch_buf_fini(&in);
	ch_buf_fini(&out);
}

/* Whatever stands around it, a number or a secret never comes through. */
static void test_random_surroundings(void **state)
{
	static const char alphabet[] = "ab+=:/%\\\"' .-_?&;,{}()0\n\xC3\xA4\xF0\xFF";
	static const char *const hidden[] = {"+14155550178", "whsec_Zm9vYmFyZm9vYmFy"};
	static const char *const traces[] = {"141555501", "Zm9vYmFyZm9"};
	struct ch_rand_seeded seeded;
	ch_rand_seeded_init(&seeded, 9);
	struct ch_rand rand = ch_rand_seeded_of(&seeded);
	struct ch_buf in;
	struct ch_buf out;
	ch_buf_init(&in, 1000);
	ch_buf_init(&out, 10000);
	for (int i = 0; i < 20000; i++) {
		ch_buf_clear(&in);
		ch_buf_clear(&out);
		for (uint64_t n = ch_rand_below(&rand, 20); n; n--)
			ch_buf_addc(&in, alphabet[ch_rand_below(&rand, sizeof(alphabet) - 1)]);
		ch_buf_adds(&in, hidden[i % 2]);
		for (uint64_t n = ch_rand_below(&rand, 20); n; n--)
			ch_buf_addc(&in, alphabet[ch_rand_below(&rand, sizeof(alphabet) - 1)]);
		ch_log_redact(&out, in.data, in.len);
		assert_int_equal(out.err, 0);
		assert_null(memmem(out.data, out.len, traces[i % 2], strlen(traces[i % 2])));
	}
	ch_buf_fini(&in);
	ch_buf_fini(&out);
}

static void redact_long(struct torture *t)
{
	struct ch_buf b;
	ch_buf_init(&b, 10000);
	for (int i = 0; i < 20; i++)
		ch_log_redact(&b, "to +14155550178 whsec_abc", 25);
	assert_int_equal(b.err, t->failed ? CH_ENOMEM : 0);
	ch_buf_fini(&b);
}

static void test_torture(void **state)
{
	assert_true(torture_run(redact_long) > 2);
}

int run_log_redact(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_phone_numbers),
			cmocka_unit_test(test_secrets),
			cmocka_unit_test(test_phone_numbers_as_user_names),
			cmocka_unit_test(test_what_people_need_stays),
			cmocka_unit_test(test_long_repetitions),
			cmocka_unit_test(test_random_surroundings),
			cmocka_unit_test(test_torture),
	};
	return cmocka_run_group_tests_name("log_redact", tests, NULL, NULL);
}
