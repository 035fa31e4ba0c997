#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "delivery/worker_core.h"

/* What one batch of commits has for one loop, in commit order: a webhook comes before its first delivery. */
struct news_item {
	bool is_webhook;
	union {
		struct webhook webhook;
		struct delivery delivery;
	} u;
};

struct news {
	struct ch_msg msg;
	struct worker *worker;
	size_t count, cap;
	struct news_item items[];
};

static void run_news(struct ch_msg *m)
{
	struct news *n = CH_CONTAINER_OF(m, struct news, msg);
	struct engine *e = n->worker->engine;
	for (size_t i = 0; i < n->count; i++) {
		if (n->items[i].is_webhook)
			engine_webhook(e, &n->items[i].u.webhook);
		else
			engine_fresh(e, &n->items[i].u.delivery);
	}
	ch_free(n);
}

/* ---- on the store writer's thread ---- */

static const struct webhook *changed_webhook(const struct store_request *r)
{
	if (r->result != 0)
		return NULL;
	if (r->kind == STORE_WEBHOOK_CREATE)
		return &r->u.webhook_create.in.webhook;
	return r->kind == STORE_WEBHOOK_UPDATE ? &r->u.webhook_update.in.webhook : NULL;
}

static bool is_deletion(const struct store_request *r)
{
	return r->result == 0 && r->kind == STORE_WEBHOOK_DELETE;
}

static bool has_deliveries(const struct store_request *r)
{
	return r->result == 0 && r->kind == STORE_CALL_PUT && r->u.call_put.out.deliveries;
}

static struct worker *owner_of(const struct workers *all, const struct id *webhook)
{
	return all->items[worker_index_of(webhook, all->count)];
}

static void count_news(const struct workers *all, const struct store_request *r)
{
	const struct webhook *w = changed_webhook(r);
	if (w)
		owner_of(all, &w->id)->collect_count++;
	if (is_deletion(r))
		owner_of(all, &r->u.webhook_delete.in.id)->collect_count++;
	if (!has_deliveries(r))
		return;
	for (size_t i = 0; i < r->u.call_put.out.delivery_count; i++) {
		const struct delivery *d = &r->u.call_put.out.deliveries[i];
		if (d->state == DELIVERY_PENDING)
			owner_of(all, &d->webhook_id)->collect_count++;
	}
}

static void begin_news(struct worker *w)
{
	if (w->collect_count == 0)
		return;
	struct news *n = ch_alloc(sizeof(*n) + w->collect_count * sizeof(struct news_item));
	if (!n) {
		worker_missed(w);
		return;
	}
	n->msg.run = run_news;
	n->worker = w;
	n->count = 0;
	n->cap = w->collect_count;
	w->collecting = n;
}

static struct news_item *next_item(struct worker *w)
{
	struct news *n = w->collecting;
	if (!n)
		return NULL;
	CH_ASSERT(n->count < n->cap);
	return &n->items[n->count++];
}

static void add_webhook(const struct workers *all, const struct webhook *changed)
{
	struct worker *w = owner_of(all, &changed->id);
	struct news_item *item = next_item(w);
	if (!item)
		return;
	item->is_webhook = true;
	if (webhook_copy(changed, &item->u.webhook)) {
		w->collecting->count--;
		worker_missed(w);
	}
}

static void add_deletion(const struct workers *all, const struct store_webhook_delete *gone)
{
	struct news_item *item = next_item(owner_of(all, &gone->in.id));
	if (!item)
		return;
	item->is_webhook = true;
	webhook_init(&item->u.webhook);
	item->u.webhook.id = gone->in.id;
	item->u.webhook.account = gone->in.account;
	item->u.webhook.deleted = true;
}

/* Those of a webhook that is switched off are parked already: no loop has to hear of them. */
static void take_delivery(const struct workers *all, struct delivery *d)
{
	struct news_item *item = NULL;
	if (d->state == DELIVERY_PENDING)
		item = next_item(owner_of(all, &d->webhook_id));
	if (!item) {
		delivery_fini(d);
		return;
	}
	item->is_webhook = false;
	item->u.delivery = *d;
}

static void collect_news(const struct workers *all, struct store_request *r)
{
	const struct webhook *w = changed_webhook(r);
	if (w)
		add_webhook(all, w);
	if (is_deletion(r))
		add_deletion(all, &r->u.webhook_delete);
	if (!has_deliveries(r))
		return;
	for (size_t i = 0; i < r->u.call_put.out.delivery_count; i++)
		take_delivery(all, &r->u.call_put.out.deliveries[i]);
	ch_free(r->u.call_put.out.deliveries);
	r->u.call_put.out.deliveries = NULL;
}

static void post_news(struct worker *w)
{
	struct news *n = w->collecting;
	w->collecting = NULL;
	w->collect_count = 0;
	if (n && n->count > 0)
		ch_port_post(&w->port, &n->msg);
	else
		ch_free(n);
}

static void on_committed(void *ctx, struct store_request *const *requests, size_t n)
{
	const struct workers *all = ctx;
	if (all->count == 0)
		return;
	for (size_t i = 0; i < n; i++)
		count_news(all, requests[i]);
	for (int i = 0; i < all->count; i++)
		begin_news(all->items[i]);
	for (size_t i = 0; i < n; i++)
		collect_news(all, requests[i]);
	for (int i = 0; i < all->count; i++)
		post_news(all->items[i]);
}

struct store_watcher workers_watcher(struct workers *w)
{
	return (struct store_watcher){.committed = on_committed, .ctx = w};
}

/* ---- questions ---- */

static void answer_for(struct worker_question *q, const struct worker *w)
{
	for (size_t i = 0; i < q->count; i++) {
		if (worker_index_of(&q->items[i].webhook, w->count) != w->index)
			continue;
		q->items[i].has_lane = engine_lane_info(w->engine, &q->items[i].webhook, &q->items[i].lane);
		q->items[i].is_in_flight =
				!id_is_zero(&q->items[i].delivery) &&
				engine_is_in_flight(w->engine, &q->items[i].webhook, &q->items[i].delivery);
	}
}

static void run_done(struct ch_msg *m)
{
	struct worker_question *q = CH_CONTAINER_OF(m, struct worker_question, msg);
	q->done(q);
}

static void pass_on(struct worker_question *q);

static void run_question(struct ch_msg *m)
{
	struct worker_question *q = CH_CONTAINER_OF(m, struct worker_question, msg);
	answer_for(q, q->workers->items[q->next_worker]);
	q->next_worker++;
	pass_on(q);
}

static bool concerns(const struct worker_question *q, int index)
{
	for (size_t i = 0; i < q->count; i++) {
		if (worker_index_of(&q->items[i].webhook, q->workers->count) == index)
			return true;
	}
	return false;
}

static void pass_on(struct worker_question *q)
{
	while (q->next_worker < q->workers->count && !concerns(q, q->next_worker))
		q->next_worker++;
	if (q->next_worker < q->workers->count) {
		q->msg.run = run_question;
		ch_port_post(&q->workers->items[q->next_worker]->port, &q->msg);
		return;
	}
	q->msg.run = run_done;
	ch_port_post(q->reply_to, &q->msg);
}

void workers_ask(struct workers *w, struct worker_question *q)
{
	q->workers = w;
	q->next_worker = 0;
	for (size_t i = 0; i < q->count; i++) {
		q->items[i].has_lane = false;
		q->items[i].is_in_flight = false;
	}
	pass_on(q);
}
