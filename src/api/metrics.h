/* api/metrics.h - the state of the process as Prometheus text.
 *
 * Role:      writes what it is given and what the atomic counters say; pure but for reading those.
 * Source:    Prometheus text exposition format 0.0.4.
 */
#ifndef CH_API_METRICS_H
#define CH_API_METRICS_H

#include "api/api_core.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* ledger: an answered STORE_LEDGER over all accounts; NULL when the store could not say: its metrics are left
 * out then. */
void metrics_write(struct ch_buf *out, const struct api *a, const struct store_ledger *ledger);

#endif
