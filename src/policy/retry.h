/* policy/retry.h - when a delivery is tried again.
 *
 * Role:      the schedule after the first try, each pause with jitter.
 * Units:     pauses in seconds; due times in wall ms.
 * Errors:    CH_EINVAL for a schedule text that is not one.
 */
#ifndef CH_POLICY_RETRY_H
#define CH_POLICY_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/rand.h"

#define RETRY_PAUSES_MAX 32
#define RETRY_JITTER 0.2 /* each pause is taken from [1 - 0.2, 1 + 0.2) of its length */

struct retry_schedule {
	int32_t pause_s[RETRY_PAUSES_MAX]; /* 1..604800 */
	int count; /* tries = count + 1 */
};

/* 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 3 h, 6 h, 12 h, 24 h, 24 h. */
struct retry_schedule retry_schedule_default(void);
/* "5s,30s,2m,10m,1h,1d": whole numbers with s, m, h or d. */
int retry_schedule_parse(const char *text, struct retry_schedule *ret, struct ch_err *err) CH_MUST_USE;

/* tries: used up in this round, the failed one included (>= 1). False: that was the last one.
 * not_before_ms: an endpoint's wish (Retry-After), 0 for none; the later of both wins. */
bool retry_next(const struct retry_schedule *s, int tries, struct ch_wall now, int64_t not_before_ms,
		const struct ch_rand *rand, struct ch_wall *ret_due);

#endif
