/* delivery/engine.h - decides which delivery is attempted when, and has it done.
 *
 * Role:      a lane per webhook, a ring of the lanes that can send now, timers for retries; claims
 *            from the store, jobs for the transport, results back to the store. No thread, no
 *            loop, no SQL, no socket: whoever drives it (worker.c in the service, a test on a virtual
 *            clock) hands in messages and calls engine_turn when engine_next_wake says so.
 * Ownership: engine_fresh and engine_webhook take what they are given.
 * Threads:   one loop; struct engine_stats may be read from anywhere.
 * Errors:    what goes wrong with an attempt is data; out of memory keeps deliveries in the store and
 *            tries again.
 * Invariant: busy <= window <= limit in every lane; in flight <= max_in_flight; a delivery is
 *            held (queued, in flight, or its result being written) at most once.
 */
#ifndef CH_DELIVERY_ENGINE_H
#define CH_DELIVERY_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/rand.h"
#include "delivery/transport.h"
#include "model/webhook.h"
#include "policy/retry.h"
#include "store/client.h"

/* Deliveries a lane holds besides those in flight, and below how many that wait it claims more. A claim
 * passes over all that the lane holds, so that many small ones cost a quick lane more than the rows they
 * bring; a slow one has time, and holds its bodies for long. */
#define ENGINE_QUEUE_MAX 256
#define ENGINE_QUEUE_SLOW_MAX 64
#define ENGINE_REFILL_AT 64
#define ENGINE_REFILL_SLOW_AT 24

enum lane_state { LANE_READY, LANE_DEAD, LANE_PROBING, LANE_SUSPENDED, LANE_DISABLED, LANE_STATE_COUNT };

const char *lane_state_name(enum lane_state s); /* "READY", … */

struct engine_conf {
	struct ch_clock clock;
	struct ch_rand rand; /* jitter and attempt ids */
	struct store_client *store;
	struct ch_port *port; /* where the store's answers run: the driver dispatches it */
	struct transport *transport; /* borrowed */
	struct retry_schedule schedule;
	struct url_rules url_rules; /* a URL is parsed again when a lane is made */
	uint8_t seal_key[CH_SEAL_KEY_BYTES];
	const char *user_agent; /* "callhook/0.1.0" */
	int max_in_flight; /* >= 1 */
	size_t body_budget_bytes; /* bodies held in memory; at least one delivery always fits */
	struct ch_log *log; /* NULL: silent */
};

/* Counters only grow, gauges say so. */
struct engine_stats {
	atomic_ullong attempts[ATTEMPT_OUTCOME_COUNT];
	atomic_ullong answers[6]; /* by status class, index status / 100 */
	atomic_ullong delivered, failed, retried;
	atomic_ullong reused_connections;
	atomic_ullong claims, claimed, overflowed; /* overflowed: fresh ones left to the store */
	atomic_ullong probes, deaths, suspensions; /* deaths: lanes that became DEAD */
	atomic_ullong switched_off; /* webhooks, by 410 or the 5-day rule */
	atomic_ullong outages, resent;
	atomic_llong in_flight, lanes, held, body_bytes; /* gauges */
	atomic_llong lanes_by_state[LANE_STATE_COUNT]; /* gauge */
	/* gauges: lanes with something due that wait for their rate limit, or for a slot of the slow half */
	atomic_llong lanes_rate_limited, lanes_slow_waiting;
	atomic_llong slow_in_flight, probes_in_flight; /* gauges, parts of in_flight */
	atomic_llong results_waiting; /* gauge: attempts whose result is not yet in the store */
	atomic_llong is_outage; /* gauge: 1 while our own line or name server is taken to be down */
	atomic_llong is_refused; /* gauge: 1 while the store refuses results and nothing new is sent */
	atomic_ullong attempt_us; /* sum of total_us */
	atomic_ullong attempt_bucket[12]; /* histogram by upper bound, see engine_attempt_bounds_ms */
	atomic_ullong receipt_bucket[12]; /* accepted to delivered at the first try */
	atomic_ullong receipt_us;
};
extern const int engine_bucket_bounds_ms[11]; /* the last bucket is +Inf */

struct engine;

int engine_create(const struct engine_conf *conf, struct engine **ret, struct ch_err *err) CH_MUST_USE;
/* Asks the store for all webhooks; deliveries left by an earlier run are claimed lane by lane. owns:
 * NULL for all, else which webhooks belong to this loop. */
void engine_start(struct engine *e, bool (*owns)(void *ctx, const struct id *webhook), void *owns_ctx);

void engine_fresh(struct engine *e, struct delivery *d); /* takes *d and clears it; PENDING, with body */
void engine_webhook(struct engine *e, struct webhook *w); /* takes *w: new, changed or (deleted set) gone */
/* Somebody asked for this one to be sent again, now: it goes ahead of the window and of DEAD. Takes *d and
 * clears it; PENDING, with body. */
void engine_resend(struct engine *e, struct delivery *d);
/* The store has canceled this one: it is let go of unless it is under way. */
void engine_canceled(struct engine *e, const struct id *webhook, const struct id *delivery);
/* The store has deliveries of this webhook that are due (some that were parked were released). */
void engine_due(struct engine *e, const struct id *webhook);

/* News was lost on the way (no memory for a message): asks the store for all webhooks again and looks for
 * deliveries left in it. */
void engine_missed(struct engine *e);

/* When engine_turn wants to be called; INT64_MAX: only after a message. <= now: at once. */
struct ch_mono engine_next_wake(const struct engine *e);
void engine_turn(struct engine *e);

void engine_stop(struct engine *e); /* no new attempt starts; those in flight go on */
/* Cancels those in flight, and no longer waits for a store that refuses results: what is not written is
 * attempted again after the next start. */
void engine_abort(struct engine *e);
bool engine_is_idle(const struct engine *e); /* nothing in flight, no result or claim under way */
void engine_destroy(struct engine **e); /* must be idle */

/* For the API: what a lane is doing. False: no such lane here. */
struct lane_info {
	enum lane_state state;
	char reason[160]; /* words; "" when there is nothing to say */
	int busy, window, queued;
	int64_t until_wall_ms; /* SUSPENDED: the end; DEAD: the next probe; 0: not known or nothing */
	bool is_slow; /* shares its slots with the other slow ones */
	/* Why a PENDING delivery that is due is not being sent this moment, in words: the state's reason, a
	 * full window, the rate limit, an outage of our own, a store that refuses. "": it goes next. */
	char waits_for[200];
};
bool engine_lane_info(const struct engine *e, const struct id *webhook, struct lane_info *ret);
bool engine_is_in_flight(const struct engine *e, const struct id *webhook, const struct id *delivery);

const struct engine_stats *engine_stats_of(const struct engine *e);

#endif
