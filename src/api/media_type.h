/* api/media_type.h - is a Content-Type the one that is wanted?
 *
 * Role:      pure; compares without regard to case. Parameters but charset=utf-8 are refused.
 * Source:    RFC 9110 section 8.3.
 */
#ifndef CH_API_MEDIA_TYPE_H
#define CH_API_MEDIA_TYPE_H

#include <stdbool.h>

/* value: NULL is none. wanted: "application/json". */
bool media_type_is(const char *value, const char *wanted);

#endif
