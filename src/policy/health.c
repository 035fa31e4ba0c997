#include "policy/health.h"

#include <limits.h>

#include "base/assert.h"

#define JITTER 0.2
#define ROUNDING 1e-6 /* nine times 1/3 may be a little less than 3 */

void health_init(struct health *h)
{
	*h = (struct health){.failures = 0};
}

void health_note_answer(struct health *h)
{
	health_init(h);
}

static void note_delivery(struct health *h, const struct id *delivery)
{
	for (int i = 0; i < h->delivery_count; i++) {
		if (id_equal(&h->deliveries[i], delivery))
			return;
	}
	if (h->delivery_count < HEALTH_DEAD_DELIVERIES)
		h->deliveries[h->delivery_count++] = *delivery;
}

void health_note_failure(struct health *h, int window, const struct id *delivery)
{
	CH_ASSERT(window >= 1);
	if (h->failures < INT_MAX)
		h->failures++;
	h->cohorts += 1.0 / window;
	note_delivery(h, delivery);
}

bool health_is_dead(const struct health *h, int64_t pending)
{
	CH_ASSERT(pending >= 0);
	if (h->failures < HEALTH_DEAD_FAILURES || h->cohorts < HEALTH_DEAD_COHORTS - ROUNDING)
		return false;
	return h->delivery_count == HEALTH_DEAD_DELIVERIES || h->delivery_count >= pending;
}

/* The jitter is for the longest pause too: those that died together would else all be asked together, every
 * hour. */
int64_t health_pause_ms(int probes, const struct ch_rand *rand)
{
	int64_t pause_ms = HEALTH_PAUSE_MIN_MS;
	CH_ASSERT(probes >= 0);
	for (int i = 0; i < probes && pause_ms < HEALTH_PAUSE_MAX_MS; i++)
		pause_ms *= 2;
	if (pause_ms > HEALTH_PAUSE_MAX_MS)
		pause_ms = HEALTH_PAUSE_MAX_MS;
	double factor = 1.0 - JITTER + 2.0 * JITTER * ch_rand_unit(rand);
	return (int64_t)((double)pause_ms * factor);
}
