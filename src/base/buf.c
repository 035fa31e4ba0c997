#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"

#define FIRST_CAP 64

void ch_buf_init(struct ch_buf *b, size_t limit)
{
	/* A quarter of the address space stands for "no limit" and keeps the sums below from overflowing. */
	*b = (struct ch_buf){.limit = limit < SIZE_MAX / 4 ? limit : SIZE_MAX / 4};
}

void ch_buf_fini(struct ch_buf *b)
{
	ch_free(b->data);
	*b = (struct ch_buf){.limit = b->limit};
}

void ch_buf_clear(struct ch_buf *b)
{
	b->len = 0;
	b->err = 0;
	if (b->data)
		b->data[0] = '\0';
}

static char *grow(struct ch_buf *b, size_t more)
{
	if (more > b->limit - b->len) {
		b->err = CH_ELIMIT;
		return NULL;
	}
	size_t need = b->len + more + 1;
	size_t cap = b->cap < FIRST_CAP / 2 ? FIRST_CAP : b->cap * 2;
	if (cap < need)
		cap = need;
	if (cap > b->limit + 1)
		cap = b->limit + 1;
	char *data = ch_realloc(b->data, cap);
	if (!data) {
		b->err = CH_ENOMEM;
		return NULL;
	}
	data[b->len] = '\0';
	b->data = data;
	b->cap = cap;
	return data + b->len;
}

/* cap never exceeds limit + 1, so that this one comparison covers the limit too. */
static inline char *room(struct ch_buf *b, size_t more)
{
	if (__builtin_expect(b->err != 0, 0))
		return NULL;
	if (__builtin_expect(more < b->cap - b->len, 1))
		return b->data + b->len;
	return grow(b, more);
}

char *ch_buf_reserve(struct ch_buf *b, size_t more)
{
	return room(b, more);
}

void ch_buf_commit(struct ch_buf *b, size_t wrote)
{
	CH_ASSERT(b->data && wrote < b->cap - b->len);
	b->len += wrote;
	b->data[b->len] = '\0';
}

void ch_buf_add(struct ch_buf *b, const void *data, size_t len)
{
	if (len == 0)
		return;
	char *to = room(b, len);
	if (!to)
		return;
	memcpy(to, data, len);
	to[len] = '\0';
	b->len += len;
}

void ch_buf_addc(struct ch_buf *b, char c)
{
	char *to = room(b, 1);
	if (!to)
		return;
	to[0] = c;
	to[1] = '\0';
	b->len++;
}

void ch_buf_adds(struct ch_buf *b, const char *text)
{
	ch_buf_add(b, text, strlen(text));
}

void ch_buf_addf(struct ch_buf *b, const char *fmt, ...)
{
	char *to = room(b, 0);
	if (!to)
		return;
	va_list args;
	va_list again;
	va_start(args, fmt);
	va_copy(again, args);
	int n = vsnprintf(to, b->cap - b->len, fmt, args);
	if (n >= 0 && (size_t)n >= b->cap - b->len) {
		*to = '\0'; /* no part of it stays, should there be no room */
		to = room(b, (size_t)n);
		if (to)
			n = vsnprintf(to, b->cap - b->len, fmt, again);
	}
	va_end(again);
	va_end(args);
	if (n < 0)
		b->err = CH_ELIMIT; /* longer than INT_MAX */
	if (b->err)
		b->data[b->len] = '\0';
	else
		b->len += (size_t)n;
}

const char *ch_buf_text(const struct ch_buf *b)
{
	return b->data ? b->data : "";
}

char *ch_buf_detach(struct ch_buf *b)
{
	char *data = room(b, 0);
	if (data)
		data = b->data;
	else
		ch_free(b->data);
	*b = (struct ch_buf){.limit = b->limit, .err = b->err};
	return data;
}
