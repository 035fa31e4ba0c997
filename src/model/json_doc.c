#include "model/json_doc.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/rand.h"

void json_doc_init(struct json_doc *d)
{
	memset(d, 0, sizeof *d);
	struct ch_rand rand = ch_rand_system();
	ch_rand_fill(&rand, d->seed, sizeof d->seed);
}

void json_doc_fini(struct json_doc *d)
{
	ch_free(d->nodes);
	ch_free(d->arena);
	ch_free(d->scratch);
	memset(d, 0, sizeof *d);
}

static void trim_one(void **memory, uint32_t *cap, size_t entry_bytes)
{
	if (*cap * entry_bytes <= JSON_KEEP_BYTES)
		return;
	ch_free(*memory);
	*memory = NULL;
	*cap = 0;
}

void json_doc_trim(struct json_doc *d)
{
	void *nodes = d->nodes, *arena = d->arena, *scratch = d->scratch;
	trim_one(&nodes, &d->node_cap, sizeof *d->nodes);
	trim_one(&arena, &d->arena_cap, 1);
	trim_one(&scratch, &d->scratch_cap, sizeof *d->scratch);
	d->nodes = nodes;
	d->arena = arena;
	d->scratch = scratch;
	d->input = NULL;
	d->input_len = 0;
	d->node_count = d->arena_len = d->scratch_len = 0;
}

static int grow(void **memory, uint32_t *cap, size_t need, uint32_t least, size_t entry_bytes)
{
	size_t want = *cap < least ? least : (size_t)*cap * 2;
	if (want < need)
		want = need;
	CH_ASSERT(want < JSON_IN_ARENA);
	void *grown = ch_realloc(*memory, want * entry_bytes);
	if (!grown)
		return CH_ENOMEM;
	*memory = grown;
	*cap = (uint32_t)want;
	return 0;
}

int json_doc_grow_nodes(struct json_doc *d)
{
	void *memory = d->nodes;
	int rc = grow(&memory, &d->node_cap, (size_t)d->node_count + 1, 128, sizeof *d->nodes);
	d->nodes = memory;
	return rc;
}

int json_doc_grow_arena(struct json_doc *d, size_t more)
{
	if (d->arena_cap - d->arena_len >= more)
		return 0;
	void *memory = d->arena;
	int rc = grow(&memory, &d->arena_cap, d->arena_len + more, 512, 1);
	d->arena = memory;
	return rc;
}

int json_doc_grow_scratch(struct json_doc *d, uint32_t more)
{
	if (d->scratch_cap - d->scratch_len >= more)
		return 0;
	void *memory = d->scratch;
	int rc = grow(&memory, &d->scratch_cap, (size_t)d->scratch_len + more, 128, sizeof *d->scratch);
	d->scratch = memory;
	return rc;
}
