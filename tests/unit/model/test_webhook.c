#include "webhook_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"

static void url_alone_gives_the_defaults(void **state)
{
	struct webhook w;
	webhook_text_must_create("{\"url\":\"https://Example.com\"}", &w);
	assert_string_equal(w.url, "https://example.com/");
	assert_string_equal(w.name, "");
	assert_true(w.enabled);
	assert_int_equal(w.revision, 1);
	webhook_text_assert_settings(&w, DEFAULT_SETTINGS);
	webhook_fini(&w);
}

static void nulls_give_the_defaults(void **state)
{
	struct webhook w;
	webhook_text_must_create("{" URL ",\"name\":null,\"enabled\":null,\"agentIds\":null,\"statuses\":"
				 "null,\"headers\":null,"
				 "\"timeout\":null,\"concurrency\":null,\"rateLimit\":null}",
			&w);
	webhook_text_assert_settings(&w, DEFAULT_SETTINGS);
	assert_true(w.enabled);
	webhook_fini(&w);
}

static void every_member_is_read(void **state)
{
	struct webhook w;
	webhook_text_must_create(webhook_text_full, &w);
	assert_string_equal(w.name, "Caf\xc3\xa9");
	assert_false(w.enabled);
	assert_int_equal(w.agent_count, 2);
	assert_int_equal(w.statuses, (1u << CALL_COMPLETED) | (1u << CALL_NO_ANSWER));
	webhook_text_assert_settings(&w, FULL_SETTINGS);
	webhook_fini(&w);
}

static void the_answer_has_the_members_in_order(void **state)
{
	struct webhook w;
	webhook_text_must_create(webhook_text_full, &w);
	assert_int_equal(id_parse(AGENT_A, 36, &w.id), 0);
	w.created_ms = 1722350100999;
	w.secret_sealed = (uint8_t *)ch_memdup0("x", 1);
	w.secret_sealed_len = 1;
	char *text = webhook_text_of(&w);
	assert_string_equal(text,
			"{\"id\":\"" AGENT_A "\"," URL
			",\"name\":\"Caf\xc3\xa9\",\"enabled\":false,\"agentIds\":[\"" AGENT_A "\",\"" AGENT_B
			"\"],\"statuses\":[\"COMPLETED\",\"NO_ANSWER\"],\"headers\":{\"X-B\":"
			"\"two words\",\"Authorization\":\"Bearer x\"},\"timeout\":60,\"concurrency\":512,"
			"\"rateLimit\":{\"count\":10,\"seconds\":1},\"secured\":true,\"created\":"
			"\"2024-07-30T14:35:00Z\"}");
	free(text);
	webhook_fini(&w);
}

/* json is without the braces and the url. */
static const struct {
	const char *json, *pointer, *words;
} wrong[] = {
		{"\"url2\":1", "/url2", "not a setting"},
		{"\"a/b~c\":1", "/a~1b~0c", "not a setting"},
		{"\"\":1", "/", "not a setting"},
		{"\"id\":\"x\"", "/id", "only be read"},
		{"\"secured\":true", "/secured", "only be read"},
		{"\"name\":1", "/name", "must be a string"},
		{"\"name\":\"a\\nb\"", "/name", "control"},
		{"\"name\":\"a\\u0000b\"", "/name", "control"},
		{"\"name\":\"\\u007f\"", "/name", "control"},
		{"\"name\":\"\\u0085\"", "/name", "control"},
		{"\"enabled\":1", "/enabled", "true or false"},
		{"\"enabled\":\"true\"", "/enabled", "true or false"},
		{"\"agentIds\":{}", "/agentIds", "list"},
		{"\"agentIds\":\"" AGENT_A "\"", "/agentIds", "list"},
		{"\"agentIds\":[\"" AGENT_A "\",7]", "/agentIds/1", "UUID"},
		{"\"agentIds\":[\"" AGENT_A "\",\"0000000A-0000-4000-8000-00000000000A\"]", "/agentIds/1",
				"lower case"},
		{"\"agentIds\":[null]", "/agentIds/0", "UUID"},
		{"\"statuses\":[]", "/statuses", "at least one"},
		{"\"statuses\":\"COMPLETED\"", "/statuses", "list"},
		{"\"statuses\":[\"COMPLETED\",\"completed\"]", "/statuses/1", "status of a call"},
		{"\"statuses\":[1]", "/statuses/0", "status of a call"},
		{"\"statuses\":[\"IN_PROGRESS\"]", "/statuses/0", "final"},
		{"\"headers\":[]", "/headers", "object"},
		{"\"headers\":{\"X-Foo\":1}", "/headers/X-Foo", "string"},
		{"\"headers\":{\"X-Foo\":null}", "/headers/X-Foo", "string"},
		{"\"headers\":{\"X-Foo\":\"\"}", "/headers/X-Foo", "empty"},
		{"\"headers\":{\"X-Foo\":\" a\"}", "/headers/X-Foo", "white space"},
		{"\"headers\":{\"X-Foo\":\"a\\t\"}", "/headers/X-Foo", "white space"},
		{"\"headers\":{\"X-Foo\":\"a\\r\\nHost: b\"}", "/headers/X-Foo", "printable ASCII"},
		{"\"headers\":{\"X-Foo\":\"a\\nb\"}", "/headers/X-Foo", "printable ASCII"},
		{"\"headers\":{\"X-Foo\":\"a\\u0000b\"}", "/headers/X-Foo", "printable ASCII"},
		{"\"headers\":{\"X-Foo\":\"\\u00e9\"}", "/headers/X-Foo", "printable ASCII"},
		{"\"headers\":{\"X-Foo\":\"a\\u007fb\"}", "/headers/X-Foo", "printable ASCII"},
		{"\"headers\":{\"\":\"a\"}", "/headers/", "empty"},
		{"\"headers\":{\"X Foo\":\"a\"}", "/headers/X Foo", "made of"},
		{"\"headers\":{\"X:\":\"a\"}", "/headers/X:", "made of"},
		{"\"headers\":{\"X/Y\":\"a\"}", "/headers/X~1Y", "made of"},
		{"\"headers\":{\"X\\r\\nY\":\"a\"}", "/headers/X\r\nY", "made of"},
		{"\"headers\":{\"X\xc3\xa9\":\"a\"}", "/headers/X\xc3\xa9", "made of"},
		{"\"headers\":{\"X-A\":\"1\",\"x-a\":\"2\"}", "/headers/x-a", "twice"},
		{"\"headers\":{\"content-type\":\"a\"}", "/headers/content-type", "set by callhook"},
		{"\"headers\":{\"User-Agent\":\"a\"}", "/headers/User-Agent", "set by callhook"},
		{"\"headers\":{\"HOST\":\"a\"}", "/headers/HOST", "set by callhook"},
		{"\"headers\":{\"Content-Length\":\"1\"}", "/headers/Content-Length", "set by callhook"},
		{"\"headers\":{\"Connection\":\"close\"}", "/headers/Connection", "set by callhook"},
		{"\"headers\":{\"Transfer-Encoding\":\"chunked\"}", "/headers/Transfer-Encoding",
				"set by callhook"},
		{"\"headers\":{\"Expect\":\"100-continue\"}", "/headers/Expect", "set by callhook"},
		{"\"headers\":{\"X-Webhook-Signature\":\"a\"}", "/headers/X-Webhook-Signature",
				"set by callhook"},
		{"\"headers\":{\"x-webhook-foo\":\"a\"}", "/headers/x-webhook-foo", "set by callhook"},
		{"\"headers\":{\"Webhook-Id\":\"a\"}", "/headers/Webhook-Id", "set by callhook"},
		{"\"headers\":{\"webhook-anything\":\"a\"}", "/headers/webhook-anything", "set by callhook"},
		{"\"headers\":{\"Proxy-Authorization\":\"a\"}", "/headers/Proxy-Authorization", "connection"},
		{"\"headers\":{\"TE\":\"trailers\"}", "/headers/TE", "connection"},
		{"\"timeout\":0", "/timeout", "1 to 60"},
		{"\"timeout\":61", "/timeout", "1 to 60"},
		{"\"timeout\":15.0", "/timeout", "whole number"},
		{"\"timeout\":\"15\"", "/timeout", "whole number"},
		{"\"timeout\":-1", "/timeout", "1 to 60"},
		{"\"timeout\":4294967297", "/timeout", "1 to 60"},
		{"\"concurrency\":0", "/concurrency", "1 to 512"},
		{"\"concurrency\":513", "/concurrency", "1 to 512"},
		{"\"concurrency\":true", "/concurrency", "whole number"},
		{"\"rateLimit\":5", "/rateLimit", "null or an object"},
		{"\"rateLimit\":[]", "/rateLimit", "null or an object"},
		{"\"rateLimit\":{\"count\":5}", "/rateLimit/seconds", "required"},
		{"\"rateLimit\":{\"seconds\":5}", "/rateLimit/count", "required"},
		{"\"rateLimit\":{\"count\":0,\"seconds\":5}", "/rateLimit/count", "1 to 100000"},
		{"\"rateLimit\":{\"count\":100001,\"seconds\":5}", "/rateLimit/count", "1 to 100000"},
		{"\"rateLimit\":{\"count\":5,\"seconds\":3601}", "/rateLimit/seconds", "1 to 3600"},
		{"\"rateLimit\":{\"count\":null,\"seconds\":1}", "/rateLimit/count", "whole number"},
		{"\"rateLimit\":{\"count\":5,\"seconds\":1,\"burst\":2}", "/rateLimit/burst", "not a member"},
};

static void each_mistake_has_its_pointer(void **state)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[512];
		struct webhook w;
		struct problems p;
		(void)snprintf(text, sizeof(text), "{" URL ",%s}", wrong[i].json);
		int r = webhook_text_create(text, &w, &p);
		if (r != CH_EINVAL || p.count != 1)
			fail_msg("%s: code %d, %zu problems", wrong[i].json, r, p.count);
		assert_string_equal(p.items[0].pointer, wrong[i].pointer);
		if (strstr(p.items[0].detail, wrong[i].words) == NULL)
			fail_msg("%s: \"%s\" does not say \"%s\"", wrong[i].json, p.items[0].detail,
					wrong[i].words);
		assert_null(w.url);
		problems_fini(&p);
		webhook_fini(&w);
	}
}

static void url_mistakes_are_named(void **state)
{
	static const char *const rows[][2] = {{"{}", "is required"}, {"{\"url\":null}", "must not be null"},
			{"{\"url\":7}", "must be a string"},
			{"{\"url\":\"http://example.com/\"}", "plain http is refused"},
			{"{\"url\":\"https://127.0.0.1/\"}", "loopback"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct webhook w;
		struct problems p;
		assert_int_equal(webhook_text_create(rows[i][0], &w, &p), CH_EINVAL);
		assert_int_equal(p.count, 1);
		assert_string_equal(p.items[0].pointer, "/url");
		assert_non_null(strstr(p.items[0].detail, rows[i][1]));
		problems_fini(&p);
		webhook_fini(&w);
	}
}

static void all_mistakes_are_named_at_once(void **state)
{
	struct webhook w;
	struct problems p;
	assert_int_equal(webhook_text_create("{\"name\":1,\"timeout\":0,\"agentIds\":[1,2],\"x\":1}", &w, &p),
			CH_EINVAL);
	assert_int_equal(p.count, 6);
	problems_fini(&p);
	static const char *const not_objects[] = {"[]", "7", "\"x\"", "null"};
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(webhook_text_create(not_objects[i], &w, &p), CH_EINVAL);
		assert_int_equal(p.count, 1);
		assert_string_equal(p.items[0].pointer, "");
		problems_fini(&p);
	}
	webhook_fini(&w);
}

static json_t *many_headers(int from, int count, bool nulls)
{
	json_t *h = json_object();
	for (int i = from; i < from + count; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "X-%d", i);
		json_object_set_new(h, name, nulls ? json_null() : json_string("v"));
	}
	return h;
}

static int merge_headers(struct webhook *w, json_t *headers)
{
	struct problems p;
	problems_init(&p);
	json_t *j = json_object();
	json_object_set_new(j, "headers", headers);
	int r = webhook_merge_json(j, &webhook_text_rules, w, &p);
	json_decref(j);
	problems_fini(&p);
	return r;
}

static void twenty_headers_and_not_one_more(void **state)
{
	struct webhook w;
	webhook_text_must_create("{" URL "}", &w);
	assert_int_equal(merge_headers(&w, many_headers(0, 21, false)), CH_EINVAL);
	assert_int_equal(merge_headers(&w, many_headers(0, 41, false)), CH_EINVAL);
	assert_int_equal(w.header_count, 0);
	assert_int_equal(merge_headers(&w, many_headers(0, 20, false)), 0);
	assert_int_equal(w.header_count, 20);
	assert_int_equal(merge_headers(&w, many_headers(20, 1, false)), CH_EINVAL);
	/* The new one stands before the one that goes: the order inside a patch means nothing. */
	json_t *swap = many_headers(20, 1, false);
	json_object_set_new(swap, "x-3", json_null());
	assert_int_equal(merge_headers(&w, swap), 0);
	assert_int_equal(w.header_count, 20);
	assert_string_equal(w.headers[3].name, "X-4");
	assert_string_equal(w.headers[19].name, "X-20");
	assert_int_equal(merge_headers(&w, many_headers(0, 20, true)), 0);
	assert_int_equal(w.header_count, 1);
	webhook_fini(&w);
}

static void lengths_are_taken_to_their_limit(void **state)
{
	char name[WEBHOOK_HEADER_NAME_MAX + 2], value[WEBHOOK_HEADER_VALUE_MAX + 2];
	struct webhook w;
	memset(name, 'n', sizeof(name));
	memset(value, 'v', sizeof(value));
	name[WEBHOOK_HEADER_NAME_MAX + 1] = value[WEBHOOK_HEADER_VALUE_MAX + 1] = '\0';
	webhook_text_must_create("{" URL "}", &w);
	assert_int_equal(merge_headers(&w, json_pack("{s:s}", name, "v")), CH_EINVAL);
	assert_int_equal(merge_headers(&w, json_pack("{s:s}", "n", value)), CH_EINVAL);
	name[WEBHOOK_HEADER_NAME_MAX] = value[WEBHOOK_HEADER_VALUE_MAX] = '\0';
	assert_int_equal(merge_headers(&w, json_pack("{s:s}", name, value)), 0);
	webhook_fini(&w);
}

static void names_are_counted_in_characters(void **state)
{
	char text[WEBHOOK_NAME_MAX * 2 + 1] = "";
	struct webhook w;
	struct problems p;
	char *json = ch_alloc(2048);
	assert_non_null(json);
	for (int i = 0; i < WEBHOOK_NAME_MAX; i++)
		strncat(text, "\xc3\xa9", 3);
	(void)snprintf(json, 2048, "{" URL ",\"name\":\"%s\"}", text);
	webhook_text_must_create(json, &w);
	webhook_fini(&w);
	(void)snprintf(json, 2048, "{" URL ",\"name\":\"%sx\"}", text);
	assert_int_equal(webhook_text_create(json, &w, &p), CH_EINVAL);
	assert_string_equal(p.items[0].detail, "must be at most 200 characters");
	problems_fini(&p);
	webhook_fini(&w);
	ch_free(json);
}

static void too_many_agents_are_refused(void **state)
{
	for (int extra = 0; extra <= 1; extra++) {
		struct webhook w;
		struct problems p;
		json_t *list = json_array(), *j = json_pack("{s:s}", "url", "https://example.com/");
		for (int i = 0; i < WEBHOOK_AGENTS_MAX + extra; i++) {
			char id[ID_TEXT_LEN + 1];
			(void)snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012x", 5000 - i);
			json_array_append_new(list, json_string(id));
		}
		json_object_set_new(j, "agentIds", list);
		problems_init(&p);
		webhook_init(&w);
		assert_int_equal(webhook_from_json(j, &webhook_text_rules, &w, &p), extra ? CH_EINVAL : 0);
		assert_int_equal(w.agent_count, extra ? 0 : WEBHOOK_AGENTS_MAX);
		json_decref(j);
		problems_fini(&p);
		webhook_fini(&w);
	}
}

static void merge_changes_only_what_is_named(void **state)
{
	struct webhook w;
	webhook_text_must_create(webhook_text_full, &w);
	webhook_text_must_merge("{}", &w);
	webhook_text_assert_settings(&w, FULL_SETTINGS);
	webhook_text_must_merge(
			"{\"headers\":{\"x-b\":\"new\",\"AUTHORIZATION\":null,\"X-C\":\"c\",\"X-Gone\":null},"
			"\"rateLimit\":{\"seconds\":60}}",
			&w);
	webhook_text_assert_settings(&w,
			"{\"agentIds\":[\"" AGENT_A "\",\"" AGENT_B
			"\"],\"statuses\":[\"COMPLETED\",\"NO_ANSWER\"],\"headers\":{\"x-b\":\"new\",\"X-C\":"
			"\"c\"},"
			"\"timeout\":60,\"concurrency\":512,\"rateLimit\":{\"count\":10,\"seconds\":60}}");
	assert_string_equal(w.url, "https://example.com/hook");
	webhook_text_must_merge("{\"name\":null,\"enabled\":null,\"agentIds\":null,\"statuses\":null,"
				"\"headers\":null,"
				"\"timeout\":null,\"concurrency\":null,\"rateLimit\":null}",
			&w);
	webhook_text_assert_settings(&w, DEFAULT_SETTINGS);
	assert_string_equal(w.name, "");
	assert_true(w.enabled);
	webhook_text_must_merge("{\"url\":\"https://other.example/\"}", &w);
	assert_string_equal(w.url, "https://other.example/");
	webhook_fini(&w);
}

static void merge_that_fails_changes_nothing(void **state)
{
	static const char *const patches[] = {"{\"url\":null}", "{\"name\":\"new\",\"timeout\":0}",
			"{\"headers\":{\"X-New\":\"1\",\"Host\":\"h\"}}", "{\"rateLimit\":{\"count\":null}}",
			"{\"agentIds\":[],\"statuses\":[]}", "[]",
			"{\"headers\":{\"X-B\":null,\"x-b\":\"2\"}}"};
	struct webhook w;
	webhook_text_must_create(webhook_text_full, &w);
	char *before = webhook_text_of(&w);
	for (size_t i = 0; i < sizeof(patches) / sizeof(patches[0]); i++) {
		struct problems p;
		if (webhook_text_merge(patches[i], &w, &p) != CH_EINVAL || p.count != 1)
			fail_msg("%s: %zu problems", patches[i], p.count);
		problems_fini(&p);
		char *after = webhook_text_of(&w);
		assert_string_equal(after, before);
		free(after);
	}
	free(before);
	webhook_fini(&w);
}

static void enabling_forgets_the_reason(void **state)
{
	struct webhook w;
	webhook_text_must_create("{" URL "}", &w);
	w.enabled = false;
	w.disabled_reason = ch_strdup("the endpoint answered 410 Gone");
	webhook_text_must_merge("{\"enabled\":false}", &w);
	assert_non_null(w.disabled_reason);
	webhook_text_must_merge("{\"name\":\"n\"}", &w);
	assert_non_null(w.disabled_reason);
	webhook_text_must_merge("{\"enabled\":true}", &w);
	assert_true(w.enabled);
	assert_null(w.disabled_reason);
	webhook_fini(&w);
}

int webhook_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(url_alone_gives_the_defaults),
			cmocka_unit_test(nulls_give_the_defaults),
			cmocka_unit_test(every_member_is_read),
			cmocka_unit_test(the_answer_has_the_members_in_order),
			cmocka_unit_test(each_mistake_has_its_pointer),
			cmocka_unit_test(url_mistakes_are_named),
			cmocka_unit_test(all_mistakes_are_named_at_once),
			cmocka_unit_test(twenty_headers_and_not_one_more),
			cmocka_unit_test(lengths_are_taken_to_their_limit),
			cmocka_unit_test(names_are_counted_in_characters),
			cmocka_unit_test(too_many_agents_are_refused),
			cmocka_unit_test(merge_changes_only_what_is_named),
			cmocka_unit_test(merge_that_fails_changes_nothing),
			cmocka_unit_test(enabling_forgets_the_reason),
	};
	return cmocka_run_group_tests_name("webhook", tests, NULL, NULL);
}
