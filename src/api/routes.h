/* api/routes.h - the table of routes, and finding one.
 *
 * Role:      the one place that says what exists: router, authorisation, body limits, metrics and the
 *            description of the API read it.
 * Threads:   constant.
 */
#ifndef CH_API_ROUTES_H
#define CH_API_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "policy/scope.h"

struct api_request;

enum route_caller {
	ROUTE_OPEN, /* anybody */
	ROUTE_SIGN_IN, /* anybody so far: the handler looks at who it is */
	ROUTE_ACCOUNT, /* an account's key, or the operator for an account; scope says more */
	ROUTE_OWNER, /* the same, but no bearer token, whatever its scopes; scope: of a session */
	ROUTE_MINT, /* an account's key, or the operator for an account */
	ROUTE_OPERATOR /* the operator alone; the caller's account means nothing */
};

enum route_body {
	ROUTE_NO_BODY, /* one that comes is ignored */
	ROUTE_JSON,
	ROUTE_MAYBE_JSON, /* may be left out */
	ROUTE_MERGE_PATCH,
	ROUTE_NDJSON
};

enum route_limit { ROUTE_LIMIT_NONE, ROUTE_LIMIT_SMALL, ROUTE_LIMIT_CALL, ROUTE_LIMIT_IMPORT };

struct route {
	const char *method; /* HEAD goes by GET */
	const char *pattern; /* "/v1/calls/{id}"; a name in braces stands for one segment; the metrics' label
			      */
	enum route_caller caller;
	enum scope scope;
	enum route_body body;
	enum route_limit limit;
	enum permit permit; /* that a session needs beside the scope; all other callers have all */
	void (*handle)(struct api_request *r);
};

extern const struct route api_routes[];
extern const size_t api_route_count;

struct route_match {
	const struct route *route; /* NULL: none for this method */
	bool has_path; /* false: no route has this path */
	const char *param; /* where the segment in braces begins; NULL: there is none */
	size_t param_len;
};

/* Patterns without braces win over those with. */
struct route_match route_find(const char *method, const char *path);
/* The methods that the path has: "GET, HEAD, PUT". */
void route_allow(const char *path, struct ch_buf *out);

#endif
