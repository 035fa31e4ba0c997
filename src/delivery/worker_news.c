#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "delivery/worker_core.h"

enum news_kind { NEWS_WEBHOOK, NEWS_FRESH, NEWS_RESEND, NEWS_CANCELED, NEWS_DUE };

/* What one batch of commits has for one loop, in commit order: a webhook comes before its first delivery. */
struct news_item {
	enum news_kind kind;
	union {
		struct webhook webhook;
		struct delivery delivery; /* NEWS_FRESH, NEWS_RESEND */
		struct store_canceled canceled;
		struct id id; /* NEWS_DUE: the webhook's */
	} u;
};

struct news {
	struct ch_msg msg;
	struct worker *worker;
	size_t count, cap;
	struct news_item items[];
};

static void tell(struct engine *e, struct news_item *item)
{
	switch (item->kind) {
	case NEWS_WEBHOOK:
		engine_webhook(e, &item->u.webhook);
		break;
	case NEWS_FRESH:
		engine_fresh(e, &item->u.delivery);
		break;
	case NEWS_RESEND:
		engine_resend(e, &item->u.delivery);
		break;
	case NEWS_CANCELED:
		engine_canceled(e, &item->u.canceled.webhook, &item->u.canceled.delivery);
		break;
	case NEWS_DUE:
		engine_due(e, &item->u.id);
		break;
	}
}

static void run_news(struct ch_msg *m)
{
	struct news *n = CH_CONTAINER_OF(m, struct news, msg);
	for (size_t i = 0; i < n->count; i++)
		tell(n->worker->engine, &n->items[i]);
	ch_free(n);
}

/* ---- on the store writer's thread ---- */

/* The batch is gone through twice: to count what each loop gets, then, with room for it, to collect it. */
static struct news_item *place(const struct workers *all, const struct id *webhook, bool is_counting)
{
	struct worker *w = all->items[worker_index_of(webhook, all->count)];
	struct news *n = w->collecting;
	if (is_counting) {
		w->collect_count++;
		return NULL;
	}
	if (!n)
		return NULL;
	CH_ASSERT(n->count < n->cap);
	return &n->items[n->count++];
}

static void add_webhook(const struct workers *all, const struct webhook *changed, bool is_counting)
{
	struct worker *w = all->items[worker_index_of(&changed->id, all->count)];
	struct news_item *item = place(all, &changed->id, is_counting);
	if (!item)
		return;
	item->kind = NEWS_WEBHOOK;
	if (webhook_copy(changed, &item->u.webhook)) {
		w->collecting->count--;
		worker_missed(w);
	}
}

static void add_deletion(
		const struct workers *all, int64_t account, const struct id *webhook, bool is_counting)
{
	struct news_item *item = place(all, webhook, is_counting);
	if (!item)
		return;
	item->kind = NEWS_WEBHOOK;
	webhook_init(&item->u.webhook);
	item->u.webhook.id = *webhook;
	item->u.webhook.account = account;
	item->u.webhook.deleted = true;
}

static void add_account_deletion(
		const struct workers *all, const struct store_account_delete *gone, bool is_counting)
{
	for (size_t i = 0; i < gone->out.webhook_count; i++)
		add_deletion(all, gone->in.number, &gone->out.webhooks[i], is_counting);
}

static void add_due(const struct workers *all, const struct id *webhook, bool is_counting)
{
	struct news_item *item = place(all, webhook, is_counting);
	if (!item)
		return;
	item->kind = NEWS_DUE;
	item->u.id = *webhook;
}

static void add_swept(const struct workers *all, const struct store_webhook_sweep *sweep, bool is_counting)
{
	if (sweep->out.released && sweep->out.moved > 0)
		add_due(all, &sweep->in.id, is_counting);
}

static void add_replayed(const struct workers *all, const struct store_replay_step *step, bool is_counting)
{
	if (step->out.opened > 0)
		add_due(all, &step->out.webhook_id, is_counting);
}

/* Events that the write made lie in the store already. */
static void add_events(const struct workers *all, const struct store_events *events, bool is_counting)
{
	for (size_t i = 0; i < events->count; i++)
		add_due(all, &events->webhooks[i], is_counting);
}

/* Takes *d when not counting. Those of a webhook that is switched off are parked already: no loop has to hear
 * of them. */
static void add_delivery(const struct workers *all, struct delivery *d, enum news_kind kind, bool is_counting)
{
	struct news_item *item = NULL;
	if (d->state == DELIVERY_PENDING)
		item = place(all, &d->webhook_id, is_counting);
	if (item) {
		item->kind = kind;
		item->u.delivery = *d;
	} else if (!is_counting) {
		delivery_fini(d);
	}
}

static void add_put(const struct workers *all, struct store_call_put *put, bool is_counting)
{
	for (size_t i = 0; i < put->out.delivery_count; i++)
		add_delivery(all, &put->out.deliveries[i], NEWS_FRESH, is_counting);
	if (is_counting)
		return;
	ch_free(put->out.deliveries);
	put->out.deliveries = NULL;
}

static void add_resend(const struct workers *all, struct store_resend *resend, bool is_counting)
{
	add_delivery(all, resend->out.news, NEWS_RESEND, is_counting);
	if (is_counting)
		return;
	ch_free(resend->out.news);
	resend->out.news = NULL;
}

static void add_canceled(const struct workers *all, const struct store_call_erase *erase, bool is_counting)
{
	for (size_t i = 0; i < erase->out.count; i++) {
		struct news_item *item = place(all, &erase->out.canceled[i].webhook, is_counting);
		if (!item)
			continue;
		item->kind = NEWS_CANCELED;
		item->u.canceled = erase->out.canceled[i];
	}
}

static void add_news(const struct workers *all, struct store_request *r, bool is_counting)
{
	if (r->result != 0)
		return;
	add_events(all, &r->events, is_counting);
	switch (r->kind) {
	case STORE_WEBHOOK_CREATE:
		add_webhook(all, &r->u.webhook_create.in.webhook, is_counting);
		break;
	case STORE_WEBHOOK_UPDATE:
		add_webhook(all, &r->u.webhook_update.in.webhook, is_counting);
		break;
	case STORE_WEBHOOK_DELETE:
		add_deletion(all, r->u.webhook_delete.in.account, &r->u.webhook_delete.in.id, is_counting);
		break;
	case STORE_ACCOUNT_DELETE:
		add_account_deletion(all, &r->u.account_delete, is_counting);
		break;
	case STORE_WEBHOOK_SWEEP:
		add_swept(all, &r->u.webhook_sweep, is_counting);
		break;
	case STORE_REPLAY_STEP:
		add_replayed(all, &r->u.replay_step, is_counting);
		break;
	case STORE_CALL_PUT:
		if (r->u.call_put.out.deliveries)
			add_put(all, &r->u.call_put, is_counting);
		break;
	case STORE_CALL_ERASE:
		add_canceled(all, &r->u.call_erase, is_counting);
		break;
	case STORE_RESEND:
		if (r->u.resend.out.news)
			add_resend(all, &r->u.resend, is_counting);
		break;
	default:
		break;
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
		add_news(all, requests[i], true);
	for (int i = 0; i < all->count; i++)
		begin_news(all->items[i]);
	for (size_t i = 0; i < n; i++)
		add_news(all, requests[i], false);
	for (int i = 0; i < all->count; i++)
		post_news(all->items[i]);
}

struct store_watcher workers_watcher(struct workers *w)
{
	return (struct store_watcher){.committed = on_committed, .ctx = w};
}
