#include "policy/window.h"

#include "base/assert.h"

/* A sum of 1/size is a little less than 1 now and then (six times 1/6); a step is 1/512 at least. */
#define ROUNDING 1e-6

static void check(const struct window *w)
{
	CH_ASSERT(w->limit >= 1 && w->limit <= WINDOW_LIMIT_MAX);
	CH_ASSERT(w->size >= 1 && w->size <= w->limit);
}

void window_init(struct window *w, int limit)
{
	*w = (struct window){.limit = limit, .size = limit < WINDOW_START ? limit : WINDOW_START};
	check(w);
}

void window_set_limit(struct window *w, int limit)
{
	w->limit = limit;
	if (w->size >= limit) {
		w->size = limit;
		w->gained = 0;
	}
	check(w);
}

/* At its bound it gains nothing either: credit that waited for a moment of traffic would be banked. */
void window_note_answer(struct window *w, int busy)
{
	check(w);
	CH_ASSERT(busy >= 1);
	if (w->size >= w->limit || w->size >= busy + WINDOW_MARGIN)
		return;
	w->gained += 1.0 / w->size;
	if (w->gained < 1.0 - ROUNDING)
		return;
	w->size++;
	w->gained = 0;
	w->spent = 0;
}

/* Only growing makes the next failure cost one at once again. If each answer did, an endpoint that fails
 * every other time would soon be at 1, though it gains as much as it loses. */
void window_note_failure(struct window *w)
{
	check(w);
	w->spent -= 1.0 / w->size;
	if (w->spent > ROUNDING)
		return;
	w->spent = 1.0;
	w->gained = 0;
	if (w->size > 1)
		w->size--;
}
