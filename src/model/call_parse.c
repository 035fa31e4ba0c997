#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/time_text.h"
#include "model/call_record.h"
#include "model/json_pointer.h"

struct field_name {
	const char *text;
	uint32_t len;
};

#define NAME(s)                                                                                              \
	{                                                                                                    \
		s, sizeof(s) - 1                                                                             \
	}
static const struct field_name FIELD_NAMES[CALL_FIELD_COUNT] = {
		[CALL_ID] = NAME("id"),
		[CALL_AGENT_ID] = NAME("agentId"),
		[CALL_PHONE] = NAME("phone"),
		[CALL_TYPE] = NAME("type"),
		[CALL_DURATION] = NAME("duration"),
		[CALL_START_TIME] = NAME("startTime"),
		[CALL_END_TIME] = NAME("endTime"),
		[CALL_ANONYMOUS] = NAME("anonymous"),
		[CALL_STATUS] = NAME("status"),
		[CALL_EXTRACTORS] = NAME("extractors"),
		[CALL_EXTRACTOR_DATA] = NAME("extractorData"),
		[CALL_CLASSIFIERS] = NAME("classifiers"),
		[CALL_CLASSIFIER_DATA] = NAME("classifierData"),
		[CALL_CONTEXT] = NAME("context"),
		[CALL_RECORDED] = NAME("recorded"),
		[CALL_SUMMARY] = NAME("summary"),
		[CALL_CREATED] = NAME("created"),
};

void call_record_problem(struct call_record *r, uint32_t node, const char *fmt, ...)
{
	r->is_bad = true;
	if (r->problems->truncated)
		return; /* nor are words made that nobody will read */
	char words[320];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	json_problem(r->problems, r->doc, node, "%s", words);
}

const char *call_record_kind(const struct call_record *r, uint32_t node)
{
	static const char *const kinds[] = {
			[JSON_T_NULL] = "null",
			[JSON_T_FALSE] = "false",
			[JSON_T_TRUE] = "true",
			[JSON_T_NUMBER] = "a number",
			[JSON_T_STRING] = "a string",
			[JSON_T_ARRAY] = "an array",
			[JSON_T_OBJECT] = "an object",
	};
	return kinds[json_node(r->doc, node)->type];
}

bool call_record_is_string(struct call_record *r, uint32_t node)
{
	const struct json_node *n = json_node(r->doc, node);
	if (n->type != JSON_T_STRING) {
		call_record_problem(r, node, "must be a string, not %s", call_record_kind(r, node));
		return false;
	}
	return !(n->flags & JSON_F_BAD);
}

static bool is_nullable(enum call_field f)
{
	return f == CALL_PHONE || f == CALL_DURATION || f == CALL_START_TIME || f == CALL_END_TIME ||
	       f == CALL_SUMMARY || f == CALL_CREATED;
}

/* The field of that name, or CALL_FIELD_COUNT. Records mostly come with their fields in order, so the
 * search begins at the one that would be next. */
static enum call_field find_field(const char *key, uint32_t len, unsigned hint)
{
	for (unsigned i = 0; i < CALL_FIELD_COUNT; i++, hint++) {
		if (hint >= CALL_FIELD_COUNT)
			hint = 0;
		const struct field_name *name = &FIELD_NAMES[hint];
		if (name->len == len && memcmp(name->text, key, len) == 0)
			return (enum call_field)hint;
	}
	return CALL_FIELD_COUNT;
}

static void collect_fields(struct call_record *r)
{
	struct json_doc *d = r->doc;
	unsigned hint = 0;
	for (uint32_t at = 1; at < json_node(d, 0)->end; at = json_node(d, at)->end) {
		const struct json_node *n = json_node(d, at);
		enum call_field f = find_field(json_text(d, n->key), n->key_len, hint);
		if (f == CALL_FIELD_COUNT) {
			call_record_problem(r, at, "a call record has no such field");
			continue;
		}
		hint = f + 1u;
		if (n->type == JSON_T_NULL && is_nullable(f))
			continue;
		r->fields[f] = at;
	}
}

static void missing(struct call_record *r, enum call_field f)
{
	char pointer[32];
	snprintf(pointer, sizeof pointer, "/%s", FIELD_NAMES[f].text);
	problems_add(r->problems, pointer, "is required");
	r->is_bad = true;
}

/* The text of a string field; NULL when it is absent or there is a problem with it. */
static const char *string_field(struct call_record *r, enum call_field f, size_t *ret_len)
{
	uint32_t at = r->fields[f];
	if (at == JSON_NONE || !call_record_is_string(r, at))
		return NULL;
	*ret_len = json_node(r->doc, at)->text_len;
	return json_text(r->doc, json_node(r->doc, at)->text);
}

/* The same, for a field that must be there. */
static const char *required_field(struct call_record *r, enum call_field f, size_t *ret_len)
{
	if (r->fields[f] == JSON_NONE) {
		missing(r, f);
		return NULL;
	}
	return string_field(r, f, ret_len);
}

static bool parse_id(struct call_record *r, enum call_field f, struct id *ret)
{
	size_t len;
	const char *text = required_field(r, f, &len);
	if (!text)
		return false;
	if (id_parse(text, len, ret)) {
		call_record_problem(r, r->fields[f],
				"must be a UUID in lower case, like 3c90c3cc-0d44-4b50-8888-8dd25736052a");
		return false;
	}
	return true;
}

static void parse_ids(struct call_record *r, const struct id *path_id)
{
	if (parse_id(r, CALL_ID, &r->facts.id) && path_id && !id_equal(path_id, &r->facts.id)) {
		char expected[ID_TEXT_LEN + 1];
		id_format(path_id, expected);
		call_record_problem(r, r->fields[CALL_ID], "differs from the id in the path, %s", expected);
	}
	(void)parse_id(r, CALL_AGENT_ID, &r->facts.agent_id);
}

static bool is_e164(const char *text, size_t len)
{
	if (len < 3 || len > 16 || text[0] != '+' || text[1] == '0')
		return false;
	for (size_t i = 1; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
	}
	return true;
}

static void parse_phone(struct call_record *r)
{
	size_t len;
	const char *text = string_field(r, CALL_PHONE, &len);
	if (!text)
		return;
	if (!is_e164(text, len)) {
		call_record_problem(r, r->fields[CALL_PHONE],
				"must be an E.164 number (+ and 2 to 15 digits, the first not 0) or null");
		return;
	}
	memcpy(r->facts.phone, text, len);
	r->facts.phone[len] = '\0';
}

static void parse_type(struct call_record *r)
{
	size_t len;
	const char *text = required_field(r, CALL_TYPE, &len);
	if (text && call_type_parse(text, len, &r->facts.type))
		call_record_problem(r, r->fields[CALL_TYPE], "must be one of INBOUND, OUTBOUND");
}

static void parse_status(struct call_record *r)
{
	size_t len;
	const char *text = required_field(r, CALL_STATUS, &len);
	if (!text || call_status_parse(text, len, &r->facts.status) == 0)
		return;
	char allowed[160];
	size_t at = 0;
	for (int s = 0; s < CALL_STATUS_COUNT; s++) {
		at += (size_t)snprintf(allowed + at, sizeof allowed - at, "%s%s", s ? ", " : "",
				call_status_name((enum call_status)s));
		CH_ASSERT(at < sizeof allowed);
	}
	call_record_problem(r, r->fields[CALL_STATUS], "must be one of %s", allowed);
}

static bool parse_time(struct call_record *r, enum call_field f, int64_t *ret_s)
{
	size_t len;
	const char *text = string_field(r, f, &len);
	if (!text)
		return false;
	if (time_text_parse(text, len, ret_s)) {
		call_record_problem(r, r->fields[f], "must be an RFC 3339 time, like 2024-07-30T14:35:00Z");
		return false;
	}
	return true;
}

static void parse_times(struct call_record *r, int64_t now_s)
{
	r->has_start = parse_time(r, CALL_START_TIME, &r->start_s);
	r->has_end = parse_time(r, CALL_END_TIME, &r->end_s);
	if (r->has_start && r->has_end && r->end_s < r->start_s)
		call_record_problem(r, r->fields[CALL_END_TIME], "must not be before startTime");
	r->facts.has_created = parse_time(r, CALL_CREATED, &r->facts.created_s);
	if (!r->facts.has_created)
		r->facts.created_s = now_s;
}

static void check_duration(struct call_record *r)
{
	uint32_t at = r->fields[CALL_DURATION];
	if (at == JSON_NONE)
		return;
	const struct json_node *n = json_node(r->doc, at);
	if (n->flags & JSON_F_BAD)
		return;
	const char *text = json_text(r->doc, n->text);
	/* In canonical form a whole number, however it was spelled, is digits alone. */
	bool is_whole = n->type == JSON_T_NUMBER && text[0] != '-' && !memchr(text, '.', n->text_len) &&
			!memchr(text, 'e', n->text_len);
	if (!is_whole)
		call_record_problem(r, at, "must be a whole number of seconds, 0 or more, or null");
}

static void check_boolean(struct call_record *r, enum call_field f)
{
	uint32_t at = r->fields[f];
	if (at == JSON_NONE)
		return;
	enum json_type type = json_node(r->doc, at)->type;
	if (type != JSON_T_TRUE && type != JSON_T_FALSE)
		call_record_problem(r, at, "must be true or false, not %s", call_record_kind(r, at));
}

/* The first container inside at that is more than max deep. */
static uint32_t too_deep(const struct json_doc *d, uint32_t at, unsigned max)
{
	uint32_t ends[JSON_DEPTH_MAX];
	unsigned depth = 0;
	for (uint32_t i = at;; i++) {
		while (depth > 0 && ends[depth - 1] <= i)
			depth--;
		if (json_node(d, i)->height == 0)
			continue;
		if (depth == max)
			return i;
		ends[depth++] = json_node(d, i)->end;
	}
}

static void check_context(struct call_record *r)
{
	uint32_t at = r->fields[CALL_CONTEXT];
	if (at == JSON_NONE)
		return;
	const struct json_node *n = json_node(r->doc, at);
	if (n->type != JSON_T_OBJECT)
		call_record_problem(r, at, "must be an object, not %s", call_record_kind(r, at));
	else if (n->height > CALL_CONTEXT_DEPTH_MAX)
		call_record_problem(r, too_deep(r->doc, at, CALL_CONTEXT_DEPTH_MAX),
				"context is nested more than %d levels deep", CALL_CONTEXT_DEPTH_MAX);
}

void call_record_parse(struct call_record *r, const struct id *path_id, int64_t now_s)
{
	for (int f = 0; f < CALL_FIELD_COUNT; f++)
		r->fields[f] = JSON_NONE;
	if (json_node(r->doc, 0)->type != JSON_T_OBJECT) {
		call_record_problem(r, 0, "a call record must be an object, not %s", call_record_kind(r, 0));
		return;
	}
	collect_fields(r);
	parse_ids(r, path_id);
	parse_phone(r);
	parse_type(r);
	check_duration(r);
	parse_times(r, now_s);
	check_boolean(r, CALL_ANONYMOUS);
	parse_status(r);
	if (r->fields[CALL_EXTRACTORS] != JSON_NONE)
		call_record_check_extractors(r, r->fields[CALL_EXTRACTORS]);
	if (r->fields[CALL_CLASSIFIERS] != JSON_NONE)
		call_record_check_classifiers(r, r->fields[CALL_CLASSIFIERS]);
	check_context(r);
	check_boolean(r, CALL_RECORDED);
	if (r->fields[CALL_SUMMARY] != JSON_NONE)
		(void)call_record_is_string(r, r->fields[CALL_SUMMARY]);
}
