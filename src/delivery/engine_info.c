#include <stdio.h>
#include <string.h>

#include "base/time_text.h"
#include "delivery/engine_core.h"

static void describe_rate(const struct engine *e, const struct lane *l, char *words, size_t size)
{
	char when[TIME_TEXT_LEN + 1] = "";
	int64_t left_ms = l->rate_ready_mono_ms - engine_mono_ms(e);
	time_text_format((engine_wall_ms(e) + left_ms + 999) / 1000, when);
	snprintf(words, size, "the rate limit of %d in %d s is used up until %s", l->rate.count,
			l->rate.seconds, when);
}

/* What keeps everybody waiting; NULL: nothing. */
static const char *common_wait(const struct engine *e)
{
	if (e->is_stopping)
		return "this server is stopping";
	if (e->refusal.is_on)
		return "the store refuses to record results, so nothing new is sent";
	if (e->downtime.is_on)
		return "hardly any host can be reached: our own network or name server seems to be down";
	if (e->in_flight >= e->conf.max_in_flight)
		return "as many attempts are under way as this server may have";
	return NULL;
}

static void describe_wait(const struct engine *e, const struct lane *l, char *words, size_t size)
{
	const char *common = common_wait(e);
	if (lane_state_of(l) != LANE_READY || l->is_paused)
		snprintf(words, size, "%s: %s", ch_sm_name(&l->state), l->reason);
	else if (common)
		snprintf(words, size, "%s", common);
	else if (l->rate_ready_mono_ms > engine_mono_ms(e))
		describe_rate(e, l, words, size);
	else if (l->busy - l->urgent_busy >= l->window.size)
		snprintf(words, size, "as many attempts are under way as this endpoint takes at once (%d)",
				l->window.size);
	else if (l->line == LINE_SLOW_FIRST || l->line == LINE_SLOW_MORE)
		snprintf(words, size, "slow endpoints share half of this server, and that half is in use");
}

static int64_t until_wall(const struct engine *e, const struct lane *l)
{
	int64_t at = 0;
	if (lane_state_of(l) == LANE_SUSPENDED)
		at = l->suspended_until_mono_ms;
	else if (lane_state_of(l) == LANE_DEAD && l->probe_at_mono_ms != INT64_MAX)
		at = l->probe_at_mono_ms;
	return at ? engine_wall_ms(e) + at - engine_mono_ms(e) : 0;
}

bool engine_lane_info(const struct engine *e, const struct id *webhook, struct lane_info *ret)
{
	const struct lane *l = engine_lane(e, webhook);
	if (!l || l->webhook.deleted)
		return false;
	*ret = (struct lane_info){.state = lane_state_of(l),
			.busy = l->busy,
			.window = l->window.size,
			.queued = lane_queued(l) + l->urgent_count,
			.until_wall_ms = until_wall(e, l),
			.is_slow = l->sample_count > 0 && lane_is_slow(l)};
	memcpy(ret->reason, l->reason, sizeof(ret->reason));
	describe_wait(e, l, ret->waits_for, sizeof(ret->waits_for));
	return true;
}

bool engine_is_in_flight(const struct engine *e, const struct id *webhook, const struct id *delivery)
{
	const struct lane *l = engine_lane(e, webhook);
	const struct held *h = l ? lane_find(l, delivery) : NULL;
	return h && (h->where == HELD_IN_FLIGHT || h->where == HELD_RESULT);
}

const struct engine_stats *engine_stats_of(const struct engine *e)
{
	return &e->stats;
}
