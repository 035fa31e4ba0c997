#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Plain variables, not atomics: the hook is set before threads start, and every allocation reads it. */
static bool (*fail_hook)(void *ctx);
static void *fail_hook_ctx;

static _Thread_local unsigned failures;

static void *counted(void *p)
{
	failures += p == NULL;
	return p;
}

unsigned ch_alloc_failures(void)
{
	return failures;
}

static inline bool should_fail(void)
{
	return __builtin_expect(fail_hook != NULL, 0) && fail_hook(fail_hook_ctx);
}

void *ch_alloc(size_t bytes)
{
	if (should_fail())
		return counted(NULL);
	return counted(malloc(bytes ? bytes : 1));
}

void *ch_calloc(size_t count, size_t bytes)
{
	if (should_fail())
		return counted(NULL);
	size_t total;
	if (__builtin_mul_overflow(count, bytes, &total))
		return counted(NULL);
	return counted(calloc(1, total ? total : 1));
}

void *ch_realloc(void *p, size_t bytes)
{
	if (should_fail())
		return counted(NULL);
	return counted(realloc(p, bytes ? bytes : 1)); /* realloc(p, 0) would free p */
}

void ch_free(void *p)
{
	free(p);
}

char *ch_strdup(const char *text)
{
	return ch_memdup0(text, strlen(text));
}

char *ch_memdup0(const void *data, size_t len)
{
	if (len == SIZE_MAX)
		return NULL;
	char *copy = ch_alloc(len + 1);
	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, data, len);
	copy[len] = '\0';
	return copy;
}

void ch_free_p(void *p)
{
	void *block;
	memcpy(&block, p, sizeof(block)); /* p points to a pointer of any type */
	free(block);
}

void ch_alloc_set_hook(bool (*hook)(void *ctx), void *ctx)
{
	fail_hook = hook;
	fail_hook_ctx = ctx;
}
