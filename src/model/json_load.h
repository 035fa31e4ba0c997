/* model/json_load.h - reading JSON with jansson, which does not tell no memory from wrong input.
 *
 * Role:      jansson's scanner leaves out a character that it has no room for, and then finds the text wrong,
 * or worse: right, and a number shorter. Here such a read is told from a good one. Threads:   json_load_setup
 * before any thread uses jansson; json_load from any. Errors:    CH_EINVAL: no JSON, error says where and
 * why; CH_ENOMEM. ret is untouched then.
 */
#ifndef CH_MODEL_JSON_LOAD_H
#define CH_MODEL_JSON_LOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/* Jansson's memory comes from base/alloc from now on; without this, json_load notices only what jansson does.
 */
void json_load_setup(void);

/* flags: jansson's. error may be NULL. */
int json_load(const char *text, size_t len, size_t flags, json_t **ret, json_error_t *error) CH_MUST_USE;

/* Of a text that jansson made: does it hold a control character, C0 or C1. */
bool json_has_control(const char *text, size_t len);

#endif
