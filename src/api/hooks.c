#include <string.h>

#include "api/api_core.h"
#include "api/handlers.h"
#include "base/alloc.h"

/* What automation platforms call to subscribe a flow to the calls of one agent. A hook is a webhook like any
 * other, made with other words. Flows are published more than once: while one that is on sends the same calls
 * to the same URL, that is the hook. */

#define TRIGGER "POST_CALL"

static void destroy_wanted(void *state)
{
	struct webhook *w = state;

	webhook_destroy(&w);
}

static void reply_id(struct api_request *r, const struct id *id)
{
	struct ch_buf out;
	struct json_out o = {.buf = &out};

	ch_buf_init(&out, API_JSON_MAX);
	json_out_id(&o, NULL, id);
	api_reply_json(r, 201, &out);
}

static void create_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);

	if (s->result == CH_EEXIST)
		reply_id(r, &s->u.webhook_create.out.same);
	else if (s->result != 0)
		api_store_problem(r, "account");
	else
		reply_id(r, &s->u.webhook_create.in.webhook.id);
}

static void create(struct api_request *r)
{
	struct webhook *w = r->state;
	char id[ID_TEXT_LEN + 1];

	api_begin_store(r, STORE_WEBHOOK_CREATE);
	w->id = id_gen_next(&r->api->ids);
	w->account = r->caller.account->number;
	w->created_ms = ch_clock_wall(&r->api->conf.clock).ms;
	id_format(&w->id, id);
	r->store.u.webhook_create.in.webhook = *w;
	webhook_init(w);
	r->store.u.webhook_create.in.max_webhooks = r->api->conf.max_webhooks;
	r->store.u.webhook_create.in.is_once = true;
	api_audit(r, "webhook.create", "{\"trigger\":\"" TRIGGER "\"}");
	api_audit_target(r, id);
	api_submit(r, create_done);
}

/* The settings of the webhook that the hook's members, which api/rules has checked, ask for. NULL: there is
 * no memory. */
static json_t *settings_of(json_t *json)
{
	json_t *agent = json_object_get(json, "agentId");
	json_t *settings = json_pack("{s:[O]}", "agentIds", agent);
	const char *const same[] = {"url", "name"};
	for (size_t i = 0; settings && i < 2; i++) {
		json_t *given = json_object_get(json, same[i]);
		if (given && json_object_set(settings, same[i], given) != 0) {
			json_decref(settings);
			settings = NULL;
		}
	}
	return settings;
}

/* False: it has replied. */
static bool take_wanted(struct api_request *r, json_t *json)
{
	struct problems problems;
	struct webhook *w = ch_calloc(1, sizeof(*w));
	int rc = CH_ENOMEM;

	if (!w) {
		api_out_of_memory(r);
		return false;
	}
	webhook_init(w);
	r->state = w;
	r->state_fini = destroy_wanted;
	problems_init(&problems);
	json_t *settings = settings_of(json);
	if (settings)
		rc = webhook_from_json(settings, &r->api->conf.url_rules, w, &problems);
	json_decref(settings);
	if (problems.count > 0)
		api_invalid(r, "the hook is not valid", &problems);
	else if (rc != 0)
		api_out_of_memory(r);
	problems_fini(&problems);
	return rc == 0;
}

void hooks_post(struct api_request *r)
{
	json_t *json;

	if (!api_no_query(r) || !api_json_object(r, false, &json))
		return;
	bool is_good = take_wanted(r, json);
	json_decref(json);
	if (is_good)
		create(r);
}
