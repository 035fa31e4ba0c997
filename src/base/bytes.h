/* base/bytes.h - immutable bytes shared by counting references.
 *
 * Role:      a call's body is written once and then read by the store, the api and the
 *            delivery loop; they share one copy.
 * Ownership: ch_bytes_ref gives the caller one more reference, ch_bytes_unref gives one back.
 * Threads:   the count is atomic; the bytes never change after the creator let go of them.
 */
#ifndef CH_BASE_BYTES_H
#define CH_BASE_BYTES_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/attr.h"

struct ch_bytes {
	atomic_uint refs;
	size_t len;
	char data[]; /* len bytes and a NUL */
};

struct ch_bytes *ch_bytes_create(const void *data, size_t len) CH_MUST_USE; /* copies; NULL: no memory */
struct ch_bytes *ch_bytes_ref(struct ch_bytes *b); /* NULL gives NULL */
void ch_bytes_unref(struct ch_bytes **b); /* nulls *b; *b may be NULL */

#endif
