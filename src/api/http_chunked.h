/* api/http_chunked.h - a request body that comes in chunks, decoded in place.
 *
 * Role:      pure; eats raw bytes and moves the payload down over them, however they are cut.
 * Units:     bytes.
 * Errors:    CH_EAGAIN: all was eaten and more is needed; CH_EINVAL: not chunked coding, or more than
 *            HTTP_CHUNKED_EXTRA_MAX bytes of extensions and trailers. Trailers are dropped.
 * Source:    RFC 9112 section 7.1.
 */
#ifndef CH_API_HTTP_CHUNKED_H
#define CH_API_HTTP_CHUNKED_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define HTTP_CHUNKED_EXTRA_MAX 8192

enum http_chunked_state {
	CHUNKED_SIZE_FIRST, /* at least one digit must come */
	CHUNKED_SIZE,
	CHUNKED_EXTENSION,
	CHUNKED_SIZE_LF,
	CHUNKED_DATA,
	CHUNKED_DATA_CR,
	CHUNKED_DATA_LF,
	CHUNKED_TRAILER_FIRST, /* at the start of a line behind the last chunk */
	CHUNKED_TRAILER,
	CHUNKED_TRAILER_LF,
	CHUNKED_END_LF,
	CHUNKED_DONE
};

struct http_chunked {
	enum http_chunked_state state; /* CHUNKED_SIZE_FIRST to begin with */
	uint64_t left; /* of the present chunk */
	size_t extra; /* bytes of extensions and trailers so far */
};

/* Decodes data[*at .. len); payload goes to data + *out, *out <= *at; both are moved along. 0: the
 * body is complete, and what lies behind *at belongs to the next request. */
int http_chunked_run(struct http_chunked *d, char *data, size_t len, size_t *at, size_t *out) CH_MUST_USE;

#endif
