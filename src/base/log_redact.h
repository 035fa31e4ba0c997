/* base/log_redact.h - what log.c and log_redact.c share.
 *
 * Role:      knows a secret by the name it is logged under, where its looks say nothing.
 * Threads:   no state.
 */
#ifndef CH_BASE_LOG_REDACT_H
#define CH_BASE_LOG_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#define CH_LOG_ELLIPSIS "\xE2\x80\xA6"
#define CH_LOG_SECRET "whsec_" CH_LOG_ELLIPSIS /* what stands in a secret's place */

/* "secret", "client_secret", "X-Api-Key" and the like. */
bool ch_log_name_is_secret(const char *name, size_t len);

#endif
