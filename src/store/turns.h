/* store/turns.h - who goes next into a transaction.
 *
 * Role:      the writer's waiting room. Three lines: single accepts, results of attempts, bulk accepts
 *            (imports). Lines take turns on a fixed wheel, on which single accepts sit most often, and
 *            a turn that finds its line empty goes to the first line that is not; so nobody starves
 *            and a lone line gets everything. Within a line accounts take turns; within an account
 *            and line it is first come, first served.
 * Ownership: requests are linked through msg.link, never owned; nothing is allocated.
 * Threads:   belongs to the writer.
 * Invariant: len is the sum of the lines; a bucket is in its line's ring exactly while it has items.
 */
#ifndef CH_STORE_TURNS_H
#define CH_STORE_TURNS_H

#include "base/list.h"
#include "store/request.h"

enum turn_line { TURN_SINGLE, TURN_RESULT, TURN_BULK, TURN_LINES };

/* Accounts whose numbers are equal modulo this share a turn. */
#define TURN_BUCKETS 64

struct turn_bucket {
	struct ch_list in_ring;
	struct ch_list items;
};

struct turn_accounts {
	struct turn_bucket buckets[TURN_BUCKETS];
	struct ch_list ring; /* of buckets with items; the first is next */
	size_t len;
};

struct turns {
	struct turn_accounts lines[TURN_LINES];
	unsigned wheel_at;
	size_t len;
	int64_t results_since_mono_ms; /* since when results have been waiting, if any are */
};

void turns_init(struct turns *t);
void turns_add(struct turns *t, struct store_request *r); /* a write; queued_mono_ms is set */
size_t turns_take(struct turns *t, struct store_request **batch, size_t max);

static inline bool turns_only_results(const struct turns *t)
{
	return t->len > 0 && t->lines[TURN_RESULT].len == t->len;
}

#endif
