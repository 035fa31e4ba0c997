#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "test_model.h"

#define UUID "3c90c3cc-0d44-4b50-8888-8dd25736052a"

static const char SEED_CANONICAL[] =
		"{\"id\":\"" UUID "\",\"agentId\":\"" UUID
		"\",\"phone\":\"+33612345678\",\"type\":\"INBOUND\","
		"\"duration\":360,\"startTime\":\"2024-07-30T14:35:00Z\",\"endTime\":\"2024-07-30T14:41:"
		"00Z\","
		"\"anonymous\":false,\"status\":\"COMPLETED\",\"extractors\":[{\"name\":\"customer\","
		"\"value\":["
		"{\"name\":\"firstname\",\"value\":[\"John\"]},{\"name\":\"lastname\",\"value\":[\"Doe\"]},"
		"{\"name\":\"address\",\"value\":[\"123 Main St\"]}]},"
		"{\"name\":\"example\",\"value\":[\"example1\",\"example2\"]}],"
		"\"extractorData\":{\"customer\":{\"firstname\":\"John\",\"lastname\":\"Doe\",\"address\":"
		"\"123 Main St\"},"
		"\"example\":\"example1\"},"
		"\"classifiers\":[{\"name\":\"Customer's "
		"request\",\"value\":\"Refund\",\"type\":\"PRIMARY\"},"
		"{\"name\":\"Sentiment\",\"value\":\"Positive\",\"type\":\"SECONDARY\"}],"
		"\"classifierData\":{\"Customer's request\":\"Refund\",\"Sentiment\":\"Positive\"},"
		"\"context\":{\"firstName\":\"firstname\",\"lastName\":\"lastname\",\"commandNumber\":"
		"\"5HZ99FRT\","
		"\"system.phone\":\"+33612345678\"},"
		"\"recorded\":true,\"summary\":\"Discussed project requirements and next steps.\","
		"\"created\":\"2024-07-30T14:45:00Z\"}";

static size_t read_seed(char *out, size_t room)
{
	FILE *f = fopen(TEST_DATA_DIR "/seed-call.json", "rb");
	assert_non_null(f);
	size_t len = fread(out, 1, room, f);
	fclose(f);
	assert_true(len > 0 && len < room);
	return len;
}

static void the_seed_gives_its_compact_form(void **state)
{
	char seed[4096];
	size_t len = read_seed(seed, sizeof seed);
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	codec_run_record(&r, seed, len, NULL);
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.problems.count, 0);
	assert_string_equal(ch_buf_text(&r.out), SEED_CANONICAL);
	codec_run_text(&r, SEED_CANONICAL);
	assert_string_equal(ch_buf_text(&r.out), SEED_CANONICAL);
	codec_run_fini(&r);
}

static void the_seed_gives_its_facts(void **state)
{
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	codec_run_text(&r, SEED_CANONICAL);
	struct id id;
	assert_int_equal(id_parse(UUID, ID_TEXT_LEN, &id), 0);
	assert_true(id_equal(&r.facts.id, &id));
	assert_true(id_equal(&r.facts.agent_id, &id));
	assert_int_equal(r.facts.status, CALL_COMPLETED);
	assert_int_equal(r.facts.type, CALL_INBOUND);
	assert_string_equal(r.facts.phone, "+33612345678");
	assert_int_equal(r.facts.created_s, TEST_NOW_S);
	assert_true(r.facts.has_created);
	codec_run_fini(&r);
}

static void what_is_absent_takes_its_default(void **state)
{
	char *json = codec_record_with("");
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	codec_run_text(&r, json);
	assert_int_equal(r.rc, 0);
	assert_string_equal(ch_buf_text(&r.out),
			"{\"id\":\"" UUID
			"\",\"agentId\":\"00000000-0000-0000-0000-000000000001\",\"phone\":null,"
			"\"type\":\"INBOUND\",\"duration\":null,\"startTime\":null,\"endTime\":null,"
			"\"anonymous\":false,"
			"\"status\":\"COMPLETED\",\"extractors\":[],\"extractorData\":{},\"classifiers\":[],"
			"\"classifierData\":{},\"context\":{},\"recorded\":false,\"summary\":null,"
			"\"created\":\"2024-07-30T14:45:00Z\"}");
	assert_false(r.facts.has_created);
	assert_int_equal(r.facts.created_s, TEST_NOW_S);
	assert_string_equal(r.facts.phone, "");
	ch_free(json);
	codec_run_fini(&r);
}

static void given_values_are_made_canonical(void **state)
{
	static const struct {
		const char *given, *written;
	} rows[] = {
			{"\"phone\":null", "\"phone\":null,"},
			{"\"phone\":\"+12\"", "\"phone\":\"+12\","},
			{"\"phone\":\"\\u002b123456789012345\"", "\"phone\":\"+123456789012345\","},
			{"\"duration\":0", "\"duration\":0,"},
			{"\"duration\":-0", "\"duration\":0,"},
			{"\"duration\":3e2", "\"duration\":300,"},
			{"\"duration\":360.0", "\"duration\":360,"},
			{"\"duration\":9007199254740991", "\"duration\":9007199254740991,"},
			{"\"duration\":5,\"startTime\":\"2024-01-01T00:00:00Z\",\"endTime\":\"2024-01-01T00:"
			 "01:00Z\"",
					"\"duration\":5,"},
			{"\"startTime\":\"2024-01-01T00:00:00Z\",\"endTime\":\"2024-01-01T00:01:00Z\"",
					"\"duration\":60,"},
			{"\"startTime\":\"2024-01-01T00:00:00Z\",\"endTime\":\"2024-01-01T00:00:00.9Z\"",
					"\"duration\":0,"},
			{"\"duration\":null,\"startTime\":\"2024-01-01T00:00:00Z\",\"endTime\":\"2024-01-"
			 "01T00:01:00Z\"",
					"\"duration\":60,"},
			{"\"startTime\":\"2024-01-01T00:00:00Z\",\"endTime\":null", "\"duration\":null,"},
			{"\"startTime\":\"2024-01-01T01:30:00.999+02:00\"",
					"\"startTime\":\"2023-12-31T23:30:00Z\","},
			{"\"created\":null", "\"created\":\"2024-07-30T14:45:00Z\"}"},
			{"\"created\":\"2020-02-29T00:00:00-01:00\"",
					"\"created\":\"2020-02-29T01:00:00Z\"}"},
			{"\"anonymous\":true,\"recorded\":true", "\"anonymous\":true,"},
			{"\"anonymous\":true,\"recorded\":true", "\"recorded\":true,"},
			{"\"summary\":\"a\\/"
			 "b\\u0022\\u005c\\u000A\\u001F\\u007f\\u00e9\\u2028\\ud83d\\ude00\"",
					"\"summary\":\"a/"
					"b\\\"\\\\\\n\\u001f\x7f\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\","},
			{"\"summary\":\"\\b\\t\\n\\f\\r\\u0008\\u0009\\u000b\"",
					"\"summary\":\"\\b\\t\\n\\f\\r\\b\\t\\u000b\","},
			{"\"\\u0073ummary\":\"x\"", "\"summary\":\"x\","},
			{"\"context\":{\"a\":[1.50,-0,1e2,true,false,null,\"\"],\"b\":{}}",
					"\"context\":{\"a\":[1.5,0,100,true,false,null,\"\"],\"b\":{}},"},
			{"\"extractorData\":[1],\"classifierData\":7",
					"\"extractorData\":{},\"classifiers\":[],"},
	};
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *json = codec_record_with(rows[i].given);
		codec_run_text(&r, json);
		codec_assert_has(&r, rows[i].written);
		ch_free(json);
		char *body = ch_strdup(ch_buf_text(&r.out));
		codec_run_text(&r, body);
		assert_string_equal(ch_buf_text(&r.out), body);
		ch_free(body);
	}
	codec_run_fini(&r);
}

static void lists_give_their_derived_objects(void **state)
{
	static const struct {
		const char *given, *written;
	} rows[] = {
			{"\"extractors\":[]", "\"extractors\":[],\"extractorData\":{},"},
			{"\"extractors\":[{\"value\":[],\"name\":\"a\"}]",
					"\"extractors\":[{\"name\":\"a\",\"value\":[]}],\"extractorData\":{"
					"\"a\":null},"},
			{"\"extractors\":[{\"name\":\"a\",\"value\":[\"x\"]},{\"name\":\"a\",\"value\":["
			 "\"y\"]},"
			 "{\"name\":\"b\",\"value\":[\"z\"]}]",
					"\"extractorData\":{\"a\":\"x\",\"b\":\"z\"},"},
			{"\"extractors\":[{\"name\":\"b\",\"value\":[\"1\"]},{\"name\":\"10\",\"value\":["
			 "\"2\"]},"
			 "{\"name\":\"9\",\"value\":[\"3\"]},{\"name\":\"10\",\"value\":[\"4\"]}]",
					"\"extractorData\":{\"9\":\"3\",\"10\":\"2\",\"b\":\"1\"},"},
			{"\"extractors\":[{\"name\":\"a\",\"value\":[{\"name\":\"b\",\"value\":[{\"name\":"
			 "\"c\","
			 "\"value\":[]}]}]}]",
					"\"extractorData\":{\"a\":{\"b\":{\"c\":null}}},"},
			{"\"extractors\":[{\"name\":\"\",\"value\":[\"\"]}]",
					"\"extractorData\":{\"\":\"\"},"},
			{"\"classifiers\":[{\"value\":\"v\",\"name\":\"n\"}]",
					"\"classifiers\":[{\"name\":\"n\",\"value\":\"v\",\"type\":"
					"\"SECONDARY\"}],"
					"\"classifierData\":{\"n\":\"v\"},"},
			{"\"classifiers\":[{\"name\":\"n\",\"value\":\"v\",\"type\":\"PRIMARY\"},{\"name\":"
			 "\"n\","
			 "\"value\":\"w\"},{\"name\":\"0\",\"value\":\"x\"}]",
					"\"classifierData\":{\"0\":\"x\",\"n\":\"v\"},"},
	};
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *json = codec_record_with(rows[i].given);
		codec_run_text(&r, json);
		codec_assert_has(&r, rows[i].written);
		ch_free(json);
	}
	codec_run_fini(&r);
}

static void the_path_must_name_the_record(void **state)
{
	char *json = codec_record_with("");
	struct codec_run r;
	struct id id;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	assert_int_equal(id_parse(UUID, ID_TEXT_LEN, &id), 0);
	codec_run_record(&r, json, strlen(json), &id);
	assert_int_equal(r.rc, 0);
	id.b[15] ^= 1;
	codec_run_record(&r, json, strlen(json), &id);
	assert_int_equal(r.rc, CH_EINVAL);
	assert_int_equal(r.problems.count, 1);
	assert_string_equal(r.problems.items[0].pointer, "/id");
	assert_non_null(strstr(r.problems.items[0].detail, "3c90c3cc-0d44-4b50-8888-8dd25736052b"));
	ch_free(json);
	codec_run_fini(&r);
}

static void created_is_set_and_read_in_place(void **state)
{
	char body[sizeof SEED_CANONICAL];
	memcpy(body, SEED_CANONICAL, sizeof body);
	size_t len = sizeof body - 1;
	assert_int_equal(call_body_created(body, len), TEST_NOW_S);
	call_body_set_created(body, len, 0);
	assert_int_equal(call_body_created(body, len), 0);
	assert_non_null(strstr(body, "\"created\":\"1970-01-01T00:00:00Z\"}"));
	call_body_set_created(body, len, TEST_NOW_S);
	assert_string_equal(body, SEED_CANONICAL);
}

static void facts_are_read_off_a_canonical_body(void **state)
{
	static const char *const givens[] = {"",
			"\"phone\":\"+33612345678\",\"duration\":7,\"anonymous\":true",
			"\"startTime\":\"2024-07-30T14:35:00Z\",\"endTime\":\"2024-07-30T14:36:00Z\"",
			"\"phone\":\"+12\",\"summary\":\"\\\"status\\\":\"",
			"\"created\":\"1999-12-31T23:59:59Z\""};
	struct codec_run r;
	struct call_facts facts;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	for (size_t i = 0; i < ARRAY_LEN(givens); i++) {
		char *json = codec_record_with(givens[i]);
		codec_run_text(&r, json);
		assert_int_equal(r.rc, 0);
		memset(&facts, 0xff, sizeof facts);
		assert_int_equal(call_body_facts(r.out.data, r.out.len, &facts), 0);
		assert_memory_equal(&facts.id, &r.facts.id, sizeof facts.id);
		assert_memory_equal(&facts.agent_id, &r.facts.agent_id, sizeof facts.agent_id);
		assert_int_equal(facts.status, r.facts.status);
		assert_int_equal(facts.type, r.facts.type);
		assert_string_equal(facts.phone, r.facts.phone);
		assert_int_equal(facts.created_s, r.facts.created_s);
		ch_free(json);
	}
	codec_run_fini(&r);
}

static void what_is_no_canonical_body_has_no_facts(void **state)
{
	const size_t len = sizeof SEED_CANONICAL - 1;
	struct call_facts facts;
	assert_int_equal(call_body_facts(SEED_CANONICAL, len, &facts), 0);
	assert_int_equal(call_body_facts(NULL, 0, &facts), CH_EINVAL);
	for (size_t cut = 0; cut < len; cut++) {
		char *part = ch_memdup0(SEED_CANONICAL, cut);
		part = ch_realloc(part, cut ? cut : 1);
		assert_int_equal(call_body_facts(part, cut, &facts), CH_EINVAL);
		ch_free(part);
	}
}

static void the_input_need_not_end_in_nul(void **state)
{
	size_t len = sizeof SEED_CANONICAL - 1;
	char *exact = ch_alloc(len);
	assert_non_null(exact);
	memcpy(exact, SEED_CANONICAL, len);
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	codec_run_record(&r, exact, len, NULL);
	assert_int_equal(r.rc, 0);
	for (size_t cut = 0; cut < len; cut++) {
		char *part = ch_memdup0(exact, cut);
		part = ch_realloc(part, cut ? cut : 1);
		codec_run_record(&r, part, cut, NULL);
		assert_int_equal(r.rc, CH_EINVAL);
		assert_int_equal(r.problems.count, 1);
		assert_int_equal(r.out.len, 0);
		ch_free(part);
	}
	ch_free(exact);
	codec_run_fini(&r);
}

int call_codec_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(the_seed_gives_its_compact_form),
			cmocka_unit_test(the_seed_gives_its_facts),
			cmocka_unit_test(what_is_absent_takes_its_default),
			cmocka_unit_test(given_values_are_made_canonical),
			cmocka_unit_test(lists_give_their_derived_objects),
			cmocka_unit_test(the_path_must_name_the_record),
			cmocka_unit_test(created_is_set_and_read_in_place),
			cmocka_unit_test(facts_are_read_off_a_canonical_body),
			cmocka_unit_test(what_is_no_canonical_body_has_no_facts),
			cmocka_unit_test(the_input_need_not_end_in_nul),
	};
	return cmocka_run_group_tests_name("call_codec", tests, NULL, NULL);
}
