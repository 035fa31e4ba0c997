/* cli/bench_receiver.h - the receiver of `callhook bench`, on a thread of its own.
 *
 * Role:      answers every webhook with 200 and notes when each of the run's calls came first.
 * Units:     mono ms.
 * Ownership: came_ms is the receiver's; it may be read once it has stopped.
 * Threads:   start, stop, fini: the caller's; count: any.
 * Errors:    CH_EINVAL: --listen; CH_EIO: can't listen; CH_ENOMEM.
 */
#ifndef CH_CLI_BENCH_RECEIVER_H
#define CH_CLI_BENCH_RECEIVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/opts.h"

#define BENCH_ID_LEN 36

struct event_base;
struct http_server;

struct bench_receiver {
	struct event_base *base;
	struct http_server *server;
	struct ch_clock clock;
	uint64_t run;
	int64_t calls;
	int64_t *came_ms; /* 0: did not */
	atomic_int_least64_t count;
	atomic_bool must_end;
	pthread_t thread;
	bool has_thread;
	char url[320];
};

/* The id of a run's call. */
void bench_id(uint64_t run, int64_t call, char out[BENCH_ID_LEN + 1]);

int bench_receiver_start(struct bench_receiver *r, const struct opts *o, uint64_t run, int64_t calls,
		struct ch_clock clock, struct ch_err *err) CH_MUST_USE;
int64_t bench_receiver_count(struct bench_receiver *r);
void bench_receiver_stop(struct bench_receiver *r); /* also one that did not start */
void bench_receiver_fini(struct bench_receiver *r);

#endif
