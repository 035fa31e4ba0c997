#include "api/webhook_switch.h"

#include "api/handlers.h"
#include "api/webhook_answer.h"
#include "api/webhook_change.h"
#include "base/alloc.h"

struct switching {
	struct webhook_change change;
	bool enabled;
};

void webhook_switch_set(struct webhook *w, bool enabled)
{
	w->enabled = enabled;
	ch_free(w->disabled_reason);
	w->disabled_reason = NULL;
}

/* Off stays as it is, with the reason that it has: who switches off what a 410 switched off learns why. */
static bool apply(struct api_request *r, struct webhook *w)
{
	struct switching *s = r->state;

	s->change.is_unchanged = w->enabled == s->enabled && !s->change.releases;
	if (w->enabled != s->enabled)
		webhook_switch_set(w, s->enabled);
	if (!s->enabled)
		api_audit(r, "webhook.disable", NULL);
	else
		api_audit(r, "webhook.enable", "{\"deliverParked\":%s}",
				s->change.releases ? "true" : "false");
	return true;
}

static void finished(struct api_request *r)
{
	webhook_answer_one(r, 200, r->change->result, r->change->parked);
}

/* False: it has replied. */
static bool take_release(struct api_request *r, bool *ret)
{
	json_t *json;

	if (!api_json_object(r, true, &json))
		return false;
	*ret = json_is_true(json_object_get(json, "deliverParked"));
	json_decref(json);
	return true;
}

static void turn(struct api_request *r, bool enabled, bool releases)
{
	struct switching *s = ch_calloc(1, sizeof(*s));
	if (!s) {
		api_out_of_memory(r);
		return;
	}
	s->enabled = enabled;
	s->change.releases = releases;
	s->change.apply = apply;
	s->change.finished = finished;
	r->state = s;
	r->state_fini = ch_free;
	webhook_change(r, &s->change);
}

void webhooks_enable(struct api_request *r)
{
	bool releases;

	if (api_path_id(r) && api_no_query(r) && take_release(r, &releases))
		turn(r, true, releases);
}

void webhooks_disable(struct api_request *r)
{
	if (api_path_id(r) && api_no_query(r) && api_no_members(r))
		turn(r, false, false);
}
