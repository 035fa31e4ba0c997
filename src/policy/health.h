/* policy/health.h - when an endpoint counts as dead, and how long it is then left alone.
 *
 * Role:      counts an endpoint's failures in a row; pure but for the randomness of a pause.
 * Units:     cohorts are whole windows: each failure adds 1/window. Pauses in ms.
 * Errors:    none - bad arguments are bugs and abort through CH_ASSERT.
 * Source:    cohorts as in Postfix qmgr_queue.c. Without them one burst of a large window would kill an
 *            endpoint; without a number of failures a window of 1 would die of three.
 *
 * Test vectors: with window.h, three cohorts of failures in a row come after 3, 10, 25 and 55 failures from a
 * window of 1, 5, 10 and 20.
 */
#ifndef CH_POLICY_HEALTH_H
#define CH_POLICY_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rand.h"
#include "model/id.h"

#define HEALTH_DEAD_FAILURES 5
#define HEALTH_DEAD_COHORTS 3.0
#define HEALTH_DEAD_DELIVERIES 3
#define HEALTH_PAUSE_MIN_MS ((int64_t)30 * 1000)
#define HEALTH_PAUSE_MAX_MS ((int64_t)3600 * 1000)

struct health {
	int failures; /* in a row */
	double cohorts;
	struct id deliveries[HEALTH_DEAD_DELIVERIES]; /* different ones among the failures */
	int delivery_count;
};

void health_init(struct health *h);
void health_note_answer(struct health *h); /* whatever the row was, it is over */
/* window: its size before this failure shrank it. */
void health_note_failure(struct health *h, int window, const struct id *delivery);
/* pending: how many deliveries the endpoint has waiting in all (in flight and in the store included). */
bool health_is_dead(const struct health *h, int64_t pending);

/* The pause before probe number `probes` + 1 (0: the first): 30 s doubling to an hour, give or take 20 %. */
int64_t health_pause_ms(int probes, const struct ch_rand *rand);

#endif
