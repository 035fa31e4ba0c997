#include "store/store_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/time_text.h"
#include "store/store_check.h"
#include "store/store_sqlite.h"

/* A piece of the copy: 4 MiB. The snapshot is held from the first to the last, so that the copy need not
 * begin again whenever the server commits; that is also why it goes as fast as the disks do. */
#define PIECE_PAGES 1024
#define PROGRESS_EVERY_OPS 200000 /* of SQLite's machine, while it makes a compact copy */

static const char doing[] = "copy the database";

struct copy {
	const struct store_copy_conf *conf;
	const char *from, *to;
	struct sq_conn source;
	int fd; /* of the file `to`; locked */
	int64_t size_bytes; /* of the source */
	struct ch_err *err;
	int stopped; /* the code, when it was given up */
};

static int fail_file(const char *path, const char *what, struct ch_err *err)
{
	int code = errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? CH_EFULL
		   : errno == ENOMEM                                    ? CH_ENOMEM
									: CH_EIO;

	return ch_err_set(err, code, "can't %s %s: %s", what, path, strerror(errno));
}

/* ---- room on the disks ---- */

static int64_t free_bytes(const char *path)
{
	char folder[STORE_COPY_PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct statvfs st;
	int len = slash == NULL ? 0 : slash == path ? 1 : (int)(slash - path);

	snprintf(folder, sizeof(folder), "%.*s", len == 0 ? 1 : len, len == 0 ? "." : path);
	if (statvfs(folder, &st) != 0)
		return INT64_MAX;
	return (int64_t)st.f_bavail * (int64_t)st.f_frsize;
}

static int check_room(const struct copy *c, int64_t needed_bytes)
{
	if (free_bytes(c->to) - needed_bytes < c->conf->spare_bytes)
		return ch_err_set(c->err, CH_EFULL,
				"there is not enough room for %s: %lld MB are needed, %lld MB are free",
				c->to, (long long)((needed_bytes + c->conf->spare_bytes) / 1000000),
				(long long)(free_bytes(c->to) / 1000000));
	return 0;
}

/* The -wal of the store grows while its moment is held. */
static int check_source(const struct copy *c)
{
	if (free_bytes(c->from) < c->conf->spare_bytes)
		return ch_err_set(c->err, CH_EFULL, "given up: the disk of %s is nearly full", c->from);
	return 0;
}

static bool goes_on(struct copy *c, int64_t done)
{
	c->stopped = check_source(c);
	if (c->stopped == 0 && c->conf->progress != NULL &&
			!c->conf->progress(c->conf->ctx, done, c->size_bytes))
		c->stopped = ch_err_set(c->err, CH_ECANCELED, "given up");
	return c->stopped == 0;
}

/* ---- both ends ---- */

static int64_t read_pragma(struct sq_conn *c, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int64_t value = -1;

	if (sqlite3_prepare_v2(c->db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		value = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return value;
}

static int open_source(struct copy *c)
{
	struct stat st;
	int rc;

	if (stat(c->from, &st) != 0 || !S_ISREG(st.st_mode))
		return ch_err_set(c->err, CH_ENOENT, "there is no database %s", c->from);
	rc = sq_conn_open(c->from, false, &c->source, c->err);
	if (rc != 0)
		return rc;
	sqlite3_busy_timeout(c->source.db, STORE_CHECK_BUSY_MS);
	/* The last to leave would copy the log into the database: a reader writes nothing. */
	(void)sqlite3_db_config(c->source.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
	rc = sq_version_check(&c->source, c->from, c->err);
	if (rc == 0)
		rc = sq_exec_text(&c->source, "BEGIN; SELECT count(*) FROM sqlite_schema", doing, c->err);
	if (rc == 0)
		c->size_bytes = read_pragma(&c->source, "PRAGMA page_count") *
				read_pragma(&c->source, "PRAGMA page_size");
	return rc;
}

static int open_target(struct copy *c)
{
	c->fd = open(c->to, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->fd < 0)
		return fail_file(c->to, "make", c->err);
	if (flock(c->fd, LOCK_EX | LOCK_NB) != 0)
		return ch_err_set(c->err, CH_EBUSY, "another one is writing %s", c->to);
	if (ftruncate(c->fd, 0) != 0 || fchmod(c->fd, 0600) != 0)
		return fail_file(c->to, "make", c->err);
	return 0;
}

/* ---- page by page ---- */

static int run_backup(struct copy *c, struct sq_conn *target)
{
	sqlite3_backup *b = sqlite3_backup_init(target->db, "main", c->source.db, "main");
	int rc = SQLITE_OK;

	if (b == NULL)
		return sq_fail(target, sqlite3_errcode(target->db), doing, c->err);
	while (rc == SQLITE_OK && c->stopped == 0) {
		rc = sqlite3_backup_step(b, PIECE_PAGES);
		int64_t all = sqlite3_backup_pagecount(b), left = sqlite3_backup_remaining(b);
		if (rc == SQLITE_OK && all > 0)
			(void)goes_on(c, c->size_bytes / all * (all - left));
	}
	int ended = sqlite3_backup_finish(b);
	if (c->stopped != 0)
		return c->stopped;
	return rc == SQLITE_DONE && ended == SQLITE_OK ? 0 : sq_fail(target, ended, doing, c->err);
}

/* Without a log beside it: a file to be carried about. Its durability is one sync at the end. */
static int copy_pages(struct copy *c)
{
	struct sq_conn target;
	int rc = sq_conn_open(c->to, true, &target, c->err);

	if (rc != 0)
		return rc;
	rc = sq_exec_text(&target, "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF", doing, c->err);
	if (rc == 0)
		rc = run_backup(c, &target);
	if (rc == 0)
		rc = sq_exec_text(&target, "PRAGMA journal_mode = DELETE", doing, c->err);
	sq_conn_close(&target);
	return rc;
}

/* ---- compact ---- */

static int on_ops(void *ctx)
{
	struct copy *c = ctx;
	struct stat st;

	return goes_on(c, fstat(c->fd, &st) == 0 ? (int64_t)st.st_size : 0) ? 0 : 1;
}

/* It takes its own snapshot, and refuses to run within a transaction. */
static int copy_compact(struct copy *c)
{
	sqlite3_stmt *st = NULL;
	int rc = sq_exec_text(&c->source, "COMMIT; PRAGMA query_only = OFF", doing, c->err);

	if (rc != 0)
		return rc;
	c->size_bytes -= read_pragma(&c->source, "PRAGMA freelist_count") *
			 read_pragma(&c->source, "PRAGMA page_size");
	sqlite3_progress_handler(c->source.db, PROGRESS_EVERY_OPS, on_ops, c);
	rc = sqlite3_prepare_v2(c->source.db, "VACUUM INTO ?1", -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(st, 1, c->to, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	rc = c->stopped != 0 ? c->stopped : rc == SQLITE_DONE ? 0 : sq_fail(&c->source, rc, doing, c->err);
	sqlite3_finalize(st);
	sqlite3_progress_handler(c->source.db, 0, NULL, NULL);
	return rc;
}

/* ---- all of it ---- */

static void remove_beside(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
	char name[STORE_COPY_PATH_MAX];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
}

static int make(struct copy *c, int64_t *ret_bytes)
{
	struct stat st = {0};
	int rc = open_source(c);

	if (rc == 0)
		rc = check_room(c, c->size_bytes);
	if (rc == 0)
		rc = open_target(c);
	if (rc != 0)
		return rc;
	rc = c->conf->is_compact ? copy_compact(c) : copy_pages(c);
	if (rc == 0 && (fsync(c->fd) != 0 || fstat(c->fd, &st) != 0))
		rc = fail_file(c->to, "write", c->err);
	if (rc == 0)
		*ret_bytes = (int64_t)st.st_size;
	else
		remove_beside(c->to);
	return rc;
}

int store_sqlite_copy(const char *from, const char *to, const struct store_copy_conf *conf,
		int64_t *ret_bytes, struct ch_err *err)
{
	struct copy c = {.conf = conf, .from = from, .to = to, .fd = -1, .err = err};
	int rc = sq_of_whole(make(&c, ret_bytes), err);

	if (c.source.db != NULL)
		sq_conn_close(&c.source);
	if (c.fd >= 0)
		close(c.fd);
	return rc;
}

int store_sqlite_copy_rename(const char *from, const char *to, struct ch_err *err)
{
	if (rename(from, to) != 0 || sq_sync_directory(to) != 0)
		return fail_file(to, "make", err);
	return 0;
}

/* ---- in its place ---- */

/* The owner that the server runs as, when it is root who restores. */
static void give_owner(const char *copy, const char *path)
{
	char folder[STORE_COPY_PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct stat st;
	bool is_known = stat(path, &st) == 0;

	if (geteuid() != 0)
		return;
	snprintf(folder, sizeof(folder), "%.*s", slash == NULL ? 1 : (int)(slash - path + 1),
			slash == NULL ? "." : path);
	if (!is_known)
		is_known = stat(folder, &st) == 0;
	if (is_known && chown(copy, st.st_uid, st.st_gid) != 0)
		return; /* as root's it is still whole */
}

/* What is in the log of the old one goes into its file, which then is all of it. One that is damaged stays as
 * it is. */
static void settle_old(const char *path)
{
	struct sq_conn old;

	if (sq_conn_open(path, true, &old, NULL) != 0)
		return;
	(void)sqlite3_exec(old.db, "SELECT count(*) FROM sqlite_schema; PRAGMA wal_checkpoint(TRUNCATE)",
			NULL, NULL, NULL);
	sq_conn_close(&old);
}

/* A log that is left goes with the old one: beside the new one it would be taken for its log. */
static int move_aside(const char *path, const char *aside, struct ch_err *err)
{
	char from[STORE_COPY_PATH_MAX], to[STORE_COPY_PATH_MAX];

	if (link(path, aside) != 0 && errno != ENOENT && rename(path, aside) != 0)
		return fail_file(path, "move", err);
	snprintf(from, sizeof(from), "%s-wal", path);
	snprintf(to, sizeof(to), "%s-wal", aside);
	if (rename(from, to) != 0 && errno != ENOENT)
		return fail_file(from, "move", err);
	snprintf(from, sizeof(from), "%s-shm", path);
	if (unlink(from) != 0 && errno != ENOENT)
		return fail_file(from, "remove", err);
	return 0;
}

static int take_place(const char *copy, const char *path, int64_t now_ms, char aside[STORE_COPY_PATH_MAX],
		struct ch_err *err)
{
	char moment[TIME_TEXT_LEN + 1] = {0};
	bool is_there = access(path, F_OK) == 0;
	int rc;

	time_text_format(now_ms / 1000, moment);
	CH_ASSERT(path != NULL);
	if (snprintf(aside, STORE_COPY_PATH_MAX, "%s.%s", path, moment) >= STORE_COPY_PATH_MAX - 8)
		return ch_err_set(err, CH_EINVAL, "the path %s is too long", path);
	give_owner(copy, path);
	if (is_there)
		settle_old(path);
	rc = move_aside(path, aside, err);
	if (!is_there)
		aside[0] = '\0';
	return rc == 0 ? store_sqlite_copy_rename(copy, path, err) : rc;
}

/* The store that this is a state of has gone on since, and gave numbers to calls that others will get here:
 * who follows the calls must not go on with a place of that time as if it were one of this store. In a copy
 * from before there were such places, or a damaged one, there is nothing to be changed. */
static void renew_store_id(const char *copy)
{
	struct sq_conn c;

	if (sq_conn_open(copy, true, &c, NULL) != 0)
		return;
	(void)sqlite3_exec(
			c.db, "PRAGMA synchronous = FULL; UPDATE mark SET store_id = x''", NULL, NULL, NULL);
	sq_conn_close(&c);
}

static int restore(const char *from, const char *path, bool may_replace, const struct store_copy_conf *conf,
		char ret_aside[STORE_COPY_PATH_MAX], struct ch_err *err)
{
	char copy[STORE_COPY_PATH_MAX];
	struct stat st;
	int64_t bytes;
	int rc;

	if (!may_replace && stat(path, &st) == 0 && st.st_size > 0)
		return ch_err_set(err, CH_EEXIST, "there is a database %s already", path);
	if (snprintf(copy, sizeof(copy), "%s.part", path) >= STORE_COPY_PATH_MAX - 8)
		return ch_err_set(err, CH_EINVAL, "the path %s is too long", path);
	rc = store_sqlite_copy(from, copy, conf, &bytes, err);
	if (rc != 0)
		return rc;
	renew_store_id(copy);
	rc = take_place(copy, path, conf->now_ms, ret_aside, err);
	if (rc != 0)
		remove_beside(copy);
	return rc;
}

int store_sqlite_restore(const char *from, const char *path, bool may_replace,
		const struct store_copy_conf *conf, char ret_aside[STORE_COPY_PATH_MAX], struct ch_err *err)
{
	int lock_fd = -1, rc = sq_lock(path, &lock_fd, err);

	if (rc != 0)
		return rc;
	rc = restore(from, path, may_replace, conf, ret_aside, err);
	close(lock_fd);
	return rc;
}
