/* api/http_head.h - the head of an HTTP/1.x request, parsed strictly and in place.
 *
 * Role:      pure text work: where a head ends, its request line, its fields, and the framing that they
 *            announce. What two readers could understand differently is refused, not repaired: a bare
 *            line feed, folded fields, a space before the colon, a repeated or signed Content-Length,
 *            Content-Length beside Transfer-Encoding.
 * Units:     offsets into the caller's bytes.
 * Ownership: data is the caller's; a parsed head has NULs in it where texts end, and refers to it by
 *            offsets, so that the bytes may move.
 * Errors:    CH_EAGAIN: more bytes are needed; CH_EINVAL: fault says what is wrong and the status for it.
 * Source:    RFC 9110, RFC 9112.
 */
#ifndef CH_API_HTTP_HEAD_H
#define CH_API_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define HTTP_HEAD_FIELDS_MAX 100

struct http_fault {
	int status;
	const char *detail; /* a constant, for people */
};

struct http_head_field {
	uint32_t name, value;
};

struct http_head {
	uint32_t method, path, query; /* NUL-terminated texts; query is "" when there is none */
	uint32_t len; /* the blank line included */
	uint8_t minor; /* of HTTP/1.x: 0 or 1 */
	bool is_head; /* HEAD; method then says GET */
	bool is_chunked;
	bool has_length;
	bool expects_continue;
	bool keep_alive;
	uint64_t content_length; /* 0 when not has_length */
	size_t field_count;
	struct http_head_field fields[HTTP_HEAD_FIELDS_MAX];
};

/* Looks for the end of a head in data, from *scanned on, which it moves along so that no byte is looked at
 * twice. 0: *ret_len bytes make a head. */
int http_head_end(const char *data, size_t len, size_t *scanned, size_t *ret_len,
		struct http_fault *fault) CH_MUST_USE;

/* data: a whole head as http_head_end found it; below 2 GiB. */
int http_head_parse(char *data, size_t len, struct http_head *ret, struct http_fault *fault) CH_MUST_USE;

/* Is c a character of a token (a method, the name of a field)? */
bool http_is_tchar(char c);

#endif
