/* api/moment.h - the ends of a stretch of time in a query.
 *
 * Role:      pure reading.
 * Errors:    CH_EINVAL: neither a date nor an RFC 3339 date-time.
 */
#ifndef CH_API_MOMENT_H
#define CH_API_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* A date stands for its first moment, or as an end for its last; a second likewise. */
int moment_parse(const char *text, bool is_end, int64_t *ret_ms) CH_MUST_USE;

/* What to say of one that can't be read; it takes the parameter's name. */
#define MOMENT_WORDS                                                                                         \
	"query parameter \"%s\" is neither a date nor an RFC 3339 date-time (a + must be sent as %%2B)"

#endif
