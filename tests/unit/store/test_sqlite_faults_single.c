#include <errno.h>
#include <stdio.h>

#include "test_faults.h"

static int setup(void **state)
{
	struct twin *t = calloc(1, sizeof(*t));

	twin_init(t);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	twin_fini(*state);
	free(*state);
	return 0;
}

static void must_open(struct twin *t)
{
	struct ch_err err = {0};

	if (twin_open(t, &err) != 0)
		fail_msg("open: %s", err.text);
}

static void must_step(struct twin *t, int step)
{
	struct ch_err err = {0};

	if (twin_step(t, step, &err) != 0)
		fail_msg("step %d: %s", step, err.text);
}

static void steps(struct twin *t, int from, int to)
{
	for (int i = from; i <= to; i++)
		must_step(t, i);
}

static sqlite3 *foreigner(const struct twin *t, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(sqlite_of(&t->disk)->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static void without_descriptors_for_the_log_the_store_waits(void **state)
{
	static const struct disk_fault f = {.ops = DISK_BIT(DISK_OPEN),
			.suffix = "-wal",
			.nth = 1,
			.count = 1,
			.code = SQLITE_CANTOPEN,
			.os_errno = EMFILE};
	struct twin *t = *state;
	struct store_reader *r = NULL;
	struct ch_err err = {0};

	disk_fail(&f);
	assert_int_equal(twin_open(t, &err), CH_EIO);
	assert_int_equal(disk_faults_hit(), 1);
	assert_non_null(strstr(err.text, "Too many open files"));
	must_open(t);
	steps(t, 0, 2);

	/* One more reader can't be had just now; the others go on. */
	disk_fail(&f);
	assert_int_equal(t->disk.store->ops->reader_open(t->disk.store, &r, &err), CH_EIO);
	assert_non_null(strstr(err.text, "Too many open files"));
	assert_int_equal(twin_read(t), 0);
	assert_int_equal(t->disk.store->ops->reader_open(t->disk.store, &r, &err), 0);
	t->disk.store->ops->reader_close(r);
	steps(t, 3, TWIN_STEPS - 1);
	twin_assert_equal(t);
}

/* Pages that came from the disk as nonsense are not kept for true when the disk is well again. */
static void a_page_read_wrong_is_said_and_read_again(void **state)
{
	static const struct disk_fault f = {
			.ops = DISK_BIT(DISK_READ), .suffix = ".db", .nth = 1, .garbles = true};
	struct twin *t = *state;
	struct ch_err err = {0};

	must_open(t);
	steps(t, 0, 8);
	twin_close(t);
	must_open(t);
	disk_fail(&f);
	assert_int_equal(twin_read(t), CH_EDAMAGED);
	assert_int_equal(twin_step(t, 9, &err), CH_EDAMAGED);
	assert_non_null(strstr(err.text, "damaged"));
	assert_true(disk_faults_hit() > 0);
	disk_heal();
	assert_int_equal(twin_read(t), 0);
	steps(t, 9, TWIN_STEPS - 1);
	twin_assert_equal(t);
}

static void a_long_reader_holds_up_only_the_log(void **state)
{
	struct twin *t = *state;
	struct store_sqlite *s;
	sqlite3 *db;

	must_open(t);
	s = sqlite_of(&t->disk);
	steps(t, 0, 1);
	db = foreigner(t, "BEGIN; SELECT count(*) FROM delivery");
	steps(t, 2, 9);
	s->wal_copied = s->wal_pages - 10000;
	t->disk.store->ops->maintain(t->disk.store);
	assert_true(s->wal_copied < s->wal_pages);
	steps(t, 10, 12);
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	s->wal_copied = s->wal_pages - 10000;
	t->disk.store->ops->maintain(t->disk.store);
	assert_int_equal(s->wal_copied, s->wal_pages);
	steps(t, 13, TWIN_STEPS - 1);
	twin_assert_equal(t);
}

static void a_foreign_writer_makes_every_step_busy(void **state)
{
	struct twin *t = *state;
	struct ch_err err = {0};

	must_open(t);
	sqlite3_busy_timeout(sqlite_of(&t->disk)->conn.db, 0);
	for (int step = 0; step < TWIN_STEPS; step++) {
		sqlite3 *db = foreigner(t, "BEGIN IMMEDIATE");

		assert_int_equal(twin_step(t, step, &err), CH_EBUSY);
		assert_non_null(strstr(err.text, "locked"));
		assert_int_equal(twin_read(t), 0);
		assert_int_equal(sqlite3_close(db), SQLITE_OK);
		must_step(t, step);
	}
	twin_assert_equal(t);
}

/* The log's last sync failed, so that the write was refused, and then the machine died before another: what
 * was refused may be there all the same, but never in part. */
static void a_write_without_its_sync_is_whole_or_not_there(void **state)
{
	static const struct disk_fault f = {.ops = DISK_BIT(DISK_SYNC),
			.suffix = "-wal",
			.nth = 1,
			.code = SQLITE_IOERR_FSYNC,
			.os_errno = EIO};
	int resurrected = 0;

	for (uint64_t seed = 0; seed < 40; seed++) {
		struct disk_survival s = disk_survival_of(seed);
		struct disk_wreck *w;
		struct twin t;
		struct ch_err err = {0};

		twin_init(&t);
		must_open(&t);
		steps(&t, 0, 2);
		disk_fail(&f);
		assert_int_equal(twin_step(&t, 3, &err), CH_EIO);
		disk_cut_at(1);
		twin_close(&t);
		w = disk_wreck_take();
		disk_wreck_salvage(w, t.disk.dir, &s);
		disk_wreck_free(&w);
		must_open(&t);
		if (ledger_of(&t.disk, ACCOUNT).accepted != ledger_of(&t.model, ACCOUNT).accepted) {
			twin_model_step(&t, 3);
			resurrected++;
		}
		twin_assert_equal(&t);
		twin_fini(&t);
	}
	assert_true(resurrected < 40);
}

int fault_single_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					without_descriptors_for_the_log_the_store_waits, setup, teardown),
			cmocka_unit_test_setup_teardown(
					a_page_read_wrong_is_said_and_read_again, setup, teardown),
			cmocka_unit_test_setup_teardown(a_long_reader_holds_up_only_the_log, setup, teardown),
			cmocka_unit_test_setup_teardown(
					a_foreign_writer_makes_every_step_busy, setup, teardown),
			cmocka_unit_test(a_write_without_its_sync_is_whole_or_not_there),
	};

	return cmocka_run_group_tests_name("single faults", tests, NULL, NULL);
}
