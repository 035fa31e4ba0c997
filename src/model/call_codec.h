/* model/call_codec.h - a call record from a client's JSON to its canonical bytes.
 *
 * Role:      parse strictly, validate every rule of the record and name each broken one, derive
 *            extractorData and classifierData, write the canonical body. Pure: no I/O, no clock.
 * Units:     bytes; seconds since the epoch.
 * Ownership: the input is borrowed for the call; the output buffer is the caller's.
 * Threads:   a struct call_codec (scratch memory, reused between records) belongs to one thread.
 * Errors:    CH_EINVAL: the input breaks a rule, problems says which; CH_ENOMEM; CH_ELIMIT: larger
 *            than conf.max_bytes, in or out (problems says so). On failure the output is cleared
 *            and ret_ is untouched.
 * Invariant: what is written is a fixed point of JavaScript's JSON.stringify(JSON.parse(body)), and
 *            of this codec: canonicalising a body again gives the same bytes.
 * Source:    RFC 8259, RFC 3629 (UTF-8), ECMA-262 sections 6.1.6.1.20 (Number::toString) and
 *            10.1.11.1 (the order of own property keys).
 */
#ifndef CH_MODEL_CALL_CODEC_H
#define CH_MODEL_CALL_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "model/call.h"
#include "model/problems.h"

#define CALL_MAX_BYTES_DEFAULT (1024 * 1024)
#define CALL_EXTRACTOR_DEPTH_MAX 16
#define CALL_CONTEXT_DEPTH_MAX 64

struct call_codec; /* opaque: node pool and scratch buffers */

/* max_bytes: the greatest input and the greatest output. NULL when there is no memory. */
struct call_codec *call_codec_create(size_t max_bytes) CH_MUST_USE;
void call_codec_destroy(struct call_codec **c);

/* One record. path_id: the id that the record must have, or NULL for any. now_s becomes "created"
 * when the input has none. The canonical body is appended to out (cleared first); its limit should
 * be at least max_bytes. */
int call_codec_run(struct call_codec *c, const char *json, size_t len, const struct id *path_id,
		int64_t now_s, struct ch_buf *out, struct call_facts *ret_facts,
		struct problems *problems) CH_MUST_USE;

/* Every canonical body ends in "created":"yyyy-MM-ddTHH:mm:ssZ"} - a fixed width, so that the store
 * can put the moment of the first version into a later one. body must be canonical. */
void call_body_set_created(char *body, size_t len, int64_t created_s);
int64_t call_body_created(const char *body, size_t len);

/* The facts of a canonical body, without reading more of it than where they stand. CH_EINVAL: it is none. */
int call_body_facts(const char *body, size_t len, struct call_facts *ret) CH_MUST_USE;

/* Appends a number as ECMAScript prints it; value must be finite. -0 is "0". */
void call_number_write(struct ch_buf *out, double value);

#endif
