#include "api/spent.h"

#include "base/alloc.h"
#include "base/err.h"
#include "base/list.h"

#define LOOK_MS 60000

struct one {
	struct ch_map_node node;
	struct id id;
	int64_t until_ms;
};

void spent_init(struct spent *s, const struct ch_rand *rand)
{
	ch_map_init(&s->ids, rand);
	s->look_at_ms = 0;
}

static void forget(struct spent *s, int64_t now_ms)
{
	struct ch_map_node *next;

	for (struct ch_map_node *n = ch_map_next(&s->ids, NULL); n; n = next) {
		struct one *one = CH_CONTAINER_OF(n, struct one, node);
		next = ch_map_next(&s->ids, n);
		if (one->until_ms > now_ms)
			continue;
		ch_map_remove(&s->ids, n);
		ch_free(one);
	}
}

void spent_fini(struct spent *s)
{
	forget(s, INT64_MAX);
	ch_map_fini(&s->ids);
}

int spent_add(struct spent *s, const struct id *id, int64_t until_ms, int64_t now_ms)
{
	struct one *one = ch_calloc(1, sizeof(*one));

	if (!one)
		return CH_ENOMEM;
	if (now_ms >= s->look_at_ms) {
		forget(s, now_ms);
		s->look_at_ms = now_ms + LOOK_MS;
	}
	one->id = *id;
	one->until_ms = until_ms;
	int rc = ch_map_insert(&s->ids, &one->node, one->id.b, sizeof(one->id.b));
	if (rc != 0)
		ch_free(one);
	return rc == CH_EEXIST ? 0 : rc;
}

bool spent_has(const struct spent *s, const struct id *id)
{
	return ch_map_get(&s->ids, id->b, sizeof(id->b)) != NULL;
}
