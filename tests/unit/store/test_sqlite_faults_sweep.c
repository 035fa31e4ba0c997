#include <errno.h>
#include <stdio.h>

#include "test_faults.h"

/* The nth operation of a kind fails, and all after it until the disk is well again, for every n of the
 * script; without a reopening everything works again, and nothing is half done. */

struct sweep {
	const char *name;
	struct disk_fault fault;
	int code; /* what the asker gets */
	const char *words;
};

static const struct sweep sweeps[] = {
		{"full", {.ops = DISK_BIT(DISK_WRITE), .code = SQLITE_FULL, .os_errno = ENOSPC}, CH_EFULL,
				"no space left"},
		{"over quota", {.ops = DISK_BIT(DISK_WRITE), .code = SQLITE_IOERR_WRITE, .os_errno = EDQUOT},
				CH_EFULL, "no space left"},
		{"read-only", {.ops = DISK_BIT(DISK_WRITE), .code = SQLITE_IOERR_WRITE, .os_errno = EROFS},
				CH_EIO, "Read-only file system"},
		{"unsyncable", {.ops = DISK_BIT(DISK_SYNC), .code = SQLITE_IOERR_FSYNC, .os_errno = EIO},
				CH_EIO, "Input/output error"},
		{"unreadable", {.ops = DISK_BIT(DISK_READ), .code = SQLITE_IOERR_READ, .os_errno = EIO},
				CH_EIO, "Input/output error"},
		{"untruncatable",
				{.ops = DISK_BIT(DISK_TRUNCATE),
						.code = SQLITE_IOERR_TRUNCATE,
						.os_errno = EIO},
				CH_EIO, "Input/output error"},
};

static int current_nth;

static void check_failure(const struct sweep *s, int rc, const struct ch_err *err)
{
	if (rc != s->code || strstr(err->text, s->words) == NULL)
		fail_msg("%s, n %d: %d %s", s->name, current_nth, rc, err->text);
}

/* A step that fails fails again or not while the fault lasts; then it must not. */
static void step_through(struct twin *t, const struct sweep *s, int step)
{
	struct ch_err err = {0};
	int rc = twin_step(t, step, &err);

	if (rc != 0) {
		check_failure(s, rc, &err);
		rc = twin_step(t, step, &err);
	}
	if (rc != 0) {
		check_failure(s, rc, &err);
		disk_heal();
		rc = twin_step(t, step, &err);
	}
	if (rc != 0)
		fail_msg("%s, n %d, step %d: not well again: %s", s->name, current_nth, step, err.text);
}

static void open_through(struct twin *t, const struct sweep *s)
{
	struct ch_err err = {0};
	int rc = twin_open(t, &err);

	if (rc != 0) {
		check_failure(s, rc, &err);
		disk_heal();
		rc = twin_open(t, &err);
	}
	if (rc != 0)
		fail_msg("%s, n %d: can't be opened any more: %s", s->name, current_nth, err.text);
}

/* false: the script has no nth operation. */
static bool run(const struct sweep *s, int nth, bool with_open)
{
	struct disk_fault fault = s->fault;
	struct twin t;
	struct ch_err err = {0};
	bool has_hit;

	current_nth = nth;
	fault.nth = nth;
	twin_init(&t);
	if (!with_open)
		assert_int_equal(twin_open(&t, &err), 0);
	disk_fail(&fault);
	if (with_open)
		open_through(&t, s);
	for (int step = 0; step < TWIN_STEPS; step++) {
		int rc;

		step_through(&t, s, step);
		rc = twin_read(&t);
		assert_true(rc == 0 || rc == s->code);
		t.disk.store->ops->maintain(t.disk.store);
	}
	has_hit = disk_faults_hit() > 0;
	disk_heal();
	twin_assert_equal(&t);
	twin_close(&t);
	assert_int_equal(twin_open(&t, &err), 0);
	twin_assert_equal(&t);
	twin_fini(&t);
	return has_hit;
}

static void the_nth_operation_fails(void **state)
{
	const struct sweep *s = *state;
	int runs = 0;

	for (int nth = 1; run(s, nth, false); nth++)
		runs++;
	assert_true(runs > 0 || s->fault.ops == DISK_BIT(DISK_TRUNCATE));
}

static void the_nth_operation_fails_from_the_opening_on(void **state)
{
	const struct sweep *s = *state;
	int runs = 0;

	/* What an opening needs is among the first ones. */
	for (int nth = 1; nth <= 80 && run(s, nth, true); nth++)
		runs++;
	assert_true(runs > 0 || s->fault.ops == DISK_BIT(DISK_TRUNCATE));
}

int fault_sweep_tests(void)
{
	struct CMUnitTest tests[2 * sizeof(sweeps) / sizeof(sweeps[0])] = {0};
	char names[2 * sizeof(sweeps) / sizeof(sweeps[0])][80];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(sweeps) / sizeof(sweeps[0]); i++) {
		for (int with_open = 0; with_open < 2; with_open++, n++) {
			snprintf(names[n], sizeof(names[n]), "the nth operation fails%s: %s",
					with_open ? " from the opening on" : "", sweeps[i].name);
			tests[n].name = names[n];
			tests[n].test_func = with_open ? the_nth_operation_fails_from_the_opening_on
						       : the_nth_operation_fails;
			tests[n].initial_state = (void *)(uintptr_t)&sweeps[i];
		}
	}
	return cmocka_run_group_tests_name("faults of the disk", tests, NULL, NULL);
}
