#include "policy/rotation.h"

#include "base/assert.h"

enum rotation_phase rotation_phase_of(const struct webhook *w, int64_t now_ms)
{
	if (w->next_sealed == NULL)
		return ROTATION_NONE;
	return now_ms < w->rotation_ends_ms ? ROTATION_OVERLAP : ROTATION_ENDED;
}

void rotation_begin(struct webhook *w, int64_t now_ms, int64_t overlap_s)
{
	CH_ASSERT(w->next_sealed != NULL && overlap_s >= 0 && overlap_s <= ROTATION_OVERLAP_MAX_S);
	w->rotation_started_ms = now_ms;
	w->rotation_ends_ms = now_ms + overlap_s * 1000;
}

bool rotation_settle(struct webhook *w, int64_t now_ms)
{
	if (rotation_phase_of(w, now_ms) != ROTATION_ENDED)
		return false;
	webhook_promote_secret(w);
	return true;
}
