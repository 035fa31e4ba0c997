/* model/json_pointer.h - where in a document something is, as a JSON Pointer (RFC 6901).
 *
 * Role:      only made when there is a problem to name, so it may search.
 * Units:     bytes; text longer than the buffer is left out at its end, for the list of problems
 *            cuts it shorter anyway.
 */
#ifndef CH_MODEL_JSON_POINTER_H
#define CH_MODEL_JSON_POINTER_H

#include <stddef.h>
#include <stdint.h>

#include "model/json_doc.h"
#include "model/problems.h"

struct json_pointer {
	char text[512]; /* NUL-terminated */
	size_t len;
};

void json_pointer_init(struct json_pointer *p);
void json_pointer_add_key(
		struct json_pointer *p, const char *canonical, size_t len); /* decodes and escapes it */
void json_pointer_add_index(struct json_pointer *p, uint32_t index);
/* The place of a node of a complete document. */
void json_pointer_to(struct json_pointer *p, const struct json_doc *d, uint32_t node);

/* Adds a problem at a node of a complete document. */
void json_problem(struct problems *problems, const struct json_doc *d, uint32_t node, const char *fmt, ...)
		CH_PRINTF(4, 5);

#endif
