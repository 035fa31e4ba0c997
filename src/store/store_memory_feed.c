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

/* ---- versions of finished calls ---- */

static void finished_back(struct store_memory *m, struct memory_undo *u)
{
	ch_bytes_unref(&m->finished[--m->finished_count].body);
}

int memory_finished_add(struct store_memory *m, const struct memory_call *c)
{
	const struct memory_version *v = &c->latest;
	struct memory_undo *u;

	if (v->status == CALL_IN_PROGRESS)
		return 0;
	u = ch_calloc(1, sizeof(*u));
	if (u == NULL)
		return CH_ENOMEM;
	if (memory_space_of(m, c->key.account) == NULL ||
			memory_grow((void **)&m->finished, &m->finished_cap, m->finished_count,
					sizeof(*m->finished)) != 0) {
		ch_free(u);
		return CH_ENOMEM;
	}
	m->finished[m->finished_count++] = (struct memory_finished){
			.account = c->key.account,
			.call_id = c->key.id,
			.number = v->number,
			.accepted_ms = v->accepted_ms,
			.seq = (int64_t)v->seq,
			.body = v->body->len == 0 ? NULL : ch_bytes_ref(v->body),
			.is_tombstone = v->body->len == 0,
	};
	memory_undo_push(m, u, finished_back, NULL);
	return 0;
}

void memory_finished_wipe(struct store_memory *m, const struct memory_call_key *key)
{
	for (size_t i = 0; i < m->finished_count; i++) {
		struct memory_finished *f = &m->finished[i];

		if (f->account == key->account && id_equal(&f->call_id, &key->id))
			ch_bytes_unref(&f->body);
	}
}

void memory_finished_purge(struct store_memory *m, int64_t account)
{
	for (size_t i = 0; i < m->finished_count; i++) {
		if (m->finished[i].account != account)
			continue;
		ch_bytes_unref(&m->finished[i].body);
		m->finished[i].account = -1;
	}
}

void memory_finished_free(struct store_memory *m)
{
	for (size_t i = 0; i < m->finished_count; i++)
		ch_bytes_unref(&m->finished[i].body);
	ch_free(m->finished);
}

/* Where those with a greater seq begin. */
static size_t finished_after(const struct store_memory *m, int64_t seq)
{
	size_t low = 0, high = m->finished_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->finished[mid].seq <= seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void fill_versions(const struct store_memory *m, struct store_call_feed *q)
{
	size_t bytes = 0;

	for (size_t i = finished_after(m, q->out.last); i < m->finished_count; i++) {
		const struct memory_finished *f = &m->finished[i];

		if (f->account != q->in.account || (f->body == NULL && !f->is_tombstone))
			continue;
		q->out.more = q->out.count == q->in.limit || (q->out.count > 0 && bytes >= q->in.max_bytes);
		if (q->out.more)
			return;
		q->out.rows[q->out.count++] = (struct store_version_row){
				.seq = f->seq,
				.call_id = f->call_id,
				.version = f->number,
				.accepted_ms = f->accepted_ms,
				.body = f->body == NULL ? NULL : ch_bytes_ref(f->body),
		};
		bytes += f->body == NULL ? 0 : f->body->len;
		q->out.last = f->seq;
	}
}

static int64_t last_of(const struct store_memory *m, const struct store_call_feed *q)
{
	for (size_t i = m->finished_count; i > 0; i--) {
		if (m->finished[i - 1].account == q->in.account)
			return m->finished[i - 1].seq > q->out.last ? m->finished[i - 1].seq : q->out.last;
	}
	return q->out.last;
}

int memory_call_feed(const struct store_memory *m, struct store_request *r)
{
	struct store_call_feed *q = &r->u.call_feed;
	const struct memory_space *s = memory_space_find(m, q->in.account);
	int64_t purged = s == NULL ? 0 : s->purged_seq;

	q->out.store_id = m->store_id;
	q->out.is_purged = q->in.after >= 0 && q->in.after < purged;
	q->out.is_beyond = q->in.after > (int64_t)m->versions_made;
	q->out.last = q->in.after < 0 ? purged : q->in.after;
	if (q->out.is_purged || q->out.is_beyond)
		return 0;
	if (q->in.after == STORE_FEED_END) {
		q->out.last = last_of(m, q);
		return 0;
	}
	q->out.rows = ch_calloc(q->in.limit, sizeof(*q->out.rows));
	if (q->out.rows == NULL)
		return CH_ENOMEM;
	fill_versions(m, q);
	return 0;
}
