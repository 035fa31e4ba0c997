/* base/assert.h - assertions that stay on in release.
 *
 * Role:      a broken invariant is a bug; going on could damage the queue, and the
 *            queue is durable, so the process stops at once and says where.
 * Errors:    prints file, line and expression to stderr and calls abort().
 */
#ifndef CH_BASE_ASSERT_H
#define CH_BASE_ASSERT_H

#include "base/attr.h"

void ch_assert_failed(const char *file, int line, const char *expr) CH_NORETURN;

#define CH_ASSERT(cond)                                                                                      \
	do {                                                                                                 \
		if (__builtin_expect(!(cond), 0))                                                            \
			ch_assert_failed(__FILE__, __LINE__, #cond);                                         \
	} while (0)

#define CH_UNREACHABLE() ch_assert_failed(__FILE__, __LINE__, "unreachable")

#endif
