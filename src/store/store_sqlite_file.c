#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/crash_point.h"
#include "store/store_sqlite.h"

#define APPLICATION_ID 0x63686f6b /* "chok": how file(1) and this program know the database */
#define PATH_BYTES_MAX 4096

/* The files of src/store/sql in order; file i leads from version i to i + 1. */
extern const unsigned char *const store_sql_data[];
extern const unsigned long store_sql_count;

static int fail_open(const char *path, int os, struct ch_err *err)
{
	const char *slash = strrchr(path, '/');

	if (os == ENOENT && slash != NULL && slash != path)
		return ch_err_set(err, CH_EIO, "can't open the database %s: there is no directory %.*s", path,
				(int)(slash - path), path);
	if (os == ENOMEM)
		return sq_no_memory(err);
	if (os == ENOSPC || os == EDQUOT)
		return ch_err_set(err, CH_EFULL, "can't open the database %s: %s", path, strerror(os));
	return ch_err_set(err, CH_EIO, "can't open the database %s: %s", path, strerror(os));
}

/* flock, not a POSIX lock: it belongs to the open file, so that a second opening in the same process is
 * refused too, and no other close of the file drops it. The lock is beside the database because SQLite's
 * own locks are on that. */
int sq_lock(const char *path, int *ret_fd, struct ch_err *err)
{
	struct ch_buf name;
	int fd, os;

	ch_buf_init(&name, PATH_BYTES_MAX);
	ch_buf_addf(&name, "%s.lock", path);
	if (name.err != 0) {
		int code = name.err == CH_ENOMEM ? CH_ENOMEM : CH_EINVAL;
		ch_buf_fini(&name);
		return ch_err_set(err, code, "can't open the database: %s",
				code == CH_ENOMEM ? "out of memory" : "its path is too long");
	}
	fd = open(ch_buf_text(&name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	os = errno;
	ch_buf_fini(&name);
	if (fd < 0)
		return fail_open(path, os, err);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		os = errno;
		close(fd);
		if (os == EWOULDBLOCK)
			return ch_err_set(err, CH_EBUSY,
					"the database %s is in use: another callhook holds %s.lock", path,
					path);
		return ch_err_set(err, CH_EIO, "can't lock %s.lock: %s", path, strerror(os));
	}
	*ret_fd = fd;
	return 0;
}

/* So that the name of a new database outlives a crash of the machine as its content does. */
int sq_sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = slash == NULL ? ch_strdup(".") : ch_memdup0(path, (size_t)(slash - path) + 1);
	int fd, rc;

	if (name == NULL) {
		errno = ENOMEM;
		return -1;
	}
	fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ch_free(name);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

/* Made here and not by SQLite, for the mode: SQLite gives its other files the mode of this one. */
int sq_file_make(const char *path, struct ch_err *err)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	int rc;

	if (fd < 0)
		return fail_open(path, errno, err);
	rc = fstat(fd, &st);
	if (rc == 0 && !S_ISREG(st.st_mode)) {
		close(fd);
		return ch_err_set(err, CH_EIO, "can't open the database %s: it is not a file", path);
	}
	if (rc == 0 && st.st_size == 0)
		rc = sq_sync_directory(path);
	if (rc != 0)
		rc = fail_open(path, errno, err);
	close(fd);
	return rc;
}

static int read_number(struct sq_conn *c, const char *sql, int64_t *ret)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(c->db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* Whose file it is, before anything in it is changed. */
static int read_version(struct sq_conn *c, const char *path, int64_t *ret_version, struct ch_err *err)
{
	int64_t application = 0, tables = 0, version = 0;
	int rc = read_number(c, "PRAGMA application_id", &application);

	if (rc == SQLITE_OK)
		rc = read_number(c, "PRAGMA user_version", &version);
	if (rc == SQLITE_OK)
		rc = read_number(c, "SELECT count(*) FROM sqlite_schema", &tables);
	if (rc != SQLITE_OK)
		return sq_fail(c, rc, "read the database", err);
	if (application != APPLICATION_ID && (application != 0 || tables != 0 || version != 0))
		return ch_err_set(err, CH_EIO, "%s is a database of another program, not of callhook", path);
	if (version < 0 || (application == APPLICATION_ID && version == 0))
		return sq_damaged("its version is missing", err);
	*ret_version = version;
	return 0;
}

static int migrate_step(struct sq_conn *c, int64_t version, struct ch_err *err)
{
	static const char doing[] = "bring the database up to date";
	struct ch_buf mark;
	int rc;

	ch_buf_init(&mark, 200);
	ch_buf_addf(&mark, "PRAGMA application_id = %d; PRAGMA user_version = %lld", APPLICATION_ID,
			(long long)version + 1);
	rc = mark.err == 0 ? sq_exec_text(c, "BEGIN IMMEDIATE", doing, err) : sq_no_memory(err);
	CH_CRASH_POINT(migrate_begun);
	if (rc == 0)
		rc = sq_exec_text(c, (const char *)store_sql_data[version], doing, err);
	CH_CRASH_POINT(migrate_changed);
	if (rc == 0)
		rc = sq_exec_text(c, ch_buf_text(&mark), doing, err);
	CH_CRASH_POINT(migrate_marked);
	if (rc == 0)
		rc = sq_exec_text(c, "COMMIT", doing, err);
	CH_CRASH_POINT(migrate_committed);
	if (rc != 0 && sqlite3_get_autocommit(c->db) == 0)
		(void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
	ch_buf_fini(&mark);
	return rc;
}

static int refuse_newer(const char *path, int64_t version, struct ch_err *err)
{
	int64_t latest = (int64_t)store_sql_count;

	if (version > latest)
		return ch_err_set(err, CH_EVERSION,
				"the database %s was written by a newer callhook: it has version %lld, this "
				"one knows "
				"up to %lld",
				path, (long long)version, (long long)latest);
	return 0;
}

int sq_version_check(struct sq_conn *c, const char *path, struct ch_err *err)
{
	int64_t version = 0;
	int rc = read_version(c, path, &version, err);

	if (rc == 0 && version == 0)
		return ch_err_set(err, CH_EIO, "%s is no database of callhook", path);
	return rc == 0 ? refuse_newer(path, version, err) : rc;
}

int sq_migrate(struct sq_conn *c, const char *path, struct ch_err *err)
{
	int64_t version = 0, latest = (int64_t)store_sql_count;
	int rc = read_version(c, path, &version, err);

	if (rc == 0)
		rc = refuse_newer(path, version, err);
	if (rc != 0)
		return rc;
	rc = sq_exec_text(c, "PRAGMA journal_mode = WAL", "set up the database", err);
	for (; rc == 0 && version < latest; version++)
		rc = migrate_step(c, version, err);
	return rc;
}
