/* api/problem.h - problem documents, the one shape of every error (RFC 9457).
 *
 * Role:      writes {type, title, status, detail, errors}; knows the titles of the statuses.
 * Errors:    none of its own; out's error sticks as always.
 */
#ifndef CH_API_PROBLEM_H
#define CH_API_PROBLEM_H

#include "api/json_out.h"
#include "base/buf.h"
#include "model/problems.h"

#define PROBLEM_CONTENT_TYPE "application/problem+json"

/* The reason phrase of RFC 9110; "Error" for a status without one here. */
const char *problem_title(int status);

/* The members status, title, detail (NULL: left out) and errors (NULL or empty: left out) of an object
 * that is open. */
void problem_members(struct json_out *o, int status, const char *detail, const struct problems *errors);

void problem_write(struct ch_buf *out, int status, const char *detail, const struct problems *errors);

#endif
