#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "delivery/pipeline.h"
#include "sim.h"

struct hook *sim_hook(const struct world *w, const struct id *id)
{
	struct ch_map_node *n = ch_map_get(&w->hook_map, id->b, sizeof(id->b));
	return n ? CH_CONTAINER_OF(n, struct hook, node) : NULL;
}

struct parcel *sim_parcel(const struct world *w, const struct id *id)
{
	struct ch_map_node *n = ch_map_get(&w->parcels, id->b, sizeof(id->b));
	return n ? CH_CONTAINER_OF(n, struct parcel, node) : NULL;
}

/* ---- commits ---- */

static void note_hook(struct world *w, const struct webhook *hook)
{
	struct hook *h = sim_hook(w, &hook->id);
	webhook_fini(&h->committed);
	int rc = webhook_copy(hook, &h->committed);
	CH_ASSERT(rc == 0);
	if (!hook->enabled)
		h->was_off = true;
}

static void note_parcels(struct world *w, const struct store_call_put *put)
{
	for (size_t i = 0; i < put->out.delivery_count; i++) {
		const struct delivery *d = &put->out.deliveries[i];
		struct parcel *p = ch_calloc(1, sizeof(*p));
		CH_ASSERT(p);
		p->id = d->id;
		p->hook = sim_hook(w, &d->webhook_id);
		p->body = ch_bytes_ref(d->body);
		p->recorded = d->state;
		p->due_ms = d->due_ms;
		int rc = ch_map_insert(&w->parcels, &p->node, p->id.b, sizeof(p->id.b));
		if (rc)
			sim_fail(w, "the store made a delivery twice");
	}
}

static bool may_be_our_line(const struct world *w, const struct attempt *a)
{
	return atomic_load(&engine_stats_of(w->engine)->outages) > 0 && outage_sign_of(a) == OUTAGE_UNREACHED;
}

/* A probe that is answered well ends the delivery, and what was counted no longer matters. */
static bool ends_probe(const struct attempt *a)
{
	return a->outcome == ATTEMPT_ANSWERED && (a->status / 100 == 2 || a->status == 410);
}

/* Neither our own fault is a try, nor a probe, nor what a line of ours that is down does to attempts. */
static void check_tries(const struct world *w, const struct parcel *p, const struct store_attempt *q)
{
	const struct attempt *a = &q->in.attempt;
	int more = q->in.next.tries - p->tries;
	bool is_free = a->outcome == ATTEMPT_LOCAL || (p->is_probe && !ends_probe(a));
	if (more == (is_free ? 0 : 1) || (more == 0 && may_be_our_line(w, a)))
		return;
	sim_fail(w, "%d tries after %d", q->in.next.tries, p->tries);
}

static void note_result(struct world *w, const struct store_attempt *a)
{
	struct parcel *p = sim_parcel(w, &a->in.attempt.delivery_id);
	if (!p)
		sim_fail(w, "a result for a delivery that nobody made");
	if (p->recorded == DELIVERY_DELIVERED)
		sim_fail(w, "a result after DELIVERED");
	check_tries(w, p, a);
	p->recorded = a->out.state;
	p->due_ms = a->in.next.due_ms;
	p->tries = a->in.next.tries;
	if (a->out.state == DELIVERY_DELIVERED && p->accepted_in_life == 0)
		sim_fail(w, "DELIVERED without a 2xx");
}

void sim_note_commit(struct world *w, struct store_request *r)
{
	switch (r->kind) {
	case STORE_WEBHOOK_CREATE:
		note_hook(w, &r->u.webhook_create.in.webhook);
		break;
	case STORE_WEBHOOK_UPDATE:
		note_hook(w, &r->u.webhook_update.in.webhook);
		break;
	case STORE_WEBHOOK_DELETE:
		sim_hook(w, &r->u.webhook_delete.in.id)->committed.deleted = true;
		break;
	case STORE_CALL_PUT:
		note_parcels(w, &r->u.call_put);
		break;
	case STORE_ATTEMPT:
		note_result(w, &r->u.attempt);
		break;
	default:
		break;
	}
}

/* ---- sends ---- */

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
}

static const char *header_of(const struct transport_job *job, const char *name)
{
	for (size_t i = 0; i < job->header_count; i++) {
		size_t len = strlen(name);
		if (strncmp(job->headers[i], name, len) == 0 && job->headers[i][len] == ':')
			return job->headers[i] + len + 2;
	}
	return NULL;
}

static void check_headers(struct world *w, const struct hook *h, const struct transport_job *job)
{
	const char *id = header_of(job, "webhook-id"), *hex = header_of(job, "X-Webhook-Signature");
	char text[ID_TEXT_LEN + 1], right[SIGN_HEX_LEN + 1];
	struct sign_key key;

	id_format(&job->attempt.delivery_id, text);
	if (!id || strcmp(id, text) != 0)
		sim_fail(w, "webhook-id is not the delivery's");
	if (!h->committed.secret_sealed) {
		if (hex)
			sim_fail(w, "a signature without a secret");
		return;
	}
	int rc = sign_key_init(&key, SIM_SECRET, strlen(SIM_SECRET), NULL);
	CH_ASSERT(rc == 0);
	sign_body_hex(&key, job->body->data, job->body->len, right);
	sign_key_fini(&key);
	if (!hex || strcmp(hex, right) != 0)
		sim_fail(w, "the signature is wrong");
}

static void check_parcel(struct world *w, struct parcel *p, const struct transport_job *job)
{
	bool is_same_life = p->life == w->life;
	if (p->recorded != DELIVERY_PENDING)
		sim_fail(w, "a send of what is %s", delivery_state_name(p->recorded));
	if (is_same_life && p->busy_until_mono_ms > sim_now(w))
		sim_fail(w, "two sends of one delivery at a time");
	if (is_same_life && p->accepted_in_life == w->life)
		sim_fail(w, "a send of what was accepted in this life");
	if (p->due_ms > w->wall_high_ms && !p->is_probe)
		sim_fail(w, "a send %lld ms before it is due", (long long)(p->due_ms - w->wall_high_ms));
	if (job->body->len != p->body->len || memcmp(job->body->data, p->body->data, p->body->len) != 0)
		sim_fail(w, "other bytes than were stored");
	if (p->accepted_in_life > 0)
		w->seen.repeats++;
}

static void check_turn(struct world *w, struct hook *h)
{
	if (h->is_waiting) {
		h->is_waiting = false;
		w->waiting--;
	} else if (h->sent_in_turn > 0 && w->waiting > 0) {
		sim_fail(w, "a second slot while %d others wait for their first", w->waiting);
	}
	h->sent_in_turn++;
}

static void check_slot(struct world *w, struct parcel *p, struct hook *h)
{
	const struct lane *l = engine_lane(w->engine, &h->id);
	const struct flight *f = lane_find(l, &p->id)->flight;
	if (!w->in_turn)
		sim_fail(w, "a send outside of a turn");
	p->is_probe = f->from == HELD_PROBE;
	if (l->busy > l->window.size || l->window.size > h->committed.concurrency)
		sim_fail(w, "busy %d, window %d", l->busy, l->window.size);
	if (p->is_probe && l->busy != 1)
		sim_fail(w, "a probe beside %d others", l->busy - 1);
	if (!p->is_probe && lane_state_of(l) != LANE_READY)
		sim_fail(w, "a send while %s", lane_state_name(lane_state_of(l)));
	if (!f->is_slow)
		check_turn(w, h);
}

void sim_note_send(struct world *w, const struct transport_job *job)
{
	struct parcel *p = sim_parcel(w, &job->attempt.delivery_id);
	struct hook *h = sim_hook(w, &job->endpoint);
	if (!p || !h || p->hook != h)
		sim_fail(w, "a send of a delivery that was not made for this webhook");
	check_slot(w, p, h);
	check_settings(w, h, job);
	check_headers(w, h, job);
	check_parcel(w, p, job);
	p->life = w->life;
	p->sends++;
	w->seen.sends++;
}

/* ---- now and then, and at the end ---- */

void sim_check_lanes(struct world *w)
{
	int busy = 0;
	for (int i = 0; i < w->hook_count; i++) {
		struct lane_info info;
		if (!engine_lane_info(w->engine, &w->hooks[i].id, &info))
			continue;
		busy += info.busy;
		if (info.window > w->hooks[i].committed.concurrency && !w->hooks[i].is_unsure)
			sim_fail(w, "window %d", info.window);
		if (info.queued > ENGINE_QUEUE_MAX)
			sim_fail(w, "%d deliveries queued in one lane", info.queued);
		if (info.state != LANE_READY && info.queued > 0)
			sim_fail(w, "a lane that is %s holds deliveries", lane_state_name(info.state));
	}
	if (busy > SIM_MAX_IN_FLIGHT || transport_sim_in_flight(w->transport) > SIM_MAX_IN_FLIGHT)
		sim_fail(w, "%d in flight", busy);
	/* A claim may bring one body more than it has room for. */
	if (w->engine->totals.body_bytes > w->engine->conf.body_budget_bytes + 4096 * (size_t)w->hook_count)
		sim_fail(w, "%zu bytes of bodies", w->engine->totals.body_bytes);
}

static void check_ledger(struct world *w)
{
	struct store_request r;
	store_request_init(&r, STORE_LEDGER, NULL, NULL);
	sim_read(w, &r);
	const struct ledger *l = &r.u.ledger.out.ledger;
	if (l->accepted != l->pending + l->delivered + l->failed + l->parked + l->canceled)
		sim_fail(w, "the ledger does not add up");
	if (l->accepted != (int64_t)w->parcels.len)
		sim_fail(w, "the ledger has %lld accepted of %zu", (long long)l->accepted, w->parcels.len);
	if (l->pending != 0)
		sim_fail(w, "%lld are still pending", (long long)l->pending);
	w->seen.delivered = (uint64_t)l->delivered;
	w->seen.failed = (uint64_t)l->failed;
	w->seen.parked = (uint64_t)l->parked;
	w->seen.canceled = (uint64_t)l->canceled;
	store_request_fini(&r);
}

static bool may_end_as(const struct parcel *p, enum delivery_state state)
{
	switch (state) {
	case DELIVERY_DELIVERED:
		return p->accepted_in_life > 0;
	case DELIVERY_FAILED:
		return p->recorded == DELIVERY_FAILED;
	case DELIVERY_PARKED:
		return p->hook->was_off && !p->hook->committed.deleted;
	case DELIVERY_CANCELED:
		return p->hook->committed.deleted;
	default:
		return false;
	}
}

static void check_parcel_end(struct world *w, const struct parcel *p)
{
	struct store_request r;
	store_request_init(&r, STORE_DELIVERY_GET, NULL, NULL);
	r.u.delivery_get.in.account = SIM_ACCOUNT;
	r.u.delivery_get.in.id = p->id;
	r.u.delivery_get.in.attempt_limit = 1;
	sim_read(w, &r);
	if (r.result != 0)
		sim_fail(w, "a delivery is lost: %s", r.err.text);
	enum delivery_state state = r.u.delivery_get.out.delivery.state;
	if (!may_end_as(p, state))
		sim_fail(w, "a delivery ended %s", delivery_state_name(state));
	if (p->recorded == DELIVERY_DELIVERED && state != DELIVERY_DELIVERED)
		sim_fail(w, "DELIVERED became %s", delivery_state_name(state));
	store_request_fini(&r);
}

void sim_check_end(struct world *w)
{
	check_ledger(w);
	for (struct ch_map_node *n = ch_map_next(&w->parcels, NULL); n; n = ch_map_next(&w->parcels, n))
		check_parcel_end(w, CH_CONTAINER_OF(n, struct parcel, node));
	if (w->seen.sends == 0 || w->seen.delivered == 0)
		sim_fail(w, "nothing happened");
}

void sim_model_fini(struct world *w)
{
	for (struct ch_map_node *n = ch_map_next(&w->parcels, NULL), *next; n; n = next) {
		struct parcel *p = CH_CONTAINER_OF(n, struct parcel, node);
		next = ch_map_next(&w->parcels, n);
		ch_bytes_unref(&p->body);
		ch_free(p);
	}
	for (int i = 0; i < w->hook_count; i++)
		webhook_fini(&w->hooks[i].committed);
	ch_map_fini(&w->parcels);
	ch_map_fini(&w->hook_map);
	ch_free(w->receivers);
}
