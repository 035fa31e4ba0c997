#include "test_engine_rig.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "delivery/engine_core.h"

struct id rig_hook_id(int n)
{
	struct id id = {{0x0a, (uint8_t)n}};
	return id;
}

static struct id agent_id(int n)
{
	struct id id = {{0xa9, (uint8_t)n}};
	return id;
}

/* ---- network ---- */

static void receive(void *ctx, const struct transport_job *job, struct transport_sim_reply *ret)
{
	struct rig *r = ctx;
	struct rig_send *s = &r->sends[r->send_count++];
	size_t at = 0;
	assert_true(r->send_count < 1024);
	s->hook = job->endpoint.b[1];
	s->delivery = job->attempt.delivery_id;
	s->at_mono_ms = r->clock.mono.ms;
	s->header_count = job->header_count;
	snprintf(s->url, sizeof(s->url), "%s", job->url->text);
	for (size_t i = 0; i < job->header_count; i++)
		at += (size_t)snprintf(s->headers + at, sizeof(s->headers) - at, "%s\n", job->headers[i]);
	*ret = r->replies[s->hook];
}

static void forget(void *ctx, const struct id *endpoint)
{
	struct rig *r = ctx;
	r->forgotten++;
}

/* ---- store ---- */

static struct store_request *request_of(struct ch_list *n)
{
	return CH_CONTAINER_OF(CH_CONTAINER_OF(n, struct ch_msg, link), struct store_request, msg);
}

static void answered(struct ch_msg *m)
{
	struct store_request *q = CH_CONTAINER_OF(m, struct store_request, msg);
	q->done(q);
}

static void submit(struct store_client *c, struct store_request *q)
{
	struct rig *r = CH_CONTAINER_OF(c, struct rig, front);
	if (store_kind_is_write(q->kind)) {
		store_submit(r->inner, q);
		return;
	}
	q->result = 0;
	q->msg.run = answered;
	r->reads++;
	r->fault->ops->read(r->reader, q);
	if (r->holds_reads)
		ch_list_push_back(&r->held_reads, &q->msg.link);
	else
		ch_port_post(&r->port, &q->msg);
}

void rig_release_reads(struct rig *r)
{
	struct ch_list *n;
	while ((n = ch_list_pop_front(&r->held_reads)) != NULL)
		ch_port_post(&r->port, &request_of(n)->msg);
}

static void tell(struct rig *r, const struct webhook *w)
{
	struct webhook copy;
	r->revisions[w->id.b[1]] = w->revision;
	assert_int_equal(webhook_copy(w, &copy), 0);
	if (r->engine && !r->holds_news)
		engine_webhook(r->engine, &copy);
	else
		webhook_fini(&copy);
}

static void tell_deliveries(struct rig *r, struct store_call_put *put)
{
	for (size_t i = 0; i < put->out.delivery_count; i++) {
		struct delivery *d = &put->out.deliveries[i];
		if (r->engine && !r->holds_news && d->state == DELIVERY_PENDING)
			engine_fresh(r->engine, d);
		else
			delivery_fini(d);
	}
	ch_free(put->out.deliveries);
	put->out.deliveries = NULL;
}

static void tell_resend(struct rig *r, struct store_resend *q)
{
	if (!r->engine || r->holds_news)
		return;
	engine_resend(r->engine, q->out.news);
	ch_free(q->out.news);
	q->out.news = NULL;
}

static void on_committed(void *ctx, struct store_request *const *requests, size_t n)
{
	struct rig *r = ctx;
	for (size_t i = 0; i < n; i++) {
		struct store_request *q = requests[i];
		if (q->result != 0)
			continue;
		for (size_t k = 0; k < q->events.count && r->engine && !r->holds_news; k++)
			engine_due(r->engine, &q->events.webhooks[k]);
		if (q->kind == STORE_WEBHOOK_CREATE)
			tell(r, &q->u.webhook_create.in.webhook);
		else if (q->kind == STORE_WEBHOOK_UPDATE)
			tell(r, &q->u.webhook_update.in.webhook);
		else if (q->kind == STORE_CALL_PUT)
			tell_deliveries(r, &q->u.call_put);
		else if (q->kind == STORE_RESEND)
			tell_resend(r, &q->u.resend);
		else if (q->kind == STORE_WEBHOOK_SWEEP && q->u.webhook_sweep.out.released && r->engine)
			engine_due(r->engine, &q->u.webhook_sweep.in.id);
		else if (q->kind == STORE_WEBHOOK_DELETE && r->engine && !r->holds_news) {
			struct webhook gone;
			webhook_init(&gone);
			gone.id = q->u.webhook_delete.in.id;
			gone.deleted = true;
			engine_webhook(r->engine, &gone);
		}
	}
}

static void done(struct store_request *q)
{
	assert_int_equal(q->result, 0);
	store_request_fini(q);
	ch_free(q);
}

static struct store_request *ask(struct rig *r, enum store_kind kind)
{
	struct store_request *q = ch_alloc(sizeof(*q));
	assert_non_null(q);
	store_request_init(q, kind, &r->port, done);
	return q;
}

static void commit(struct rig *r, struct store_request *q)
{
	store_submit(r->inner, q);
	if (!r->defers)
		store_inline_step(r->inner);
}

/* ---- life ---- */

static void on_log(void *ctx, const char *line, size_t len)
{
	struct rig *r = ctx;
	if (r->log_len + len >= sizeof(r->log_text))
		return;
	memcpy(r->log_text + r->log_len, line, len);
	r->log_len += len;
	r->log_text[r->log_len] = '\0';
}

static void open_store(struct rig *r)
{
	struct store_conf conf = {.clock = ch_clock_virtual_of(&r->clock), .rand = r->rand};
	struct store_watcher watcher = {.committed = on_committed, .ctx = r};
	struct store *s = NULL;
	struct ch_err err = {0};
	assert_int_equal(store_memory_open(&conf, &s, &err), 0);
	r->fault = s = store_fault_wrap(s);
	assert_non_null(s);
	assert_int_equal(store_inline_start(&s, conf.clock, &watcher, &r->inner, &err), 0);
	assert_int_equal(r->fault->ops->reader_open(r->fault, &r->reader, &err), 0);
	r->front.submit = submit;
	ch_list_init(&r->held_reads);
}

void rig_open(struct rig *r)
{
	struct ch_err err = {0};
	memset(r, 0, sizeof(*r));
	r->clock = (struct ch_clock_virtual){{RIG_NOW_MS}, {1000}};
	ch_rand_seeded_init(&r->seeded, 5);
	r->rand = ch_rand_seeded_of(&r->seeded);
	struct transport_sim_conf net = {.clock = ch_clock_virtual_of(&r->clock),
			.receive = receive,
			.forget = forget,
			.ctx = r};
	for (int i = 0; i < RIG_HOOKS; i++)
		r->replies[i] = (struct transport_sim_reply){.latency_ms = 10,
				.outcome = ATTEMPT_ANSWERED,
				.status = 200,
				.retry_after_s = -1};
	assert_int_equal(ch_port_init(&r->port, false, &err), 0);
	assert_int_equal(transport_sim_create(&net, &r->net, &err), 0);
	open_store(r);
	r->log = (struct ch_log){
			.fd = -1, .level = CH_LOG_DEBUG, .clock = net.clock, .sink = on_log, .sink_ctx = r};
	r->conf = (struct engine_conf){.clock = net.clock,
			.rand = r->rand,
			.store = &r->front,
			.port = &r->port,
			.transport = r->net,
			.schedule = retry_schedule_default(),
			.url_rules = {.allow_http = true},
			.user_agent = "callhook/test",
			.max_in_flight = 1000,
			.body_budget_bytes = 1 << 20,
			.log = &r->log};
}

void rig_start(struct rig *r)
{
	struct ch_err err = {0};
	assert_int_equal(engine_create(&r->conf, &r->engine, &err), 0);
	engine_start(r->engine, NULL, NULL);
	rig_run(r);
}

void rig_stop(struct rig *r)
{
	engine_abort(r->engine);
	rig_release_reads(r);
	r->holds_reads = false;
	rig_run(r);
	assert_true(engine_is_idle(r->engine));
	engine_destroy(&r->engine);
	assert_null(r->engine);
}

void rig_close(struct rig *r)
{
	if (r->engine)
		rig_stop(r);
	r->fault->ops->reader_close(r->reader);
	store_client_destroy(&r->inner);
	r->net->destroy(r->net);
	while (ch_port_dispatch(&r->port) > 0)
		;
	ch_port_fini(&r->port);
}

/* ---- webhooks and calls ---- */

void rig_hook_init(struct rig *r, struct webhook *w, int n)
{
	char url[64];
	webhook_init(w);
	snprintf(url, sizeof(url), "http://hook%d.test/", n);
	w->id = rig_hook_id(n);
	w->account = 1;
	w->url = ch_strdup(url);
	w->name = ch_strdup("");
	w->agent_ids = ch_alloc(sizeof(struct id));
	assert_true(w->url && w->name && w->agent_ids);
	w->agent_ids[0] = agent_id(n);
	w->agent_count = 1;
	w->created_ms = r->clock.wall.ms;
}

void rig_hook_create(struct rig *r, struct webhook *w)
{
	struct store_request *q = ask(r, STORE_WEBHOOK_CREATE);
	q->u.webhook_create.in.webhook = *w;
	q->u.webhook_create.in.max_webhooks = 100;
	commit(r, q);
}

void rig_hook_update(struct rig *r, struct webhook *w, int n)
{
	struct store_request *q = ask(r, STORE_WEBHOOK_UPDATE);
	w->revision = r->revisions[n];
	q->u.webhook_update.in.webhook = *w;
	commit(r, q);
}

void rig_hook_delete(struct rig *r, int n)
{
	struct store_request *q = ask(r, STORE_WEBHOOK_DELETE);
	q->u.webhook_delete.in.account = 1;
	q->u.webhook_delete.in.id = rig_hook_id(n);
	q->u.webhook_delete.in.now_ms = r->clock.wall.ms;
	commit(r, q);
}

void rig_resend(struct rig *r, const struct id *delivery)
{
	struct store_request *q = ask(r, STORE_RESEND);
	q->u.resend.in.account = 1;
	q->u.resend.in.id = *delivery;
	q->u.resend.in.now_ms = r->clock.wall.ms;
	commit(r, q);
}

void rig_hook(struct rig *r, int n)
{
	struct webhook w;
	rig_hook_init(r, &w, n);
	rig_hook_create(r, &w);
}

void rig_seal(struct rig *r, struct webhook *w, const char *secret)
{
	uint8_t aad[24];
	struct ch_buf sealed;
	ch_buf_init(&sealed, 4096);
	webhook_seal_aad(w, aad);
	assert_int_equal(ch_seal(r->conf.seal_key, &r->rand, aad, sizeof(aad), secret, strlen(secret),
					 &sealed),
			0);
	w->secret_sealed_len = sealed.len;
	w->secret_sealed = (uint8_t *)ch_buf_detach(&sealed);
}

void rig_put_sized(struct rig *r, int agent, size_t body_bytes)
{
	static const char tail[] = "\",\"created\":\"2024-07-30T14:35:00Z\"}";
	struct store_request *q = ask(r, STORE_CALL_PUT);
	struct store_call_put *put = &q->u.call_put;
	struct ch_buf b;
	ch_buf_init(&b, 1 << 20);
	ch_buf_adds(&b, "{\"pad\":\"");
	while (b.len + sizeof(tail) - 1 < body_bytes)
		ch_buf_addc(&b, 'x');
	ch_buf_adds(&b, tail);
	put->in.account = 1;
	ch_rand_fill(&r->rand, put->in.facts.id.b, sizeof(put->in.facts.id.b));
	put->in.facts.agent_id = agent_id(agent);
	put->in.facts.status = CALL_COMPLETED;
	put->in.facts.type = CALL_INBOUND;
	put->in.facts.created_s = r->clock.wall.ms / 1000;
	put->in.body_len = b.len;
	put->in.body = ch_buf_detach(&b);
	put->in.now_ms = r->clock.wall.ms;
	commit(r, q);
}

void rig_put(struct rig *r, int agent, int count)
{
	for (int i = 0; i < count; i++)
		rig_put_sized(r, agent, 50);
}

/* ---- time ---- */

bool rig_step(struct rig *r)
{
	size_t n = store_inline_step(r->inner);
	n += ch_port_dispatch(&r->port);
	n += transport_sim_step(r->net);
	return n > 0;
}

void rig_run(struct rig *r)
{
	for (int i = 0; i < 100000; i++) {
		bool did = rig_step(r);
		if (r->engine && engine_next_wake(r->engine).ms <= r->clock.mono.ms)
			engine_turn(r->engine);
		else if (!did)
			return;
	}
	fail_msg("the engine does not come to rest");
}

void rig_advance(struct rig *r, int64_t ms)
{
	int64_t until = r->clock.mono.ms + ms;
	rig_run(r);
	while (r->clock.mono.ms < until) {
		int64_t a = engine_next_wake(r->engine).ms, b = transport_sim_next(r->net).ms;
		int64_t next = a < b ? a : b;
		ch_clock_virtual_advance(&r->clock, (next < until ? next : until) - r->clock.mono.ms);
		rig_run(r);
	}
}

/* ---- questions ---- */

void rig_widen(struct rig *r, int n)
{
	struct id id = rig_hook_id(n);
	struct lane *l = engine_lane(r->engine, &id);
	assert_non_null(l);
	l->window.size = l->window.limit;
	lane_note_time(l, 1);
	engine_replan(r->engine, l);
}

struct lane_info rig_lane(struct rig *r, int n)
{
	struct lane_info info = {0};
	struct id id = rig_hook_id(n);
	assert_true(engine_lane_info(r->engine, &id, &info));
	return info;
}

const struct ledger *rig_ledger(struct rig *r)
{
	struct store_request q;
	store_request_init(&q, STORE_LEDGER, NULL, NULL);
	r->fault->ops->read(r->reader, &q);
	assert_int_equal(q.result, 0);
	r->ledger = q.u.ledger.out.ledger;
	store_request_fini(&q);
	return &r->ledger;
}

struct delivery rig_newest(struct rig *r)
{
	struct store_request q;
	store_request_init(&q, STORE_DELIVERY_LIST, NULL, NULL);
	q.u.delivery_list.in.account = 1;
	q.u.delivery_list.in.from_ms = INT64_MIN;
	q.u.delivery_list.in.to_ms = INT64_MAX;
	q.u.delivery_list.in.limit = 1;
	r->fault->ops->read(r->reader, &q);
	assert_int_equal(q.result, 0);
	assert_int_equal(q.u.delivery_list.out.count, 1);
	struct delivery d = q.u.delivery_list.out.rows[0];
	d.reason = NULL;
	store_request_fini(&q);
	return d;
}

struct delivery rig_delivery(struct rig *r, const struct id *id)
{
	struct store_request q;
	store_request_init(&q, STORE_DELIVERY_GET, NULL, NULL);
	q.u.delivery_get.in.account = 1;
	q.u.delivery_get.in.id = *id;
	q.u.delivery_get.in.attempt_limit = 1;
	r->fault->ops->read(r->reader, &q);
	assert_int_equal(q.result, 0);
	struct delivery d = q.u.delivery_get.out.delivery;
	d.reason = NULL;
	store_request_fini(&q);
	return d;
}

int rig_sends_to(const struct rig *r, int hook)
{
	int n = 0;
	for (int i = 0; i < r->send_count; i++)
		n += r->sends[i].hook == hook;
	return n;
}

const char *rig_header(const struct rig_send *s, const char *line)
{
	for (const char *at = s->headers; at && *at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
		if (strncmp(at, line, strlen(line)) == 0)
			return at;
	}
	return NULL;
}
