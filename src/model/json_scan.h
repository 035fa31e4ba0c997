/* model/json_scan.h - the strings of a JSON text.
 *
 * Role:      find the end of a string, check its bytes, and put it into canonical form when it is
 *            not so already.
 * Ownership: what is decoded goes into the doc's arena.
 * Errors:    as struct json_scan says.
 * Source:    RFC 8259 section 7; ECMA-262 section 25.5.2.3 (QuoteJSONString).
 */
#ifndef CH_MODEL_JSON_SCAN_H
#define CH_MODEL_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "model/json_doc.h"

/* One string. */
struct json_scan {
	uint32_t text; /* as in struct json_node */
	uint32_t text_len;
	const char *at; /* behind the closing quote; on failure the place of the mistake */
	const char *fatal; /* words: the JSON is malformed; NULL: it is not */
	const char *bad; /* words: the first thing that is not taken ("contains NUL"); NULL: none */
	const char *bad_at;
};

/* p: behind the opening quote. CH_EINVAL: s->fatal and s->at are set; CH_ENOMEM. */
int json_scan_string(struct json_doc *d, const char *p, struct json_scan *s) CH_MUST_USE;

#endif
