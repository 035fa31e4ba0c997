#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/buf.h"
#include "store/store_sqlite_sql.h"

/* Page caches in KiB. The writer's holds what a busy hour touches again and again: the ends of the tables
 * and the index by call id. A reader's is emptied by every commit, so a large one would be wasted. */
#define WRITER_CACHE "-65536"
#define READER_CACHE "-4096"

/* Asked of the VFS and not with sqlite3_system_errno: that one is not set by a COMMIT that fails, and keeps
 * what an earlier failure left. */
static int os_error(sqlite3 *db)
{
	sqlite3_vfs *vfs = NULL;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_VFS_POINTER, &vfs) != SQLITE_OK || vfs == NULL ||
			vfs->xGetLastError == NULL)
		return sqlite3_system_errno(db);
	return vfs->xGetLastError(vfs, 0, NULL);
}

/* What SQLite says about a file by itself. The extended codes that mean something else than their class
 * come first. */
static int code_of(sqlite3 *db, int rc)
{
	int os = os_error(db);

	if (rc == SQLITE_IOERR_NOMEM)
		return CH_ENOMEM;
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return CH_EFULL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return CH_EBUSY;
	case SQLITE_NOMEM:
		return CH_ENOMEM;
	case SQLITE_IOERR:
		return os == ENOSPC || os == EDQUOT ? CH_EFULL : CH_EIO;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
	case SQLITE_RANGE:
		return CH_EDAMAGED;
	default:
		return CH_EIO;
	}
}

static const char *words_of(sqlite3 *db, int rc, int code)
{
	int os = os_error(db);

	switch (code) {
	case CH_EFULL:
		return "no space left for the database";
	case CH_EBUSY:
		return "the database is locked by another program";
	case CH_ENOMEM:
		return "out of memory";
	default:
		break;
	}
	if ((rc & 0xff) == SQLITE_CORRUPT)
		return "the database file is damaged";
	if ((rc & 0xff) == SQLITE_NOTADB)
		return "the file is not a callhook database";
	if (os != 0 && ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN))
		return strerror(os);
	return sqlite3_errstr(rc & 0xff);
}

int sq_fail(struct sq_conn *c, int rc, const char *doing, struct ch_err *err)
{
	int extended = sqlite3_extended_errcode(c->db);
	int code;

	if ((extended & 0xff) != (rc & 0xff))
		extended = rc;
	code = code_of(c->db, extended);
	return ch_err_set(err, code, "can't %s: %s", doing, words_of(c->db, extended, code));
}

int sq_damaged(const char *what, struct ch_err *err)
{
	return ch_err_set(err, CH_EDAMAGED, "the database file is damaged: %s", what);
}

int sq_of_whole(int rc, struct ch_err *err)
{
	if (rc != CH_EDAMAGED)
		return rc;
	if (err != NULL)
		err->code = CH_EIO;
	return CH_EIO;
}

bool sq_is_doubtful(int rc)
{
	return rc == CH_EIO || rc == CH_EDAMAGED;
}

int sq_no_memory(struct ch_err *err)
{
	return ch_err_set(err, CH_ENOMEM, "out of memory");
}

int sq_exec_text(struct sq_conn *c, const char *sql, const char *doing, struct ch_err *err)
{
	int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : sq_fail(c, rc, doing, err);
}

/* A plain name that SQLite would read as something else (":memory:", "", "file:…") is made a path. */
static char *as_path(const char *name)
{
	struct ch_buf path;

	ch_buf_init(&path, SIZE_MAX / 2);
	if (name[0] != '/')
		ch_buf_adds(&path, "./");
	ch_buf_adds(&path, name);
	if (path.err != 0) {
		ch_buf_fini(&path);
		return NULL;
	}
	return ch_buf_detach(&path);
}

static void sha256_of(sqlite3_context *ctx, int count, sqlite3_value **values)
{
	uint8_t digest[CH_SHA256_BYTES];
	const void *data = sqlite3_value_blob(values[0]);

	if (data == NULL) {
		if (sqlite3_value_bytes(values[0]) > 0)
			sqlite3_result_error_nomem(ctx);
		return;
	}
	ch_sha256(data, (size_t)sqlite3_value_bytes(values[0]), digest);
	sqlite3_result_blob(ctx, digest, sizeof(digest), SQLITE_TRANSIENT);
}

static int add_functions(struct sq_conn *c, struct ch_err *err)
{
	int rc = sqlite3_create_function_v2(c->db, "sha256", 1,
			SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL, sha256_of, NULL, NULL,
			NULL);

	return rc == SQLITE_OK ? 0 : sq_fail(c, rc, "set up the database", err);
}

static const char writer_settings[] = "PRAGMA synchronous = FULL;"
				      "PRAGMA wal_autocheckpoint = 0;"
				      "PRAGMA journal_size_limit = 33554432;"
				      "PRAGMA secure_delete = FAST;"
				      "PRAGMA temp_store = MEMORY;"
				      "PRAGMA cache_size = " WRITER_CACHE;
static const char reader_settings[] = "PRAGMA query_only = ON;"
				      "PRAGMA temp_store = MEMORY;"
				      "PRAGMA cache_size = " READER_CACHE;

int sq_conn_open(const char *path, bool is_writer, struct sq_conn *ret, struct ch_err *err)
{
	int flags = (is_writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
	struct sq_conn c = {0};
	char *name = as_path(path);

	if (name == NULL)
		return sq_no_memory(err);
	int rc = sqlite3_open_v2(name, &c.db, flags, NULL);
	ch_free(name);
	if (c.db == NULL)
		return sq_no_memory(err);
	if (rc != SQLITE_OK) {
		rc = sq_fail(&c, rc, "open the database", err);
	} else {
		sqlite3_busy_timeout(c.db, SQ_BUSY_MS);
		rc = sq_exec_text(&c, is_writer ? writer_settings : reader_settings, "set up the database",
				err);
		if (rc == 0 && is_writer && sq_history_prepare(&c) != SQLITE_OK)
			rc = sq_no_memory(err);
	}
	if (rc == 0 && is_writer) {
		rc = add_functions(&c, err);
	}
	if (rc != 0) {
		sq_conn_close(&c);
		return rc;
	}
	*ret = c;
	return 0;
}

int sq_conn_prepare(struct sq_conn *c, bool is_writer, struct ch_err *err)
{
	int who = is_writer ? SQ_WRITER : SQ_READER;

	for (int i = 0; i < SQ_STMT_COUNT; i++) {
		if ((sq_sqls[i].who & who) == 0)
			continue;
		int rc = sqlite3_prepare_v3(
				c->db, sq_sqls[i].text, -1, SQLITE_PREPARE_PERSISTENT, &c->stmts[i], NULL);
		if (rc != SQLITE_OK)
			return sq_fail(c, rc, "read the database", err);
	}
	return 0;
}

void sq_conn_close(struct sq_conn *c)
{
	for (int i = 0; i < SQ_STMT_COUNT; i++)
		sqlite3_finalize(c->stmts[i]);
	int rc = sqlite3_close(c->db);
	CH_ASSERT(rc == SQLITE_OK);
	memset(c, 0, sizeof(*c));
}

void sq_conn_reset(struct sq_conn *c)
{
	for (int i = 0; i < SQ_STMT_COUNT; i++)
		sqlite3_reset(c->stmts[i]);
}

void sq_conn_doubt(struct sq_conn *c)
{
	(void)sqlite3_db_release_memory(c->db);
}

int sq_run(struct sq_conn *c, enum sq_stmt which, const char *doing, struct ch_err *err)
{
	sqlite3_stmt *st = c->stmts[which];
	int rc = sqlite3_step(st);

	if (rc != SQLITE_DONE)
		rc = sq_fail(c, rc, doing, err);
	else
		rc = 0;
	sqlite3_reset(st);
	return rc;
}

int sq_fetch(struct sq_conn *c, enum sq_stmt which, bool *ret_row, const char *doing, struct ch_err *err)
{
	sqlite3_stmt *st = c->stmts[which];
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW) {
		*ret_row = true;
		return 0;
	}
	if (rc != SQLITE_DONE)
		rc = sq_fail(c, rc, doing, err);
	else
		rc = 0;
	sqlite3_reset(st);
	if (rc == 0)
		*ret_row = false;
	return rc;
}

void sq_reset(struct sq_conn *c, enum sq_stmt which)
{
	sqlite3_reset(c->stmts[which]);
}

/* Binding borrowed bytes can only fail for a parameter that is not there or a statement that runs. */

void sq_bind_int(struct sq_conn *c, enum sq_stmt which, int at, int64_t v)
{
	int rc = sqlite3_bind_int64(c->stmts[which], at, v);
	CH_ASSERT(rc == SQLITE_OK);
}

void sq_bind_null(struct sq_conn *c, enum sq_stmt which, int at)
{
	int rc = sqlite3_bind_null(c->stmts[which], at);
	CH_ASSERT(rc == SQLITE_OK);
}

void sq_bind_text(struct sq_conn *c, enum sq_stmt which, int at, const char *text)
{
	int rc = sqlite3_bind_text(c->stmts[which], at, text, -1, SQLITE_STATIC);
	CH_ASSERT(rc == SQLITE_OK);
}

void sq_bind_blob(struct sq_conn *c, enum sq_stmt which, int at, const void *data, size_t len)
{
	int rc = sqlite3_bind_blob64(c->stmts[which], at, data, len, SQLITE_STATIC);
	CH_ASSERT(rc == SQLITE_OK);
}

void sq_bind_id(struct sq_conn *c, enum sq_stmt which, int at, const struct id *id)
{
	sq_bind_blob(c, which, at, id->b, sizeof(id->b));
}

int64_t sq_int(struct sq_conn *c, enum sq_stmt which, int at)
{
	return sqlite3_column_int64(c->stmts[which], at);
}

bool sq_is_sane(int64_t v)
{
	return v >= 0 && v <= INT64_C(1) << 53;
}

bool sq_id(struct sq_conn *c, enum sq_stmt which, int at, struct id *ret)
{
	const void *data = sqlite3_column_blob(c->stmts[which], at);

	if (data == NULL || sqlite3_column_bytes(c->stmts[which], at) != (int)sizeof(ret->b))
		return false;
	memcpy(ret->b, data, sizeof(ret->b));
	return true;
}

bool sq_enum(struct sq_conn *c, enum sq_stmt which, int at, int count, int *ret)
{
	int64_t v = sq_int(c, which, at);

	if (v < 0 || v >= count)
		return false;
	*ret = (int)v;
	return true;
}

int sq_text(struct sq_conn *c, enum sq_stmt which, int at, char **ret)
{
	sqlite3_stmt *st = c->stmts[which];
	const char *text;
	char *copy;

	if (sqlite3_column_type(st, at) == SQLITE_NULL) {
		*ret = NULL;
		return 0;
	}
	text = (const char *)sqlite3_column_text(st, at);
	if (text == NULL)
		return CH_ENOMEM;
	copy = ch_memdup0(text, (size_t)sqlite3_column_bytes(st, at));
	if (copy == NULL)
		return CH_ENOMEM;
	*ret = copy;
	return 0;
}

/* SQLite gives no pointer to bytes that are none, so that the type has to tell. */
bool sq_is_erased(struct sq_conn *c, enum sq_stmt which, int at)
{
	return sqlite3_column_type(c->stmts[which], at) == SQLITE_BLOB &&
	       sqlite3_column_bytes(c->stmts[which], at) == 0;
}

int sq_body(struct sq_conn *c, enum sq_stmt which, int at, struct ch_bytes **ret, struct ch_err *err)
{
	const void *data = sqlite3_column_blob(c->stmts[which], at);
	struct ch_bytes *body;

	if (data == NULL)
		return sqlite3_errcode(c->db) == SQLITE_NOMEM ? sq_no_memory(err)
							      : sq_damaged("a call has no record", err);
	body = ch_bytes_create(data, (size_t)sqlite3_column_bytes(c->stmts[which], at));
	if (body == NULL)
		return sq_no_memory(err);
	*ret = body;
	return 0;
}
