#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sim_api.h"

struct put {
	struct http_exchange x;
	struct call *call;
	bool is_conditional;
};

/* Its outcome is not known; the same is to be sent again. */
struct unknown {
	struct ch_list link;
	struct call *call;
	char *text;
	size_t len;
};

struct get {
	struct http_exchange x;
	struct call *call;
	int64_t version_then;
	bool has_tag;
};

/* ---- records ---- */

void sim_write_record(struct world *w, struct call *c, enum call_status status, struct ch_buf *out)
{
	char id[ID_TEXT_LEN + 1], agent[ID_TEXT_LEN + 1];
	struct id agent_id = sim_agent_id(c->agent);
	uint64_t pad = sim_below(w, sim_chance(w, 90) ? 100 : 3000);

	id_format(&c->id, id);
	id_format(&agent_id, agent);
	c->wish_tag = ++w->tags;
	ch_buf_addf(out,
			"{\"id\":\"%s\",\"agentId\":\"%s\",\"type\":\"INBOUND\",\"status\":\"%s\","
			"\"startTime\":\"2024-07-30T14:35:00+02:00\",\"summary\":\"%llu ",
			id, agent, call_status_name(status), (unsigned long long)c->wish_tag);
	while (pad-- > 0)
		ch_buf_addc(out, 'x');
	ch_buf_adds(out, "\",\"extractors\":[{\"name\":\"city\",\"value\":[\"Lyon\"]}],"
			 "\"context\":{\"system.phone\":\"+33123456789\",\"7\":1.50}}");
	CH_ASSERT(out->err == 0);
}

static int expected_of(const struct call *c, enum condition condition)
{
	if (condition == COND_STALE || (condition == COND_NEW && c->version > 0))
		return 412;
	if (c->version == 0)
		return condition == COND_MATCH ? 412 : 201;
	if (c->tag == c->wish_tag)
		return 200;
	if (call_status_is_final(c->status) && !call_status_is_final(c->wish_status))
		return 409;
	return 200;
}

void sim_expect_put(struct call *c, enum call_status status, bool notify, enum condition condition)
{
	c->is_busy = true;
	c->wish_status = status;
	c->wish_notify = notify;
	c->expected = expected_of(c, condition);
}

/* ---- answers ---- */

void sim_check_accepted(const struct http_exchange *x, const struct call *c, int status)
{
	if (c->version == 0 || c->tag != c->wish_tag || c->status != c->wish_status)
		sim_fail(x->world, "%s %s: %d for a record that is not in the store", x->method, x->path,
				status);
}

static void format_tags(const struct ch_bytes *body, char etag[64], char digest[64])
{
	uint8_t sha256[CH_SHA256_BYTES];
	ch_sha256(body->data, body->len, sha256);
	memset(etag, 0, 64);
	memset(digest, 0, 64);
	etag[0] = etag[33] = '"';
	ch_hex(sha256, 16, etag + 1);
	memcpy(digest, "sha-256=:", 9);
	ch_base64(sha256, sizeof(sha256), digest + 9);
	digest[53] = ':';
}

static bool is_header(const struct http_response *a, const char *name, const char *value)
{
	const char *there = sim_answer_header(a, name);
	return there && strcmp(there, value) == 0;
}

/* The bytes of the store, and what names them. */
static void check_body(const struct http_exchange *x, const struct call *c, const struct http_response *a)
{
	char etag[64], digest[64];
	size_t len;
	const char *text = sim_answer_text(a, &len);
	format_tags(c->body, etag, digest);
	if (!is_header(a, "ETag", etag))
		sim_wrong_answer(x, a);
	if (a->status == 304)
		return;
	if (!is_header(a, "Content-Digest", digest) || len != c->body->len ||
			memcmp(text, c->body->data, len) != 0)
		sim_wrong_answer(x, a);
}

void sim_unknown_put(struct world *w, struct call *c, char **text, size_t len)
{
	struct unknown *u = ch_calloc(1, sizeof(*u));
	CH_ASSERT(u && *text);
	u->call = c;
	u->text = *text;
	u->len = len;
	*text = NULL;
	ch_list_push_back(&w->unknown, &u->link);
}

/* Who made a condition can't say it again: it may be broken by his own first try. */
static void is_unknown(struct put *p)
{
	if (p->is_conditional) {
		p->call->is_busy = false;
		return;
	}
	size_t len = p->x.body.len;
	char *text = ch_buf_detach(&p->x.body);
	sim_unknown_put(p->x.world, p->call, &text, len);
}

static void put_answered(struct http_exchange *x, const struct http_response *a)
{
	struct put *p = CH_CONTAINER_OF(x, struct put, x);
	struct call *c = p->call;
	if (!a || sim_is_refused(a)) {
		is_unknown(p);
		return;
	}
	if (a->status != c->expected)
		sim_wrong_answer(x, a);
	if (a->status < 300) {
		sim_check_accepted(x, c, a->status);
		check_body(x, c, a);
	}
	c->is_busy = false;
}

/* ---- writing ---- */

static struct put *begin_put(struct world *w, struct call *c, bool notify)
{
	char id[ID_TEXT_LEN + 1];
	struct put *p = sim_ask(w, sizeof(*p), "PUT", put_answered);
	p->call = c;
	id_format(&c->id, id);
	sim_ask_path(&p->x, "/v1/calls/%s", id);
	sim_ask_header(&p->x, "Content-Type", "application/json");
	p->x.has_body = true;
	if (notify)
		snprintf(p->x.query, sizeof(p->x.query), "notify=true");
	return p;
}

void sim_put_new(struct world *w, uint64_t agent, enum call_status status)
{
	struct call *c = sim_call_new(w);
	c->agent = agent;
	struct put *p = begin_put(w, c, false);
	sim_write_record(w, c, status, &p->x.body);
	bool is_new = sim_chance(w, 3);
	if (is_new)
		sim_ask_header(&p->x, "If-None-Match", "*");
	p->is_conditional = is_new;
	sim_expect_put(c, status, false, is_new ? COND_NEW : COND_NONE);
	sim_ask_send(&p->x);
}

static enum condition some_condition(struct world *w, struct put *p)
{
	static const char stale[] = "\"0123456789abcdef0123456789abcdef\"";
	char digest[64];
	uint64_t what = sim_below(w, 10);
	if (what > 2 || p->call->version == 0)
		return COND_NONE;
	p->is_conditional = true;
	if (what == 0) {
		sim_ask_header(&p->x, "If-None-Match", "*");
		return COND_NEW;
	}
	format_tags(p->call->body, p->x.condition, digest);
	sim_ask_header(&p->x, "If-Match", what == 1 ? stale : p->x.condition);
	return what == 1 ? COND_STALE : COND_MATCH;
}

static struct call *pick_call(struct world *w)
{
	size_t known = w->recent_call_count < SIM_RECENT ? w->recent_call_count : SIM_RECENT;
	return known > 0 ? w->recent_calls[sim_below(w, known)] : NULL;
}

/* The very record that is stored, or another one: a correction, the end of a call, or back to live. */
void sim_put_again(struct world *w)
{
	struct call *c = pick_call(w);
	if (!c || c->is_busy)
		return;
	bool notify = sim_chance(w, 30);
	struct put *p = begin_put(w, c, notify);
	enum call_status status = sim_chance(w, 80) ? CALL_COMPLETED : CALL_IN_PROGRESS;
	enum condition condition = some_condition(w, p);
	if (c->version > 0 && sim_chance(w, 30)) {
		ch_buf_add(&p->x.body, c->body->data, c->body->len);
		c->wish_tag = c->tag;
		status = c->status;
	} else {
		sim_write_record(w, c, status, &p->x.body);
	}
	sim_expect_put(c, status, notify, condition);
	sim_ask_send(&p->x);
}

/* A record that can't be taken: nothing of it may reach the store. */
void sim_put_bad(struct world *w)
{
	struct call *c = sim_call_new(w);
	struct put *p = begin_put(w, c, false);
	p->is_conditional = true;
	sim_write_record(w, c, CALL_COMPLETED, &p->x.body);
	if (sim_chance(w, 50))
		p->x.body.len -= 1 + (size_t)sim_below(w, 40);
	else
		snprintf(p->x.query, sizeof(p->x.query), "notify=perhaps");
	sim_expect_put(c, CALL_COMPLETED, false, COND_NONE);
	c->expected = 400;
	sim_ask_send(&p->x);
}

void sim_retry(struct world *w, uint64_t most)
{
	struct ch_list *n;
	while (most-- > 0 && (n = ch_list_pop_front(&w->unknown)) != NULL) {
		struct unknown *u = CH_CONTAINER_OF(n, struct unknown, link);
		struct call *c = u->call;
		struct put *p = begin_put(w, c, c->wish_notify);
		ch_buf_add(&p->x.body, u->text, u->len);
		sim_expect_put(c, c->wish_status, c->wish_notify, COND_NONE);
		ch_free(u->text);
		ch_free(u);
		w->seen.retries++;
		sim_ask_send(&p->x);
	}
}

/* ---- reading ---- */

static void get_answered(struct http_exchange *x, const struct http_response *a)
{
	struct get *g = CH_CONTAINER_OF(x, struct get, x);
	const struct call *c = g->call;
	if (!a || sim_is_refused(a))
		return;
	bool is_there = a->status == 200 || (a->status == 304 && g->has_tag);
	if (!is_there && (a->status != 404 || g->version_then > 0))
		sim_wrong_answer(x, a);
	if (!is_there || c->version != g->version_then)
		return;
	if (g->has_tag && a->status != 304)
		sim_wrong_answer(x, a);
	check_body(x, c, a);
}

void sim_get_call(struct world *w)
{
	char id[ID_TEXT_LEN + 1], digest[64];
	struct call *c = pick_call(w);
	if (!c)
		return;
	struct get *g = sim_ask(w, sizeof(*g), "GET", get_answered);
	g->call = c;
	g->version_then = c->version;
	g->has_tag = c->version > 0 && sim_chance(w, 30);
	id_format(&c->id, id);
	sim_ask_path(&g->x, "/v1/calls/%s", id);
	if (g->has_tag) {
		format_tags(c->body, g->x.condition, digest);
		sim_ask_header(&g->x, "If-None-Match", g->x.condition);
	}
	sim_ask_send(&g->x);
}
