#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../nth_alloc.h"
#include "api_rig.h"
#include "groups.h"
#include "store/store.h"

#define NDJSON KEY_A "Content-Type: application/x-ndjson\r\n"
#define LINES 5000

static void call_id(int n, char out[37])
{
	snprintf(out, 37, "3f2b8c1e-0000-4000-8000-%012d", n);
}

/* The nth line of an answer, parsed. */
static json_t *line_of(const struct answer *a, int n)
{
	const char *line = a->body;
	for (int i = 0; i < n; i++) {
		line = strchr(line, '\n');
		assert_non_null(line);
		line++;
	}
	const char *end = strchr(line, '\n');
	assert_non_null(end);
	json_t *json = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	return json;
}

static void check_line(const struct answer *a, int at, int number, int status, const char *id)
{
	json_t *json = line_of(a, at);
	assert_int_equal(json_integer_value(json_object_get(json, "line")), number);
	assert_int_equal(json_integer_value(json_object_get(json, "status")), status);
	if (id)
		assert_string_equal(json_text(json, "id"), id);
	if (status == 400)
		assert_true(json_array_size(json_object_get(json, "errors")) > 0);
	assert_int_equal(json_object_get(json, "title") != NULL, status >= 400);
	json_decref(json);
}

static int count_lines(const struct answer *a)
{
	int n = 0;
	for (const char *p = a->body; (p = strchr(p, '\n')) != NULL; p++)
		n++;
	return n;
}

static void each_line_is_answered_in_order(void **state)
{
	struct api_rig *r = *state;
	struct ch_buf body;
	char value[50];
	ch_buf_init(&body, SIZE_MAX);
	ch_buf_addf(&body, "%s\n", record_json(CALL_1, NULL, NULL));
	ch_buf_adds(&body, "\n \t\r\n{\"id\":1}\n");
	ch_buf_addf(&body, "%s\r\n", record_json(CALL_1, NULL, NULL));
	ch_buf_addf(&body, "%s\n", record_json(CALL_1, "IN_PROGRESS", NULL));
	ch_buf_adds(&body, "nonsense\n");
	ch_buf_addf(&body, "%s", record_json(CALL_2, NULL, NULL));
	struct answer a = api_ask(r, "POST", "/v1/calls/import", NDJSON, body.data);
	assert_int_equal(a.status, 200);
	answer_header(&a, "Content-Type", value, sizeof(value));
	assert_string_equal(value, "application/x-ndjson");
	assert_int_equal(count_lines(&a), 6);
	check_line(&a, 0, 1, 201, CALL_1);
	check_line(&a, 1, 4, 400, NULL);
	check_line(&a, 2, 5, 200, CALL_1);
	check_line(&a, 3, 6, 409, CALL_1);
	check_line(&a, 4, 7, 400, NULL);
	check_line(&a, 5, 8, 201, CALL_2);
	answer_fini(&a);
	a = api_ask(r, "GET", "/v1/calls/" CALL_2, KEY_A, NULL);
	assert_int_equal(a.status, 200);
	answer_fini(&a);
	ch_buf_fini(&body);
}

static void thousands_of_lines_with_bad_ones_among_them(void **state)
{
	struct api_rig *r = *state;
	struct ch_buf body;
	char id[37];
	ch_buf_init(&body, SIZE_MAX);
	for (int i = 1; i <= LINES; i++) {
		call_id(i, id);
		ch_buf_addf(&body, "%s\n", i % 7 == 0 ? "{}" : record_json(id, NULL, "done"));
	}
	struct answer a = api_ask(r, "POST", "/v1/calls/import", NDJSON, body.data);
	assert_int_equal(a.status, 200);
	const char *p = a.body;
	for (int i = 1; i <= LINES; i++) {
		char want[100];
		call_id(i, id);
		if (i % 7 == 0)
			snprintf(want, sizeof(want),
					"{\"line\":%d,\"status\":400,\"title\":\"Bad Request\",\"errors\":[",
					i);
		else
			snprintf(want, sizeof(want), "{\"line\":%d,\"id\":\"%s\",\"status\":201}\n", i, id);
		if (strncmp(p, want, strlen(want)) != 0)
			fail_msg("line %d: %.100s", i, p);
		p = strchr(p, '\n') + 1;
	}
	assert_string_equal(p, "");
	answer_fini(&a);
	ch_buf_fini(&body);
}

static void an_empty_import_has_an_empty_answer(void **state)
{
	struct api_rig *r = *state;
	static const char *const bodies[] = {"", "\n", "\r\n\n  \n"};
	for (size_t i = 0; i < 3; i++) {
		struct answer a = api_ask(r, "POST", "/v1/calls/import", NDJSON, bodies[i]);
		assert_int_equal(a.status, 200);
		assert_int_equal(a.body_len, 0);
		answer_fini(&a);
	}
}

static void an_import_is_refused_as_a_whole_when_asked_wrongly(void **state)
{
	struct api_rig *r = *state;
	static const struct {
		const char *path, *headers;
		int status;
	} cases[] = {
			{"/v1/calls/import", KEY_A JSON_TYPE, 415},
			{"/v1/calls/import?x=1", NDJSON, 400},
			{"/v1/calls/import", "Content-Type: application/x-ndjson\r\n", 401},
			{"/v1/calls/import", KEY_A "Content-Type: application/jsonl; charset=utf-8\r\n", 200},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer a = api_ask(
				r, "POST", cases[i].path, cases[i].headers, record_json(CALL_1, NULL, NULL));
		assert_int_equal(a.status, cases[i].status);
		answer_fini(&a);
	}
	struct answer a = rig_ask(&r->rig,
			"POST /v1/calls/import HTTP/1.1\r\nHost: x\r\n" NDJSON
			"Content-Length: 16777217\r\n\r\n",
			strlen("POST /v1/calls/import HTTP/1.1\r\nHost: x\r\n" NDJSON
			       "Content-Length: 16777217\r\n\r\n"));
	assert_problem(&a, 413);
	answer_fini(&a);
}

static void a_line_beyond_the_limit_is_413_alone(void **state)
{
	struct api_rig *r = *state;
	struct ch_buf body;
	ch_buf_init(&body, SIZE_MAX);
	ch_buf_adds(&body, "{\"summary\":\"");
	for (int i = 0; i < 100000; i++)
		ch_buf_addc(&body, 'a');
	ch_buf_addf(&body, "\"}\n%s", record_json(CALL_1, NULL, NULL));
	struct answer a = api_ask(r, "POST", "/v1/calls/import", NDJSON, body.data);
	check_line(&a, 0, 1, 413, NULL);
	check_line(&a, 1, 2, 201, CALL_1);
	answer_fini(&a);
	ch_buf_fini(&body);
}

static void lines_the_store_refuses_say_so(void **state)
{
	struct api_rig *r = *state;
	store_fault_fail_write(r->fault, 1, CH_EFULL);
	struct answer a = api_ask(r, "POST", "/v1/calls/import", NDJSON, record_json(CALL_1, NULL, NULL));
	check_line(&a, 0, 1, 503, CALL_1);
	answer_fini(&a);
}

static void refusals_that_nobody_reads_stay_bounded(void **state)
{
	struct api_rig *r = *state;
	struct ch_buf text;
	struct client c;
	size_t lines = 60000;
	ch_buf_init(&text, SIZE_MAX);
	ch_buf_addf(&text,
			"POST /v1/calls/import HTTP/1.1\r\nHost: x\r\n" NDJSON "Content-Length: %zu\r\n\r\n",
			lines * 3);
	for (size_t i = 0; i < lines; i++)
		ch_buf_adds(&text, "{}\n");
	client_open(&c, &r->rig);
	event_del(c.event);
	client_send(&c, text.data, text.len);
	for (int i = 0; i < 300; i++)
		rig_turn(&r->rig);
	assert_int_equal(api_busy(r->api), 1);
	event_add(c.event, NULL);
	struct answer a = client_read(&c, false);
	assert_int_equal(count_lines(&a), lines);
	answer_fini(&a);
	client_close(&c);
	ch_buf_fini(&text);
}

static void a_client_that_leaves_keeps_what_was_parsed(void **state)
{
	struct api_rig *r = *state;
	struct ch_buf body;
	struct client c;
	char id[37];
	ch_buf_init(&body, SIZE_MAX);
	for (int i = 1; i <= 100; i++) {
		call_id(i, id);
		ch_buf_addf(&body, "%s\n", record_json(id, NULL, NULL));
	}
	char head[300];
	snprintf(head, sizeof(head),
			"POST /v1/calls/import HTTP/1.1\r\nHost: x\r\n" NDJSON "Content-Length: %zu\r\n\r\n",
			body.len);
	r->is_store_stopped = true;
	client_open(&c, &r->rig);
	client_sends(&c, head);
	client_send(&c, body.data, body.len);
	while (api_busy(r->api) == 0)
		rig_turn(&r->rig);
	for (int i = 0; i < 5; i++)
		rig_turn(&r->rig);
	struct linger hard = {.l_onoff = 1};
	setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	client_close(&c);
	rig_turn(&r->rig);
	r->is_store_stopped = false;
	while (api_busy(r->api) > 0)
		rig_turn(&r->rig);
	for (int i = 1; i <= 100; i++) {
		char path[60] = "/v1/calls/";
		call_id(i, path + strlen(path));
		struct answer a = api_ask(r, "GET", path, KEY_A, NULL);
		assert_int_equal(a.status, 200);
		answer_fini(&a);
	}
	ch_buf_fini(&body);
}

/* Whatever allocation fails: what is answered 201 is there, and the answer is whole or visibly cut. */
static void any_allocation_may_fail(void **state)
{
	struct api_rig *r = *state;
	struct nth_alloc nth = {0};
	struct ch_buf text;
	const char *body = record_json(CALL_1, NULL, NULL);
	ch_buf_init(&text, SIZE_MAX);
	ch_buf_addf(&text,
			"POST /v1/calls/import HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" NDJSON
			"Content-Length: %zu\r\n\r\n{}\n%s",
			strlen(body) + 3, body);
	bool failed = true;
	int whole = 0;
	for (nth.fail_at = 1; failed; nth.fail_at++) {
		struct client c;
		client_open(&c, &r->rig);
		(void)!ch_buf_reserve(&c.in, 65536);
		client_send(&c, text.data, text.len);
		nth_alloc_begin(&nth);
		while (!c.is_closed)
			rig_turn(&r->rig);
		failed = nth_alloc_end(&nth);
		struct answer a = client_read(&c, false);
		assert_true(a.status == 0 || a.status == 200 || a.status == 503);
		if (a.status == 200) {
			assert_int_equal(count_lines(&a), 2);
			whole++;
			struct answer got = api_ask(r, "GET", "/v1/calls/" CALL_1, KEY_A, NULL);
			if (strstr(a.body, "\"status\":20"))
				assert_int_equal(got.status, 200);
			answer_fini(&got);
		}
		answer_fini(&a);
		client_close(&c);
		while (api_busy(r->api) > 0)
			rig_turn(&r->rig);
	}
	assert_true(whole > 0 && nth.fail_at > 5);
	ch_buf_fini(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, api_rig_setup, api_rig_teardown)

int group_import(void)
{
	const struct CMUnitTest tests[] = {
			TEST(each_line_is_answered_in_order),
			TEST(thousands_of_lines_with_bad_ones_among_them),
			TEST(an_empty_import_has_an_empty_answer),
			TEST(an_import_is_refused_as_a_whole_when_asked_wrongly),
			TEST(a_line_beyond_the_limit_is_413_alone),
			TEST(lines_the_store_refuses_say_so),
			TEST(refusals_that_nobody_reads_stay_bounded),
			TEST(a_client_that_leaves_keeps_what_was_parsed),
			TEST(any_allocation_may_fail),
	};
	return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
