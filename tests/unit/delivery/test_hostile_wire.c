#include "test_hostile.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "test_transport_kit.h"

#define BIG_BYTES 1500000
/* What the transport may read, twice, and what two kernels' socket buffers hold. */
#define PUSHED_MAX (2 * 65536 + 1000000)

static char block[16385];

static struct net *begin(struct post *p)
{
	struct net *f = net_begin(NULL, 0);
	kit_open(&f->kit);
	post_init(p, "http://127.0.0.1:%u/", f->receiver.port);
	return f;
}

static void end(struct post *p)
{
	post_fini(p);
	net_end();
}

static void post_enlarge(struct post *p, size_t len)
{
	static char big[BIG_BYTES];
	memset(big, 'x', sizeof(big));
	ch_bytes_unref(&p->job.body);
	p->job.body = ch_bytes_create(big, len);
}

static void assert_ok(struct kit *k, struct post *p)
{
	post_again(p);
	post_run(k, p);
	assert_outcome(p, ATTEMPT_ANSWERED);
	assert_int_equal(p->job.attempt.status, 200);
	assert_int_equal(p->job.attempt.answer_len, 2);
}

/* ---- without end ---- */

static void answer_body(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\n\r\n");
	peer_push(p, block);
}

static void answer_body_of_length(struct peer *p)
{
	peer_send(p, "HTTP/1.1 500 No\r\nContent-Length: 900000000000000000\r\n\r\n");
	peer_push(p, block);
}

static void answer_chunk(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\n");
	peer_push(p, block);
}

static void answer_small_chunks(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	peer_push(p, "10\r\n0123456789abcdef\r\n");
}

static void answer_trailers(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
	peer_push(p, "X-Trailer: and another one and another one and another one\r\n");
}

static void answer_headers(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\n");
	peer_push(p, "X-Header: and another one and another one and another one\r\n");
}

static void answer_line(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\nX-Line: ");
	peer_push(p, block);
}

static void answer_status_line(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 ");
	peer_push(p, block);
}

static void answer_noise(struct peer *p)
{
	peer_push(p, block);
}

static void answer_hints(struct peer *p)
{
	peer_push(p, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n");
}

static void answer_one_hint(struct peer *p)
{
	peer_send(p, "HTTP/1.1 103 Early Hints\r\n");
	peer_push(p, "Link: </style.css>; rel=preload; and more and more and more and more\r\n");
}

static void an_endless_answer_is_bounded(void **state)
{
	static const struct {
		void (*answer)(struct peer *p);
		enum attempt_outcome outcome;
		int status;
		size_t kept;
	} cases[] = {
			{answer_body, ATTEMPT_ANSWERED, 200, ATTEMPT_ANSWER_KEPT_MAX},
			{answer_body_of_length, ATTEMPT_ANSWERED, 500, ATTEMPT_ANSWER_KEPT_MAX},
			{answer_chunk, ATTEMPT_ANSWERED, 200, ATTEMPT_ANSWER_KEPT_MAX},
			{answer_small_chunks, ATTEMPT_ANSWERED, 200, ATTEMPT_ANSWER_KEPT_MAX},
			{answer_trailers, ATTEMPT_MALFORMED, 200, 0},
			{answer_headers, ATTEMPT_MALFORMED, 200, 0},
			{answer_line, ATTEMPT_MALFORMED, 200, 0},
			{answer_status_line, ATTEMPT_MALFORMED, 0, 0},
			{answer_noise, ATTEMPT_MALFORMED, 0, 0},
			{answer_hints, ATTEMPT_MALFORMED, 103, 0},
			{answer_one_hint, ATTEMPT_MALFORMED, 103, 0},
	};
	memset(block, 'e', sizeof(block) - 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct post p;
		struct net *f = begin(&p);
		f->receiver.on_request = cases[i].answer;
		post_run(&f->kit, &p);
		if (p.job.attempt.outcome != cases[i].outcome)
			fail_msg("case %zu: %s (%s)", i, attempt_outcome_name(p.job.attempt.outcome),
					p.job.attempt.detail);
		assert_int_equal(p.job.attempt.status, cases[i].status);
		assert_int_equal(p.job.attempt.answer_len, cases[i].kept);
		kit_until(&f->kit, &f->receiver.closed, 1);
		assert_true(f->receiver.pushed < PUSHED_MAX);
		end(&p);
	}
}

/* ---- receivers that do not take the request ---- */

static void read_nothing(struct peer *p)
{
	bufferevent_disable(p->bev, EV_READ);
}

static void a_receiver_that_does_not_read_is_a_timeout(void **state)
{
	struct post p;
	struct net *f = begin(&p);
	receiver_narrow(&f->receiver);
	f->receiver.on_accept = read_nothing;
	post_enlarge(&p, BIG_BYTES);
	p.job.timeout_ms = 80;
	post_run(&f->kit, &p);
	assert_outcome(&p, ATTEMPT_TIMEOUT);
	assert_words(&p, "no answer");
	assert_true(p.job.attempt.connect_us >= 0);
	end(&p);
}

static void a_receiver_that_closes_at_once_is_a_reset(void **state)
{
	static void (*const ends[])(struct peer *) = {peer_close, peer_reset};
	for (int i = 0; i < 4; i++) {
		struct post p;
		struct net *f = begin(&p);
		f->receiver.on_accept = ends[i % 2];
		if (i >= 2)
			post_enlarge(&p, BIG_BYTES);
		post_run(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_RESET);
		assert_int_equal(f->receiver.accepted, 1);
		assert_int_equal(f->receiver.requests, 0);
		end(&p);
	}
}

static int early_status;
static bool early_closes;

static void answer_early(struct peer *p)
{
	p->of->on_bytes = answer_nothing;
	bufferevent_disable(p->bev, EV_READ);
	peer_answer(p, early_status, "", "no");
	if (early_closes)
		peer_close(p);
}

static void an_answer_before_the_body_is_sent_counts(void **state)
{
	static const int statuses[] = {413, 401, 200, 202};
	for (int i = 0; i < 8; i++) {
		struct post p;
		struct net *f = begin(&p);
		receiver_narrow(&f->receiver);
		f->receiver.on_bytes = answer_early;
		early_status = statuses[i / 2];
		early_closes = i % 2 == 0;
		post_enlarge(&p, BIG_BYTES);
		if (!early_closes)
			p.job.timeout_ms = 100; /* a receiver that says 200 is owed the body till then */
		post_run(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_ANSWERED);
		assert_int_equal(p.job.attempt.status, early_status);
		assert_int_equal(p.job.attempt.answer_len, 2);
		assert_int_equal(f->receiver.accepted, 1);
		end(&p);
	}
}

/* ---- connections that are kept ---- */

static void reset_once(struct peer *p)
{
	p->of->on_bytes = NULL;
	peer_reset(p);
}

static void close_once(struct peer *p)
{
	p->of->on_bytes = NULL;
	peer_close(p);
}

static void a_big_body_on_a_dead_connection_is_sent_once_more(void **state)
{
	static void (*const ends[])(struct peer *) = {reset_once, close_once};
	static const size_t sizes[] = {70000, 300000, BIG_BYTES};
	for (int i = 0; i < 6; i++) {
		struct post p;
		struct net *f = begin(&p);
		assert_ok(&f->kit, &p);
		f->receiver.on_bytes = ends[i % 2];
		post_enlarge(&p, sizes[i / 2]);
		assert_ok(&f->kit, &p);
		assert_false(p.job.reused_connection);
		assert_int_equal(f->receiver.requests, 2);
		assert_int_equal(f->receiver.accepted, 2);
		f->receiver.on_bytes = peer_reset;
		post_again(&p);
		post_run(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_RESET);
		assert_int_equal(f->receiver.accepted, 3);
		end(&p);
	}
}

static const char gone[] = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n";
static const char *head_now;

static void answer_with_more_behind(struct peer *p)
{
	peer_send(p, head_now);
	for (int i = 0; i < 500; i++)
		peer_send(p, gone);
}

/* 410 would switch the webhook off. The neighbour is another webhook at the same host and port. */
static void bytes_behind_an_answer_are_not_the_next_one(void **state)
{
	static const char *const heads[] = {
			"HTTP/1.1 204 None\r\n\r\n",
			"HTTP/1.1 204 None\r\nContent-Length: 9\r\n\r\n",
			"HTTP/1.1 304 Same\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct post p, neighbour;
		struct net *f = begin(&p);
		post_init(&neighbour, "http://127.0.0.1:%u/", f->receiver.port);
		neighbour.job.endpoint.b[0] = 1;
		f->receiver.on_request = answer_with_more_behind;
		head_now = heads[i];
		post_run(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_ANSWERED);
		f->receiver.on_request = answer_ok;
		assert_ok(&f->kit, &neighbour);
		assert_ok(&f->kit, &p);
		assert_true(p.job.reused_connection);
		assert_int_equal(f->receiver.accepted, 2);
		post_fini(&neighbour);
		end(&p);
	}
}

/* The bytes are in the socket when the next request is handed in. */
static void bytes_on_an_idle_connection_are_not_the_next_answer(void **state)
{
	struct post p;
	struct net *f = begin(&p);
	for (int i = 0; i < 3; i++) {
		assert_ok(&f->kit, &p);
		assert_int_equal(f->receiver.accepted, i + 1);
		int fd = bufferevent_getfd(f->receiver.peers[f->receiver.peer_count - 1]->bev);
		assert_int_equal(send(fd, gone, sizeof(gone) - 1, 0), sizeof(gone) - 1);
	}
	end(&p);
}

static void slow_and_quick_connections_are_forgotten_alike(void **state)
{
	struct post quick, slow;
	struct net *f = begin(&quick);
	post_init(&slow, "http://127.0.0.1:%u/", f->receiver.port);
	slow.job.is_slow = true;
	slow.job.endpoint.b[0] = 1; /* a webhook of its own, so that both sets have connections */
	assert_ok(&f->kit, &quick);
	assert_ok(&f->kit, &slow);
	assert_int_equal(f->receiver.accepted, 2);
	f->kit.transport->forget(f->kit.transport, &slow.job.endpoint);
	kit_until(&f->kit, &f->receiver.closed, 1);
	assert_ok(&f->kit, &slow);
	assert_false(slow.job.reused_connection);
	assert_ok(&f->kit, &quick);
	assert_true(quick.job.reused_connection);
	post_fini(&slow);
	end(&quick);
}

static void a_change_of_pace_leaves_no_connections_behind(void **state)
{
	struct post p[3];
	struct net *f = begin(&p[0]);
	for (int i = 1; i < 3; i++)
		post_init(&p[i], "http://127.0.0.1:%u/", f->receiver.port);
	for (int turn = 0; turn < 4; turn++) {
		for (int i = 0; i < 3; i++) {
			post_again(&p[i]);
			p[i].job.is_slow = turn % 2 == 1;
			post_send(&f->kit, &p[i]);
		}
		for (int i = 0; i < 3; i++) {
			post_wait(&f->kit, &p[i]);
			assert_outcome(&p[i], ATTEMPT_ANSWERED);
		}
		kit_until(&f->kit, &f->receiver.closed, 3 * turn);
		assert_int_equal(f->receiver.peer_count, 3);
	}
	for (int i = 1; i < 3; i++)
		post_fini(&p[i]);
	end(&p[0]);
}

int hostile_wire_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(an_endless_answer_is_bounded),
			cmocka_unit_test(a_receiver_that_does_not_read_is_a_timeout),
			cmocka_unit_test(a_receiver_that_closes_at_once_is_a_reset),
			cmocka_unit_test(an_answer_before_the_body_is_sent_counts),
			cmocka_unit_test(a_big_body_on_a_dead_connection_is_sent_once_more),
			cmocka_unit_test(bytes_behind_an_answer_are_not_the_next_one),
			cmocka_unit_test(bytes_on_an_idle_connection_are_not_the_next_answer),
			cmocka_unit_test(slow_and_quick_connections_are_forgotten_alike),
			cmocka_unit_test(a_change_of_pace_leaves_no_connections_behind),
	};
	return cmocka_run_group_tests_name("hostile wire", tests, NULL, NULL);
}
