/* api/webhook_switch.h - switching a webhook on and off.
 *
 * Role:      what the switch does to the settings, for every handler that turns it.
 */
#ifndef CH_API_WEBHOOK_SWITCH_H
#define CH_API_WEBHOOK_SWITCH_H

#include "model/webhook.h"

/* By the customer: a reason for being off that somebody else gave is gone. */
void webhook_switch_set(struct webhook *w, bool enabled);

#endif
