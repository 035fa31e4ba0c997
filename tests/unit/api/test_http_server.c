#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http_server.h"
#include "base/alloc.h"
#include "groups.h"
#include "rig.h"

/* A handler that tells back what it was asked, at once or when released, and streams on /stream. */
struct echo {
	struct rig rig;
	bool hold;
	struct http_exchange *held[64];
	size_t held_count;
	int handled;
	int drains;
	size_t stream_left;
	struct http_exchange *stream;
};

static void echo_reply(struct http_exchange *x)
{
	size_t body_len;
	const char *body = http_body(x, &body_len);
	struct ch_buf text;
	ch_buf_init(&text, SIZE_MAX);
	ch_buf_addf(&text, "%s %s ?%s ", http_method(x), http_path(x), http_query(x));
	ch_buf_add(&text, body, body_len);
	const struct http_header more[] = {{"X-Extra", "yes"}};
	http_reply(x, &(struct http_response){.status = 200,
				      .content_type = "text/plain",
				      .text = text.data,
				      .text_len = text.len,
				      .headers = more,
				      .header_count = 1});
	ch_buf_fini(&text);
}

static void stream_on(void *ctx)
{
	struct echo *e = ctx;
	static char block[1000];
	memset(block, 'a', sizeof(block));
	e->drains++;
	while (e->stream_left > 0 && http_reply_backlog(e->stream) < 100000) {
		e->stream_left--;
		http_reply_more(e->stream, block, sizeof(block));
	}
	if (e->stream_left > 0) {
		http_reply_on_drain(e->stream, stream_on, e);
		return;
	}
	http_reply_end(e->stream);
	e->stream = NULL;
}

static void echo_handle(void *ctx, struct http_exchange *x)
{
	struct echo *e = ctx;
	e->handled++;
	if (strcmp(http_path(x), "/stream") == 0) {
		e->stream = x;
		http_reply_start(x, &(struct http_response){.status = 200, .content_type = "text/plain"});
		stream_on(e);
	} else if (e->hold) {
		e->held[e->held_count++] = x;
	} else {
		echo_reply(x);
	}
}

static size_t echo_body_max(void *ctx, const char *method, const char *path)
{
	return strcmp(path, "/big") == 0 ? 3000000 : 100;
}

static struct http_server_conf echo_conf(struct echo *e)
{
	return (struct http_server_conf){.handle = echo_handle,
			.ctx = e,
			.body_max_of = echo_body_max,
			.request_timeout_ms = 20,
			.header_max_bytes = 2000};
}

static int setup(void **state)
{
	struct echo *e = calloc(1, sizeof(*e));
	struct http_server_conf conf = echo_conf(e);
	rig_init(&e->rig);
	rig_serve(&e->rig, &conf);
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct echo *e = *state;
	rig_fini(&e->rig);
	free(e);
	return 0;
}

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

static void beyond_the_limit_the_longest_idle_makes_room(void **state)
{
	struct echo *e = *state;
	struct http_server_conf conf = echo_conf(e);
	struct client c[4];
	http_server_destroy(&e->rig.server);
	conf.connections_max = 2;
	rig_serve(&e->rig, &conf);
	e->hold = true;
	client_open(&c[0], &e->rig);
	client_open(&c[1], &e->rig);
	client_sends(&c[1], "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	while (e->held_count < 1)
		rig_turn(&e->rig);
	ch_clock_virtual_advance(&e->rig.time, 1000);
	client_open(&c[2], &e->rig);
	client_sends(&c[2], "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	client_wait_closed(&c[0]);
	while (e->held_count < 2)
		rig_turn(&e->rig);
	client_open(&c[3], &e->rig);
	struct answer a = client_read(&c[3], false);
	assert_int_equal(a.status, 503);
	answer_fini(&a);
	echo_reply(e->held[0]);
	echo_reply(e->held[1]);
	a = client_read(&c[2], false);
	assert_string_equal(a.body, "GET /b ? ");
	answer_fini(&a);
	for (int i = 0; i < 4; i++)
		client_close(&c[i]);
}

/* Else those who come at once would push each other out, and none be served. */
static void one_that_has_just_come_is_not_idle(void **state)
{
	struct echo *e = *state;
	struct http_server_conf conf = echo_conf(e);
	struct client c[4];
	http_server_destroy(&e->rig.server);
	conf.connections_max = 2;
	rig_serve(&e->rig, &conf);
	client_open(&c[0], &e->rig);
	client_open(&c[1], &e->rig);
	while (http_server_connections(e->rig.server) < 2)
		rig_turn(&e->rig);
	client_open(&c[2], &e->rig);
	struct answer a = client_read(&c[2], false);
	assert_int_equal(a.status, 503);
	answer_fini(&a);
	client_sends(&c[0], "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	a = client_read(&c[0], false);
	assert_int_equal(a.status, 200);
	answer_fini(&a);
	/* That one is served, so it can go, and the other can't yet. */
	client_open(&c[3], &e->rig);
	client_sends(&c[3], "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	a = client_read(&c[3], false);
	assert_int_equal(a.status, 200);
	answer_fini(&a);
	client_wait_closed(&c[0]);
	assert_false(c[1].is_closed);
	for (int i = 0; i < 4; i++)
		client_close(&c[i]);
}

static void out_of_descriptors_accepting_pauses_and_goes_on(void **state)
{
	struct echo *e = *state;
	struct rlimit before;
	struct client c;
	client_open(&c, &e->rig);
	client_sends(&c, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	getrlimit(RLIMIT_NOFILE, &before);
	struct rlimit none = {.rlim_cur = (rlim_t)c.fd + 1, .rlim_max = before.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	int turns = 0;
	for (; turns < 10; turns++)
		rig_turn(&e->rig);
	assert_int_equal(http_server_connections(e->rig.server), 0);
	setrlimit(RLIMIT_NOFILE, &before);
	struct answer a = client_read(&c, false);
	assert_int_equal(a.status, 200);
	answer_fini(&a);
	client_close(&c);
}

/* Every number below the limit is taken: what the process opens next is refused. */
static void take_all_descriptors(struct rlimit *ret_before)
{
	int next = dup(0);
	assert_true(next >= 0);
	close(next);
	getrlimit(RLIMIT_NOFILE, ret_before);
	struct rlimit none = {.rlim_cur = (rlim_t)next, .rlim_max = ret_before->rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
}

static void out_of_descriptors_the_longest_idle_makes_room(void **state)
{
	struct echo *e = *state;
	struct rlimit before;
	struct client c[4];
	for (int i = 0; i < 3; i++) {
		client_open(&c[i], &e->rig);
		client_sends(&c[i], "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
		struct answer a = client_read(&c[i], false);
		assert_int_equal(a.status, 200);
		answer_fini(&a);
	}
	e->hold = true;
	client_sends(&c[0], "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	while (e->held_count < 1)
		rig_turn(&e->rig);
	e->hold = false;
	client_open(&c[3], &e->rig);
	take_all_descriptors(&before);
	client_sends(&c[3], "GET /c HTTP/1.1\r\nHost: x\r\n\r\n");
	struct answer a = client_read(&c[3], false);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_string_equal(a.body, "GET /c ? ");
	answer_fini(&a);
	client_wait_closed(&c[1]);
	assert_int_equal(http_server_connections(e->rig.server), 3);
	assert_false(c[0].is_closed || c[2].is_closed);
	echo_reply(e->held[0]);
	a = client_read(&c[0], false);
	assert_int_equal(a.status, 200);
	answer_fini(&a);
	for (int i = 0; i < 4; i++)
		client_close(&c[i]);
}

static void an_address_in_use_is_named(void **state)
{
	struct echo *e = *state;
	struct http_server_conf conf = echo_conf(e);
	struct http_server *second = NULL;
	struct ch_err err;
	conf.base = e->rig.base;
	conf.clock = ch_clock_system();
	conf.host = "127.0.0.1";
	conf.port = http_server_port(e->rig.server);
	conf.listen_fd = -1;
	assert_int_equal(http_server_start(&conf, &second, &err), CH_EIO);
	assert_non_null(strstr(err.text, "127.0.0.1:"));
	conf.host = "not an address";
	assert_int_equal(http_server_start(&conf, &second, &err), CH_EIO);
	assert_null(second);
}

struct nth {
	int left;
};

static bool nth_fails(void *ctx)
{
	struct nth *n = ctx;
	return n->left > 0 && --n->left == 0;
}

static void any_allocation_may_fail(void **state)
{
	struct echo *e = *state;
	static const char text[] = "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
	int answered = 0;
	for (int n = 1; n < 40 && answered < 3; n++) {
		struct nth nth = {.left = n};
		struct client c;
		client_open(&c, &e->rig);
		(void)!ch_buf_reserve(&c.in, 4096);
		client_sends(&c, text);
		ch_alloc_set_hook(nth_fails, &nth);
		while (c.in.len == 0 && !c.is_closed)
			rig_turn(&e->rig);
		ch_alloc_set_hook(NULL, NULL);
		struct answer a = client_read(&c, false);
		assert_true(a.status == 0 || a.status == 200 || a.status == 503);
		if (a.status == 200 && nth.left > 0)
			answered++;
		answer_fini(&a);
		client_close(&c);
	}
	assert_true(answered > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
			TEST(beyond_the_limit_the_longest_idle_makes_room),
			TEST(one_that_has_just_come_is_not_idle),
			TEST(out_of_descriptors_accepting_pauses_and_goes_on),
			TEST(out_of_descriptors_the_longest_idle_makes_room),
			TEST(an_address_in_use_is_named),
			TEST(any_allocation_may_fail),
	};
	return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
