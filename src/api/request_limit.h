/* api/request_limit.h - how many requests an account may still make.
 *
 * Role:      a fixed window for each account and kind of caller, counted in memory: it begins anew at a
 *            restart. All windows begin at the same moments, so that an idle account costs nothing.
 * Units:     monotonic ms.
 * Ownership: the limit is the api's.
 * Threads:   any: one lock, held for a look into a table.
 * Errors:    CH_ENOMEM for the first request of an account; nothing is counted then.
 */
#ifndef CH_API_REQUEST_LIMIT_H
#define CH_API_REQUEST_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/rand.h"

enum request_kind { REQUEST_API, REQUEST_PAGE }; /* the page's sessions can't starve the programs */

struct request_rate {
	int count; /* 0: no limit */
	int seconds; /* the window, 1..86400 */
};

struct request_quota {
	int limit; /* 0: there is none, and the rest says nothing */
	int remaining;
	int retry_after_s; /* until the next window, >= 1 */
	bool is_over; /* this request is one too many, and was not counted */
};

struct request_limit;

int request_limit_create(
		struct request_rate rate, const struct ch_rand *rand, struct request_limit **ret) CH_MUST_USE;
void request_limit_destroy(struct request_limit **l);
/* A request comes now. account: the store's number. */
int request_limit_take(struct request_limit *l, int64_t account, enum request_kind kind, struct ch_mono now,
		struct request_quota *ret) CH_MUST_USE;

#endif
