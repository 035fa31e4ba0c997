/* api/etag.h - entity tags and digests of calls, and the conditions that clients make with the tags.
 *
 * Role:      pure. A call's tag is strong: the first 16 bytes of the body's SHA-256, in hex, quoted.
 * Errors:    CH_EINVAL: the header is no list of entity tags; CH_ELIMIT: more than STORE_IF_MATCH_MAX.
 * Source:    RFC 9110 sections 8.8.3 and 13.1; RFC 9530 section 2.
 */
#ifndef CH_API_ETAG_H
#define CH_API_ETAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "store/request.h"

#define ETAG_TEXT_MAX (2 + 2 * STORE_ETAG_BYTES + 1)
#define DIGEST_TEXT_LEN (sizeof("sha-256=:") - 1 + 44 + 1)

struct etag_list {
	bool is_any; /* "*" */
	size_t seen; /* tags in the header, those included that no call can have */
	size_t count;
	uint8_t tags[STORE_IF_MATCH_MAX][STORE_ETAG_BYTES]; /* that can be a call's */
};

void etag_format(const uint8_t sha256[CH_SHA256_BYTES], char out[ETAG_TEXT_MAX]);
/* As Content-Digest has it. */
void digest_format(const uint8_t sha256[CH_SHA256_BYTES], char out[DIGEST_TEXT_LEN + 1]);
/* takes_weak: W/"x" counts as "x" (If-None-Match); else it can't match (If-Match). */
int etag_parse(const char *header, bool takes_weak, struct etag_list *ret) CH_MUST_USE;
/* Of what changes with the program only: does an If-None-Match name its tag, quotes included? header may be
 * NULL. */
bool etag_names(const char *header, const char *etag);
bool etag_has(const struct etag_list *l, const uint8_t sha256[CH_SHA256_BYTES]);

#endif
