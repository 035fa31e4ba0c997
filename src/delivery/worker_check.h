/* delivery/worker_check.h - asks one of the loops to check a URL.
 *
 * Role:      carries an engine_check from the API's loop to a delivery loop and back.
 * Ownership: the asker's from begin to done, URL included; done always comes, also while stopping.
 * Threads:   workers_check from any; done on reply_to's.
 */
#ifndef CH_DELIVERY_WORKER_CHECK_H
#define CH_DELIVERY_WORKER_CHECK_H

#include "delivery/engine_check.h"
#include "delivery/worker.h"

struct worker_check {
	struct engine_check check; /* endpoint, url and timeout_ms in; done is the worker's */
	struct ch_port *reply_to;
	void (*done)(struct worker_check *c);
	void *ctx;
	struct ch_msg msg; /* the workers' own from here on */
	struct worker *worker;
};

/* The endpoint's id says which loop. */
void workers_check(struct workers *w, struct worker_check *c);

#endif
