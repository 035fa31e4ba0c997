/* api/account_answer.h - what the API says of an account.
 *
 * Role:      the answer of GET and PATCH /v1/account, for the files of that call.
 * Threads:   the API's.
 */
#ifndef CH_API_ACCOUNT_ANSWER_H
#define CH_API_ACCOUNT_ANSWER_H

#include "api/api_core.h"

/* Asks the store for the receiver of the account's events: at most one row of store.u.webhook_list. */
void account_ask_receiver(struct api_request *r, void (*done)(struct store_request *s));
/* receiver: of its events; NULL: there is none. secret: shown this once; text NULL: none. Ends the request.
 */
void account_answer(struct api_request *r, const struct webhook *receiver, const struct ch_secret *secret);

#endif
