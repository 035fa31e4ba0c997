#include <stdio.h>

#include "base/alloc.h"
#include "delivery/engine_core.h"

/* That a webhook became DEAD only the engine knows: it has the store make the event of it. While the store
 * refuses, the news waits; a process that ends meanwhile has it from its lane again, should that die anew. */

#define AGAIN_MS 1000

struct telling {
	struct store_request request;
	struct ch_list link; /* the engine's untold */
	struct engine *engine;
};

static void forget(struct telling *t)
{
	store_request_fini(&t->request);
	ch_free(t);
}

static void lose(struct engine *e, const struct id *webhook, const char *why)
{
	char id[ID_TEXT_LEN + 1];
	id_format(webhook, id);
	CH_LOG(e->conf.log, CH_LOG_WARN, "event_lost", CH_S("type", ops_event_type_name(EVENT_WEBHOOK_DEAD)),
			CH_S("webhook", id), CH_S("why", why));
}

static void submit(struct engine *e, struct telling *t)
{
	e->tellings++;
	store_submit(e->conf.store, &t->request);
}

static void on_told(struct store_request *r)
{
	struct telling *t = CH_CONTAINER_OF(r, struct telling, request);
	struct engine *e = t->engine;
	bool is_over = r->result == 0 || r->result == CH_ENOENT;

	e->tellings--;
	if (is_over) {
		forget(t);
	} else if (e->is_aborted || r->result == CH_EDAMAGED || r->result == CH_ECANCELED) {
		lose(e, &r->u.event.in.webhook_id, r->err.text);
		forget(t);
	} else {
		ch_list_push_back(&e->untold, &t->link);
		e->tell_at_mono_ms = engine_mono_ms(e) + engine_jitter(e, AGAIN_MS);
	}
}

void engine_tell_dead(struct engine *e, const struct lane *l)
{
	char reason[160];
	struct telling *t = ops_event_is_account(l->webhook.account) ? NULL : ch_calloc(1, sizeof(*t));

	if (ops_event_is_account(l->webhook.account))
		return;
	snprintf(reason, sizeof(reason), "%d attempts in a row failed, the last: %.90s", l->health.failures,
			l->failure);
	char *words = t ? ch_strdup(reason) : NULL;
	if (!words) {
		ch_free(t);
		lose(e, &l->webhook.id, "no memory");
		return;
	}
	store_request_init(&t->request, STORE_EVENT, e->conf.port, on_told);
	ch_list_init(&t->link);
	t->engine = e;
	t->request.u.event.in.account = l->webhook.account;
	t->request.u.event.in.webhook_id = l->webhook.id;
	t->request.u.event.in.type = EVENT_WEBHOOK_DEAD;
	t->request.u.event.in.reason = words;
	t->request.u.event.in.now_ms = engine_wall_ms(e);
	submit(e, t);
}

int64_t engine_next_telling(const struct engine *e)
{
	return ch_list_is_empty(&e->untold) ? INT64_MAX : e->tell_at_mono_ms;
}

void engine_tell_again(struct engine *e)
{
	struct ch_list now;

	if (engine_next_telling(e) > engine_mono_ms(e))
		return;
	ch_list_init(&now);
	ch_list_splice_back(&now, &e->untold);
	while (!ch_list_is_empty(&now))
		submit(e, CH_CONTAINER_OF(ch_list_pop_front(&now), struct telling, link));
}

void engine_drop_untold(struct engine *e)
{
	while (!ch_list_is_empty(&e->untold)) {
		struct telling *t = CH_CONTAINER_OF(ch_list_pop_front(&e->untold), struct telling, link);
		lose(e, &t->request.u.event.in.webhook_id, "the store refused it until the end");
		forget(t);
	}
}
