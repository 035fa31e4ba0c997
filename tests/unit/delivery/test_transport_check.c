#include "test_transport_kit.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

int transport_check_tests(void);

/* Checks of the way to a receiver: all that a POST does, but the POST. TLS is in test_transport_tls.c. */

static struct transport_check check;

static struct net *begin(struct dns_entry *names, int count)
{
	struct net *f = net_begin(names, count);
	memset(&check, 0x5a, sizeof(check));
	return f;
}

static void run(struct net *f, struct post *p)
{
	post_check(p, &check);
	post_run(&f->kit, p);
}

static void assert_found(size_t i, const char *text, const char *refusal)
{
	char found[ADDRESS_TEXT_MAX];
	address_format(&check.found[i].address, found);
	assert_string_equal(found, text);
	if (refusal == NULL)
		assert_null(check.found[i].refusal);
	else
		assert_string_equal(check.found[i].refusal, refusal);
}

static void it_connects_and_sends_nothing(void **state)
{
	struct post p;
	struct net *f = begin(NULL, 0);
	kit_open(&f->kit);
	post_init(&p, "http://127.0.0.1:%u/", f->receiver.port);
	run(f, &p);
	assert_outcome(&p, ATTEMPT_ANSWERED);
	assert_int_equal(p.job.attempt.status, 0);
	assert_null(p.job.attempt.detail);
	assert_true(p.job.attempt.connect_us >= 0);
	assert_int_equal(p.job.attempt.dns_us, -1);
	assert_true(check.is_ready);
	assert_false(check.is_proxied || check.is_unseen);
	assert_int_equal(check.found_count, 1);
	assert_found(0, "127.0.0.1", NULL);
	kit_until(&f->kit, &f->receiver.closed, 1);
	assert_int_equal(f->receiver.accepted, 1);
	assert_int_equal(f->receiver.requests, 0);
	post_fini(&p);
	net_end();
}

/* Even of the same endpoint: its kept connection is neither used nor lost. */
static void it_makes_a_connection_of_its_own(void **state)
{
	struct post p, looking;
	struct net *f = begin(NULL, 0);
	kit_open(&f->kit);
	post_init(&p, "http://127.0.0.1:%u/", f->receiver.port);
	post_init(&looking, "http://127.0.0.1:%u/", f->receiver.port);
	looking.job.endpoint = p.job.endpoint;
	post_run(&f->kit, &p);
	run(f, &looking);
	assert_true(check.is_ready);
	assert_false(looking.job.reused_connection);
	post_again(&p);
	post_run(&f->kit, &p);
	assert_outcome(&p, ATTEMPT_ANSWERED);
	assert_int_equal(p.job.attempt.status, 200);
	assert_true(p.job.reused_connection);
	assert_int_equal(f->receiver.accepted, 2);
	assert_int_equal(f->receiver.requests, 2);
	post_fini(&looking);
	post_fini(&p);
	net_end();
}

static void all_that_is_refused_is_told(void **state)
{
	struct dns_entry names[] = {
			{.name = "inner.example", .addresses = {"10.0.0.1", "192.168.7.7"}, .ttl = 60},
			{.name = "both.example", .addresses = {"10.0.0.1", "127.0.0.1"}, .ttl = 60},
			{.name = "none.example", .is_missing = true},
	};
	struct post p;
	struct net *f = begin(names, 3);
	kit_open(&f->kit);
	post_init(&p, "http://inner.example:%u/", f->receiver.port);
	run(f, &p);
	assert_outcome(&p, ATTEMPT_ADDRESS);
	assert_false(check.is_ready);
	assert_int_equal(check.found_count, 2);
	assert_string_equal(check.found[0].refusal, "private");
	assert_string_equal(check.found[1].refusal, "private");
	post_fini(&p);
	post_init(&p, "http://both.example:%u/", f->receiver.port);
	run(f, &p);
	assert_true(check.is_ready);
	assert_true(p.job.attempt.dns_us >= 0);
	assert_int_equal(check.found_count, 2);
	assert_int_equal((check.found[0].refusal != NULL) + (check.found[1].refusal != NULL), 1);
	post_fini(&p);
	post_init(&p, "http://none.example:%u/", f->receiver.port);
	run(f, &p);
	assert_outcome(&p, ATTEMPT_DNS);
	assert_int_equal(check.found_count, 0);
	assert_false(check.is_ready);
	post_fini(&p);
	net_end();
}

static void nobody_there_is_said(void **state)
{
	struct post p;
	struct net *f = begin(NULL, 0);
	kit_open(&f->kit);
	post_init(&p, "http://127.0.0.1:%u/", f->receiver.port);
	receiver_close(&f->receiver);
	run(f, &p);
	assert_outcome(&p, ATTEMPT_REFUSED);
	assert_int_equal(p.job.attempt.connect_us, -1);
	assert_false(check.is_ready);
	post_fini(&p);
	receiver_open(&f->receiver, f->kit.base, answer_ok);
	net_end();
}

static void one_that_is_canceled_ends_soon(void **state)
{
	struct post p;
	struct net *f = begin(NULL, 0);
	kit_open(&f->kit);
	f->receiver.on_bytes = answer_nothing;
	post_init(&p, "https://127.0.0.1:%u/", f->receiver.port);
	post_check(&p, &check);
	post_send(&f->kit, &p);
	kit_until(&f->kit, &f->receiver.accepted, 1);
	f->kit.transport->cancel(f->kit.transport, &p.job);
	post_wait(&f->kit, &p);
	assert_outcome(&p, ATTEMPT_LOCAL);
	assert_false(check.is_ready);
	post_fini(&p);
	net_end();
}

/* ---- through a proxy ---- */

static struct net *begin_proxied(char url[64])
{
	struct net *f = begin(NULL, 0);
	snprintf(url, 64, "http://127.0.0.1:%u", f->receiver.port);
	f->kit.conf.egress_proxy = url;
	kit_open(&f->kit);
	return f;
}

static void a_proxy_takes_plain_requests_unseen(void **state)
{
	struct post p;
	char url[64];
	struct net *f = begin_proxied(url);
	post_init(&p, "http://never-looked-up.example/");
	run(f, &p);
	assert_outcome(&p, ATTEMPT_ANSWERED);
	assert_true(check.is_ready && check.is_proxied && check.is_unseen);
	assert_int_equal(check.found_count, 0);
	assert_int_equal(p.job.attempt.address.len, 0);
	assert_int_equal(f->receiver.requests, 0);
	post_fini(&p);
	net_end();
}

static void answer_forbidden(struct peer *p)
{
	peer_answer(p, 403, "", "");
}

static void a_proxy_that_refuses_says_so(void **state)
{
	struct post p;
	char url[64];
	struct net *f = begin_proxied(url);
	f->receiver.on_request = answer_forbidden;
	post_init(&p, "https://hook.example/");
	run(f, &p);
	assert_outcome(&p, ATTEMPT_ADDRESS);
	assert_true(check.is_proxied);
	assert_false(check.is_ready);
	assert_non_null(strstr(f->receiver.last_request, "CONNECT hook.example:443 HTTP/1.1\r\n"));
	post_fini(&p);
	net_end();
}

/* ---- our own shortages ---- */

static int allocations_left;

static bool allocation_fails(void *ctx)
{
	return allocations_left-- == 0;
}

static void any_allocation_may_fail(void **state)
{
	struct dns_entry names[] = {{.name = "hook.example", .addresses = {"127.0.0.1"}, .ttl = 60}};
	int untouched = 0, local = 0;
	for (int n = 0; untouched < 3; n++) {
		struct post p;
		struct net *f = begin(names, 1);
		kit_open(&f->kit);
		post_init(&p, "http://hook.example:%u/", f->receiver.port);
		post_check(&p, &check);
		allocations_left = n;
		ch_alloc_set_hook(allocation_fails, NULL);
		post_run(&f->kit, &p);
		ch_alloc_set_hook(NULL, NULL);
		assert_outcome(&p, check.is_ready ? ATTEMPT_ANSWERED : ATTEMPT_LOCAL);
		local += !check.is_ready;
		untouched = allocations_left >= 0 ? untouched + 1 : 0;
		post_fini(&p);
		net_end();
	}
	assert_true(local >= 5);
}

int transport_check_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(it_connects_and_sends_nothing),
			cmocka_unit_test(it_makes_a_connection_of_its_own),
			cmocka_unit_test(all_that_is_refused_is_told),
			cmocka_unit_test(nobody_there_is_said),
			cmocka_unit_test(one_that_is_canceled_ends_soon),
			cmocka_unit_test(a_proxy_takes_plain_requests_unseen),
			cmocka_unit_test(a_proxy_that_refuses_says_so),
			cmocka_unit_test(any_allocation_may_fail),
	};
	return cmocka_run_group_tests_name("transport check", tests, NULL, NULL);
}
