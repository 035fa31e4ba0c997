/* delivery/worker_test.h - asks the loop that owns a webhook for a test call.
 *
 * Role:      carries an engine_test from the API's loop to the webhook's and back.
 * Ownership: the asker's from begin to done, body included; done always comes, also while stopping.
 * Threads:   workers_test from any; done on reply_to's.
 */
#ifndef CH_DELIVERY_WORKER_TEST_H
#define CH_DELIVERY_WORKER_TEST_H

#include "delivery/engine_test.h"
#include "delivery/worker.h"

struct worker_test {
	struct engine_test test; /* webhook and body in, result and attempt out; done is the worker's */
	struct ch_port *reply_to;
	void (*done)(struct worker_test *t);
	void *ctx;
	struct ch_msg msg; /* the workers' own from here on */
	struct worker *worker;
};

void workers_test(struct workers *w, struct worker_test *t);

#endif
