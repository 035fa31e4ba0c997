/* store/client.h - how the rest of the program speaks to the store: a request, and later its answer.
 *
 * Role:      the service has threads behind it (a writer with group commit, readers); a simulation
 *            runs the same store inline on its own loop.
 * Ownership: the client opens no store: it takes the one it is given and closes it at the end.
 * Threads:   submit from any thread; done runs on the thread that owns r->reply_to.
 * Errors:    submit never fails; a request that can't be served comes back with its result set.
 */
#ifndef CH_STORE_CLIENT_H
#define CH_STORE_CLIENT_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/clock.h"
#include "store/store.h"

/* Told of every commit, in commit order, on the writer's thread, before any answer goes out: so a
 * delivery loop hears of a new webhook before its first delivery, and of a delivery without a read. It
 * may take out.deliveries of a STORE_CALL_PUT (nulling it) and look at webhook changes; it must not
 * block. */
struct store_watcher {
	void (*committed)(void *ctx, struct store_request *const *requests, size_t n);
	void *ctx;
};

struct store_client {
	void (*submit)(struct store_client *c, struct store_request *r);
	void (*destroy)(struct store_client *c);
};

static inline void store_submit(struct store_client *c, struct store_request *r)
{
	c->submit(c, r);
}

#define STORE_COMMIT_BUCKETS 12
extern const int store_commit_bounds_ms[STORE_COMMIT_BUCKETS - 1];

/* Counters for /metrics; each only grows. Times in microseconds. */
struct store_stats {
	atomic_ullong commits;
	atomic_ullong commit_us;
	/* By duration, up to store_commit_bounds_ms; the last: longer. The clock counts in ms. */
	atomic_ullong commit_bucket[STORE_COMMIT_BUCKETS];
	atomic_ullong rows; /* requests in those commits */
	atomic_ullong events, events_dropped; /* made, and those that found no room; each receiver's counts */
	atomic_ullong failures; /* commits that failed as a whole, those tried again in parts too */
	atomic_llong queued; /* a gauge: waiting for the writer now */
	atomic_ullong reads;
	/* By retention; struct store_retention_step has more about each. */
	atomic_ullong expired, removed_calls, removed_attempts, removed_replays;
	atomic_int last_error; /* a gauge: 0, or the CH_E code while the store refuses writes */
};

struct store_threads_conf {
	struct ch_clock clock;
	int readers; /* >= 1; 2 is the default */
	size_t batch_max; /* requests a transaction; 512 */
	int result_wait_ms; /* how long results of attempts may wait for company; 5 */
	struct store_watcher watcher; /* committed may be NULL */
	struct store_retention retention;
};

/* Takes *store and nulls it, on success only. destroy answers what is queued (writes are still done), then
 * joins the threads and closes the store. Starts the sweeps that a crash left unfinished. */
int store_threads_start(struct store **store, const struct store_threads_conf *conf,
		struct store_client **ret, struct ch_err *err) CH_MUST_USE;
struct store_stats *store_threads_stats(struct store_client *c); /* lives as long as the client */

/* One thread, no waiting: submit queues, store_inline_step serves what is queued - all writes as one
 * batch, then the reads - and posts the answers. Returns how many were served. */
int store_inline_start(struct store **store, struct ch_clock clock, const struct store_watcher *watcher,
		struct store_client **ret, struct ch_err *err) CH_MUST_USE;
size_t store_inline_step(struct store_client *c);
/* From now on; once. CH_ENOMEM. */
int store_inline_keep(struct store_client *c, const struct store_retention *retention,
		struct ch_err *err) CH_MUST_USE;

void store_client_destroy(struct store_client **c);

#endif
