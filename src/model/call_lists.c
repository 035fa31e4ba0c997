#include <string.h>

#include "model/call_record.h"
#include "model/json_pointer.h"

enum member { MEMBER_NAME, MEMBER_VALUE, MEMBER_TYPE, MEMBER_COUNT };

static const char *const MEMBER_NAMES[MEMBER_COUNT] = {"name", "value", "type"};

static enum member find_member(const char *key, uint32_t len)
{
	for (int m = 0; m < MEMBER_COUNT; m++) {
		if (strlen(MEMBER_NAMES[m]) == len && memcmp(MEMBER_NAMES[m], key, len) == 0)
			return (enum member)m;
	}
	return MEMBER_COUNT;
}

static void missing(struct call_record *r, uint32_t item, enum member m)
{
	r->is_bad = true;
	if (r->problems->truncated || r->problems->count == PROBLEMS_MAX) {
		r->problems->truncated = true;
		return;
	}
	struct json_pointer pointer;
	json_pointer_to(&pointer, r->doc, item);
	json_pointer_add_key(&pointer, MEMBER_NAMES[m], strlen(MEMBER_NAMES[m]));
	problems_add(r->problems, pointer.text, "is required");
}

/* The members of an extractor or classifier by name, the first `known` of enum member being allowed.
 * False when it is no object or lacks its name or value. */
static bool collect_members(struct call_record *r, uint32_t item, const char *what, int known, uint32_t *ret)
{
	struct json_doc *d = r->doc;
	if (json_node(d, item)->type != JSON_T_OBJECT) {
		call_record_problem(
				r, item, "must be %s, an object, not %s", what, call_record_kind(r, item));
		return false;
	}
	for (int m = 0; m < MEMBER_COUNT; m++)
		ret[m] = JSON_NONE;
	for (uint32_t at = item + 1; at < json_node(d, item)->end; at = json_node(d, at)->end) {
		enum member m = find_member(json_text(d, json_node(d, at)->key), json_node(d, at)->key_len);
		if ((int)m < known)
			ret[m] = at;
		else
			call_record_problem(r, at, "%s has no such field", what);
	}
	for (int m = MEMBER_NAME; m <= MEMBER_VALUE; m++) {
		if (ret[m] == JSON_NONE)
			missing(r, item, (enum member)m);
	}
	return ret[MEMBER_NAME] != JSON_NONE && ret[MEMBER_VALUE] != JSON_NONE;
}

/* From now on the item is known by its name: see call_record.h. */
static void set_name_and_value(struct call_record *r, uint32_t item, const uint32_t *members)
{
	const struct json_node *name = json_node(r->doc, members[MEMBER_NAME]);
	struct json_node *n = &r->doc->nodes[item];
	n->key = name->text;
	n->key_len = name->text_len;
	n->text = members[MEMBER_VALUE];
}

static bool is_list(struct call_record *r, uint32_t at)
{
	if (json_node(r->doc, at)->type == JSON_T_ARRAY)
		return true;
	call_record_problem(r, at, "must be an array, not %s", call_record_kind(r, at));
	return false;
}

static void check_extractor_list(struct call_record *r, uint32_t list, int depth);

static void check_strings(struct call_record *r, uint32_t list)
{
	const struct json_doc *d = r->doc;
	for (uint32_t at = list + 1; at < json_node(d, list)->end; at = json_node(d, at)->end) {
		if (json_node(d, at)->type == JSON_T_OBJECT)
			call_record_problem(r, at,
					"the list began with a string: it holds strings or extractors, never "
					"both");
		else
			(void)call_record_is_string(r, at);
	}
}

static void check_extractor_value(struct call_record *r, uint32_t list, int depth)
{
	const struct json_doc *d = r->doc;
	if (!is_list(r, list) || json_node(d, list)->text_len == 0)
		return;
	if (json_node(d, list + 1)->type == JSON_T_OBJECT)
		check_extractor_list(r, list, depth + 1);
	else
		check_strings(r, list);
}

static void check_extractor(struct call_record *r, uint32_t item, int depth)
{
	uint32_t members[MEMBER_COUNT];
	if (!collect_members(r, item, "an extractor", MEMBER_TYPE, members))
		return;
	(void)call_record_is_string(r, members[MEMBER_NAME]);
	check_extractor_value(r, members[MEMBER_VALUE], depth);
	set_name_and_value(r, item, members);
}

/* depth: how many lists of extractors this one makes, from the outermost; recursion ends with it. */
static void check_extractor_list(struct call_record *r, uint32_t list, int depth)
{
	const struct json_doc *d = r->doc;
	if (depth > CALL_EXTRACTOR_DEPTH_MAX) {
		call_record_problem(r, list, "extractors are nested more than %d levels deep",
				CALL_EXTRACTOR_DEPTH_MAX);
		return;
	}
	for (uint32_t at = list + 1; at < json_node(d, list)->end; at = json_node(d, at)->end) {
		if (depth > 1 && json_node(d, at)->type == JSON_T_STRING)
			call_record_problem(r, at,
					"the list began with an extractor: it holds strings or extractors, "
					"never both");
		else
			check_extractor(r, at, depth);
	}
}

void call_record_check_extractors(struct call_record *r, uint32_t list)
{
	if (is_list(r, list))
		check_extractor_list(r, list, 1);
}

static void check_classifier_type(struct call_record *r, uint32_t item, uint32_t at)
{
	if (at == JSON_NONE || !call_record_is_string(r, at))
		return;
	const struct json_node *n = json_node(r->doc, at);
	const char *text = json_text(r->doc, n->text);
	if (n->text_len == 7 && memcmp(text, "PRIMARY", 7) == 0)
		r->doc->nodes[item].flags |= CALL_F_PRIMARY;
	else if (n->text_len != 9 || memcmp(text, "SECONDARY", 9) != 0)
		call_record_problem(r, at, "must be one of PRIMARY, SECONDARY");
}

void call_record_check_classifiers(struct call_record *r, uint32_t list)
{
	const struct json_doc *d = r->doc;
	if (!is_list(r, list))
		return;
	for (uint32_t at = list + 1; at < json_node(d, list)->end; at = json_node(d, at)->end) {
		uint32_t members[MEMBER_COUNT];
		if (!collect_members(r, at, "a classifier", MEMBER_COUNT, members))
			continue;
		(void)call_record_is_string(r, members[MEMBER_NAME]);
		(void)call_record_is_string(r, members[MEMBER_VALUE]);
		check_classifier_type(r, at, members[MEMBER_TYPE]);
		set_name_and_value(r, at, members);
	}
}
