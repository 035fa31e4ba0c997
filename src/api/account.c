#include <string.h>

#include "api/api_core.h"
#include "api/handlers.h"
#include "base/alloc.h"

/* The account that is asking: its facts, its keys, where its events go. */

static const char *const slots[ACCOUNT_KEYS] = {"primary", "secondary"};

/* ---- get ---- */

static void put_keys(struct json_out *o, const struct account *a)
{
	json_out_open(o, "keys", '{');
	for (int i = 0; i < ACCOUNT_KEYS; i++) {
		int64_t made_ms = a->key_rotated_ms[i] ? a->key_rotated_ms[i] : a->created_ms;
		json_out_open(o, slots[i], '{');
		json_out_time(o, "created", account_key_is_set(a, i) ? made_ms : 0);
		json_out_close(o, '}');
	}
	json_out_close(o, '}');
}

static void reply_account(struct api_request *r)
{
	struct account now;
	struct ch_buf out;
	struct json_out o = {.buf = &out};
	int rc = accounts_copy(r->api->accounts, r->caller.account, &now);

	if (rc == CH_ENOENT) {
		api_problem(r, 404, "there is no such account");
		return;
	}
	if (rc != 0) {
		api_out_of_memory(r);
		return;
	}
	ch_buf_init(&out, API_JSON_MAX);
	json_out_open(&o, NULL, '{');
	json_out_text(&o, "id", now.id);
	json_out_text(&o, "name", now.name);
	json_out_time(&o, "created", now.created_ms);
	put_keys(&o, &now);
	json_out_text(&o, "eventsUrl", now.events_url);
	json_out_close(&o, '}');
	account_fini(&now);
	api_reply_json(r, 200, &out);
}

void account_get(struct api_request *r)
{
	if (api_no_query(r))
		reply_account(r);
}

/* ---- change ---- */

/* The store takes one copy of the URL; this is the registry's. */
static void free_url(void *state)
{
	ch_free(state);
}

static void patch_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);

	if (s->result != 0) {
		api_store_problem(r, "account");
		return;
	}
	accounts_set_events_url(r->api->accounts, r->caller.account, r->state);
	r->state = NULL;
	reply_account(r);
}

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

/* The secret that signs the events stays. */
static int fill_update(struct api_request *r, char *url)
{
	struct store_account_update *q = &r->store.u.account_update;
	struct account now;
	int rc = accounts_copy(r->api->accounts, r->caller.account, &now);

	if (rc != 0)
		return rc;
	q->in.number = now.number;
	q->in.has_events = true;
	q->in.events_secret = now.events_secret;
	q->in.events_secret_len = now.events_secret_len;
	now.events_secret = NULL;
	account_fini(&now);
	q->in.events_url = url ? ch_strdup(url) : NULL;
	return url && !q->in.events_url ? CH_ENOMEM : 0;
}

static void change_events(struct api_request *r, char *url)
{
	r->state = url;
	r->state_fini = free_url;
	api_begin_store(r, STORE_ACCOUNT_UPDATE);
	int rc = fill_update(r, url);
	if (rc == CH_ENOENT) {
		api_problem(r, 404, "there is no such account");
	} else if (rc != 0) {
		api_out_of_memory(r);
	} else {
		api_audit(r, "account.update", "{\"changed\":[\"eventsUrl\"]}");
		api_submit(r, patch_done);
	}
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
		reply_account(r);
}

/* ---- a new key ---- */

struct rotation {
	int slot;
	char key[ACCOUNT_KEY_TEXT_LEN + 1];
};

static void rotation_free(void *state)
{
	struct rotation *k = state;

	ch_wipe(k, sizeof(*k));
	ch_free(k);
}

static void rotate_done(struct store_request *s)
{
	struct api_request *r = api_request_of(s);
	const struct store_account_update *q = &s->u.account_update;
	const struct rotation *k = r->state;
	struct ch_buf out;
	struct json_out o = {.buf = &out};

	if (s->result != 0) {
		api_store_problem(r, "account");
		return;
	}
	accounts_set_key(r->api->accounts, r->caller.account, k->slot, q->in.key_sha256[k->slot],
			q->in.now_ms);
	ch_buf_init(&out, API_JSON_MAX);
	json_out_open(&o, NULL, '{');
	json_out_text(&o, "key", k->key);
	json_out_time(&o, "created", q->in.now_ms);
	json_out_close(&o, '}');
	api_reply_json(r, 200, &out);
}

/* -1: no such key. */
static int slot_of(const struct api_request *r)
{
	for (int i = 0; i < ACCOUNT_KEYS; i++)
		if (strlen(slots[i]) == r->param_len && memcmp(slots[i], r->param, r->param_len) == 0)
			return i;
	return -1;
}

void account_rotate(struct api_request *r)
{
	int slot = slot_of(r);

	if (slot < 0) {
		api_problem(r, 404, "there is no such key; it is \"primary\" or \"secondary\"");
		return;
	}
	if (!api_no_query(r) || !api_no_members(r))
		return;
	struct rotation *k = ch_calloc(1, sizeof(*k));
	if (!k) {
		api_out_of_memory(r);
		return;
	}
	r->state = k;
	r->state_fini = rotation_free;
	r->is_secret = true;
	k->slot = slot;
	account_key_make(&r->api->conf.rand, k->key);
	api_begin_store(r, STORE_ACCOUNT_UPDATE);
	struct store_account_update *q = &r->store.u.account_update;
	q->in.number = r->caller.account->number;
	q->in.now_ms = ch_clock_wall(&r->api->conf.clock).ms;
	q->in.has_key[slot] = true;
	ch_sha256(k->key, ACCOUNT_KEY_TEXT_LEN, q->in.key_sha256[slot]);
	api_audit(r, "key.rotate", NULL);
	api_submit(r, rotate_done);
}
