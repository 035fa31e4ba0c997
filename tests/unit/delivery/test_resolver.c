#include "test_transport_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rand.h"
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

/* c-ares waits for both answers and would give up on AAAA after a minute. */
static void a_server_that_drops_aaaa_does_not_hold_its_names_up(void **state)
{
	struct dns_entry names[] = {
			{.name = "a.example", .addresses = {"192.0.2.1"}, .ttl = 60, .drops_v6 = true},
			{.name = "none.example", .is_missing = true, .drops_v6 = true},
	};
	struct fixture *f = begin(names, 2, 60000);
	struct ask a, none;
	ask_wait(f, &a, "a.example");
	assert_int_equal(a.answer.count, 1);
	assert_first(&a, "192.0.2.1");
	assert_int_equal(names[0].asked, 2);
	assert_int_equal(names[0].asked_v6, 1);
	ask_wait(f, &none, "none.example");
	assert_string_equal(none.answer.words, "no such name");
	f->kit.skew_ms += 61000;
	ask_wait(f, &a, "a.example");
	assert_first(&a, "192.0.2.1");
	end(f);
}

static void a_name_without_a_is_not_given_up_before_aaaa_is_known(void **state)
{
	struct dns_entry names[] = {
			{.name = "six.example", .v6 = "2001:db8::6", .ttl = 60, .is_v6_held = true},
			{.name = "other.example", .addresses = {"192.0.2.1"}, .ttl = 60},
	};
	struct fixture *f = begin(names, 2, 60000);
	struct ask six, other;
	ask(f, &six, "six.example");
	kit_until(&f->kit, &names[0].asked, 2);
	ask_wait(f, &other, "other.example");
	assert_int_equal(six.done, 0);
	dns_release(&f->dns);
	kit_until(&f->kit, &six.done, 1);
	assert_first(&six, "2001:db8::6");
	end(f);
}

static void an_aaaa_answer_that_comes_late_is_kept_for_the_next_look_up(void **state)
{
	struct dns_entry names[] = {
			{.name = "a.example",
					.addresses = {"192.0.2.1"},
					.v6 = "2001:db8::1",
					.ttl = 60,
					.is_v6_held = true},
			{.name = "other.example", .addresses = {"192.0.2.2"}, .ttl = 60},
	};
	struct fixture *f = begin(names, 2, 60000);
	struct ask a, other;
	ask_wait(f, &a, "a.example");
	assert_int_equal(a.answer.count, 1);
	dns_release(&f->dns);
	ask_wait(f, &other, "other.example"); /* answers are read in turn, so the late one is in */
	ask(f, &a, "a.example");
	assert_int_equal(a.done, 1);
	assert_int_equal(a.answer.count, 2);
	assert_int_equal(names[0].asked, 2);
	end(f);
}

/* The same port on two addresses, because resolv.conf knows no ports. */
struct moving {
	struct dns second;
	char path[64];
	struct resolver_conf conf;
};

static void servers_write(const struct moving *m, const char *address)
{
	char next[80];
	snprintf(next, sizeof(next), "%s.next", m->path);
	FILE *out = fopen(next, "w");
	assert_non_null(out);
	fprintf(out, "nameserver %s\n", address);
	fclose(out);
	assert_int_equal(rename(next, m->path), 0);
}

static void moving_begin(struct moving *m, struct fixture *f)
{
	struct ch_err err = {0};
	snprintf(m->path, sizeof(m->path), "/tmp/callhook-resolv-XXXXXX");
	int fd = mkstemp(m->path);
	assert_true(fd >= 0);
	close(fd);
	servers_write(m, "127.0.0.1");
	resolver_destroy(&f->resolver);
	m->conf = (struct resolver_conf){.base = f->kit.base,
			.clock = f->kit.conf.clock,
			.resolv_conf = m->path,
			.port = f->dns.port,
			.timeout_ms = 60000,
			.tries = 1};
	if (resolver_create(&m->conf, &f->resolver, &err) != 0)
		fail_msg("resolver: %s", err.text);
}

static void a_changed_resolv_conf_is_read_again(void **state)
{
	struct dns_entry old[] = {{.name = "a.example", .addresses = {"192.0.2.1"}, .ttl = 1},
			{.name = "held.example", .addresses = {"192.0.2.7"}, .ttl = 1, .is_held = true}};
	struct dns_entry new[] = {{.name = "a.example", .addresses = {"192.0.2.2"}, .ttl = 1}};
	struct moving m;
	struct ask a, held;
	struct fixture *f = begin(old, 2, 0);
	moving_begin(&m, f);
	dns_open_beside(&m.second, &f->dns, "127.0.0.2");
	m.second.entries = new;
	m.second.count = 1;
	ask_wait(f, &a, "a.example");
	assert_first(&a, "192.0.2.1");
	ask(f, &held, "held.example");
	servers_write(&m, "127.0.0.2");
	f->kit.skew_ms += 2000; /* the answer is gone, the file not looked at again */
	ask_wait(f, &a, "a.example");
	assert_first(&a, "192.0.2.1");
	f->kit.skew_ms += 4000;
	ask_wait(f, &a, "a.example");
	assert_first(&a, "192.0.2.2");
	assert_int_equal(held.done, 0);
	dns_release(&f->dns);
	kit_until(&f->kit, &held.done, 1);
	assert_first(&held, "192.0.2.7");
	unlink(m.path);
	for (int i = 0; i < 3; i++) {
		f->kit.skew_ms += 6000;
		ask_wait(f, &a, "a.example");
		assert_first(&a, "192.0.2.2");
	}
	dns_close(&m.second);
	end(f);
}

static struct ch_rand noise;

static void spoil_some(uint8_t *answer, size_t *len)
{
	for (uint64_t n = ch_rand_below(&noise, 6); n < 6; n++)
		answer[2 + ch_rand_below(&noise, *len - 2)] = (uint8_t)ch_rand_below(&noise, 256);
	if (ch_rand_below(&noise, 4) == 0)
		*len = ch_rand_below(&noise, *len);
}

/* Whatever a name server says, the look-up ends, and the next one of another name is answered. */
static void noise_of_a_name_server_ends_the_look_up(void **state)
{
	struct ch_rand_seeded seeded;
	struct dns_entry names[] = {
			{.name = "noise.example",
					.aliases = {"a.noise.example"},
					.addresses = {"192.0.2.1", "192.0.2.2", "192.0.2.3"},
					.v6 = "2001:db8::1",
					.spoil = spoil_some},
			{.name = "good.example", .addresses = {"192.0.2.9"}},
	};
	struct fixture *f = begin(names, 2, 10);
	ch_rand_seeded_init(&seeded, 7);
	noise = ch_rand_seeded_of(&seeded);
	int failed = 0;
	for (int i = 0; i < 150; i++) {
		struct ask a, good;
		ask_wait(f, &a, "noise.example");
		assert_true(a.answer.count <= RESOLVER_ADDRESSES_MAX);
		assert_int_equal(a.answer.words != NULL, a.answer.count == 0);
		failed += a.answer.count == 0;
		f->kit.skew_ms += 61000;
		if (i % 10 == 0) {
			ask_wait(f, &good, "good.example");
			assert_first(&good, "192.0.2.9");
		}
	}
	assert_true(failed > 10 && failed < 140);
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
			cmocka_unit_test(a_server_that_drops_aaaa_does_not_hold_its_names_up),
			cmocka_unit_test(a_name_without_a_is_not_given_up_before_aaaa_is_known),
			cmocka_unit_test(an_aaaa_answer_that_comes_late_is_kept_for_the_next_look_up),
			cmocka_unit_test(a_changed_resolv_conf_is_read_again),
			cmocka_unit_test(noise_of_a_name_server_ends_the_look_up),
			cmocka_unit_test(a_query_under_way_may_be_left_at_the_end),
			cmocka_unit_test(a_name_may_be_asked_for_from_its_own_answer),
			cmocka_unit_test(the_hosts_file_is_read),
			cmocka_unit_test(a_bad_list_of_servers_is_refused),
	};
	return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
