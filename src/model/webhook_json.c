#include "model/webhook_json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "model/json_load.h"

#define TIMEOUT_MAX_S 60
#define CONCURRENCY_MAX 512

void webhook_bad(struct webhook_reader *r, const char *pointer, const char *fmt, ...)
{
	char detail[320];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	problems_add(r->problems, pointer, "%s", detail);
	r->bad++;
}

void webhook_pointer_write(char out[WEBHOOK_POINTER_MAX], const char *prefix, const char *key)
{
	size_t at = (size_t)snprintf(out, WEBHOOK_POINTER_MAX, "%s/", prefix);
	for (const char *p = key; *p != '\0'; p++) {
		if (at > WEBHOOK_POINTER_MAX - 8 && ((unsigned char)*p & 0xc0) != 0x80)
			break;
		if (*p == '~' || *p == '/') {
			out[at++] = '~';
			out[at++] = *p == '~' ? '0' : '1';
		} else {
			out[at++] = *p;
		}
	}
	out[at] = '\0';
}

void webhook_integer_read(
		struct webhook_reader *r, const json_t *value, const char *pointer, int max, int *out)
{
	if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > max) {
		webhook_bad(r, pointer, "must be a whole number from 1 to %d", max);
		return;
	}
	*out = (int)json_integer_value(value);
}

static void text_replace(struct webhook_reader *r, char **at, const char *text)
{
	char *copy = ch_strdup(text);
	if (copy == NULL) {
		r->no_memory = true;
		return;
	}
	ch_free(*at);
	*at = copy;
}

static void url_read(struct webhook_reader *r, const json_t *value, struct webhook *w)
{
	struct url url;
	struct ch_err err;
	if (!json_is_string(value)) {
		webhook_bad(r, "/url", value == NULL ? "must not be null" : "must be a string");
		return;
	}
	int code = url_parse(json_string_value(value), json_string_length(value), r->rules, &url, &err);
	if (code == CH_ENOMEM) {
		r->no_memory = true;
		return;
	}
	if (code != 0) {
		webhook_bad(r, "/url", "%s", err.text);
		return;
	}
	ch_free(w->url);
	w->url = url.text;
	url.text = NULL;
	url_fini(&url);
}

static size_t code_points(const char *text, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

static void name_read(struct webhook_reader *r, const json_t *value, struct webhook *w)
{
	if (value != NULL && !json_is_string(value)) {
		webhook_bad(r, "/name", "must be a string");
		return;
	}
	const char *text = value == NULL ? "" : json_string_value(value);
	size_t len = value == NULL ? 0 : json_string_length(value);
	if (code_points(text, len) > WEBHOOK_NAME_MAX)
		webhook_bad(r, "/name", "must be at most %d characters", WEBHOOK_NAME_MAX);
	else if (json_has_control(text, len))
		webhook_bad(r, "/name", "must not contain control characters");
	else
		text_replace(r, &w->name, text);
}

static void enabled_read(struct webhook_reader *r, const json_t *value, struct webhook *w)
{
	if (value != NULL && !json_is_boolean(value)) {
		webhook_bad(r, "/enabled", "must be true or false");
		return;
	}
	w->enabled = value == NULL || json_is_true(value);
	if (w->enabled) {
		ch_free(w->disabled_reason);
		w->disabled_reason = NULL;
	}
}

static void timeout_read(struct webhook_reader *r, const json_t *value, struct webhook *w)
{
	w->timeout_s = WEBHOOK_TIMEOUT_DEFAULT_S;
	if (value != NULL)
		webhook_integer_read(r, value, "/timeout", TIMEOUT_MAX_S, &w->timeout_s);
}

static void concurrency_read(struct webhook_reader *r, const json_t *value, struct webhook *w)
{
	w->concurrency = WEBHOOK_CONCURRENCY_DEFAULT;
	if (value != NULL)
		webhook_integer_read(r, value, "/concurrency", CONCURRENCY_MAX, &w->concurrency);
}

/* value is NULL when the default is wanted: the member is null in the JSON. */
static const struct member {
	const char *name;
	void (*read)(struct webhook_reader *r, const json_t *value, struct webhook *w);
	bool is_column; /* kept beside the settings in the store, not in them */
} members[] = {
		{"url", url_read, true},
		{"name", name_read, true},
		{"enabled", enabled_read, true},
		{"agentIds", webhook_agents_read, false},
		{"statuses", webhook_statuses_read, false},
		{"headers", webhook_headers_read, false},
		{"timeout", timeout_read, false},
		{"concurrency", concurrency_read, false},
		{"rateLimit", webhook_rate_read, false},
};

static const char *const read_only[] = {"id", "secured", "rotation", "state", "reason", "parked", "created"};

static const struct member *member_find(const char *name, bool is_stored)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (strcmp(members[i].name, name) == 0 && !(is_stored && members[i].is_column))
			return &members[i];
	}
	return NULL;
}

static void member_refuse(struct webhook_reader *r, const char *name)
{
	char pointer[WEBHOOK_POINTER_MAX];
	const char *why = "is not a setting of a webhook";
	for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++) {
		if (strcmp(read_only[i], name) == 0)
			why = "can only be read";
	}
	webhook_pointer_write(pointer, "", name);
	webhook_bad(r, pointer, "%s", why);
}

void webhook_members_read(struct webhook_reader *r, const json_t *json, struct webhook *w)
{
	const char *key;
	json_t *value;
	if (!json_is_object(json)) {
		webhook_bad(r, "", "must be an object");
		return;
	}
	json_object_foreach(webhook_json_view(json), key, value)
	{
		const struct member *m = member_find(key, r->is_stored);
		if (m == NULL)
			member_refuse(r, key);
		else
			m->read(r, json_is_null(value) ? NULL : value, w);
	}
}

/* Works on a copy, so that w is as it was when anything is wrong. */
static int apply(struct webhook_reader *r, const json_t *json, bool url_required, struct webhook *w)
{
	struct webhook draft;
	CH_ASSERT(r->rules != NULL && r->problems != NULL);
	int code = webhook_copy(w, &draft);
	if (code != 0)
		return code;
	webhook_members_read(r, json, &draft);
	if (url_required && json_is_object(json) && json_object_get(json, "url") == NULL)
		webhook_bad(r, "/url", "is required");
	if (draft.name == NULL)
		text_replace(r, &draft.name, "");
	if (r->bad > 0 || r->no_memory) {
		webhook_fini(&draft);
		return r->bad > 0 ? CH_EINVAL : CH_ENOMEM;
	}
	webhook_fini(w);
	*w = draft;
	return 0;
}

int webhook_from_json(const json_t *json, const struct url_rules *rules, struct webhook *w,
		struct problems *problems)
{
	struct webhook_reader r = {.rules = rules, .problems = problems};
	return apply(&r, json, true, w);
}

int webhook_merge_json(const json_t *json, const struct url_rules *rules, struct webhook *w,
		struct problems *problems)
{
	struct webhook_reader r = {.rules = rules, .problems = problems, .is_merge = true};
	return apply(&r, json, false, w);
}
