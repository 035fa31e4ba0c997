#include <string.h>

#include "base/err.h"
#include "base/time_text.h"
#include "model/json_load.h"
#include "model/webhook.h"
#include "model/webhook_json.h"

static json_t *id_json(const struct id *id)
{
	char text[ID_TEXT_LEN + 1];
	id_format(id, text);
	return json_stringn(text, ID_TEXT_LEN);
}

static json_t *agents_json(const struct webhook *w)
{
	json_t *list = json_array();
	for (size_t i = 0; list != NULL && i < w->agent_count; i++) {
		if (json_array_append_new(list, id_json(&w->agent_ids[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *statuses_json(const struct webhook *w)
{
	json_t *list = json_array();
	for (int s = 0; list != NULL && s < CALL_STATUS_COUNT; s++) {
		if ((w->statuses & (1u << s)) == 0)
			continue;
		if (json_array_append_new(list, json_string(call_status_name((enum call_status)s))) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *headers_json(const struct webhook *w)
{
	json_t *object = json_object();
	for (size_t i = 0; object != NULL && i < w->header_count; i++) {
		const struct webhook_header *h = &w->headers[i];
		if (json_object_set_new(object, h->name, json_string(h->value)) != 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static json_t *rate_json(const struct webhook *w)
{
	if (w->rate_count == 0)
		return json_null();
	json_t *object = json_object();
	int bad = object == NULL;
	bad = bad || json_object_set_new(object, "count", json_integer(w->rate_count)) != 0;
	bad = bad || json_object_set_new(object, "seconds", json_integer(w->rate_seconds)) != 0;
	if (!bad)
		return object;
	json_decref(object);
	return NULL;
}

/* 0, or -1 when there is no memory. */
static int settings_put(json_t *object, const struct webhook *w)
{
	if (json_object_set_new(object, "agentIds", agents_json(w)) != 0 ||
			json_object_set_new(object, "statuses", statuses_json(w)) != 0 ||
			json_object_set_new(object, "headers", headers_json(w)) != 0 ||
			json_object_set_new(object, "timeout", json_integer(w->timeout_s)) != 0 ||
			json_object_set_new(object, "concurrency", json_integer(w->concurrency)) != 0)
		return -1;
	return json_object_set_new(object, "rateLimit", rate_json(w));
}

static int identity_put(json_t *object, const struct webhook *w)
{
	if (json_object_set_new(object, "id", id_json(&w->id)) != 0 ||
			json_object_set_new(object, "url", json_string(w->url == NULL ? "" : w->url)) != 0 ||
			json_object_set_new(object, "name", json_string(w->name == NULL ? "" : w->name)) != 0)
		return -1;
	return json_object_set_new(object, "enabled", json_boolean(w->enabled));
}

static int facts_put(json_t *object, const struct webhook *w)
{
	char created[TIME_TEXT_LEN];
	time_text_format(w->created_ms / 1000, created);
	if (json_object_set_new(object, "secured", json_boolean(w->secret_sealed != NULL)) != 0)
		return -1;
	return json_object_set_new(object, "created", json_stringn(created, TIME_TEXT_LEN));
}

json_t *webhook_to_json(const struct webhook *w)
{
	json_t *object = json_object();
	if (object == NULL)
		return NULL;
	if (identity_put(object, w) == 0 && settings_put(object, w) == 0 && facts_put(object, w) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static int dump_to_buf(const char *data, size_t len, void *ctx)
{
	struct ch_buf *out = ctx;
	ch_buf_add(out, data, len);
	return out->err == 0 ? 0 : -1;
}

int webhook_settings_write(const struct webhook *w, struct ch_buf *out)
{
	json_t *object = json_object();
	int r = CH_ENOMEM;
	if (object != NULL && settings_put(object, w) == 0 &&
			json_dump_callback(object, dump_to_buf, out, JSON_COMPACT) == 0)
		r = 0;
	json_decref(object);
	return r == 0 || out->err == 0 ? r : out->err;
}

int webhook_settings_read(const char *json, size_t len, struct webhook *w)
{
	struct problems problems;
	struct webhook_reader reader = {.problems = &problems, .is_stored = true};
	struct webhook draft;
	json_t *root;
	int rc = json_load(json, len, JSON_REJECT_DUPLICATES, &root, NULL);
	if (rc != 0)
		return rc;
	if (webhook_copy(w, &draft) != 0) {
		json_decref(root);
		return CH_ENOMEM;
	}
	problems_init(&problems);
	webhook_members_read(&reader, root, &draft);
	problems_fini(&problems);
	json_decref(root);
	if (reader.bad > 0 || reader.no_memory) {
		webhook_fini(&draft);
		return reader.bad > 0 ? CH_EINVAL : CH_ENOMEM;
	}
	webhook_fini(w);
	*w = draft;
	return 0;
}
