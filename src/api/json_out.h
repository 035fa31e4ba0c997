/* api/json_out.h - writes JSON text, commas and quotes included.
 *
 * Role:      the api's answers that come from structs; nothing is kept in memory but the text.
 * Ownership: the buffer is the caller's; its error sticks and is asked for at the end.
 * Units:     key NULL: an element of an array, or the document itself.
 */
#ifndef CH_API_JSON_OUT_H
#define CH_API_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/id.h"

struct json_out {
	struct ch_buf *buf;
	bool has_sibling; /* a comma comes before the next value */
};

void json_out_open(struct json_out *o, const char *key, char bracket); /* '{' or '[' */
void json_out_close(struct json_out *o, char bracket); /* '}' or ']' */
void json_out_text(struct json_out *o, const char *key, const char *text); /* NULL is null */
void json_out_bytes(struct json_out *o, const char *key, const char *text, size_t len);
void json_out_raw(struct json_out *o, const char *key, const char *json, size_t len); /* JSON already */
void json_out_int(struct json_out *o, const char *key, int64_t value);
void json_out_share(struct json_out *o, const char *key, int64_t part, int64_t whole); /* of nothing: null */
void json_out_bool(struct json_out *o, const char *key, bool value);
void json_out_id(struct json_out *o, const char *key, const struct id *id);
void json_out_time(struct json_out *o, const char *key, int64_t unix_ms); /* 0 is null */
void json_out_ms(struct json_out *o, const char *key, int32_t us); /* in ms; below 0 is null */

/* A JSON string with its quotes; every byte that is not UTF-8 becomes U+FFFD. */
void json_string_write(struct ch_buf *out, const char *text, size_t len);

#endif
