/* delivery/claim.h - one question to the store for deliveries of a lane: claim.c and probe.c.
 *
 * Role:      a lane has at most one under way; while it has, what it lets go of stays behind as ghosts.
 * Ownership: the claim is its own from submission to answer; the lane points to it.
 * Threads:   the engine's loop.
 */
#ifndef CH_DELIVERY_CLAIM_H
#define CH_DELIVERY_CLAIM_H

#include "delivery/engine_core.h"

struct claim {
	struct store_request request;
	struct lane *lane;
	size_t reserved_bytes; /* of the budget, for the answer */
};

#endif
