/* store/request_retention.h - what can be asked of a store about retention; a part of store/request.h.
 *
 * Role:      what is older than it has to be kept is removed in steps, which the client submits by itself
 *            (store/writer.h): round after round, each from the beginning.
 * Ownership: as store/request.h says.
 * Units:     *_ms are wall ms since the epoch, those of struct store_retention durations.
 * Invariant: a call goes as a whole or not at all: its versions, their deliveries and what attempts of these
 *            are left. The ledger goes on counting its deliveries in the state they had.
 */
#ifndef CH_STORE_REQUEST_RETENTION_H
#define CH_STORE_REQUEST_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How long something is kept; 0: for ever. */
struct store_retention {
	int64_t calls_ms; /* from when the latest version was accepted */
	int64_t attempts_ms; /* from when it began */
};

/* How far a round came; all zero: its beginning. What the numbers mean is the store's affair. */
struct store_retention_place {
	int phase;
	int64_t at;
};

/* STORE_RETENTION_STEP: at most about `limit` rows, but a call as a whole.
 *  - A delivery that is PARKED and was made before calls_before_ms becomes CANCELED, unless the deliveries of
 *    its webhook are just being released or canceled.
 *  - A call goes when its latest version was accepted before calls_before_ms, all of its deliveries were made
 *    before it too, none is PENDING or PARKED, and the last of them ended RULES_RETENTION_SEEN_MS ago. Of one
 * that was erased a mark stays, so that it does not come back.
 *  - An attempt goes when it began before attempts_before_ms, and those before it of its delivery as well.
 *  - A replay goes when it ended before calls_before_ms.
 * INT64_MIN for either: it is kept for ever. */
struct store_retention_step {
	struct {
		int64_t now_ms, calls_before_ms, attempts_before_ms;
		size_t limit; /* 1..500 */
		struct store_retention_place place;
		int64_t at_mono_ms; /* the client's own: not before */
	} in;
	struct {
		size_t canceled, calls, attempts, replays;
		struct store_retention_place place; /* to go on from */
		bool more; /* the round has not come to its end */
	} out;
};

#endif
