#include "delivery/engine_test.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "delivery/engine_core.h"
#include "delivery/posting.h"

/* One test on its way. The lane may be gone or changed when it ends. */
struct trial {
	struct transport_job job;
	struct posting_headers headers;
	struct target *target;
	struct engine *engine;
	struct engine_test *test;
	int64_t account;
	struct ch_list link; /* engine.trials */
};

static void trial_destroy(struct trial **tp)
{
	struct trial *t = *tp;
	*tp = NULL;
	if (!t)
		return;
	attempt_fini(&t->job.attempt);
	posting_headers_fini(&t->headers);
	target_unref(&t->target);
	ch_free(t);
}

static void end_test(struct engine_test *test, int result)
{
	test->result = result;
	test->done(test);
}

static bool was_taken(const struct attempt *a)
{
	return a->outcome == ATTEMPT_ANSWERED && a->status >= 200 && a->status < 300;
}

/* It answers: what was known of it before no longer counts, also for the day when it is switched on again.
 * Unless it is another receiver by now. */
static void clear_past(struct engine *e, const struct trial *t)
{
	struct lane *l = engine_lane(e, &t->test->webhook);
	if (!l || !l->target || strcmp(l->target->url.text, t->target->url.text) != 0)
		return;
	if (lane_state_of(l) == LANE_READY)
		return; /* what its window has learnt stays */
	bool was_quiet = l->suspended_until_mono_ms > engine_mono_ms(e);
	engine_forget_past(e, l);
	if (was_quiet)
		engine_write_back(e, l, true);
	engine_replan(e, l);
}

static void trial_done(struct transport_job *job)
{
	struct trial *t = CH_CONTAINER_OF(job, struct trial, job);
	struct engine *e = t->engine;
	struct engine_test *test = t->test;

	ch_list_unlink(&t->link);
	e->trial_count--;
	if (was_taken(&job->attempt) && !e->is_stopping)
		clear_past(e, t);
	test->attempt = job->attempt;
	memset(&job->attempt, 0, sizeof(job->attempt));
	trial_destroy(&t);
	end_test(test, 0);
}

/* 0, or why none may start now. */
static int look_for_room(const struct engine *e, const struct lane *l)
{
	int of_account = 0;
	if (e->is_stopping)
		return CH_ECANCELED;
	if (!l || l->webhook.deleted)
		return CH_EAGAIN;
	CH_LIST_FOREACH (&e->trials, it, next) {
		const struct trial *t = CH_CONTAINER_OF(it, struct trial, link);
		if (id_equal(&t->test->webhook, &l->webhook.id))
			return CH_EBUSY;
		of_account += t->account == l->webhook.account;
	}
	return e->trial_count >= ENGINE_TESTS_MAX || of_account >= ENGINE_TESTS_ACCOUNT_MAX ? CH_ELIMIT : 0;
}

/* A URL or a secret that can't be used: nothing can go out, and the reason is what there is to show. */
static int show_fault(struct engine *e, const struct lane *l, struct engine_test *test)
{
	struct attempt a = {.id = id_gen_next(&e->ids),
			.started_ms = engine_wall_ms(e),
			.outcome = ATTEMPT_LOCAL,
			.dns_us = -1,
			.connect_us = -1,
			.tls_us = -1,
			.first_byte_us = -1,
			.total_us = -1,
			.retry_after_s = -1};
	a.detail = ch_strdup(l->fault);
	if (!a.detail)
		return CH_ENOMEM;
	test->attempt = a;
	return 0;
}

static int send_trial(struct engine *e, struct lane *l, struct engine_test *test)
{
	const struct posting post = {.delivery = id_gen_next(&e->ids), .body = test->body, .is_test = true};
	struct trial *t = ch_calloc(1, sizeof(*t));
	if (!t)
		return CH_ENOMEM;
	engine_rotate(e, l);
	t->engine = e;
	t->test = test;
	t->account = l->webhook.account;
	t->target = target_ref(l->target);
	t->job.done = trial_done;
	t->job.is_slow = lane_is_slow(l);
	if (posting_fill(&t->job, &t->headers, e, l, &post)) {
		trial_destroy(&t);
		return CH_ENOMEM;
	}
	ch_list_push_back(&e->trials, &t->link);
	e->trial_count++;
	e->conf.transport->send(e->conf.transport, &t->job);
	return 0;
}

void engine_test_start(struct engine *e, struct engine_test *test)
{
	struct lane *l = engine_lane(e, &test->webhook);
	int rc = look_for_room(e, l);

	memset(&test->attempt, 0, sizeof(test->attempt));
	if (rc == 0 && l->fault[0]) {
		end_test(test, show_fault(e, l, test));
		return;
	}
	if (rc == 0)
		rc = send_trial(e, l, test);
	if (rc)
		end_test(test, rc);
}

void engine_test_cancel_all(struct engine *e)
{
	CH_LIST_FOREACH (&e->trials, it, next) {
		struct trial *t = CH_CONTAINER_OF(it, struct trial, link);
		e->conf.transport->cancel(e->conf.transport, &t->job);
	}
}
