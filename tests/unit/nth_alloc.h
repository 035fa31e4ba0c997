/* tests/unit/nth_alloc.h - make the nth allocation fail, and see that it was asked for.
 *
 * Role:      torture tests: fail the first, then the second, until a run asks for fewer.
 */
#ifndef CH_TESTS_NTH_ALLOC_H
#define CH_TESTS_NTH_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"

struct nth_alloc {
	int fail_at; /* from 1 */
	int asked;
	bool for_good; /* all that follow fail too */
};

static inline bool nth_alloc_should_fail(void *ctx)
{
	struct nth_alloc *n = ctx;
	++n->asked;
	return n->asked == n->fail_at || (n->for_good && n->asked > n->fail_at);
}

static inline void nth_alloc_begin(struct nth_alloc *n)
{
	n->asked = 0;
	ch_alloc_set_hook(nth_alloc_should_fail, n);
}

/* Was there a failure? */
static inline bool nth_alloc_end(struct nth_alloc *n)
{
	ch_alloc_set_hook(NULL, NULL);
	return n->asked >= n->fail_at;
}

#endif
