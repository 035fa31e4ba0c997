#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim_api.h"

struct call *sim_call(const struct world *w, const struct id *id)
{
	struct ch_map_node *n = ch_map_get(&w->calls, id->b, sizeof(id->b));
	return n ? CH_CONTAINER_OF(n, struct call, node) : NULL;
}

struct call *sim_call_new(struct world *w)
{
	struct call *c = ch_calloc(1, sizeof(*c));
	CH_ASSERT(c);
	c->id = sim_random_id(w);
	int rc = ch_map_insert(&w->calls, &c->node, c->id.b, sizeof(c->id.b));
	CH_ASSERT(rc == 0);
	w->recent_calls[w->recent_call_count++ % SIM_RECENT] = c;
	return c;
}

/* ---- what is committed ---- */

static uint64_t tag_of(const struct world *w, const struct ch_bytes *body)
{
	static const char before[] = "\"summary\":\"";
	const char *at = memmem(body->data, body->len, before, sizeof(before) - 1);
	if (!at)
		sim_fail(w, "a record was stored without its summary");
	return strtoull(at + sizeof(before) - 1, NULL, 10);
}

static size_t count_wanted(const struct world *w, const struct call *c)
{
	struct id agent = sim_agent_id(c->agent);
	size_t wanted = 0;
	for (size_t i = 0; i < w->hook_count; i++) {
		const struct hook *h = w->hooks[i];
		wanted += sim_is_live(h) && webhook_wants(&h->committed, c->wish_status, &agent);
	}
	return wanted;
}

/* The client's wish and nothing else, and it was one that can be granted. */
static void check_wish(const struct world *w, const struct call *c, const struct store_call_put *put)
{
	if (!c->is_busy)
		sim_fail(w, "a record was committed that nobody asked for");
	if (c->expected >= 300)
		sim_fail(w, "a record was committed that should be refused with %d", c->expected);
	if (put->in.facts.status != c->wish_status || tag_of(w, put->out.body) != c->wish_tag)
		sim_fail(w, "another record was committed than was sent");
}

static enum store_put_result right_result(const struct call *c)
{
	if (c->version == 0)
		return STORE_PUT_CREATED;
	return c->tag == c->wish_tag ? STORE_PUT_UNCHANGED : STORE_PUT_REPLACED;
}

/* When it first becomes final, and later if that was asked for: one for each webhook that wants it. */
static size_t right_deliveries(const struct world *w, const struct call *c)
{
	bool was_final = c->version > 0 && call_status_is_final(c->status);
	if (right_result(c) == STORE_PUT_UNCHANGED || !call_status_is_final(c->wish_status))
		return 0;
	return was_final && !c->wish_notify ? 0 : count_wanted(w, c);
}

void sim_note_put(struct world *w, const struct store_call_put *put)
{
	struct call *c = sim_call(w, &put->in.facts.id);
	if (!c)
		sim_fail(w, "a call was committed that nobody sent");
	check_wish(w, c, put);
	if (put->out.what != right_result(c))
		sim_fail(w, "a record was taken as %d and not %d", (int)put->out.what, (int)right_result(c));
	if (put->out.delivery_count != right_deliveries(w, c))
		sim_fail(w, "a call with %zu deliveries and not %zu", put->out.delivery_count,
				right_deliveries(w, c));
	if (put->out.what == STORE_PUT_UNCHANGED)
		return;
	ch_bytes_unref(&c->body);
	c->body = ch_bytes_ref(put->out.body);
	c->status = c->wish_status;
	c->tag = c->wish_tag;
	c->version++;
	if (put->out.version != c->version)
		sim_fail(w, "version %lld after %lld", (long long)put->out.version,
				(long long)c->version - 1);
}

/* ---- what is kept ---- */

static void audit_call(struct world *w, const struct call *c)
{
	struct store_request r;
	if (c->version == 0)
		return;
	store_request_init(&r, STORE_CALL_GET, NULL, NULL);
	r.u.call_get.in.account = SIM_ACCOUNT;
	r.u.call_get.in.id = c->id;
	sim_read(w, &r);
	const struct ch_bytes *body = r.u.call_get.out.body;
	if (r.u.call_get.out.version != c->version || body->len != c->body->len ||
			memcmp(body->data, c->body->data, body->len) != 0)
		sim_fail(w, "a call is not as it was accepted");
	store_request_fini(&r);
}

void sim_audit_calls(struct world *w, uint64_t one_in)
{
	uint64_t i = w->seen.audits;
	for (struct ch_map_node *n = ch_map_next(&w->calls, NULL); n; n = ch_map_next(&w->calls, n)) {
		if (i++ % one_in == 0)
			audit_call(w, CH_CONTAINER_OF(n, struct call, node));
	}
}

void sim_calls_fini(struct world *w)
{
	for (struct ch_map_node *n = ch_map_next(&w->calls, NULL), *next; n; n = next) {
		struct call *c = CH_CONTAINER_OF(n, struct call, node);
		next = ch_map_next(&w->calls, n);
		ch_bytes_unref(&c->body);
		ch_free(c);
	}
	ch_map_fini(&w->calls);
}
