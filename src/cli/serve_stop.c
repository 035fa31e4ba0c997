#include <signal.h>

#include "base/crash_point.h"
#include "cli/serve_core.h"

#define STOP_LOOK_MS 10
/* At the end, with nothing left to do but to write results: how long the store may refuse them. A disk that
 * is full now is full in 20 s, and what is not written is attempted again. */
#define REFUSED_MS 2000

const int serve_signals[SERVE_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

static void on_workers_stopped(struct ch_msg *m)
{
	struct service *s = CH_CONTAINER_OF(m, struct service, stopped);

	CH_CRASH_POINT(stop_workers_stopped);
	event_base_loopbreak(s->base);
}

/* Waiting for the delivery loops would block the loop that a second signal comes in on. */
static void *stop_workers(void *ctx)
{
	struct service *s = ctx;

	workers_stop(&s->workers, s->left_ms);
	ch_port_post(&s->port, &s->stopped);
	return NULL;
}

static void hurry(struct service *s)
{
	s->is_hurried = true;
	for (int i = 0; i < s->workers.count; i++)
		worker_hurry(s->workers.items[i]);
}

static long long gauge(const atomic_llong *g)
{
	return atomic_load_explicit(g, memory_order_relaxed);
}

/* Nothing is left but results that the store does not take? */
static bool is_refused(const struct service *s, long long *ret_results)
{
	long long in_flight = 0, refused = 0;

	*ret_results = 0;
	for (int i = 0; i < s->workers.count; i++) {
		const struct engine_stats *stats = worker_stats(s->workers.items[i]);
		in_flight += gauge(&stats->in_flight);
		refused += gauge(&stats->is_refused);
		*ret_results += gauge(&stats->results_waiting);
	}
	return in_flight == 0 && refused > 0;
}

static void look_at_results(struct service *s)
{
	int64_t now_ms = ch_clock_mono(&s->clock).ms;
	long long results;

	if (!is_refused(s, &results)) {
		s->refused_since_ms = 0;
		return;
	}
	if (s->refused_since_ms == 0)
		s->refused_since_ms = now_ms;
	if (s->is_hurried || now_ms - s->refused_since_ms < REFUSED_MS)
		return;
	CH_LOG(&s->log, CH_LOG_WARN, "stopping_unwritten", CH_I("results", results));
	hurry(s);
}

static void end_loops(struct service *s)
{
	int64_t left_ms = s->stop_until.ms - ch_clock_mono(&s->clock).ms;

	s->is_ending = true;
	CH_CRASH_POINT(stop_drained);
	s->left_ms = left_ms > 0 ? (int)left_ms : 0;
	s->stopped.run = on_workers_stopped;
	s->has_stopper = pthread_create(&s->stopper, NULL, stop_workers, s) == 0;
	if (!s->has_stopper)
		stop_workers(s);
}

void serve_on_stop_look(evutil_socket_t fd, short what, void *ctx)
{
	struct service *s = ctx;
	size_t asked = http_server_busy(s->http) + (s->metrics ? http_server_busy(s->metrics) : 0);
	bool is_quiet = asked == 0 && api_busy(s->api) == 0;

	if (!s->is_ending && (is_quiet || ch_clock_mono(&s->clock).ms >= s->stop_until.ms))
		end_loops(s);
	else if (s->is_ending)
		look_at_results(s);
	event_add(s->stop_timer, &(struct timeval){.tv_usec = STOP_LOOK_MS * 1000});
}

static void on_hangup(struct service *s)
{
	struct ch_err err = {0};

	if (!s->tls)
		CH_LOG(&s->log, CH_LOG_INFO, "hangup_ignored", CH_S("reason", "there is nothing to reload"));
	else if (http_tls_reload(s->tls, &err) == 0)
		CH_LOG(&s->log, CH_LOG_INFO, "certificate_reloaded", CH_S("file", s->conf.tls_cert));
	else
		CH_LOG(&s->log, CH_LOG_ERROR, "certificate_kept", CH_S("reason", err.text));
}

void serve_on_signal(evutil_socket_t number, short what, void *ctx)
{
	struct service *s = ctx;

	if (number == SIGHUP) {
		on_hangup(s);
		return;
	}
	if (s->is_stopping) {
		CH_LOG(&s->log, CH_LOG_WARN, "stopping_now", CH_I("signal", number));
		s->stop_until = ch_clock_mono(&s->clock);
		hurry(s);
		return;
	}
	CH_LOG(&s->log, CH_LOG_INFO, "stopping", CH_I("signal", number),
			CH_I("grace_s", s->conf.grace_ms / 1000));
	s->is_stopping = true;
	CH_CRASH_POINT(stop_asked);
	s->stop_until = (struct ch_mono){ch_clock_mono(&s->clock).ms + s->conf.grace_ms};
	workers_quiesce(&s->workers);
	api_stopping(s->api);
	http_server_drain(s->http);
	if (s->metrics)
		http_server_drain(s->metrics);
	serve_on_stop_look(-1, 0, s);
}
