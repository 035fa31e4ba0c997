/* api/webhook_answer.h - webhooks as the API shows them: the settings and what the lane is doing.
 *
 * Role:      asks the delivery loops and answers with JSON; for all handlers that show webhooks.
 */
#ifndef CH_API_WEBHOOK_ANSWER_H
#define CH_API_WEBHOOK_ANSWER_H

#include "api/api_core.h"

/* Ends r with one webhook. webhook: inside r, so that it lives as long as r does. parked: its deliveries
 * of that state. */
void webhook_answer_one(struct api_request *r, int status, const struct webhook *webhook, int64_t parked);
/* What the lane of w does, by the answer at place i of q: a question about the lane alone. */
void webhook_answer_lane(
		const struct worker_question *q, size_t i, const struct webhook *w, struct lane_info *ret);
/* Ends r with {"content": […]} of r->store's answer, a STORE_WEBHOOK_LIST. */
void webhook_answer_list(struct api_request *r);

#endif
