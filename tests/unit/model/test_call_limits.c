#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "test_model.h"

/* open, count times, then middle, then close, count times. */
static char *nested(const char *before, const char *open, int count, const char *middle, const char *close)
{
	struct ch_buf b;
	ch_buf_init(&b, 1 << 20);
	ch_buf_adds(&b, before);
	for (int i = 0; i < count; i++)
		ch_buf_adds(&b, open);
	ch_buf_adds(&b, middle);
	for (int i = 0; i < count; i++)
		ch_buf_adds(&b, close);
	char *rest = ch_buf_detach(&b), *json = codec_record_with(rest);
	ch_free(rest);
	return json;
}

static void run_and_free(struct codec_run *r, char *json)
{
	codec_run_text(r, json);
	ch_free(json);
}

static void context_may_be_64_deep(void **state)
{
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	run_and_free(&r, nested("\"context\":", "{\"a\":", 64, "1", "}"));
	assert_int_equal(r.rc, 0);
	run_and_free(&r, nested("\"context\":", "{\"a\":", 65, "1", "}"));
	assert_int_equal(r.rc, CH_EINVAL);
	assert_int_equal(r.problems.count, 1);
	assert_int_equal(strlen(r.problems.items[0].pointer), strlen("/context") + 64 * strlen("/a"));
	assert_non_null(strstr(r.problems.items[0].detail, "more than 64 levels"));
	codec_run_fini(&r);
}

static void the_place_that_is_too_deep_is_the_one_named(void **state)
{
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	struct ch_buf b;
	ch_buf_init(&b, 4096);
	ch_buf_adds(&b, "\"context\":{\"flat\":[[],[]],\"b\":[1,[],");
	for (int i = 0; i < 70; i++)
		ch_buf_addc(&b, '[');
	for (int i = 0; i < 70; i++)
		ch_buf_addc(&b, ']');
	ch_buf_adds(&b, "],\"c\":[]}");
	char *json = codec_record_with(ch_buf_text(&b));
	run_and_free(&r, json);
	ch_buf_fini(&b);
	assert_int_equal(r.problems.count, 1);
	/* The context, its list and 62 lists make 64. */
	assert_true(strncmp(r.problems.items[0].pointer, "/context/b/2/0/0/0", 18) == 0);
	assert_int_equal(strlen(r.problems.items[0].pointer), strlen("/context/b/2") + 62 * strlen("/0"));
	codec_run_fini(&r);
}

static void extractors_may_be_16_deep(void **state)
{
	const char *open = "[{\"name\":\"n\",\"value\":", *close = "}]";
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	run_and_free(&r, nested("\"extractors\":", open, 16, "[\"x\"]", close));
	assert_int_equal(r.rc, 0);
	char *body = ch_strdup(ch_buf_text(&r.out));
	codec_run_text(&r, body);
	assert_string_equal(ch_buf_text(&r.out), body);
	ch_free(body);
	run_and_free(&r, nested("\"extractors\":", open, 17, "[\"x\"]", close));
	assert_int_equal(r.rc, CH_EINVAL);
	assert_int_equal(r.problems.count, 1);
	assert_int_equal(
			strlen(r.problems.items[0].pointer), strlen("/extractors") + 16 * strlen("/0/value"));
	assert_non_null(strstr(r.problems.items[0].detail, "more than 16 levels"));
	codec_run_fini(&r);
}

static void very_deep_input_ends_at_once(void **state)
{
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	run_and_free(&r, nested("\"context\":", "[", 400000, "", "]"));
	assert_int_equal(r.rc, CH_EINVAL);
	assert_int_equal(r.problems.count, 1);
	assert_non_null(strstr(r.problems.items[0].detail, "more than 128 levels"));
	codec_run_fini(&r);
}

static void an_input_that_is_too_large_is_refused(void **state)
{
	char *json = codec_record_with("\"summary\":\"0123456789\"");
	struct codec_run r;
	codec_run_init(&r, strlen(json) - 1);
	codec_run_text(&r, json);
	assert_int_equal(r.rc, CH_ELIMIT);
	assert_int_equal(r.problems.count, 1);
	assert_string_equal(r.problems.items[0].pointer, "");
	assert_non_null(strstr(r.problems.items[0].detail, "too large"));
	ch_free(json);
	codec_run_fini(&r);
}

static void an_output_that_is_too_large_is_refused_and_one_that_just_fits_is_not(void **state)
{
	char *json = codec_record_with("\"extractors\":[{\"name\":\"n\",\"value\":[\"0123456789\"]}]");
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	codec_run_text(&r, json);
	assert_int_equal(r.rc, 0);
	size_t len = r.out.len;
	assert_true(len > strlen(json));
	codec_run_fini(&r);
	codec_run_init(&r, len);
	codec_run_text(&r, json);
	assert_int_equal(r.rc, 0);
	codec_run_fini(&r);
	codec_run_init(&r, len - 1);
	struct call_facts untouched = r.facts;
	codec_run_text(&r, json);
	assert_int_equal(r.rc, CH_ELIMIT);
	assert_int_equal(r.out.len, 0);
	assert_int_equal(r.problems.count, 1);
	assert_memory_equal(&untouched, &r.facts, sizeof untouched);
	codec_run_fini(&r);
	ch_free(json);
}

static void a_large_record_grows_the_output_in_steps(void **state)
{
	const size_t text_bytes = 500000;
	struct ch_buf b;
	ch_buf_init(&b, 2 << 20);
	ch_buf_adds(&b, "\"extractors\":[{\"name\":\"n\",\"value\":[\"");
	for (size_t i = 0; i < text_bytes; i++)
		ch_buf_addc(&b, (char)('a' + i % 26));
	ch_buf_adds(&b, "\"]}]");
	char *json = codec_record_with(ch_buf_text(&b));
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	codec_run_text(&r, json);
	assert_int_equal(r.rc, 0);
	assert_true(r.out.len > 2 * text_bytes);
	ch_free(json);
	ch_buf_fini(&b);
	codec_run_fini(&r);
}

static void more_problems_than_the_list_holds_are_counted_out(void **state)
{
	struct ch_buf b;
	ch_buf_init(&b, 1 << 20);
	ch_buf_adds(&b, "\"summary\":null");
	for (int i = 0; i < 20000; i++)
		ch_buf_addf(&b, ",\"x%d\":%d", i, i);
	char *json = codec_record_with(ch_buf_text(&b));
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	codec_run_text(&r, json);
	assert_int_equal(r.rc, CH_EINVAL);
	assert_int_equal(r.problems.count, PROBLEMS_MAX);
	assert_true(r.problems.truncated);
	assert_string_equal(r.problems.items[49].pointer, "/x49");
	ch_free(json);
	ch_buf_fini(&b);
	codec_run_fini(&r);
}

static void one_key_twice_among_100000_is_found(void **state)
{
	struct ch_buf b;
	ch_buf_init(&b, 4 << 20);
	ch_buf_adds(&b, "\"context\":{\"k\":{\"first\":0");
	for (int i = 0; i < 100000; i++)
		ch_buf_addf(&b, ",\"%d\":0", i);
	ch_buf_adds(&b, ",\"777\":1}}");
	char *json = codec_record_with(ch_buf_text(&b));
	struct codec_run r;
	codec_run_init(&r, 4 << 20);
	codec_run_text(&r, json);
	assert_int_equal(r.rc, CH_EINVAL);
	assert_int_equal(r.problems.count, 1);
	assert_string_equal(r.problems.items[0].pointer, "/context/k/777");
	ch_free(json);
	ch_buf_fini(&b);
	codec_run_fini(&r);
}

static void many_extractors_of_few_names_give_each_name_once(void **state)
{
	struct ch_buf b;
	ch_buf_init(&b, 4 << 20);
	ch_buf_adds(&b, "\"extractors\":[{\"name\":\"a\",\"value\":[\"first\"]}");
	for (int i = 0; i < 20000; i++)
		ch_buf_addf(&b, ",{\"name\":\"%s\",\"value\":[\"%d\"]}", i % 3 ? "a" : "7", i);
	ch_buf_adds(&b, "]");
	char *json = codec_record_with(ch_buf_text(&b));
	struct codec_run r;
	codec_run_init(&r, 4 << 20);
	codec_run_text(&r, json);
	codec_assert_has(&r, "\"extractorData\":{\"7\":\"0\",\"a\":\"first\"},");
	ch_free(json);
	ch_buf_fini(&b);
	codec_run_fini(&r);
}

static bool fail_nth(void *ctx)
{
	int *left = ctx;
	return (*left)-- == 0;
}

/* True when all went without the allocation that was to fail. */
static bool torture_once(const char *json, int nth)
{
	struct problems problems;
	struct ch_buf out;
	struct call_facts facts;
	int left = nth;
	problems_init(&problems);
	ch_buf_init(&out, CALL_MAX_BYTES_DEFAULT);
	ch_alloc_set_hook(fail_nth, &left);
	struct call_codec *c = call_codec_create(CALL_MAX_BYTES_DEFAULT);
	int rc = c ? call_codec_run(c, json, strlen(json), NULL, TEST_NOW_S, &out, &facts, &problems)
		   : CH_ENOMEM;
	ch_alloc_set_hook(NULL, NULL);
	bool has_failed = left < 0;
	if (has_failed) {
		assert_int_equal(rc, CH_ENOMEM);
		assert_int_equal(out.len, 0);
	} else {
		assert_int_equal(rc, 0);
	}
	if (c) { /* the codec is good for the next record */
		rc = call_codec_run(c, json, strlen(json), NULL, TEST_NOW_S, &out, &facts, &problems);
		assert_int_equal(rc, 0);
	}
	call_codec_destroy(&c);
	ch_buf_fini(&out);
	problems_fini(&problems);
	return !has_failed;
}

static void every_allocation_may_fail(void **state)
{
	struct ch_buf b;
	ch_buf_init(&b, 1 << 20);
	ch_buf_adds(&b, "\"summary\":\"\\u00e9\",\"context\":{\"n\":1.0");
	for (int i = 0; i < 400; i++)
		ch_buf_addf(&b, ",\"%d\":[\"\\n\",1e2]", i);
	ch_buf_adds(&b, "},\"extractors\":[{\"name\":\"5\",\"value\":[]},{\"name\":\"5\",\"value\":[]}]");
	char *json = codec_record_with(ch_buf_text(&b));
	int nth = 0;
	while (!torture_once(json, nth))
		nth++;
	assert_true(nth >= 8);
	ch_free(json);
	ch_buf_fini(&b);
}

static void a_refused_record_stays_refused_without_memory_for_its_problems(void **state)
{
	char *json = codec_record_with("\"phone\":1,\"x\":2,\"context\":{\"a\":1,\"a\":2}");
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	codec_run_text(&r, json);
	for (int nth = 0; nth < 6; nth++) {
		int left = nth;
		problems_fini(&r.problems);
		ch_alloc_set_hook(fail_nth, &left);
		codec_run_text(&r, json);
		ch_alloc_set_hook(NULL, NULL);
		assert_int_equal(r.rc, CH_EINVAL);
		assert_true(r.problems.truncated);
	}
	ch_free(json);
	codec_run_fini(&r);
}

int call_limits_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(context_may_be_64_deep),
			cmocka_unit_test(the_place_that_is_too_deep_is_the_one_named),
			cmocka_unit_test(extractors_may_be_16_deep),
			cmocka_unit_test(very_deep_input_ends_at_once),
			cmocka_unit_test(an_input_that_is_too_large_is_refused),
			cmocka_unit_test(
					an_output_that_is_too_large_is_refused_and_one_that_just_fits_is_not),
			cmocka_unit_test(a_large_record_grows_the_output_in_steps),
			cmocka_unit_test(more_problems_than_the_list_holds_are_counted_out),
			cmocka_unit_test(one_key_twice_among_100000_is_found),
			cmocka_unit_test(many_extractors_of_few_names_give_each_name_once),
			cmocka_unit_test(every_allocation_may_fail),
			cmocka_unit_test(a_refused_record_stays_refused_without_memory_for_its_problems),
	};
	return cmocka_run_group_tests_name("call_limits", tests, NULL, NULL);
}
