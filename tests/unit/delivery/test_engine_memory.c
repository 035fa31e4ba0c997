#include "test_engine.h"

#include <string.h>

#include "../nth_alloc.h"
#include "test_engine_rig.h"

/* Whatever allocation fails, nothing is lost, nothing is sent twice, and it all arrives once there is memory.
 */

static struct rig rig;

static struct delivery keep_newest(struct rig *r)
{
	struct delivery d = rig_newest(r);
	d.body = ch_bytes_create("{}", 2);
	assert_non_null(d.body);
	return d;
}

static void one_claim(struct rig *r, struct nth_alloc *n)
{
	r->holds_news = true;
	rig_put(r, 0, 3);
	r->holds_news = false;
	nth_alloc_begin(n);
	engine_missed(r->engine);
	rig_run(r);
}

static void one_fresh(struct rig *r, struct nth_alloc *n)
{
	r->holds_news = true;
	rig_put(r, 0, 1);
	r->holds_news = false;
	struct delivery d = keep_newest(r);
	nth_alloc_begin(n);
	engine_fresh(r->engine, &d);
	assert_null(d.body);
	rig_run(r);
}

static void one_result(struct rig *r, struct nth_alloc *n)
{
	r->replies[0].latency_ms = 1;
	rig_put(r, 0, 2);
	rig_run(r);
	ch_clock_virtual_advance(&r->clock, 1);
	nth_alloc_begin(n);
	rig_run(r);
}

static void one_refused_result(struct rig *r, struct nth_alloc *n)
{
	rig_put(r, 0, 2);
	rig_run(r);
	store_fault_fail_write(r->fault, 1, CH_EFULL);
	ch_clock_virtual_advance(&r->clock, 10);
	nth_alloc_begin(n);
	rig_advance(r, 200);
}

static void one_new_webhook(struct rig *r, struct nth_alloc *n)
{
	struct webhook w;
	r->holds_news = true;
	rig_hook(r, 1);
	rig_put(r, 1, 1);
	r->holds_news = false;
	rig_hook_init(r, &w, 1);
	w.revision = 2; /* as one that is heard of late */
	nth_alloc_begin(n);
	engine_webhook(r->engine, &w);
	rig_run(r);
}

static void one_start(struct rig *r, struct nth_alloc *n)
{
	rig_stop(r);
	rig_put(r, 0, 2);
	nth_alloc_begin(n);
	struct ch_err err = {0};
	if (engine_create(&r->conf, &r->engine, &err) != 0)
		return;
	engine_start(r->engine, NULL, NULL);
	rig_run(r);
}

static void torture(void (*scene)(struct rig *r, struct nth_alloc *n))
{
	struct nth_alloc n = {.fail_at = 1};
	bool failed = true;
	for (; failed; n.fail_at++) {
		struct webhook w;
		rig_open(&rig);
		rig_hook_init(&rig, &w, 0);
		rig_seal(&rig, &w, RIG_SECRET);
		rig_hook_create(&rig, &w);
		rig_start(&rig);
		scene(&rig, &n);
		failed = nth_alloc_end(&n);
		if (!rig.engine)
			rig_start(&rig);
		rig_advance(&rig, 120000);
		const struct ledger *l = rig_ledger(&rig);
		if (l->delivered != l->accepted || rig.send_count != l->accepted)
			fail_msg("allocation %d: %lld of %lld delivered, %d sends", n.fail_at,
					(long long)l->delivered, (long long)l->accepted, rig.send_count);
		rig_close(&rig);
	}
	assert_true(n.fail_at > 3);
}

static void a_claim_without_memory(void **state)
{
	torture(one_claim);
}

static void news_without_memory(void **state)
{
	torture(one_fresh);
}

static void a_result_without_memory(void **state)
{
	torture(one_result);
}

static void a_refused_result_without_memory(void **state)
{
	torture(one_refused_result);
}

static void a_new_webhook_without_memory(void **state)
{
	torture(one_new_webhook);
}

static void a_start_without_memory(void **state)
{
	torture(one_start);
}

int engine_memory_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_claim_without_memory),
			cmocka_unit_test(news_without_memory),
			cmocka_unit_test(a_result_without_memory),
			cmocka_unit_test(a_refused_result_without_memory),
			cmocka_unit_test(a_new_webhook_without_memory),
			cmocka_unit_test(a_start_without_memory),
	};
	return cmocka_run_group_tests_name("engine_memory", tests, NULL, NULL);
}
