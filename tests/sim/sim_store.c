#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim.h"
#include "store/rules.h"

/* ---- the gate: between the faults and the real store ---- */

static struct gate *gate_of(struct store *s)
{
	return CH_CONTAINER_OF(s, struct gate, base);
}

static int gate_write(struct store *s, struct store_request *const *requests, size_t n, struct ch_err *err)
{
	struct gate *g = gate_of(s);
	if (g->is_dead || g->refuse_until_mono_ms > sim_now(g->world)) {
		int code = g->is_dead ? CH_EIO : CH_EFULL;
		rules_batch_failed(requests, n, code, "the gate is shut");
		return ch_err_set(err, code, "the gate is shut");
	}
	for (size_t i = 0; i < n; i++)
		sim_expect(g->world, requests[i]);
	int rc = g->inner->ops->write(g->inner, requests, n, err);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (requests[i]->result == 0)
			sim_note_commit(g->world, requests[i]);
	}
	return rc;
}

static int gate_reader_open(struct store *s, struct store_reader **ret, struct ch_err *err)
{
	return gate_of(s)->inner->ops->reader_open(gate_of(s)->inner, ret, err);
}

static void gate_close(struct store *s)
{
	struct gate *g = gate_of(s);
	g->inner->ops->reader_close(g->reader);
	if (g->owns_inner)
		store_close(&g->inner);
	ch_free(g);
}

/* A reader of the inner store is handed out as it is, so its own functions serve it. */
static struct store_ops gate_ops_for(const struct store *inner)
{
	return (struct store_ops){.name = "gate",
			.write = gate_write,
			.reader_open = gate_reader_open,
			.reader_close = inner->ops->reader_close,
			.read = inner->ops->read,
			.close = gate_close};
}

/* ---- the client: writes as the inline one does them; reads at a moment of their own ---- */

static struct store_request *request_of(struct ch_list *n)
{
	return CH_CONTAINER_OF(CH_CONTAINER_OF(n, struct ch_msg, link), struct store_request, msg);
}

static void answered(struct ch_msg *m)
{
	struct store_request *r = CH_CONTAINER_OF(m, struct store_request, msg);
	r->done(r);
}

static void client_submit(struct store_client *base, struct store_request *r)
{
	struct sim_client *c = CH_CONTAINER_OF(base, struct sim_client, base);
	if (store_kind_is_write(r->kind)) {
		store_submit(c->world->inner, r);
		return;
	}
	r->result = 0;
	r->err = (struct ch_err){0};
	ch_list_init(&r->msg.link);
	ch_list_push_back(&c->unread, &r->msg.link);
}

/* Mostly at once; but a reader may also be stuck for a while with an answer that grows old. */
static int64_t lag_ms(struct world *w, enum store_kind kind)
{
	if (w->is_healing || sim_chance(w, kind == STORE_LANES ? 30 : 70))
		return 0;
	return (int64_t)sim_below(w, sim_chance(w, 80) ? 200 : 8000);
}

/* Never the same one twice while others wait, and as old as the store's answer is, it was right then. */
static void check_probe(struct world *w, const struct store_request *r)
{
	const struct store_probe *p = &r->u.probe;
	const struct hook *h = sim_hook(w, &p->in.webhook_id);
	int64_t pending = h->counts.pending;
	if (sim_is_live(h) && p->out.has_row != (pending > 0))
		sim_fail(w, "a probe's question finds %d of %lld", p->out.has_row, (long long)pending);
	if (sim_is_live(h) && p->out.has_row && p->in.has_last && pending > 1 &&
			id_equal(&p->out.row.id, &p->in.last))
		sim_fail(w, "the same delivery is to be a probe twice while %lld wait", (long long)pending);
}

static bool read_one(struct sim_client *c)
{
	struct ch_list *n = ch_list_pop_front(&c->unread);
	if (!n)
		return false;
	struct store_request *r = request_of(n);
	if (c->world->reads_fail_until_mono_ms > sim_now(c->world))
		r->result = ch_err_set(&r->err, CH_EIO, "the reader is broken");
	else
		c->world->fault->ops->read(c->reader, r);
	if (r->kind == STORE_PROBE && r->result == 0)
		check_probe(c->world, r);
	r->queued_mono_ms = sim_now(c->world) + lag_ms(c->world, r->kind);
	ch_list_push_back(&c->read, n);
	return true;
}

static bool answer_one(struct sim_client *c, int64_t now_mono_ms)
{
	CH_LIST_FOREACH (&c->read, it, next) {
		struct store_request *r = request_of(it);
		if (r->queued_mono_ms > now_mono_ms)
			continue;
		ch_list_unlink(it);
		r->msg.run = answered;
		ch_port_post(r->reply_to, &r->msg);
		return true;
	}
	return false;
}

bool sim_client_step(struct world *w)
{
	struct sim_client *c = w->client;
	bool did = sim_chance(w, 60) && read_one(c);
	if (sim_chance(w, 40))
		did = answer_one(c, sim_now(w)) || did;
	return did;
}

int64_t sim_client_next(const struct world *w)
{
	int64_t next = ch_list_is_empty(&w->client->unread) ? INT64_MAX : sim_now(w);
	CH_LIST_FOREACH (&w->client->read, it, after) {
		if (request_of(it)->queued_mono_ms < next)
			next = request_of(it)->queued_mono_ms;
	}
	return next;
}

void sim_client_cancel_reads(struct world *w)
{
	struct ch_list *n;
	while ((n = ch_list_pop_front(&w->client->unread)) != NULL) {
		request_of(n)->result = CH_ECANCELED;
		ch_list_push_back(&w->client->read, n);
	}
	while (answer_one(w->client, INT64_MAX))
		;
}

void sim_read(struct world *w, struct store_request *r)
{
	r->result = 0;
	w->gate->inner->ops->read(w->gate->reader, r);
	if (r->result)
		sim_fail(w, "the store can't say: %s", r->err.text);
}

/* ---- open and close ---- */

static struct store *open_inner(struct world *w)
{
	struct store_conf conf = {.clock = ch_clock_virtual_of(&w->clock), .rand = w->rand};
	struct ch_err err = {0};
	struct store *s = NULL;
	char url[128];
	if (w->kept)
		return w->kept;
	snprintf(url, sizeof(url), "sqlite:%s/sim.db", w->dir);
	int rc = store_open(w->dir[0] ? url : "memory:", &conf, &s, &err);
	if (rc)
		sim_fail(w, "the store does not open: %s", err.text);
	if (!w->dir[0])
		w->kept = s;
	return s;
}

static struct store *wrap(struct world *w, struct store *inner)
{
	static struct store_ops ops;
	struct gate *g = ch_calloc(1, sizeof(*g));
	CH_ASSERT(g);
	ops = gate_ops_for(inner);
	g->base.ops = &ops;
	g->inner = inner;
	g->owns_inner = w->kept == NULL;
	g->world = w;
	w->gate = g;
	struct ch_err err = {0};
	if (inner->ops->reader_open(inner, &g->reader, &err))
		sim_fail(w, "no reader: %s", err.text);
	struct store *s = store_fault_wrap(&g->base);
	CH_ASSERT(s);
	return s;
}

void sim_store_open(struct world *w)
{
	struct store_watcher watcher = {.committed = sim_committed, .ctx = w};
	struct store *given;
	struct ch_err err = {0};

	w->fault = given = wrap(w, open_inner(w));
	w->client = NULL;
	int rc = store_inline_start(&given, ch_clock_virtual_of(&w->clock), &watcher, &w->inner, &err);
	if (rc)
		sim_fail(w, "no store client: %s", err.text);
	struct sim_client *c = ch_calloc(1, sizeof(*c));
	CH_ASSERT(c);
	c->base.submit = client_submit;
	c->world = w;
	ch_list_init(&c->unread);
	ch_list_init(&c->read);
	rc = w->fault->ops->reader_open(w->fault, &c->reader, &err);
	if (rc)
		sim_fail(w, "no reader: %s", err.text);
	w->client = c;
}

void sim_store_close(struct world *w)
{
	w->fault->ops->reader_close(w->client->reader);
	ch_free(w->client);
	w->client = NULL;
	store_client_destroy(&w->inner);
	w->fault = NULL;
	w->gate = NULL;
}
