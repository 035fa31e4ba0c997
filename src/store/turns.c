#include "store/turns.h"

#include "base/assert.h"

/* Two results in eight keep the senders going under a flood of accepts; one bulk in eight keeps an
 * import alive. A larger share for bulk would be felt by every single accept behind it. */
static const enum turn_line wheel[] = {TURN_SINGLE, TURN_RESULT, TURN_SINGLE, TURN_BULK, TURN_SINGLE,
		TURN_RESULT, TURN_SINGLE, TURN_SINGLE};

void turns_init(struct turns *t)
{
	*t = (struct turns){0};
	for (int i = 0; i < TURN_LINES; i++) {
		ch_list_init(&t->lines[i].ring);
		for (int k = 0; k < TURN_BUCKETS; k++) {
			ch_list_init(&t->lines[i].buckets[k].in_ring);
			ch_list_init(&t->lines[i].buckets[k].items);
		}
	}
}

static enum turn_line line_of(const struct store_request *r)
{
	if (r->kind == STORE_ATTEMPT)
		return TURN_RESULT;
	if (r->kind == STORE_CALL_PUT && r->u.call_put.in.is_bulk)
		return TURN_BULK;
	return TURN_SINGLE;
}

void turns_add(struct turns *t, struct store_request *r)
{
	enum turn_line at = line_of(r);
	struct turn_accounts *line = &t->lines[at];
	struct turn_bucket *b = &line->buckets[(uint64_t)store_request_account(r) % TURN_BUCKETS];

	CH_ASSERT(store_kind_is_write(r->kind));
	if (at == TURN_RESULT && line->len == 0)
		t->results_since_mono_ms = r->queued_mono_ms;
	if (ch_list_is_empty(&b->items))
		ch_list_push_back(&line->ring, &b->in_ring);
	ch_list_push_back(&b->items, &r->msg.link);
	line->len++;
	t->len++;
}

static struct store_request *line_pop(struct turn_accounts *line)
{
	struct turn_bucket *b = CH_CONTAINER_OF(ch_list_pop_front(&line->ring), struct turn_bucket, in_ring);
	struct ch_list *n = ch_list_pop_front(&b->items);

	CH_ASSERT(n != NULL);
	if (!ch_list_is_empty(&b->items))
		ch_list_push_back(&line->ring, &b->in_ring);
	line->len--;
	return CH_CONTAINER_OF(CH_CONTAINER_OF(n, struct ch_msg, link), struct store_request, msg);
}

static struct turn_accounts *next_line(struct turns *t)
{
	struct turn_accounts *line = &t->lines[wheel[t->wheel_at]];

	t->wheel_at = (t->wheel_at + 1) % (sizeof(wheel) / sizeof(wheel[0]));
	for (int i = 0; line->len == 0; i++) {
		CH_ASSERT(i < TURN_LINES);
		line = &t->lines[i];
	}
	return line;
}

size_t turns_take(struct turns *t, struct store_request **batch, size_t max)
{
	size_t count = 0;

	while (count < max && t->len > 0) {
		batch[count++] = line_pop(next_line(t));
		t->len--;
	}
	return count;
}
