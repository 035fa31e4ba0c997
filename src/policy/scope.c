#include "policy/scope.h"

#include <string.h>

#include "base/assert.h"
#include "base/err.h"

static const struct {
	enum scope scope;
	const char *name;
} scopes[] = {
		{SCOPE_CALLS_READ, "calls:read"},
		{SCOPE_CALLS_WRITE, "calls:write"},
		{SCOPE_INTEGRATIONS_READ, "integrations:read"},
		{SCOPE_INTEGRATIONS_WRITE, "integrations:write"},
};

#define SCOPE_COUNT (sizeof(scopes) / sizeof(scopes[0]))

const char *scope_name(enum scope s)
{
	for (size_t i = 0; i < SCOPE_COUNT; i++) {
		if (scopes[i].scope == s)
			return scopes[i].name;
	}
	CH_UNREACHABLE();
}

int scope_parse(const char *text, size_t len, enum scope *ret)
{
	for (size_t i = 0; i < SCOPE_COUNT; i++) {
		if (strlen(scopes[i].name) == len && memcmp(scopes[i].name, text, len) == 0) {
			*ret = scopes[i].scope;
			return 0;
		}
	}
	return CH_EINVAL;
}

bool scope_allows(scope_set held, scope_set needed)
{
	return (held & needed) == needed;
}

static const struct {
	enum permit permit;
	const char *name;
} permits[] = {
		{PERMIT_ROTATE, "rotate"},
		{PERMIT_REVEAL, "reveal"},
		{PERMIT_ERASE, "erase"},
		{PERMIT_KEYS, "keys"},
};

#define PERMIT_COUNT (sizeof(permits) / sizeof(permits[0]))

const char *permit_name(enum permit p)
{
	for (size_t i = 0; i < PERMIT_COUNT; i++) {
		if (permits[i].permit == p)
			return permits[i].name;
	}
	CH_UNREACHABLE();
}

int permit_parse(const char *text, size_t len, enum permit *ret)
{
	for (size_t i = 0; i < PERMIT_COUNT; i++) {
		if (strlen(permits[i].name) == len && memcmp(permits[i].name, text, len) == 0) {
			*ret = permits[i].permit;
			return 0;
		}
	}
	return CH_EINVAL;
}
