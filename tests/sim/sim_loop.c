#include <event2/event.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim_api.h"

/* The few functions of libevent that handlers call, for timers only; they stand before those of the shared
 * library. So the handlers' turns and pauses come in virtual time, and in the same order every time. */

struct event_base {
	struct world *world;
	struct ch_list pending; /* by due time, then as they were added */
	size_t made;
};

struct event {
	struct ch_list link;
	struct event_base *base;
	event_callback_fn run;
	void *ctx;
	short what;
	bool is_pending;
	int64_t due_mono_ms;
	struct timeval every; /* EV_PERSIST */
};

struct event_base *sim_loop_create(struct world *w)
{
	struct event_base *b = ch_calloc(1, sizeof(*b));
	CH_ASSERT(b);
	b->world = w;
	ch_list_init(&b->pending);
	return b;
}

void sim_loop_destroy(struct event_base **b)
{
	CH_ASSERT((*b)->made == 0);
	ch_free(*b);
	*b = NULL;
}

struct event *event_new(
		struct event_base *b, evutil_socket_t fd, short what, event_callback_fn run, void *ctx)
{
	CH_ASSERT(fd == -1);
	struct event *e = ch_calloc(1, sizeof(*e));
	CH_ASSERT(e);
	ch_list_init(&e->link);
	e->base = b;
	e->run = run;
	e->ctx = ctx;
	e->what = what;
	b->made++;
	return e;
}

int event_del(struct event *e)
{
	ch_list_unlink(&e->link);
	e->is_pending = false;
	return 0;
}

void event_free(struct event *e)
{
	event_del(e);
	e->base->made--;
	ch_free(e);
}

static void add_at(struct event *e, int64_t due_mono_ms)
{
	struct ch_list *before = e->base->pending.prev;
	event_del(e);
	e->is_pending = true;
	e->due_mono_ms = due_mono_ms;
	before = e->base->pending.prev;
	while (before != &e->base->pending &&
			CH_CONTAINER_OF(before, struct event, link)->due_mono_ms > due_mono_ms)
		before = before->prev;
	ch_list_push_front(before, &e->link);
}

int event_add(struct event *e, const struct timeval *wait)
{
	CH_ASSERT(wait);
	e->every = *wait;
	add_at(e, sim_now(e->base->world) + (int64_t)wait->tv_sec * 1000 + (wait->tv_usec + 999) / 1000);
	return 0;
}

void event_active(struct event *e, int what, short calls)
{
	add_at(e, sim_now(e->base->world));
}

int event_pending(const struct event *e, short what, struct timeval *ret)
{
	CH_ASSERT(!ret);
	return e->is_pending && (what & EV_TIMEOUT) ? EV_TIMEOUT : 0;
}

int64_t sim_loop_next(const struct event_base *b)
{
	if (ch_list_is_empty(&b->pending))
		return INT64_MAX;
	return CH_CONTAINER_OF(b->pending.next, struct event, link)->due_mono_ms;
}

bool sim_loop_step(struct event_base *b)
{
	if (sim_loop_next(b) > sim_now(b->world))
		return false;
	struct event *e = CH_CONTAINER_OF(b->pending.next, struct event, link);
	event_del(e);
	if (e->what & EV_PERSIST)
		(void)event_add(e, &e->every);
	e->run(-1, EV_TIMEOUT, e->ctx);
	return true;
}
