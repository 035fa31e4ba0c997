/* tests/torture/torture.h - the nth allocation, or the nth call of the store, fails, for every n.
 *
 * Role:      a scenario says how to set something up, what to do while memory or the store fails, and what
 * must hold afterwards. It is run once to count; then once for each n with only the nth failing, and once
 *            more with the nth and all after it, until memory comes back. After each of them nothing may have
 *            leaked, and the same thing done again must succeed.
 * Ownership: what open gives is close's to free.
 * Threads:   one.
 */
#ifndef CH_TESTS_TORTURE_H
#define CH_TESTS_TORTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

/* What run may give besides 0 and a CH_E code: it was refused in the way that this layer refuses, with a
 * problem document for example, and run has looked at that. */
#define TORTURE_REFUSED 1

struct torture {
	const char *name;
	void *(*open)(void); /* nothing fails here, nor in check and close */
	int (*run)(void *ctx);
	void (*check)(void *ctx, int rc); /* the object is as it was, or as rc 0 promises; may be NULL */
	void (*close)(void *ctx); /* may be NULL */
	const void *what; /* the scenario's own, see torture_what */
	bool may_manage; /* run may succeed though some allocation failed: what it was for can be done without
			  */
	bool ends; /* after a failure the object is only fit to be closed: it is not run again */
	/* Makes the nth write or read of the store from now fail; nth 0: none. NULL: there is no store. */
	void (*fail_store)(void *ctx, bool is_write, int nth, int code);
	int writes, reads; /* how many calls of the store must not fail if run is to succeed */
};

/* The `what` of the scenario that is being run. */
const void *torture_what(void);

/* jansson and libcurl take their memory through base/alloc from now on, and so fail too. */
void torture_libraries(void);

/* Options: --long (every n, else some of the n of a long scenario, chosen by the seed), --seed N, --only
 * PATTERN. The exit code of the program. */
int torture_main(int argc, char **argv, const char *group, const struct torture *all, size_t count);

#endif
