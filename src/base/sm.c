#include "base/sm.h"

#include <stddef.h>
#include <stdio.h>

#include "base/assert.h"

void ch_sm_init(struct ch_sm *sm, const struct ch_sm_conf *conf, int state,
		bool (*invariant)(const struct ch_sm *sm))
{
	CH_ASSERT(conf->count >= 1 && conf->count <= 32);
	CH_ASSERT(state >= 0 && state < conf->count);
	*sm = (struct ch_sm){.conf = conf, .state = state, .invariant = invariant};
}

bool ch_sm_may(const struct ch_sm *sm, int to)
{
	if (to < 0 || to >= sm->conf->count)
		return false;
	return sm->conf->states[sm->state].to >> to & 1;
}

/* The names of machine and states, which an assertion alone would not print. */
static void refuse(const struct ch_sm *sm, int to, const char *why)
{
	const char *name = to >= 0 && to < sm->conf->count ? sm->conf->states[to].name : "?";
	fprintf(stderr, "callhook: %s: %s -> %s (%d): %s\n", sm->conf->name, ch_sm_name(sm), name, to, why);
}

void ch_sm_move(struct ch_sm *sm, int to)
{
	bool may = ch_sm_may(sm, to);
	if (!may)
		refuse(sm, to, "not allowed");
	CH_ASSERT(may);
	int from = sm->state;
	sm->state = to;
	bool holds = !sm->invariant || sm->invariant(sm);
	if (!holds)
		refuse(sm, from, "the invariant does not hold (moved from the latter to the former)");
	CH_ASSERT(holds);
	if (sm->trace)
		sm->trace(sm, from, to, sm->trace_ctx);
}

const char *ch_sm_name(const struct ch_sm *sm)
{
	return sm->conf->states[sm->state].name;
}
