#include "delivery/transport_sim.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/heap.h"
#include "base/list.h"

/* One job under way. */
struct trip {
	struct ch_heap_node end; /* mono ms */
	struct transport_job *job;
	struct transport_sim_reply reply;
	int64_t sent_mono_ms;
	bool is_canceled; /* it was on its way */
};

struct transport_sim {
	struct transport base;
	struct transport_sim_conf conf;
	struct ch_heap trips;
	struct transport_job *shortage; /* jobs without a trip, by transport_data */
	size_t in_flight;
};

static struct transport_sim *sim_of(struct transport *t)
{
	return CH_CONTAINER_OF(t, struct transport_sim, base);
}

static int64_t now_of(const struct transport_sim *s)
{
	return ch_clock_mono(&s->conf.clock).ms;
}

static void cap_by_deadline(struct transport_sim_reply *r, int timeout_ms)
{
	if (r->latency_ms < timeout_ms)
		return;
	*r = (struct transport_sim_reply){.latency_ms = timeout_ms,
			.outcome = ATTEMPT_TIMEOUT,
			.retry_after_s = -1,
			.detail = "no answer within the deadline"};
}

static void fall_short(struct transport_sim *s, struct transport_job *job)
{
	job->transport_data = s->shortage;
	s->shortage = job;
}

/* The receiver is asked last: what it saw has happened, whatever memory there is. */
static struct trip *begin_trip(struct transport_sim *s, struct transport_job *job)
{
	struct trip *trip = ch_calloc(1, sizeof(*trip));
	if (!trip)
		return NULL;
	trip->job = job;
	trip->sent_mono_ms = now_of(s);
	if (ch_heap_push(&s->trips, &trip->end, trip->sent_mono_ms)) {
		ch_free(trip);
		return NULL;
	}
	return trip;
}

static void sim_send(struct transport *t, struct transport_job *job)
{
	struct transport_sim *s = sim_of(t);
	struct trip *trip = begin_trip(s, job);

	s->in_flight++;
	if (!trip) {
		fall_short(s, job);
		return;
	}
	trip->reply = (struct transport_sim_reply){
			.latency_ms = 1, .outcome = ATTEMPT_ANSWERED, .status = 200, .retry_after_s = -1};
	s->conf.receive(s->conf.ctx, job, &trip->reply);
	CH_ASSERT(trip->reply.latency_ms >= 0);
	cap_by_deadline(&trip->reply, job->timeout_ms);
	ch_heap_rekey(&s->trips, &trip->end, trip->sent_mono_ms + trip->reply.latency_ms);
	job->transport_data = trip;
}

static bool is_short(const struct transport_sim *s, const struct transport_job *job)
{
	for (const struct transport_job *it = s->shortage; it; it = it->transport_data) {
		if (it == job)
			return true;
	}
	return false;
}

static void sim_cancel(struct transport *t, struct transport_job *job)
{
	struct transport_sim *s = sim_of(t);
	if (is_short(s, job))
		return;
	struct trip *trip = job->transport_data;
	trip->is_canceled = true;
	trip->reply = (struct transport_sim_reply){
			.outcome = ATTEMPT_LOCAL, .retry_after_s = -1, .detail = "canceled"};
	ch_heap_rekey(&s->trips, &trip->end, now_of(s));
}

static void sim_forget(struct transport *t, const struct id *endpoint)
{
	struct transport_sim *s = sim_of(t);
	if (s->conf.forget)
		s->conf.forget(s->conf.ctx, endpoint);
}

static void sim_destroy(struct transport *t)
{
	struct transport_sim *s = sim_of(t);
	CH_ASSERT(s->in_flight == 0);
	ch_heap_fini(&s->trips);
	ch_free(s);
}

int transport_sim_create(const struct transport_sim_conf *conf, struct transport **ret, struct ch_err *err)
{
	struct transport_sim *s = ch_calloc(1, sizeof(*s));
	if (!s)
		return ch_err_set(err, CH_ENOMEM, "no memory for a simulated network");
	s->base = (struct transport){
			.send = sim_send, .cancel = sim_cancel, .forget = sim_forget, .destroy = sim_destroy};
	s->conf = *conf;
	ch_heap_init(&s->trips);
	*ret = &s->base;
	return 0;
}

struct ch_mono transport_sim_next(struct transport *t)
{
	struct transport_sim *s = sim_of(t);
	struct ch_heap_node *n = ch_heap_min(&s->trips);
	if (s->shortage)
		return (struct ch_mono){now_of(s)};
	return (struct ch_mono){n ? n->key : INT64_MAX};
}

static void finish(struct transport_sim *s, struct transport_job *job)
{
	CH_ASSERT(s->in_flight > 0);
	s->in_flight--;
	job->transport_data = NULL;
	if (s->conf.ending)
		s->conf.ending(s->conf.ctx, job);
	job->done(job);
}

static bool was_connected(const struct transport_sim_reply *r)
{
	switch (r->outcome) {
	case ATTEMPT_ANSWERED:
	case ATTEMPT_RESET:
	case ATTEMPT_TLS:
	case ATTEMPT_MALFORMED:
		return true;
	case ATTEMPT_TIMEOUT:
		return !r->is_unconnected;
	default:
		return false;
	}
}

static void finish_check(struct transport_job *job)
{
	*job->check = (struct transport_check){.is_ready = job->attempt.outcome == ATTEMPT_ANSWERED};
	job->attempt.status = 0;
}

static void finish_trip(struct transport_sim *s, struct trip *trip)
{
	struct transport_job *job = trip->job;
	struct attempt *a = &job->attempt;
	a->outcome = trip->reply.outcome;
	a->status = trip->reply.outcome == ATTEMPT_ANSWERED ? trip->reply.status : 0;
	a->retry_after_s = trip->reply.retry_after_s;
	a->detail = trip->reply.detail ? ch_strdup(trip->reply.detail) : NULL;
	int64_t took_ms = now_of(s) - trip->sent_mono_ms;
	a->total_us = took_ms < INT32_MAX / 1000 ? (int32_t)(took_ms * 1000) : INT32_MAX;
	a->connect_us = trip->is_canceled || was_connected(&trip->reply) ? 0 : -1;
	if (job->check)
		finish_check(job);
	ch_free(trip);
	finish(s, job);
}

static size_t finish_short(struct transport_sim *s)
{
	size_t n = 0;
	struct transport_job *job = s->shortage;
	s->shortage = NULL;
	while (job) {
		struct transport_job *next = job->transport_data;
		job->attempt.outcome = ATTEMPT_LOCAL;
		if (job->check)
			finish_check(job);
		finish(s, job);
		job = next;
		n++;
	}
	return n;
}

size_t transport_sim_step(struct transport *t)
{
	struct transport_sim *s = sim_of(t);
	size_t n = finish_short(s);
	int64_t now = now_of(s);
	struct ch_heap_node *min;
	while ((min = ch_heap_min(&s->trips)) != NULL && min->key <= now) {
		ch_heap_remove(&s->trips, min);
		finish_trip(s, CH_CONTAINER_OF(min, struct trip, end));
		n++;
	}
	return n;
}

size_t transport_sim_in_flight(struct transport *t)
{
	return sim_of(t)->in_flight;
}
