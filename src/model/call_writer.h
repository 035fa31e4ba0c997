/* model/call_writer.h - append to the body with a check but without a call per piece.
 *
 * Role:      a window into a struct ch_buf. The pieces of a body are small and many, so each is
 *            copied in place, and the buffer is only asked for room when the window is used up.
 * Errors:    the first failure sticks in err (CH_ENOMEM, CH_ELIMIT); later writes do nothing.
 */
#ifndef CH_MODEL_CALL_WRITER_H
#define CH_MODEL_CALL_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "model/call_record.h"

struct call_writer {
	char *p; /* the next byte */
	char *end;
	struct ch_buf *out;
	size_t max_bytes;
	int err;
	struct json_doc *doc;
};

void call_writer_init(struct call_writer *w, struct ch_buf *out, size_t max_bytes, struct json_doc *doc);
int call_writer_finish(struct call_writer *w) CH_MUST_USE;
bool call_writer_more(
		struct call_writer *w, size_t len); /* a window of at least len; false: w->err says why */

/* What call_derive.c writes: the object made of a list of extractors, or of classifiers. */
void call_derive_extractors(struct call_writer *w, uint32_t list);
void call_derive_classifiers(struct call_writer *w, uint32_t list);

static inline bool call_writer_has(struct call_writer *w, size_t len)
{
	return (size_t)(w->end - w->p) >= len || call_writer_more(w, len);
}

static inline void call_put(struct call_writer *w, const char *text, size_t len)
{
	if (!call_writer_has(w, len))
		return;
	memcpy(w->p, text, len);
	w->p += len;
}

#define CALL_PUT(w, literal) call_put((w), (literal), sizeof(literal) - 1)

/* A canonical text as it lies, or in quotes. */
static inline void call_put_text(struct call_writer *w, uint32_t ref, uint32_t len)
{
	call_put(w, json_text(w->doc, ref), len);
}

static inline void call_put_quoted(struct call_writer *w, uint32_t ref, uint32_t len)
{
	if (!call_writer_has(w, (size_t)len + 2))
		return;
	*w->p++ = '"';
	memcpy(w->p, json_text(w->doc, ref), len);
	w->p += len;
	*w->p++ = '"';
}

#endif
