/* store/history.h - what of an attempt is counted over time, and for how long it is kept.
 *
 * Role:      pure; both stores count by it.
 * Units:     seconds since the epoch.
 */
#ifndef CH_STORE_HISTORY_H
#define CH_STORE_HISTORY_H

#include "store/request.h"

#define HISTORY_MINUTE_S 60
#define HISTORY_HOUR_S 3600
/* Rows of minutes are many: they are for looking at what happened today and yesterday. Hours are kept for as
 * long as attempts are, and at least as long as minutes. */
#define HISTORY_MINUTES_KEPT_S ((int64_t)48 * 3600)

/* Whether it counts at all. */
bool history_counts(const struct attempt *a);
int64_t history_minute_of(const struct attempt *a);
void history_add(const struct attempt *a, struct store_history_point *p); /* one that counts */
void history_merge(struct store_history_point *p, const struct store_history_point *more);
/* The rows that a question is answered from: HISTORY_MINUTE_S or HISTORY_HOUR_S. */
int32_t history_rows_of(int32_t step_s);
void history_check(const struct store_history *q); /* aborts when what is asked for is none */

#endif
