/* delivery/posting.h - the request of one attempt: headers, signatures, and all that a transport is told.
 *
 * Role:      real deliveries (pipeline.c) and tests (engine_test.c) are made here and nowhere else, so
 *            that what a test shows is what a delivery does.
 * Ownership: the job borrows the headers, the lane's target and the body until it is done; its
 *            attempt.request_headers is the attempt's.
 * Threads:   the engine's loop.
 * Errors:    CH_ENOMEM leaves what posting_headers_fini and attempt_fini free.
 */
#ifndef CH_DELIVERY_POSTING_H
#define CH_DELIVERY_POSTING_H

#include "delivery/engine_core.h"

/* Content-Type, User-Agent, webhook-id, webhook-timestamp, X-Webhook-Test, three signatures, and the
 * webhook's own. */
#define POSTING_HEADERS_MAX (8 + WEBHOOK_HEADERS_MAX)

struct posting_headers {
	char *text; /* the lines, a NUL behind each */
	const char *lines[POSTING_HEADERS_MAX];
};

struct posting {
	struct id delivery; /* the webhook-id */
	struct ch_bytes *body; /* borrowed */
	bool is_test;
};

/* Fills job but for done, with URL, headers, secrets and limits that the lane has now. The lane has a target.
 * job and h: zeroed. */
int posting_fill(struct transport_job *job, struct posting_headers *h, struct engine *e, struct lane *l,
		const struct posting *p) CH_MUST_USE;
void posting_headers_fini(struct posting_headers *h);

#endif
