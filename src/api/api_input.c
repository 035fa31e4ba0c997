#include <string.h>

#include "api/api_core.h"
#include "api/rules.h"
#include "base/crypto.h"
#include "model/json_load.h"

bool api_path_id(struct api_request *r)
{
	if (id_parse(r->param, r->param_len, &r->id) == 0)
		return true;
	if (strcmp(r->route->method, "PUT") == 0) {
		struct problems problems;
		problems_init(&problems);
		problems_add(&problems, "/id", "the id in the path is not a UUID in lower case");
		api_invalid(r, "the id in the path is not a UUID", &problems);
	} else {
		api_problem(r, 404, "there is nothing with this id");
	}
	return false;
}

bool api_query(struct api_request *r, const char *const *names, struct query *q)
{
	struct problems problems;

	problems_init(&problems);
	int rc = query_parse(http_query(r->x), names, q, &problems);
	if (rc == 0)
		return true;
	if (rc == CH_ENOMEM)
		api_out_of_memory(r);
	else
		api_invalid(r, "the query is not valid", &problems);
	problems_fini(&problems);
	return false;
}

bool api_no_query(struct api_request *r)
{
	struct query q;

	if (!api_query(r, NULL, &q))
		return false;
	query_fini(&q);
	return true;
}

void api_unknown_member(struct problems *problems, const char *key)
{
	struct ch_buf pointer;

	ch_buf_init(&pointer, 1024);
	ch_buf_addc(&pointer, '/');
	for (const char *p = key; *p; p++) {
		if (*p == '~' || *p == '/')
			ch_buf_adds(&pointer, *p == '~' ? "~0" : "~1");
		else
			ch_buf_addc(&pointer, *p);
	}
	problems_add(problems, ch_buf_text(&pointer), "is not known here");
	ch_buf_fini(&pointer);
}

static void bad_json(struct api_request *r, const json_error_t *error)
{
	struct problems problems;

	if (json_error_code(error) == json_error_out_of_memory) {
		api_out_of_memory(r);
		return;
	}
	problems_init(&problems);
	problems_add(&problems, "", "line %d, column %d: %s", error->line, error->column, error->text);
	api_invalid(r, "the body is not valid JSON", &problems);
}

/* What the description of the API says of the body. False: it has replied. */
static bool fits_rules(struct api_request *r, json_t *json)
{
	const struct rules *rules = rules_find(r->route->method, r->route->pattern);
	struct problems problems;

	problems_init(&problems);
	int rc = rules && rules->body ? rules_check_json(rules->body, json, &problems) : 0;
	if (rc == CH_ENOMEM)
		api_out_of_memory(r);
	else if (rc != 0)
		api_invalid(r, "the body is not valid", &problems);
	return rc == 0;
}

/* What was brought where secrets are expected is overwritten, as far as jansson lets us. It may be the wrong
 * body, but the right secret. */
static void drop_refused(json_t *json, bool is_secret)
{
	const char *key;
	json_t *value;

	json_object_foreach(json, key, value)
	{
		const char *text = is_secret ? json_string_value(value) : NULL;
		if (text)
			ch_wipe((char *)(uintptr_t)text, json_string_length(value));
	}
	json_decref(json);
}

bool api_json_object(struct api_request *r, bool is_optional, json_t **ret)
{
	json_error_t error;
	size_t len;
	const char *body = http_body(r->x, &len);

	if (is_optional && len == 0) {
		*ret = NULL;
		return true;
	}
	json_t *json = NULL;
	int rc = json_load(body, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &json, &error);
	if (rc == CH_ENOMEM)
		api_out_of_memory(r);
	else if (rc)
		bad_json(r, &error);
	if (rc)
		return false;
	if (!json_is_object(json)) {
		struct problems problems;
		problems_init(&problems);
		problems_add(&problems, "", "must be an object");
		json_decref(json);
		api_invalid(r, "the body is not a JSON object", &problems);
		return false;
	}
	bool is_secret = r->is_secret; /* r is gone after a reply */
	if (!fits_rules(r, json)) {
		drop_refused(json, is_secret);
		return false;
	}
	*ret = json;
	return true;
}

bool api_no_members(struct api_request *r)
{
	struct problems problems;
	const char *key;
	json_t *value, *json;

	if (!api_json_object(r, true, &json))
		return false;
	problems_init(&problems);
	json_object_foreach(json, key, value) api_unknown_member(&problems, key);
	bool is_empty = json_object_size(json) == 0;
	json_decref(json);
	if (!is_empty)
		api_invalid(r, "the body must be empty, or {}", &problems);
	return is_empty;
}
