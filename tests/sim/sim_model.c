#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim_api.h"
#include "store/rules.h"

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

bool sim_is_live(const struct hook *h)
{
	return h->committed.url && !h->committed.deleted;
}

/* http://r12.test/ is number 12's. */
size_t sim_receiver_of(const char *url)
{
	const char *host = strstr(url, "//");
	CH_ASSERT(host && host[2] == 'r');
	return strtoul(host + 3, NULL, 10);
}

/* ---- webhooks ---- */

static struct hook *add_hook(struct world *w, const struct id *id)
{
	struct hook **grown = ch_realloc(w->hooks, (w->hook_count + 1) * sizeof(struct hook *));
	struct hook *h = ch_calloc(1, sizeof(*h));
	CH_ASSERT(grown && h);
	w->hooks = grown;
	grown[w->hook_count++] = h;
	h->id = *id;
	int rc = ch_map_insert(&w->hook_map, &h->node, h->id.b, sizeof(h->id.b));
	CH_ASSERT(rc == 0);
	w->live_count++;
	return h;
}

static void forget_key(struct hook *h)
{
	if (h->has_key)
		sign_key_fini(&h->key);
	h->has_key = false;
}

/* What is sealed in the store is what has to sign. */
static void note_secret(const struct world *w, struct hook *h)
{
	static const uint8_t seal_key[CH_SEAL_KEY_BYTES];
	uint8_t aad[24];
	struct ch_buf text;

	forget_key(h);
	if (!h->committed.secret_sealed)
		return;
	webhook_seal_aad(&h->committed, aad);
	ch_buf_init(&text, sizeof(h->secret));
	int rc = ch_unseal(seal_key, aad, sizeof(aad), h->committed.secret_sealed,
			h->committed.secret_sealed_len, &text);
	if (rc != 0 || sign_key_init(&h->key, text.data, text.len, NULL) != 0)
		sim_fail(w, "a secret was stored that can't sign");
	h->has_key = true;
	snprintf(h->secret, sizeof(h->secret), "%s", ch_buf_text(&text));
	ch_buf_fini(&text);
}

static void note_hook(struct world *w, const struct webhook *hook)
{
	struct hook *h = sim_hook(w, &hook->id);
	if (!h)
		h = add_hook(w, &hook->id);
	bool is_moved = h->committed.url && strcmp(h->committed.url, hook->url) != 0;
	if (h->committed.enabled && !hook->enabled && hook->disabled_reason) {
		w->seen.gone += strstr(hook->disabled_reason, "410") != NULL;
		w->seen.hopeless += strstr(hook->disabled_reason, "5 days") != NULL;
	}
	webhook_fini(&h->committed);
	int rc = webhook_copy(hook, &h->committed);
	CH_ASSERT(rc == 0);
	h->receiver = sim_receiver_of(hook->url);
	if (is_moved)
		h->quiet_until_wall_ms = h->quiet_until_mono_ms = 0;
	if (!hook->enabled)
		h->was_off = true;
	note_secret(w, h);
	sim_note_hook_asks(w, h);
}

static void note_deletion(struct world *w, const struct id *id)
{
	struct hook *h = sim_hook(w, id);
	if (!h->committed.deleted)
		w->live_count--;
	h->committed.deleted = true;
	h->counts.pending += h->counts.parked;
	h->counts.parked = 0;
	sim_note_hook_asks(w, h);
}

static void note_sweep(struct world *w, const struct store_webhook_sweep *s)
{
	struct hook *h = sim_hook(w, &s->in.id);
	struct ledger *l = &h->counts;
	int64_t n = (int64_t)s->out.moved;
	if (n == 0)
		return;
	h->sweeps++;
	if (s->out.released != (h->committed.enabled && !h->committed.deleted))
		sim_fail(w, "a sweep of a webhook that is %s", h->committed.enabled ? "on" : "off");
	if (s->out.released) {
		l->parked -= n;
		l->pending += n;
		w->seen.released += (uint64_t)n;
	} else {
		l->pending -= n;
		*(h->committed.deleted ? &l->canceled : &l->parked) += n;
	}
	if (l->parked < 0 || l->pending < 0)
		sim_fail(w, "a sweep moved more than there were");
}

/* ---- deliveries ---- */

static int64_t *place(struct hook *h, enum delivery_state s)
{
	struct ledger *l = &h->counts;
	switch (s) {
	case DELIVERY_PENDING:
		return &l->pending;
	case DELIVERY_PARKED:
		return h->committed.deleted ? &l->pending : &l->parked;
	case DELIVERY_DELIVERED:
		return &l->delivered;
	case DELIVERY_FAILED:
		return &l->failed;
	case DELIVERY_CANCELED:
		return &l->canceled;
	default:
		CH_UNREACHABLE();
	}
}

static void move_to(struct parcel *p, enum delivery_state s)
{
	--*place(p->hook, p->state);
	++*place(p->hook, s);
	p->state = s;
}

static void note_parcel(struct world *w, const struct delivery *d)
{
	struct parcel *p = ch_calloc(1, sizeof(*p));
	CH_ASSERT(p);
	p->id = d->id;
	p->hook = sim_hook(w, &d->webhook_id);
	p->body = ch_bytes_ref(d->body);
	p->state = d->state;
	p->sweeps_seen = p->hook->sweeps;
	p->due_ms = d->due_ms;
	p->hook->counts.accepted++;
	++*place(p->hook, d->state);
	if (ch_map_insert(&w->parcels, &p->node, p->id.b, sizeof(p->id.b)))
		sim_fail(w, "the store made a delivery twice");
	w->recent[w->recent_count++ % SIM_RECENT] = p;
	w->seen.made++;
	sim_trace(w, "made", &p->id, d->state);
}

static void note_put(struct world *w, const struct store_call_put *put)
{
	sim_note_put(w, put);
	for (size_t i = 0; i < put->out.delivery_count; i++)
		note_parcel(w, &put->out.deliveries[i]);
}

/* A sweep says how many it moved, and not which. */
void sim_expect(struct world *w, const struct store_request *r)
{
	const struct id *id = r->kind == STORE_ATTEMPT  ? &r->u.attempt.in.attempt.delivery_id
			      : r->kind == STORE_RESEND ? &r->u.resend.in.id
							: NULL;
	struct parcel *p = id ? sim_parcel(w, id) : NULL;
	struct store_request get;
	if (!p || p->sweeps_seen == p->hook->sweeps)
		return;
	store_request_init(&get, STORE_DELIVERY_GET, NULL, NULL);
	get.u.delivery_get.in.account = SIM_ACCOUNT;
	get.u.delivery_get.in.id = p->id;
	get.u.delivery_get.in.attempt_limit = 1;
	sim_read(w, &get);
	p->state = get.u.delivery_get.out.delivery.state;
	p->due_ms = get.u.delivery_get.out.delivery.due_ms;
	p->tries = get.u.delivery_get.out.delivery.tries;
	p->sweeps_seen = p->hook->sweeps;
	store_request_fini(&get);
}

/* ---- results ---- */

/* A probe that is answered well ends the delivery, and what was counted no longer matters. */
static bool ends_probe(const struct attempt *a)
{
	return a->outcome == ATTEMPT_ANSWERED && (a->status / 100 == 2 || a->status == 410);
}

/* Neither our own fault is a try, nor a probe, nor what a line of ours that is down does to attempts. */
static void check_tries(const struct world *w, const struct parcel *p, const struct store_attempt *q)
{
	const struct attempt *a = &q->in.attempt;
	int more = q->in.next.tries - p->sent_tries;
	bool is_free = a->outcome == ATTEMPT_LOCAL || (p->is_probe && !ends_probe(a));
	bool is_unreached = outage_sign_of(a) == OUTAGE_UNREACHED;
	bool has_begun = w->engine->downtime.number > p->outages_seen;
	if (is_unreached && p->was_down && more != 0)
		sim_fail(w, "a try was counted while our line was down");
	if (more == (is_free ? 0 : 1) || (more == 0 && is_unreached && (p->was_down || has_begun)))
		return;
	sim_fail(w, "%d tries after %d", q->in.next.tries, p->sent_tries);
}

static void note_wish(const struct store_attempt *a, struct parcel *p)
{
	struct hook *h = p->hook;
	if (p->sent_to == h->receiver && a->in.quiet_until_ms > h->quiet_until_wall_ms)
		h->quiet_until_wall_ms = a->in.quiet_until_ms;
}

static void check_result(struct world *w, const struct parcel *p, const struct store_attempt *a)
{
	if (a->in.round != p->sent_round)
		sim_fail(w, "a result of round %d for an attempt of round %d", a->in.round, p->sent_round);
	if (p->state == DELIVERY_DELIVERED && a->out.state != DELIVERY_DELIVERED)
		sim_fail(w, "DELIVERED became %s", delivery_state_name(a->out.state));
	if (a->out.state == DELIVERY_DELIVERED && !p->was_accepted)
		sim_fail(w, "DELIVERED without a 2xx");
	if (a->out.state == DELIVERY_FAILED && p->was_delivered)
		sim_fail(w, "FAILED after it was delivered");
}

static void note_result(struct world *w, const struct store_attempt *a)
{
	struct parcel *p = sim_parcel(w, &a->in.attempt.delivery_id);
	if (!p)
		sim_fail(w, "a result for a delivery that nobody made");
	check_result(w, p, a);
	if (a->in.round == p->round && p->state == DELIVERY_PENDING) {
		check_tries(w, p, a);
		p->due_ms = a->in.next.due_ms;
	}
	if (a->in.round == p->round && p->state != DELIVERY_DELIVERED)
		p->tries = a->in.next.tries;
	note_wish(a, p);
	move_to(p, a->out.state);
	p->was_delivered = p->was_delivered || a->out.state == DELIVERY_DELIVERED;
	if (!p->hook->committed.deleted && a->out.pending != p->hook->counts.pending)
		sim_fail(w, "%lld are pending and not %lld", (long long)p->hook->counts.pending,
				(long long)a->out.pending);
	sim_trace(w, "result", &p->id, (int64_t)a->out.state * 1000 + a->in.next.tries);
}

static void note_resend(struct world *w, const struct store_resend *r)
{
	struct parcel *p = sim_parcel(w, &r->in.id);
	const struct delivery *d = &r->out.delivery;
	if (d->state != DELIVERY_PENDING || d->round != p->round + 1 || d->tries != 0)
		sim_fail(w, "a resend left it %s in round %d", delivery_state_name(d->state), d->round);
	if (!p->hook->committed.enabled || p->hook->committed.deleted || p->state == DELIVERY_CANCELED)
		sim_fail(w, "a resend where there can be none");
	move_to(p, DELIVERY_PENDING);
	p->round = d->round;
	p->due_ms = d->due_ms;
	p->tries = 0;
	p->accepted_in_life = 0;
	w->seen.resends++;
	sim_trace(w, "resend", &p->id, p->round);
}

void sim_note_commit(struct world *w, struct store_request *r)
{
	w->commits++;
	switch (r->kind) {
	case STORE_WEBHOOK_CREATE:
		note_hook(w, &r->u.webhook_create.in.webhook);
		break;
	case STORE_WEBHOOK_UPDATE:
		note_hook(w, &r->u.webhook_update.in.webhook);
		break;
	case STORE_WEBHOOK_DELETE:
		note_deletion(w, &r->u.webhook_delete.in.id);
		break;
	case STORE_WEBHOOK_SWEEP:
		note_sweep(w, &r->u.webhook_sweep);
		break;
	case STORE_CALL_PUT:
		note_put(w, &r->u.call_put);
		break;
	case STORE_ATTEMPT:
		note_result(w, &r->u.attempt);
		break;
	case STORE_RESEND:
		note_resend(w, &r->u.resend);
		break;
	case STORE_ACCOUNT_CREATE:
	case STORE_ACCOUNT_UPDATE:
	case STORE_ACCOUNT_DELETE:
		sim_note_guest(w, r);
		break;
	default:
		break;
	}
	if (w->live_count >= SIM_HOOKS_LIVE)
		w->full_commit = w->commits;
	sim_trace(w, "commit", NULL, (int64_t)r->kind);
}

void sim_model_fini(struct world *w)
{
	for (struct ch_map_node *n = ch_map_next(&w->parcels, NULL), *next; n; n = next) {
		struct parcel *p = CH_CONTAINER_OF(n, struct parcel, node);
		next = ch_map_next(&w->parcels, n);
		ch_bytes_unref(&p->body);
		ch_free(p);
	}
	ch_map_fini(&w->parcels);
	ch_map_fini(&w->hook_map);
	for (size_t i = 0; i < w->hook_count; i++) {
		forget_key(w->hooks[i]);
		webhook_fini(&w->hooks[i]->committed);
		ch_free(w->hooks[i]);
	}
	ch_free(w->hooks);
	ch_free(w->receivers);
}
