#include "api/rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/time_text.h"
#include "model/id.h"

#define POINTER_MAX 1024
#define DATE_LEN 10

struct walk {
	struct problems *problems;
	struct ch_buf at; /* the pointer to what is looked at */
};

const struct rules *rules_find(const char *method, const char *pattern)
{
	for (size_t i = 0; i < api_rules_count; i++)
		if (strcmp(api_rules[i].pattern, pattern) == 0 && strcmp(api_rules[i].method, method) == 0)
			return &api_rules[i];
	return NULL;
}

/* ---- values ---- */

static bool is_date(const char *text, size_t len)
{
	char whole[TIME_TEXT_LEN + 1] = "yyyy-MM-ddT00:00:00Z";
	int64_t s;

	if (len != DATE_LEN)
		return false;
	memcpy(whole, text, DATE_LEN);
	return time_text_parse(whole, TIME_TEXT_LEN, &s) == 0;
}

/* NULL: the text has the format. */
static const char *format_refusal(enum rule_format format, const char *text, size_t len)
{
	struct id id;
	int64_t s;

	switch (format) {
	case RULE_NO_FORMAT:
		return NULL;
	case RULE_UUID:
		return id_parse(text, len, &id) == 0 ? NULL : "must be a UUID in lower case";
	case RULE_DATE:
		return is_date(text, len) ? NULL : "must be a date, such as 2024-07-30";
	case RULE_DATE_TIME:
		return time_text_parse(text, len, &s) == 0 ? NULL : "must be an RFC 3339 date-time";
	case RULE_MOMENT:
		return is_date(text, len) || time_text_parse(text, len, &s) == 0
				       ? NULL
				       : "must be a date or an RFC 3339 date-time";
	}
	return NULL;
}

static int64_t code_points(const char *text, size_t len)
{
	int64_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

static bool is_word(const char *const *words, const char *text)
{
	for (; *words; words++)
		if (strcmp(*words, text) == 0)
			return true;
	return false;
}

static void write_words(struct ch_buf *out, const char *const *words)
{
	ch_buf_adds(out, words[1] ? "must be one of " : "must be ");
	for (size_t i = 0; words[i]; i++)
		ch_buf_addf(out, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " and ", words[i]);
}

static void write_range(struct ch_buf *out, const struct rule *rule, const char *what)
{
	if (rule->min == INT64_MIN)
		ch_buf_addf(out, "must be %s of at most %" PRId64, what, rule->max);
	else if (rule->max == INT64_MAX)
		ch_buf_addf(out, "must be %s from %" PRId64 " up", what, rule->min);
	else
		ch_buf_addf(out, "must be %s from %" PRId64 " to %" PRId64, what, rule->min, rule->max);
}

static bool is_within(const struct rule *rule, int64_t n)
{
	return n >= rule->min && n <= rule->max;
}

/* Writes why the text is refused; nothing: it is not. */
static void refuse_text(const struct rule *rule, const char *text, size_t len, struct ch_buf *out)
{
	const char *refusal = format_refusal(rule->format, text, len);

	if (rule->words && (strlen(text) != len || !is_word(rule->words, text)))
		write_words(out, rule->words);
	else if (refusal)
		ch_buf_adds(out, refusal);
	else if (!is_within(rule, code_points(text, len)))
		ch_buf_addf(out, "must have %" PRId64 " to %" PRId64 " characters",
				rule->min < 0 ? 0 : rule->min, rule->max);
}

static void refuse_integer(const struct rule *rule, int64_t n, struct ch_buf *out)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, n);
	if (rule->words && !is_word(rule->words, text))
		write_words(out, rule->words);
	else if (!is_within(rule, n))
		write_range(out, rule, "a whole number");
}

static void refuse_count(const struct rule *rule, size_t n, const char *what, struct ch_buf *out)
{
	if (is_within(rule, (int64_t)n))
		return;
	if (n == 0)
		ch_buf_addf(out, "must have at least one %s", what);
	else
		ch_buf_addf(out, "must have at most %" PRId64 " %ss", rule->max, what);
}

/* ---- the query ---- */

/* Up to 18 digits with a sign: more is out of every range. */
static bool parse_integer(const char *text, int64_t *ret)
{
	bool is_negative = *text == '-';
	const char *digits = text + is_negative;
	size_t len = strlen(digits);
	int64_t n = 0;

	if (len == 0 || strspn(digits, "0123456789") != len)
		return false;
	for (size_t i = 0; i < len; i++)
		n = i < 18 ? n * 10 + (digits[i] - '0') : INT64_MAX;
	*ret = is_negative ? -n : n;
	return true;
}

static void refuse_param(const struct rule *rule, const char *text, struct ch_buf *out)
{
	int64_t n;

	if (rule->types & RULE_BOOLEAN) {
		if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
			ch_buf_adds(out, "must be true or false");
	} else if (rule->types & RULE_INTEGER) {
		if (parse_integer(text, &n))
			refuse_integer(rule, n, out);
		else
			write_range(out, rule, "a whole number");
	} else {
		refuse_text(rule, text, strlen(text), out);
	}
}

static void check_params(const struct rules *rules, const struct query *q, struct problems *problems)
{
	struct ch_buf words;

	ch_buf_init(&words, POINTER_MAX);
	for (size_t i = 0; i < rules->param_count; i++) {
		const struct rule_member *p = &rules->params[i];
		const char *text = query_get(q, p->name);

		ch_buf_clear(&words);
		if (text)
			refuse_param(p->rule, text, &words);
		/* What could not be said is not taken either. */
		if (words.err)
			problems->truncated = true;
		if (words.len > 0)
			problems_add(problems, "", "query parameter \"%s\" %s%s", p->name,
					ch_buf_text(&words),
					p->rule->format == RULE_MOMENT ? " (a + is sent as %2B)" : "");
	}
	ch_buf_fini(&words);
}

/* Of two things that may be wrong: there are mistakes to name, or there was no memory for the first. */
static int result_of(const struct problems *problems)
{
	if (problems->count > 0)
		return CH_EINVAL;
	return problems->truncated ? CH_ENOMEM : 0;
}

int rules_check_query(const struct rules *rules, const char *raw, struct problems *problems)
{
	const char *names[QUERY_PARAMS_MAX + 1] = {NULL};
	struct query q;

	if (rules->is_any_query)
		return 0;
	for (size_t i = 0; i < rules->param_count && i < QUERY_PARAMS_MAX; i++)
		names[i] = rules->params[i].name;
	int rc = query_parse(raw, names, &q, problems);
	if (rc != 0)
		return rc;
	check_params(rules, &q, problems);
	query_fini(&q);
	return result_of(problems);
}

/* ---- bodies ---- */

/* Nothing is of no type. */
static const struct rule read_only_rule = {.types = 0};

static void check_value(struct walk *w, const struct rule *rule, json_t *value);

static unsigned type_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_NULL:
		return RULE_NULL;
	case JSON_TRUE:
	case JSON_FALSE:
		return RULE_BOOLEAN;
	case JSON_INTEGER:
		return RULE_INTEGER;
	case JSON_STRING:
		return RULE_STRING;
	case JSON_ARRAY:
		return RULE_ARRAY;
	case JSON_OBJECT:
		return RULE_OBJECT;
	case JSON_REAL:
		break;
	}
	return 0;
}

static void write_type(struct ch_buf *out, const struct rule *rule, bool is_null)
{
	if (rule->types == 0)
		ch_buf_adds(out, "can only be read");
	else if (is_null)
		ch_buf_adds(out, "must not be null");
	else if (rule->words)
		write_words(out, rule->words);
	else if (rule->types & RULE_INTEGER)
		write_range(out, rule, "a whole number");
	else if (rule->types & RULE_BOOLEAN)
		ch_buf_adds(out, "must be true or false");
	else if (rule->format != RULE_NO_FORMAT)
		ch_buf_adds(out, format_refusal(rule->format, "", 0));
	else
		ch_buf_adds(out, rule->types & RULE_STRING  ? "must be a string"
				 : rule->types & RULE_ARRAY ? "must be a list"
							    : "must be an object");
	if (!is_null && (rule->types & RULE_NULL))
		ch_buf_adds(out, ", or null");
}

/* Goes one step down, and back. */
static void check_below(struct walk *w, const char *key, const struct rule *rule, json_t *value)
{
	size_t before = w->at.len;

	ch_buf_addc(&w->at, '/');
	for (const char *p = key; *p; p++) {
		if (*p == '~' || *p == '/')
			ch_buf_adds(&w->at, *p == '~' ? "~0" : "~1");
		else
			ch_buf_addc(&w->at, *p);
	}
	if (value && rule)
		check_value(w, rule, value);
	else
		problems_add(w->problems, ch_buf_text(&w->at), value ? "is not known here" : "is required");
	w->at.len = before;
	w->at.err = 0;
	if (w->at.data)
		w->at.data[before] = '\0';
}

static const struct rule_member *member_of(const struct rule *rule, const char *key)
{
	for (size_t i = 0; i < rule->member_count; i++)
		if (strcmp(rule->members[i].name, key) == 0)
			return &rule->members[i];
	return NULL;
}

static void check_members(struct walk *w, const struct rule *rule, json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		const struct rule_member *m = member_of(rule, key);
		if (m)
			check_below(w, key, m->rule, value);
		else if (rule->each)
			check_below(w, key, rule->each, value);
		else if (rule->is_closed && rule->read_only && is_word(rule->read_only, key))
			check_below(w, key, &read_only_rule, value);
		else if (rule->is_closed)
			check_below(w, key, NULL, value);
	}
	for (size_t i = 0; i < rule->member_count; i++)
		if (rule->members[i].is_required && !json_object_get(object, rule->members[i].name))
			check_below(w, rule->members[i].name, NULL, NULL);
}

static void check_elements(struct walk *w, const struct rule *rule, json_t *array)
{
	char key[24];
	json_t *value;
	size_t i;

	json_array_foreach(array, i, value)
	{
		(void)snprintf(key, sizeof(key), "%zu", i);
		check_below(w, key, rule->each, value);
	}
}

static void check_value(struct walk *w, const struct rule *rule, json_t *value)
{
	unsigned type = type_of(value);
	struct ch_buf words;

	ch_buf_init(&words, POINTER_MAX);
	if (!(rule->types & type))
		write_type(&words, rule, type == RULE_NULL);
	else if (type == RULE_STRING)
		refuse_text(rule, json_string_value(value), json_string_length(value), &words);
	else if (type == RULE_INTEGER)
		refuse_integer(rule, json_integer_value(value), &words);
	else if (type == RULE_ARRAY)
		refuse_count(rule, json_array_size(value), "element", &words);
	else if (type == RULE_OBJECT)
		refuse_count(rule, json_object_size(value), "member", &words);
	if (words.len > 0)
		problems_add(w->problems, ch_buf_text(&w->at), "%s", ch_buf_text(&words));
	else if (type == RULE_OBJECT)
		check_members(w, rule, value);
	else if (type == RULE_ARRAY && rule->each)
		check_elements(w, rule, value);
	if (words.err)
		w->problems->truncated = true;
	ch_buf_fini(&words);
}

int rules_check_json(const struct rule *rule, json_t *value, struct problems *problems)
{
	struct walk w = {.problems = problems};

	ch_buf_init(&w.at, POINTER_MAX);
	check_value(&w, rule, value);
	ch_buf_fini(&w.at);
	return result_of(problems);
}
