#include <stdint.h>
#include <string.h>

#include "delivery/engine_core.h"

/* When nearly nobody can be reached it is our line or name server, and not they: everything waits, no try is
 * counted, no lane is blamed, and one attempt at a time asks whether it is over. Endpoints that were dead
 * before say nothing about us when they go on failing. */

#define ASK_FIRST_MS 250 /* while there are endpoints that were not asked yet in this outage */
#define ASK_MIN_MS 1000
#define ASK_MAX_MS 5000 /* one connection in 5 s costs nothing, and a false alarm ends soon */

void engine_outage_init(struct engine *e)
{
	outage_init(&e->downtime.seen);
	e->downtime.ask_at_mono_ms = INT64_MAX;
}

/* FNV-1a: only to tell hosts apart. */
static uint64_t hash_of(const char *host)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (; *host; host++)
		h = (h ^ (uint8_t)*host) * UINT64_C(1099511628211);
	return h;
}

static void begin(struct engine *e, int64_t now)
{
	struct downtime *d = &e->downtime;
	d->is_on = true;
	d->is_asking = false;
	d->number++;
	d->began_mono_ms = now;
	d->pause_ms = ASK_MIN_MS;
	d->ask_at_mono_ms = now + engine_jitter(e, d->pause_ms);
	atomic_fetch_add_explicit(&e->stats.outages, 1, memory_order_relaxed);
	CH_LOG(e->conf.log, CH_LOG_ERROR, "outage",
			CH_S("why", "hardly any host can be reached: our own network or name server"),
			CH_I("in_flight", e->in_flight));
}

/* Lanes that died of it are given back; there are as many as there are webhooks, and it is rare. */
static void end(struct engine *e, int64_t now)
{
	struct downtime *d = &e->downtime;
	int64_t since = d->began_mono_ms - OUTAGE_WINDOW_MS;
	d->is_on = false;
	CH_LOG(e->conf.log, CH_LOG_INFO, "outage_over", CH_I("seconds", (now - d->began_mono_ms) / 1000));
	outage_init(&d->seen);
	/* Or the next five that fail would be another outage. */
	d->seen.answered_mono_ms = now;
	for (struct ch_map_node *n = ch_map_next(&e->lanes, NULL); n; n = ch_map_next(&e->lanes, n)) {
		struct lane *l = CH_CONTAINER_OF(n, struct lane, node);
		if (lane_state_of(l) == LANE_DEAD && l->died_mono_ms >= since)
			engine_probe_later(e, l, now);
	}
}

static void ask_later(struct engine *e, int64_t now)
{
	struct downtime *d = &e->downtime;
	d->is_asking = false;
	if (d->was_first) {
		d->ask_at_mono_ms = now + engine_jitter(e, ASK_FIRST_MS);
		return;
	}
	d->pause_ms = d->pause_ms > ASK_MAX_MS / 2 ? ASK_MAX_MS : 2 * d->pause_ms;
	d->ask_at_mono_ms = now + engine_jitter(e, d->pause_ms);
}

/* A kept connection was connected once, whatever the times say. */
static enum outage_sign sign_of(const struct transport_job *job)
{
	enum outage_sign sign = outage_sign_of(&job->attempt);
	return sign == OUTAGE_UNREACHED && job->reused_connection ? OUTAGE_OTHER : sign;
}

bool engine_outage_note(struct engine *e, const struct transport_job *job, bool was_dead, bool was_asking)
{
	struct downtime *d = &e->downtime;
	int64_t now = engine_mono_ms(e);
	enum outage_sign sign = sign_of(job);
	bool is_silent = job->attempt.outcome == ATTEMPT_LOCAL || job->attempt.outcome == ATTEMPT_ADDRESS;
	bool is_ours = sign == OUTAGE_UNREACHED;

	if (!is_silent && (!was_dead || sign == OUTAGE_ANSWERED))
		outage_note(&d->seen, hash_of(job->url->host), sign, now);
	if (!d->is_on && outage_is_ours(&d->seen, now))
		begin(e, now);
	if (!d->is_on)
		return false;
	/* Whoever asked and was connected has the answer, whatever came of it. */
	if (sign == OUTAGE_ANSWERED || (was_asking && sign == OUTAGE_OTHER && !is_silent)) {
		end(e, now);
		return false;
	}
	if (was_asking)
		ask_later(e, now);
	return is_ours;
}

bool engine_outage_may_ask(const struct engine *e)
{
	const struct downtime *d = &e->downtime;
	return d->is_on && !d->is_asking && d->ask_at_mono_ms <= engine_mono_ms(e);
}
