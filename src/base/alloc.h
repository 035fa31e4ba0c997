/* base/alloc.h - memory from the heap, with a hook that makes it fail.
 *
 * Role:      every allocation of the program goes through here, so that a torture
 *            test can fail the nth one.
 * Ownership: what is returned is the caller's, to be given to ch_free.
 * Threads:   safe; the hook is set before threads start and cleared after they end,
 *            and must itself be safe to call from any of them.
 * Errors:    NULL when there is no memory (or the hook says so); size overflow is NULL too.
 */
#ifndef CH_BASE_ALLOC_H
#define CH_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

void *ch_alloc(size_t bytes) CH_MUST_USE; /* not cleared; bytes 0 is served as 1 */
void *ch_calloc(size_t count, size_t bytes) CH_MUST_USE; /* cleared */
void *ch_realloc(void *p, size_t bytes) CH_MUST_USE; /* on NULL the old block stays valid */
void ch_free(void *p); /* NULL is fine */
char *ch_strdup(const char *text) CH_MUST_USE;
char *ch_memdup0(const void *data, size_t len) CH_MUST_USE; /* a copy with a NUL behind it */

/* For CH_CLEANUP: frees *(void **)p. */
void ch_free_p(void *p);

/* How many allocations have failed on this thread so far: for asking a library, whose memory comes from here,
 * after the fact, where it does not tell. */
unsigned ch_alloc_failures(void);

/* How many allocations have failed on this thread so far: for asking a library, whose memory comes from here,
 * after the fact, where it does not tell. */
unsigned ch_alloc_failures(void);

/* should_fail is asked before each allocation; true makes it return NULL. NULL removes the hook. */
void ch_alloc_set_hook(bool (*should_fail)(void *ctx), void *ctx);

#endif
