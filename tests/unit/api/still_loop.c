#include "still_loop.h"

static void network_send(struct transport *t, struct transport_job *job)
{
	struct still_loop *l = CH_CONTAINER_OF(t, struct still_loop, network);

	assert_null(l->job);
	job->attempt = (struct attempt){.outcome = ATTEMPT_LOCAL, .connect_us = -1};
	*job->check = (struct transport_check){0};
	l->job = job;
	l->sent++;
}

static void end(struct still_loop *l)
{
	struct transport_job *job = l->job;

	l->job = NULL;
	job->done(job);
}

static void network_cancel(struct transport *t, struct transport_job *job)
{
	struct still_loop *l = CH_CONTAINER_OF(t, struct still_loop, network);

	assert_ptr_equal(l->job, job);
	end(l);
}

static void network_forget(struct transport *t, const struct id *endpoint)
{
}

void still_loop_open(struct still_loop *l, struct api_rig *r)
{
	struct ch_err err;
	struct engine_conf conf = {.clock = ch_clock_virtual_of(&r->rig.time),
			.rand = ch_rand_seeded_of(&r->seed),
			.store = r->store,
			.port = &l->worker.port,
			.transport = &l->network,
			.max_in_flight = 1};

	*l = (struct still_loop){.network = {.send = network_send,
						 .cancel = network_cancel,
						 .forget = network_forget}};
	l->items[0] = &l->worker;
	l->worker.count = 1;
	assert_int_equal(ch_port_init(&l->worker.port, true, &err), 0);
	assert_int_equal(engine_create(&conf, &l->worker.engine, &err), 0);
	r->workers = (struct workers){.items = l->items, .count = 1};
	r->loop = l;
}

void still_loop_step(struct still_loop *l)
{
	ch_port_dispatch(&l->worker.port);
	if (!l->job || !l->answer)
		return;
	l->answer(l->job);
	end(l);
}

void still_loop_close(struct still_loop *l, struct api_rig *r)
{
	ch_port_dispatch(&l->worker.port);
	engine_abort(l->worker.engine);
	engine_destroy(&l->worker.engine);
	ch_port_fini(&l->worker.port);
	r->workers = (struct workers){0};
	r->loop = NULL;
}
