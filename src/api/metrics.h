/* api/metrics.h - the state of the process as Prometheus text.
 *
 * Role:      writes what it is given and what the atomic counters say; pure but for reading those.
 * Source:    Prometheus text exposition format 0.0.4.
 */
#ifndef CH_API_METRICS_H
#define CH_API_METRICS_H

#include "api/api_core.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#define METRICS_NONE (-1)
#define METRICS_UNKNOWN (-2)

/* ledger: an answered STORE_LEDGER over all accounts; NULL when the store could not say: its metrics are left
 * out then. oldest_ms: when the oldest delivery that is PENDING was made; METRICS_NONE: there is none;
 * METRICS_UNKNOWN: it is left out. */
void metrics_write(struct ch_buf *out, const struct api *a, const struct store_ledger *ledger,
		int64_t oldest_ms);

#endif
