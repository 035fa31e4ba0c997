/* tests/unit/base/test_base.h - what the tests of base/ share.
 *
 * Role:      one entry for each file's group, and the two ways to provoke trouble: fail the nth
 *            allocation, and see a process abort.
 */
#ifndef CH_TEST_BASE_H
#define CH_TEST_BASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

int run_alloc(void);
int run_assert(void);
int run_buf(void);
int run_bytes(void);
int run_clock(void);
int run_crypto(void);
int run_crypto_text(void);
int run_err(void);
int run_heap(void);
int run_list(void);
int run_log(void);
int run_log_redact(void);
int run_map(void);
int run_queue(void);
int run_rand(void);
int run_sm(void);
int run_time_text(void);

/* Runs fn again and again, failing its first allocation, then its second, until it makes fewer
 * allocations than that; returns how many it makes. failed tells fn's own checks whether an
 * allocation has failed in this run so far. */
struct torture {
	bool failed;
	long until; /* allocations left before the one that fails */
};
long torture_run(void (*fn)(struct torture *t));

/* Whether fn(arg), run in a child, ends by abort(). */
bool aborts(void (*fn)(void *arg), void *arg);

#endif
