/* base/buf.h - a growing byte buffer with a hard limit.
 *
 * Role:      build text or collect bytes without a check behind every append: the first
 *            failure sticks, later appends do nothing, and the caller asks once at the end.
 * Ownership: ch_buf_fini frees; ch_buf_detach hands the bytes to the caller.
 * Units:     bytes. limit is the greatest len that is ever reached (the NUL not counted).
 * Errors:    err is 0, CH_ENOMEM or CH_ELIMIT (sticky until ch_buf_clear).
 * Invariant: len <= limit; when data is not NULL, data[len] is NUL.
 */
#ifndef CH_BASE_BUF_H
#define CH_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct ch_buf {
	char *data; /* NULL until the first append */
	size_t len;
	size_t cap; /* allocated, the NUL included */
	size_t limit;
	int err;
};

void ch_buf_init(struct ch_buf *b, size_t limit);
void ch_buf_fini(struct ch_buf *b);
void ch_buf_clear(struct ch_buf *b); /* keeps the memory, forgets the error */

/* Room for more bytes behind len: the place to write to, or NULL (err is set). The caller then
 * adds what it wrote to len with ch_buf_commit. */
char *ch_buf_reserve(struct ch_buf *b, size_t more);
void ch_buf_commit(struct ch_buf *b, size_t wrote);

void ch_buf_add(struct ch_buf *b, const void *data, size_t len);
void ch_buf_addc(struct ch_buf *b, char c);
void ch_buf_adds(struct ch_buf *b, const char *text);
void ch_buf_addf(struct ch_buf *b, const char *fmt, ...) CH_PRINTF(2, 3);

const char *ch_buf_text(const struct ch_buf *b); /* never NULL; "" when empty */
/* The bytes, NUL behind them; b is empty after. NULL when err is set (then or by this call). */
char *ch_buf_detach(struct ch_buf *b);

#endif
