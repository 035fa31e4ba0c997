#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "test_model.h"

struct refused {
	const char *json;
	const char *pointer;
	const char *words; /* some of the detail */
};

static void assert_refused(
		struct codec_run *r, const char *json, size_t len, const char *pointer, const char *words)
{
	codec_run_record(r, json, len, NULL);
	if (r->rc != CH_EINVAL || r->problems.count != 1)
		fail_msg("%s: rc %d, %zu problems", json, r->rc, r->problems.count);
	const struct problem *p = &r->problems.items[0];
	if (strcmp(p->pointer, pointer) != 0 || !strstr(p->detail, words))
		fail_msg("%s: [%s] %s", json, p->pointer, p->detail);
	assert_int_equal(r->out.len, 0);
}

/* Each is the rest of a record that is good otherwise. */
static const struct refused IN_RECORD[] = {
		{"\"phone\":\"33612345678\"", "/phone", "E.164"},
		{"\"phone\":\"+0612345678\"", "/phone", "E.164"},
		{"\"phone\":\"+1\"", "/phone", "E.164"},
		{"\"phone\":\"+1234567890123456\"", "/phone", "E.164"},
		{"\"phone\":\"+33 612345678\"", "/phone", "E.164"},
		{"\"phone\":\"\"", "/phone", "E.164"},
		{"\"phone\":33612345678", "/phone", "must be a string, not a number"},
		{"\"duration\":-1", "/duration", "0 or more"},
		{"\"duration\":1.5", "/duration", "whole number"},
		{"\"duration\":1e-9", "/duration", "whole number"},
		{"\"duration\":\"5\"", "/duration", "whole number"},
		{"\"duration\":9007199254740992", "/duration", "9007199254740991"},
		{"\"startTime\":\"2024-07-30\"", "/startTime", "RFC 3339"},
		{"\"startTime\":\"2024-07-30T14:35:00\"", "/startTime", "RFC 3339"},
		{"\"endTime\":1722350700", "/endTime", "must be a string, not a number"},
		{"\"startTime\":\"2024-07-30T14:35:01Z\",\"endTime\":\"2024-07-30T14:35:00Z\"", "/endTime",
				"must not be before startTime"},
		{"\"created\":\"yesterday\"", "/created", "RFC 3339"},
		{"\"anonymous\":null", "/anonymous", "true or false, not null"},
		{"\"recorded\":1", "/recorded", "true or false, not a number"},
		{"\"summary\":[]", "/summary", "must be a string, not an array"},
		{"\"extractors\":{}", "/extractors", "must be an array, not an object"},
		{"\"extractors\":null", "/extractors", "must be an array, not null"},
		{"\"extractors\":[\"a\"]", "/extractors/0", "an object, not a string"},
		{"\"extractors\":[{\"name\":\"a\"}]", "/extractors/0/value", "is required"},
		{"\"extractors\":[{\"value\":[]}]", "/extractors/0/name", "is required"},
		{"\"extractors\":[{\"name\":1,\"value\":[]}]", "/extractors/0/name", "must be a string"},
		{"\"extractors\":[{\"name\":\"a\",\"value\":\"b\"}]", "/extractors/0/value",
				"must be an array"},
		{"\"extractors\":[{\"name\":\"a\",\"value\":[null]}]", "/extractors/0/value/0",
				"must be a string, not null"},
		{"\"extractors\":[{\"name\":\"a\",\"value\":[],\"typ/e~\":1}]", "/extractors/0/typ~1e~0",
				"no such field"},
		{"\"extractors\":[{\"name\":\"a\",\"value\":[\"x\",{\"name\":\"b\",\"value\":[]}]}]",
				"/extractors/0/value/1", "never both"},
		{"\"extractors\":[{\"name\":\"a\",\"value\":[{\"name\":\"b\",\"value\":[]},\"x\"]}]",
				"/extractors/0/value/1", "never both"},
		{"\"classifiers\":7", "/classifiers", "must be an array, not a number"},
		{"\"classifiers\":[[]]", "/classifiers/0", "an object, not an array"},
		{"\"classifiers\":[{\"name\":\"a\"}]", "/classifiers/0/value", "is required"},
		{"\"classifiers\":[{\"name\":\"a\",\"value\":null}]", "/classifiers/0/value", "not null"},
		{"\"classifiers\":[{\"name\":\"a\",\"value\":\"b\",\"type\":\"primary\"}]",
				"/classifiers/0/type", "PRIMARY, SECONDARY"},
		{"\"classifiers\":[{\"name\":\"a\",\"value\":\"b\",\"score\":1}]", "/classifiers/0/score",
				"no such field"},
		{"\"context\":[]", "/context", "must be an object, not an array"},
		{"\"context\":null", "/context", "must be an object, not null"},
		{"\"context\":{\"a\":{\"b\":1,\"c\":2,\"b\":3}}", "/context/a/b", "more than once"},
		{"\"context\":{\"a\":1,\"\\u0061\":2}", "/context/a", "more than once"},
		{"\"context\":{\"\\n\":1,\"\\u000a\":2}", "/context/\n", "more than once"},
		{"\"summary\":\"a\",\"summary\":\"a\"", "/summary", "more than once"},
		{"\"context\":{\"l\":[0,{\"n\":1e400}]}", "/context/l/1/n", "too large"},
		{"\"context\":{\"n\":-9007199254740992}", "/context/n", "2^53-1"},
		{"\"context\":{\"n\":1e20}", "/context/n", "2^53-1"},
		{"\"duration\":1e21", "/duration", "whole number"},
		{"\"context\":{\"s\":\"\\ud800\"}", "/context/s", "lone surrogate"},
		{"\"context\":{\"s\":\"\\ud800\\ud800\"}", "/context/s", "lone surrogate"},
		{"\"context\":{\"s\":\"\\udc00\\ud800\"}", "/context/s", "lone surrogate"},
		{"\"context\":{\"s\":\"\\ud83dx\"}", "/context/s", "lone surrogate"},
		{"\"context\":{\"s\":\"\xed\xa0\x80\"}", "/context/s", "surrogate"},
		{"\"context\":{\"s\":\"\xed\xa0\xbd\xed\xb8\x80\"}", "/context/s", "surrogate"},
		{"\"context\":{\"s\":\"\\u0000\"}", "/context/s", "NUL"},
		{"\"context\":{\"s\\u0000\":1}", "/context/s\xef\xbf\xbd", "the key contains NUL"},
		{"\"context\":{\"\\udfff\":1}", "/context/\xef\xbf\xbd", "the key contains a lone surrogate"},
		{"\"summary\":\"\xff\"", "/summary", "not valid UTF-8"},
		{"\"summary\":\"\xc0\xaf\"", "/summary", "not valid UTF-8"},
		{"\"summary\":\"\xf4\x90\x80\x80\"", "/summary", "not valid UTF-8"},
		{"\"summary\":\"\xe2\x82\"", "/summary", "not valid UTF-8"},
		{"\"extractorData\":{\"a\":\"\\u0000\"}", "/extractorData/a", "NUL"},
		{"\"Summary\":\"x\"", "/Summary", "no such field"},
		{"\"\":1", "/", "no such field"},
};

/* Each is the whole input. */
static const struct refused WHOLE[] = {
		{"", "", "byte 0 (line 1, column 1): the input is empty"},
		{" \n ", "", "byte 3 (line 2, column 2): the input ends too early"},
		{"\xef\xbb\xbf{}", "", "byte order mark"},
		{"[]", "", "must be an object, not an array"},
		{"null", "", "must be an object, not null"},
		{"{", "", "ends too early"},
		{"{\"a\"", "/a", "expected a colon"},
		{"{\"a\":}", "/a", "expected a value"},
		{"{\"a\":1,}", "", "expected a key"},
		{"{\"a\":1 \"b\":2}", "", "expected a comma or a closing brace"},
		{"{\"a\":[1 2]}", "/a", "expected a comma or a closing bracket"},
		{"{\"a\":[1,]}", "/a/1", "expected a value"},
		{"{\"a\":[1,2,{\"x\":tru}]}", "/a/2/x", "expected a value"},
		{"{a:1}", "", "expected a key in double quotes"},
		{"{'a':1}", "", "expected a key in double quotes"},
		{"{\"a\":'b'}", "/a", "expected a value"},
		{"{\"a\":01}", "/a", "must not begin with 0"},
		{"{\"a\":-}", "/a", "minus sign"},
		{"{\"a\":+1}", "/a", "expected a value"},
		{"{\"a\":.5}", "/a", "expected a value"},
		{"{\"a\":1.}", "/a", "not finished"},
		{"{\"a\":1.e5}", "/a", "not finished"},
		{"{\"a\":1e}", "/a", "not finished"},
		{"{\"a\":1e+}", "/a", "not finished"},
		{"{\"a\":0x10}", "", "expected a comma"},
		{"{\"a\":NaN}", "/a", "expected a value"},
		{"{\"a\":Infinity}", "/a", "expected a value"},
		{"{\"a\":\"b}", "/a", "the string does not end"},
		{"{\"a\":\"\n\"}", "/a", "control character"},
		{"{\"a\":\"\\x41\"}", "/a", "escape"},
		{"{\"a\":\"\\u12g4\"}", "/a", "escape"},
		{"{\"a\":\"\\u12", "/a", "escape"},
		{"{\"a\":\"\\", "/a", "escape"},
		{"{\"\xc3\xa9\":\n \"\xc3\xa9\" x}", "", "byte 13 (line 2, column 6)"},
		{"{} {}", "", "behind the end"},
		{"{\"a\":1}/**/", "", "behind the end"},
		{"{\"a\":1\f}", "", "expected a comma"},
		{"\xff", "", "expected a value"},
};

static void what_breaks_a_rule_is_named_with_its_place(void **state)
{
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	for (size_t i = 0; i < ARRAY_LEN(IN_RECORD); i++) {
		char *json = codec_record_with(IN_RECORD[i].json);
		assert_refused(&r, json, strlen(json), IN_RECORD[i].pointer, IN_RECORD[i].words);
		ch_free(json);
	}
	codec_run_fini(&r);
}

static void malformed_json_is_named_with_its_place(void **state)
{
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	for (size_t i = 0; i < ARRAY_LEN(WHOLE); i++) {
		const char *json = WHOLE[i].json;
		/* What is well-formed but no record has the one problem that it is no object. */
		assert_refused(&r, json, strlen(json), WHOLE[i].pointer, WHOLE[i].words);
	}
	codec_run_fini(&r);
}

static void a_raw_nul_is_refused_wherever_it_is(void **state)
{
	static const char in_string[] = "{\"a\":\"x\0y\"}", outside[] = "{\"a\":\0}", behind[] = "{}\0";
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	assert_refused(&r, in_string, sizeof in_string - 1, "/a", "a NUL byte");
	assert_refused(&r, outside, sizeof outside - 1, "/a", "expected a value");
	assert_refused(&r, behind, sizeof behind - 1, "", "behind the end");
	codec_run_fini(&r);
}

static void what_is_required_and_what_is_wrong_is_all_named_at_once(void **state)
{
	static const struct {
		const char *pointer, *words;
	} expected[] = {
			{"/summary", "lone surrogate"},
			{"/foo", "no such field"},
			{"/id", "UUID in lower case"},
			{"/agentId", "is required"},
			{"/phone", "E.164"},
			{"/type", "must be one of INBOUND, OUTBOUND"},
			{"/duration", "whole number"},
			{"/anonymous", "true or false"},
			{"/status", "must be one of IN_PROGRESS, CANCELED, COMPLETED, NO_ANSWER, VOICE_BOX, "
				    "UNREACHABLE, "
				    "FAILED, TRANSFERRED, REJECTED, FAILOVER"},
			{"/context", "must be an object"},
	};
	struct codec_run r;
	codec_run_init(&r, CALL_MAX_BYTES_DEFAULT);
	codec_run_text(&r, "{\"id\":\"3C90C3CC-0D44-4B50-8888-8DD25736052A\",\"phone\":\"112\",\"type\":"
			   "\"BOTH\",\"duration\":-1,"
			   "\"anonymous\":\"no\",\"status\":\"DONE\",\"foo\":1,\"context\":7,\"summary\":"
			   "\"\\udead\"}");
	assert_int_equal(r.rc, CH_EINVAL);
	assert_int_equal(r.problems.count, ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_string_equal(r.problems.items[i].pointer, expected[i].pointer);
		assert_non_null(strstr(r.problems.items[i].detail, expected[i].words));
	}
	codec_run_fini(&r);
}

int call_refused_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(what_breaks_a_rule_is_named_with_its_place),
			cmocka_unit_test(malformed_json_is_named_with_its_place),
			cmocka_unit_test(a_raw_nul_is_refused_wherever_it_is),
			cmocka_unit_test(what_is_required_and_what_is_wrong_is_all_named_at_once),
	};
	return cmocka_run_group_tests_name("call_refused", tests, NULL, NULL);
}
