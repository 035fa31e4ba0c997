#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo.h"
#include "groups.h"

static void a_request_is_answered(void **state)
{
	struct echo *e = *state;
	const char *text = "POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
	char value[100];
	struct answer a = rig_ask(&e->rig, text, strlen(text));
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "POST /a ?b=c hello");
	answer_header(&a, "Date", value, sizeof(value));
	assert_string_equal(value, "Tue, 30 Jul 2024 14:35:00 GMT");
	answer_header(&a, "X-Extra", value, sizeof(value));
	assert_string_equal(value, "yes");
	answer_header(&a, "Connection", value, sizeof(value));
	assert_string_equal(value, "");
	answer_fini(&a);
}

static void head_has_the_length_but_no_body(void **state)
{
	struct echo *e = *state;
	struct client c;
	char value[20];
	client_open(&c, &e->rig);
	client_sends(&c, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	struct answer a = client_read(&c, true);
	answer_header(&a, "Content-Length", value, sizeof(value));
	assert_string_equal(value, "9");
	answer_fini(&a);
	a = client_read(&c, false);
	assert_string_equal(a.body, "GET /b ? ");
	answer_fini(&a);
	client_close(&c);
}

static void requests_sent_ahead_are_answered_in_order(void **state)
{
	struct echo *e = *state;
	struct client c;
	client_open(&c, &e->rig);
	for (int i = 0; i < 50; i++) {
		char text[100];
		snprintf(text, sizeof(text),
				"\r\nPUT /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", i);
		client_sends(&c, text);
	}
	shutdown(c.fd, SHUT_WR);
	for (int i = 0; i < 50; i++) {
		char want[30];
		struct answer a = client_read(&c, false);
		snprintf(want, sizeof(want), "PUT /%d ? abc", i);
		assert_string_equal(a.body, want);
		answer_fini(&a);
	}
	client_wait_closed(&c);
	client_close(&c);
}

/* So many at once that the buffer is read on before all of it is served. */
static void a_flood_of_requests_sent_ahead_is_served(void **state)
{
	struct echo *e = *state;
	struct client c;
	struct ch_buf text;
	const int count = 5000;
	ch_buf_init(&text, SIZE_MAX);
	for (int i = 0; i < count; i++)
		ch_buf_addf(&text, "PUT /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", i);
	client_open(&c, &e->rig);
	client_send(&c, text.data, text.len);
	for (int i = 0; i < count; i++) {
		char want[30];
		struct answer a = client_read(&c, false);
		snprintf(want, sizeof(want), "PUT /%d ? abc", i);
		assert_string_equal(a.body, want);
		answer_fini(&a);
	}
	client_close(&c);
	ch_buf_fini(&text);
}

static void a_request_is_read_byte_by_byte(void **state)
{
	struct echo *e = *state;
	const char *text = "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
			   "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
	struct client c;
	client_open(&c, &e->rig);
	for (size_t i = 0; i < strlen(text); i++) {
		client_send(&c, text + i, 1);
		rig_turn(&e->rig);
	}
	struct answer a = client_read(&c, false);
	assert_string_equal(a.body, "PUT /a ? abcde");
	answer_fini(&a);
	client_close(&c);
}

static void large_bodies_arrive_whole(void **state)
{
	struct echo *e = *state;
	size_t len = 3000000;
	char *body = malloc(len);
	char head[200];
	struct client c;
	for (size_t i = 0; i < len; i++)
		body[i] = (char)('a' + i % 23);
	for (int chunked = 0; chunked < 2; chunked++) {
		client_open(&c, &e->rig);
		if (chunked)
			snprintf(head, sizeof(head),
					"POST /big HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
					"chunked\r\n\r\n%zx\r\n",
					len);
		else
			snprintf(head, sizeof(head),
					"POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", len);
		client_sends(&c, head);
		client_send(&c, body, len);
		if (chunked)
			client_sends(&c, "\r\n0\r\n\r\n");
		struct answer a = client_read(&c, false);
		assert_int_equal(a.body_len, len + strlen("POST /big ? "));
		assert_memory_equal(a.body + strlen("POST /big ? "), body, len);
		answer_fini(&a);
		client_close(&c);
	}
	free(body);
}

static void what_is_wrong_gets_its_status_and_the_connection_ends(void **state)
{
	struct echo *e = *state;
	static const struct {
		const char *text;
		int status;
	} cases[] = {
			{"GARBAGE\r\n\r\n", 400},
			{"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello", 400},
			{"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
					400},
			{"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: "
			 "chunked\r\n\r\n0\r\n\r\n",
					400},
			{"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
			{"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n", 413},
			{"PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n",
					413},
			{"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct client c;
		char value[60];
		client_open(&c, &e->rig);
		client_sends(&c, cases[i].text);
		struct answer a = client_read(&c, false);
		assert_int_equal(a.status, cases[i].status);
		answer_header(&a, "Connection", value, sizeof(value));
		assert_string_equal(value, "close");
		answer_header(&a, "Content-Type", value, sizeof(value));
		assert_string_equal(value, "application/problem+json");
		answer_fini(&a);
		client_wait_closed(&c);
		client_close(&c);
	}
	assert_int_equal(e->handled, 0);
}

static void chunks_beyond_the_limit_are_413(void **state)
{
	struct echo *e = *state;
	struct client c;
	client_open(&c, &e->rig);
	client_sends(&c, "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 21; i++)
		client_sends(&c, "5\r\nhello\r\n");
	struct answer a = client_read(&c, false);
	assert_int_equal(a.status, 413);
	answer_fini(&a);
	client_close(&c);
	assert_int_equal(e->handled, 0);
}

static void a_refused_upload_still_reads_the_answer(void **state)
{
	struct echo *e = *state;
	struct client c;
	static char block[1 << 20];
	client_open(&c, &e->rig);
	client_sends(&c, "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n");
	for (int i = 0; i < 8; i++)
		client_send(&c, block, sizeof(block));
	struct answer a = client_read(&c, false);
	assert_int_equal(a.status, 413);
	answer_fini(&a);
	client_close(&c);
}

static void long_heads_are_414_and_431(void **state)
{
	struct echo *e = *state;
	char text[3000];
	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	struct answer a = rig_ask(&e->rig, text, sizeof(text));
	assert_int_equal(a.status, 414);
	answer_fini(&a);
	memcpy(text, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 28);
	a = rig_ask(&e->rig, text, sizeof(text));
	assert_int_equal(a.status, 431);
	answer_fini(&a);
	memcpy(text + sizeof(text) - 4, "\r\n\r\n", 4);
	a = rig_ask(&e->rig, text, sizeof(text));
	assert_int_equal(a.status, 431);
	answer_fini(&a);
}

static void continue_is_said_when_the_body_is_waited_for(void **state)
{
	struct echo *e = *state;
	struct client c;
	client_open(&c, &e->rig);
	client_sends(&c, "PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	struct answer a = client_read(&c, false);
	assert_int_equal(a.status, 100);
	answer_fini(&a);
	client_sends(&c, "hello");
	a = client_read(&c, false);
	assert_string_equal(a.body, "PUT /a ? hello");
	answer_fini(&a);
	client_close(&c);
}

static void a_dripping_client_is_cut_off(void **state)
{
	struct echo *e = *state;
	static const char *const begins[] = {
			"GET / HTTP/1.1\r\nX: ", "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n",
			"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n30\r\n"};
	for (size_t i = 0; i < 3; i++) {
		struct client c;
		int sent = 0;
		client_open(&c, &e->rig);
		client_sends(&c, begins[i]);
		for (; sent < 19; sent++) {
			client_sends(&c, "a");
			rig_turn(&e->rig);
			ch_clock_virtual_advance(&e->rig.time, 1);
		}
		assert_int_equal(c.in.len, 0);
		ch_clock_virtual_advance(&e->rig.time, 20);
		struct answer a = client_read(&c, false);
		assert_int_equal(a.status, 408);
		answer_fini(&a);
		client_close(&c);
	}
	assert_int_equal(e->handled, 0);
}

static void a_held_exchange_has_no_deadline(void **state)
{
	struct echo *e = *state;
	struct client c;
	e->hold = true;
	client_open(&c, &e->rig);
	client_sends(&c, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	while (e->held_count == 0)
		rig_turn(&e->rig);
	ch_clock_virtual_advance(&e->rig.time, 1000000);
	for (int i = 0; i < 20; i++)
		rig_turn(&e->rig);
	assert_int_equal(http_server_busy(e->rig.server), 1);
	echo_reply(e->held[0]);
	struct answer a = client_read(&c, false);
	assert_int_equal(a.status, 200);
	assert_int_equal(http_server_busy(e->rig.server), 0);
	answer_fini(&a);
	client_close(&c);
}

static void an_idle_connection_is_closed(void **state)
{
	struct echo *e = *state;
	struct client c;
	client_open(&c, &e->rig);
	client_sends(&c, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	struct answer a = client_read(&c, false);
	answer_fini(&a);
	assert_int_equal(http_server_connections(e->rig.server), 1);
	ch_clock_virtual_advance(&e->rig.time, 75000);
	client_wait_closed(&c);
	assert_int_equal(http_server_connections(e->rig.server), 0);
	client_close(&c);
}

static void replying_to_a_client_that_left_is_harmless(void **state)
{
	struct echo *e = *state;
	e->hold = true;
	for (size_t i = 0; i < 10; i++) {
		struct client c;
		client_open(&c, &e->rig);
		client_sends(&c, "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
		while (e->held_count == i)
			rig_turn(&e->rig);
		struct linger hard = {.l_onoff = 1};
		setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		client_close(&c);
		rig_turn(&e->rig);
	}
	for (size_t i = 0; i < 10; i++)
		echo_reply(e->held[i]);
	/* Those with a second request behind may hand that over before the reset is noticed. */
	for (size_t i = 10; i < e->held_count; i++)
		echo_reply(e->held[i]);
	while (http_server_connections(e->rig.server) > 0)
		rig_turn(&e->rig);
	assert_int_equal(http_server_busy(e->rig.server), 0);
}

static void a_reply_after_the_server_is_gone_is_harmless(void **state)
{
	struct echo *e = *state;
	struct client c;
	e->hold = true;
	client_open(&c, &e->rig);
	client_sends(&c, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	while (e->held_count == 0)
		rig_turn(&e->rig);
	http_server_destroy(&e->rig.server);
	echo_reply(e->held[0]);
	client_wait_closed(&c);
	assert_int_equal(c.in.len, 0);
	client_close(&c);
}

static void draining_lets_work_finish_and_takes_no_more(void **state)
{
	struct echo *e = *state;
	struct client idle;
	struct client busy;
	char value[20];
	e->hold = true;
	client_open(&idle, &e->rig);
	client_open(&busy, &e->rig);
	client_sends(&busy, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	while (e->held_count == 0)
		rig_turn(&e->rig);
	while (http_server_connections(e->rig.server) < 2)
		rig_turn(&e->rig);
	http_server_drain(e->rig.server);
	client_wait_closed(&idle);
	assert_int_equal(http_server_busy(e->rig.server), 1);
	echo_reply(e->held[0]);
	struct answer a = client_read(&busy, false);
	assert_int_equal(a.status, 200);
	answer_header(&a, "Connection", value, sizeof(value));
	assert_string_equal(value, "close");
	answer_fini(&a);
	client_wait_closed(&busy);
	client_close(&busy);
	client_close(&idle);
}

/* Until the stream waits for its reader, and the kernel takes no more either. */
static void wait_stalled(struct echo *e)
{
	size_t before = 0;
	for (int same = 0; same < 10; same++) {
		size_t backlog = e->stream ? http_reply_backlog(e->stream) : 0;
		if (backlog == 0 || backlog != before)
			same = 0;
		before = backlog;
		rig_turn(&e->rig);
	}
}

static void a_stream_waits_for_its_reader(void **state)
{
	struct echo *e = *state;
	struct client c;
	e->stream_left = 20000;
	client_open(&c, &e->rig);
	event_del(c.event);
	client_sends(&c, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_stalled(e);
	assert_true(e->stream_left > 0);
	event_add(c.event, NULL);
	struct answer a = client_read(&c, false);
	assert_int_equal(a.body_len, 20000000);
	assert_true(e->drains > 1);
	answer_fini(&a);
	a = client_read(&c, false);
	assert_string_equal(a.body, "GET /b ? ");
	answer_fini(&a);
	client_close(&c);
}

static void a_stream_to_http_1_0_ends_with_the_connection(void **state)
{
	struct echo *e = *state;
	const char *text = "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
	e->stream_left = 3;
	struct answer a = rig_ask(&e->rig, text, strlen(text));
	assert_int_equal(a.body_len, 3000);
	answer_fini(&a);
}

static void a_stream_whose_reader_leaves_is_told_so(void **state)
{
	struct echo *e = *state;
	struct client c;
	e->stream_left = 1000000;
	client_open(&c, &e->rig);
	event_del(c.event);
	client_sends(&c, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_stalled(e);
	client_close(&c);
	while (http_server_connections(e->rig.server) > 0)
		rig_turn(&e->rig);
	assert_null(e->stream);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, echo_setup, echo_teardown)

int group_http_server(void)
{
	const struct CMUnitTest tests[] = {
			TEST(a_request_is_answered),
			TEST(head_has_the_length_but_no_body),
			TEST(requests_sent_ahead_are_answered_in_order),
			TEST(a_flood_of_requests_sent_ahead_is_served),
			TEST(a_request_is_read_byte_by_byte),
			TEST(large_bodies_arrive_whole),
			TEST(what_is_wrong_gets_its_status_and_the_connection_ends),
			TEST(chunks_beyond_the_limit_are_413),
			TEST(a_refused_upload_still_reads_the_answer),
			TEST(long_heads_are_414_and_431),
			TEST(continue_is_said_when_the_body_is_waited_for),
			TEST(a_dripping_client_is_cut_off),
			TEST(a_held_exchange_has_no_deadline),
			TEST(an_idle_connection_is_closed),
			TEST(replying_to_a_client_that_left_is_harmless),
			TEST(a_reply_after_the_server_is_gone_is_harmless),
			TEST(draining_lets_work_finish_and_takes_no_more),
			TEST(a_stream_waits_for_its_reader),
			TEST(a_stream_to_http_1_0_ends_with_the_connection),
			TEST(a_stream_whose_reader_leaves_is_told_so),
	};
	return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
