#include "base/bytes.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

struct ch_bytes *ch_bytes_create(const void *data, size_t len)
{
	if (len > SIZE_MAX - sizeof(struct ch_bytes) - 1)
		return NULL;
	struct ch_bytes *b = ch_alloc(sizeof(*b) + len + 1);
	if (!b)
		return NULL;
	atomic_init(&b->refs, 1);
	b->len = len;
	if (len)
		memcpy(b->data, data, len);
	b->data[len] = '\0';
	return b;
}

struct ch_bytes *ch_bytes_ref(struct ch_bytes *b)
{
	/* Relaxed will do: whoever refs holds a reference already, so nothing is published here. */
	if (b) {
		unsigned before = atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
		CH_ASSERT(before > 0 && before < UINT32_MAX);
	}
	return b;
}

void ch_bytes_unref(struct ch_bytes **b)
{
	struct ch_bytes *gone = *b;
	*b = NULL;
	if (!gone)
		return;
	/* Release orders this thread's reads before the free, acquire makes the last one see that. */
	unsigned before = atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel);
	CH_ASSERT(before > 0);
	if (before == 1)
		ch_free(gone);
}
