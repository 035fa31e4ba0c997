#include "delivery/engine_check.h"

#include "delivery/engine_core.h"

static void end_check(struct engine_check *c, int result)
{
	c->result = result;
	c->done(c);
}

static void check_done(struct transport_job *job)
{
	struct engine_check *c = CH_CONTAINER_OF(job, struct engine_check, job);
	struct engine *e = c->engine;

	ch_list_unlink(&c->link);
	e->check_count--;
	end_check(c, e->is_aborted ? CH_ECANCELED : 0);
}

void engine_check_start(struct engine *e, struct engine_check *c)
{
	c->job = (struct transport_job){.endpoint = c->endpoint,
			.url = c->url,
			.check = &c->seen,
			.timeout_ms = c->timeout_ms,
			.done = check_done};
	if (e->is_stopping || e->check_count >= ENGINE_CHECKS_MAX) {
		end_check(c, e->is_stopping ? CH_ECANCELED : CH_ELIMIT);
		return;
	}
	c->engine = e;
	ch_list_push_back(&e->checks, &c->link);
	e->check_count++;
	e->conf.transport->send(e->conf.transport, &c->job);
}

void engine_check_cancel_all(struct engine *e)
{
	CH_LIST_FOREACH (&e->checks, it, next) {
		struct engine_check *c = CH_CONTAINER_OF(it, struct engine_check, link);
		e->conf.transport->cancel(e->conf.transport, &c->job);
	}
}
