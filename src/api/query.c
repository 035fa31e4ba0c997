#include "api/query.h"

#include <string.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/err.h"
#include "model/json_utf8.h"

/* Decodes in place. Control characters, bytes that are not UTF-8 and a % without two digits are refused. */
static int decode(char *text)
{
	char *out = text;
	for (const char *p = text; *p; p++) {
		char c = *p == '+' ? ' ' : *p;
		if (*p == '%') {
			int high = ch_hex_value(p[1]);
			int low = high < 0 ? -1 : ch_hex_value(p[2]);
			if (low < 0)
				return CH_EINVAL;
			c = (char)(high * 16 + low);
			p += 2;
		}
		if ((unsigned char)c < 0x20 || c == 0x7f)
			return CH_EINVAL;
		*out++ = c;
	}
	*out = '\0';
	for (const char *p = text; p < out;) {
		size_t n = json_utf8_len(p, out);
		if (n == 0)
			return CH_EINVAL;
		p += n;
	}
	return 0;
}

static const char *find_known(const char *const *known, const char *name)
{
	for (; known && *known; known++)
		if (strcmp(*known, name) == 0)
			return *known;
	return NULL;
}

/* One "name=value"; it lies in q's buffer. */
static void take_param(struct query *q, char *text, const char *const *known, struct problems *problems)
{
	char *value = strchr(text, '=');
	if (value)
		*value++ = '\0';
	if (decode(text) != 0 || !*text) {
		problems_add(problems, "", "the query string is malformed");
		return;
	}
	const char *name = find_known(known, text);
	if (!name)
		problems_add(problems, "", "query parameter \"%s\" is not known here", text);
	else if (query_get(q, name))
		problems_add(problems, "", "query parameter \"%s\" is there more than once", name);
	else if (!value || decode(value) != 0)
		problems_add(problems, "", "query parameter \"%s\" has no value or a malformed one", name);
	else if (q->count < QUERY_PARAMS_MAX)
		q->params[q->count++] = (struct query_param){.name = name, .value = value};
}

int query_parse(const char *raw, const char *const *known, struct query *q, struct problems *problems)
{
	size_t before = problems->count;

	*q = (struct query){0};
	if (!*raw)
		return 0;
	q->buf = ch_strdup(raw);
	if (!q->buf)
		return CH_ENOMEM;
	for (char *text = q->buf; text;) {
		char *next = strchr(text, '&');
		if (next)
			*next++ = '\0';
		take_param(q, text, known, problems);
		text = next;
	}
	if (problems->count == before && !problems->truncated)
		return 0;
	query_fini(q);
	return CH_EINVAL;
}

void query_fini(struct query *q)
{
	ch_free(q->buf);
	*q = (struct query){0};
}

const char *query_get(const struct query *q, const char *name)
{
	for (size_t i = 0; i < q->count; i++)
		if (strcmp(q->params[i].name, name) == 0)
			return q->params[i].value;
	return NULL;
}
