/* policy/scope.h - what a caller of the API may do.
 *
 * Role:      the four scopes as a set, with their names; and what a session may do beside them.
 */
#ifndef CH_POLICY_SCOPE_H
#define CH_POLICY_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum scope {
	SCOPE_NONE = 0, /* a route that asks for none */
	SCOPE_CALLS_READ = 1 << 0,
	SCOPE_CALLS_WRITE = 1 << 1,
	SCOPE_INTEGRATIONS_READ = 1 << 2,
	SCOPE_INTEGRATIONS_WRITE = 1 << 3,
	SCOPE_ALL = (1 << 4) - 1
};

typedef uint8_t scope_set;

/* What is kept from a session of the page unless it was given. Keys and bearer tokens have all of it. */
enum permit {
	PERMIT_NONE = 0,
	PERMIT_ROTATE = 1 << 0,
	PERMIT_REVEAL = 1 << 1,
	PERMIT_ERASE = 1 << 2,
	PERMIT_KEYS = 1 << 3, /* the account's own API keys: whoever rotates one has a whole key */
	PERMIT_ALL = (1 << 4) - 1
};

typedef uint8_t permit_set;

const char *scope_name(enum scope s); /* "calls:read"; s is one of the four, else a bug */
int scope_parse(const char *text, size_t len, enum scope *ret) CH_MUST_USE;
bool scope_allows(scope_set held, scope_set needed);

const char *permit_name(enum permit p); /* "rotate"; p is one of the four, else a bug */
int permit_parse(const char *text, size_t len, enum permit *ret) CH_MUST_USE;

#endif
