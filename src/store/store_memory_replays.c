#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/store_memory.h"

#define REPLAYS_LISTED 100
#define PAUSE_MAX_MS 2000

struct replay_made {
	struct memory_undo undo;
	struct memory_replay *replay;
};

struct replay_changed {
	struct memory_undo undo;
	struct memory_replay *replay;
	struct memory_replay old;
};

static int refuse(struct store_request *r, int code, const char *text)
{
	r->result = ch_err_set(&r->err, code, "%s", text);
	return 0;
}

static int refuse_unknown(struct store_request *r)
{
	return refuse(r, CH_ENOENT, "there is no such replay");
}

static struct memory_replay *find(const struct store_memory *m, const struct id *id)
{
	CH_LIST_FOREACH (&m->replays, it, nx) {
		struct memory_replay *p = CH_CONTAINER_OF(it, struct memory_replay, link);

		if (id_equal(&p->row.id, id))
			return p;
	}
	return NULL;
}

void memory_replays_free(struct store_memory *m)
{
	struct ch_list *n;

	while ((n = ch_list_pop_front(&m->replays)) != NULL)
		ch_free(CH_CONTAINER_OF(n, struct memory_replay, link));
}

static void made_back(struct store_memory *m, struct memory_undo *undo)
{
	struct memory_replay *p = CH_CONTAINER_OF(undo, struct replay_made, undo)->replay;

	ch_list_unlink(&p->link);
	ch_free(p);
}

static void changed_back(struct store_memory *m, struct memory_undo *undo)
{
	struct replay_changed *u = CH_CONTAINER_OF(undo, struct replay_changed, undo);
	struct ch_list link = u->replay->link;

	*u->replay = u->old;
	u->replay->link = link;
}

/* p may be changed at will after it, within the transaction. */
static int will_change(struct store_memory *m, struct memory_replay *p)
{
	struct replay_changed *u = ch_calloc(1, sizeof(*u));

	if (u == NULL)
		return CH_ENOMEM;
	u->replay = p;
	u->old = *p;
	memory_undo_push(m, &u->undo, changed_back, NULL);
	return 0;
}

static int add(struct store_memory *m, const struct memory_replay *values)
{
	struct memory_replay *p = ch_calloc(1, sizeof(*p));
	struct replay_made *u = ch_calloc(1, sizeof(*u));

	if (p == NULL || u == NULL) {
		ch_free(p);
		ch_free(u);
		return CH_ENOMEM;
	}
	*p = *values;
	ch_list_push_front(&m->replays, &p->link);
	u->replay = p;
	memory_undo_push(m, &u->undo, made_back, NULL);
	return 0;
}

static bool is_busy(const struct store_memory *m, const struct id *webhook)
{
	CH_LIST_FOREACH (&m->replays, it, nx) {
		const struct memory_replay *p = CH_CONTAINER_OF(it, struct memory_replay, link);

		if (p->row.state == REPLAY_RUNNING && id_equal(&p->row.webhook_id, webhook))
			return true;
	}
	return false;
}

int memory_replay_create(struct store_memory *m, struct store_request *r)
{
	const struct store_replay_create *q = &r->u.replay_create;
	const struct memory_webhook *w = memory_webhook_find(m, &q->in.replay.webhook_id);
	const struct memory_space *s = memory_space_find(m, q->in.account);
	struct memory_replay p = {.row = q->in.replay, .account = q->in.account};

	if (w == NULL || w->settings->deleted || w->settings->account != q->in.account)
		return refuse(r, CH_ENOENT, "there is no such webhook");
	if (!w->settings->enabled)
		return refuse(r, CH_ECONFLICT, "the webhook is switched off");
	if (is_busy(m, &w->id))
		return refuse(r, CH_ECONFLICT, "another replay of this webhook is under way");
	p.stop_delivery = s == NULL ? 0 : s->delivery_count;
	p.stop_call = m->call_count;
	p.stop_version = m->versions_made;
	return add(m, &p);
}

static void finish(struct memory_replay *p, enum replay_state state, const char *reason, int64_t now_ms)
{
	p->row.state = state;
	p->row.finished_ms = now_ms;
	snprintf(p->row.reason, sizeof(p->row.reason), "%s", reason);
}

int memory_replay_cancel(struct store_memory *m, struct store_request *r)
{
	struct store_replay_cancel *q = &r->u.replay_cancel;
	struct memory_replay *p = find(m, &q->in.id);

	if (p == NULL || p->account != q->in.account)
		return refuse_unknown(r);
	if (p->row.state == REPLAY_RUNNING) {
		if (will_change(m, p) != 0)
			return CH_ENOMEM;
		finish(p, REPLAY_CANCELED, rules_replay_asked, q->in.now_ms);
	}
	q->out.replay = p->row;
	return 0;
}

/* ---- a step ---- */

static int along_deliveries(struct store_memory *m, struct memory_replay *p, struct store_replay_step *q)
{
	const struct memory_space *s = memory_space_find(m, p->account);
	size_t room = rules_replay_room(&p->row, q->in.limit);

	for (size_t seen = 0; seen < q->in.limit && p->at_delivery < p->stop_delivery && q->out.opened < room;
			p->at_delivery++) {
		struct memory_delivery *d = s->deliveries[p->at_delivery];
		struct rules_row row = memory_row_of(d);

		row.is_erased = memory_is_erased(m, d);
		if (!id_equal(&d->row.webhook_id, &p->row.webhook_id) || id_compare(&d->row.id, &p->from) < 0)
			continue;
		seen++;
		p->row.examined++;
		if (!rules_replay_apply(&p->row, d->row.call_status, d->row.created_ms, q->in.now_ms, &row)) {
			p->row.skipped++;
			continue;
		}
		if (memory_delivery_change(m, d, &row) != 0)
			return CH_ENOMEM;
		p->row.resent++;
		q->out.opened++;
	}
	return 0;
}

static bool concerns(
		const struct memory_replay *p, const struct memory_webhook *w, const struct memory_call *c)
{
	const struct memory_version *v = &c->latest;
	struct webhook like = *w->settings;

	like.statuses = p->row.statuses;
	return c->key.account == p->account && v->body->len > 0 && v->seq <= p->stop_version &&
	       call_status_is_final(v->status) && v->accepted_ms >= p->row.from_ms &&
	       v->accepted_ms < p->row.to_ms && webhook_wants(&like, v->status, &v->agent);
}

static bool is_served(
		const struct memory_space *s, const struct memory_replay *p, const struct memory_call *c)
{
	for (size_t i = 0; s != NULL && i < s->delivery_count; i++) {
		const struct delivery *d = &s->deliveries[i]->row;

		if (id_equal(&d->webhook_id, &p->row.webhook_id) && id_equal(&d->call_id, &c->key.id))
			return true;
	}
	return false;
}

static int make_one(struct store_memory *m, const struct memory_replay *p, struct memory_webhook *w,
		const struct memory_call *c, int64_t now_ms)
{
	struct delivery row = {.id = id_gen_next(&m->ids),
			.account = p->account,
			.webhook_id = w->id,
			.call_id = c->key.id,
			.version = c->latest.number,
			.call_status = c->latest.status,
			.state = DELIVERY_PENDING,
			.created_ms = now_ms,
			.due_ms = now_ms,
			.body = ch_bytes_ref(c->latest.body)};
	int rc = memory_delivery_add(m, w, &row);

	if (rc != 0)
		delivery_fini(&row);
	return rc;
}

static int along_calls(struct store_memory *m, struct memory_replay *p, struct memory_webhook *w,
		struct store_replay_step *q)
{
	size_t room = rules_replay_room(&p->row, q->in.limit);

	for (size_t seen = 0; seen < q->in.limit && p->at_call < p->stop_call && q->out.opened < room;
			seen++, p->at_call++) {
		const struct memory_call *c = m->call_order[p->at_call];

		if (!concerns(p, w, c) || is_served(memory_space_find(m, p->account), p, c))
			continue;
		if (make_one(m, p, w, c, q->in.now_ms) != 0)
			return CH_ENOMEM;
		p->row.examined++;
		p->row.made++;
		q->out.opened++;
	}
	return 0;
}

static bool has_ended(const struct memory_replay *p)
{
	return p->at_delivery >= p->stop_delivery && (!p->row.missing || p->at_call >= p->stop_call);
}

static int go_on(struct store_memory *m, struct memory_replay *p, struct memory_webhook *w,
		struct store_replay_step *q)
{
	int64_t left_ms = p->next_ms - q->in.now_ms;
	int rc;

	if (left_ms > 0 && left_ms <= PAUSE_MAX_MS) {
		q->out.more = true;
		q->out.wait_ms = left_ms;
		return 0;
	}
	if (will_change(m, p) != 0)
		return CH_ENOMEM;
	p->from = id_floor(p->row.from_ms < 0 ? 0 : p->row.from_ms);
	rc = p->at_delivery < p->stop_delivery ? along_deliveries(m, p, q)
	     : has_ended(p)                    ? 0
					       : along_calls(m, p, w, q);
	if (rc != 0)
		return rc;
	q->out.webhook_id = w->id;
	q->out.wait_ms = rules_replay_wait_ms(&p->row, q->out.opened);
	p->next_ms = q->in.now_ms + q->out.wait_ms;
	if (has_ended(p))
		finish(p, REPLAY_DONE, "", q->in.now_ms);
	q->out.more = p->row.state == REPLAY_RUNNING;
	return 0;
}

static int tell_finished(struct store_memory *m, struct store_request *r, const struct memory_webhook *w,
		const struct replay *p)
{
	struct ops_event e = {
			.type = EVENT_REPLAY_FINISHED,
			.at_ms = p->finished_ms,
			.replay = {p->id, p->examined, p->resent, p->made, p->skipped},
	};

	return p->state == REPLAY_DONE ? memory_event_make(m, r, w, &e) : 0;
}

int memory_replay_step(struct store_memory *m, struct store_request *r)
{
	struct store_replay_step *q = &r->u.replay_step;
	struct memory_replay *p = find(m, &q->in.id);
	struct memory_webhook *w;

	if (p == NULL)
		return refuse_unknown(r);
	if (p->row.state != REPLAY_RUNNING)
		return 0;
	w = memory_webhook_find(m, &p->row.webhook_id);
	CH_ASSERT(w != NULL);
	if (w->settings->deleted) {
		if (will_change(m, p) != 0)
			return CH_ENOMEM;
		finish(p, REPLAY_CANCELED, rules_replay_deleted, q->in.now_ms);
		return 0;
	}
	if (!w->settings->enabled) {
		q->out.more = true;
		q->out.wait_ms = RULES_REPLAY_OFF_WAIT_MS;
		return 0;
	}
	if (go_on(m, p, w, q) != 0)
		return CH_ENOMEM;
	return tell_finished(m, r, w, &p->row);
}

/* ---- reading ---- */

static struct replay shown(const struct store_memory *m, const struct memory_replay *p)
{
	const struct memory_webhook *w = memory_webhook_find(m, &p->row.webhook_id);
	struct replay row = p->row;

	if (row.state == REPLAY_RUNNING && !w->settings->enabled && !w->settings->deleted)
		snprintf(row.reason, sizeof(row.reason), "%s", rules_replay_off);
	return row;
}

int memory_replay_get(const struct store_memory *m, struct store_request *r)
{
	struct store_replay_get *q = &r->u.replay_get;
	const struct memory_replay *p = find(m, &q->in.id);

	if (p == NULL || p->account != q->in.account)
		return ch_err_set(&r->err, CH_ENOENT, "there is no such replay");
	q->out.replay = shown(m, p);
	return 0;
}

int memory_replay_list(const struct store_memory *m, struct store_request *r)
{
	struct store_replay_list *q = &r->u.replay_list;

	q->out.rows = ch_calloc(REPLAYS_LISTED, sizeof(struct replay));
	if (q->out.rows == NULL)
		return CH_ENOMEM;
	CH_LIST_FOREACH (&m->replays, it, nx) {
		const struct memory_replay *p = CH_CONTAINER_OF(it, struct memory_replay, link);

		if (p->account != q->in.account || q->out.count == REPLAYS_LISTED ||
				(q->in.has_webhook && !id_equal(&p->row.webhook_id, &q->in.webhook_id)))
			continue;
		q->out.rows[q->out.count++] = shown(m, p);
	}
	return 0;
}

int memory_replays_running(const struct store_memory *m, struct store_sweeps *q)
{
	size_t count = 0;

	CH_LIST_FOREACH (&m->replays, it, nx)
		count += CH_CONTAINER_OF(it, struct memory_replay, link)->row.state == REPLAY_RUNNING;
	if (count == 0)
		return 0;
	q->out.replays = ch_calloc(count, sizeof(struct id));
	if (q->out.replays == NULL)
		return CH_ENOMEM;
	CH_LIST_FOREACH (&m->replays, it, nx) {
		const struct memory_replay *p = CH_CONTAINER_OF(it, struct memory_replay, link);

		if (p->row.state == REPLAY_RUNNING)
			q->out.replays[q->out.replay_count++] = p->row.id;
	}
	return 0;
}
