/* The delivery engine on a virtual clock while memory or the store fails: whatever fails, and for however
 * long, nothing is lost, and nothing is sent twice; it all arrives once memory is back. */
#include <stdlib.h>

#include "../unit/delivery/test_engine_rig.h"
#include "torture.h"

#define WITHIN_MS 3000 /* so long nothing works, or only badly */
#define AFTER_MS 600000

static void *claims_open(void)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct webhook w;

	rig_open(r);
	rig_hook_init(r, &w, 0);
	rig_seal(r, &w, RIG_SECRET);
	rig_hook_create(r, &w);
	rig_hook(r, 1);
	rig_start(r);
	r->holds_news = true;
	rig_put(r, 0, 3);
	rig_put(r, 1, 2);
	r->holds_news = false;
	return r;
}

/* Attempts are on their way, and answered while nothing works. */
static void *results_open(void)
{
	struct rig *r = claims_open();

	r->replies[0].latency_ms = r->replies[1].latency_ms = 10;
	engine_missed(r->engine);
	rig_run(r);
	return r;
}

static bool is_all_there(struct rig *r)
{
	const struct ledger *l = rig_ledger(r);

	return l->delivered == l->accepted;
}

static int claims_run(void *ctx)
{
	struct rig *r = ctx;

	engine_missed(r->engine);
	rig_advance(r, WITHIN_MS);
	return 0;
}

static int results_run(void *ctx)
{
	rig_advance(ctx, WITHIN_MS);
	return 0;
}

static void check(void *ctx, int rc)
{
	struct rig *r = ctx;

	for (int i = 0; i < 10 && !is_all_there(r); i++)
		rig_advance(r, AFTER_MS);
	assert_int_equal(rig_ledger(r)->accepted, 5);
	assert_int_equal(rig_ledger(r)->delivered, 5);
	assert_int_equal(r->send_count, 5);
	assert_int_equal(rig_sends_to(r, 0), 3);
}

static void close_rig(void *ctx)
{
	rig_close(ctx);
	free(ctx);
}

static void fail_store(void *ctx, bool is_write, int nth, int code)
{
	struct rig *r = ctx;

	if (is_write)
		store_fault_fail_write(r->fault, nth, code);
	else
		store_fault_fail_read(r->fault, nth, code);
}

/* The engine tries again by itself, so run always succeeds: the store may fail once, and then it is the
 * first. */
static const struct torture all[] = {
		{.name = "claims and sends",
				.open = claims_open,
				.run = claims_run,
				.check = check,
				.close = close_rig,
				.may_manage = true,
				.fail_store = fail_store},
		{.name = "results",
				.open = results_open,
				.run = results_run,
				.check = check,
				.close = close_rig,
				.may_manage = true,
				.fail_store = fail_store},
};

int main(int argc, char **argv)
{
	torture_libraries();
	return torture_main(argc, argv, "delivery", all, sizeof(all) / sizeof(all[0]));
}
