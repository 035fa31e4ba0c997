/* delivery/curl_result.h - what libcurl's result means for the attempt's record.
 *
 * Role:      CURLcode, the answer and the notes of a post become outcome, words, status, timings,
 *            address and certificate.
 * Units:     as in struct attempt.
 * Ownership: fills the job's attempt, which owns the texts.
 * Errors:    none; without memory the words are missing.
 */
#ifndef CH_DELIVERY_CURL_RESULT_H
#define CH_DELIVERY_CURL_RESULT_H

#include "base/clock.h"
#include "delivery/curl_post.h"

/* No connection to the present target came about, and the next one may do better. */
bool curl_result_is_unconnected(struct curl_post *p, CURLcode code);
/* A kept connection ended without a byte of an answer: the request may go out once more. */
bool curl_result_wants_repeat(struct curl_post *p, CURLcode code);

/* How far an attempt came that is cut off: times, address, TLS. Before it is taken from its multi. */
void curl_result_fill_facts(struct curl_post *p);
void curl_result_fill(struct curl_post *p, CURLcode code, const struct ch_clock *clock);

#endif
