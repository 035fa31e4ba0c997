#include "delivery/worker_core.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

int worker_index_of(const struct id *webhook, int count)
{
	uint64_t sum = 0;
	/* The last bytes of a UUIDv7 are random; the first are the time. */
	for (int i = 8; i < 16; i++)
		sum = sum << 8 | webhook->b[i];
	return (int)(sum % (uint64_t)count);
}

static bool owns(void *ctx, const struct id *webhook)
{
	struct worker *w = ctx;
	return worker_index_of(webhook, w->count) == w->index;
}

static int64_t now_mono_ms(const struct worker *w)
{
	return ch_clock_mono(&w->conf.engine.clock).ms;
}

/* ---- the loop ---- */

static void on_port(evutil_socket_t fd, short what, void *ctx)
{
	struct worker *w = ctx;
	ch_port_dispatch(&w->port);
}

/* The loop looks at the engine after whatever woke it; the timer has nothing else to do. */
static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
}

static void run_stop(struct ch_msg *m)
{
	struct worker *w = CH_CONTAINER_OF(m, struct worker, stop_msg);
	w->is_ending = true;
	w->abort_at_mono_ms = now_mono_ms(w) + w->grace_ms;
	engine_stop(w->engine);
}

static void run_quiesce(struct ch_msg *m)
{
	struct worker *w = CH_CONTAINER_OF(m, struct worker, quiesce_msg);
	engine_stop(w->engine);
}

static void run_hurry(struct ch_msg *m)
{
	struct worker *w = CH_CONTAINER_OF(m, struct worker, hurry_msg);
	engine_abort(w->engine);
}

static void run_missed(struct ch_msg *m)
{
	struct worker *w = CH_CONTAINER_OF(m, struct worker, missed_msg);
	atomic_store(&w->missed_is_posted, false);
	engine_missed(w->engine);
}

static void arm(struct worker *w, int64_t wait_ms)
{
	struct timeval tv = {.tv_sec = wait_ms / 1000, .tv_usec = (wait_ms % 1000) * 1000};
	int rc = event_add(w->timer, &tv);
	CH_ASSERT(rc == 0);
}

/* One turn of the engine, then how long the loop may sleep: 0 for not at all. */
static int64_t turn(struct worker *w)
{
	engine_turn(w->engine);
	int64_t now = now_mono_ms(w), wake = engine_next_wake(w->engine).ms;
	if (w->is_ending && w->abort_at_mono_ms <= now)
		engine_abort(w->engine);
	else if (w->is_ending && w->abort_at_mono_ms < wake)
		wake = w->abort_at_mono_ms;
	return wake == INT64_MAX ? -1 : wake > now ? wake - now : 0;
}

static void *run(void *ctx)
{
	struct worker *w = ctx;
	pthread_setname_np(pthread_self(), "delivery");
	engine_start(w->engine, owns, w);
	for (;;) {
		int64_t wait_ms = turn(w);
		if (w->is_ending && engine_is_idle(w->engine))
			return NULL;
		if (wait_ms > 0)
			arm(w, wait_ms);
		else
			event_del(w->timer);
		int rc = event_base_loop(w->base, wait_ms == 0 ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
		CH_ASSERT(rc >= 0);
	}
}

/* ---- life ---- */

static int make_base(struct worker *w, struct ch_err *err)
{
	struct event_config *conf = event_config_new();
	if (!conf)
		return ch_err_set(err, CH_ENOMEM, "no memory for a delivery loop");
	int rc = event_config_set_flag(conf, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	w->base = rc == 0 ? event_base_new_with_config(conf) : NULL;
	event_config_free(conf);
	return w->base ? 0 : ch_err_set(err, CH_EIO, "no event loop for deliveries");
}

static int make_events(struct worker *w, struct ch_err *err)
{
	w->port_event = event_new(w->base, ch_port_fd(&w->port), EV_READ | EV_PERSIST, on_port, w);
	w->timer = evtimer_new(w->base, on_timer, w);
	if (!w->port_event || !w->timer || event_add(w->port_event, NULL) != 0)
		return ch_err_set(err, CH_ENOMEM, "no memory for a delivery loop");
	return 0;
}

static int make_engine(struct worker *w, struct ch_err *err)
{
	w->conf.transport.base = w->base;
	int rc = transport_curl_create(&w->conf.transport, &w->transport, err);
	if (rc)
		return rc;
	w->conf.engine.port = &w->port;
	w->conf.engine.transport = w->transport;
	rc = engine_create(&w->conf.engine, &w->engine, err);
	ch_wipe(w->conf.engine.seal_key, sizeof(w->conf.engine.seal_key));
	return rc;
}

static int make_inside(struct worker *w, struct ch_err *err)
{
	int rc = make_base(w, err);
	if (rc == 0)
		rc = make_events(w, err);
	if (rc == 0)
		rc = make_engine(w, err);
	return rc;
}

int worker_create(
		const struct worker_conf *conf, int index, int count, struct worker **ret, struct ch_err *err)
{
	CH_ASSERT(count >= 1 && index >= 0 && index < count);
	struct worker *w = ch_calloc(1, sizeof(*w));
	if (!w)
		return ch_err_set(err, CH_ENOMEM, "no memory for a delivery loop");
	w->conf = *conf;
	w->index = index;
	w->count = count;
	w->stop_msg.run = run_stop;
	w->quiesce_msg.run = run_quiesce;
	w->hurry_msg.run = run_hurry;
	w->missed_msg.run = run_missed;
	int rc = ch_port_init(&w->port, true, err);
	if (rc) {
		ch_free(w);
		return rc;
	}
	rc = make_inside(w, err);
	if (rc) {
		worker_destroy(&w);
		return rc;
	}
	*ret = w;
	return 0;
}

void worker_start(struct worker *w)
{
	CH_ASSERT(!w->is_running);
	w->is_running = true;
	int rc = pthread_create(&w->thread, NULL, run, w);
	CH_ASSERT(rc == 0);
}

static void ask_to_stop(struct worker *w, int grace_ms)
{
	w->grace_ms = grace_ms;
	ch_port_post(&w->port, &w->stop_msg);
}

static void join(struct worker *w)
{
	int rc = pthread_join(w->thread, NULL);
	CH_ASSERT(rc == 0);
	w->is_running = false;
}

void worker_stop(struct worker *w, int grace_ms)
{
	if (!w->is_running)
		return;
	ask_to_stop(w, grace_ms);
	join(w);
}

void workers_stop(struct workers *w, int grace_ms)
{
	for (int i = 0; i < w->count; i++) {
		if (w->items[i]->is_running)
			ask_to_stop(w->items[i], grace_ms);
	}
	for (int i = 0; i < w->count; i++) {
		if (w->items[i]->is_running)
			join(w->items[i]);
	}
}

void workers_quiesce(struct workers *w)
{
	for (int i = 0; i < w->count; i++)
		if (!atomic_exchange(&w->items[i]->quiesce_is_posted, true))
			ch_port_post(&w->items[i]->port, &w->items[i]->quiesce_msg);
}

void worker_hurry(struct worker *w)
{
	if (!atomic_exchange(&w->hurry_is_posted, true))
		ch_port_post(&w->port, &w->hurry_msg);
}

void worker_missed(struct worker *w)
{
	if (!atomic_exchange(&w->missed_is_posted, true))
		ch_port_post(&w->port, &w->missed_msg);
}

void worker_destroy(struct worker **wp)
{
	struct worker *w = *wp;
	*wp = NULL;
	if (!w)
		return;
	CH_ASSERT(!w->is_running);
	/* News that came after the end: each message frees itself, the store has what it carried. */
	if (w->engine) {
		engine_stop(w->engine);
		while (ch_port_dispatch(&w->port) > 0)
			;
	}
	engine_destroy(&w->engine);
	if (w->transport)
		w->transport->destroy(w->transport);
	if (w->port_event)
		event_free(w->port_event);
	if (w->timer)
		event_free(w->timer);
	if (w->base)
		event_base_free(w->base);
	ch_port_fini(&w->port);
	ch_free(w);
}

const struct engine_stats *worker_stats(const struct worker *w)
{
	return engine_stats_of(w->engine);
}
