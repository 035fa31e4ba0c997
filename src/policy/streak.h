/* policy/streak.h - for how long nothing has succeeded at an endpoint.
 *
 * Role:      what the store keeps with a webhook for the 5-day rule: an endpoint at which nothing
 *            succeeded for 5 days, in at least 10 attempts at 2 or more deliveries, is switched off.
 * Units:     wall ms; attempts that were our own fault don't count.
 * Ownership: plain data.
 * Errors:    none. A wall clock that went back makes the streak younger, never older.
 */
#ifndef CH_POLICY_STREAK_H
#define CH_POLICY_STREAK_H

#include <stdbool.h>
#include <stdint.h>

#include "model/id.h"

#define STREAK_HOPELESS_MS ((int64_t)5 * 86400 * 1000)
#define STREAK_HOPELESS_ATTEMPTS 10

struct streak {
	int64_t since_ms; /* the first attempt without success after the last success; 0: no streak */
	int64_t attempts;
	struct id delivery; /* of the first */
	bool has_others; /* another delivery was attempted as well */
};

void streak_note_success(struct streak *s);
void streak_note_failure(struct streak *s, const struct id *delivery, int64_t now_ms);
/* To be asked after an attempt without success: then the last of them is now. */
bool streak_is_hopeless(const struct streak *s, int64_t now_ms);

#endif
