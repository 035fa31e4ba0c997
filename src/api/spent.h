/* api/spent.h - tokens that are over before their time: links that were opened, sessions that were ended.
 *
 * Role:      what the store keeps of them (STORE_SPEND), in memory, so that asking costs nothing. Those
 *            whose time is over are forgotten as others come.
 * Threads:   one, the api loop's.
 */
#ifndef CH_API_SPENT_H
#define CH_API_SPENT_H

#include "base/attr.h"
#include "base/map.h"
#include "model/id.h"

struct spent {
	struct ch_map ids;
	int64_t look_at_ms; /* when it is next worth looking for some to forget; wall */
};

void spent_init(struct spent *s, const struct ch_rand *rand);
void spent_fini(struct spent *s);
/* CH_ENOMEM. One that is there already stays. */
int spent_add(struct spent *s, const struct id *id, int64_t until_ms, int64_t now_ms) CH_MUST_USE;
bool spent_has(const struct spent *s, const struct id *id);

#endif
