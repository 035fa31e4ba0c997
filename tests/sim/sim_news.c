#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim.h"

/* News of commits, on their way to the engine; in the service that is the loops' watcher. */

enum news_kind { NEWS_WEBHOOK, NEWS_FRESH, NEWS_RESEND, NEWS_DUE, NEWS_MISSED };

struct sim_news {
	struct ch_msg msg;
	struct world *world;
	enum news_kind kind;
	struct webhook webhook;
	struct delivery delivery;
	struct id id; /* NEWS_DUE */
};

static void tell_webhook(struct world *w, struct webhook *hook)
{
	struct hook *h = sim_hook(w, &hook->id);
	if (hook->deleted) {
		h->is_told_deleted = true;
	} else if (hook->revision > h->told_revision) {
		h->is_told_off = !hook->enabled;
		h->told_revision = hook->revision;
		h->is_unsure = hook->revision < h->committed.revision && h->is_unsure;
		snprintf(h->told_url, sizeof(h->told_url), "%s", hook->url);
	}
	engine_webhook(w->engine, hook);
}

static void tell_resend(struct world *w, struct delivery *d)
{
	struct id webhook = d->webhook_id, delivery = d->id;
	engine_resend(w->engine, d);
	sim_note_resend(w, &webhook, &delivery);
}

static void run_news(struct ch_msg *m)
{
	struct sim_news *n = CH_CONTAINER_OF(m, struct sim_news, msg);
	struct engine *e = n->world->engine;
	switch (n->kind) {
	case NEWS_WEBHOOK:
		tell_webhook(n->world, &n->webhook);
		break;
	case NEWS_FRESH:
		engine_fresh(e, &n->delivery);
		break;
	case NEWS_RESEND:
		tell_resend(n->world, &n->delivery);
		break;
	case NEWS_DUE:
		engine_due(e, &n->id);
		break;
	case NEWS_MISSED:
		engine_missed(e);
		break;
	}
	ch_free(n);
}

/* Without memory for the message the service drops it and says that something was missed. */
static void post_news(struct world *w, struct sim_news *n)
{
	n->world = w;
	n->msg.run = run_news;
	if (sim_chance(w, 1) && sim_chance(w, 40) && !w->is_healing) {
		w->seen.lost_news++;
		if (n->kind == NEWS_WEBHOOK)
			sim_hook(w, &n->webhook.id)->is_unsure = true;
		webhook_fini(&n->webhook);
		delivery_fini(&n->delivery);
		n->kind = NEWS_MISSED;
	}
	ch_port_post(&w->loop.port, &n->msg);
}

static struct sim_news *news_create(enum news_kind kind)
{
	struct sim_news *n = ch_calloc(1, sizeof(*n));
	CH_ASSERT(n);
	n->kind = kind;
	return n;
}

static void post_webhook(struct world *w, const struct webhook *hook)
{
	struct sim_news *n = news_create(NEWS_WEBHOOK);
	int rc = webhook_copy(hook, &n->webhook);
	CH_ASSERT(rc == 0);
	post_news(w, n);
}

static void post_deletion(struct world *w, const struct id *id)
{
	struct sim_news *n = news_create(NEWS_WEBHOOK);
	webhook_init(&n->webhook);
	n->webhook.id = *id;
	n->webhook.deleted = true;
	post_news(w, n);
}

static void post_deliveries(struct world *w, struct store_call_put *put)
{
	for (size_t i = 0; i < put->out.delivery_count; i++) {
		struct delivery *d = &put->out.deliveries[i];
		if (d->state != DELIVERY_PENDING) {
			delivery_fini(d);
			continue;
		}
		struct sim_news *n = news_create(NEWS_FRESH);
		n->delivery = *d;
		post_news(w, n);
	}
	ch_free(put->out.deliveries);
	put->out.deliveries = NULL;
}

static void post_resend(struct world *w, struct store_resend *resend)
{
	struct sim_news *n = news_create(NEWS_RESEND);
	n->delivery = *resend->out.news;
	ch_free(resend->out.news);
	resend->out.news = NULL;
	post_news(w, n);
}

static void post_due(struct world *w, const struct store_webhook_sweep *sweep)
{
	struct sim_news *n = news_create(NEWS_DUE);
	n->id = sweep->in.id;
	post_news(w, n);
}

void sim_committed(void *ctx, struct store_request *const *requests, size_t n)
{
	struct world *w = ctx;
	/* What is committed can be read before anybody is told of it. */
	for (int i = 0; i < 4 && w->client; i++)
		sim_client_step(w);
	for (size_t i = 0; i < n; i++) {
		struct store_request *r = requests[i];
		if (r->result != 0)
			continue;
		if (r->kind == STORE_WEBHOOK_CREATE)
			post_webhook(w, &r->u.webhook_create.in.webhook);
		else if (r->kind == STORE_WEBHOOK_UPDATE)
			post_webhook(w, &r->u.webhook_update.in.webhook);
		else if (r->kind == STORE_WEBHOOK_DELETE)
			post_deletion(w, &r->u.webhook_delete.in.id);
		else if (r->kind == STORE_CALL_PUT)
			post_deliveries(w, &r->u.call_put);
		else if (r->kind == STORE_RESEND && r->u.resend.out.news)
			post_resend(w, &r->u.resend);
		else if (r->kind == STORE_WEBHOOK_SWEEP && r->u.webhook_sweep.out.released &&
				r->u.webhook_sweep.out.moved > 0)
			post_due(w, &r->u.webhook_sweep);
	}
}
