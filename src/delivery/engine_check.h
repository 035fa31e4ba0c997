/* delivery/engine_check.h - would a delivery get through to this URL?
 *
 * Role:      goes the way of a delivery up to the request and sends none. It belongs to no webhook: no lane
 *            is asked or changed, and no connection of one is used.
 * Ownership: the check is the asker's and stays where it is until done; so does the URL.
 * Threads:   the engine's loop.
 */
#ifndef CH_DELIVERY_ENGINE_CHECK_H
#define CH_DELIVERY_ENGINE_CHECK_H

#include "base/list.h"
#include "delivery/transport.h"

#define ENGINE_CHECKS_MAX 32 /* under way in one engine */

struct engine;

struct engine_check {
	struct id endpoint; /* a new id: connections are kept apart by it */
	const struct url *url;
	int timeout_ms;
	/* out: 0 when job.attempt and seen say something. CH_ELIMIT: too many are under way. CH_ECANCELED:
	 * stopping. */
	int result;
	struct transport_check seen; /* out */
	struct transport_job job; /* the engine's; out: attempt, with attempt_fini */
	void (*done)(struct engine_check *c); /* exactly once, perhaps before engine_check_start returns */
	struct engine *engine; /* the engine's, as link */
	struct ch_list link;
};

void engine_check_start(struct engine *e, struct engine_check *c);
void engine_check_cancel_all(struct engine *e); /* they end soon, as CH_ECANCELED */

#endif
