/* api/delivery_answer.h - deliveries and attempts as JSON.
 *
 * Role:      pure writing.
 */
#ifndef CH_API_DELIVERY_ANSWER_H
#define CH_API_DELIVERY_ANSWER_H

#include "api/json_out.h"
#include "delivery/engine.h"
#include "model/delivery.h"

/* What the delivery loops say of it, now. */
struct delivery_live {
	bool is_in_flight; /* PENDING is shown as DELIVERING */
	const struct lane_info *lane; /* NULL: no loop knows its webhook (yet) */
	int64_t now_ms;
};

/* The members of one delivery, in an object that is open. */
void delivery_members(struct json_out *o, const struct delivery *d, const struct delivery_live *live);
/* One object; key NULL: in a list. */
void delivery_attempt(struct json_out *o, const char *key, const struct attempt *a);
/* The members address, tlsVersion and certificateEnd, in an object that is open. */
void delivery_connection(struct json_out *o, const struct attempt *a);

#endif
