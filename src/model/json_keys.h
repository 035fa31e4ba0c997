/* model/json_keys.h - the keys of an object: which are there twice, and in which order they come.
 *
 * Role:      find equal keys in time linear in their number, whoever chose them; list the children
 *            of a container in the order in which JavaScript keeps the properties of an object.
 *            An array counts too, when its elements were given keys (the lists that derived objects
 *            are made of).
 * Source:    ECMA-262 section 10.1.11.1: array indices ascending, then the others as they came.
 */
#ifndef CH_MODEL_JSON_KEYS_H
#define CH_MODEL_JSON_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "model/json_doc.h"

#define JSON_KEY_INDEX_MAX 4294967294u
#define JSON_KEY_INDEX_DIGITS 10

bool json_key_is_index_slow(const char *key, size_t len);

/* An integer 0..JSON_KEY_INDEX_MAX, spelled as such. */
static inline bool json_key_is_index(const char *key, size_t len)
{
	return len > 0 && len <= JSON_KEY_INDEX_DIGITS && key[0] >= '0' && key[0] <= '9' &&
	       json_key_is_index_slow(key, len);
}

/* Calls found for each child whose key an earlier one has. CH_ENOMEM. */
int json_keys_find_double(struct json_doc *d, uint32_t container, void (*found)(void *ctx, uint32_t node),
		void *ctx) CH_MUST_USE;

/* Pushes the children of container onto the doc's scratch: without those whose key an earlier one
 * has, array indices first. They lie at scratch[*ret_from] up to scratch_len, and the caller pops them by
 * setting scratch_len back to *ret_from. CH_ENOMEM. */
int json_keys_order(struct json_doc *d, uint32_t container, uint32_t *ret_from) CH_MUST_USE;

#endif
