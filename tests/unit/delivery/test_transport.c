#include "test_transport_kit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int transport_tests(void);

struct fixture {
	struct kit kit;
	struct receiver receiver;
	struct post post;
};

static int set_up(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	kit_init(&f.kit);
	kit_open(&f.kit);
	receiver_open(&f.receiver, f.kit.base, answer_ok);
	post_init(&f.post, "http://127.0.0.1:%u/hook?token=hidden", f.receiver.port);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	post_fini(&f->post);
	receiver_close(&f->receiver);
	kit_close(&f->kit);
	return 0;
}

/* ---- what is sent and kept ---- */

static void a_plain_answer_is_recorded(void **state)
{
	struct fixture *f = *state;
	post_run(&f->kit, &f->post);
	const struct attempt *a = &f->post.job.attempt;
	assert_outcome(&f->post, ATTEMPT_ANSWERED);
	assert_int_equal(a->status, 200);
	assert_int_equal(a->answer_len, 2);
	assert_memory_equal(a->answer, "ok", 2);
	assert_int_equal(a->dns_us, -1);
	assert_true(a->connect_us > 0 && a->first_byte_us >= a->connect_us &&
			a->total_us >= a->first_byte_us);
	assert_int_equal(a->tls_us, -1);
	assert_int_equal(a->address.len, 4);
	assert_memory_equal(a->address.b, "\x7f\0\0\1", 4);
	assert_string_equal(a->tls_version, "");
	assert_int_equal(a->cert_end_s, 0);
	assert_int_equal(a->retry_after_s, -1);
	assert_null(a->location);
	assert_false(f->post.job.reused_connection);
}

static void the_request_is_what_was_asked_for(void **state)
{
	struct fixture *f = *state;
	post_run(&f->kit, &f->post);
	const char *r = f->receiver.last_request;
	char host[64];
	snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%u\r\n", f->receiver.port);
	assert_ptr_equal(strstr(r, "POST /hook?token=hidden HTTP/1.1\r\n"), r);
	assert_non_null(strstr(r, host));
	assert_non_null(strstr(r, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(r, "\r\nwebhook-id: one\r\n"));
	assert_non_null(strstr(r, "\r\nContent-Length: 12\r\n"));
	assert_non_null(strstr(r, "\r\n\r\n{\"id\":\"one\"}"));
	assert_null(strstr(r, "Expect"));
	assert_null(strstr(r, "Accept-Encoding"));
	assert_null(strstr(r, "User-Agent"));
}

static void a_big_body_needs_no_permission(void **state)
{
	static char big[1500000];
	struct fixture *f = *state;
	memset(big, 'x', sizeof(big));
	ch_bytes_unref(&f->post.job.body);
	f->post.job.body = ch_bytes_create(big, sizeof(big));
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_ANSWERED);
	assert_non_null(strstr(f->receiver.last_request, "\r\nContent-Length: 1500000\r\n"));
	assert_null(strstr(f->receiver.last_request, "Expect"));
}

static void a_changed_job_on_a_kept_handle_sends_the_new_one(void **state)
{
	struct fixture *f = *state;
	static const char *const headers[] = {"A: 1", "B: 2", "C: 3"};
	post_run(&f->kit, &f->post);
	post_fini(&f->post);
	post_init(&f->post, "http://127.0.0.1:%u/other", f->receiver.port);
	f->post.job.headers = headers;
	f->post.job.header_count = 3;
	ch_bytes_unref(&f->post.job.body);
	f->post.job.body = ch_bytes_create("", 0);
	post_run(&f->kit, &f->post);
	const char *r = f->receiver.last_request;
	assert_true(f->post.job.reused_connection);
	assert_ptr_equal(strstr(r, "POST /other HTTP/1.1\r\n"), r);
	assert_non_null(strstr(r, "\r\nA: 1\r\nB: 2\r\nC: 3\r\n"));
	assert_non_null(strstr(r, "\r\nContent-Length: 0\r\n"));
	assert_null(strstr(r, "webhook-id"));
}

/* ---- statuses and headers ---- */

static void answer_redirect(struct peer *p)
{
	char headers[128];
	snprintf(headers, sizeof(headers), "Location: http://127.0.0.1:%u/elsewhere\x01\xff\r\n",
			p->of->port);
	peer_answer(p, 307, headers, "");
}

static void a_redirect_is_not_followed(void **state)
{
	struct fixture *f = *state;
	char expected[64];
	f->receiver.on_request = answer_redirect;
	post_run(&f->kit, &f->post);
	snprintf(expected, sizeof(expected), "http://127.0.0.1:%u/elsewhere??", f->receiver.port);
	assert_outcome(&f->post, ATTEMPT_ANSWERED);
	assert_int_equal(f->post.job.attempt.status, 307);
	assert_string_equal(f->post.job.attempt.location, expected);
	assert_int_equal(f->receiver.requests, 1);
}

static void answer_later(struct peer *p)
{
	peer_answer(p, 503, "Retry-After: 120\r\nLocation: /not-of-a-3xx\r\n", "");
}

static void answer_date(struct peer *p)
{
	peer_answer(p, 429,
			"date: Tue, 30 Jul 2024 14:35:00 GMT\r\n"
			"retry-after:   Tue, 30 Jul 2024 14:36:30 GMT  \r\n",
			"");
}

static void retry_after_is_read_against_the_answers_own_date(void **state)
{
	struct fixture *f = *state;
	f->receiver.on_request = answer_later;
	post_run(&f->kit, &f->post);
	assert_int_equal(f->post.job.attempt.status, 503);
	assert_int_equal(f->post.job.attempt.retry_after_s, 120);
	assert_null(f->post.job.attempt.location);
	post_again(&f->post);
	f->receiver.on_request = answer_date;
	post_run(&f->kit, &f->post);
	assert_int_equal(f->post.job.attempt.retry_after_s, 90);
}

static void answer_after_hints(struct peer *p)
{
	peer_send(p, "HTTP/1.1 103 Early Hints\r\nRetry-After: 5\r\nLocation: /hint\r\n\r\n");
	peer_send(p, "HTTP/1.1 100 Continue\r\n\r\n");
	peer_answer(p, 302, "", "");
}

static void an_informational_answer_is_skipped_with_its_headers(void **state)
{
	struct fixture *f = *state;
	f->receiver.on_request = answer_after_hints;
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_ANSWERED);
	assert_int_equal(f->post.job.attempt.status, 302);
	assert_int_equal(f->post.job.attempt.retry_after_s, -1);
	assert_null(f->post.job.attempt.location);
}

static void answer_trailers(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Retry-After\r\n\r\n"
		     "2\r\nhi\r\n0\r\nRetry-After: 77\r\n\r\n");
}

static void trailers_are_not_headers(void **state)
{
	struct fixture *f = *state;
	f->receiver.on_request = answer_trailers;
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_ANSWERED);
	assert_memory_equal(f->post.job.attempt.answer, "hi", 2);
	assert_int_equal(f->post.job.attempt.retry_after_s, -1);
}

/* ---- bounds ---- */

static void answer_ten_thousand(struct peer *p)
{
	static char body[10001];
	memset(body, 'b', sizeof(body) - 1);
	peer_answer(p, 500, "", body);
}

static void only_the_beginning_of_an_answer_is_kept(void **state)
{
	struct fixture *f = *state;
	f->receiver.on_request = answer_ten_thousand;
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_ANSWERED);
	assert_int_equal(f->post.job.attempt.status, 500);
	assert_int_equal(f->post.job.attempt.answer_len, ATTEMPT_ANSWER_KEPT_MAX);
	post_again(&f->post);
	post_run(&f->kit, &f->post);
	assert_true(f->post.job.reused_connection);
}

static void send_block(evutil_socket_t fd, short what, void *peer)
{
	static char block[16384];
	memset(block, 'e', sizeof(block) - 1);
	peer_send(peer, block);
}

static void answer_endless(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
	peer_tick(p, send_block, 1);
}

static void an_endless_answer_is_decided_by_its_status(void **state)
{
	struct fixture *f = *state;
	f->receiver.on_request = answer_endless;
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_ANSWERED);
	assert_int_equal(f->post.job.attempt.status, 200);
	assert_int_equal(f->post.job.attempt.answer_len, ATTEMPT_ANSWER_KEPT_MAX);
	f->receiver.on_request = answer_ok;
	post_again(&f->post);
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_ANSWERED);
	assert_false(f->post.job.reused_connection);
}

static void send_header(evutil_socket_t fd, short what, void *peer)
{
	for (int i = 0; i < 64; i++)
		peer_send(peer, "X-More: and more and more and more and more and more and more and more\r\n");
}

static void answer_endless_header(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\n");
	peer_tick(p, send_header, 1);
}

static void answer_endless_line(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\nX-Line: ");
	peer_tick(p, send_block, 1);
}

static void answer_endless_status(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 ");
	peer_tick(p, send_block, 1);
}

static void send_hints(evutil_socket_t fd, short what, void *peer)
{
	for (int i = 0; i < 20; i++)
		peer_send(peer, "HTTP/1.1 103 Early Hints\r\n\r\n");
}

static void answer_endless_hints(struct peer *p)
{
	peer_tick(p, send_hints, 1);
}

static void answer_noise(struct peer *p)
{
	peer_send(p, "220 mail.example ESMTP\r\n");
	peer_close(p);
}

static void answer_bad_chunk(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a number\r\n");
}

static void answer_bad_length(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\nContent-Length: minus\r\n\r\n");
}

static void answer_other_protocol(struct peer *p)
{
	peer_send(p, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
		     "Upgrade\r\n\r\n\x81");
	peer_close(p);
}

static void what_is_no_answer_is_malformed(void **state)
{
	static const struct {
		const char *name;
		void (*answer)(struct peer *p);
		const char *words;
	} cases[] = {
			{"endless header", answer_endless_header, "longer than 65536"},
			{"endless line", answer_endless_line, "header"},
			{"endless status line", answer_endless_status, "header"},
			{"endless hints", answer_endless_hints, "more than 16 informational"},
			{"noise", answer_noise, "not HTTP/1.1"},
			{"bad chunk", answer_bad_chunk, "chunks"},
			{"bad length", answer_bad_length, "malformed"},
			{"other protocol", answer_other_protocol, "final status"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f->receiver.on_request = cases[i].answer;
		post_again(&f->post);
		post_run(&f->kit, &f->post);
		if (f->post.job.attempt.outcome != ATTEMPT_MALFORMED)
			fail_msg("%s: %s (%s)", cases[i].name,
					attempt_outcome_name(f->post.job.attempt.outcome),
					f->post.job.attempt.detail);
		assert_words(&f->post, cases[i].words);
		assert_null(strstr(f->post.job.attempt.detail, "hidden"));
	}
}

/* ---- deadlines ---- */

static void send_byte(evutil_socket_t fd, short what, void *peer)
{
	peer_send(peer, "x");
}

static void answer_drip(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	peer_tick(p, send_byte, 3);
}

static void answer_drip_header(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\nX-Slow: ");
	peer_tick(p, send_byte, 3);
}

static void an_unfinished_answer_is_a_timeout(void **state)
{
	struct fixture *f = *state;
	f->post.job.timeout_ms = 60;
	f->receiver.on_request = answer_nothing;
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_TIMEOUT);
	assert_words(&f->post, "no answer");
	assert_int_equal(f->post.job.attempt.status, 0);
	assert_int_equal(f->post.job.attempt.first_byte_us, -1);
	assert_true(f->post.job.attempt.connect_us > 0);
	post_again(&f->post);
	f->receiver.on_request = answer_drip_header;
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_TIMEOUT);
	post_again(&f->post);
	f->receiver.on_request = answer_drip;
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_TIMEOUT);
	assert_words(&f->post, "not finished");
	assert_int_equal(f->post.job.attempt.status, 200);
	assert_true(f->post.job.attempt.answer_len > 0);
}

/* The first job leaves a timer that rings before the second one's deadline. */
static void a_later_deadline_outlives_an_earlier_timer(void **state)
{
	struct fixture *f = *state;
	f->post.job.timeout_ms = 50;
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_ANSWERED);
	f->receiver.on_request = answer_nothing;
	f->post.job.timeout_ms = 120;
	post_again(&f->post);
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_TIMEOUT);
}

/* ---- connections that end ---- */

static void answer_half_body(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	peer_close(p);
}

static void answer_half_chunk(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nhalf");
	peer_close(p);
}

static void answer_half_header(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\nX-Half: ");
	peer_reset(p);
}

static void a_connection_that_ends_too_early_is_a_reset(void **state)
{
	static void (*const answers[])(struct peer *) = {
			answer_half_body, answer_half_chunk, answer_half_header, peer_close, peer_reset};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		f->receiver.on_request = answers[i];
		f->receiver.requests = 0;
		post_again(&f->post);
		post_run(&f->kit, &f->post);
		if (f->post.job.attempt.outcome != ATTEMPT_RESET)
			fail_msg("case %zu: %s (%s)", i, attempt_outcome_name(f->post.job.attempt.outcome),
					f->post.job.attempt.detail);
		assert_int_equal(f->receiver.requests, 1);
	}
}

static void answer_until_closed(struct peer *p)
{
	peer_send(p, "HTTP/1.1 200 OK\r\n\r\nall of it");
	peer_close(p);
}

static void an_answer_may_end_with_the_connection(void **state)
{
	struct fixture *f = *state;
	f->receiver.on_request = answer_until_closed;
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_ANSWERED);
	assert_int_equal(f->post.job.attempt.answer_len, 9);
}

static void a_refused_connection_names_the_address(void **state)
{
	struct fixture *f = *state;
	receiver_close(&f->receiver);
	post_run(&f->kit, &f->post);
	assert_outcome(&f->post, ATTEMPT_REFUSED);
	assert_words(&f->post, "127.0.0.1 port");
	assert_int_equal(f->post.job.attempt.connect_us, -1);
	assert_int_equal(f->post.job.attempt.address.len, 0);
	receiver_open(&f->receiver, f->kit.base, answer_ok);
}

int transport_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(a_plain_answer_is_recorded, set_up, tear_down),
			cmocka_unit_test_setup_teardown(the_request_is_what_was_asked_for, set_up, tear_down),
			cmocka_unit_test_setup_teardown(a_big_body_needs_no_permission, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					a_changed_job_on_a_kept_handle_sends_the_new_one, set_up, tear_down),
			cmocka_unit_test_setup_teardown(a_redirect_is_not_followed, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					retry_after_is_read_against_the_answers_own_date, set_up, tear_down),
			cmocka_unit_test_setup_teardown(an_informational_answer_is_skipped_with_its_headers,
					set_up, tear_down),
			cmocka_unit_test_setup_teardown(trailers_are_not_headers, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					only_the_beginning_of_an_answer_is_kept, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					an_endless_answer_is_decided_by_its_status, set_up, tear_down),
			cmocka_unit_test_setup_teardown(what_is_no_answer_is_malformed, set_up, tear_down),
			cmocka_unit_test_setup_teardown(an_unfinished_answer_is_a_timeout, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					a_later_deadline_outlives_an_earlier_timer, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					a_connection_that_ends_too_early_is_a_reset, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					an_answer_may_end_with_the_connection, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					a_refused_connection_names_the_address, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}
