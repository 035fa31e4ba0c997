#include <string.h>

#include "sim_api.h"

#define DONE_LOOKS 32 /* one in so many of what is finished is read at each audit; all at the end */

static bool is_same(const struct ledger *a, const struct ledger *b)
{
	return a->accepted == b->accepted && a->pending == b->pending && a->delivered == b->delivered &&
	       a->failed == b->failed && a->parked == b->parked && a->canceled == b->canceled;
}

static void add(struct ledger *sum, const struct ledger *l)
{
	sum->accepted += l->accepted;
	sum->pending += l->pending;
	sum->delivered += l->delivered;
	sum->failed += l->failed;
	sum->parked += l->parked;
	sum->canceled += l->canceled;
}

static struct ledger read_ledger(struct world *w)
{
	struct store_request r;
	store_request_init(&r, STORE_LEDGER, NULL, NULL);
	sim_read(w, &r);
	struct ledger l = r.u.ledger.out.ledger;
	store_request_fini(&r);
	return l;
}

/* Which of a deleted webhook's are parked and which pending only the store knows. */
static void audit_ledger(struct world *w)
{
	struct ledger sum = {.accepted = 0}, l = read_ledger(w);
	for (size_t i = 0; i < w->hook_count; i++)
		add(&sum, &w->hooks[i]->counts);
	if (l.accepted != l.pending + l.delivered + l.failed + l.parked + l.canceled)
		sim_fail(w, "the ledger does not add up");
	if (l.accepted != sum.accepted || (size_t)l.accepted != w->parcels.len)
		sim_fail(w, "the ledger has %lld accepted of %lld", (long long)l.accepted,
				(long long)sum.accepted);
	if (l.delivered != sum.delivered || l.failed != sum.failed || l.canceled != sum.canceled ||
			l.pending + l.parked != sum.pending + sum.parked)
		sim_fail(w,
				"the ledger has %lld delivered of %lld, %lld failed of %lld, %lld canceled "
				"of %lld",
				(long long)l.delivered, (long long)sum.delivered, (long long)l.failed,
				(long long)sum.failed, (long long)l.canceled, (long long)sum.canceled);
}

static void audit_hooks(struct world *w)
{
	struct store_request r;
	int live = 0;
	store_request_init(&r, STORE_WEBHOOK_LIST, NULL, NULL);
	r.u.webhook_list.in.account = SIM_ACCOUNT;
	sim_read(w, &r);
	for (size_t i = 0; i < r.u.webhook_list.out.count; i++) {
		const struct store_webhook_row *row = &r.u.webhook_list.out.rows[i];
		const struct hook *h = sim_hook(w, &row->webhook.id);
		if (!h || !sim_is_live(h) || row->webhook.revision != h->committed.revision ||
				row->webhook.enabled != h->committed.enabled)
			sim_fail(w, "a webhook is not what was committed");
		if (!is_same(&row->counts, &h->counts))
			sim_fail(w, "a webhook's counts are not what was committed");
		live++;
	}
	if (live != w->live_count)
		sim_fail(w, "%d webhooks of %d", live, w->live_count);
	store_request_fini(&r);
}

static bool may_be(const struct parcel *p, enum delivery_state state)
{
	bool is_moved = p->sweeps_seen != p->hook->sweeps;
	switch (state) {
	case DELIVERY_PENDING:
		return p->state == DELIVERY_PENDING || (is_moved && p->state == DELIVERY_PARKED);
	case DELIVERY_PARKED:
		return p->state == DELIVERY_PARKED ||
		       (is_moved && p->state == DELIVERY_PENDING && p->hook->was_off);
	case DELIVERY_CANCELED:
		return p->state == DELIVERY_CANCELED ||
		       (is_moved && p->hook->committed.deleted && p->state != DELIVERY_DELIVERED &&
				       p->state != DELIVERY_FAILED);
	default:
		return state == p->state;
	}
}

static void audit_parcel(struct world *w, struct parcel *p)
{
	struct store_request r;
	store_request_init(&r, STORE_DELIVERY_GET, NULL, NULL);
	r.u.delivery_get.in.account = SIM_ACCOUNT;
	r.u.delivery_get.in.id = p->id;
	r.u.delivery_get.in.attempt_limit = 1;
	sim_read(w, &r);
	const struct delivery *d = &r.u.delivery_get.out.delivery;
	if (!may_be(p, d->state))
		sim_fail(w, "a delivery that was %s is %s", delivery_state_name(p->state),
				delivery_state_name(d->state));
	if (d->round != p->round)
		sim_fail(w, "a delivery is in round %d and not %d", d->round, p->round);
	if (d->state == DELIVERY_DELIVERED && !p->was_accepted)
		sim_fail(w, "DELIVERED, and nobody has it");
	p->state = d->state;
	p->due_ms = d->due_ms;
	p->tries = d->tries;
	p->sweeps_seen = p->hook->sweeps;
	store_request_fini(&r);
}

static bool is_done(const struct parcel *p)
{
	return p->state == DELIVERY_DELIVERED || p->state == DELIVERY_FAILED || p->state == DELIVERY_CANCELED;
}

static void audit_parcels(struct world *w, uint64_t one_in)
{
	uint64_t i = w->seen.audits;
	for (struct ch_map_node *n = ch_map_next(&w->parcels, NULL); n; n = ch_map_next(&w->parcels, n)) {
		struct parcel *p = CH_CONTAINER_OF(n, struct parcel, node);
		if (!is_done(p) || i++ % one_in == 0)
			audit_parcel(w, p);
	}
}

void sim_audit(struct world *w)
{
	w->seen.audits++;
	sim_check_engine(w);
	audit_ledger(w);
	audit_hooks(w);
	audit_parcels(w, DONE_LOOKS);
	sim_audit_calls(w, DONE_LOOKS);
}

static void check_lanes_end(struct world *w)
{
	for (size_t i = 0; i < w->hook_count; i++) {
		struct lane_info info;
		const struct hook *h = w->hooks[i];
		if (!sim_is_live(h))
			continue;
		if (!engine_lane_info(w->engine, &h->id, &info) || info.state != LANE_READY)
			sim_fail(w, "a lane is %s in a world where all are well: %s",
					lane_state_name(info.state), info.reason);
	}
}

void sim_check_end(struct world *w)
{
	audit_ledger(w);
	audit_hooks(w);
	audit_parcels(w, 1);
	sim_audit_calls(w, 1);
	check_lanes_end(w);
	sim_check_guests(w);
	struct ledger l = read_ledger(w);
	if (l.pending != 0 || l.parked != 0)
		sim_fail(w, "%lld are still pending, %lld parked", (long long)l.pending, (long long)l.parked);
	w->seen.delivered = (uint64_t)l.delivered;
	w->seen.failed = (uint64_t)l.failed;
	w->seen.canceled = (uint64_t)l.canceled;
	if (w->seen.sends == 0 || l.delivered == 0)
		sim_fail(w, "nothing happened");
}
