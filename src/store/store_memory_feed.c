#include "base/alloc.h"
#include "store/store_memory.h"

static const struct attempt *find_attempt(const struct memory_delivery *d, const struct id *id)
{
	for (size_t i = d->attempt_count; i > 0; i--)
		if (id_equal(&d->attempts[i - 1].id, id))
			return &d->attempts[i - 1];
	return NULL;
}

static void add_row(const struct store_memory *m, size_t at, struct store_attempt_feed *q)
{
	const struct memory_delivery *d = memory_delivery_find(m, &m->log[at].delivery_id);
	const struct attempt *a = d == NULL ? NULL : find_attempt(d, &m->log[at].attempt_id);

	if (a == NULL || d->row.account != q->in.account ||
			(q->in.has_webhook && !id_equal(&d->row.webhook_id, &q->in.webhook_id)))
		return;
	q->out.rows[q->out.count++] = (struct store_attempt_row){
			.number = (int64_t)at + 1,
			.id = a->id,
			.delivery_id = d->row.id,
			.webhook_id = d->row.webhook_id,
			.call_id = d->row.call_id,
			.started_ms = a->started_ms,
			.outcome = a->outcome,
			.status = a->status,
			.total_us = a->total_us,
			.state = d->row.state,
	};
}

int memory_attempt_feed(const struct store_memory *m, struct store_request *r)
{
	struct store_attempt_feed *q = &r->u.attempt_feed;

	q->out.end = (int64_t)m->log_count;
	q->out.last = q->in.after < 0 ? q->out.end : q->in.after;
	if (q->out.last >= q->out.end)
		return 0;
	q->out.rows = ch_calloc(q->in.limit, sizeof(*q->out.rows));
	if (q->out.rows == NULL)
		return CH_ENOMEM;
	while (q->out.last < q->out.end && q->out.count < q->in.limit)
		add_row(m, (size_t)q->out.last++, q);
	q->out.more = q->out.last < q->out.end;
	return 0;
}
