/* api/webhook_change.h - reading a webhook, changing it, writing it back.
 *
 * Role:      for all handlers that change one; does it over again when somebody else was quicker.
 */
#ifndef CH_API_WEBHOOK_CHANGE_H
#define CH_API_WEBHOOK_CHANGE_H

#include "api/api_core.h"

struct webhook_change {
	/* Changes w. False: it has ended r, and nothing is to be written. Called again after a conflict. */
	bool (*apply)(struct api_request *r, struct webhook *w);
	/* result is what is stored now. Ends r. */
	void (*finished)(struct api_request *r);
	const struct webhook *result; /* inside r->store */
	bool is_unchanged; /* set by apply: nothing has to be written */
	bool releases; /* what is parked goes out */
	int64_t parked; /* deliveries of that state when it was read */
	int tries;
};

/* c: inside r's state. r->id names the webhook. */
void webhook_change(struct api_request *r, struct webhook_change *c);

#endif
