/* store/request_history.h - what can be asked of a store about how a webhook is doing; a part of
 * store/request.h, which alone includes it.
 *
 * Role:      what became of the attempts at a webhook over time, and what waits for it, by age.
 * Ownership: as store/request.h says.
 * Units:     *_ms are wall ms since the epoch, *_s seconds.
 */
#ifndef CH_STORE_REQUEST_HISTORY_H
#define CH_STORE_REQUEST_HISTORY_H

#include <stdbool.h>

#include "model/id.h"
#include "policy/backlog.h"
#include "policy/latency.h"

struct store_history_point {
	int64_t attempts; /* begun in this time */
	int64_t delivered; /* of those, that delivered */
	struct latency latency; /* of those that were answered, whole attempts */
};

#define STORE_HISTORY_POINTS_MAX 1500

/* STORE_HISTORY: the attempts at a webhook, in `count` stretches of step_s one after another. All attempts
 * count but those that were our own fault (ATTEMPT_LOCAL); in which stretch, the start of the attempt says.
 * With a step_s below an hour at least the last 48 hours are known, else as much as attempts are kept; what
 * is older may be missing. CH_ENOENT, for a deleted webhook too. */
struct store_history {
	struct {
		int64_t account;
		struct id webhook_id;
		int64_t from_s; /* a multiple of step_s */
		int32_t step_s; /* 60, or a multiple of it that divides an hour, or a multiple of 3600 */
		size_t count; /* 1..STORE_HISTORY_POINTS_MAX */
	} in;
	struct {
		struct store_history_point *points; /* count of them */
	} out;
};

/* STORE_BACKLOG: counts what is PENDING for a webhook by its age, in pieces of `limit` rows, the first with
 * after_due_ms INT64_MIN, the next with what the one before says. The pieces are no snapshot: what becomes
 * due at another time meanwhile may come twice or not at all. The age is that of the delivery's id.
 * CH_ENOENT, for a deleted webhook too. is_all: for all webhooks of all accounts; a store may then take no
 * notice of limit. */
struct store_backlog {
	struct {
		bool is_all;
		int64_t account;
		struct id webhook_id;
		int64_t now_ms;
		size_t limit; /* >= 1 */
		int64_t after_webhook; /* is_all only: the store's own number; 0 at first */
		int64_t after_due_ms; /* exclusive */
		struct id after;
	} in;
	struct {
		int64_t counts[BACKLOG_AGES];
		int64_t oldest_ms; /* when the oldest of these was made; -1: there are none */
		bool more;
		int64_t last_webhook;
		int64_t last_due_ms;
		struct id last;
	} out;
};

#endif
