#include "test_transport_kit.h"

#include <stdio.h>
#include <string.h>

#include "delivery/resolver.h"

int resolver_tests(void);

struct fixture {
	struct kit kit; /* for its loop and clock */
	struct dns dns;
	const char *servers[2];
	struct resolver *resolver;
};

static struct fixture the;

struct ask {
	struct resolver_query query;
	struct resolver_answer answer;
	int done;
};

static struct fixture *begin(struct dns_entry *names, int count, int timeout_ms)
{
	struct fixture *f = &the;
	struct ch_err err = {0};
	memset(f, 0, sizeof(*f));
	kit_init(&f->kit);
	dns_open(&f->dns, f->kit.base, names, count);
	f->servers[0] = f->dns.text;
	struct resolver_conf conf = {.base = f->kit.base,
			.clock = f->kit.conf.clock,
			.servers = f->servers,
			.timeout_ms = timeout_ms,
			.tries = 1};
	if (resolver_create(&conf, &f->resolver, &err) != 0)
		fail_msg("resolver: %s", err.text);
	return f;
}

static void end(struct fixture *f)
{
	resolver_destroy(&f->resolver);
	assert_null(f->resolver);
	dns_close(&f->dns);
	kit_close(&f->kit);
}

static void answered(struct resolver_query *q, const struct resolver_answer *answer)
{
	struct ask *a = q->ctx;
	a->answer = *answer;
	a->done++;
}

static void ask(struct fixture *f, struct ask *a, const char *name)
{
	*a = (struct ask){.query = {.done = answered, .ctx = a}};
	resolver_ask(f->resolver, name, &a->query);
}

static void ask_wait(struct fixture *f, struct ask *a, const char *name)
{
	ask(f, a, name);
	kit_until(&f->kit, &a->done, 1);
}

static void assert_first(const struct ask *a, const char *expected)
{
	char text[ADDRESS_TEXT_MAX];
	assert_true(a->answer.count > 0);
	address_format(&a->answer.addresses[0], text);
	assert_string_equal(text, expected);
}

static void an_answer_is_kept_for_its_ttl(void **state)
{
	static const struct {
		int ttl;
		int64_t kept_ms, gone_ms;
	} cases[] = {{0, 900, 200}, {10, 9900, 200}, {3600, 59000, 2000}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dns_entry names[] = {{.name = "a.example",
				.addresses = {"192.0.2.1"},
				.later = {"192.0.2.2"},
				.ttl = cases[i].ttl}};
		struct fixture *f = begin(names, 1, 0);
		struct ask a;
		ask_wait(f, &a, "a.example");
		assert_first(&a, "192.0.2.1");
		f->kit.skew_ms += cases[i].kept_ms - 500;
		ask(f, &a, "a.example");
		assert_int_equal(a.done, 1);
		assert_first(&a, "192.0.2.1");
		assert_int_equal(names[0].asked, 1);
		f->kit.skew_ms += cases[i].gone_ms + 500;
		ask_wait(f, &a, "a.example");
		assert_first(&a, "192.0.2.2");
		assert_int_equal(names[0].asked, 2);
		end(f);
	}
}

static void a_short_ttl_ends_behind_a_long_one(void **state)
{
	struct dns_entry names[] = {
			{.name = "long.example", .addresses = {"192.0.2.1"}, .ttl = 60},
			{.name = "short.example", .addresses = {"192.0.2.2"}, .ttl = 1},
	};
	struct fixture *f = begin(names, 2, 0);
	struct ask a;
	ask_wait(f, &a, "long.example");
	ask_wait(f, &a, "short.example");
	f->kit.skew_ms += 2000;
	ask_wait(f, &a, "short.example");
	ask_wait(f, &a, "long.example");
	assert_int_equal(names[0].asked, 1);
	assert_int_equal(names[1].asked, 2);
	end(f);
}

static void failures_are_not_kept(void **state)
{
	struct dns_entry names[] = {{.name = "later.example", .later = {"192.0.2.9"}, .ttl = 60}};
	struct fixture *f = begin(names, 1, 0);
	struct ask a;
	ask_wait(f, &a, "later.example");
	assert_int_equal(a.answer.count, 0);
	assert_string_equal(a.answer.words, "the name has no address");
	assert_false(a.answer.is_local_fault);
	ask_wait(f, &a, "later.example");
	assert_first(&a, "192.0.2.9");
	end(f);
}

static void look_ups_of_one_name_share_a_question(void **state)
{
	struct dns_entry names[] = {
			{.name = "a.example", .addresses = {"192.0.2.1", "192.0.2.3"}, .ttl = 60}};
	struct fixture *f = begin(names, 1, 0);
	struct ask a[3];
	for (int i = 0; i < 3; i++)
		ask(f, &a[i], "a.example");
	for (int i = 0; i < 3; i++) {
		kit_until(&f->kit, &a[i].done, 1);
		assert_int_equal(a[i].done, 1);
		assert_int_equal(a[i].answer.count, 2);
	}
	assert_int_equal(names[0].asked, 1);
	end(f);
}

static void a_canceled_query_hears_nothing(void **state)
{
	struct dns_entry names[] = {{.name = "a.example", .addresses = {"192.0.2.1"}, .ttl = 60}};
	struct fixture *f = begin(names, 1, 0);
	struct ask a, b, never = {0};
	ask(f, &a, "a.example");
	ask(f, &b, "a.example");
	resolver_cancel(f->resolver, &a.query);
	resolver_cancel(f->resolver, &a.query);
	resolver_cancel(f->resolver, &never.query);
	kit_until(&f->kit, &b.done, 1);
	assert_int_equal(a.done, 0);
	assert_first(&b, "192.0.2.1");
	end(f);
}

static void silence_becomes_an_answer_and_holds_up_nobody(void **state)
{
	struct dns_entry names[] = {
			{.name = "silent.example", .is_silent = true},
			{.name = "a.example", .addresses = {"192.0.2.1"}, .ttl = 60},
	};
	struct fixture *f = begin(names, 2, 100);
	struct ask silent, good;
	ask(f, &silent, "silent.example");
	kit_until(&f->kit, &names[0].asked, 1);
	ask_wait(f, &good, "a.example");
	assert_first(&good, "192.0.2.1");
	assert_int_equal(silent.done, 0);
	kit_until(&f->kit, &silent.done, 1);
	assert_int_equal(silent.answer.count, 0);
	assert_string_equal(silent.answer.words, "no answer from the name server");
	end(f);
}

static void a_query_under_way_may_be_left_at_the_end(void **state)
{
	struct dns_entry names[] = {{.name = "silent.example", .is_silent = true}};
	struct fixture *f = begin(names, 1, 1000);
	struct ask a;
	ask(f, &a, "silent.example");
	resolver_cancel(f->resolver, &a.query);
	end(f);
	assert_int_equal(a.done, 0);
}

static struct ask again;
static struct fixture *again_of;

static void answered_and_asks_again(struct resolver_query *q, const struct resolver_answer *answer)
{
	answered(q, answer);
	ask(again_of, &again, "gone.example");
}

static void a_name_may_be_asked_for_from_its_own_answer(void **state)
{
	struct fixture *f = begin(NULL, 0, 0);
	struct ask a = {.query = {.done = answered_and_asks_again, .ctx = &a}};
	again_of = f;
	resolver_ask(f->resolver, "gone.example", &a.query);
	kit_until(&f->kit, &a.done, 1);
	kit_until(&f->kit, &again.done, 1);
	assert_string_equal(a.answer.words, "no such name");
	assert_string_equal(again.answer.words, "no such name");
	end(f);
}

static void the_hosts_file_is_read(void **state)
{
	struct fixture *f = begin(NULL, 0, 0);
	struct ask a;
	struct network loopback[2];
	assert_int_equal(network_parse("127.0.0.0/8", 11, &loopback[0]), 0);
	assert_int_equal(network_parse("::1/128", 7, &loopback[1]), 0);
	ask_wait(f, &a, "localhost");
	assert_true(a.answer.count > 0);
	for (size_t i = 0; i < a.answer.count; i++)
		assert_true(network_has(&loopback[0], &a.answer.addresses[i]) ||
				network_has(&loopback[1], &a.answer.addresses[i]));
	end(f);
}

static void a_bad_list_of_servers_is_refused(void **state)
{
	static const char *const lists[][2] = {{"not an address", NULL}, {"127.0.0.1:x", NULL}, {NULL, NULL}};
	for (size_t i = 0; i < 3; i++) {
		struct kit k;
		struct resolver *r = NULL;
		struct ch_err err = {0};
		kit_init(&k);
		struct resolver_conf conf = {.base = k.base, .clock = k.conf.clock, .servers = lists[i]};
		assert_int_equal(resolver_create(&conf, &r, &err), CH_EINVAL);
		assert_non_null(strstr(err.text, "name servers"));
		assert_null(r);
		kit_close(&k);
	}
}

int resolver_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(an_answer_is_kept_for_its_ttl),
			cmocka_unit_test(a_short_ttl_ends_behind_a_long_one),
			cmocka_unit_test(failures_are_not_kept),
			cmocka_unit_test(look_ups_of_one_name_share_a_question),
			cmocka_unit_test(a_canceled_query_hears_nothing),
			cmocka_unit_test(silence_becomes_an_answer_and_holds_up_nobody),
			cmocka_unit_test(a_query_under_way_may_be_left_at_the_end),
			cmocka_unit_test(a_name_may_be_asked_for_from_its_own_answer),
			cmocka_unit_test(the_hosts_file_is_read),
			cmocka_unit_test(a_bad_list_of_servers_is_refused),
	};
	return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
