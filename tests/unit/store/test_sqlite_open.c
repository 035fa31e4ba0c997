#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test_store_sqlite.h"

extern const unsigned long store_sql_count; /* of migrations */

static void path_in(const struct bed *b, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", b->dir, name);
}

static void close_bed(struct bed *b)
{
	b->store->ops->reader_close(b->reader);
	store_close(&b->store);
}

static int open_at(struct bed *b, const char *path, struct ch_err *err)
{
	struct store_conf conf = bed_conf(b);

	return store_sqlite_open(path, &conf, &b->store, err);
}

static void open_again(struct bed *b)
{
	struct ch_err err = {0};
	char path[128];

	path_in(b, "store.db", path);
	assert_int_equal(open_at(b, path, &err), 0);
	assert_int_equal(b->store->ops->reader_open(b->store, &b->reader, &err), 0);
}

static void exec_at(const char *path, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t number_of(struct sq_conn *c, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int64_t v;

	assert_int_equal(sqlite3_prepare_v2(c->db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return v;
}

static void an_empty_file_is_brought_up_to_date(void **state)
{
	struct sq_conn *c = &sqlite_of_bed(*state)->conn;

	assert_int_equal(number_of(c, "PRAGMA user_version"), (int64_t)store_sql_count);
	assert_int_equal(number_of(c, "PRAGMA application_id"), 0x63686f6b);
	assert_int_equal(number_of(c, "PRAGMA synchronous"), 2);
	assert_int_equal(number_of(c, "SELECT count(*) FROM sqlite_schema WHERE name = 'delivery'"), 1);
	assert_int_equal(number_of(c, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"),
			1);
}

static void the_files_are_for_their_owner_only(void **state)
{
	static const char *const names[] = {"store.db", "store.db-wal", "store.db-shm", "store.db.lock"};
	struct stat st;
	char path[128];

	make_webhook(*state, 1, true);
	for (size_t i = 0; i < 4; i++) {
		path_in(*state, names[i], path);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static void a_second_opening_is_refused(void **state)
{
	struct bed *b = *state;
	struct bed second = *b;
	struct ch_err err = {0};
	char path[128];

	path_in(b, "store.db", path);
	assert_int_equal(open_at(&second, path, &err), CH_EBUSY);
	assert_non_null(strstr(err.text, path));
	close_bed(b);
	open_again(b);
}

static void a_newer_version_is_refused(void **state)
{
	struct bed *b = *state;
	struct ch_err err = {0};
	char path[128], mark[64];

	path_in(b, "store.db", path);
	close_bed(b);
	exec_at(path, "PRAGMA user_version = 99");
	assert_int_equal(open_at(b, path, &err), CH_EVERSION);
	assert_non_null(strstr(err.text, "99"));
	assert_non_null(strstr(err.text, path));
	snprintf(mark, sizeof(mark), "PRAGMA user_version = %lu", store_sql_count);
	exec_at(path, mark);
	open_again(b);
}

static void a_database_of_another_program_is_left_alone(void **state)
{
	static const char *const makers[] = {"CREATE TABLE t (a); INSERT INTO t VALUES (1)",
			"PRAGMA application_id = 7", "PRAGMA user_version = 3"};
	struct bed b = *(struct bed *)*state;
	struct ch_err err;
	char path[128], lock[140];

	path_in(&b, "other.db", path);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	for (size_t i = 0; i < 3; i++) {
		sqlite3 *db = NULL;

		exec_at(path, makers[i]);
		assert_int_equal(open_at(&b, path, &err), CH_EIO);
		assert_non_null(strstr(err.text, path));
		assert_non_null(strstr(err.text, "another program"));
		assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
		struct sq_conn c = {.db = db};
		assert_int_equal(number_of(&c, "SELECT count(*) FROM sqlite_schema"), i == 0);
		assert_int_equal(number_of(&c, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode "
					       "= 'wal'"),
				0);
		sqlite3_close(db);
		unlink(path);
	}
	unlink(lock);
}

static void what_is_no_database_is_refused(void **state)
{
	static const char text[] = "this is a letter, and by no means a database; it has more than a hundred "
				   "bytes so that nobody takes it for one that was only begun\n";
	struct bed b = *(struct bed *)*state;
	struct ch_err err = {0};
	char path[128], lock[140], got[sizeof(text)] = {0};
	int fd;

	path_in(&b, "letter", path);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
	assert_int_equal(open_at(&b, path, &err), CH_EIO);
	assert_non_null(strstr(err.text, "not a callhook database"));
	assert_int_equal(pread(fd, got, sizeof(text), 0), sizeof(text));
	assert_memory_equal(got, text, sizeof(text));
	close(fd);
	unlink(path);
	unlink(lock);
}

static void bad_places_are_named(void **state)
{
	struct bed b = *(struct bed *)*state;
	struct ch_err err = {0};
	char path[128], lock[140];

	path_in(&b, "nowhere/store.db", path);
	assert_int_equal(open_at(&b, path, &err), CH_EIO);
	assert_non_null(strstr(err.text, "there is no directory"));
	assert_non_null(strstr(err.text, "/nowhere"));
	assert_int_equal(open_at(&b, b.dir, &err), CH_EIO);
	assert_non_null(strstr(err.text, b.dir));
	snprintf(lock, sizeof(lock), "%s.lock", b.dir);
	unlink(lock);
	assert_int_equal(open_at(&b, "", &err), CH_EINVAL);
}

/* Names that SQLite gives a meaning of its own. */
static void odd_names_are_plain_files(void **state)
{
	static const char *const names[] = {":memory:", "file:x?mode=memory"};
	struct bed b = *(struct bed *)*state;
	struct ch_err err = {0};
	char cwd[512], other[64];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(b.dir), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(open_at(&b, names[i], &err), 0);
		store_close(&b.store);
		assert_int_equal(unlink(names[i]), 0);
		snprintf(other, sizeof(other), "%s.lock", names[i]);
		assert_int_equal(unlink(other), 0);
	}
	assert_int_equal(chdir(cwd), 0);
}

static void ids_go_on_after_the_clock_was_set_back(void **state)
{
	struct bed *b = *state;
	struct delivery first, second;
	struct store_request r;

	make_webhook(b, 1, true);
	first = make_delivery(b, 1);
	b->clock.wall.ms -= 3600000;
	bed_restart(b);
	second = make_delivery(b, 2);
	assert_true(id_compare(&first.id, &second.id) < 0);
	assert_true(second.created_ms < first.created_ms);

	/* Listed by when they were made, not by what the id says. */
	ask_list(&r, 10);
	r.u.delivery_list.in.to_ms = b->clock.wall.ms;
	assert_int_equal(serve(b, &r), 0);
	assert_int_equal(r.u.delivery_list.out.count, 1);
	assert_id_equal(&r.u.delivery_list.out.rows[0].id, &second.id);
	store_request_fini(&r);
	delivery_fini(&first);
	delivery_fini(&second);
}

static void the_log_is_copied_and_starts_again(void **state)
{
	struct bed *b = *state;
	struct store_sqlite *s = sqlite_of_bed(b);
	struct delivery d;
	int before;

	make_webhook(b, 1, true);
	for (unsigned i = 1; s->wal_pages < 700; i++) {
		d = make_delivery(b, i);
		delivery_fini(&d);
	}
	before = s->wal_pages;
	b->store->ops->maintain(b->store);
	assert_int_equal(s->wal_copied, before);
	d = make_delivery(b, 100000);
	delivery_fini(&d);
	assert_true(s->wal_pages < before);
	assert_int_equal(s->wal_copied, 0);

	/* Without quiet moments a commit pays. */
	for (unsigned i = 200000; s->wal_copied == 0; i++) {
		assert_true(s->wal_pages <= 4100);
		d = make_delivery(b, i);
		delivery_fini(&d);
	}
	assert_true(s->wal_pages >= 4000);
}

int sqlite_open_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					an_empty_file_is_brought_up_to_date, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					the_files_are_for_their_owner_only, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(a_second_opening_is_refused, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(a_newer_version_is_refused, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_database_of_another_program_is_left_alone, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					what_is_no_database_is_refused, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(bad_places_are_named, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(odd_names_are_plain_files, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					ids_go_on_after_the_clock_was_set_back, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					the_log_is_copied_and_starts_again, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
