/* base/sm.h - states with a table of allowed moves.
 *
 * Role:      a state machine says which moves exist; any other is a bug and aborts. After each
 *            move the machine's invariant is checked, and a trace hook may see it.
 * Threads:   as the object it sits in.
 * Source:    the idea is dqlite's lib/sm.
 */
#ifndef CH_BASE_SM_H
#define CH_BASE_SM_H

#include <stdbool.h>
#include <stdint.h>

struct ch_sm_state {
	const char *name;
	uint32_t to; /* bit i set: a move to state i is allowed */
};

struct ch_sm_conf {
	const char *name; /* "lane", for messages */
	const struct ch_sm_state *states;
	int count; /* 1..32 */
};

struct ch_sm {
	const struct ch_sm_conf *conf;
	int state;
	bool (*invariant)(const struct ch_sm *sm); /* NULL: none */
	void (*trace)(const struct ch_sm *sm, int from, int to, void *ctx); /* NULL: none */
	void *trace_ctx;
};

void ch_sm_init(struct ch_sm *sm, const struct ch_sm_conf *conf, int state,
		bool (*invariant)(const struct ch_sm *sm));
void ch_sm_move(struct ch_sm *sm, int to); /* aborts on a move the table does not allow */
bool ch_sm_may(const struct ch_sm *sm, int to);
const char *ch_sm_name(const struct ch_sm *sm); /* of the present state */

#endif
