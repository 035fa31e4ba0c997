/* tests/unit/store/test_faults.h - the real SQLite store on a failing disk, beside a store that never fails.
 *
 * Role:      a twin asks a SQLite store on the disk of tests/vfs, and what that acknowledged a store in
 *            memory; whatever fails meanwhile, both have to hold the same in the end.
 * Units:     script steps count from 0.
 */
#ifndef CH_TESTS_TEST_FAULTS_H
#define CH_TESTS_TEST_FAULTS_H

#include <sqlite3.h>

#include "contract.h"
#include "disk.h"
#include "store/store_sqlite.h"

#define TWIN_STEPS 17 /* of the script */
#define TWIN_MADE_MAX 64
#define TWIN_BATCH_MAX 16

struct twin {
	struct bed disk, model;
	bool is_open; /* disk */
	struct delivery made[2][TWIN_MADE_MAX]; /* disk's and model's, the same news at the same index */
	size_t made_count[2];
	unsigned failures; /* writes that failed so far */
};

/* Around every call of the SQLite store; NULL: nothing. For faults that must not hit the test itself. */
extern void (*twin_enter)(void);
extern void (*twin_leave)(void);

void twin_init(struct twin *t); /* neither store is open */
int twin_open(struct twin *t, struct ch_err *err) CH_MUST_USE; /* the SQLite store, with a reader */
void twin_close(struct twin *t); /* the SQLite store */
void twin_fini(struct twin *t);

/* One step of the script on the SQLite store, and after success on the model. On failure *err has the words,
 * which stand in every request too. */
int twin_step(struct twin *t, int step, struct ch_err *err) CH_MUST_USE;
void twin_model_step(struct twin *t, int step); /* on the model alone */
int twin_read(struct twin *t); /* the worst result of some reads */
void twin_assert_equal(struct twin *t); /* the dumps, and the file */
void twin_check_file(const struct twin *t); /* SQLite's own check and the counts of the rows */
void assert_no_sql(const char *words);

static inline struct store_sqlite *sqlite_of(const struct bed *b)
{
	return CH_CONTAINER_OF(b->store, struct store_sqlite, base);
}

/* How many tests failed. */
int fault_sweep_tests(void);
int fault_single_tests(void);
int fault_memory_tests(void);
int fault_clock_tests(void);
int fault_thread_tests(void);

void fault_memory_install(void); /* first of all */

#endif
