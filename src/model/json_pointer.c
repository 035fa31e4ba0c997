#include "model/json_pointer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/crypto.h"

static const char REPLACEMENT[] = "\xef\xbf\xbd";

void json_pointer_init(struct json_pointer *p)
{
	p->len = 0;
	p->text[0] = '\0';
}

static void add(struct json_pointer *p, const char *text, size_t len)
{
	size_t room = sizeof p->text - 1 - p->len;
	if (len > room)
		len = room;
	memcpy(p->text + p->len, text, len);
	p->len += len;
	p->text[p->len] = '\0';
}

static void add_char(struct json_pointer *p, char c)
{
	if (c == '~')
		add(p, "~0", 2);
	else if (c == '/')
		add(p, "~1", 2);
	else if (c == '\0')
		add(p, REPLACEMENT, sizeof REPLACEMENT - 1);
	else
		add(p, &c, 1);
}

/* Adds what the canonical escape at s stands for; returns its length. */
static size_t add_escape(struct json_pointer *p, const char *s)
{
	static const char short_forms[] = "b\bf\fn\nr\rt\t\"\"\\\\";
	for (const char *f = short_forms; *f; f += 2) {
		if (*f == s[1]) {
			add_char(p, f[1]);
			return 2;
		}
	}
	uint8_t value;
	CH_ASSERT(s[1] == 'u' && ch_unhex(s + 4, 2, &value) == 0);
	add_char(p, (char)value);
	return 6;
}

void json_pointer_add_key(struct json_pointer *p, const char *canonical, size_t len)
{
	add(p, "/", 1);
	for (size_t i = 0; i < len && p->len < sizeof p->text - 1;) {
		if (canonical[i] == '\\') {
			i += add_escape(p, canonical + i);
		} else {
			add_char(p, canonical[i++]);
		}
	}
}

void json_pointer_add_index(struct json_pointer *p, uint32_t index)
{
	char text[16];
	int len = snprintf(text, sizeof text, "/%u", index);
	add(p, text, (size_t)len);
}

void json_pointer_to(struct json_pointer *p, const struct json_doc *d, uint32_t node)
{
	json_pointer_init(p);
	for (uint32_t at = 0; at != node;) {
		bool is_object = json_node(d, at)->type == JSON_T_OBJECT;
		uint32_t child = at + 1, index = 0;
		while (json_node(d, child)->end <= node) {
			child = json_node(d, child)->end;
			index++;
		}
		const struct json_node *n = json_node(d, child);
		if (is_object)
			json_pointer_add_key(p, json_text(d, n->key), n->key_len);
		else
			json_pointer_add_index(p, index);
		at = child;
	}
}

void json_problem(struct problems *problems, const struct json_doc *d, uint32_t node, const char *fmt, ...)
{
	/* A full list takes no more, and the search for the place is what costs. */
	if (problems->truncated || problems->count == PROBLEMS_MAX) {
		problems->truncated = true;
		return;
	}
	struct json_pointer pointer;
	json_pointer_to(&pointer, d, node);
	char detail[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(detail, sizeof detail, fmt, ap);
	va_end(ap);
	problems_add(problems, pointer.text, "%s", detail);
}
