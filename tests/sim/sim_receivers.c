#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim.h"

size_t sim_receiver_add(struct world *w)
{
	struct receiver *grown = ch_realloc(w->receivers, (w->receiver_count + 1) * sizeof(*grown));
	CH_ASSERT(grown);
	w->receivers = grown;
	grown[w->receiver_count] = (struct receiver){.habit = (enum habit)sim_below(w, HABIT_COUNT)};
	return w->receiver_count++;
}

static void answer(struct transport_sim_reply *r, int64_t latency_ms, int status)
{
	r->latency_ms = latency_ms;
	r->outcome = ATTEMPT_ANSWERED;
	r->status = status;
}

static void fall(struct transport_sim_reply *r, int64_t latency_ms, enum attempt_outcome outcome)
{
	r->latency_ms = latency_ms;
	r->outcome = outcome;
	r->detail = attempt_outcome_name(outcome);
}

static void fail_somehow(struct world *w, struct transport_sim_reply *r)
{
	static const int statuses[] = {500, 502, 503, 404, 302, 408};
	static const enum attempt_outcome outcomes[] = {
			ATTEMPT_RESET, ATTEMPT_DNS, ATTEMPT_TLS, ATTEMPT_ADDRESS, ATTEMPT_MALFORMED};
	int64_t latency = (int64_t)sim_below(w, 200);
	if (sim_chance(w, 60))
		answer(r, latency, statuses[sim_below(w, sizeof(statuses) / sizeof(statuses[0]))]);
	else
		fall(r, latency, outcomes[sim_below(w, sizeof(outcomes) / sizeof(outcomes[0]))]);
}

static void ask_to_wait(struct world *w, struct transport_sim_reply *r)
{
	answer(r, 5, sim_chance(w, 70) ? 429 : 503);
	r->retry_after_s = 1 + (int64_t)sim_below(w, sim_chance(w, 90) ? 60 : 7200);
}

static void behave(struct world *w, const struct receiver *at, struct transport_sim_reply *r)
{
	/* One draw after the other: compilers differ in which argument comes first. */
	int64_t latency = 1 + (int64_t)sim_below(w, 20);
	answer(r, latency, 200 + (int)sim_below(w, 5));
	if (w->is_healing)
		return;
	switch (at->habit) {
	case HABIT_QUICK:
		break;
	case HABIT_SLOW:
		r->latency_ms = 300 + (int64_t)sim_below(w, 6000);
		break;
	case HABIT_FAILING:
		fail_somehow(w, r);
		break;
	case HABIT_ASKING:
		if (sim_chance(w, 20))
			ask_to_wait(w, r);
		break;
	case HABIT_BUSY:
		if (sim_chance(w, 20))
			answer(r, 5, 429);
		break;
	case HABIT_REFUSING:
		fall(r, 1, ATTEMPT_REFUSED);
		break;
	case HABIT_HANGING:
		r->latency_ms = INT64_MAX / 4;
		break;
	case HABIT_GONE:
		if (sim_chance(w, 5))
			answer(r, 10, 410);
		break;
	case HABIT_FLAPPING:
		if (sim_chance(w, 50))
			fail_somehow(w, r);
		break;
	case HABIT_OURS:
		if (sim_chance(w, 15))
			fall(r, 0, ATTEMPT_LOCAL);
		break;
	case HABIT_COUNT:
		CH_UNREACHABLE();
	}
}

static struct receiver *receiver_of(struct world *w, const struct transport_job *job)
{
	CH_ASSERT(strncmp(job->url->host, "r", 1) == 0);
	size_t at = strtoul(job->url->host + 1, NULL, 10);
	if (at >= w->receiver_count)
		sim_fail(w, "a request to %s, where nobody is", job->url->text);
	return &w->receivers[at];
}

static void note_wish(struct world *w, struct receiver *at, const struct transport_sim_reply *r)
{
	int64_t from = sim_now(w) + r->latency_ms;
	if (r->outcome != ATTEMPT_ANSWERED || r->retry_after_s < 0)
		return;
	if (at->quiet_life == w->life && at->quiet_until_mono_ms >= from + r->retry_after_s * 1000)
		return;
	at->quiet_from_mono_ms = from;
	at->quiet_until_mono_ms = from + r->retry_after_s * 1000;
	at->quiet_life = w->life;
}

static void note_reply(struct world *w, const struct transport_job *job, const struct transport_sim_reply *r)
{
	struct parcel *p = sim_parcel(w, &job->attempt.delivery_id);
	int64_t latency = r->latency_ms < job->timeout_ms ? r->latency_ms : job->timeout_ms;
	p->busy_until_mono_ms = sim_now(w) + latency;
	if (r->latency_ms < job->timeout_ms && r->outcome == ATTEMPT_ANSWERED && r->status / 100 == 2)
		p->accepted_in_life = w->life;
}

void sim_receive(void *ctx, const struct transport_job *job, struct transport_sim_reply *ret)
{
	struct world *w = ctx;
	struct receiver *at = receiver_of(w, job);
	if (at->quiet_life == w->life && sim_now(w) > at->quiet_from_mono_ms &&
			sim_now(w) < at->quiet_until_mono_ms)
		sim_fail(w, "%s was called within its Retry-After", job->url->text);
	sim_note_send(w, job);
	behave(w, at, ret);
	note_wish(w, at, ret);
	note_reply(w, job, ret);
}
