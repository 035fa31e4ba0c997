#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/err.h"
#include "model/webhook_header.h"
#include "model/webhook_json.h"

#define STATUSES_MAX 100 /* ten statuses exist; a list may repeat some, not without end */
#define RATE_COUNT_MAX 100000
#define RATE_SECONDS_MAX 3600

static int agent_compare(const void *a, const void *b)
{
	return id_compare(a, b);
}

static size_t sort_unique(struct id *ids, size_t count)
{
	size_t kept = 0;
	if (count > 0)
		qsort(ids, count, sizeof(*ids), agent_compare);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || !id_equal(&ids[kept - 1], &ids[i]))
			ids[kept++] = ids[i];
	}
	return kept;
}

static void agent_list_read(struct webhook_reader *r, const json_t *list, struct webhook *w)
{
	size_t i, count = json_array_size(list), before = r->bad;
	const json_t *item;
	struct id *ids = ch_calloc(count, sizeof(*ids));
	if (ids == NULL) {
		r->no_memory = true;
		return;
	}
	json_array_foreach(list, i, item)
	{
		char pointer[32];
		(void)snprintf(pointer, sizeof(pointer), "/agentIds/%zu", i);
		if (!json_is_string(item) ||
				id_parse(json_string_value(item), json_string_length(item), &ids[i]) != 0)
			webhook_bad(r, pointer, "must be a UUID in lower case");
	}
	if (r->bad != before) {
		ch_free(ids);
		return;
	}
	ch_free(w->agent_ids);
	w->agent_ids = ids;
	w->agent_count = sort_unique(ids, count);
}

void webhook_agents_read(struct webhook_reader *r, const json_t *value, struct webhook *w)
{
	if (value != NULL && !json_is_array(value)) {
		webhook_bad(r, "/agentIds", "must be a list of UUIDs");
	} else if (json_array_size(value) > WEBHOOK_AGENTS_MAX) {
		webhook_bad(r, "/agentIds", "must be at most %d ids", WEBHOOK_AGENTS_MAX);
	} else if (json_array_size(value) == 0) {
		ch_free(w->agent_ids);
		w->agent_ids = NULL;
		w->agent_count = 0;
	} else {
		agent_list_read(r, value, w);
	}
}

static void status_read(struct webhook_reader *r, const json_t *item, size_t at, call_status_set *set)
{
	char pointer[32];
	enum call_status status;
	(void)snprintf(pointer, sizeof(pointer), "/statuses/%zu", at);
	if (!json_is_string(item) ||
			call_status_parse(json_string_value(item), json_string_length(item), &status) != 0)
		webhook_bad(r, pointer, "must be the status of a call, such as COMPLETED");
	else if (!call_status_is_final(status))
		webhook_bad(r, pointer, "must be a final status; %s is not", call_status_name(status));
	else
		*set |= (call_status_set)(1u << status);
}

void webhook_statuses_read(struct webhook_reader *r, const json_t *value, struct webhook *w)
{
	call_status_set set = 0;
	size_t i;
	const json_t *item;
	if (value == NULL) {
		w->statuses = WEBHOOK_STATUSES_DEFAULT;
		return;
	}
	if (!json_is_array(value) || json_array_size(value) == 0) {
		webhook_bad(r, "/statuses", "must be a list of at least one status");
		return;
	}
	if (json_array_size(value) > STATUSES_MAX) {
		webhook_bad(r, "/statuses", "must be at most %d statuses", STATUSES_MAX);
		return;
	}
	json_array_foreach(value, i, item) status_read(r, item, i, &set);
	if (set != 0)
		w->statuses = set;
}

static void headers_clear(struct webhook *w)
{
	while (w->header_count > 0)
		webhook_header_remove(w, (int)w->header_count - 1);
}

static const char *header_refusal(const struct webhook_reader *r, const char *name, const json_t *value)
{
	const char *why = webhook_header_name_refusal(name, strlen(name));
	if (why == NULL && !r->is_stored && webhook_header_is_reserved(name))
		why = "this header is set by callhook or belongs to the connection";
	if (why == NULL && !json_is_string(value) && !(r->is_merge && json_is_null(value)))
		why = "must be a string";
	if (why == NULL && json_is_string(value))
		why = webhook_header_value_refusal(json_string_value(value), json_string_length(value));
	return why;
}

/* Two members that are one header: JSON tells them apart, HTTP does not. */
static bool named_before(json_t *object, const char *name)
{
	const char *key;
	json_t *value;
	json_object_foreach(object, key, value)
	{
		if (strcmp(key, name) == 0)
			return false;
		if (strcasecmp(key, name) == 0)
			return true;
	}
	return false;
}

static void header_read(struct webhook_reader *r, json_t *object, const char *name, const json_t *value,
		struct webhook *w)
{
	char pointer[WEBHOOK_POINTER_MAX];
	webhook_pointer_write(pointer, "/headers", name);
	const char *why = header_refusal(r, name, value);
	if (why == NULL && named_before(object, name))
		why = "this header is there twice (upper and lower case are the same)";
	if (why != NULL) {
		webhook_bad(r, pointer, "%s", why);
		return;
	}
	if (json_is_string(value)) {
		int code = webhook_header_set(w, name, json_string_value(value));
		if (code == CH_ELIMIT)
			webhook_bad(r, pointer, "at most %d headers can be set", WEBHOOK_HEADERS_MAX);
		r->no_memory |= code == CH_ENOMEM;
	}
}

/* Removals come first, so that a patch may take one of twenty away and add another in either order. */
static void headers_remove(json_t *object, struct webhook *w)
{
	const char *key;
	json_t *value;
	json_object_foreach(object, key, value)
	{
		int at = json_is_null(value) ? webhook_header_find(w, key) : -1;
		if (at >= 0)
			webhook_header_remove(w, at);
	}
}

void webhook_headers_read(struct webhook_reader *r, const json_t *value, struct webhook *w)
{
	const char *key;
	json_t *item, *object = webhook_json_view(value);
	if (value == NULL) {
		headers_clear(w);
		return;
	}
	if (!json_is_object(value)) {
		webhook_bad(r, "/headers", "must be an object of names and values");
		return;
	}
	/* Comparing each name with all before it is quadratic: far more than could be taken is not looked at.
	 */
	if (json_object_size(object) > (size_t)2 * WEBHOOK_HEADERS_MAX) {
		webhook_bad(r, "/headers", "at most %d headers can be set", WEBHOOK_HEADERS_MAX);
		return;
	}
	if (r->is_merge)
		headers_remove(object, w);
	else
		headers_clear(w);
	json_object_foreach(object, key, item) header_read(r, object, key, item, w);
}

static void rate_member_read(
		struct webhook_reader *r, const char *key, const json_t *value, struct webhook *w)
{
	char pointer[WEBHOOK_POINTER_MAX];
	webhook_pointer_write(pointer, "/rateLimit", key);
	if (strcmp(key, "count") == 0)
		webhook_integer_read(r, value, pointer, RATE_COUNT_MAX, &w->rate_count);
	else if (strcmp(key, "seconds") == 0)
		webhook_integer_read(r, value, pointer, RATE_SECONDS_MAX, &w->rate_seconds);
	else
		webhook_bad(r, pointer, "is not a member of rateLimit");
}

/* A merge may name one of the two and keep the other; what is neither named nor there yet is missing. */
void webhook_rate_read(struct webhook_reader *r, const json_t *value, struct webhook *w)
{
	const char *key;
	json_t *item;
	size_t before = r->bad;
	if (value == NULL) {
		w->rate_count = w->rate_seconds = 0;
		return;
	}
	if (!json_is_object(value)) {
		webhook_bad(r, "/rateLimit", "must be null or an object of count and seconds");
		return;
	}
	if (!r->is_merge)
		w->rate_count = w->rate_seconds = 0;
	json_object_foreach(webhook_json_view(value), key, item) rate_member_read(r, key, item, w);
	if (r->bad != before)
		return;
	if (w->rate_count == 0)
		webhook_bad(r, "/rateLimit/count", "is required");
	if (w->rate_seconds == 0)
		webhook_bad(r, "/rateLimit/seconds", "is required");
}
