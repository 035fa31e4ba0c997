#include "delivery/worker_check.h"

#include "base/assert.h"
#include "delivery/worker_core.h"

static void run_done(struct ch_msg *m)
{
	struct worker_check *c = CH_CONTAINER_OF(m, struct worker_check, msg);
	c->done(c);
}

static void send_back(struct engine_check *check)
{
	struct worker_check *c = CH_CONTAINER_OF(check, struct worker_check, check);
	c->msg.run = run_done;
	ch_port_post(c->reply_to, &c->msg);
}

static void run_check(struct ch_msg *m)
{
	struct worker_check *c = CH_CONTAINER_OF(m, struct worker_check, msg);
	c->check.done = send_back;
	engine_check_start(c->worker->engine, &c->check);
}

void workers_check(struct workers *w, struct worker_check *c)
{
	CH_ASSERT(w->count > 0);
	c->worker = w->items[worker_index_of(&c->check.endpoint, w->count)];
	c->msg.run = run_check;
	ch_port_post(&c->worker->port, &c->msg);
}
