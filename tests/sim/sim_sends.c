#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim.h"

/* ---- turns: each its first slot before any its second ---- */

static void mark_ring(struct world *w, enum lane_line line, bool is_slow)
{
	CH_LIST_FOREACH (&w->engine->rings[line], it, next) {
		struct lane *l = CH_CONTAINER_OF(it, struct lane, ring);
		struct hook *h = sim_hook(w, &l->webhook.id);
		h->waits_in_turn = w->turn;
		h->waits_slow = is_slow;
		w->waiting[is_slow]++;
	}
}

void sim_begin_turn(struct world *w)
{
	w->turn++;
	w->waiting[0] = w->waiting[1] = 0;
	mark_ring(w, LINE_QUICK_FIRST, false);
	mark_ring(w, LINE_QUICK_MORE, false);
	mark_ring(w, LINE_SLOW_FIRST, true);
	mark_ring(w, LINE_SLOW_MORE, true);
}

static bool is_others(const struct world *w, enum lane_line line)
{
	return !ch_list_is_empty(&w->engine->rings[line]);
}

static bool slow_has_room(const struct world *w, int taken)
{
	int half = w->max_in_flight / 2;
	return w->engine->slow_in_flight - taken < (half > 0 ? half : 1);
}

/* Within one round everybody is served once, and who has nothing in flight comes before who has. */
static void check_turn(struct world *w, struct hook *h, const struct lane *l, const struct flight *f)
{
	bool is_slow = f->is_slow;
	if (w->engine->downtime.is_on || f->from == HELD_PROBE)
		return;
	if (h->waits_in_turn == w->turn) {
		h->waits_in_turn = 0;
		w->waiting[h->waits_slow]--;
	} else if (h->sent_in_turn == w->turn && w->waiting[is_slow] > 0) {
		sim_fail(w, "a second slot while %d others wait for their first", w->waiting[is_slow]);
	}
	h->sent_in_turn = w->turn;
	if (l->busy < 2)
		return;
	if (is_others(w, LINE_QUICK_FIRST))
		sim_fail(w, "a lane with %d in flight sends before one with none", l->busy - 1);
	if (is_others(w, LINE_SLOW_FIRST) && slow_has_room(w, is_slow))
		sim_fail(w, "a lane with %d in flight sends before a slow one with none", l->busy - 1);
}

/* ---- slots ---- */

static int probe_slots(const struct world *w)
{
	int n = w->max_in_flight / 32;
	if (n == 0)
		return w->max_in_flight >= 8;
	return n < 64 ? n : 64;
}

static void check_shares(struct world *w, const struct flight *f)
{
	const struct engine *e = w->engine;
	int half = w->max_in_flight / 2 > 0 ? w->max_in_flight / 2 : 1;
	bool is_probe = f->from == HELD_PROBE;
	if (e->in_flight > w->max_in_flight)
		sim_fail(w, "%d in flight", e->in_flight);
	if (f->is_slow && !is_probe && e->slow_in_flight > half)
		sim_fail(w, "%d slow ones in flight of %d", e->slow_in_flight, w->max_in_flight);
	if (is_probe && e->probes_in_flight > probe_slots(w) && e->slow_in_flight > half)
		sim_fail(w, "%d probes in flight beside %d slow ones", e->probes_in_flight,
				e->slow_in_flight - e->probes_in_flight);
	if (!is_probe && e->in_flight - e->probes_in_flight > w->max_in_flight - probe_slots(w))
		sim_fail(w, "no slot is left for a probe");
	w->seen.slow += f->is_slow && e->slow_in_flight == half;
}

static void check_window(struct world *w, const struct lane *l, const struct hook *h, enum held_where from)
{
	bool is_over = from != HELD_URGENT && l->busy - l->urgent_busy > l->window.size;
	if (is_over || l->window.size > l->webhook.concurrency)
		sim_fail(w, "busy %d, window %d, limit %d", l->busy, l->window.size, l->webhook.concurrency);
	/* More may be under way from before the limit was lowered. */
	if (from == HELD_URGENT && l->urgent_busy > l->webhook.concurrency)
		sim_fail(w, "%d resends at a time", l->urgent_busy);
	if (l->webhook.revision == h->committed.revision &&
			l->webhook.concurrency != h->committed.concurrency)
		sim_fail(w, "the limit is %d and not %d", l->webhook.concurrency, h->committed.concurrency);
}

static void check_state(struct world *w, const struct lane *l, const struct flight *f)
{
	enum lane_state s = lane_state_of(l);
	bool may_be = s == LANE_READY || (f->from == HELD_PROBE && s == LANE_PROBING) ||
		      (f->from == HELD_URGENT && (s == LANE_DEAD || s == LANE_PROBING));
	if (!may_be)
		sim_fail(w, "a send while %s", lane_state_name(s));
	if (f->from == HELD_PROBE && l->busy != 1)
		sim_fail(w, "a probe beside %d others", l->busy - 1);
}

/* While our line is down one at a time goes, to find out. */
static void check_outage(struct world *w, int64_t now)
{
	if (!w->engine->downtime.is_on)
		return;
	if (w->asking_until_mono_ms > now)
		sim_fail(w, "two attempts at a time while our line is down");
}

static void check_news_take_turns(struct world *w, struct hook *h, const struct lane *l, enum held_where from)
{
	if (from != HELD_FRESH && from != HELD_BACKLOG)
		return;
	int others = from == HELD_FRESH ? l->backlog_count : l->fresh_count;
	if (h->has_last && h->last_from == from && others > 0)
		sim_fail(w, "%s twice in a row while others wait", from == HELD_FRESH ? "fresh" : "backlog");
	h->has_last = true;
	h->last_from = from;
}

/* Never more than count in any stretch of that length. */
static void check_rate(struct world *w, struct hook *h, const struct lane *l)
{
	int64_t since = sim_now(w) - (int64_t)l->webhook.rate_seconds * 1000;
	int n = 1;
	if (l->webhook.rate_count == 0 || l->webhook.rate_seconds != h->rate_seconds) {
		h->rate_seconds = l->webhook.rate_count == 0 ? 0 : l->webhook.rate_seconds;
		h->rate_total = 0;
	}
	if (l->webhook.rate_count == 0)
		return;
	for (uint64_t i = 0; i < h->rate_total && i < SIM_RATE_MAX; i++)
		n += h->rate_sent[i] > since;
	if (n > l->webhook.rate_count)
		sim_fail(w, "%d within %d s and not %d", n, l->webhook.rate_seconds, l->webhook.rate_count);
	h->rate_sent[h->rate_total++ % SIM_RATE_MAX] = sim_now(w);
}

/* ---- the request ---- */

static void check_settings(struct world *w, const struct hook *h, const struct transport_job *job)
{
	if (h->is_told_deleted)
		sim_fail(w, "a send for a webhook that was deleted");
	/* A survey may have told the engine more than the news did. */
	if (h->is_told_off && !h->committed.enabled)
		sim_fail(w, "a send for a webhook that was switched off");
	if (!h->is_unsure && strcmp(h->told_url, job->url->text) != 0 &&
			strcmp(h->committed.url, job->url->text) != 0)
		sim_fail(w, "a send to %s after the URL became %s", job->url->text, h->told_url);
	if (h->quiet_until_mono_ms > sim_now(w) && sim_receiver_of(job->url->text) == h->receiver)
		sim_fail(w, "a send within a Retry-After of an earlier life, %lld ms too early, %s",
				(long long)(h->quiet_until_mono_ms - sim_now(w)),
				engine_lane(w->engine, &h->id)->seen_in_survey == 0
						? "the survey has not come to it"
						: "surveyed");
}

static const char *header_of(const struct transport_job *job, const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < job->header_count; i++) {
		if (strncmp(job->headers[i], name, len) == 0 && job->headers[i][len] == ':')
			return job->headers[i] + len + 2;
	}
	return NULL;
}

static void check_headers(
		struct world *w, struct hook *h, const struct lane *l, const struct transport_job *job)
{
	const char *id = header_of(job, "webhook-id"), *hex = header_of(job, "X-Webhook-Signature");
	char text[ID_TEXT_LEN + 1], right[SIGN_HEX_LEN + 1];

	id_format(&job->attempt.delivery_id, text);
	if (!id || strcmp(id, text) != 0)
		sim_fail(w, "webhook-id is not the delivery's");
	if (l->webhook.revision != h->committed.revision)
		return;
	if (!h->has_key) {
		if (hex)
			sim_fail(w, "a signature without a secret");
		return;
	}
	sign_body_hex(&h->key, job->body->data, job->body->len, right);
	if (!hex || strcmp(hex, right) != 0)
		sim_fail(w, "the signature is wrong");
}

/* ---- the delivery ---- */

static void check_repeat(struct world *w, const struct parcel *p, int round)
{
	if (p->accepted_in_life == 0 || round != p->round)
		return;
	if (p->accepted_in_life == w->life)
		sim_fail(w, "a send of what was accepted in this life");
	if (p->crashed_in_life != p->accepted_in_life)
		sim_fail(w, "sent twice, and not under way as life %u crashed", p->accepted_in_life);
	w->seen.repeats++;
}

static void check_parcel(struct world *w, const struct parcel *p, const struct transport_job *job, int round)
{
	if (round == p->round && (p->state == DELIVERY_DELIVERED || p->state == DELIVERY_FAILED))
		sim_fail(w, "a send of what is %s", delivery_state_name(p->state));
	if (p->life == w->life && p->busy_until_mono_ms > sim_now(w))
		sim_fail(w, "two sends of one delivery at a time");
	if (p->sweeps_seen == p->hook->sweeps && round == p->round && !p->is_probe &&
			p->due_ms > w->wall_high_ms)
		sim_fail(w, "a send %lld ms before it is due", (long long)(p->due_ms - w->wall_high_ms));
	if (job->body->len != p->body->len || memcmp(job->body->data, p->body->data, p->body->len) != 0)
		sim_fail(w, "other bytes than were stored");
	check_repeat(w, p, round);
}

static void check_lane(struct world *w, struct hook *h, const struct lane *l, const struct flight *f)
{
	if (!w->in_turn)
		sim_fail(w, "a send outside of a turn");
	check_window(w, l, h, f->from);
	check_state(w, l, f);
	check_shares(w, f);
	check_turn(w, h, l, f);
	check_news_take_turns(w, h, l, f->from);
	check_rate(w, h, l);
	check_outage(w, sim_now(w));
}

static void note_parcel(struct world *w, struct parcel *p, const struct flight *f)
{
	p->life = w->life;
	p->sent_round = f->held->delivery.round;
	p->sent_tries = f->held->delivery.tries;
	p->sent_to = sim_receiver_of(f->job.url->text);
	w->seen.sends++;
	w->seen.probes += p->is_probe;
	sim_trace(w, "send", &p->id, sim_now(w));
}

void sim_note_send(struct world *w, const struct transport_job *job)
{
	struct parcel *p = sim_parcel(w, &job->attempt.delivery_id);
	struct hook *h = sim_hook(w, &job->endpoint);
	if (!p || !h || p->hook != h)
		sim_fail(w, "a send of a delivery that was not made for this webhook");
	const struct lane *l = engine_lane(w->engine, &h->id);
	const struct held *held = lane_find(l, &p->id);
	p->is_probe = held->flight->from == HELD_PROBE;
	check_lane(w, h, l, held->flight);
	check_settings(w, h, job);
	check_headers(w, h, l, job);
	check_parcel(w, p, job, held->delivery.round);
	note_parcel(w, p, held->flight);
}

/* ---- resends ---- */

void sim_note_resend(struct world *w, const struct id *webhook, const struct id *delivery)
{
	const struct lane *l = engine_lane(w->engine, webhook);
	const struct held *h = l ? lane_find(l, delivery) : NULL;
	if (!h || h->where != HELD_URGENT)
		return;
	struct resend *r = ch_calloc(1, sizeof(*r));
	CH_ASSERT(r);
	r->parcel = sim_parcel(w, delivery);
	r->since_mono_ms = sim_now(w);
	ch_list_push_back(&w->resends, &r->link);
}

/* ---- lives ---- */

void sim_note_crash(struct world *w)
{
	const struct engine *e = w->engine;
	for (struct ch_map_node *n = ch_map_next(&e->lanes, NULL); n; n = ch_map_next(&e->lanes, n)) {
		const struct lane *l = CH_CONTAINER_OF(n, struct lane, node);
		for (struct ch_map_node *m = ch_map_next(&l->held, NULL); m; m = ch_map_next(&l->held, m)) {
			const struct held *h = CH_CONTAINER_OF(m, struct held, node);
			struct parcel *p = sim_parcel(w, &h->delivery.id);
			bool is_under_way = h->where == HELD_IN_FLIGHT || h->where == HELD_RESULT;
			if (is_under_way && p->accepted_in_life == w->life)
				p->crashed_in_life = w->life;
		}
	}
}

void sim_forget_sends(struct world *w)
{
	struct ch_list *n;
	for (size_t i = 0; i < w->hook_count; i++) {
		struct hook *h = w->hooks[i];
		int64_t left = h->quiet_until_wall_ms - w->clock.wall.ms;
		h->has_last = false;
		h->rate_total = 0;
		h->quiet_until_mono_ms = left > 0 ? sim_now(w) + left : 0;
	}
	w->asking_until_mono_ms = 0;
	while ((n = ch_list_pop_front(&w->resends)) != NULL)
		ch_free(CH_CONTAINER_OF(n, struct resend, link));
}
