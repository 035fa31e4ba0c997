#include "base/alloc.h"
#include "base/assert.h"
#include "store/history.h"
#include "store/store_memory.h"

/* Nothing is counted ahead: the log has all attempts, also those that retention removed, and a question walks
 * along it. */

static int not_found(struct store_request *r)
{
	return ch_err_set(&r->err, CH_ENOENT, "there is no such webhook");
}

static const struct memory_webhook *find(const struct store_memory *m, int64_t account, const struct id *id)
{
	const struct memory_webhook *w = memory_webhook_find(m, id);

	return w == NULL || w->settings->deleted || w->settings->account != account ? NULL : w;
}

static void add(const struct memory_log *row, struct store_history *q)
{
	const struct attempt a = {.started_ms = row->started_ms,
			.outcome = row->outcome,
			.status = row->status,
			.total_us = row->total_us};
	int64_t end_s = q->in.from_s + (int64_t)q->in.count * q->in.step_s, at_s = history_minute_of(&a);

	if (history_counts(&a) && at_s >= q->in.from_s && at_s < end_s)
		history_add(&a, &q->out.points[(at_s - q->in.from_s) / q->in.step_s]);
}

int memory_history(const struct store_memory *m, struct store_request *r)
{
	struct store_history *q = &r->u.history;
	const struct memory_webhook *w = find(m, q->in.account, &q->in.webhook_id);

	history_check(q);
	if (w == NULL)
		return not_found(r);
	q->out.points = ch_calloc(q->in.count, sizeof(*q->out.points));
	if (q->out.points == NULL)
		return CH_ENOMEM;
	for (size_t i = 0; i < m->log_count; i++)
		if (id_equal(&m->log[i].webhook_id, &w->id))
			add(&m->log[i], q);
	return 0;
}

static void count_one(const struct due_node *n, struct store_backlog *q)
{
	int64_t made_ms = id_time_ms(&n->id);

	q->out.counts[backlog_age_of(q->in.now_ms - made_ms)]++;
	if (q->out.oldest_ms < 0 || made_ms < q->out.oldest_ms)
		q->out.oldest_ms = made_ms;
	q->out.last_due_ms = n->due_ms;
	q->out.last = n->id;
}

static int count_all(const struct store_memory *m, struct store_backlog *q)
{
	for (struct ch_map_node *n = ch_map_next(&m->webhooks, NULL); n != NULL;
			n = ch_map_next(&m->webhooks, n)) {
		const struct memory_webhook *w = CH_CONTAINER_OF(n, struct memory_webhook, node);

		for (const struct due_node *d = due_first(&w->pending); d != NULL;
				d = due_after(&w->pending, d))
			count_one(d, q);
	}
	return 0;
}

int memory_backlog(const struct store_memory *m, struct store_request *r)
{
	struct store_backlog *q = &r->u.backlog;
	const struct memory_webhook *w = find(m, q->in.account, &q->in.webhook_id);
	const struct due_node after = {.due_ms = q->in.after_due_ms, .id = q->in.after};
	size_t count = 0;

	CH_ASSERT(q->in.limit >= 1);
	q->out.oldest_ms = -1;
	if (q->in.is_all)
		return count_all(m, q);
	if (w == NULL)
		return not_found(r);
	for (const struct due_node *n = due_after(&w->pending, &after); n != NULL && count < q->in.limit;
			n = due_after(&w->pending, n), count++)
		count_one(n, q);
	q->out.more = count == q->in.limit;
	return 0;
}
