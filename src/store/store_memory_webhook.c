#include "base/alloc.h"
#include "base/assert.h"
#include "store/store_memory.h"

struct webhook_made {
	struct memory_undo undo;
	struct memory_webhook *webhook;
};

struct webhook_changed {
	struct memory_undo undo;
	struct memory_webhook *webhook;
	struct webhook *old; /* NULL: the settings stayed */
	enum rules_task task;
	struct rules_receiver receiver;
};

struct memory_webhook *memory_webhook_find(const struct store_memory *m, const struct id *id)
{
	struct ch_map_node *n = ch_map_get(&m->webhooks, id, sizeof(*id));

	return n == NULL ? NULL : CH_CONTAINER_OF(n, struct memory_webhook, node);
}

void memory_webhook_free(struct memory_webhook *w)
{
	webhook_destroy(&w->settings);
	ch_free(w);
}

static bool is_older(const struct webhook *a, const struct webhook *b)
{
	if (a->created_ms != b->created_ms)
		return a->created_ms < b->created_ms;
	return id_compare(&a->id, &b->id) < 0;
}

static void webhook_link(struct memory_space *s, struct memory_webhook *w)
{
	struct ch_list *at = s->webhooks.prev;

	while (at != &s->webhooks) {
		struct memory_webhook *other = CH_CONTAINER_OF(at, struct memory_webhook, in_account);

		if (is_older(other->settings, w->settings))
			break;
		at = at->prev;
	}
	ch_list_insert_between(&w->in_account, at, at->next);
}

static void webhook_made_back(struct store_memory *m, struct memory_undo *undo)
{
	struct memory_webhook *w = CH_CONTAINER_OF(undo, struct webhook_made, undo)->webhook;

	CH_ASSERT(w->counts.accepted == 0);
	ch_list_unlink(&w->in_account);
	ch_map_remove(&m->webhooks, &w->node);
	memory_webhook_free(w);
}

int memory_webhook_add(struct store_memory *m, struct webhook *settings)
{
	struct memory_space *s = memory_space_of(m, settings->account);
	struct memory_webhook *w = ch_calloc(1, sizeof(*w));
	struct webhook_made *u = ch_calloc(1, sizeof(*u));

	if (s == NULL || w == NULL || u == NULL)
		goto fail;
	w->id = settings->id;
	if (ch_map_insert(&m->webhooks, &w->node, &w->id, sizeof(w->id)) != 0)
		goto fail;
	w->settings = settings;
	webhook_link(s, w);
	u->webhook = w;
	memory_undo_push(m, &u->undo, webhook_made_back, NULL);
	return 0;
fail:
	ch_free(w);
	ch_free(u);
	return CH_ENOMEM;
}

static void webhook_changed_back(struct store_memory *m, struct memory_undo *undo)
{
	struct webhook_changed *u = CH_CONTAINER_OF(undo, struct webhook_changed, undo);

	u->webhook->task = u->task;
	u->webhook->receiver = u->receiver;
	if (u->old == NULL)
		return;
	webhook_destroy(&u->webhook->settings);
	u->webhook->settings = u->old;
}

static void webhook_changed_keep(struct memory_undo *undo)
{
	webhook_destroy(&CH_CONTAINER_OF(undo, struct webhook_changed, undo)->old);
}

static struct webhook_changed *webhook_undo(struct store_memory *m, struct memory_webhook *w)
{
	struct webhook_changed *u = ch_calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	u->webhook = w;
	u->task = w->task;
	u->receiver = w->receiver;
	memory_undo_push(m, &u->undo, webhook_changed_back, webhook_changed_keep);
	return u;
}

int memory_webhook_change(struct store_memory *m, struct memory_webhook *w, struct webhook *settings,
		enum rules_task task)
{
	struct webhook_changed *u = webhook_undo(m, w);

	if (u == NULL)
		return CH_ENOMEM;
	CH_ASSERT(settings->created_ms == w->settings->created_ms);
	u->old = w->settings;
	w->settings = settings;
	w->task = task;
	return 0;
}

int memory_webhook_swept(struct store_memory *m, struct memory_webhook *w)
{
	if (w->task == RULES_TASK_NONE)
		return 0;
	if (webhook_undo(m, w) == NULL)
		return CH_ENOMEM;
	w->task = RULES_TASK_NONE;
	return 0;
}

int memory_receiver_change(
		struct store_memory *m, struct memory_webhook *w, const struct rules_receiver *receiver)
{
	if (webhook_undo(m, w) == NULL)
		return CH_ENOMEM;
	w->receiver = *receiver;
	return 0;
}
