#include "store/store_sqlite_fsck.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "store/store_sqlite_fsck_sql.h"

#define APPLICATION_ID 0x63686f6b
/* Of what a record may be, whatever the server's setting was when it took one. */
#define RECORD_MAX_BYTES ((size_t)64 * 1024 * 1024)

extern const unsigned long store_sql_count;

static const char whole[] = "the database";

void fsck_finding(struct fsck *f, const char *where, const char *fmt, ...)
{
	char text[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	f->totals.findings++;
	f->sink->finding(f->sink->ctx, where, text);
}

void fsck_bind(struct fsck *f, enum fsck_stmt which, int at, int64_t v)
{
	int rc = sqlite3_bind_int64(f->stmts[which], at, v);

	CH_ASSERT(rc == SQLITE_OK);
}

int fsck_step(struct fsck *f, enum fsck_stmt which)
{
	int rc = sqlite3_step(f->stmts[which]);

	if (rc != SQLITE_ROW)
		sqlite3_reset(f->stmts[which]);
	return rc;
}

void fsck_reset(struct fsck *f, enum fsck_stmt which)
{
	sqlite3_reset(f->stmts[which]);
}

int64_t fsck_int(struct fsck *f, enum fsck_stmt which, int at)
{
	return sqlite3_column_int64(f->stmts[which], at);
}

bool fsck_is_null(struct fsck *f, enum fsck_stmt which, int at)
{
	return sqlite3_column_type(f->stmts[which], at) == SQLITE_NULL;
}

bool fsck_id(struct fsck *f, enum fsck_stmt which, int at, struct id *ret)
{
	const void *data = sqlite3_column_blob(f->stmts[which], at);

	if (data == NULL || sqlite3_column_bytes(f->stmts[which], at) != (int)sizeof(ret->b))
		return false;
	memcpy(ret->b, data, sizeof(ret->b));
	return true;
}

/* ---- the database as SQLite sees it ---- */

static int check_integrity(struct fsck *f)
{
	int rc;

	while ((rc = fsck_step(f, FSCK_INTEGRITY)) == SQLITE_ROW) {
		const unsigned char *text = sqlite3_column_text(f->stmts[FSCK_INTEGRITY], 0);

		if (text != NULL && strcmp((const char *)text, "ok") != 0)
			fsck_finding(f, whole, "%s", (const char *)text);
	}
	return rc == SQLITE_DONE ? 0 : rc;
}

static int check_marks(struct fsck *f)
{
	int rc = fsck_step(f, FSCK_MARKS);

	if (rc == SQLITE_ROW) {
		f->id_ahead_ms = fsck_int(f, FSCK_MARKS, 0);
		f->removed_attempt = fsck_int(f, FSCK_MARKS, 1);
		f->is_building = fsck_int(f, FSCK_MARKS, 2) >= 0;
		if (!sq_is_sane(f->id_ahead_ms) || !sq_is_sane(f->removed_attempt))
			fsck_finding(f, whole, "its marks can't be");
		fsck_reset(f, FSCK_MARKS);
		return 0;
	}
	if (rc == SQLITE_DONE)
		fsck_finding(f, whole, "its marks are missing");
	return rc == SQLITE_DONE ? 0 : rc;
}

static int check_lost_rows(struct fsck *f)
{
	int rc;

	while ((rc = fsck_step(f, FSCK_LOST_ROWS)) == SQLITE_ROW) {
		sqlite3_stmt *st = f->stmts[FSCK_LOST_ROWS];

		fsck_finding(f, (const char *)sqlite3_column_text(st, 0), "%s",
				(const char *)sqlite3_column_text(st, 1));
	}
	return rc == SQLITE_DONE ? 0 : rc;
}

/* ---- accounts ---- */

/* As the column state of the table has them. */
enum { ACCOUNT_LIVE, ACCOUNT_CLOSED, ACCOUNT_GONE };

static void check_account_state(struct fsck *f, const char *where)
{
	int64_t state = fsck_int(f, FSCK_ACCOUNTS, 4);

	f->is_account_deleted = state != ACCOUNT_LIVE;
	if (state < ACCOUNT_LIVE || state > ACCOUNT_GONE)
		fsck_finding(f, where, "its state can't be");
	else if (state == ACCOUNT_CLOSED)
		f->sink->note(f->sink->ctx, where, "it is deleted, and not all of its rows are removed yet");
}

static int check_account(struct fsck *f)
{
	char id[ACCOUNT_ID_MAX + 1], where[FSCK_WHERE_MAX];
	int64_t number = fsck_int(f, FSCK_ACCOUNTS, 0);
	const unsigned char *text = sqlite3_column_text(f->stmts[FSCK_ACCOUNTS], 1);
	struct ledger counts = {0}, events = {0};
	int rc;

	snprintf(id, sizeof(id), "%s", text == NULL ? "" : (const char *)text);
	snprintf(where, sizeof(where), "account number %lld", (long long)number);
	check_account_state(f, where);
	if (fsck_int(f, FSCK_ACCOUNTS, 4) != ACCOUNT_GONE && account_id_check(id, strlen(id)) != 0)
		fsck_finding(f, where, "its id can't be");
	for (int i = 0; i < ACCOUNT_KEYS; i++) {
		if (fsck_int(f, FSCK_ACCOUNTS, 2 + i) != CH_SHA256_BYTES)
			fsck_finding(f, where, "the digest of a key can't be");
	}
	rc = fsck_webhooks(f, ops_event_account(number), &events);
	if (rc == 0)
		rc = fsck_webhooks(f, number, &counts);
	rules_ledger_add(&f->totals.ledger, &counts);
	f->totals.accounts++;
	if (rc == 0)
		f->sink->account(f->sink->ctx, id, &counts);
	return rc;
}

static int check_accounts(struct fsck *f)
{
	int rc;

	while ((rc = fsck_step(f, FSCK_ACCOUNTS)) == SQLITE_ROW) {
		rc = check_account(f);
		if (rc != 0) {
			fsck_reset(f, FSCK_ACCOUNTS);
			return rc;
		}
	}
	return rc == SQLITE_DONE ? 0 : rc;
}

/* The account that is in no table. */
static int check_operator(struct fsck *f)
{
	struct ledger events = {0};

	f->is_account_deleted = false;
	return fsck_webhooks(f, EVENT_OPERATOR, &events);
}

static int check_attempt_count(struct fsck *f)
{
	int rc = fsck_step(f, FSCK_ATTEMPT_COUNT);

	if (rc != SQLITE_ROW)
		return rc;
	f->totals.attempts = fsck_int(f, FSCK_ATTEMPT_COUNT, 0);
	fsck_reset(f, FSCK_ATTEMPT_COUNT);
	if (f->totals.attempts != f->chained)
		fsck_finding(f, whole, "%lld attempts are stored, but deliveries lead to %lld",
				(long long)f->totals.attempts, (long long)f->chained);
	return 0;
}

/* ---- opening ---- */

static int read_number(struct fsck *f, const char *sql, int64_t *ret)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(f->conn.db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int check_version(struct fsck *f, const char *path, struct ch_err *err)
{
	int64_t application = 0, version = 0;
	int rc = read_number(f, "PRAGMA application_id", &application);

	if (rc == SQLITE_OK)
		rc = read_number(f, "PRAGMA user_version", &version);
	if (rc != SQLITE_OK)
		return sq_fail(&f->conn, rc, "read the database", err);
	if (application != APPLICATION_ID)
		return ch_err_set(err, CH_EIO, "%s is no database of callhook", path);
	if (version != (int64_t)store_sql_count)
		return ch_err_set(err, CH_EVERSION,
				"the database %s has version %lld and this callhook checks version %lld: %s",
				path, (long long)version, (long long)store_sql_count,
				version < (int64_t)store_sql_count ? "serve brings it up to date"
								   : "a newer one wrote it");
	return 0;
}

static int prepare(struct fsck *f, struct ch_err *err)
{
	for (int i = 0; i < FSCK_STMT_COUNT; i++) {
		int rc = sqlite3_prepare_v2(f->conn.db, fsck_sqls[i], -1, &f->stmts[i], NULL);

		if (rc != SQLITE_OK)
			return sq_fail(&f->conn, rc, "read the database", err);
	}
	return 0;
}

static int open_all(struct fsck *f, const char *path, struct ch_err *err)
{
	struct stat st;
	int rc;

	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return ch_err_set(err, CH_ENOENT, "there is no database %s", path);
	rc = sq_conn_open(path, false, &f->conn, err);
	if (rc != 0)
		return rc;
	sqlite3_busy_timeout(f->conn.db, STORE_CHECK_BUSY_MS);
	/* The last to leave would copy the log into the database: a reader writes nothing. */
	(void)sqlite3_db_config(f->conn.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
	rc = sq_exec_text(&f->conn, "BEGIN", "read the database", err);
	if (rc == 0)
		rc = check_version(f, path, err);
	if (rc == 0)
		rc = prepare(f, err);
	if (rc != 0)
		return rc;
	f->codec = call_codec_create(RECORD_MAX_BYTES);
	return f->codec == NULL ? sq_no_memory(err) : 0;
}

static void close_all(struct fsck *f)
{
	call_codec_destroy(&f->codec);
	ch_buf_fini(&f->body);
	for (int i = 0; i < FSCK_STMT_COUNT; i++)
		sqlite3_finalize(f->stmts[i]);
	if (f->conn.db != NULL)
		sq_conn_close(&f->conn);
}

/* ---- all of it ---- */

static bool is_damage(int rc)
{
	return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
}

/* Where one part can't be read any further, the others may still have something to say. */
static int run(struct fsck *f, struct ch_err *err)
{
	static int (*const parts[])(struct fsck * f) = {check_integrity, check_marks, check_lost_rows,
			fsck_calls, fsck_lists, check_accounts, check_operator, check_attempt_count,
			fsck_history};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int rc = parts[i](f);

		if (rc != 0 && !is_damage(rc))
			return sq_fail(&f->conn, rc, "read the database", err);
		if (rc != 0)
			fsck_finding(f, whole, "a part of it can't be read: %s", sqlite3_errstr(rc));
	}
	return 0;
}

int store_sqlite_check(const char *path, const struct store_check_sink *sink, struct store_check_totals *ret,
		struct ch_err *err)
{
	struct fsck f = {.sink = sink};
	int rc;

	ch_buf_init(&f.body, RECORD_MAX_BYTES);
	rc = sq_of_whole(open_all(&f, path, err), err);
	if (rc == 0)
		rc = run(&f, err);
	close_all(&f);
	if (rc == 0)
		*ret = f.totals;
	return rc;
}
