#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "store/store_memory.h"

static char *copy_text(const char *text, bool *failed)
{
	char *copy;

	if (text == NULL)
		return NULL;
	copy = ch_strdup(text);
	*failed = *failed || copy == NULL;
	return copy;
}

int memory_delivery_copy(const struct delivery *from, bool with_body, struct delivery *ret)
{
	bool failed = false;
	char *reason = copy_text(from->reason, &failed);

	if (failed)
		return CH_ENOMEM;
	*ret = *from;
	ret->reason = reason;
	ret->body = with_body ? ch_bytes_ref(from->body) : NULL;
	return 0;
}

int memory_attempt_copy(const struct attempt *from, struct attempt *ret)
{
	struct attempt copy = *from;
	bool failed = false;

	copy.detail = copy_text(from->detail, &failed);
	copy.request_headers = copy_text(from->request_headers, &failed);
	copy.location = copy_text(from->location, &failed);
	copy.answer = from->answer == NULL ? NULL : ch_memdup0(from->answer, from->answer_len);
	copy.retry_after_s = -1;
	if (failed || (from->answer != NULL && copy.answer == NULL)) {
		attempt_fini(&copy);
		return CH_ENOMEM;
	}
	*ret = copy;
	return 0;
}

static int not_found(struct store_request *r, const char *text)
{
	return ch_err_set(&r->err, CH_ENOENT, "%s", text);
}

static int call_get(const struct store_memory *m, struct store_request *r)
{
	struct store_call_get *get = &r->u.call_get;
	const struct memory_call *c = memory_call_find(m, get->in.account, &get->in.id);

	if (c == NULL)
		return not_found(r, "there is no such call");
	if (c->latest.body->len == 0)
		return ch_err_set(&r->err, CH_EGONE, "%s", rules_erased);
	get->out.body = ch_bytes_ref(c->latest.body);
	get->out.version = c->latest.number;
	return 0;
}

static int copy_webhook_row(const struct memory_webhook *w, struct store_webhook_row *ret)
{
	if (webhook_copy(w->settings, &ret->webhook) != 0)
		return CH_ENOMEM;
	ret->counts = w->counts;
	return 0;
}

static int webhook_get(const struct store_memory *m, struct store_request *r)
{
	struct store_webhook_get *get = &r->u.webhook_get;
	const struct memory_webhook *w = memory_webhook_find(m, &get->in.id);

	if (w == NULL || w->settings->deleted || w->settings->account != get->in.account)
		return not_found(r, "there is no such webhook");
	return copy_webhook_row(w, &get->out.row);
}

static int webhook_list(const struct store_memory *m, struct store_request *r)
{
	struct store_webhook_list *list = &r->u.webhook_list;
	const struct memory_space *s = memory_space_find(m, list->in.account);
	size_t count = 0;

	if (s == NULL)
		return 0;
	CH_LIST_FOREACH (&s->webhooks, it, nx)
		count += !CH_CONTAINER_OF(it, struct memory_webhook, in_account)->settings->deleted;
	if (count == 0)
		return 0;
	list->out.rows = ch_calloc(count, sizeof(struct store_webhook_row));
	if (list->out.rows == NULL)
		return CH_ENOMEM;
	CH_LIST_FOREACH (&s->webhooks, it, nx) {
		const struct memory_webhook *w = CH_CONTAINER_OF(it, struct memory_webhook, in_account);

		if (w->settings->deleted)
			continue;
		if (copy_webhook_row(w, &list->out.rows[list->out.count]) != 0)
			return CH_ENOMEM;
		list->out.count++;
	}
	return 0;
}

static int delivery_get(const struct store_memory *m, struct store_request *r)
{
	struct store_delivery_get *get = &r->u.delivery_get;
	const struct memory_delivery *d = memory_delivery_find(m, &get->in.id);
	size_t first;

	if (d == NULL || d->row.account != get->in.account)
		return not_found(r, "there is no such delivery");
	if (get->in.with_body && memory_is_erased(m, d))
		return ch_err_set(&r->err, CH_EGONE, "%s", rules_erased);
	if (memory_delivery_copy(&d->row, get->in.with_body, &get->out.delivery) != 0)
		return CH_ENOMEM;
	if (d->row.is_erased)
		memcpy(get->out.body_sha256, d->erased_sha256, CH_SHA256_BYTES);
	else
		ch_sha256(d->row.body->data, d->row.body->len, get->out.body_sha256);
	get->out.has_digest = true;
	if (d->attempt_count == 0)
		return 0;
	first = d->attempt_count > get->in.attempt_limit ? d->attempt_count - get->in.attempt_limit : 0;
	get->out.attempts = ch_calloc(d->attempt_count - first, sizeof(struct attempt));
	if (get->out.attempts == NULL)
		return CH_ENOMEM;
	for (size_t i = first; i < d->attempt_count; i++) {
		if (memory_attempt_copy(&d->attempts[i], &get->out.attempts[get->out.attempt_count]) != 0)
			return CH_ENOMEM;
		get->out.attempt_count++;
	}
	return 0;
}

/* How many deliveries of the space are older than the cursor. */
static size_t older_than(const struct memory_space *s, const struct id *before)
{
	size_t low = 0, high = s->delivery_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (id_compare(&s->deliveries[mid]->row.id, before) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_listed(const struct store_delivery_list *list, const struct delivery *d)
{
	return (!list->in.has_webhook || id_equal(&d->webhook_id, &list->in.webhook_id)) &&
	       (!list->in.has_call || id_equal(&d->call_id, &list->in.call_id)) &&
	       (list->in.states == 0 || (list->in.states & (1u << d->state)) != 0) &&
	       d->created_ms >= list->in.from_ms && d->created_ms <= list->in.to_ms;
}

static int delivery_list(const struct store_memory *m, struct store_request *r)
{
	struct store_delivery_list *list = &r->u.delivery_list;
	const struct memory_space *s = memory_space_find(m, list->in.account);

	CH_ASSERT((list->in.states & (1u << DELIVERY_DELIVERING)) == 0);
	if (s == NULL || list->in.limit == 0)
		return 0;
	list->out.rows = ch_calloc(list->in.limit, sizeof(struct delivery));
	if (list->out.rows == NULL)
		return CH_ENOMEM;
	size_t end = list->in.has_before ? older_than(s, &list->in.before) : s->delivery_count;

	for (size_t i = end; i > 0; i--) {
		const struct delivery *d = &s->deliveries[i - 1]->row;
		bool is_wanted = is_listed(list, d);

		list->out.more = (is_wanted && list->out.count == list->in.limit) ||
				 (list->in.look_max > 0 && end - i == list->in.look_max);
		if (list->out.more)
			return 0;
		list->out.rest = d->id;
		if (!is_wanted)
			continue;
		if (memory_delivery_copy(d, false, &list->out.rows[list->out.count]) != 0)
			return CH_ENOMEM;
		list->out.count++;
	}
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	return id_compare(a, b);
}

static bool is_skipped(const struct store_claim *claim, const struct id *id)
{
	return claim->in.skip_count > 0 &&
	       bsearch(id, claim->in.skip, claim->in.skip_count, sizeof(struct id), compare_ids) != NULL;
}

static int claim_rows(const struct memory_webhook *w, struct store_claim *claim)
{
	size_t room = w->pending.len < claim->in.limit ? w->pending.len : claim->in.limit;
	size_t bytes = 0;

	claim->out.rows = ch_calloc(room, sizeof(struct delivery));
	if (claim->out.rows == NULL)
		return CH_ENOMEM;
	for (struct due_node *n = due_first(&w->pending); n != NULL; n = due_after(&w->pending, n)) {
		const struct delivery *d = &CH_CONTAINER_OF(n, struct memory_delivery, due)->row;

		if (is_skipped(claim, &n->id))
			continue;
		if (n->due_ms > claim->in.now_ms)
			return 0;
		claim->out.more = claim->out.count == claim->in.limit ||
				  (claim->out.count > 0 && bytes >= claim->in.max_bytes);
		if (claim->out.more)
			return 0;
		if (memory_delivery_copy(d, true, &claim->out.rows[claim->out.count]) != 0)
			return CH_ENOMEM;
		claim->out.count++;
		bytes += d->body->len;
	}
	return 0;
}

static int64_t next_due(const struct memory_webhook *w, const struct store_claim *claim)
{
	struct id greatest;
	struct due_node at = {.due_ms = claim->in.now_ms};
	struct due_node *n;

	memset(&greatest, 0xff, sizeof(greatest));
	at.id = greatest;
	for (n = due_after(&w->pending, &at); n != NULL; n = due_after(&w->pending, n)) {
		if (!is_skipped(claim, &n->id))
			return n->due_ms;
	}
	return -1;
}

static int claim(const struct store_memory *m, struct store_request *r)
{
	struct store_claim *c = &r->u.claim;
	const struct memory_webhook *w = memory_webhook_find(m, &c->in.webhook_id);

	c->out.next_due_ms = -1;
	if (w == NULL || w->pending.len == 0)
		return 0;
	c->out.next_due_ms = next_due(w, c);
	return claim_rows(w, c);
}

/* Least due of those never tried, or the one whose last attempt is oldest; last may not be taken. */
static const struct memory_delivery *probe_pick(const struct memory_webhook *w, const struct id *last)
{
	const struct memory_delivery *oldest = NULL;

	for (struct due_node *n = due_first(&w->pending); n != NULL; n = due_after(&w->pending, n)) {
		const struct memory_delivery *d = CH_CONTAINER_OF(n, struct memory_delivery, due);

		if (last != NULL && id_equal(&n->id, last))
			continue;
		if (d->tried == 0)
			return d;
		if (oldest == NULL || d->tried < oldest->tried)
			oldest = d;
	}
	return oldest;
}

static int probe(const struct store_memory *m, struct store_request *r)
{
	struct store_probe *p = &r->u.probe;
	const struct memory_webhook *w = memory_webhook_find(m, &p->in.webhook_id);
	const struct memory_delivery *d;

	if (w == NULL)
		return 0;
	d = probe_pick(w, p->in.has_last ? &p->in.last : NULL);
	if (d == NULL)
		d = probe_pick(w, NULL);
	if (d == NULL)
		return 0;
	if (memory_delivery_copy(&d->row, true, &p->out.row) != 0)
		return CH_ENOMEM;
	p->out.has_row = true;
	return 0;
}

static int lanes(const struct store_memory *m, struct store_request *r)
{
	struct store_lanes *l = &r->u.lanes;

	if (m->webhooks.len == 0)
		return 0;
	l->out.rows = ch_calloc(m->webhooks.len, sizeof(struct store_lane));
	if (l->out.rows == NULL)
		return CH_ENOMEM;
	for (struct ch_map_node *n = ch_map_next(&m->webhooks, NULL); n != NULL;
			n = ch_map_next(&m->webhooks, n)) {
		const struct memory_webhook *w = CH_CONTAINER_OF(n, struct memory_webhook, node);
		const struct due_node *first = due_first(&w->pending);

		if (w->settings->deleted)
			continue;
		struct store_lane *row = &l->out.rows[l->out.count];
		if (webhook_copy(w->settings, &row->webhook) != 0)
			return CH_ENOMEM;
		row->next_due_ms = first == NULL ? -1 : first->due_ms;
		row->pending = w->counts.pending;
		row->quiet_until_ms = w->receiver.quiet_until_ms;
		row->quiet_status = w->receiver.quiet_status;
		l->out.count++;
	}
	return 0;
}

static int sweeps(const struct store_memory *m, struct store_request *r)
{
	struct store_sweeps *s = &r->u.sweeps;

	if (memory_account_purges(m, s) != 0)
		return CH_ENOMEM;
	if (m->webhooks.len == 0)
		return 0;
	s->out.ids = ch_calloc(m->webhooks.len, sizeof(struct id));
	if (s->out.ids == NULL)
		return CH_ENOMEM;
	for (struct ch_map_node *n = ch_map_next(&m->webhooks, NULL); n != NULL;
			n = ch_map_next(&m->webhooks, n)) {
		const struct memory_webhook *w = CH_CONTAINER_OF(n, struct memory_webhook, node);

		if (w->task != RULES_TASK_NONE)
			s->out.ids[s->out.count++] = w->id;
	}
	return memory_replays_running(m, s);
}

static int ledger(const struct store_memory *m, struct store_request *r)
{
	struct store_ledger *l = &r->u.ledger;

	l->out.first_due_ms = -1;
	for (struct ch_map_node *n = ch_map_next(&m->webhooks, NULL); n != NULL;
			n = ch_map_next(&m->webhooks, n)) {
		const struct memory_webhook *w = CH_CONTAINER_OF(n, struct memory_webhook, node);

		bool is_asked = l->in.account == 0 ? !ops_event_is_account(w->settings->account)
						   : l->in.account == w->settings->account;
		if (!is_asked)
			continue;
		rules_ledger_add(&l->out.ledger, &w->counts);
		const struct due_node *first = due_first(&w->pending);
		if (first != NULL && (l->out.first_due_ms < 0 || first->due_ms < l->out.first_due_ms))
			l->out.first_due_ms = first->due_ms;
	}
	return 0;
}

static int read_one(const struct store_memory *m, struct store_request *r)
{
	switch (r->kind) {
	case STORE_CALL_GET:
		return call_get(m, r);
	case STORE_CALL_FEED:
		return memory_call_feed(m, r);
	case STORE_WEBHOOK_GET:
		return webhook_get(m, r);
	case STORE_WEBHOOK_LIST:
		return webhook_list(m, r);
	case STORE_DELIVERY_GET:
		return delivery_get(m, r);
	case STORE_DELIVERY_LIST:
		return delivery_list(m, r);
	case STORE_ATTEMPT_FEED:
		return memory_attempt_feed(m, r);
	case STORE_CLAIM:
		return claim(m, r);
	case STORE_PROBE:
		return probe(m, r);
	case STORE_LANES:
		return lanes(m, r);
	case STORE_SWEEPS:
		return sweeps(m, r);
	case STORE_REPLAY_GET:
		return memory_replay_get(m, r);
	case STORE_REPLAY_LIST:
		return memory_replay_list(m, r);
	case STORE_ACCOUNT_LIST:
	case STORE_AUDIT_LIST:
	case STORE_SPENT_LIST:
		return memory_account_read(m, r);
	case STORE_CALL_LIST:
		return memory_call_list(m, r);
	case STORE_AGENT_LIST:
		return memory_agent_list(m, r);
	case STORE_LEDGER:
		return ledger(m, r);
	case STORE_HISTORY:
		return memory_history(m, r);
	case STORE_BACKLOG:
		return memory_backlog(m, r);
	default:
		CH_UNREACHABLE();
	}
}

void memory_read_one(const struct store_memory *m, struct store_request *r)
{
	r->result = read_one(m, r);
	if (r->result != CH_ENOMEM)
		return;
	store_request_clear_out(r);
	ch_err_set(&r->err, CH_ENOMEM, "out of memory");
}
