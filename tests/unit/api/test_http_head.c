#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "api/http_chunked.h"
#include "api/http_head.h"
#include "base/err.h"
#include "groups.h"

/* Parses a copy in a block of just its size, so that a sanitizer sees every byte too far. */
static int parse(const char *text, struct http_head *head, struct http_fault *fault, char **ret_data)
{
	size_t len = strlen(text);
	size_t scanned = 0;
	size_t head_len = 0;
	char *data = malloc(len ? len : 1);
	memcpy(data, text, len);
	*ret_data = data;
	int rc = http_head_end(data, len, &scanned, &head_len, fault);
	return rc ? rc : http_head_parse(data, head_len, head, fault);
}

static void good_heads_are_read(void **state)
{
	static const struct {
		const char *text;
		const char *method, *path, *query;
		uint64_t length;
		bool keep_alive, chunked, is_head;
		size_t fields;
	} cases[] = {
			{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "", 0, true, false, false, 1},
			{"HEAD /x?a=b&c HTTP/1.1\r\nHost:\r\n\r\n", "GET", "/x", "a=b&c", 0, true, false,
					true, 1},
			{"PUT /a%20b HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\nConnection: Foo , "
			 "Close\r\n\r\n",
					"PUT", "/a%20b", "", 10, false, false, false, 3},
			{"POST http://h:1/p?q HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n",
					"POST", "/p", "q", 0, true, true, false, 2},
			{"GET /? HTTP/1.0\r\n\r\n", "GET", "/", "", 0, false, false, false, 0},
			{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", "/", "", 0, true, false,
					false, 1},
			{"X!#$ /a?b?c HTTP/1.1\r\nHost: a\r\nX:\t y z \t\r\n\r\n", "X!#$", "/a", "b?c", 0,
					true, false, false, 2},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_head head;
		struct http_fault fault = {0};
		char *data;
		assert_int_equal(parse(cases[i].text, &head, &fault, &data), 0);
		assert_string_equal(data + head.method, cases[i].method);
		assert_string_equal(data + head.path, cases[i].path);
		assert_string_equal(data + head.query, cases[i].query);
		assert_int_equal(head.content_length, cases[i].length);
		assert_int_equal(head.keep_alive, cases[i].keep_alive);
		assert_int_equal(head.is_chunked, cases[i].chunked);
		assert_int_equal(head.is_head, cases[i].is_head);
		assert_int_equal(head.field_count, cases[i].fields);
		free(data);
	}
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"

static void bad_heads_are_refused(void **state)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
			{"GET / HTTP/1.1\r\n\r\n", 400},
			{"GET / HTTP/1.1\nHost: a\n\n", 400},
			{"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
			{"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
			{"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
			{"GET /\r\nHost: a\r\n\r\n", 400},
			{" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
			{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
			{"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
			{"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
			{"GET / HTTP/1.1x\r\nHost: a\r\n\r\n", 400},
			{"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
			{"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHI / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
			{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
			{"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
			{"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
			{"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
			{"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
			{"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
			{GET "Host: b\r\n\r\n", 400},
			{GET "X : y\r\n\r\n", 400},
			{GET "X\r\n\r\n", 400},
			{GET ": y\r\n\r\n", 400},
			{GET "X: a\r\n b\r\n\r\n", 400},
			{GET "X: a\rb\r\n\r\n", 400},
			{GET "X: a\x7f\r\n\r\n", 400},
			{GET "Content-Length: +5\r\n\r\n", 400},
			{GET "Content-Length: -5\r\n\r\n", 400},
			{GET "Content-Length: 5 5\r\n\r\n", 400},
			{GET "Content-Length: 5, 5\r\n\r\n", 400},
			{GET "Content-Length: 0x5\r\n\r\n", 400},
			{GET "Content-Length:\r\n\r\n", 400},
			{GET "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
			{GET "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
			{GET "Content-Length: 99999999999999999999999\r\n\r\n", 413},
			{GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
			{GET "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
			{GET "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
			{GET "Transfer-Encoding: identity\r\n\r\n", 501},
			{GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
			{"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
			{GET "Expect: something\r\n\r\n", 417},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_head head;
		struct http_fault fault = {0};
		char *data;
		int rc = parse(cases[i].text, &head, &fault, &data);
		if (rc != CH_EINVAL || fault.status != cases[i].status)
			fail_msg("case %zu: rc %d status %d: %s", i, rc, fault.status, cases[i].text);
		assert_non_null(fault.detail);
		free(data);
	}
}

static void a_nul_is_refused_anywhere(void **state)
{
	const char text[] = "GET /abc HTTP/1.1\r\nHost: abc\r\nX-Y: z\r\n\r\n";
	for (size_t i = 0; i < sizeof(text) - 5; i++) {
		char data[sizeof(text)];
		struct http_head head;
		struct http_fault fault;
		size_t scanned = 0;
		size_t len = 0;
		memcpy(data, text, sizeof(text));
		data[i] = '\0';
		int rc = http_head_end(data, sizeof(text) - 1, &scanned, &len, &fault);
		if (rc == 0)
			rc = http_head_parse(data, len, &head, &fault);
		assert_int_equal(rc, CH_EINVAL);
	}
}

static void too_many_fields_are_refused(void **state)
{
	char text[HTTP_HEAD_FIELDS_MAX * 8 + 64] = GET;
	for (int i = 0; i < HTTP_HEAD_FIELDS_MAX; i++)
		memcpy(text + strlen(text), "X: y\r\n", 7);
	memcpy(text + strlen(text), "\r\n", 3);
	struct http_head head;
	struct http_fault fault;
	char *data;
	assert_int_equal(parse(text, &head, &fault, &data), CH_EINVAL);
	assert_int_equal(fault.status, 431);
	free(data);
}

static void the_end_is_found_however_it_arrives(void **state)
{
	const char *text = "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
	size_t want = strlen(text) - 4;
	for (size_t cut = 0; cut <= strlen(text); cut++) {
		size_t scanned = 0;
		size_t len = 0;
		struct http_fault fault;
		int rc = http_head_end(text, cut, &scanned, &len, &fault);
		assert_int_equal(rc, cut >= want ? 0 : CH_EAGAIN);
		if (rc == CH_EAGAIN)
			rc = http_head_end(text, strlen(text), &scanned, &len, &fault);
		assert_int_equal(rc, 0);
		assert_int_equal(len, want);
	}
}

static void chunks_are_put_together_however_they_are_cut(void **state)
{
	const char *text = "5\r\nhello\r\n001;a=\"b\"\r\n \r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nNEXT";
	size_t end = strlen(text) - 4;
	for (size_t cut = 0; cut <= end; cut++) {
		char *data = malloc(strlen(text));
		struct http_chunked d = {0};
		size_t at = 0;
		size_t out = 0;
		memcpy(data, text, cut);
		int rc = http_chunked_run(&d, data, cut, &at, &out);
		assert_int_equal(rc, cut == end ? 0 : CH_EAGAIN);
		assert_int_equal(at, cut);
		if (rc == CH_EAGAIN) {
			size_t rest = strlen(text) - cut;
			memcpy(data + out, text + cut, rest);
			at = out;
			rc = http_chunked_run(&d, data, out + rest, &at, &out);
			assert_int_equal(rc, 0);
			assert_memory_equal(data + at, "NEXT", 4);
		}
		assert_int_equal(out, 16);
		assert_memory_equal(data, "hello 0123456789", 16);
		free(data);
	}
}

static void bad_chunks_are_refused(void **state)
{
	static const char *const cases[] = {"\r\n", "g\r\n", "+5\r\nhello\r\n", "-1\r\n", "0x5\r\n", " 5\r\n",
			"5\nhello", "5\r\nhelloX\r\n", "5\r\nhello\n", "5\rhello", "0\r\n\nX", "0\r\nA\n\r\n",
			"0\r\n\rX", "fffffffffffffffff\r\n", "5;a\nb"};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char data[64];
		struct http_chunked d = {0};
		size_t at = 0;
		size_t out = 0;
		memcpy(data, cases[i], strlen(cases[i]));
		assert_int_equal(http_chunked_run(&d, data, strlen(cases[i]), &at, &out), CH_EINVAL);
	}
}

static void endless_trailers_are_refused(void **state)
{
	struct http_chunked d = {0};
	char data[64] = "0\r\n";
	size_t at = 0;
	size_t out = 0;
	int rc = http_chunked_run(&d, data, 3, &at, &out);
	for (int i = 0; i < HTTP_CHUNKED_EXTRA_MAX && rc == CH_EAGAIN; i++) {
		memcpy(data, "a: b\r\n", 6);
		at = out = 0;
		rc = http_chunked_run(&d, data, 6, &at, &out);
	}
	assert_int_equal(rc, CH_EINVAL);
}

int group_http_head(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(good_heads_are_read),
			cmocka_unit_test(bad_heads_are_refused),
			cmocka_unit_test(a_nul_is_refused_anywhere),
			cmocka_unit_test(too_many_fields_are_refused),
			cmocka_unit_test(the_end_is_found_however_it_arrives),
			cmocka_unit_test(chunks_are_put_together_however_they_are_cut),
			cmocka_unit_test(bad_chunks_are_refused),
			cmocka_unit_test(endless_trailers_are_refused),
	};
	return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
