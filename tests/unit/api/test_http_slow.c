#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "echo.h"
#include "groups.h"

/* Clients that take a long answer piece by piece. 20 ms is the time for a request, and for a piece. */

#define HUGE ((size_t)200 * 1024 * 1024)
#define PIECE ((size_t)4 * 1024 * 1024) /* more than the kernel keeps from one wake to the next */
#define STEP_MS 10

/* The client asks, and reads nothing by itself from now on. */
static void begin(struct echo *e, struct client *c, int64_t send_min_bytes_s)
{
	struct http_server_conf conf = echo_conf(e);
	http_server_destroy(&e->rig.server);
	conf.send_min_bytes_s = send_min_bytes_s;
	rig_serve(&e->rig, &conf);
	e->huge_bytes = HUGE;
	client_open(c, &e->rig);
	event_del(c->event);
	client_sends(c, "GET /huge HTTP/1.1\r\nHost: x\r\n\r\n");
	while (e->handled == 0)
		rig_turn(&e->rig);
}

/* False: the server has closed. */
static bool read_piece(struct echo *e, struct client *c)
{
	static char to[65536];
	size_t got = 0;
	while (got < PIECE) {
		ssize_t n = recv(c->fd, to, sizeof(to), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return false;
		if (n < 0)
			rig_turn(&e->rig);
		got += n > 0 ? (size_t)n : 0;
	}
	return true;
}

static int steps_until_closed(struct echo *e, struct client *c, int at_most)
{
	int steps = 0;
	while (steps < at_most && http_server_connections(e->rig.server) > 0 && read_piece(e, c)) {
		rig_turn(&e->rig);
		ch_clock_virtual_advance(&e->rig.time, STEP_MS);
		steps++;
	}
	return steps;
}

/* 4 MiB in 10 ms, where 20 MB should be taken. Each piece renews the 20 ms for the next. */
static void one_that_takes_too_little_is_cut_off(void **state)
{
	struct echo *e = *state;
	struct client c;
	begin(e, &c, 2000000000);
	int steps = steps_until_closed(e, &c, 30);
	assert_in_range(steps, 2, 10);
	assert_int_equal(http_server_connections(e->rig.server), 0);
	client_close(&c);
}

static void one_that_keeps_up_takes_its_time(void **state)
{
	struct echo *e = *state;
	struct client c;
	begin(e, &c, 100000000);
	assert_int_equal(steps_until_closed(e, &c, 30), 30);
	assert_int_equal(http_server_connections(e->rig.server), 1);
	client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, echo_setup, echo_teardown)

int group_http_slow(void)
{
	const struct CMUnitTest tests[] = {
			TEST(one_that_takes_too_little_is_cut_off),
			TEST(one_that_keeps_up_takes_its_time),
	};
	return cmocka_run_group_tests_name("http_slow", tests, NULL, NULL);
}
