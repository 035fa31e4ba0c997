#include <string.h>

#include "base/alloc.h"
#include "model/json_keys.h"
#include "test_model.h"

static void only_canonical_integers_are_array_indices(void **state)
{
	static const struct {
		const char *key;
		bool is_index;
	} rows[] = {
			{"0", true},
			{"1", true},
			{"10", true},
			{"4294967294", true},
			{"4294967295", false},
			{"9999999999", false},
			{"42949672940", false},
			{"00", false},
			{"01", false},
			{"-0", false},
			{"-1", false},
			{"1.5", false},
			{"1e3", false},
			{" 1", false},
			{"1a", false},
			{"", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(json_key_is_index(rows[i].key, strlen(rows[i].key)), rows[i].is_index);
}

static void keys_come_in_the_order_of_javascript(void **state)
{
	static const struct {
		const char *given, *written;
	} rows[] = {
			{"{\"b\":1,\"a\":2}", "{\"b\":1,\"a\":2}"},
			{"{\"b\":1,\"2\":2,\"a\":3,\"10\":4,\"1\":5}",
					"{\"1\":5,\"2\":2,\"10\":4,\"b\":1,\"a\":3}"},
			{"{\"4294967295\":1,\"4294967294\":2,\"0\":3}",
					"{\"0\":3,\"4294967294\":2,\"4294967295\":1}"},
			{"{\"x\":{\"1\":{\"z\":1,\"0\":2},\"0\":[{\"q\":1,\"7\":2}]}}",
					"{\"x\":{\"0\":[{\"7\":2,\"q\":1}],\"1\":{\"0\":2,\"z\":1}}}"},
			{"{\"__proto__\":{\"a\":1},\"constructor\":2,\"5\":3}",
					"{\"5\":3,\"__proto__\":{\"a\":1},\"constructor\":2}"},
			{"{\"x\":1,\"\\u0031\":2}", "{\"1\":2,\"x\":1}"},
			{"{\"01\":1,\"-1\":2,\"1.0\":3,\"\":4,\"3\":5}",
					"{\"3\":5,\"01\":1,\"-1\":2,\"1.0\":3,\"\":4}"},
	};
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ch_buf given, written;
		ch_buf_init(&given, 1024);
		ch_buf_init(&written, 1024);
		ch_buf_addf(&given, "\"context\":%s", rows[i].given);
		ch_buf_addf(&written, "\"context\":%s,\"recorded\"", rows[i].written);
		char *json = codec_record_with(ch_buf_text(&given));
		codec_run_text(&r, json);
		codec_assert_has(&r, ch_buf_text(&written));
		ch_free(json);
		ch_buf_fini(&given);
		ch_buf_fini(&written);
	}
	codec_run_fini(&r);
}

static void many_index_keys_are_sorted(void **state)
{
	const int count = 3000;
	struct ch_buf given, written;
	ch_buf_init(&given, 1 << 20);
	ch_buf_init(&written, 1 << 20);
	ch_buf_adds(&given, "\"context\":{\"last\":0");
	ch_buf_adds(&written, "\"context\":{");
	for (int i = 0; i < count; i++) {
		/* 7 and the count have no common factor, so this goes through all of them. */
		ch_buf_addf(&given, ",\"%d\":%d", i * 7 % count, i);
		ch_buf_addf(&written, "\"%d\":", i);
		for (int k = 0; k < 7; k++) {
			if ((i + k * count) % 7 == 0)
				ch_buf_addf(&written, "%d,", (i + k * count) / 7);
		}
	}
	ch_buf_adds(&given, "}");
	ch_buf_adds(&written, "\"last\":0},");
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	char *json = codec_record_with(ch_buf_text(&given));
	codec_run_text(&r, json);
	codec_assert_has(&r, ch_buf_text(&written));
	ch_free(json);
	ch_buf_fini(&given);
	ch_buf_fini(&written);
	codec_run_fini(&r);
}

int call_order_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(only_canonical_integers_are_array_indices),
			cmocka_unit_test(keys_come_in_the_order_of_javascript),
			cmocka_unit_test(many_index_keys_are_sorted),
	};
	return cmocka_run_group_tests_name("call_order", tests, NULL, NULL);
}
