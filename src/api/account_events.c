#include <string.h>

#include "api/account_answer.h"
#include "api/handlers.h"
#include "api/secret_change.h"
#include "base/alloc.h"
#include "model/ops_event.h"
#include "policy/sign.h"

/* Where an account's events go: the one webhook of the account that its events have. */

#define TRIES_MAX 5

struct events_change {
	char *url; /* owned; NULL: nowhere */
	struct ch_secret secret; /* for another receiver */
	int tries;
};

static void change_free(void *state)
{
	struct events_change *c = state;

	ch_free(c->url);
	ch_secret_fini(&c->secret);
	ch_free(c);
}

/* ---- the store ---- */

static void looked(struct store_request *s);

/* Somebody else's change came between reading and writing: what is to be done may be another thing now. */
static bool is_race(int code)
{
	return code == CH_ECONFLICT || code == CH_ELIMIT || code == CH_ENOENT;
}

static void written(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	struct events_change *c = r->state;

	if (is_race(s->result) && ++c->tries < TRIES_MAX)
		account_ask_receiver(r, looked);
	else if (s->result != 0)
		api_store_problem(r, "account");
	else if (s->kind == STORE_WEBHOOK_DELETE)
		account_answer(r, NULL, &c->secret);
	else if (s->kind == STORE_WEBHOOK_CREATE)
		account_answer(r, &s->u.webhook_create.in.webhook, &c->secret);
	else
		account_answer(r, &s->u.webhook_update.in.webhook, &c->secret);
}

static void submit(struct api_request *r)
{
	api_audit(r, "account.update", "{\"changed\":[\"eventsUrl\"]}");
	api_submit(r, written);
}

/* The one before may be somebody else's, who must not be able to sign for us. */
static int make_secret(struct api_request *r, struct webhook *w)
{
	struct events_change *c = r->state;
	char made[SIGN_SECRET_TEXT_LEN + 1];

	sign_secret_generate(&r->api->conf.rand, made);
	int rc = ch_secret_set(&c->secret, made, SIGN_SECRET_TEXT_LEN);
	ch_wipe(made, sizeof(made));
	if (rc != 0)
		return rc;
	webhook_drop_secrets(w);
	return secret_seal(r, w, &c->secret, &w->secret_sealed, &w->secret_sealed_len);
}

static void create(struct api_request *r)
{
	const struct events_change *c = r->state;
	struct id id = id_gen_next(&r->api->ids);

	api_begin_store(r, STORE_WEBHOOK_CREATE);
	struct webhook *w = &r->store.u.webhook_create.in.webhook;
	r->store.u.webhook_create.in.max_webhooks = 1;
	if (ops_event_webhook_init(w, ops_event_account(r->caller.account->number), &id,
			    ch_clock_wall(&r->api->conf.clock).ms, c->url) != 0 ||
			make_secret(r, w) != 0)
		api_out_of_memory(r);
	else
		submit(r);
}

static int set_url(struct api_request *r, struct webhook *w)
{
	const struct events_change *c = r->state;
	char *url;

	if (strcmp(w->url, c->url) == 0)
		return 0;
	url = ch_strdup(c->url);
	if (!url)
		return CH_ENOMEM;
	ch_free(w->url);
	w->url = url;
	return make_secret(r, w);
}

/* Takes *w: another URL, or the same one that was switched off. */
static void update(struct api_request *r, struct webhook *w)
{
	int rc = set_url(r, w);

	ch_free(w->disabled_reason);
	w->disabled_reason = NULL;
	w->enabled = true;
	api_begin_store(r, STORE_WEBHOOK_UPDATE);
	r->store.u.webhook_update.in.webhook = *w;
	r->store.u.webhook_update.in.release = true;
	if (rc != 0)
		api_out_of_memory(r);
	else
		submit(r);
}

static void delete (struct api_request *r, const struct id *id)
{
	api_begin_store(r, STORE_WEBHOOK_DELETE);
	r->store.u.webhook_delete.in.account = ops_event_account(r->caller.account->number);
	r->store.u.webhook_delete.in.id = *id;
	r->store.u.webhook_delete.in.now_ms = ch_clock_wall(&r->api->conf.clock).ms;
	submit(r);
}

static void looked(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	const struct events_change *c = r->state;
	struct webhook *now = s->result == 0 && s->u.webhook_list.out.count > 0
					      ? &s->u.webhook_list.out.rows[0].webhook
					      : NULL;

	if (s->result != 0) {
		api_store_problem(r, "account");
	} else if (!c->url && now) {
		struct id id = now->id;
		delete (r, &id);
	} else if (c->url && !now) {
		create(r);
	} else if (!now || (now->enabled && strcmp(now->url, c->url) == 0)) {
		account_answer(r, now, &c->secret);
	} else {
		struct webhook w = *now;
		*now = (struct webhook){0};
		update(r, &w);
	}
}

/* ---- what was asked ---- */

/* *ret: NULL for none. CH_EINVAL: problems say why. */
static int read_events_url(const struct api *a, const json_t *value, char **ret, struct problems *problems)
{
	struct ch_err err;
	struct url url;

	if (json_is_null(value)) {
		*ret = NULL;
		return 0;
	}
	if (!json_is_string(value)) {
		problems_add(problems, "/eventsUrl", "must be a string or null");
		return CH_EINVAL;
	}
	int rc = url_parse(
			json_string_value(value), json_string_length(value), &a->conf.url_rules, &url, &err);
	if (rc == CH_EINVAL)
		problems_add(problems, "/eventsUrl", "%s", err.text);
	if (rc != 0)
		return rc;
	*ret = url.text;
	url.text = NULL;
	url_fini(&url);
	return 0;
}

/* False: it has replied. */
static bool read_patch(struct api_request *r, json_t *json, char **ret_url)
{
	const json_t *value = json_object_get(json, "eventsUrl");
	struct problems problems;
	const char *key;
	json_t *each;
	int rc = 0;

	problems_init(&problems);
	json_object_foreach(json, key, each)
	{
		if (strcmp(key, "eventsUrl") != 0)
			api_unknown_member(&problems, key);
	}
	*ret_url = NULL;
	if (value)
		rc = read_events_url(r->api, value, ret_url, &problems);
	if (problems.count > 0) {
		ch_free(*ret_url);
		api_invalid(r, "the account's settings are not valid", &problems);
		return false;
	}
	problems_fini(&problems);
	if (rc != 0)
		api_out_of_memory(r);
	return rc == 0;
}

static void change_events(struct api_request *r, char *url)
{
	struct events_change *c = ch_calloc(1, sizeof(*c));

	if (!c) {
		ch_free(url);
		api_out_of_memory(r);
		return;
	}
	c->url = url;
	r->state = c;
	r->state_fini = change_free;
	r->is_secret = true;
	account_ask_receiver(r, looked);
}

void account_patch(struct api_request *r)
{
	char *url;
	json_t *json;

	if (!api_no_query(r) || !api_json_object(r, false, &json))
		return;
	bool has_change = json_object_size(json) > 0;
	bool is_good = read_patch(r, json, &url);
	json_decref(json);
	if (is_good && has_change)
		change_events(r, url);
	else if (is_good)
		account_get(r);
}
