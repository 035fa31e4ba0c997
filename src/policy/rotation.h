/* policy/rotation.h - when a new secret takes over from the one before.
 *
 * Role:      pure arithmetic on wall times; the sealed secrets are model/webhook's.
 * Units:     *_ms wall ms since the epoch; overlap in seconds.
 * Threads:   pure functions.
 * Errors:    none.
 * Invariant: the end belongs to the new secret alone: at ends_ms the overlap is over. A clock that is set
 *            back makes the overlap longer, never a secret come back that was dropped: who acts on
 *            ROTATION_ENDED drops the old one for good. In the overlap both signatures are sent, so that
 *            longer is safe and shorter is not.
 */
#ifndef CH_POLICY_ROTATION_H
#define CH_POLICY_ROTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "model/webhook.h"

#define ROTATION_OVERLAP_MAX_S ((int64_t)7 * 24 * 3600)
#define ROTATION_OVERLAP_DEFAULT_S ((int64_t)24 * 3600)

enum rotation_phase {
	ROTATION_NONE, /* no next secret */
	ROTATION_OVERLAP, /* both sign */
	ROTATION_ENDED /* the next one is the only one, whether the store says so yet or not */
};

enum rotation_phase rotation_phase_of(const struct webhook *w, int64_t now_ms);

/* An overlap that begins now: sets its start and end; the next secret is there already. overlap_s:
 * 0..ROTATION_OVERLAP_MAX_S; 0 ends at once. */
void rotation_begin(struct webhook *w, int64_t now_ms, int64_t overlap_s);

/* Brings w up to date: after the end the next secret becomes the only one. True: w changed. */
bool rotation_settle(struct webhook *w, int64_t now_ms);

#endif
