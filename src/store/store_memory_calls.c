#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/store_memory.h"

/* ---- agents ---- */

struct agent_made {
	struct memory_undo undo;
	struct memory_agent *agent;
};

struct agent_changed {
	struct memory_undo undo;
	struct memory_agent *agent;
	char *name;
	bool is_seen;
};

static struct memory_agent *agent_find(const struct store_memory *m, int64_t account, const struct id *id)
{
	struct memory_call_key key = {account, *id};
	struct ch_map_node *n = ch_map_get(&m->agents, &key, sizeof(key));

	return n == NULL ? NULL : CH_CONTAINER_OF(n, struct memory_agent, node);
}

void memory_agent_free(struct memory_agent *a)
{
	ch_free(a->name);
	ch_free(a);
}

static void agent_made_back(struct store_memory *m, struct memory_undo *undo)
{
	struct agent_made *u = CH_CONTAINER_OF(undo, struct agent_made, undo);

	ch_map_remove(&m->agents, &u->agent->node);
	memory_agent_free(u->agent);
}

static void agent_changed_back(struct store_memory *m, struct memory_undo *undo)
{
	struct agent_changed *u = CH_CONTAINER_OF(undo, struct agent_changed, undo);

	ch_free(u->agent->name);
	u->agent->name = u->name;
	u->agent->is_seen = u->is_seen;
}

static void agent_changed_keep(struct memory_undo *undo)
{
	ch_free(CH_CONTAINER_OF(undo, struct agent_changed, undo)->name);
}

/* Neither seen nor named yet. */
static struct memory_agent *agent_add(struct store_memory *m, int64_t account, const struct id *id)
{
	struct memory_agent *a = ch_calloc(1, sizeof(*a));
	struct agent_made *u = ch_calloc(1, sizeof(*u));

	if (a == NULL || u == NULL)
		goto fail;
	a->key = (struct memory_call_key){account, *id};
	if (ch_map_insert(&m->agents, &a->node, &a->key, sizeof(a->key)) != 0)
		goto fail;
	u->agent = a;
	memory_undo_push(m, &u->undo, agent_made_back, NULL);
	return a;
fail:
	ch_free(a);
	ch_free(u);
	return NULL;
}

/* Takes name, on success only. */
static int agent_change(struct store_memory *m, struct memory_agent *a, char *name, bool is_seen)
{
	struct agent_changed *u = ch_calloc(1, sizeof(*u));

	if (u == NULL)
		return CH_ENOMEM;
	u->agent = a;
	u->name = a->name;
	u->is_seen = a->is_seen;
	a->name = name;
	a->is_seen = is_seen;
	memory_undo_push(m, &u->undo, agent_changed_back, agent_changed_keep);
	return 0;
}

static int copy_name(const char *name, char **ret)
{
	char *copy = NULL;

	if (name != NULL) {
		copy = ch_strdup(name);
		if (copy == NULL)
			return CH_ENOMEM;
	}
	*ret = copy;
	return 0;
}

static int agent_set(struct store_memory *m, struct memory_agent *a, const char *name, bool is_seen)
{
	char *copy = NULL;

	if (copy_name(name, &copy) != 0)
		return CH_ENOMEM;
	if (agent_change(m, a, copy, is_seen) != 0) {
		ch_free(copy);
		return CH_ENOMEM;
	}
	return 0;
}

int memory_agent_seen(struct store_memory *m, int64_t account, const struct id *id)
{
	struct memory_agent *a = agent_find(m, account, id);

	if (a != NULL && a->is_seen)
		return 0;
	if (a == NULL)
		a = agent_add(m, account, id);
	return a == NULL ? CH_ENOMEM : agent_set(m, a, a->name, true);
}

int memory_agent_name(struct store_memory *m, struct store_request *r)
{
	const struct store_agent_name *q = &r->u.agent_name;
	struct memory_agent *a = agent_find(m, q->in.account, &q->in.id);

	if (memory_account_is_closed(m, q->in.account)) {
		r->result = ch_err_set(&r->err, CH_ENOENT, "the account is deleted");
		return 0;
	}
	if (a == NULL)
		a = agent_add(m, q->in.account, &q->in.id);
	return a == NULL ? CH_ENOMEM : agent_set(m, a, q->in.name, a->is_seen);
}

void memory_agents_purge(struct store_memory *m, int64_t account)
{
	struct ch_map_node *next;

	for (struct ch_map_node *n = ch_map_next(&m->agents, NULL); n != NULL; n = next) {
		struct memory_agent *a = CH_CONTAINER_OF(n, struct memory_agent, node);

		next = ch_map_next(&m->agents, n);
		if (a->key.account != account)
			continue;
		ch_map_remove(&m->agents, n);
		memory_agent_free(a);
	}
}

static int agent_row(const struct memory_agent *a, struct store_agent *ret)
{
	char text[ID_TEXT_LEN + 1];
	struct store_agent row = {.id = a->key.id};

	id_format(&a->key.id, text);
	row.name = ch_strdup(a->name != NULL ? a->name : text);
	if (row.name == NULL)
		return CH_ENOMEM;
	*ret = row;
	return 0;
}

static int compare_agents(const void *a, const void *b)
{
	const struct store_agent *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : id_compare(&x->id, &y->id);
}

/* All of the account, to be cut down to the page. */
static int collect_agents(const struct store_memory *m, struct store_agent_list *q)
{
	for (struct ch_map_node *n = ch_map_next(&m->agents, NULL); n != NULL;
			n = ch_map_next(&m->agents, n)) {
		const struct memory_agent *a = CH_CONTAINER_OF(n, struct memory_agent, node);

		if (a->key.account != q->in.account || (!a->is_seen && a->name == NULL))
			continue;
		if (agent_row(a, &q->out.rows[q->out.count]) != 0)
			return CH_ENOMEM;
		q->out.count++;
	}
	qsort(q->out.rows, q->out.count, sizeof(*q->out.rows), compare_agents);
	return 0;
}

int memory_agent_list(const struct store_memory *m, struct store_request *r)
{
	struct store_agent_list *q = &r->u.agent_list;
	size_t all, kept = 0;

	q->out.rows = ch_calloc(m->agents.len + 1, sizeof(*q->out.rows));
	if (q->out.rows == NULL || collect_agents(m, q) != 0)
		return CH_ENOMEM;
	all = q->out.count;
	q->out.total = (int64_t)all;
	for (size_t i = 0; i < all; i++) {
		if ((int64_t)i >= q->in.skip && kept < q->in.limit)
			q->out.rows[kept++] = q->out.rows[i];
		else
			ch_free(q->out.rows[i].name);
	}
	q->out.count = kept;
	return 0;
}

/* ---- calls ---- */

static bool is_listed(const struct store_call_list *q, const struct memory_call *c)
{
	const struct memory_version *v = &c->latest;

	return c->key.account == q->in.account && v->body->len > 0 &&
	       (!q->in.has_agent || id_equal(&v->agent, &q->in.agent_id)) &&
	       (!q->in.has_type || v->type == q->in.type) &&
	       (q->in.statuses == 0 || (q->in.statuses & 1u << v->status) != 0) &&
	       (q->in.phone[0] == '\0' || strcmp(v->phone, q->in.phone) == 0) &&
	       v->created_s >= q->in.from_s && v->created_s <= q->in.to_s;
}

static int compare_calls(const void *a, const void *b)
{
	const struct memory_version *x = &(*(struct memory_call *const *)a)->latest;
	const struct memory_version *y = &(*(struct memory_call *const *)b)->latest;

	if (x->created_s != y->created_s)
		return x->created_s < y->created_s ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int take_page(struct memory_call *const *calls, size_t count, struct store_call_list *q)
{
	size_t bytes = 0;

	q->out.bodies = ch_calloc(q->in.limit, sizeof(struct ch_bytes *));
	if (q->out.bodies == NULL)
		return CH_ENOMEM;
	for (size_t i = (size_t)q->in.skip; i < count && q->out.count < q->in.limit; i++) {
		struct ch_bytes *body = calls[q->in.is_ascending ? i : count - 1 - i]->latest.body;

		bytes += body->len;
		if (bytes > q->in.max_bytes)
			return CH_ELIMIT;
		q->out.bodies[q->out.count++] = ch_bytes_ref(body);
	}
	return 0;
}

int memory_call_list(const struct store_memory *m, struct store_request *r)
{
	struct store_call_list *q = &r->u.call_list;
	struct memory_call **calls = ch_calloc(m->call_count + 1, sizeof(struct memory_call *));
	size_t count = 0;
	int rc = 0;

	CH_ASSERT(q->in.limit <= STORE_CALL_LIST_MAX && q->in.skip >= 0);
	if (calls == NULL)
		return CH_ENOMEM;
	for (size_t i = 0; i < m->call_count; i++) {
		if (m->call_order[i] != &m->removed_call && is_listed(q, m->call_order[i]))
			calls[count++] = m->call_order[i];
	}
	qsort(calls, count, sizeof(struct memory_call *), compare_calls);
	q->out.total = (int64_t)count;
	if (q->in.skip < (int64_t)count && q->in.limit > 0)
		rc = take_page(calls, count, q);
	ch_free(calls);
	if (rc != CH_ELIMIT)
		return rc;
	ch_err_set(&r->err, rc, "the calls of this page are more than %zu bytes", q->in.max_bytes);
	store_request_clear_out(r);
	return rc;
}
