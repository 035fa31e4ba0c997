#include <stdio.h>

#include "test_faults.h"

/* The nth allocation inside the store fails, SQLite's own included, for every n of the script. */

static sqlite3_mem_methods real;

static struct {
	bool is_on; /* inside a call of the store */
	long left; /* until the one that fails; 0: none does */
	long seen, hits;
} memory;

static bool is_refused(void *ctx)
{
	(void)ctx;
	if (!memory.is_on)
		return false;
	memory.seen++;
	if (memory.left == 0 || --memory.left > 0)
		return false;
	memory.hits++;
	return true;
}

static void *mem_alloc(int bytes)
{
	return is_refused(NULL) ? NULL : real.xMalloc(bytes);
}

static void *mem_realloc(void *p, int bytes)
{
	return is_refused(NULL) ? NULL : real.xRealloc(p, bytes);
}

/* No lookaside memory: from that small pieces come without being asked for. */
void fault_memory_install(void)
{
	sqlite3_mem_methods mine;

	assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real), SQLITE_OK);
	mine = real;
	mine.xMalloc = mem_alloc;
	mine.xRealloc = mem_realloc;
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &mine), SQLITE_OK);
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0), SQLITE_OK);
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
}

static void enter(void)
{
	memory.is_on = true;
}

static void leave(void)
{
	memory.is_on = false;
}

static void arm(long nth)
{
	memory.left = nth;
	memory.seen = memory.hits = 0;
	twin_enter = enter;
	twin_leave = leave;
	ch_alloc_set_hook(is_refused, NULL);
}

static void disarm(void)
{
	memory.left = 0;
	twin_enter = twin_leave = NULL;
	ch_alloc_set_hook(NULL, NULL);
}

static void check_refusal(int rc, long nth, const char *where, int step, const char *words)
{
	if (rc != CH_ENOMEM)
		fail_msg("allocation %ld of %s %d: %d %s", nth, where, step, rc, words);
}

/* A step that failed has left nothing, so the next n can be tried on the same store; a failure that SQLite
 * bears ends the step, and the next round goes on behind it. false: this step's allocations are through. */
static bool step_through(struct twin *t, int step, long *next)
{
	struct ch_err err = {0};
	int rc = CH_ENOMEM;

	while (rc != 0) {
		arm((*next)++);
		rc = twin_step(t, step, &err);
		if (rc != 0)
			check_refusal(rc, *next - 1, "step", step, err.text);
	}
	return memory.hits > 0;
}

static void read_through(struct twin *t, int step)
{
	long nth = 0;

	do {
		int rc;

		arm(++nth);
		rc = twin_read(t);
		if (rc != 0)
			check_refusal(rc, nth, "the reads after step", step, "");
	} while (memory.hits > 0);
}

static void each_allocation_of_the_script_fails(void **state)
{
	long next[TWIN_STEPS], all = 0;
	bool has_more = true;

	for (int step = 0; step < TWIN_STEPS; step++)
		next[step] = 1;
	for (int round = 0; has_more; round++) {
		struct twin t;
		struct ch_err err = {0};

		has_more = false;
		twin_init(&t);
		assert_int_equal(twin_open(&t, &err), 0);
		for (int step = 0; step < TWIN_STEPS; step++) {
			has_more = step_through(&t, step, &next[step]) || has_more;
			if (round == 0)
				read_through(&t, step);
		}
		disarm();
		twin_assert_equal(&t);
		twin_fini(&t);
	}
	for (int step = 0; step < TWIN_STEPS; step++)
		all += next[step] - 2;
	print_message("%ld allocations\n", all);
	assert_true(all > 1000);
}

/* true: the nth failed. The store is closed in the end. */
static bool open_through(struct twin *t, long nth)
{
	struct ch_err err = {0};
	int rc;

	arm(nth);
	rc = twin_open(t, &err);
	disarm();
	if (rc != 0)
		check_refusal(rc, nth, "opening", 0, err.text);
	twin_close(t);
	return memory.hits > 0;
}

static void must_work(struct twin *t)
{
	struct ch_err err = {0};

	assert_int_equal(twin_open(t, &err), 0);
	for (int step = 0; step < 2; step++)
		assert_int_equal(twin_step(t, step, &err), 0);
	twin_assert_equal(t);
}

static void each_allocation_of_the_opening_fails(void **state)
{
	struct twin t;
	long n = 1;

	twin_init(&t);
	while (open_through(&t, n))
		n++;
	print_message("%ld allocations\n", n - 1);
	assert_true(n > 1000);
	must_work(&t);
	twin_fini(&t);
}

/* On a new file, the migrations included: every so many, because each takes a file of its own. */
static void allocations_of_the_first_opening_fail(void **state)
{
	bool has_hit = true;
	long runs = 0;

	for (long n = 1; has_hit; n += 17, runs++) {
		struct twin t;

		twin_init(&t);
		has_hit = open_through(&t, n);
		must_work(&t);
		twin_fini(&t);
	}
	assert_true(runs > 50);
}

int fault_memory_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(each_allocation_of_the_script_fails),
			cmocka_unit_test(each_allocation_of_the_opening_fails),
			cmocka_unit_test(allocations_of_the_first_opening_fail),
	};

	return cmocka_run_group_tests_name("out of memory", tests, NULL, NULL);
}
