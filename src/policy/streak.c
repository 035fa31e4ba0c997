#include "policy/streak.h"

#include <string.h>

#include "base/assert.h"

void streak_note_success(struct streak *s)
{
	memset(s, 0, sizeof(*s));
}

/* since_ms stays when a time before it comes: moved back, it would make the streak too old as soon as the
 * clock was right again. */
void streak_note_failure(struct streak *s, const struct id *delivery, int64_t now_ms)
{
	CH_ASSERT(s->attempts >= 0);
	if (s->since_ms == 0) {
		*s = (struct streak){
				.since_ms = now_ms > 0 ? now_ms : 1,
				.attempts = 1,
				.delivery = *delivery,
		};
		return;
	}
	s->attempts++;
	s->has_others = s->has_others || !id_equal(&s->delivery, delivery);
}

bool streak_is_hopeless(const struct streak *s, int64_t now_ms)
{
	return s->since_ms > 0 && s->has_others && s->attempts >= STREAK_HOPELESS_ATTEMPTS &&
	       now_ms > s->since_ms && now_ms - s->since_ms >= STREAK_HOPELESS_MS;
}
