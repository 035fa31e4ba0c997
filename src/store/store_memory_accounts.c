#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/store_memory.h"

static int refuse(struct store_request *r, int code, const char *text)
{
	r->result = ch_err_set(&r->err, code, "%s", text);
	return 0;
}

/* ---- steps that can be taken back ---- */

struct account_changed {
	struct memory_undo undo;
	size_t at;
	struct memory_account old;
};

static void account_made_back(struct store_memory *m, struct memory_undo *undo)
{
	m->account_count--;
}

static void account_changed_back(struct store_memory *m, struct memory_undo *undo)
{
	struct account_changed *u = CH_CONTAINER_OF(undo, struct account_changed, undo);

	m->accounts[u->at] = u->old;
}

static int account_add(struct store_memory *m, const struct account *a)
{
	struct memory_undo *u = ch_calloc(1, sizeof(*u));
	struct account copy = *a;

	if (u == NULL)
		return CH_ENOMEM;
	if (memory_grow((void **)&m->accounts, &m->account_cap, m->account_count, sizeof(*m->accounts)) !=
			0) {
		ch_free(u);
		return CH_ENOMEM;
	}
	copy.number = (int64_t)m->account_count + 1;
	m->accounts[m->account_count++] = (struct memory_account){.account = copy};
	memory_undo_push(m, u, account_made_back, NULL);
	return 0;
}

/* The account, to be changed; NULL: no memory. */
static struct memory_account *account_to_change(struct store_memory *m, int64_t number)
{
	struct account_changed *u = ch_calloc(1, sizeof(*u));
	struct memory_account *a = &m->accounts[number - 1];

	if (u == NULL)
		return NULL;
	u->at = (size_t)number - 1;
	u->old = *a;
	memory_undo_push(m, &u->undo, account_changed_back, NULL);
	return a;
}

static void audit_made_back(struct store_memory *m, struct memory_undo *undo)
{
	store_audit_fini(&m->audits[--m->audit_count]);
}

int memory_audit_add(struct store_memory *m, const struct store_audit *a)
{
	struct memory_undo *u = ch_calloc(1, sizeof(*u));
	struct store_audit copy;

	if (u == NULL)
		return CH_ENOMEM;
	if (memory_grow((void **)&m->audits, &m->audit_cap, m->audit_count, sizeof(*m->audits)) != 0 ||
			store_audit_copy(a, &copy) != 0) {
		ch_free(u);
		return CH_ENOMEM;
	}
	copy.number = (int64_t)m->audit_count + 1;
	m->audits[m->audit_count++] = copy;
	memory_undo_push(m, u, audit_made_back, NULL);
	return 0;
}

static void spent_made_back(struct store_memory *m, struct memory_undo *undo)
{
	m->spent_count--;
}

/* ---- the requests ---- */

static struct memory_account *live_account(const struct store_memory *m, int64_t number)
{
	if (number < 1 || (size_t)number > m->account_count)
		return NULL;
	struct memory_account *a = &m->accounts[number - 1];
	return a->state == MEMORY_ACCOUNT_LIVE ? a : NULL;
}

/* Numbers of which there is no account are let pass, as store/rules.h says. */
bool memory_account_is_closed(const struct store_memory *m, int64_t account)
{
	int64_t number = ops_event_is_account(account) ? ops_event_account(account) : account;

	return number >= 1 && (size_t)number <= m->account_count && live_account(m, number) == NULL;
}

const char *memory_account_id(const struct store_memory *m, int64_t number)
{
	const struct memory_account *a = live_account(m, number);

	return a == NULL ? "" : a->account.id;
}

static int create(struct store_memory *m, struct store_request *r)
{
	const struct account *in = &r->u.account_create.in.account;

	for (size_t i = 0; i < m->account_count; i++) {
		if (m->accounts[i].state != MEMORY_ACCOUNT_GONE &&
				strcmp(m->accounts[i].account.id, in->id) == 0)
			return refuse(r, CH_EEXIST, "there is an account with this id already");
	}
	if (account_add(m, in) != 0)
		return CH_ENOMEM;
	r->u.account_create.out.number = (int64_t)m->account_count;
	return 0;
}

static int update(struct store_memory *m, struct store_request *r)
{
	const struct store_account_update *q = &r->u.account_update;
	struct memory_account *a;

	if (live_account(m, q->in.number) == NULL)
		return refuse(r, CH_ENOENT, "there is no such account");
	a = account_to_change(m, q->in.number);
	if (a == NULL)
		return CH_ENOMEM;
	for (int i = 0; i < ACCOUNT_KEYS; i++) {
		if (!q->in.has_key[i])
			continue;
		memcpy(a->account.key_sha256[i], q->in.key_sha256[i], CH_SHA256_BYTES);
		a->account.key_rotated_ms[i] = q->in.now_ms;
	}
	return 0;
}

static int close_webhooks(
		struct store_memory *m, struct store_account_delete *q, int64_t account, size_t *cap)
{
	struct memory_space *s = memory_space_find(m, account);

	if (s == NULL)
		return 0;
	CH_LIST_FOREACH (&s->webhooks, it, nx) {
		struct memory_webhook *w = CH_CONTAINER_OF(it, struct memory_webhook, in_account);

		if (w->settings->deleted)
			continue;
		if (memory_grow((void **)&q->out.webhooks, cap, q->out.webhook_count, sizeof(struct id)) != 0)
			return CH_ENOMEM;
		q->out.webhooks[q->out.webhook_count++] = w->id;
		if (memory_webhook_close(m, w) != 0)
			return CH_ENOMEM;
	}
	return 0;
}

static int delete (struct store_memory *m, struct store_request *r)
{
	struct store_account_delete *q = &r->u.account_delete;
	struct memory_account *a;
	size_t cap = 0;

	if (live_account(m, q->in.number) == NULL)
		return refuse(r, CH_ENOENT, "there is no such account");
	a = account_to_change(m, q->in.number);
	if (a == NULL)
		return CH_ENOMEM;
	a->state = MEMORY_ACCOUNT_CLOSED;
	ch_wipe(a->account.key_sha256, sizeof(a->account.key_sha256));
	if (close_webhooks(m, q, q->in.number, &cap) != 0)
		return CH_ENOMEM;
	return close_webhooks(m, q, ops_event_account(q->in.number), &cap);
}

static bool has_task(const struct store_memory *m, int64_t account)
{
	const struct memory_space *s = memory_space_find(m, account);

	if (s == NULL)
		return false;
	CH_LIST_FOREACH (&s->webhooks, it, nx) {
		if (CH_CONTAINER_OF(it, struct memory_webhook, in_account)->task != RULES_TASK_NONE)
			return true;
	}
	return false;
}

static bool has_to_wait(const struct store_memory *m, int64_t number)
{
	return has_task(m, number) || has_task(m, ops_event_account(number));
}

/* All at once: nothing here is slow enough to be done in chunks. */
static int sweep(struct store_memory *m, struct store_request *r)
{
	struct store_account_sweep *q = &r->u.account_sweep;
	struct memory_account *a;

	if (!memory_account_is_closed(m, q->in.number))
		return refuse(r, CH_ENOENT, "there is no such account to be removed");
	if (m->accounts[q->in.number - 1].state == MEMORY_ACCOUNT_GONE || has_to_wait(m, q->in.number))
		return 0;
	a = account_to_change(m, q->in.number);
	if (a == NULL)
		return CH_ENOMEM;
	a->state = MEMORY_ACCOUNT_GONE;
	a->purge = true;
	return 0;
}

static int spend(struct store_memory *m, struct store_request *r)
{
	const struct store_spend *q = &r->u.spend;
	struct memory_undo *u;

	for (size_t i = 0; i < m->spent_count; i++) {
		if (id_equal(&m->spent[i].id, &q->in.id) && m->spent[i].until_ms >= q->in.now_ms)
			return refuse(r, CH_EEXIST, "it was used already");
	}
	u = ch_calloc(1, sizeof(*u));
	if (u == NULL)
		return CH_ENOMEM;
	if (memory_grow((void **)&m->spent, &m->spent_cap, m->spent_count, sizeof(*m->spent)) != 0) {
		ch_free(u);
		return CH_ENOMEM;
	}
	m->spent[m->spent_count++] = (struct store_spent){q->in.id, q->in.until_ms};
	memory_undo_push(m, u, spent_made_back, NULL);
	return 0;
}

int memory_account_write(struct store_memory *m, struct store_request *r)
{
	switch (r->kind) {
	case STORE_ACCOUNT_CREATE:
		return create(m, r);
	case STORE_ACCOUNT_UPDATE:
		return update(m, r);
	case STORE_ACCOUNT_DELETE:
		return delete (m, r);
	case STORE_ACCOUNT_SWEEP:
		return sweep(m, r);
	case STORE_SPEND:
		return spend(m, r);
	default:
		CH_ASSERT(r->kind == STORE_AUDIT_ADD && r->audit != NULL);
		return 0;
	}
}

/* ---- the end of a transaction ---- */

static void purge_deliveries(struct store_memory *m, int64_t account)
{
	struct memory_space *s = memory_space_find(m, account);

	for (size_t i = 0; s != NULL && i < s->delivery_count; i++) {
		ch_map_remove(&m->deliveries, &s->deliveries[i]->node);
		memory_delivery_free(s->deliveries[i]);
	}
	if (s != NULL)
		s->delivery_count = 0;
}

static void purge_calls(struct store_memory *m, int64_t account)
{
	for (size_t i = 0; i < m->call_count; i++) {
		struct memory_call *c = m->call_order[i];

		if (c->key.account != account)
			continue;
		ch_map_remove(&m->calls, &c->node);
		memory_call_free(c);
		m->call_order[i] = &m->removed_call;
	}
}

static void purge_audits(struct store_memory *m, int64_t account)
{
	for (size_t i = 0; i < m->audit_count; i++) {
		if (m->audits[i].account != account)
			continue;
		store_audit_fini(&m->audits[i]);
		m->audits[i].account = -1;
	}
}

void memory_purge(struct store_memory *m)
{
	for (size_t i = 0; i < m->account_count; i++) {
		struct memory_account *a = &m->accounts[i];

		if (!a->purge)
			continue;
		a->purge = false;
		purge_deliveries(m, a->account.number);
		purge_deliveries(m, ops_event_account(a->account.number));
		purge_calls(m, a->account.number);
		purge_calls(m, ops_event_account(a->account.number));
		memory_agents_purge(m, a->account.number);
		memory_finished_purge(m, a->account.number);
		memory_finished_purge(m, ops_event_account(a->account.number));
		purge_audits(m, a->account.number);
	}
}

void memory_accounts_free(struct store_memory *m)
{
	for (size_t i = 0; i < m->audit_count; i++)
		store_audit_fini(&m->audits[i]);
	ch_free(m->accounts);
	ch_free(m->audits);
	ch_free(m->spent);
}

/* ---- reading ---- */

static int account_list(const struct store_memory *m, struct store_account_list *q)
{
	if (m->account_count == 0)
		return 0;
	q->out.accounts = ch_calloc(m->account_count, sizeof(struct account));
	if (q->out.accounts == NULL)
		return CH_ENOMEM;
	for (size_t i = 0; i < m->account_count; i++) {
		if (m->accounts[i].state != MEMORY_ACCOUNT_LIVE)
			continue;
		q->out.accounts[q->out.count++] = m->accounts[i].account;
	}
	return 0;
}

static int audit_list(const struct store_memory *m, struct store_audit_list *q)
{
	q->out.rows = ch_calloc(q->in.limit, sizeof(struct store_audit));
	if (q->out.rows == NULL)
		return CH_ENOMEM;
	for (size_t i = m->audit_count; i-- > 0;) {
		const struct store_audit *a = &m->audits[i];

		if (a->account != q->in.account || (q->in.before != 0 && a->number >= q->in.before))
			continue;
		q->out.more = q->out.count == q->in.limit;
		if (q->out.more)
			break;
		if (store_audit_copy(a, &q->out.rows[q->out.count]) != 0)
			return CH_ENOMEM;
		q->out.count++;
	}
	return 0;
}

static int spent_list(const struct store_memory *m, struct store_spent_list *q)
{
	if (m->spent_count == 0)
		return 0;
	q->out.rows = ch_calloc(m->spent_count, sizeof(*q->out.rows));
	if (q->out.rows == NULL)
		return CH_ENOMEM;
	memcpy(q->out.rows, m->spent, m->spent_count * sizeof(*q->out.rows));
	q->out.count = m->spent_count;
	return 0;
}

int memory_account_read(const struct store_memory *m, struct store_request *r)
{
	switch (r->kind) {
	case STORE_ACCOUNT_LIST:
		return account_list(m, &r->u.account_list);
	case STORE_AUDIT_LIST:
		return audit_list(m, &r->u.audit_list);
	default:
		CH_ASSERT(r->kind == STORE_SPENT_LIST);
		return spent_list(m, &r->u.spent_list);
	}
}

int memory_account_purges(const struct store_memory *m, struct store_sweeps *q)
{
	if (m->account_count == 0)
		return 0;
	q->out.accounts = ch_calloc(m->account_count, sizeof(int64_t));
	if (q->out.accounts == NULL)
		return CH_ENOMEM;
	for (size_t i = 0; i < m->account_count; i++) {
		int64_t number = (int64_t)i + 1;

		if (m->accounts[i].state == MEMORY_ACCOUNT_CLOSED && !has_to_wait(m, number))
			q->out.accounts[q->out.account_count++] = number;
	}
	return 0;
}
