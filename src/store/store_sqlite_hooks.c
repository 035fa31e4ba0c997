#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/store_sqlite.h"

/* The writer asks for the webhooks of an account with every finished call, and for one webhook with every
 * attempt. Kept in memory that costs no statement. After a transaction that changed one and failed, all are
 * simply read again: it is rare, and an undo log would be code that hardly ever runs. The counts change
 * with every transaction, so those are taken back one by one. */

int sq_grow(void **items, size_t *cap, size_t count, size_t item_bytes)
{
	size_t wanted = *cap == 0 ? 8 : *cap * 2;
	void *p;

	if (count < *cap)
		return 0;
	p = ch_realloc(*items, wanted * item_bytes);
	if (p == NULL)
		return CH_ENOMEM;
	*items = p;
	*cap = wanted;
	return 0;
}

void sq_hooks_init(struct sq_hooks *h, const struct ch_rand *rand)
{
	memset(h, 0, sizeof(*h));
	ch_map_init(&h->by_id, rand);
	ch_map_init(&h->by_account, rand);
}

void sq_hooks_clear(struct sq_hooks *h)
{
	struct ch_map_node *n;

	while ((n = ch_map_next(&h->by_id, NULL)) != NULL) {
		struct sq_hook *hook = CH_CONTAINER_OF(n, struct sq_hook, node);

		ch_map_remove(&h->by_id, n);
		webhook_destroy(&hook->settings);
		sq_history_forget(hook);
		ch_free(hook);
	}
	while ((n = ch_map_next(&h->by_account, NULL)) != NULL) {
		struct sq_group *g = CH_CONTAINER_OF(n, struct sq_group, node);

		ch_map_remove(&h->by_account, n);
		ch_free(g->hooks);
		ch_free(g);
	}
	h->dirty = NULL;
	h->gone = NULL;
	h->is_loaded = false;
	h->is_changed = false;
}

void sq_hooks_fini(struct sq_hooks *h)
{
	sq_hooks_clear(h);
	ch_map_fini(&h->by_id);
	ch_map_fini(&h->by_account);
}

struct sq_hook *sq_hook_find(const struct sq_hooks *h, const struct id *id)
{
	struct ch_map_node *n = ch_map_get(&h->by_id, id->b, sizeof(id->b));

	return n == NULL ? NULL : CH_CONTAINER_OF(n, struct sq_hook, node);
}

struct sq_group *sq_group_find(const struct sq_hooks *h, int64_t account)
{
	struct ch_map_node *n = ch_map_get(&h->by_account, &account, sizeof(account));

	return n == NULL ? NULL : CH_CONTAINER_OF(n, struct sq_group, node);
}

static struct sq_group *group_make(struct sq_hooks *h, int64_t account)
{
	struct sq_group *g = sq_group_find(h, account);

	if (g != NULL)
		return g;
	g = ch_calloc(1, sizeof(*g));
	if (g == NULL)
		return NULL;
	g->account = account;
	if (ch_map_insert(&h->by_account, &g->node, &g->account, sizeof(g->account)) != 0) {
		ch_free(g);
		return NULL;
	}
	return g;
}

static bool is_older(const struct sq_hook *a, const struct sq_hook *b)
{
	if (a->created_ms != b->created_ms)
		return a->created_ms < b->created_ms;
	return id_compare(&a->id, &b->id) < 0;
}

static int group_add(struct sq_group *g, struct sq_hook *hook)
{
	size_t at = g->count;

	if (sq_grow((void **)&g->hooks, &g->cap, g->count, sizeof(struct sq_hook *)) != 0)
		return CH_ENOMEM;
	for (; at > 0 && is_older(hook, g->hooks[at - 1]); at--)
		g->hooks[at] = g->hooks[at - 1];
	g->hooks[at] = hook;
	g->count++;
	return 0;
}

static void group_remove(struct sq_group *g, const struct sq_hook *hook)
{
	size_t at = 0;

	while (at < g->count && g->hooks[at] != hook)
		at++;
	CH_ASSERT(at < g->count);
	g->count--;
	for (; at < g->count; at++)
		g->hooks[at] = g->hooks[at + 1];
}

int sq_hook_add(struct sq_hooks *h, const struct sq_hook *values, struct sq_hook **ret)
{
	struct sq_group *g = group_make(h, values->account);
	struct sq_hook *hook = ch_alloc(sizeof(*hook));

	if (g == NULL || hook == NULL) {
		ch_free(hook);
		return CH_ENOMEM;
	}
	*hook = *values;
	if (hook->settings != NULL && group_add(g, hook) != 0) {
		ch_free(hook);
		return CH_ENOMEM;
	}
	if (ch_map_insert(&h->by_id, &hook->node, hook->id.b, sizeof(hook->id.b)) != 0) {
		if (hook->settings != NULL)
			group_remove(g, hook);
		ch_free(hook);
		return CH_ENOMEM;
	}
	h->is_changed = true;
	*ret = hook;
	return 0;
}

void sq_hook_replace(struct sq_hooks *h, struct sq_hook *hook, struct webhook *settings)
{
	CH_ASSERT(hook->settings != NULL);
	if (settings == NULL)
		group_remove(sq_group_find(h, hook->account), hook);
	webhook_destroy(&hook->settings);
	hook->settings = settings;
	h->is_changed = true;
}

static void touch(struct sq_hooks *h, struct sq_hook *hook)
{
	if (hook->is_dirty)
		return;
	hook->counts_before = hook->counts;
	hook->receiver_before = hook->receiver;
	hook->is_dirty = true;
	hook->next_dirty = h->dirty;
	h->dirty = hook;
}

struct ledger *sq_hook_counts(struct sq_hooks *h, struct sq_hook *hook)
{
	touch(h, hook);
	return &hook->counts;
}

void sq_hook_set_receiver(struct sq_hooks *h, struct sq_hook *hook, const struct rules_receiver *receiver)
{
	touch(h, hook);
	hook->receiver = *receiver;
}

static int64_t count_of(const struct ledger *l, enum delivery_state s)
{
	switch (s) {
	case DELIVERY_PENDING:
		return l->pending;
	case DELIVERY_DELIVERED:
		return l->delivered;
	case DELIVERY_FAILED:
		return l->failed;
	case DELIVERY_PARKED:
		return l->parked;
	case DELIVERY_CANCELED:
		return l->canceled;
	case DELIVERY_DELIVERING:
	case DELIVERY_STATE_COUNT:
		break;
	}
	CH_UNREACHABLE();
}

int sq_hook_move(struct sq_hooks *h, struct sq_hook *hook, enum delivery_state from, enum delivery_state to,
		int64_t count, struct ch_err *err)
{
	if (from == to)
		return 0;
	/* The rules hold a count below nothing for a bug; here it comes from the file. */
	if (count > count_of(&hook->counts, from))
		return sq_damaged("a webhook has more deliveries than were counted", err);
	for (int64_t i = 0; i < count; i++)
		rules_ledger_moved(sq_hook_counts(h, hook), from, to);
	return 0;
}

void sq_hooks_done(struct sq_hooks *h, bool is_committed)
{
	while (h->dirty != NULL) {
		struct sq_hook *hook = h->dirty;

		h->dirty = hook->next_dirty;
		hook->is_dirty = false;
		if (is_committed)
			continue;
		hook->counts = hook->counts_before;
		hook->receiver = hook->receiver_before;
	}
	if (h->is_changed && !is_committed)
		sq_hooks_clear(h);
	while (h->gone != NULL) {
		struct sq_hook *hook = h->gone;

		h->gone = hook->next_gone;
		ch_map_remove(&h->by_id, &hook->node);
		sq_history_forget(hook);
		ch_free(hook);
	}
	h->is_changed = false;
}

static int load_row(struct sq_hooks *h, struct sq_hook_row *row)
{
	struct sq_hook values = {
			.id = row->webhook.id,
			.number = row->number,
			.account = row->webhook.account,
			.created_ms = row->webhook.created_ms,
			.task = row->task,
			.counts = row->counts,
			.receiver = row->receiver,
	};
	struct sq_hook *hook;

	if (!row->webhook.deleted) {
		values.settings = ch_alloc(sizeof(struct webhook));
		if (values.settings == NULL) {
			webhook_fini(&row->webhook);
			return CH_ENOMEM;
		}
		*values.settings = row->webhook;
	} else {
		webhook_fini(&row->webhook);
	}
	if (sq_hook_add(h, &values, &hook) != 0) {
		webhook_destroy(&values.settings);
		return CH_ENOMEM;
	}
	return 0;
}

/* Ids go on counting from the greatest key of any delivery even when the clock was set back while nothing
 * ran. */
static int read_last_key(struct sq_conn *c, int64_t *ret, struct ch_err *err)
{
	bool has_row = false;
	int rc = sq_fetch(c, SQ_LAST_KEY, &has_row, "read the webhooks", err);

	if (rc != 0)
		return rc;
	if (has_row)
		*ret = sq_int(c, SQ_LAST_KEY, 0);
	sq_reset(c, SQ_LAST_KEY);
	return 0;
}

/* Adds the rows that which gives. */
static int load_rows(struct sq_hooks *h, struct sq_conn *c, enum sq_stmt which, struct ch_err *err)
{
	bool has_row = true;
	int rc = 0;

	while (rc == 0) {
		struct sq_hook_row row;

		rc = sq_fetch(c, which, &has_row, "read the webhooks", err);
		if (rc != 0 || !has_row)
			break;
		rc = sq_hook_row_read(c, which, &row, err);
		if (rc == 0 && load_row(h, &row) != 0)
			rc = sq_no_memory(err);
	}
	sq_reset(c, which);
	return rc;
}

int sq_hooks_load(struct sq_hooks *h, struct sq_conn *c, int64_t *ret_last_key, struct ch_err *err)
{
	int64_t last_key = 0;
	int rc;

	sq_hooks_clear(h);
	rc = load_rows(h, c, SQ_HOOK_ALL, err);
	if (rc == 0)
		rc = read_last_key(c, &last_key, err);
	h->is_changed = false;
	if (rc != 0) {
		sq_hooks_clear(h);
		return rc;
	}
	h->is_loaded = true;
	*ret_last_key = last_key;
	return 0;
}

void sq_hook_forget(struct sq_hooks *h, struct sq_hook *hook)
{
	CH_ASSERT(hook->settings == NULL && hook->task == RULES_TASK_NONE);
	if (hook->is_gone)
		return;
	hook->is_gone = true;
	hook->next_gone = h->gone;
	h->gone = hook;
}

int sq_hook_get(struct sq_hooks *h, struct sq_conn *c, const struct id *id, struct sq_hook **ret,
		struct ch_err *err)
{
	bool was_changed = h->is_changed;
	int rc = 0;

	*ret = sq_hook_find(h, id);
	if (*ret != NULL)
		return 0;
	sq_bind_id(c, SQ_HOOK_GONE, 1, id);
	rc = load_rows(h, c, SQ_HOOK_GONE, err);
	h->is_changed = was_changed; /* what was read is no change */
	*ret = sq_hook_find(h, id);
	if (*ret != NULL)
		sq_hook_forget(h, *ret);
	return rc;
}
