#include "store/history.h"

#include "base/assert.h"

bool history_counts(const struct attempt *a)
{
	return a->outcome != ATTEMPT_LOCAL;
}

int64_t history_minute_of(const struct attempt *a)
{
	int64_t s = a->started_ms < 0 ? 0 : a->started_ms / 1000;

	return s - s % HISTORY_MINUTE_S;
}

void history_add(const struct attempt *a, struct store_history_point *p)
{
	CH_ASSERT(history_counts(a));
	p->attempts++;
	if (a->outcome != ATTEMPT_ANSWERED)
		return;
	p->delivered += a->status / 100 == 2;
	if (a->total_us >= 0)
		latency_add(&p->latency, a->total_us);
}

void history_merge(struct store_history_point *p, const struct store_history_point *more)
{
	p->attempts += more->attempts;
	p->delivered += more->delivered;
	latency_merge(&p->latency, &more->latency);
}

int32_t history_rows_of(int32_t step_s)
{
	return step_s < HISTORY_HOUR_S ? HISTORY_MINUTE_S : HISTORY_HOUR_S;
}

void history_check(const struct store_history *q)
{
	int32_t step_s = q->in.step_s;

	CH_ASSERT(q->in.count >= 1 && q->in.count <= STORE_HISTORY_POINTS_MAX);
	CH_ASSERT(step_s >= HISTORY_MINUTE_S && step_s % history_rows_of(step_s) == 0);
	CH_ASSERT(step_s >= HISTORY_HOUR_S || HISTORY_HOUR_S % step_s == 0);
	CH_ASSERT(q->in.from_s >= 0 && q->in.from_s % step_s == 0);
}
