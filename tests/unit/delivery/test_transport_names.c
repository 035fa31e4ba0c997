#include "test_transport_kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"

int transport_names_tests(void);

/* ---- names and addresses ---- */

static void a_name_is_looked_up(void **state)
{
	struct dns_entry names[] = {{.name = "hook.example", .addresses = {"127.0.0.1"}, .ttl = 60}};
	struct post p;
	struct net *f = net_begin(names, 1);
	char host[64];
	kit_open(&f->kit);
	post_init(&p, "http://hook.example:%u/", f->receiver.port);
	post_run(&f->kit, &p);
	snprintf(host, sizeof(host), "\r\nHost: hook.example:%u\r\n", f->receiver.port);
	assert_outcome(&p, ATTEMPT_ANSWERED);
	assert_true(p.job.attempt.dns_us >= 0);
	assert_non_null(strstr(f->receiver.last_request, host));
	assert_memory_equal(p.job.attempt.address.b, "\x7f\0\0\1", 4);
	post_fini(&p);
	net_end();
}

static void addresses_that_are_not_public_are_refused(void **state)
{
	struct dns_entry names[] = {
			{.name = "inside.example", .addresses = {"10.1.2.3", "192.168.0.1"}, .ttl = 60},
			{.name = "loop.example", .addresses = {"127.0.0.1"}, .ttl = 60},
	};
	static const struct {
		const char *url, *words;
	} cases[] = {
			{"http://inside.example:%u/", "10.1.2.3"},
			{"http://loop.example:%u/", "127.0.0.1"},
			{"http://127.0.0.1:%u/", "127.0.0.1"},
			{"http://[::1]:%u/", "::1"},
			{"http://[::ffff:127.0.0.1]:%u/", "127.0.0.1"},
			{"http://0x7f000001:%u/", "127.0.0.1"},
			{"http://169.254.169.254:%u/", "169.254.169.254"},
	};
	struct net *f = net_begin(names, 2);
	f->kit.conf.addresses = (struct address_policy){0};
	kit_open(&f->kit);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct post p;
		char url[128];
		char *port = strstr(cases[i].url, "%u");
		snprintf(url, sizeof(url), "%.*s%u%s", (int)(port - cases[i].url), cases[i].url,
				f->receiver.port, port + 2);
		post_init(&p, "%s", url);
		post_run(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_ADDRESS);
		assert_words(&p, cases[i].words);
		assert_int_equal(p.job.attempt.address.len, 0);
		post_fini(&p);
	}
	assert_int_equal(f->receiver.accepted, 0);
	net_end();
}

/* The policy changes between the choice of an address and the connection to it. */
static void the_address_is_checked_again_when_it_is_connected_to(void **state)
{
	struct post p;
	struct network allowed;
	struct net *f = net_begin(NULL, 0);
	assert_int_equal(network_parse("127.0.0.0/8", 11, &allowed), 0);
	f->kit.conf.addresses = (struct address_policy){&allowed, 1};
	kit_open(&f->kit);
	post_init(&p, "http://127.0.0.1:%u/", f->receiver.port);
	post_send(&f->kit, &p);
	assert_int_equal(network_parse("10.0.0.0/8", 10, &allowed), 0);
	post_wait(&f->kit, &p);
	assert_outcome(&p, ATTEMPT_ADDRESS);
	assert_words(&p, "127.0.0.1");
	assert_int_equal(f->receiver.accepted, 0);
	post_fini(&p);
	net_end();
}

static void a_name_with_good_and_bad_addresses_uses_the_good(void **state)
{
	struct dns_entry names[] = {{.name = "mixed.example",
			.addresses = {"10.0.0.1", "127.0.0.1", "192.168.1.1"},
			.ttl = 60}};
	struct post p;
	struct net *f = net_begin(names, 1);
	kit_open(&f->kit);
	post_init(&p, "http://mixed.example:%u/", f->receiver.port);
	post_run(&f->kit, &p);
	assert_outcome(&p, ATTEMPT_ANSWERED);
	assert_memory_equal(p.job.attempt.address.b, "\x7f\0\0\1", 4);
	post_fini(&p);
	net_end();
}

static void the_next_address_is_tried_when_one_refuses(void **state)
{
	struct dns_entry names[] = {
			{.name = "pair.example", .addresses = {"127.0.0.7", "127.0.0.1"}, .ttl = 60},
			{.name = "dead.example", .addresses = {"127.0.0.7", "127.0.0.8"}, .ttl = 60},
	};
	struct post p, dead;
	struct net *f = net_begin(names, 2);
	kit_open(&f->kit);
	post_init(&p, "http://pair.example:%u/", f->receiver.port);
	for (int i = 0; i < 3; i++) {
		post_again(&p);
		post_run(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_ANSWERED);
		assert_memory_equal(p.job.attempt.address.b, "\x7f\0\0\1", 4);
		assert_int_equal(p.job.reused_connection, i > 0);
	}
	post_init(&dead, "http://dead.example:%u/", f->receiver.port);
	post_run(&f->kit, &dead);
	assert_outcome(&dead, ATTEMPT_REFUSED);
	assert_words(&dead, "127.0.0.");
	post_fini(&p);
	post_fini(&dead);
	net_end();
}

/* A listener that nobody accepts from, its queue full: whoever connects hears nothing. */
struct black_hole {
	int listener, clients[4];
};

static void black_hole_open(struct black_hole *h, const char *address, uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	assert_int_equal(inet_pton(AF_INET, address, &at.sin_addr), 1);
	h->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(h->listener >= 0);
	assert_int_equal(bind(h->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(h->listener, 0), 0);
	for (int i = 0; i < 4; i++) {
		h->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		assert_true(h->clients[i] >= 0);
		if (connect(h->clients[i], (struct sockaddr *)&at, sizeof(at)) != 0)
			assert_int_equal(errno, EINPROGRESS);
	}
}

static void black_hole_close(struct black_hole *h)
{
	for (int i = 0; i < 4; i++)
		close(h->clients[i]);
	close(h->listener);
}

/* With all of the time for connecting spent on each, the deadline would pass at the second. */
static void those_that_swallow_all_share_the_time_for_connecting(void **state)
{
	struct dns_entry names[] = {{.name = "trio.example",
			.addresses = {"127.0.0.7", "127.0.0.8", "127.0.0.1"},
			.ttl = 60}};
	struct black_hole holes[2];
	struct post p;
	struct net *f = net_begin(names, 1);
	black_hole_open(&holes[0], "127.0.0.7", f->receiver.port);
	black_hole_open(&holes[1], "127.0.0.8", f->receiver.port);
	f->kit.conf.connect_timeout_ms = 1500;
	kit_open(&f->kit);
	post_init(&p, "http://trio.example:%u/", f->receiver.port);
	p.job.timeout_ms = 2500;
	post_run(&f->kit, &p);
	assert_outcome(&p, ATTEMPT_ANSWERED);
	assert_memory_equal(p.job.attempt.address.b, "\x7f\0\0\1", 4);
	post_fini(&p);
	black_hole_close(&holes[0]);
	black_hole_close(&holes[1]);
	net_end();
}

static void the_address_that_worked_is_kept_to(void **state)
{
	struct dns_entry names[] = {{.name = "turns.example",
			.addresses = {"127.0.0.1", "127.0.0.2"},
			.later = {"127.0.0.2", "127.0.0.1"},
			.ttl = 0}};
	struct receiver second;
	struct post p;
	struct net *f = net_begin(names, 1);
	kit_open(&f->kit);
	receiver_open_beside(&second, &f->receiver, "127.0.0.2");
	post_init(&p, "http://turns.example:%u/", f->receiver.port);
	post_run(&f->kit, &p);
	f->kit.skew_ms += 2000;
	post_again(&p);
	post_run(&f->kit, &p);
	assert_int_equal(names[0].asked, 2);
	assert_true(p.job.reused_connection);
	assert_int_equal(second.accepted, 0);
	post_fini(&p);
	receiver_close(&second);
	net_end();
}

static void a_name_rebound_to_an_inner_address_is_refused(void **state)
{
	struct dns_entry names[] = {{.name = "moves.example",
			.addresses = {"127.0.0.1"},
			.later = {"10.9.8.7"},
			.ttl = 0}};
	struct post p;
	struct net *f = net_begin(names, 1);
	kit_open(&f->kit);
	post_init(&p, "http://moves.example:%u/", f->receiver.port);
	post_run(&f->kit, &p);
	assert_outcome(&p, ATTEMPT_ANSWERED);
	f->kit.skew_ms += 2000;
	post_again(&p);
	post_run(&f->kit, &p);
	assert_outcome(&p, ATTEMPT_ADDRESS);
	assert_words(&p, "moves.example resolves to 10.9.8.7");
	assert_int_equal(f->receiver.requests, 1);
	post_fini(&p);
	net_end();
}

static void a_name_that_does_not_exist_is_a_dns_failure(void **state)
{
	struct dns_entry names[] = {{.name = "empty.example", .ttl = 60}};
	struct post none, empty;
	struct net *f = net_begin(names, 1);
	kit_open(&f->kit);
	post_init(&none, "http://none.example:%u/", f->receiver.port);
	post_init(&empty, "http://empty.example:%u/", f->receiver.port);
	post_run(&f->kit, &none);
	assert_outcome(&none, ATTEMPT_DNS);
	assert_words(&none, "none.example: no such name");
	post_run(&f->kit, &empty);
	assert_outcome(&empty, ATTEMPT_DNS);
	assert_words(&empty, "no address");
	post_fini(&none);
	post_fini(&empty);
	net_end();
}

static void a_silent_name_server_delays_nobody_else(void **state)
{
	struct dns_entry names[] = {
			{.name = "silent.example", .is_silent = true},
			{.name = "hook.example", .addresses = {"127.0.0.1"}, .ttl = 60},
	};
	struct post silent, good;
	struct net *f = net_begin(names, 2);
	kit_open(&f->kit);
	post_init(&silent, "http://silent.example:%u/", f->receiver.port);
	post_init(&good, "http://hook.example:%u/", f->receiver.port);
	silent.job.timeout_ms = 150;
	post_send(&f->kit, &silent);
	kit_until(&f->kit, &names[0].asked, 1);
	post_run(&f->kit, &good);
	assert_outcome(&good, ATTEMPT_ANSWERED);
	assert_int_equal(silent.done, 0);
	post_wait(&f->kit, &silent);
	assert_outcome(&silent, ATTEMPT_DNS);
	assert_words(&silent, "no answer from the name server");
	post_fini(&silent);
	post_fini(&good);
	net_end();
}

/* ---- proxies ---- */

static void the_environments_proxy_is_ignored(void **state)
{
	struct post p;
	struct receiver proxy;
	char url[64];
	struct net *f = net_begin(NULL, 0);
	receiver_open(&proxy, f->kit.base, answer_ok);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", proxy.port);
	setenv("http_proxy", url, 1);
	setenv("all_proxy", url, 1);
	setenv("ALL_PROXY", url, 1);
	kit_open(&f->kit);
	post_init(&p, "http://127.0.0.1:%u/", f->receiver.port);
	post_run(&f->kit, &p);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	assert_outcome(&p, ATTEMPT_ANSWERED);
	assert_int_equal(proxy.accepted, 0);
	assert_int_equal(f->receiver.requests, 1);
	post_fini(&p);
	receiver_close(&proxy);
	net_end();
}

static void everything_goes_through_the_egress_proxy(void **state)
{
	struct dns_entry names[] = {{.name = "proxy.example", .addresses = {"127.0.0.1"}, .ttl = 60}};
	static const char *const hosts[] = {"127.0.0.1", "proxy.example"};
	for (int i = 0; i < 2; i++) {
		struct post p;
		char url[64];
		struct net *f = net_begin(names, 1);
		snprintf(url, sizeof(url), "http://us%%65r:pass@%s:%u", hosts[i], f->receiver.port);
		f->kit.conf.egress_proxy = url;
		f->kit.conf.addresses = (struct address_policy){0};
		setenv("no_proxy", "*", 1);
		kit_open(&f->kit);
		post_init(&p, "http://never-looked-up.example/hook");
		post_run(&f->kit, &p);
		unsetenv("no_proxy");
		assert_outcome(&p, ATTEMPT_ANSWERED);
		assert_non_null(strstr(f->receiver.last_request,
				"POST http://never-looked-up.example/hook HTTP/1.1\r\n"));
		assert_non_null(strstr(
				f->receiver.last_request, "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"));
		assert_int_equal(p.job.attempt.address.len, 0);
		post_fini(&p);
		net_end();
	}
}

static void answer_forbidden(struct peer *p)
{
	peer_answer(p, 403, "", "");
}

static void answer_bad_gateway(struct peer *p)
{
	peer_answer(p, 502, "", "");
}

static void answer_who_are_you(struct peer *p)
{
	peer_answer(p, 407, "Proxy-Authenticate: Basic realm=\"x\"\r\n", "");
}

static void a_proxy_that_opens_no_tunnel_says_why(void **state)
{
	static const struct {
		void (*answer)(struct peer *p);
		enum attempt_outcome outcome;
	} cases[] = {
			{answer_forbidden, ATTEMPT_ADDRESS},
			{answer_bad_gateway, ATTEMPT_REFUSED},
			{answer_who_are_you, ATTEMPT_LOCAL},
	};
	char url[64];
	struct net *f = net_begin(NULL, 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", f->receiver.port);
	f->kit.conf.egress_proxy = url;
	kit_open(&f->kit);
	for (size_t i = 0; i < 3; i++) {
		struct post p;
		f->receiver.on_request = cases[i].answer;
		post_init(&p, "https://hook.example/");
		post_run(&f->kit, &p);
		assert_outcome(&p, cases[i].outcome);
		assert_words(&p, "egress proxy");
		assert_non_null(strstr(f->receiver.last_request, "CONNECT hook.example:443 HTTP/1.1\r\n"));
		post_fini(&p);
	}
	net_end();
}

static void a_proxy_that_is_away_is_our_own_fault(void **state)
{
	struct post p;
	char url[64];
	struct net *f = net_begin(NULL, 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", f->receiver.port);
	receiver_close(&f->receiver);
	f->kit.conf.egress_proxy = url;
	kit_open(&f->kit);
	post_init(&p, "http://hook.example/");
	post_run(&f->kit, &p);
	assert_outcome(&p, ATTEMPT_LOCAL);
	assert_words(&p, "egress proxy");
	post_fini(&p);
	receiver_open(&f->receiver, f->kit.base, answer_ok);
	net_end();
}

/* ---- our own shortages ---- */

static void no_descriptor_is_our_own_fault(void **state)
{
	struct dns_entry names[] = {{.name = "hook.example", .addresses = {"127.0.0.1"}, .ttl = 60}};
	static const char *const hosts[] = {"127.0.0.1", "hook.example"};
	struct post p;
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int i = 0; i < 2; i++) {
		struct net *f = net_begin(names, 1);
		kit_open(&f->kit);
		post_init(&p, "http://%s:%u/", hosts[i], f->receiver.port);
		struct rlimit none = {0, limit.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		post_run(&f->kit, &p);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		assert_outcome(&p, ATTEMPT_LOCAL);
		assert_int_equal(p.job.attempt.connect_us, -1);
		assert_int_equal(p.job.attempt.address.len, 0);
		post_again(&p);
		post_run(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_ANSWERED);
		post_fini(&p);
		net_end();
	}
}

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
		struct net *f = net_begin(names, 1);
		kit_open(&f->kit);
		post_init(&p, "http://hook.example:%u/", f->receiver.port);
		allocations_left = n;
		ch_alloc_set_hook(allocation_fails, NULL);
		post_run(&f->kit, &p);
		ch_alloc_set_hook(NULL, NULL);
		if (p.job.attempt.outcome != ATTEMPT_LOCAL)
			assert_outcome(&p, ATTEMPT_ANSWERED);
		local += p.job.attempt.outcome == ATTEMPT_LOCAL;
		untouched = allocations_left >= 0 ? untouched + 1 : 0;
		post_again(&p);
		post_run(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_ANSWERED);
		post_fini(&p);
		net_end();
	}
	assert_true(local >= 6);
}

static void an_unusable_configuration_is_named(void **state)
{
	static const struct {
		const char *proxy, *ca_file, *words;
	} cases[] = {
			{"https://127.0.0.1:1", NULL, "http:// or socks5h://"},
			{"ftp://127.0.0.1:1", NULL, "http:// or socks5h://"},
			{"http://a b", NULL, "egress proxy"},
			{NULL, "/nowhere/ca.pem", "/nowhere/ca.pem"},
			{NULL, "/dev/null", "no certificate"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ch_err err = {0};
		struct net *f = net_begin(NULL, 0);
		f->kit.conf.egress_proxy = cases[i].proxy;
		f->kit.conf.ca_file = cases[i].ca_file;
		assert_int_equal(transport_curl_create(&f->kit.conf, &f->kit.transport, &err), CH_EINVAL);
		assert_non_null(strstr(err.text, cases[i].words));
		assert_null(f->kit.transport);
		net_end();
	}
}

int transport_names_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_name_is_looked_up),
			cmocka_unit_test(addresses_that_are_not_public_are_refused),
			cmocka_unit_test(the_address_is_checked_again_when_it_is_connected_to),
			cmocka_unit_test(a_name_with_good_and_bad_addresses_uses_the_good),
			cmocka_unit_test(the_next_address_is_tried_when_one_refuses),
			cmocka_unit_test(those_that_swallow_all_share_the_time_for_connecting),
			cmocka_unit_test(the_address_that_worked_is_kept_to),
			cmocka_unit_test(a_name_rebound_to_an_inner_address_is_refused),
			cmocka_unit_test(a_name_that_does_not_exist_is_a_dns_failure),
			cmocka_unit_test(a_silent_name_server_delays_nobody_else),
			cmocka_unit_test(the_environments_proxy_is_ignored),
			cmocka_unit_test(everything_goes_through_the_egress_proxy),
			cmocka_unit_test(a_proxy_that_opens_no_tunnel_says_why),
			cmocka_unit_test(a_proxy_that_is_away_is_our_own_fault),
			cmocka_unit_test(no_descriptor_is_our_own_fault),
			cmocka_unit_test(any_allocation_may_fail),
			cmocka_unit_test(an_unusable_configuration_is_named),
	};
	return cmocka_run_group_tests_name("transport names", tests, NULL, NULL);
}
