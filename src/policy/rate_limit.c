#include "policy/rate_limit.h"

#include <limits.h>

#include "base/assert.h"

#define RING (RATE_LIMIT_SLOTS + 1)

/* A slot is seconds * 1000 / 16 = seconds * 125 / 2 ms, which need not be whole: so times are halved ms here
 * and slots are never rounded, only the moments they begin at. */
static int64_t slot_of(const struct rate_limit *r, int64_t mono_ms)
{
	return mono_ms * 2 / ((int64_t)r->seconds * 125);
}

/* The first whole ms inside it. */
static int64_t slot_begin_ms(const struct rate_limit *r, int64_t slot)
{
	return (slot * r->seconds * 125 + 1) / 2;
}

/* Times of one loop may be a little stale; the past is over, so they count for the newest slot. */
static int64_t slot_now(const struct rate_limit *r, int64_t now_mono_ms)
{
	CH_ASSERT(now_mono_ms >= 0);
	int64_t slot = slot_of(r, now_mono_ms);
	return slot > r->slot ? slot : r->slot;
}

void rate_limit_init(struct rate_limit *r)
{
	*r = (struct rate_limit){.seconds = 1};
}

/* Without a limit attempts are counted all the same, by the old length: switching it off and on gives no
 * second burst. */
void rate_limit_set(struct rate_limit *r, int count, int seconds)
{
	CH_ASSERT(count >= 0);
	if (count > 0 && seconds != r->seconds) {
		CH_ASSERT(seconds >= 1 && seconds <= 3600);
		*r = (struct rate_limit){.seconds = seconds};
	}
	r->count = count;
}

int64_t rate_limit_next_ms(const struct rate_limit *r, int64_t now_mono_ms)
{
	if (r->count == 0)
		return now_mono_ms;
	int64_t first = slot_now(r, now_mono_ms) - RATE_LIMIT_SLOTS, sum = 0;
	if (first < 0)
		first = 0;
	for (int64_t slot = first; slot <= r->slot; slot++)
		sum += r->used[slot % RING];
	if (sum < r->count)
		return now_mono_ms;
	/* Each old slot is let go when the one RING after it begins. */
	while (sum >= r->count)
		sum -= r->used[first++ % RING];
	return slot_begin_ms(r, first - 1 + RING);
}

void rate_limit_take(struct rate_limit *r, int64_t now_mono_ms)
{
	int64_t slot = slot_now(r, now_mono_ms);
	int64_t stale = slot - r->slot < RING ? slot - r->slot : RING;
	for (int64_t i = 0; i < stale; i++)
		r->used[(slot - i) % RING] = 0;
	r->slot = slot;
	if (r->used[slot % RING] < INT_MAX)
		r->used[slot % RING]++;
}
