#include <string.h>

#include "base/err.h"
#include "base/time_text.h"
#include "model/call_codec.h"

/* What stands before the parts that a client is free in has one form only, so that it is read from left to
 * right without a parser. */
struct reader {
	const char *at, *end;
	bool is_bad;
};

static bool take(struct reader *r, const char *text)
{
	size_t len = strlen(text);
	bool is_next = !r->is_bad && (size_t)(r->end - r->at) >= len && memcmp(r->at, text, len) == 0;

	if (is_next)
		r->at += len;
	return is_next;
}

static void need(struct reader *r, const char *text)
{
	if (!take(r, text))
		r->is_bad = true;
}

/* Up to the next quote, which is taken too. */
static const char *take_word(struct reader *r, size_t *ret_len)
{
	const char *word = r->at;
	const char *quote = r->is_bad ? NULL : memchr(word, '"', (size_t)(r->end - word));

	*ret_len = 0;
	if (quote == NULL) {
		r->is_bad = true;
		return word;
	}
	*ret_len = (size_t)(quote - word);
	r->at = quote + 1;
	return word;
}

static void take_id(struct reader *r, struct id *ret)
{
	size_t len;
	const char *word = take_word(r, &len);

	if (id_parse(word, len, ret) != 0)
		r->is_bad = true;
}

static void take_phone(struct reader *r, char ret[17])
{
	size_t len;
	const char *word;

	ret[0] = '\0';
	if (take(r, "null"))
		return;
	need(r, "\"");
	word = take_word(r, &len);
	if (r->is_bad || len >= 17) {
		r->is_bad = true;
		return;
	}
	memcpy(ret, word, len);
	ret[len] = '\0';
}

static void skip_number(struct reader *r)
{
	if (take(r, "null"))
		return;
	while (r->at < r->end && *r->at != ',')
		r->at++;
}

static void skip_time(struct reader *r)
{
	size_t len;

	if (take(r, "null"))
		return;
	need(r, "\"");
	(void)take_word(r, &len);
}

static void take_created(struct reader *r, int64_t *ret)
{
	static const char key[] = "\"created\":\"", tail[] = "\"}";
	const size_t len = sizeof(key) - 1 + TIME_TEXT_LEN + sizeof(tail) - 1;

	r->is_bad = r->is_bad || (size_t)(r->end - r->at) < len;
	if (r->is_bad)
		return;
	r->at = r->end - len;
	need(r, key);
	if (r->is_bad || time_text_parse(r->at, TIME_TEXT_LEN, ret) != 0) {
		r->is_bad = true;
		return;
	}
	r->at += TIME_TEXT_LEN;
	need(r, tail);
}

int call_body_facts(const char *body, size_t len, struct call_facts *ret)
{
	struct reader r = {body, body + len, body == NULL};
	struct call_facts facts = {.has_created = true};
	const char *word;
	size_t word_len;

	need(&r, "{\"id\":\"");
	take_id(&r, &facts.id);
	need(&r, ",\"agentId\":\"");
	take_id(&r, &facts.agent_id);
	need(&r, ",\"phone\":");
	take_phone(&r, facts.phone);
	need(&r, ",\"type\":\"");
	word = take_word(&r, &word_len);
	if (call_type_parse(word, word_len, &facts.type) != 0)
		r.is_bad = true;
	need(&r, ",\"duration\":");
	skip_number(&r);
	need(&r, ",\"startTime\":");
	skip_time(&r);
	need(&r, ",\"endTime\":");
	skip_time(&r);
	need(&r, ",\"anonymous\":");
	if (!take(&r, "false"))
		need(&r, "true");
	need(&r, ",\"status\":\"");
	word = take_word(&r, &word_len);
	if (call_status_parse(word, word_len, &facts.status) != 0)
		r.is_bad = true;
	take_created(&r, &facts.created_s);
	if (r.is_bad)
		return CH_EINVAL;
	*ret = facts;
	return 0;
}
