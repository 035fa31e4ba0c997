/* api/cursor.h - where a page ended, as text that only this server reads.
 *
 * Role:      an id as base64url without padding, and back.
 * Errors:    CH_EINVAL: not one of ours.
 */
#ifndef CH_API_CURSOR_H
#define CH_API_CURSOR_H

#include "base/attr.h"
#include "model/id.h"

#define CURSOR_TEXT_LEN 22

void cursor_format(const struct id *id, char out[CURSOR_TEXT_LEN + 1]);
int cursor_parse(const char *text, struct id *ret) CH_MUST_USE;

#endif
