/* delivery/pipeline.h - one attempt from the lane to the receiver and back into the store.
 *
 * Role:      struct flight carries it all the way: the job for the transport, then the
 *            request that records the result. Made before the attempt starts, so that nothing has to be
 *            allocated to keep a result.
 * Ownership: a flight belongs to its held delivery, from pipeline_send to the store's answer.
 * Threads:   the engine's loop.
 */
#ifndef CH_DELIVERY_PIPELINE_H
#define CH_DELIVERY_PIPELINE_H

#include "delivery/engine_core.h"
#include "delivery/posting.h"
#include "policy/outcome.h"

struct flight {
	struct transport_job job;
	struct store_request result;
	struct held *held;
	struct target *target;
	struct posting_headers headers;
	int64_t started_mono_ms;
	enum held_where from; /* the queue that it came out of */
	bool was_dead; /* its lane, when it began */
	bool asks_line; /* sent to find out whether our own line works */
	bool is_slow; /* counts with the slow ones */
	bool is_overdue;
	enum outcome_delivery verdict;
	int64_t answered_wall_ms;
	bool is_asking; /* written again to find out whether the store takes writes */
};

void flight_destroy(struct flight **f); /* the request's input too */

/* job->done of every flight. */
void pipeline_done(struct transport_job *job);

/* ---- pipeline_verdict.c ---- */

/* What the attempt means: brings the lane's state up to date, says what becomes of the delivery and fills the
 * request that records it. False: there is nothing to record, as nothing went out. */
bool pipeline_judge(struct engine *e, struct flight *f);

#endif
