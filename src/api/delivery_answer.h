/* api/delivery_answer.h - deliveries and attempts as JSON.
 *
 * Role:      pure writing.
 */
#ifndef CH_API_DELIVERY_ANSWER_H
#define CH_API_DELIVERY_ANSWER_H

#include "api/json_out.h"
#include "model/delivery.h"

/* The members of one delivery, in an object that is open. is_in_flight: PENDING is shown as DELIVERING. */
void delivery_members(struct json_out *o, const struct delivery *d, bool is_in_flight);
/* One object. */
void delivery_attempt(struct json_out *o, const struct attempt *a);

#endif
