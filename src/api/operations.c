#include <string.h>

#include "api/api_core.h"
#include "api/backlog.h"
#include "api/handlers.h"
#include "api/metrics.h"
#include "base/alloc.h"

/* Query parameters are let pass here: a prober's cache buster is no reason to take a process out. */

void operations_health(struct api_request *r)
{
	static const char text[] = "{\"status\":\"ok\"}";

	api_reply(r, &(struct http_response){.status = 200,
				     .content_type = "application/json",
				     .text = text,
				     .text_len = sizeof(text) - 1});
}

/* In words, what the delivery loops do. Whatever it is, the process stays ready: what is accepted waits
 * safely in the store, and a load balancer that took it away would turn our outage into refused calls. */
static const char *sending(const struct api *a)
{
	const char *words = "ok";

	for (int i = 0; i < a->conf.workers->count; i++) {
		const struct engine_stats *s = worker_stats(a->conf.workers->items[i]);
		if (atomic_load_explicit(&s->is_outage, memory_order_relaxed))
			return "paused: our own line or name server seems to be down";
		if (atomic_load_explicit(&s->is_refused, memory_order_relaxed))
			words = "paused: the store refuses the results of attempts";
	}
	return words;
}

static void reply_ready(struct api_request *r)
{
	struct ch_buf out;
	struct json_out o = {.buf = &out};

	ch_buf_init(&out, API_JSON_MAX);
	json_out_open(&o, NULL, '{');
	json_out_text(&o, "status", "ok");
	json_out_text(&o, "sending", sending(r->api));
	json_out_close(&o, '}');
	api_reply_json(r, 200, &out);
}

void operations_ready(struct api_request *r)
{
	const struct store_stats *stats = r->api->conf.store_stats;
	int code = stats ? atomic_load(&stats->last_error) : 0;

	if (r->api->is_stopping)
		api_problem(r, 503, "the server is stopping");
	else if (code == CH_EFULL)
		api_problem(r, 503, "the store refuses writes: the disk is full");
	else if (code != 0)
		api_problem(r, 503, "the store refuses writes: %s", ch_err_name(code));
	else
		reply_ready(r);
}

static void reply_metrics(struct api_request *r, int64_t oldest_ms)
{
	const struct store_request *s = &r->store;
	struct ch_buf out;

	ch_buf_init(&out, API_JSON_MAX);
	metrics_write(&out, r->api, s->result == 0 ? &s->u.ledger : NULL, oldest_ms);
	if (out.err)
		api_out_of_memory(r);
	else
		api_reply(r, &(struct http_response){.status = 200,
					     .content_type = METRICS_CONTENT_TYPE,
					     .text = out.data,
					     .text_len = out.len});
	ch_buf_fini(&out);
}

static void backlog_done(struct backlog_ask *ask)
{
	reply_metrics(ask->ctx, ask->result == 0 ? ask->count.oldest_ms : METRICS_UNKNOWN);
}

static void ledger_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	struct backlog_ask *ask;

	if (s->result != 0 || s->u.ledger.out.ledger.pending == 0) {
		reply_metrics(r, s->result != 0 ? METRICS_UNKNOWN : METRICS_NONE);
		return;
	}
	ask = ch_calloc(1, sizeof(*ask));
	if (!ask) {
		api_out_of_memory(r);
		return;
	}
	ask->done = backlog_done;
	ask->ctx = r;
	r->state = ask;
	r->state_fini = ch_free;
	backlogs_ask(r->api->backlogs, 0, NULL, ask);
}

void operations_metrics(struct api_request *r)
{
	api_begin_store(r, STORE_LEDGER);
	r->store.u.ledger.in.account = 0;
	api_submit(r, ledger_done);
}
