#include "model/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/json_utf8.h"

#define POINTER_BYTES 256
#define DETAIL_BYTES 512

static const char REPLACEMENT[] = "\xef\xbf\xbd";
static const char ELLIPSIS[] = "\xe2\x80\xa6";

void problems_init(struct problems *p)
{
	p->count = 0;
	p->truncated = false;
}

void problems_fini(struct problems *p)
{
	for (size_t i = 0; i < p->count; i++) {
		ch_free(p->items[i].pointer);
		ch_free(p->items[i].detail);
	}
	problems_init(p);
}

/* Copies text into out, at most max bytes: every byte that is not UTF-8 becomes U+FFFD, and a text
 * that is too long ends in an ellipsis behind a whole character. out has room for max + 1. */
static void copy_clean(const char *text, char *out, size_t max)
{
	const char *end = text + strlen(text);
	size_t len = 0, cut = 0;
	while (text < end) {
		size_t n = json_utf8_len(text, end);
		size_t bytes = n ? n : sizeof REPLACEMENT - 1;
		if (len + bytes > max) {
			len = cut;
			memcpy(out + len, ELLIPSIS, sizeof ELLIPSIS - 1);
			len += sizeof ELLIPSIS - 1;
			break;
		}
		memcpy(out + len, n ? text : REPLACEMENT, bytes);
		len += bytes;
		text += n ? n : 1;
		if (len <= max - (sizeof ELLIPSIS - 1))
			cut = len;
	}
	out[len] = '\0';
}

void problems_add(struct problems *p, const char *pointer, const char *fmt, ...)
{
	if (p->count == PROBLEMS_MAX) {
		p->truncated = true;
		return;
	}
	char words[DETAIL_BYTES * 2], clean[DETAIL_BYTES + 1];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	copy_clean(words, clean, DETAIL_BYTES);
	char *detail_copy = ch_strdup(clean);
	copy_clean(pointer, clean, POINTER_BYTES);
	char *pointer_copy = ch_strdup(clean);
	if (!detail_copy || !pointer_copy) {
		ch_free(detail_copy);
		ch_free(pointer_copy);
		p->truncated = true;
		return;
	}
	p->items[p->count++] = (struct problem){.pointer = pointer_copy, .detail = detail_copy};
}
