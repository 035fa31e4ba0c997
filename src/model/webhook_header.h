/* model/webhook_header.h - the rules for a header that a customer adds to a webhook's requests.
 *
 * Role:      what name and value may be, so that a setting can neither break a request apart (CR, LF)
 *            nor replace what callhook itself says in one.
 * Errors:    a constant in words, fit for a problem's detail; NULL when all is well.
 * Source:    RFC 9110 sections 5.1, 5.5 and 7.6.1.
 */
#ifndef CH_MODEL_WEBHOOK_HEADER_H
#define CH_MODEL_WEBHOOK_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "model/webhook.h"

const char *webhook_header_name_refusal(const char *name, size_t len);
const char *webhook_header_value_refusal(const char *value, size_t len);
/* Is the name one that callhook sets itself, or one that belongs to the connection? */
bool webhook_header_is_reserved(const char *name);

/* Names compare without regard to case. -1: not there. */
int webhook_header_find(const struct webhook *w, const char *name);
/* Replaces the one of that name in its place, or adds at the end: CH_ELIMIT when there are
 * WEBHOOK_HEADERS_MAX, CH_ENOMEM; w is unchanged then. */
int webhook_header_set(struct webhook *w, const char *name, const char *value) CH_MUST_USE;
void webhook_header_remove(struct webhook *w, int at);

#endif
