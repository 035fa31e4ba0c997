/* api/query.h - the query string of a request, read strictly.
 *
 * Role:      pure: splits, decodes percent and plus, and refuses what is malformed, unknown or there twice,
 *            naming it.
 * Ownership: texts lie in the struct's own buffer.
 * Errors:    CH_EINVAL with every mistake in problems; CH_ENOMEM. On failure the struct is empty.
 */
#ifndef CH_API_QUERY_H
#define CH_API_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "model/problems.h"

#define QUERY_PARAMS_MAX 16

struct query_param {
	const char *name; /* as in known */
	const char *value; /* NUL-terminated UTF-8 without control characters */
};

struct query {
	char *buf;
	struct query_param params[QUERY_PARAMS_MAX];
	size_t count;
};

/* raw: without the ?. known: NULL-terminated names; NULL: none is known. q: uninitialised memory. */
int query_parse(const char *raw, const char *const *known, struct query *q,
		struct problems *problems) CH_MUST_USE;
void query_fini(struct query *q);
const char *query_get(const struct query *q, const char *name); /* NULL: not given */

#endif
