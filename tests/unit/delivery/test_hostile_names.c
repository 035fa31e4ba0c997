#include "test_hostile.h"

#include <stdio.h>
#include <string.h>

#include "test_transport_kit.h"

static struct net *begin(struct dns_entry *names, int count)
{
	struct net *f = net_begin(names, count);
	kit_open(&f->kit);
	return f;
}

/* One POST to the name, with a deadline of so many ms. */
static void run(struct net *f, struct post *p, const char *name, int timeout_ms)
{
	post_init(p, "http://%s:%u/", name, f->receiver.port);
	p->job.timeout_ms = timeout_ms;
	post_run(&f->kit, p);
}

static void a_slow_name_server_is_waited_for_until_the_deadline(void **state)
{
	struct dns_entry names[] = {
			{.name = "late.example", .addresses = {"127.0.0.1"}, .ttl = 60, .is_held = true},
			{.name = "never.example", .addresses = {"127.0.0.1"}, .ttl = 60, .is_held = true},
	};
	struct post late, never;
	struct net *f = begin(names, 2);
	run(f, &never, "never.example", 80);
	assert_outcome(&never, ATTEMPT_DNS);
	assert_words(&never, "no answer from the name server");
	assert_int_equal(never.job.attempt.dns_us, -1);
	assert_int_equal(never.job.attempt.connect_us, -1);
	assert_int_equal(never.job.attempt.address.len, 0);
	post_init(&late, "http://late.example:%u/", f->receiver.port);
	post_send(&f->kit, &late);
	kit_until(&f->kit, &f->dns.held_count, 4);
	assert_int_equal(late.done, 0);
	dns_release(&f->dns);
	post_wait(&f->kit, &late);
	assert_outcome(&late, ATTEMPT_ANSWERED);
	assert_true(late.job.attempt.dns_us >= 0);
	post_fini(&late);
	post_fini(&never);
	net_end();
}

/* c-ares itself would give up on AAAA after 14 s. */
static void a_server_that_drops_aaaa_delivers(void **state)
{
	struct dns_entry names[] = {
			{.name = "half.example", .addresses = {"127.0.0.1"}, .ttl = 60, .drops_v6 = true}};
	struct post p;
	struct net *f = begin(names, 1);
	run(f, &p, "half.example", 5000);
	assert_outcome(&p, ATTEMPT_ANSWERED);
	post_fini(&p);
	net_end();
}

static void aliases_lead_to_checked_addresses_or_nowhere(void **state)
{
	struct dns_entry names[] = {
			{.name = "good.example",
					.aliases = {"cdn.example", "edge.cdn.example"},
					.addresses = {"127.0.0.1"},
					.ttl = 60},
			{.name = "inner.example",
					.aliases = {"db.internal.example"},
					.addresses = {"10.1.2.3"},
					.ttl = 60},
			{.name = "self.example", .aliases = {"self.example"}, .ttl = 60},
			{.name = "loop.example", .aliases = {"pool.example", "loop.example"}, .ttl = 60},
			{.name = "long.example",
					.aliases = {"pool.example", "loop.example", "pool.example",
							"long.example"},
					.ttl = 60},
	};
	static const enum attempt_outcome outcomes[] = {
			ATTEMPT_ANSWERED, ATTEMPT_ADDRESS, ATTEMPT_DNS, ATTEMPT_DNS, ATTEMPT_DNS};
	struct net *f = begin(names, 5);
	for (int i = 0; i < 5; i++) {
		struct post p;
		run(f, &p, names[i].name, 5000);
		assert_outcome(&p, outcomes[i]);
		post_fini(&p);
	}
	assert_int_equal(f->receiver.accepted, 1);
	net_end();
}

static void hundreds_of_addresses_are_bounded(void **state)
{
	struct dns_entry names[] = {
			{.name = "many.example",
					.addresses = {"127.0.0.1"},
					.times = 900,
					.ttl = 60,
					.is_cut = true},
			{.name = "bad.example",
					.addresses = {"10.0.0.1", "192.168.0.1"},
					.times = 400,
					.ttl = 60,
					.is_cut = true},
			{.name = "dead.example",
					.addresses = {"127.0.0.9"},
					.times = 900,
					.ttl = 60,
					.is_cut = true},
			{.name = "fat.example", .addresses = {"127.0.0.1"}, .times = 100, .ttl = 60},
	};
	static const enum attempt_outcome outcomes[] = {
			ATTEMPT_ANSWERED, ATTEMPT_ADDRESS, ATTEMPT_REFUSED, ATTEMPT_ANSWERED};
	struct net *f = begin(names, 4);
	for (int i = 0; i < 4; i++) {
		struct post p;
		run(f, &p, names[i].name, 5000);
		assert_outcome(&p, outcomes[i]);
		post_fini(&p);
	}
	net_end();
}

/* ---- answers that are none ---- */

static void spoil_id(uint8_t *answer, size_t *len)
{
	answer[0] ^= 0x55;
}

static void spoil_question(uint8_t *answer, size_t *len)
{
	answer[13] ^= 0x01;
}

static void spoil_count(uint8_t *answer, size_t *len)
{
	answer[6] = answer[7] = 0xff;
}

static void spoil_length(uint8_t *answer, size_t *len)
{
	*len -= 3;
}

static void spoil_pointer(uint8_t *answer, size_t *len)
{
	answer[12] = 0xc0;
	answer[13] = 12;
}

static void spoil_all(uint8_t *answer, size_t *len)
{
	memset(answer + 2, 0xff, *len - 2);
}

static void spoil_refuse(uint8_t *answer, size_t *len)
{
	answer[3] = 0x85;
	memset(answer + 6, 0, 6);
}

static void a_spoiled_answer_is_a_dns_failure(void **state)
{
	static void (*const spoils[])(uint8_t *, size_t *) = {spoil_id, spoil_question, spoil_count,
			spoil_length, spoil_pointer, spoil_all, spoil_refuse};
	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		struct dns_entry names[] = {{.name = "odd.example", .addresses = {"127.0.0.1"}, .ttl = 60}};
		struct post p;
		names[0].spoil = spoils[i];
		struct net *f = begin(names, 1);
		run(f, &p, "odd.example", 150);
		if (p.job.attempt.outcome != ATTEMPT_DNS)
			fail_msg("spoil %zu: %s", i, attempt_outcome_name(p.job.attempt.outcome));
		assert_non_null(p.job.attempt.detail);
		assert_int_equal(f->receiver.accepted, 0);
		names[0].spoil = NULL;
		post_fini(&p);
		run(f, &p, "odd.example", 5000);
		assert_outcome(&p, ATTEMPT_ANSWERED);
		post_fini(&p);
		net_end();
	}
}

int hostile_names_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_slow_name_server_is_waited_for_until_the_deadline),
			cmocka_unit_test(a_server_that_drops_aaaa_delivers),
			cmocka_unit_test(aliases_lead_to_checked_addresses_or_nowhere),
			cmocka_unit_test(hundreds_of_addresses_are_bounded),
			cmocka_unit_test(a_spoiled_answer_is_a_dns_failure),
	};
	return cmocka_run_group_tests_name("hostile names", tests, NULL, NULL);
}
