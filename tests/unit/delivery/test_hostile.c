#include "test_hostile.h"

#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "test_transport_kit.h"

/* What the receiver says next, whatever was asked. */
static struct {
	const void *data;
	size_t len;
	bool closes;
} speech;

static void say(const void *data, size_t len, bool closes)
{
	speech.data = data;
	speech.len = len;
	speech.closes = closes;
}

static void answer_speech(struct peer *p)
{
	peer_send_bytes(p, speech.data, speech.len);
	if (speech.closes)
		peer_close(p);
}

/* A receiver, and a job that lasts long unless the receiver is expected to be waited for. */
static struct net *begin(struct post *p)
{
	struct net *f = net_begin(NULL, 0);
	kit_open(&f->kit);
	f->receiver.on_request = answer_speech;
	post_init(p, "http://127.0.0.1:%u/", f->receiver.port);
	return f;
}

static void end(struct post *p)
{
	post_fini(p);
	net_end();
}

/* Whatever went before, the next request gets its own answer. */
static void assert_next_is_fine(struct net *f, struct post *p)
{
	int timeout_ms = p->job.timeout_ms;
	f->receiver.on_request = answer_ok;
	p->job.timeout_ms = 5000;
	post_again(p);
	post_run(&f->kit, p);
	assert_outcome(p, ATTEMPT_ANSWERED);
	assert_int_equal(p->job.attempt.status, 200);
	assert_int_equal(p->job.attempt.answer_len, 2);
	assert_memory_equal(p->job.attempt.answer, "ok", 2);
	f->receiver.on_request = answer_speech;
	p->job.timeout_ms = timeout_ms;
	post_again(p);
}

#define TEXT(s) (s), sizeof(s) - 1

static void assert_malformed(struct net *f, struct post *p, const char *name, const char *words)
{
	post_run(&f->kit, p);
	if (p->job.attempt.outcome != ATTEMPT_MALFORMED)
		fail_msg("%s: %s (%s)", name, attempt_outcome_name(p->job.attempt.outcome),
				p->job.attempt.detail);
	assert_words(p, words);
	assert_next_is_fine(f, p);
}

/* ---- Content-Length ---- */

static void a_bad_content_length_is_malformed(void **state)
{
	static const char *const values[] = {
			"-1",
			"+2",
			"2x",
			"0x2",
			"2 2",
			"",
			"\r\n 2",
			"two",
			"2, 3",
			"2,",
			",2",
			"99999999999999999999999",
			"18446744073709551618",
			"2\r\nContent-Length: 3",
			"3\r\ncontent-length: 2",
			"2\r\nTransfer-Encoding: chunked\r\nContent-Length: 3",
	};
	struct post p;
	char text[256];
	struct net *f = begin(&p);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		for (int closes = 0; closes < 2; closes++) {
			int len = snprintf(text, sizeof(text),
					"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\nok", values[i]);
			say(text, (size_t)len, closes);
			assert_malformed(f, &p, values[i], "malformed");
		}
	}
	end(&p);
}

static void a_length_that_is_said_twice_is_a_length(void **state)
{
	static const char *const values[] = {"2", "2, 2", "2 ,2", "02", "2\r\nContent-Length: 2"};
	struct post p;
	char text[256];
	struct net *f = begin(&p);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		int len = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\nok",
				values[i]);
		say(text, (size_t)len, false);
		post_again(&p);
		post_run(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_ANSWERED);
		assert_int_equal(p.job.attempt.answer_len, 2);
	}
	assert_int_equal(f->receiver.accepted, 1);
	end(&p);
}

static void a_length_that_does_not_fit(void **state)
{
	static const struct {
		const char *text;
		bool closes;
		enum attempt_outcome outcome;
	} cases[] = {
			{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", true, ATTEMPT_RESET},
			{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", false, ATTEMPT_TIMEOUT},
			{"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\nok", true,
					ATTEMPT_RESET},
			{"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\nok", false,
					ATTEMPT_TIMEOUT},
			{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok", false, ATTEMPT_ANSWERED},
			{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nok", false, ATTEMPT_ANSWERED},
			{"HTTP/1.1 204 None\r\nContent-Length: 9\r\n\r\n", false, ATTEMPT_ANSWERED},
	};
	struct post p;
	struct net *f = begin(&p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		say(cases[i].text, strlen(cases[i].text), cases[i].closes);
		p.job.timeout_ms = cases[i].outcome == ATTEMPT_TIMEOUT ? 60 : 5000;
		post_run(&f->kit, &p);
		assert_outcome(&p, cases[i].outcome);
		assert_next_is_fine(f, &p);
	}
	end(&p);
}

/* ---- what is no answer ---- */

static void a_broken_answer_is_malformed(void **state)
{
	static const struct {
		const char *name, *text;
		size_t len;
	} cases[] = {
			{"HTTP/0.9", TEXT("<html>It works!</html>\n")},
			{"ICY", TEXT("ICY 200 OK\r\n\r\n")},
			{"another protocol", TEXT("RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")},
			{"a version to come", TEXT("HTTP/1.9 200 OK\r\nContent-Length: 0\r\n\r\n")},
			{"HTTP/2 frames", TEXT("\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x80\0\4\0\1\0\0")},
			{"TLS alert", TEXT("\x15\3\1\0\2\2\x28 and more")},
			{"NUL first", TEXT("\0HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
			{"empty line first", TEXT("\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
			{"status 0", TEXT("HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n")},
			{"status 99", TEXT("HTTP/1.1 99 OK\r\nContent-Length: 0\r\n\r\n")},
			{"status 2000", TEXT("HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n")},
			{"status -200", TEXT("HTTP/1.1 -200 OK\r\nContent-Length: 0\r\n\r\n")},
			{"no status", TEXT("HTTP/1.1\r\nContent-Length: 0\r\n\r\n")},
			{"101", TEXT("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n")},
			{"101 and an answer", TEXT("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"
						   "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
			{"h2c", TEXT("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
				     "\0\0\0\4\0\0\0\0\0")},
			{"NUL in a header", TEXT("HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n")},
			{"NUL in the status line", TEXT("HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n")},
			{"a line without colon", TEXT("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n")},
			{"folded first line", TEXT("HTTP/1.1 200 OK\r\n folded\r\n\r\n")},
			{"unknown encoding", TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: smoke\r\n\r\nok")},
			{"gzip as encoding", TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, "
						  "chunked\r\n\r\n2\r\nok\r\n")},
			{"huge chunk", TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
					    "fffffffffffffffff\r\nok\r\n0\r\n\r\n")},
			{"negative chunk", TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
						"-2\r\nok\r\n0\r\n\r\n")},
			{"chunk without end", TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
						   "2\r\nok, and more\r\n0\r\n\r\n")},
	};
	struct post p;
	struct net *f = begin(&p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int closes = 0; closes < 2; closes++) {
			say(cases[i].text, cases[i].len, closes);
			assert_malformed(f, &p, cases[i].name, "answer");
		}
	}
	end(&p);
}

static void send_hint(evutil_socket_t fd, short what, void *peer)
{
	peer_send(peer, "HTTP/1.1 102 Processing\r\n\r\n");
}

static void answer_hints_slowly(struct peer *p)
{
	peer_send(p, "HTTP/1.1 102 Processing\r\n\r\n");
	peer_tick(p, send_hint, 20);
}

static void informational_answers_one_by_one_end_at_the_deadline(void **state)
{
	struct post p;
	struct net *f = begin(&p);
	f->receiver.on_request = answer_hints_slowly;
	p.job.timeout_ms = 90;
	post_run(&f->kit, &p);
	assert_outcome(&p, ATTEMPT_TIMEOUT);
	kit_until(&f->kit, &f->receiver.closed, 1);
	end(&p);
}

/* ---- what is odd and still an answer ---- */

static char long_reason[60000];

static void odd_answers_are_answers(void **state)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
			{"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200},
			{"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok", 200},
			{"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200},
			{"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 200},
			{"HTTP/1.1 302 Found\r\nLocation: /a\r\n  folded\r\nContent-Length: 0\r\n\r\n", 302},
			{"HTTP/1.1 417 No Expectations\r\nContent-Length: 0\r\n\r\n", 417},
			{"HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
					401},
			{"HTTP/1.1 401 Who\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n", 401},
			{"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
					407},
			{"HTTP/1.1 200 OK\r\nRefresh: 0; url=/x\r\nAlt-Svc: h2=\":443\"\r\n"
			 "Set-Cookie: a=b\r\nStrict-Transport-Security: max-age=9\r\nContent-Length: "
			 "0\r\n\r\n",
					200},
			{"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", 999},
			{"HTTP/1.1 199 Odd\r\nContent-Length: 7\r\n\r\n"
			 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
					200},
			{long_reason, 200},
	};
	struct post p;
	struct net *f = begin(&p);
	memset(long_reason, 'r', sizeof(long_reason) - 1);
	memcpy(long_reason, "HTTP/1.1 200 ", 13);
	memcpy(long_reason + sizeof(long_reason) - 5, "\r\n\r\n", 5);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int requests = f->receiver.requests;
		say(cases[i].text, strlen(cases[i].text), cases[i].text == long_reason);
		post_run(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_ANSWERED);
		assert_int_equal(p.job.attempt.status, cases[i].status);
		assert_int_equal(f->receiver.requests, requests + 1);
		assert_next_is_fine(f, &p);
		assert_null(strstr(f->receiver.last_request, "Cookie"));
		assert_null(strstr(f->receiver.last_request, "Authorization"));
	}
	end(&p);
}

static void a_location_is_kept_clean(void **state)
{
	static char text[6000];
	static const char inner[] = "http://169.254.169.254/latest/meta-data/";
	static const char dirty[] =
			"HTTP/1.1 301 M\r\nLocation: /a\x1b[2J\x7f\x80\tb\r\nContent-Length: 0\r\n\r\n";
	struct post p;
	struct net *f = begin(&p);
	for (int status = 300; status < 310; status++) {
		int len = snprintf(text, sizeof(text),
				"HTTP/1.1 %d Away\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", status,
				inner);
		say(text, (size_t)len, false);
		post_again(&p);
		post_run(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_ANSWERED);
		assert_int_equal(p.job.attempt.status, status);
		assert_string_equal(p.job.attempt.location, inner);
	}
	assert_int_equal(f->receiver.requests, 10);
	assert_int_equal(f->receiver.accepted, 1);
	say(TEXT(dirty), false);
	post_again(&p);
	post_run(&f->kit, &p);
	assert_string_equal(p.job.attempt.location, "/a?[2J???b");
	int len = snprintf(text, sizeof(text), "HTTP/1.1 301 M\r\nLocation: /%05000d\r\n\r\n", 0);
	say(text, (size_t)len, true);
	post_again(&p);
	post_run(&f->kit, &p);
	assert_int_equal(strlen(p.job.attempt.location), 2048);
	end(&p);
}

/* Each byte behind the beginning stands for a kilobyte of zeros. */
static void a_compressed_answer_is_kept_as_it_is(void **state)
{
	static const char head[] =
			"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4000\r\n\r\n";
	static const char bomb[] = "\x1f\x8b\x08\0\0\0\0\0\2\3\xec\xc1\1\1\0\0\0\x80\x90\xfe\xaf\xee\x08\x0a";
	static char text[sizeof(head) - 1 + 4000];
	struct post p;
	struct net *f = begin(&p);
	memcpy(text, TEXT(head));
	memcpy(text + sizeof(head) - 1, TEXT(bomb));
	say(text, sizeof(text), false);
	post_run(&f->kit, &p);
	assert_outcome(&p, ATTEMPT_ANSWERED);
	assert_null(strstr(f->receiver.last_request, "Accept-Encoding"));
	assert_int_equal(p.job.attempt.answer_len, 4000);
	assert_memory_equal(p.job.attempt.answer, text + sizeof(head) - 1, 4000);
	assert_next_is_fine(f, &p);
	end(&p);
}

/* ---- noise ---- */

static size_t noise_make(const struct ch_rand *rand, char *out, size_t cap)
{
	static const char good[] = "HTTP/1.1 302 Found\r\nLocation: /next\r\nRetry-After: 7\r\n"
				   "Date: Tue, 30 Jul 2024 14:35:00 GMT\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n";
	size_t len = 1 + ch_rand_below(rand, cap);
	if (ch_rand_below(rand, 4) == 0) {
		ch_rand_fill(rand, out, len);
		return len;
	}
	memcpy(out, TEXT(good));
	for (uint64_t n = ch_rand_below(rand, 8); n < 8; n++)
		out[ch_rand_below(rand, sizeof(good) - 1)] = (char)ch_rand_below(rand, 256);
	return ch_rand_below(rand, 3) == 0 ? 1 + ch_rand_below(rand, sizeof(good) - 1) : sizeof(good) - 1;
}

static void noise_has_an_outcome(void **state)
{
	struct ch_rand_seeded seeded;
	struct post p;
	static char text[4096];
	struct net *f = begin(&p);
	ch_rand_seeded_init(&seeded, 20240730);
	struct ch_rand rand = ch_rand_seeded_of(&seeded);
	int counts[ATTEMPT_OUTCOME_COUNT] = {0};
	for (int i = 0; i < 400; i++) {
		const struct attempt *a = &p.job.attempt;
		say(text, noise_make(&rand, text, sizeof(text)), true);
		post_run(&f->kit, &p);
		counts[a->outcome]++;
		assert_true(a->outcome == ATTEMPT_ANSWERED || a->outcome == ATTEMPT_MALFORMED ||
				a->outcome == ATTEMPT_RESET);
		assert_true(a->outcome != ATTEMPT_ANSWERED || (a->status >= 200 && a->status <= 999));
		assert_true(a->answer_len <= ATTEMPT_ANSWER_KEPT_MAX);
		for (const char *c = a->location; c != NULL && *c != '\0'; c++)
			assert_true(*c >= 0x20 && *c < 0x7f);
		if (i % 20 == 0)
			assert_next_is_fine(f, &p);
		post_again(&p);
	}
	assert_true(counts[ATTEMPT_ANSWERED] > 10 && counts[ATTEMPT_MALFORMED] > 10 &&
			counts[ATTEMPT_RESET] > 10);
	end(&p);
}

int hostile_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_bad_content_length_is_malformed),
			cmocka_unit_test(a_length_that_is_said_twice_is_a_length),
			cmocka_unit_test(a_length_that_does_not_fit),
			cmocka_unit_test(a_broken_answer_is_malformed),
			cmocka_unit_test(informational_answers_one_by_one_end_at_the_deadline),
			cmocka_unit_test(odd_answers_are_answers),
			cmocka_unit_test(a_location_is_kept_clean),
			cmocka_unit_test(a_compressed_answer_is_kept_as_it_is),
			cmocka_unit_test(noise_has_an_outcome),
	};
	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
