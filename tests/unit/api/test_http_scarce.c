#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "echo.h"
#include "groups.h"

/* What the server does when something runs out: connections, descriptors, memory. */

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, echo_setup, echo_teardown)

int group_http_scarce(void)
{
	const struct CMUnitTest tests[] = {
			TEST(beyond_the_limit_the_longest_idle_makes_room),
			TEST(one_that_has_just_come_is_not_idle),
			TEST(out_of_descriptors_accepting_pauses_and_goes_on),
			TEST(out_of_descriptors_the_longest_idle_makes_room),
			TEST(an_address_in_use_is_named),
			TEST(any_allocation_may_fail),
	};
	return cmocka_run_group_tests_name("http_scarce", tests, NULL, NULL);
}
