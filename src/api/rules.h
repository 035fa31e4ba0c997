/* api/rules.h - what openapi.json says of a request's input, and checking it.
 *
 * Role:      the tables are made by tools/api_rules.py out of the document when the program is built: query
 *            parameters and JSON bodies, but not call records, which model/call_codec reads. What a schema
 *            can't say is left to the handlers.
 * Threads:   constant.
 * Errors:    each mistake is added to problems; no value is quoted, for it may be a secret.
 */
#ifndef CH_API_RULES_H
#define CH_API_RULES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/query.h"
#include "model/problems.h"

enum rule_type {
	RULE_NULL = 1,
	RULE_BOOLEAN = 2,
	RULE_INTEGER = 4,
	RULE_STRING = 8,
	RULE_ARRAY = 16,
	RULE_OBJECT = 32
};

enum rule_format { RULE_NO_FORMAT, RULE_UUID, RULE_DATE, RULE_DATE_TIME, RULE_MOMENT };

struct rule_member;

struct rule {
	unsigned types; /* enum rule_type, or-ed */
	enum rule_format format;
	int64_t min, max; /* of the number; of how many characters, elements or members */
	const char *const *words; /* NULL-terminated; NULL: any */
	const struct rule *each; /* elements; members that are not named */
	const struct rule_member *members;
	size_t member_count;
	const char *const *read_only; /* NULL-terminated members that answers have and requests must not */
	bool is_closed; /* no members but those */
};

struct rule_member {
	const char *name;
	const struct rule *rule;
	bool is_required;
};

struct rules {
	const char *method;
	const char *pattern; /* as in api_routes */
	const struct rule_member *params; /* of the query */
	size_t param_count;
	bool is_any_query;
	const struct rule *body; /* NULL: none, or it is read elsewhere */
};

extern const struct rules api_rules[];
extern const size_t api_rules_count;

/* NULL: the document does not know the route. */
const struct rules *rules_find(const char *method, const char *pattern);
/* raw: without the ?. CH_EINVAL or CH_ENOMEM. */
int rules_check_query(const struct rules *rules, const char *raw, struct problems *problems) CH_MUST_USE;
/* The same: CH_ENOMEM only when there is no mistake to name. */
int rules_check_json(const struct rule *rule, json_t *value, struct problems *problems) CH_MUST_USE;

#endif
