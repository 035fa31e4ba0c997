#include <string.h>

#include "api/api_core.h"
#include "api/handlers.h"
#include "api/webhook_answer.h"
#include "api/webhook_change.h"
#include "api/webhook_switch.h"
#include "base/alloc.h"

/* ---- list, get ---- */

static void list_done(struct store_request *s)
{
	if (s->result != 0)
		api_store_problem(api_request_of(s), "account");
	else
		webhook_answer_list(api_request_of(s));
}

void webhooks_list(struct api_request *r)
{
	if (!api_no_query(r))
		return;
	api_begin_store(r, STORE_WEBHOOK_LIST);
	r->store.u.webhook_list.in.account = r->caller.account->number;
	api_submit(r, list_done);
}

static void get_done(struct store_request *s)
{
	const struct store_webhook_row *row = &s->u.webhook_get.out.row;

	if (s->result != 0)
		api_store_problem(api_request_of(s), "webhook");
	else
		webhook_answer_one(api_request_of(s), 200, &row->webhook, row->counts.parked);
}

void webhooks_get(struct api_request *r)
{
	if (!api_path_id(r) || !api_no_query(r))
		return;
	api_begin_store(r, STORE_WEBHOOK_GET);
	r->store.u.webhook_get.in.account = r->caller.account->number;
	r->store.u.webhook_get.in.id = r->id;
	api_submit(r, get_done);
}

/* ---- create ---- */

static void post_done(struct store_request *s)
{
	if (s->result != 0)
		api_store_problem(api_request_of(s), "account");
	else
		webhook_answer_one(api_request_of(s), 201, &s->u.webhook_create.in.webhook, 0);
}

static void refuse_settings(struct api_request *r, int code, struct problems *problems)
{
	if (code == CH_EINVAL)
		api_invalid(r, "the webhook's settings are not valid", problems);
	else
		api_out_of_memory(r);
}

void webhooks_post(struct api_request *r)
{
	struct api *a = r->api;
	struct problems problems;
	json_t *json;

	if (!api_no_query(r) || !api_json_object(r, false, &json))
		return;
	api_begin_store(r, STORE_WEBHOOK_CREATE);
	struct webhook *w = &r->store.u.webhook_create.in.webhook;
	webhook_init(w);
	problems_init(&problems);
	int rc = webhook_from_json(json, &a->conf.url_rules, w, &problems);
	json_decref(json);
	if (rc == 0) {
		w->id = id_gen_next(&a->ids);
		w->account = r->caller.account->number;
		w->created_ms = ch_clock_wall(&a->conf.clock).ms;
		r->store.u.webhook_create.in.max_webhooks = a->conf.max_webhooks;
		char id[ID_TEXT_LEN + 1];
		id_format(&w->id, id);
		api_audit(r, "webhook.create", "{\"enabled\":%s}", w->enabled ? "true" : "false");
		api_audit_target(r, id);
		api_submit(r, post_done);
	} else {
		refuse_settings(r, rc, &problems);
	}
	problems_fini(&problems);
}

/* ---- change ---- */

struct patch {
	struct webhook_change change;
	json_t *json;
};

static void patch_destroy(void *state)
{
	struct patch *p = state;

	json_decref(p->json);
	ch_free(p);
}

/* The names of the settings that were given: their values may be secret, and are in GET. */
static void patch_audit(struct api_request *r, json_t *json)
{
	struct ch_buf text;
	const char *key;
	json_t *value;

	ch_buf_init(&text, 4096);
	struct json_out o = {.buf = &text};
	json_out_open(&o, NULL, '{');
	json_out_open(&o, "changed", '[');
	json_object_foreach(json, key, value) json_out_text(&o, NULL, key);
	json_out_close(&o, ']');
	json_out_close(&o, '}');
	api_audit(r, "webhook.update", NULL);
	api_audit_detail(r, &text);
}

static bool patch_apply(struct api_request *r, struct webhook *w)
{
	struct patch *p = r->state;
	bool was_enabled = w->enabled;
	struct problems problems;

	problems_init(&problems);
	int rc = webhook_merge_json(p->json, &r->api->conf.url_rules, w, &problems);
	if (rc != 0)
		refuse_settings(r, rc, &problems);
	problems_fini(&problems);
	if (rc == 0)
		patch_audit(r, p->json);
	if (rc == 0 && w->enabled != was_enabled)
		webhook_switch_set(w, w->enabled);
	return rc == 0;
}

static void patch_finished(struct api_request *r)
{
	webhook_answer_one(r, 200, r->change->result, r->change->parked);
}

void webhooks_patch(struct api_request *r)
{
	json_t *json;

	if (!api_path_id(r) || !api_no_query(r) || !api_json_object(r, false, &json))
		return;
	struct patch *p = ch_calloc(1, sizeof(*p));
	if (!p) {
		json_decref(json);
		api_out_of_memory(r);
		return;
	}
	p->json = json;
	p->change.apply = patch_apply;
	p->change.finished = patch_finished;
	r->state = p;
	r->state_fini = patch_destroy;
	webhook_change(r, &p->change);
}

/* ---- delete ---- */

static void delete_done(struct store_request *s)
{
	if (s->result != 0)
		api_store_problem(api_request_of(s), "webhook");
	else
		api_reply_empty(api_request_of(s));
}

void webhooks_delete(struct api_request *r)
{
	if (!api_path_id(r) || !api_no_query(r))
		return;
	api_begin_store(r, STORE_WEBHOOK_DELETE);
	r->store.u.webhook_delete.in.account = r->caller.account->number;
	r->store.u.webhook_delete.in.id = r->id;
	r->store.u.webhook_delete.in.now_ms = ch_clock_wall(&r->api->conf.clock).ms;
	api_audit(r, "webhook.delete", NULL);
	api_submit(r, delete_done);
}
