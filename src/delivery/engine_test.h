/* delivery/engine_test.h - a test call: sent the way a delivery goes, outside the ledger.
 *
 * Role:      made with posting.c and the engine's transport, so that what it shows is what a delivery would
 *            do. It takes no slot, counts as no try, waits for no window, state or rate limit, and goes
 *            while the webhook is off. When the receiver takes it, a lane that was DEAD or SUSPENDED begins
 *            anew.
 * Ownership: the test is the asker's and stays where it is until done; so does the body.
 * Threads:   the engine's loop.
 */
#ifndef CH_DELIVERY_ENGINE_TEST_H
#define CH_DELIVERY_ENGINE_TEST_H

#include "base/bytes.h"
#include "model/delivery.h"

#define ENGINE_TESTS_MAX 16 /* under way in one engine */
#define ENGINE_TESTS_ACCOUNT_MAX 2 /* of one account, of these */

struct engine;

struct engine_test {
	struct id webhook;
	struct ch_bytes *body;
	/* out: 0 when there is an attempt to show. CH_EBUSY: one is under way to this webhook. CH_ELIMIT: too
	 * many are under way. CH_EAGAIN: no lane yet. CH_ECANCELED: stopping. CH_ENOMEM. */
	int result;
	struct attempt attempt; /* out; attempt_fini */
	void (*done)(struct engine_test *t); /* exactly once, perhaps before engine_test_start returns */
};

void engine_test_start(struct engine *e, struct engine_test *t);
void engine_test_cancel_all(struct engine *e); /* they end soon, as attempts that were canceled */

#endif
