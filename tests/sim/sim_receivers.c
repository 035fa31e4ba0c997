#include "base/alloc.h"
#include "base/assert.h"
#include "sim.h"

static enum habit some_habit(struct world *w)
{
	return sim_chance(w, 2) ? HABIT_NEVER : (enum habit)sim_below(w, HABIT_NEVER);
}

/* Some are dead for minutes, some for half a day. */
static int64_t some_death_ms(struct world *w)
{
	return (int64_t)sim_below(w, sim_chance(w, 70) ? 1800000 : 43200000);
}

size_t sim_receiver_add(struct world *w)
{
	struct receiver *grown = ch_realloc(w->receivers, (w->receiver_count + 1) * sizeof(*grown));
	CH_ASSERT(grown);
	w->receivers = grown;
	grown[w->receiver_count] =
			(struct receiver){.habit = sim_chance(w, 40) ? HABIT_QUICK : some_habit(w)};
	return w->receiver_count++;
}

void sim_change_temper(struct world *w)
{
	const struct hook *h = w->hooks[sim_below(w, w->hook_count)];
	struct receiver *r = &w->receivers[sim_is_live(h) ? h->receiver : sim_below(w, w->receiver_count)];
	if (r->habit == HABIT_NEVER)
		return;
	if (sim_chance(w, 20))
		r->dead_until_mono_ms = sim_now(w) + some_death_ms(w);
	else
		r->habit = sim_chance(w, 50) ? HABIT_QUICK : some_habit(w);
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

/* Whom we can't reach when our own line or name server is down: nobody. */
static void be_unreachable(struct world *w, struct transport_sim_reply *r)
{
	static const enum attempt_outcome outcomes[] = {ATTEMPT_REFUSED, ATTEMPT_DNS, ATTEMPT_TIMEOUT};
	enum attempt_outcome o = outcomes[sim_below(w, 3)];
	fall(r, o == ATTEMPT_TIMEOUT ? 5000 : (int64_t)sim_below(w, 300), o);
	r->is_unconnected = true;
}

static void be_dead(struct world *w, struct transport_sim_reply *r)
{
	if (sim_chance(w, 50))
		fall(r, (int64_t)sim_below(w, 50), ATTEMPT_REFUSED);
	else
		r->latency_ms = INT64_MAX / 4;
}

static void behave(struct world *w, const struct receiver *at, struct transport_sim_reply *r)
{
	/* One draw after the other: compilers differ in which argument comes first. */
	int64_t latency = 1 + (int64_t)sim_below(w, 20);
	answer(r, latency, 200 + (int)sim_below(w, 5));
	if (w->is_healing)
		return;
	if (w->line_down_until_mono_ms > sim_now(w)) {
		be_unreachable(w, r);
		return;
	}
	if (at->dead_until_mono_ms > sim_now(w)) {
		be_dead(w, r);
		return;
	}
	switch (at->habit) {
	case HABIT_QUICK:
		break;
	case HABIT_SLOW:
		r->latency_ms = 300 + (int64_t)sim_below(w, 6000);
		break;
	case HABIT_CRAWLING:
		r->latency_ms = 2001 + (int64_t)sim_below(w, 9000);
		break;
	case HABIT_FAILING:
	case HABIT_NEVER:
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
	size_t at = sim_receiver_of(job->url->text);
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

static bool is_accepted(const struct transport_job *job, const struct transport_sim_reply *r)
{
	return r->latency_ms < job->timeout_ms && r->outcome == ATTEMPT_ANSWERED && r->status / 100 == 2;
}

static void note_reply(struct world *w, const struct transport_job *job, const struct transport_sim_reply *r)
{
	struct parcel *p = sim_parcel(w, &job->attempt.delivery_id);
	int64_t latency = r->latency_ms < job->timeout_ms ? r->latency_ms : job->timeout_ms;
	p->busy_until_mono_ms = sim_now(w) + latency;
	if (w->engine->downtime.is_on)
		w->asking_until_mono_ms = p->busy_until_mono_ms;
	if (!is_accepted(job, r))
		return;
	p->was_accepted = true;
	if (p->sent_round == p->round)
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

void sim_ending(void *ctx, const struct transport_job *job)
{
	struct world *w = ctx;
	struct parcel *p = sim_parcel(w, &job->attempt.delivery_id);
	p->was_down = w->engine->downtime.is_on;
	p->outages_seen = w->engine->downtime.number;
	sim_trace(w, "end", &p->id, (int64_t)job->attempt.outcome * 1000 + job->attempt.status);
}
