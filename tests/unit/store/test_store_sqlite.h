/* tests/unit/store/test_store_sqlite.h - the groups of the SQLite store's own tests.
 *
 * Role:      what the contract suite can't see: files, locks, versions, plans, damage. The bed is the
 *            contract suite's.
 */
#ifndef CH_TESTS_TEST_STORE_SQLITE_H
#define CH_TESTS_TEST_STORE_SQLITE_H

#include "contract.h"

#include "store/store_sqlite.h"

/* How many tests failed. */
int sqlite_open_tests(void);
int sqlite_failure_tests(void);
int sqlite_plan_tests(void);
int sqlite_damage_tests(void);
int sqlite_poison_tests(void);
int sqlite_upgrade_tests(void);
int sqlite_hook_tests(void);
int sqlite_history_tests(void);
int sqlite_stretch_tests(void);

static inline struct store_sqlite *sqlite_of_bed(const struct bed *b)
{
	return CH_CONTAINER_OF(b->store, struct store_sqlite, base);
}

#endif
