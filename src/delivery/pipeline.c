#include "delivery/pipeline.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crash_point.h"

void flight_destroy(struct flight **fp)
{
	struct flight *f = *fp;
	*fp = NULL;
	if (!f)
		return;
	attempt_fini(&f->job.attempt);
	store_request_fini(&f->result);
	target_unref(&f->target);
	posting_headers_fini(&f->headers);
	ch_free(f);
}

static struct flight *flight_create(struct engine *e, struct lane *l, struct held *h)
{
	const struct posting post = {.delivery = h->delivery.id, .body = h->delivery.body};
	struct flight *f = ch_calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->held = h;
	f->target = target_ref(l->target);
	store_request_init(&f->result, STORE_ATTEMPT, e->conf.port, NULL);
	f->job.done = pipeline_done;
	if (posting_fill(&f->job, &f->headers, e, l, &post))
		flight_destroy(&f);
	return f;
}

static void take_slot(struct engine *e, struct lane *l, struct flight *f)
{
	l->busy++;
	e->in_flight++;
	l->urgent_busy += f->from == HELD_URGENT;
	e->probes_in_flight += f->from == HELD_PROBE;
	e->slow_in_flight += f->is_slow;
	rate_limit_take(&l->rate, f->started_mono_ms);
	if (f->from == HELD_PROBE) {
		l->has_probed = true;
		l->probed = f->held->delivery.id;
		atomic_fetch_add_explicit(&e->stats.probes, 1, memory_order_relaxed);
	}
}

/* The store has it; a rest gives memory a chance to come back. */
static void put_back(struct engine *e, struct lane *l, struct held *h, enum held_where from)
{
	lane_note_due(l, h->delivery.due_ms);
	lane_release(l, h);
	engine_pause(e, l, "no memory for an attempt");
	if (from == HELD_PROBE)
		engine_probe_later(e, l, engine_mono_ms(e) + 1000);
}

void pipeline_send(struct engine *e, struct lane *l, bool asks_line)
{
	enum held_where from;
	CH_ASSERT(l->target && e->in_flight < e->conf.max_in_flight);
	engine_rotate(e, l);
	struct held *h = lane_pop(l, &from);
	CH_ASSERT(h);
	struct flight *f = flight_create(e, l, h);
	if (!f) {
		put_back(e, l, h, from);
		return;
	}
	h->flight = f;
	f->from = from;
	f->was_dead = lane_state_of(l) != LANE_READY;
	f->asks_line = asks_line;
	if (asks_line) {
		e->downtime.is_asking = true;
		e->downtime.was_first = l->asked_in != e->downtime.number;
		l->asked_in = e->downtime.number;
	}
	f->is_slow = f->job.is_slow = from == HELD_PROBE || lane_is_slow(l);
	f->started_mono_ms = engine_mono_ms(e);
	take_slot(e, l, f);
	CH_ASSERT(from == HELD_URGENT || l->busy - l->urgent_busy <= l->window.size);
	ch_list_push_back(&e->flights, &h->link);
	CH_CRASH_POINT(send_before);
	e->conf.transport->send(e->conf.transport, &f->job);
	CH_CRASH_POINT(send_after);
}

static void cancel_list(struct engine *e, const struct ch_list *flights)
{
	CH_LIST_FOREACH (flights, it, next) {
		struct held *h = CH_CONTAINER_OF(it, struct held, link);
		e->conf.transport->cancel(e->conf.transport, &h->flight->job);
	}
}

void pipeline_cancel_all(struct engine *e)
{
	cancel_list(e, &e->flights);
	cancel_list(e, &e->overdue);
}
