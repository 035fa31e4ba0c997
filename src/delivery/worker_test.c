#include "delivery/worker_test.h"

#include "base/assert.h"
#include "delivery/worker_core.h"

static void run_done(struct ch_msg *m)
{
	struct worker_test *t = CH_CONTAINER_OF(m, struct worker_test, msg);
	t->done(t);
}

static void send_back(struct engine_test *test)
{
	struct worker_test *t = CH_CONTAINER_OF(test, struct worker_test, test);
	t->msg.run = run_done;
	ch_port_post(t->reply_to, &t->msg);
}

static void run_test(struct ch_msg *m)
{
	struct worker_test *t = CH_CONTAINER_OF(m, struct worker_test, msg);
	t->test.done = send_back;
	engine_test_start(t->worker->engine, &t->test);
}

void workers_test(struct workers *w, struct worker_test *t)
{
	CH_ASSERT(w->count > 0);
	t->worker = w->items[worker_index_of(&t->test.webhook, w->count)];
	t->msg.run = run_test;
	ch_port_post(&t->worker->port, &t->msg);
}
