#include <string.h>

#include "base/alloc.h"
#include "store/store_memory.h"

/* Rows are removed at the end of the transaction, because then nothing can be taken back any more; what goes
 * is found there too, so that what the same transaction still makes of a call counts. All at once: nothing
 * here is slow enough to be done in chunks. */

/* ---- within the transaction ---- */

static void step_back(struct store_memory *m, struct memory_undo *undo)
{
	m->retaining = NULL;
}

static bool is_old_parked(const struct due_node *n, const struct store_retention_step *q)
{
	return n != NULL && id_time_ms(&n->id) < q->in.calls_before_ms;
}

static int cancel_of(struct store_memory *m, struct memory_webhook *w, struct store_retention_step *q)
{
	struct due_node *n;

	while (is_old_parked(n = due_first(&w->parked), q)) {
		struct memory_delivery *d = CH_CONTAINER_OF(n, struct memory_delivery, due);
		struct rules_row row = memory_row_of(d);

		rules_expire_apply(q->in.now_ms, &row);
		if (memory_delivery_change(m, d, &row) != 0)
			return CH_ENOMEM;
		q->out.canceled++;
	}
	return 0;
}

int memory_retention_step(struct store_memory *m, struct store_request *r)
{
	struct store_retention_step *q = &r->u.retention_step;
	struct memory_undo *u;

	for (struct ch_map_node *n = ch_map_next(&m->webhooks, NULL); n != NULL;
			n = ch_map_next(&m->webhooks, n)) {
		struct memory_webhook *w = CH_CONTAINER_OF(n, struct memory_webhook, node);

		if (w->task == RULES_TASK_NONE && cancel_of(m, w, q) != 0)
			return CH_ENOMEM;
	}
	u = ch_calloc(1, sizeof(*u));
	if (u == NULL)
		return CH_ENOMEM;
	m->retaining = q;
	memory_undo_push(m, u, step_back, NULL);
	return 0;
}

/* ---- at its end ---- */

static bool holds(const struct store_retention_step *q, const struct delivery *d)
{
	return d->state == DELIVERY_PENDING || d->state == DELIVERY_PARKED ||
	       d->finished_ms > q->in.now_ms - RULES_RETENTION_SEEN_MS ||
	       id_time_ms(&d->id) >= q->in.calls_before_ms;
}

static void hold_calls(struct store_memory *m, const struct store_retention_step *q)
{
	for (struct ch_map_node *n = ch_map_next(&m->deliveries, NULL); n != NULL;
			n = ch_map_next(&m->deliveries, n)) {
		const struct delivery *d = &CH_CONTAINER_OF(n, struct memory_delivery, node)->row;
		struct memory_call *c = memory_call_find(m, d->account, &d->call_id);

		if (c != NULL && holds(q, d))
			c->is_held = true;
	}
}

static void choose_calls(struct store_memory *m, struct store_retention_step *q)
{
	for (size_t i = 0; i < m->call_count; i++) {
		struct memory_call *c = m->call_order[i];

		c->goes = !c->is_held && !c->is_mark && c != &m->removed_call &&
			  c->latest.accepted_ms < q->in.calls_before_ms &&
			  !memory_account_is_closed(m, c->key.account);
		c->is_held = false;
		q->out.calls += c->goes;
	}
}

/* Row `at` of an array in which replays have their places is removed. */
static void shift_deliveries(struct store_memory *m, int64_t account, size_t at)
{
	CH_LIST_FOREACH (&m->replays, it, nx) {
		struct memory_replay *p = CH_CONTAINER_OF(it, struct memory_replay, link);

		if (p->account != account)
			continue;
		p->at_delivery -= p->at_delivery > at;
		p->stop_delivery -= p->stop_delivery > at;
	}
}

static void shift_calls(struct store_memory *m, size_t at)
{
	CH_LIST_FOREACH (&m->replays, it, nx) {
		struct memory_replay *p = CH_CONTAINER_OF(it, struct memory_replay, link);

		p->at_call -= p->at_call > at;
		p->stop_call -= p->stop_call > at;
	}
}

static void remove_deliveries(struct store_memory *m, struct memory_space *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->delivery_count; i++) {
		struct memory_delivery *d = s->deliveries[i];
		const struct memory_call *c = memory_call_find(m, d->row.account, &d->row.call_id);

		if (c == NULL || !c->goes) {
			s->deliveries[kept++] = d;
			continue;
		}
		shift_deliveries(m, s->account, kept);
		ch_map_remove(&m->deliveries, &d->node);
		memory_delivery_free(d);
	}
	s->delivery_count = kept;
}

/* As long as the calls that go are there. */
static void remove_finished(struct store_memory *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->finished_count; i++) {
		struct memory_finished *f = &m->finished[i];
		const struct memory_call *c = memory_call_find(m, f->account, &f->call_id);

		if (c == NULL || !c->goes) {
			m->finished[kept++] = *f;
			continue;
		}
		struct memory_space *s = memory_space_find(m, f->account);
		if (s != NULL && f->seq > s->purged_seq)
			s->purged_seq = f->seq;
		ch_bytes_unref(&f->body);
	}
	m->finished_count = kept;
}

static void remove_calls(struct store_memory *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->call_count; i++) {
		struct memory_call *c = m->call_order[i];

		if (c->goes && c->latest.body->len == 0) {
			c->goes = false;
			c->is_mark = true;
			c->latest.number = 1;
		}
		if (!c->goes) {
			m->call_order[kept++] = c;
			continue;
		}
		shift_calls(m, kept);
		ch_map_remove(&m->calls, &c->node);
		memory_call_free(c);
	}
	m->call_count = kept;
}

static void remove_attempts(struct store_memory *m, struct store_retention_step *q)
{
	for (struct ch_map_node *n = ch_map_next(&m->deliveries, NULL); n != NULL;
			n = ch_map_next(&m->deliveries, n)) {
		struct memory_delivery *d = CH_CONTAINER_OF(n, struct memory_delivery, node);
		size_t gone = 0;

		while (gone < d->attempt_count && d->attempts[gone].started_ms < q->in.attempts_before_ms)
			attempt_fini(&d->attempts[gone++]);
		if (gone == 0)
			continue;
		d->attempt_count -= gone;
		memmove(d->attempts, d->attempts + gone, d->attempt_count * sizeof(struct attempt));
		q->out.attempts += gone;
	}
}

static void remove_replays(struct store_memory *m, struct store_retention_step *q)
{
	CH_LIST_FOREACH (&m->replays, it, nx) {
		struct memory_replay *p = CH_CONTAINER_OF(it, struct memory_replay, link);

		if (p->row.state == REPLAY_RUNNING || p->row.finished_ms >= q->in.calls_before_ms)
			continue;
		ch_list_unlink(&p->link);
		ch_free(p);
		q->out.replays++;
	}
}

void memory_retain(struct store_memory *m)
{
	struct store_retention_step *q = m->retaining;

	if (q == NULL)
		return;
	m->retaining = NULL;
	hold_calls(m, q);
	choose_calls(m, q);
	for (struct ch_map_node *n = ch_map_next(&m->spaces, NULL); n != NULL; n = ch_map_next(&m->spaces, n))
		remove_deliveries(m, CH_CONTAINER_OF(n, struct memory_space, node));
	remove_finished(m);
	remove_calls(m);
	remove_attempts(m, q);
	remove_replays(m, q);
}
