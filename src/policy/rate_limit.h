/* policy/rate_limit.h - at most `count` attempts within any `seconds`.
 *
 * Role:      a sliding window of RATE_LIMIT_SLOTS slots and the one that has just begun: never more than
 *            count in any stretch of that length, a burst of count goes at once, and the rate that can be
 *            held is 16/17 of the nominal one.
 * Units:     monotonic ms.
 * Ownership: the caller owns the struct; nothing to free.
 * Errors:    none - bad arguments are bugs and abort through CH_ASSERT.
 */
#ifndef CH_POLICY_RATE_LIMIT_H
#define CH_POLICY_RATE_LIMIT_H

#include <stdint.h>

#define RATE_LIMIT_SLOTS 16

struct rate_limit {
	int count; /* 0: no limit */
	int seconds; /* 1..3600 */
	int64_t slot; /* number of the newest slot that was used, of seconds / 16 each */
	int used[RATE_LIMIT_SLOTS + 1]; /* by slot modulo their number */
};

void rate_limit_init(struct rate_limit *r); /* no limit */
/* Another count keeps what was used; another length begins anew. count 0: no limit, whatever seconds is; what
 * goes meanwhile is counted by the old length. */
void rate_limit_set(struct rate_limit *r, int count, int seconds);
/* The first moment at which the next attempt may go; now_mono_ms when it may go now. Never more than the
 * length and one slot away. A time before the newest slot counts as inside it. */
int64_t rate_limit_next_ms(const struct rate_limit *r, int64_t now_mono_ms);
/* An attempt goes now, allowed or not (a resend asks, so it is allowed; nothing is refused here). */
void rate_limit_take(struct rate_limit *r, int64_t now_mono_ms);

#endif
