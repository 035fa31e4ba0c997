#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_rig.h"
#include "base/crypto.h"
#include "groups.h"
#include "store/store.h"

#define PATH_1 "/v1/calls/" CALL_1

static struct answer put(struct api_rig *r, const char *path, const char *headers, const char *body)
{
	char all[500];
	snprintf(all, sizeof(all), KEY_A JSON_TYPE "%s", headers);
	return api_ask(r, "PUT", path, all, body);
}

static void put_status(struct api_rig *r, const char *path, const char *headers, const char *body, int status)
{
	struct answer a = put(r, path, headers, body);
	if (a.status != status)
		fail_msg("PUT %s %s: %d and not %d: %s", path, headers, a.status, status, a.body);
	if (status >= 400)
		assert_problem(&a, status);
	answer_fini(&a);
}

static void the_canonical_body_is_answered_and_served(void **state)
{
	struct api_rig *r = *state;
	static const char *const spaced = "{ \"status\":\"COMPLETED\", \"id\":\"" CALL_1
					  "\",\"type\" : \"INBOUND\",\"agentId\":\"" AGENT_1 "\"}";
	char etag[100];
	char digest[100];
	char value[100];
	uint8_t sha256[CH_SHA256_BYTES];
	struct answer made = put(r, PATH_1, "", spaced);
	assert_int_equal(made.status, 201);
	assert_ptr_equal(strstr(made.body, "{\"id\":\"" CALL_1 "\",\"agentId\":"), made.body);
	answer_header(&made, "Location", value, sizeof(value));
	assert_string_equal(value, PATH_1);
	answer_header(&made, "Content-Type", value, sizeof(value));
	assert_string_equal(value, "application/json");
	answer_header(&made, "ETag", etag, sizeof(etag));
	answer_header(&made, "Content-Digest", digest, sizeof(digest));
	ch_sha256(made.body, made.body_len, sha256);
	char want[100] = "\"";
	ch_hex(sha256, 16, want + 1);
	want[33] = '"';
	assert_string_equal(etag, want);
	snprintf(want, sizeof(want), "sha-256=:");
	ch_base64(sha256, 32, want + 9);
	memcpy(want + 9 + 44, ":", 2);
	assert_string_equal(digest, want);

	struct answer got = api_ask(r, "GET", PATH_1, KEY_A, NULL);
	assert_int_equal(got.status, 200);
	assert_int_equal(got.body_len, made.body_len);
	assert_memory_equal(got.body, made.body, made.body_len);
	answer_header(&got, "ETag", value, sizeof(value));
	assert_string_equal(value, etag);
	answer_header(&got, "Cache-Control", value, sizeof(value));
	assert_string_equal(value, "private, no-cache");
	answer_fini(&got);

	struct answer again = put(r, PATH_1, "", spaced);
	assert_int_equal(again.status, 200);
	answer_header(&again, "Location", value, sizeof(value));
	assert_string_equal(value, "");
	answer_fini(&again);
	got = api_ask(r, "HEAD", PATH_1, KEY_A, NULL);
	assert_int_equal(got.status, 200);
	assert_int_equal(got.body_len, 0);
	answer_header(&got, "Content-Length", value, sizeof(value));
	assert_int_equal(strtoul(value, NULL, 10), made.body_len);
	answer_fini(&got);
	answer_fini(&made);
}

static void if_none_match_gives_304(void **state)
{
	struct api_rig *r = *state;
	char etag[64];
	char headers[200];
	struct answer a = put(r, PATH_1, "", record_json(CALL_1, NULL, NULL));
	answer_header(&a, "ETag", etag, sizeof(etag));
	answer_fini(&a);
	snprintf(headers, sizeof(headers), KEY_A "If-None-Match: \"x\", W/%s\r\n", etag);
	a = api_ask(r, "GET", PATH_1, headers, NULL);
	assert_int_equal(a.status, 304);
	assert_int_equal(a.body_len, 0);
	char value[64];
	answer_header(&a, "ETag", value, sizeof(value));
	assert_string_equal(value, etag);
	answer_fini(&a);
	a = api_ask(r, "GET", PATH_1, KEY_A "If-None-Match: \"x\"\r\n", NULL);
	assert_int_equal(a.status, 200);
	answer_fini(&a);
	a = api_ask(r, "GET", PATH_1, KEY_A "If-None-Match: garbage\r\n", NULL);
	assert_int_equal(a.status, 200);
	answer_fini(&a);
}

static void if_none_match_guards_what_is_there(void **state)
{
	struct api_rig *r = *state;
	put_status(r, PATH_1, "If-None-Match: \"x\"\r\n", record_json(CALL_1, NULL, NULL), 400);
	put_status(r, PATH_1, "If-None-Match:\r\n", record_json(CALL_1, NULL, NULL), 400);
	put_status(r, PATH_1, "If-None-Match: *\r\n", record_json(CALL_1, NULL, NULL), 201);
	put_status(r, PATH_1, "If-None-Match: *\r\n", record_json(CALL_1, NULL, NULL), 412);
	put_status(r, PATH_1, "If-None-Match: *\r\n", record_json(CALL_1, NULL, "two"), 412);
	put_status(r, PATH_1, "If-Match: *\r\nIf-None-Match: *\r\n", record_json(CALL_1, NULL, "two"), 412);
	struct answer a = api_ask(r, "GET", PATH_1, KEY_A, NULL);
	assert_null(strstr(a.body, "two"));
	answer_fini(&a);
}

static void if_match_guards_against_a_stale_writer(void **state)
{
	struct api_rig *r = *state;
	char etag[64];
	char header[200];
	put_status(r, PATH_1, "If-Match: *\r\n", record_json(CALL_1, NULL, NULL), 412);
	struct answer a = put(r, PATH_1, "", record_json(CALL_1, NULL, NULL));
	assert_int_equal(a.status, 201);
	answer_header(&a, "ETag", etag, sizeof(etag));
	answer_fini(&a);
	snprintf(header, sizeof(header), "If-Match: \"00000000000000000000000000000000\", %s\r\n", etag);
	put_status(r, PATH_1, header, record_json(CALL_1, NULL, "one"), 200);
	put_status(r, PATH_1, header, record_json(CALL_1, NULL, "two"), 412);
	put_status(r, PATH_1, "If-Match: *\r\n", record_json(CALL_1, NULL, "three"), 200);
	put_status(r, PATH_1, "If-Match: W/\"00000000000000000000000000000000\"\r\n",
			record_json(CALL_1, NULL, "x"), 412);
	put_status(r, PATH_1, "If-Match: \"short\"\r\n", record_json(CALL_1, NULL, "x"), 412);
	put_status(r, PATH_1, "If-Match: abc\r\n", record_json(CALL_1, NULL, "x"), 400);
	put_status(r, PATH_1, "If-Match:\r\n", record_json(CALL_1, NULL, "x"), 400);
}

static void a_final_call_does_not_go_back(void **state)
{
	struct api_rig *r = *state;
	put_status(r, PATH_1, "", record_json(CALL_1, "IN_PROGRESS", NULL), 201);
	put_status(r, PATH_1, "", record_json(CALL_1, "COMPLETED", NULL), 200);
	put_status(r, PATH_1, "", record_json(CALL_1, "IN_PROGRESS", NULL), 409);
	put_status(r, PATH_1, "", record_json(CALL_1, "FAILED", NULL), 200);
}

static void broken_records_are_named_member_by_member(void **state)
{
	struct api_rig *r = *state;
	struct answer a = put(r, PATH_1, "",
			"{\"id\":\"" CALL_2
			"\",\"agentId\":\"x\",\"type\":\"SIDEWAYS\",\"phone\":\"0612345678\",\"no\":1}");
	assert_problem(&a, 400);
	json_t *json = json_loads(a.body, 0, NULL);
	json_t *errors = json_object_get(json, "errors");
	assert_true(json_array_size(errors) >= 5);
	bool has_phone = false;
	for (size_t i = 0; i < json_array_size(errors); i++) {
		assert_non_null(json_text(json_array_get(errors, i), "detail"));
		has_phone |= strcmp(json_text(json_array_get(errors, i), "pointer"), "/phone") == 0;
	}
	assert_true(has_phone);
	json_decref(json);
	answer_fini(&a);
	static const char *const bodies[] = {
			"", "{", "[]", "null", "{\"id\":\"" CALL_1 "\",\"id\":\"" CALL_1 "\"}", "\xff", "{}"};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		put_status(r, PATH_1, "", bodies[i], 400);
}

static void what_is_asked_wrongly_is_refused(void **state)
{
	struct api_rig *r = *state;
	static const struct {
		const char *method, *path, *headers;
		bool has_body;
		int status;
	} cases[] = {
			{"PUT", "/v1/calls/abc", KEY_A JSON_TYPE, true, 400},
			{"PUT", "/v1/calls/3F2B8C1E-0000-4000-8000-000000000001", KEY_A JSON_TYPE, true, 400},
			{"GET", "/v1/calls/abc", KEY_A, false, 404},
			{"GET", PATH_1, KEY_A, false, 404},
			{"GET", PATH_1 "?x=1", KEY_A, false, 400},
			{"PUT", PATH_1 "?notify=yes", KEY_A JSON_TYPE, true, 400},
			{"PUT", PATH_1 "?notify=true&notify=true", KEY_A JSON_TYPE, true, 400},
			{"PUT", PATH_1 "?notify", KEY_A JSON_TYPE, true, 400},
			{"PUT", PATH_1 "?Notify=true", KEY_A JSON_TYPE, true, 400},
			{"PUT", PATH_1, KEY_A, true, 415},
			{"PUT", PATH_1, KEY_A "Content-Type: text/plain\r\n", true, 415},
			{"PUT", PATH_1, KEY_A "Content-Type: application/json; charset=latin1\r\n", true,
					415},
			{"PUT", PATH_1, KEY_A JSON_TYPE "Content-Encoding: gzip\r\n", true, 415},
			{"PUT", PATH_1, KEY_A JSON_TYPE, false, 411},
			{"POST", PATH_1, KEY_A JSON_TYPE, true, 405},
			{"OPTIONS", PATH_1, KEY_A, false, 405},
			{"GET", "/v1/nothing", KEY_A, false, 404},
			{"GET", "/v1/calls/", KEY_A, false, 404},
			{"PUT", PATH_1, JSON_TYPE, true, 401},
			{"GET", PATH_1, "X-Api-Key: wrong\r\n", false, 401},
			{"GET", PATH_1, KEY_A KEY_A, false, 400},
			{"GET", PATH_1, KEY_A "X-Account-Id: other\r\n", false, 400},
			{"GET", PATH_1, OPERATOR "X-Account-Id: nobody\r\n", false, 404},
			{"GET", PATH_1, OPERATOR, false, 404},
			{"GET", PATH_1, "Authorization: Bearer wrong\r\n", false, 401},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer a = api_ask(r, cases[i].method, cases[i].path, cases[i].headers,
				cases[i].has_body ? record_json(CALL_1, NULL, NULL) : NULL);
		char value[200];
		if (a.status != cases[i].status)
			fail_msg("case %zu: %d: %s", i, a.status, a.body);
		assert_problem(&a, cases[i].status);
		answer_header(&a, "Allow", value, sizeof(value));
		assert_string_equal(value, a.status == 405 ? "PUT, GET, HEAD, DELETE" : "");
		answer_header(&a, "WWW-Authenticate", value, sizeof(value));
		assert_int_equal(value[0] != '\0', a.status == 401);
		answer_fini(&a);
	}
}

static void a_record_beyond_the_limit_is_413(void **state)
{
	struct api_rig *r = *state;
	char *body = malloc(100100);
	memset(body, ' ', 100100);
	body[100099] = '\0';
	memcpy(body, record_json(CALL_1, NULL, NULL), strlen(record_json(CALL_1, NULL, NULL)));
	put_status(r, PATH_1, "", body, 413);
	body[100000] = '\0';
	put_status(r, PATH_1, "", body, 201);
	free(body);
}

static void accounts_do_not_see_each_other(void **state)
{
	struct api_rig *r = *state;
	put_status(r, PATH_1, "", record_json(CALL_1, NULL, NULL), 201);
	struct answer a = api_ask(r, "GET", PATH_1, KEY_B, NULL);
	assert_problem(&a, 404);
	answer_fini(&a);
	a = api_ask(r, "GET", PATH_1, OPERATOR, NULL);
	assert_int_equal(a.status, 200);
	answer_fini(&a);
	a = api_ask(r, "GET", PATH_1, OPERATOR "X-Account-Id: other\r\n", NULL);
	assert_problem(&a, 404);
	answer_fini(&a);
	a = api_ask(r, "PUT", PATH_1, KEY_B JSON_TYPE, record_json(CALL_1, NULL, NULL));
	assert_int_equal(a.status, 201);
	answer_fini(&a);
}

static void a_store_that_fails_is_503_with_retry_after(void **state)
{
	struct api_rig *r = *state;
	static const int codes[] = {CH_EFULL, CH_EIO, CH_EBUSY, CH_ECANCELED, CH_ENOMEM};
	char value[20];
	for (size_t i = 0; i < 5; i++) {
		store_fault_fail_write(r->fault, 1, codes[i]);
		struct answer a = put(r, PATH_1, "", record_json(CALL_1, NULL, NULL));
		assert_problem(&a, 503);
		answer_header(&a, "Retry-After", value, sizeof(value));
		assert_true(strtol(value, NULL, 10) > 0);
		answer_fini(&a);
		store_fault_fail_read(r->fault, 1, codes[i]);
		a = api_ask(r, "GET", PATH_1, KEY_A, NULL);
		assert_problem(&a, 503);
		answer_fini(&a);
	}
	put_status(r, PATH_1, "", record_json(CALL_1, NULL, NULL), 201);
}

static void a_damaged_record_is_500_and_others_go_on(void **state)
{
	struct api_rig *r = *state;
	char value[20];
	put_status(r, PATH_1, "", record_json(CALL_1, NULL, NULL), 201);
	store_fault_fail_read(r->fault, 1, CH_EDAMAGED);
	struct answer a = api_ask(r, "GET", PATH_1, KEY_A, NULL);
	assert_problem(&a, 500);
	assert_non_null(strstr(a.body, "what is stored of this is damaged"));
	assert_null(strstr(a.body, "fault"));
	answer_header(&a, "Retry-After", value, sizeof(value));
	assert_string_equal(value, "");
	answer_fini(&a);
	store_fault_fail_write(r->fault, 1, CH_EDAMAGED);
	a = put(r, PATH_1, "", record_json(CALL_1, NULL, NULL));
	assert_problem(&a, 500);
	answer_fini(&a);
	a = api_ask(r, "GET", "/readyz", "", NULL);
	assert_int_equal(a.status, 200);
	answer_fini(&a);
	put_status(r, PATH_1, "", record_json(CALL_1, NULL, NULL), 200);
}

static void a_client_that_leaves_loses_nothing(void **state)
{
	struct api_rig *r = *state;
	struct client c;
	char text[2000];
	const char *body = record_json(CALL_1, NULL, NULL);
	r->is_store_stopped = true;
	client_open(&c, &r->rig);
	snprintf(text, sizeof(text),
			"PUT " PATH_1 " HTTP/1.1\r\nHost: x\r\n" KEY_A JSON_TYPE
			"Content-Length: %zu\r\n\r\n%s",
			strlen(body), body);
	client_sends(&c, text);
	while (api_busy(r->api) == 0)
		rig_turn(&r->rig);
	client_close(&c);
	rig_turn(&r->rig);
	r->is_store_stopped = false;
	while (api_busy(r->api) > 0)
		rig_turn(&r->rig);
	struct answer a = api_ask(r, "GET", PATH_1, KEY_A, NULL);
	assert_int_equal(a.status, 200);
	answer_fini(&a);
}

static void the_access_log_names_the_route_and_no_number(void **state)
{
	struct api_rig *r = *state;
	put_status(r, PATH_1, "", record_json(CALL_1, NULL, NULL), 201);
	put_status(r, PATH_1, "", "{\"phone\":\"+3361234567890123\"}", 400);
	assert_non_null(strstr(r->logged.data, "/v1/calls/{id}"));
	assert_non_null(strstr(r->logged.data, "status=201"));
	assert_non_null(strstr(r->logged.data, "account=default"));
	assert_null(strstr(r->logged.data, CALL_1));
	assert_null(strstr(r->logged.data, "336123"));
	assert_null(strstr(r->logged.data, "key-a1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, api_rig_setup, api_rig_teardown)

int group_calls(void)
{
	const struct CMUnitTest tests[] = {
			TEST(the_canonical_body_is_answered_and_served),
			TEST(if_none_match_gives_304),
			TEST(if_match_guards_against_a_stale_writer),
			TEST(if_none_match_guards_what_is_there),
			TEST(a_final_call_does_not_go_back),
			TEST(broken_records_are_named_member_by_member),
			TEST(what_is_asked_wrongly_is_refused),
			TEST(a_record_beyond_the_limit_is_413),
			TEST(accounts_do_not_see_each_other),
			TEST(a_store_that_fails_is_503_with_retry_after),
			TEST(a_damaged_record_is_500_and_others_go_on),
			TEST(a_client_that_leaves_loses_nothing),
			TEST(the_access_log_names_the_route_and_no_number),
	};
	return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
