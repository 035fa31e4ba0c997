#include "test_transport_kit.h"

#include <string.h>

int transport_net_tests(void);

/* ---- connections kept ---- */

static void connections_are_kept_per_endpoint_and_reused(void **state)
{
	struct post p;
	struct net *f = net_begin(NULL, 0);
	kit_open(&f->kit);
	post_init(&p, "http://127.0.0.1:%u/", f->receiver.port);
	for (int i = 0; i < 5; i++) {
		post_again(&p);
		post_run(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_ANSWERED);
		assert_int_equal(p.job.reused_connection, i > 0);
		assert_int_equal(p.job.attempt.connect_us >= 0, i == 0);
		assert_int_equal(p.job.attempt.address.len, 4);
	}
	assert_int_equal(f->receiver.accepted, 1);
	post_fini(&p);
	net_end();
}

static void answer_and_close(struct peer *p)
{
	peer_answer(p, 200, "", "ok");
	peer_close(p);
}

static void a_connection_closed_while_idle_is_not_used(void **state)
{
	struct post p;
	struct net *f = net_begin(NULL, 0);
	kit_open(&f->kit);
	f->receiver.on_request = answer_and_close;
	post_init(&p, "http://127.0.0.1:%u/", f->receiver.port);
	for (int i = 0; i < 3; i++) {
		post_again(&p);
		post_run(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_ANSWERED);
		while (f->receiver.peer_count > 0)
			event_base_loop(f->kit.base, EVLOOP_ONCE);
	}
	assert_int_equal(f->receiver.accepted, 3);
	assert_int_equal(f->receiver.requests, 3);
	post_fini(&p);
	net_end();
}

static void answer_once_then_reset(struct peer *p)
{
	if (p->requests == 1)
		answer_ok(p);
	else
		peer_reset(p);
}

static void answer_once_then_close(struct peer *p)
{
	if (p->requests == 1)
		answer_ok(p);
	else
		peer_close(p);
}

static void a_kept_connection_that_dies_gets_the_request_once_more(void **state)
{
	static void (*const answers[])(struct peer *) = {answer_once_then_reset, answer_once_then_close};
	for (size_t i = 0; i < 2; i++) {
		struct post p;
		struct net *f = net_begin(NULL, 0);
		kit_open(&f->kit);
		f->receiver.on_request = answers[i];
		post_init(&p, "http://127.0.0.1:%u/", f->receiver.port);
		post_run(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_ANSWERED);
		post_again(&p);
		post_run(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_ANSWERED);
		assert_int_equal(f->receiver.requests, 3);
		assert_int_equal(f->receiver.accepted, 2);
		post_fini(&p);
		net_end();
	}
}

static void answer_the_first_of_each_connection_until_ten(struct peer *p)
{
	if (p->of->requests <= 3)
		answer_ok(p);
	else
		peer_close(p);
}

/* Three connections are kept, and all of them die on the next request: libcurl alone would try one after
 * the other. */
static void a_request_goes_out_twice_at_most(void **state)
{
	struct post p[3];
	struct net *f = net_begin(NULL, 0);
	kit_open(&f->kit);
	f->receiver.on_request = answer_the_first_of_each_connection_until_ten;
	for (int i = 0; i < 3; i++) {
		post_init(&p[i], "http://127.0.0.1:%u/", f->receiver.port);
		post_send(&f->kit, &p[i]);
	}
	for (int i = 0; i < 3; i++)
		post_wait(&f->kit, &p[i]);
	assert_int_equal(f->receiver.accepted, 3);
	post_again(&p[0]);
	post_run(&f->kit, &p[0]);
	assert_outcome(&p[0], ATTEMPT_RESET);
	assert_int_equal(f->receiver.requests, 5);
	for (int i = 0; i < 3; i++)
		post_fini(&p[i]);
	net_end();
}

static void forget_ends_the_use_of_kept_and_busy_connections(void **state)
{
	struct post idle, busy, other;
	struct net *f = net_begin(NULL, 0);
	kit_open(&f->kit);
	post_init(&idle, "http://127.0.0.1:%u/", f->receiver.port);
	post_init(&busy, "http://127.0.0.1:%u/", f->receiver.port);
	post_init(&other, "http://127.0.0.1:%u/", f->receiver.port);
	other.job.endpoint.b[12] = 1; /* in another shard, so with a connection of its own */
	post_run(&f->kit, &other);
	post_send(&f->kit, &idle);
	post_send(&f->kit, &busy);
	f->receiver.on_request = answer_nothing;
	kit_until(&f->kit, &f->receiver.requests, 3);
	assert_int_equal(f->receiver.peer_count, 3);
	answer_ok(f->receiver.peers[1]);
	answer_ok(f->receiver.peers[2]);
	f->receiver.on_request = answer_ok;
	struct id id = idle.job.endpoint;
	f->kit.transport->forget(f->kit.transport, &id);
	post_wait(&f->kit, &idle);
	post_wait(&f->kit, &busy);
	assert_outcome(&idle, ATTEMPT_ANSWERED);
	assert_outcome(&busy, ATTEMPT_ANSWERED);
	for (int i = 0; i < 4; i++) {
		post_again(&idle);
		post_run(&f->kit, &idle);
		assert_outcome(&idle, ATTEMPT_ANSWERED);
		assert_int_equal(idle.job.reused_connection, i % 2);
		if (i % 2 == 1)
			f->kit.transport->forget(f->kit.transport, &id);
	}
	post_again(&other);
	post_run(&f->kit, &other);
	assert_true(other.job.reused_connection);
	post_fini(&idle);
	post_fini(&busy);
	post_fini(&other);
	net_end();
}

static void idle_connections_are_closed(void **state)
{
	struct post p;
	struct net *f = net_begin(NULL, 0);
	f->kit.conf.idle_ms = 20;
	kit_open(&f->kit);
	post_init(&p, "http://127.0.0.1:%u/", f->receiver.port);
	post_run(&f->kit, &p);
	assert_int_equal(f->receiver.peer_count, 1);
	while (f->receiver.peer_count > 0)
		event_base_loop(f->kit.base, EVLOOP_ONCE);
	post_again(&p);
	post_run(&f->kit, &p);
	assert_outcome(&p, ATTEMPT_ANSWERED);
	post_fini(&p);
	net_end();
}

/* ---- cancel ---- */

static void a_canceled_job_ends_as_local_wherever_it_is(void **state)
{
	struct dns_entry names[] = {{.name = "silent.example", .is_silent = true}};
	struct post connected, asking, ended;
	struct net *f = net_begin(names, 1);
	kit_open(&f->kit);
	f->receiver.on_request = answer_nothing;
	post_init(&connected, "http://127.0.0.1:%u/", f->receiver.port);
	post_init(&asking, "http://silent.example:%u/", f->receiver.port);
	post_init(&ended, "http://10.0.0.1/");
	post_send(&f->kit, &connected);
	post_send(&f->kit, &asking);
	kit_until(&f->kit, &f->receiver.requests, 1);
	post_send(&f->kit, &ended);
	f->kit.transport->cancel(f->kit.transport, &ended.job);
	f->kit.transport->cancel(f->kit.transport, &connected.job);
	f->kit.transport->cancel(f->kit.transport, &asking.job);
	f->kit.transport->cancel(f->kit.transport, &asking.job);
	assert_int_equal(connected.done + asking.done + ended.done, 0);
	post_wait(&f->kit, &connected);
	post_wait(&f->kit, &asking);
	post_wait(&f->kit, &ended);
	assert_outcome(&connected, ATTEMPT_LOCAL);
	assert_words(&connected, "canceled");
	assert_outcome(&asking, ATTEMPT_LOCAL);
	assert_outcome(&ended, ATTEMPT_ADDRESS);
	post_fini(&connected);
	post_fini(&asking);
	post_fini(&ended);
	net_end();
}

/* The handle's last attempt left times in libcurl, which say nothing about this one. */
static void a_canceled_attempt_tells_how_far_it_came(void **state)
{
	struct post p;
	const struct attempt *a = &p.job.attempt;
	struct net *f = net_begin(NULL, 0);
	kit_open(&f->kit);
	f->receiver.on_request = answer_and_close;
	post_init(&p, "http://127.0.0.1:%u/", f->receiver.port);
	post_run(&f->kit, &p);
	post_again(&p);
	post_send(&f->kit, &p);
	f->kit.transport->cancel(f->kit.transport, &p.job);
	post_wait(&f->kit, &p);
	assert_outcome(&p, ATTEMPT_LOCAL);
	assert_int_equal(a->connect_us, -1);
	assert_int_equal(a->first_byte_us, -1);
	assert_int_equal(a->address.len, 0);
	for (int i = 0; i < 2; i++) {
		f->receiver.on_request = answer_nothing;
		f->receiver.requests = 0;
		post_again(&p);
		post_send(&f->kit, &p);
		kit_until(&f->kit, &f->receiver.requests, 1);
		f->kit.transport->cancel(f->kit.transport, &p.job);
		post_wait(&f->kit, &p);
		assert_outcome(&p, ATTEMPT_LOCAL);
		assert_words(&p, "canceled");
		assert_int_equal(p.job.reused_connection, i);
		assert_int_equal(a->connect_us >= 0, !i);
		assert_int_equal(a->first_byte_us, -1);
		assert_int_equal(a->address.len, 4);
		assert_int_equal(a->status, 0);
		f->receiver.on_request = answer_ok;
		post_again(&p);
		post_run(&f->kit, &p);
	}
	post_fini(&p);
	net_end();
}

static void a_clock_that_moves_while_it_is_read_ends_no_process(void **state)
{
	int timeouts = 0;
	struct net *f = net_begin(NULL, 0);
	kit_open(&f->kit);
	f->kit.step_ms = 1;
	for (int timeout_ms = 1; timeout_ms < 10; timeout_ms++) {
		struct post p;
		post_init(&p, "http://127.0.0.1:%u/", f->receiver.port);
		p.job.timeout_ms = timeout_ms;
		post_run(&f->kit, &p);
		timeouts += p.job.attempt.outcome == ATTEMPT_TIMEOUT;
		assert_true(p.job.attempt.outcome == ATTEMPT_TIMEOUT ||
				p.job.attempt.outcome == ATTEMPT_ANSWERED);
		post_fini(&p);
	}
	assert_true(timeouts > 0);
	net_end();
}

/* done may do anything with the transport: cancel a job of the same turn, send again. */
static struct post *victim;

static void cancel_victim(struct post *p)
{
	struct kit *k = p->ctx;
	if (victim != NULL && victim->done == 0)
		k->transport->cancel(k->transport, &victim->job);
	victim = NULL;
}

static void jobs_may_be_canceled_from_done(void **state)
{
	struct post p[2];
	struct net *f = net_begin(NULL, 0);
	kit_open(&f->kit);
	for (int i = 0; i < 2; i++) {
		post_init(&p[i], "http://127.0.0.1:%u/", f->receiver.port);
		p[i].then = cancel_victim;
		p[i].ctx = &f->kit;
	}
	victim = &p[1];
	post_send(&f->kit, &p[0]);
	post_send(&f->kit, &p[1]);
	post_wait(&f->kit, &p[0]);
	post_wait(&f->kit, &p[1]);
	assert_outcome(&p[0], ATTEMPT_ANSWERED);
	assert_true(p[1].job.attempt.outcome == ATTEMPT_LOCAL ||
			p[1].job.attempt.outcome == ATTEMPT_ANSWERED);
	for (int i = 0; i < 2; i++)
		post_fini(&p[i]);
	net_end();
}

int transport_net_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(connections_are_kept_per_endpoint_and_reused),
			cmocka_unit_test(a_connection_closed_while_idle_is_not_used),
			cmocka_unit_test(a_kept_connection_that_dies_gets_the_request_once_more),
			cmocka_unit_test(a_request_goes_out_twice_at_most),
			cmocka_unit_test(forget_ends_the_use_of_kept_and_busy_connections),
			cmocka_unit_test(idle_connections_are_closed),
			cmocka_unit_test(a_canceled_job_ends_as_local_wherever_it_is),
			cmocka_unit_test(a_canceled_attempt_tells_how_far_it_came),
			cmocka_unit_test(a_clock_that_moves_while_it_is_read_ends_no_process),
			cmocka_unit_test(jobs_may_be_canceled_from_done),
	};
	return cmocka_run_group_tests_name("transport net", tests, NULL, NULL);
}
