#include "base/crash_point.h"
#include "model/call_codec.h"
#include "store/store_sqlite.h"

/* In steps of their own transactions: the log would hold everything else, and a crash near the end of a large
 * database would begin again. */
#define STEP_VERSIONS 2000

static const char doing[] = "bring the database up to date";

/* The version that SQ_BUILD_VERSIONS stands at. One whose record can't be read is left out: fsck says so, and
 * the others are none the worse for it. */
static int build_one(struct store_sqlite *s, int64_t seq, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	sqlite3_stmt *st = c->stmts[SQ_BUILD_VERSIONS];
	int64_t account = sq_int(c, SQ_BUILD_VERSIONS, 1);
	const char *body = sqlite3_column_blob(st, 2);
	struct call_facts facts;

	if (sq_int(c, SQ_BUILD_VERSIONS, 3) != 0 || sq_is_closed(s, account))
		return 0;
	if (body == NULL && sqlite3_errcode(c->db) == SQLITE_NOMEM)
		return sq_no_memory(err);
	if (call_body_facts(body, (size_t)sqlite3_column_bytes(st, 2), &facts) != 0)
		return 0;
	return sq_list_enter(s, account, seq, &facts, facts.created_s, err);
}

/* *at becomes the last version that was looked at; -1: there are no more. */
static int build_some(struct store_sqlite *s, int64_t *at, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	bool has_row = true;
	int64_t seq = *at;
	int rc = 0, n = 0;

	sq_bind_int(c, SQ_BUILD_VERSIONS, 1, *at);
	for (; rc == 0 && n < STEP_VERSIONS; n++) {
		rc = sq_fetch(c, SQ_BUILD_VERSIONS, &has_row, doing, err);
		if (rc != 0 || !has_row)
			break;
		seq = sq_int(c, SQ_BUILD_VERSIONS, 0);
		rc = build_one(s, seq, err);
	}
	sq_reset(c, SQ_BUILD_VERSIONS);
	*at = has_row ? seq : -1;
	return rc;
}

static int build_step(struct store_sqlite *s, int64_t *at, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	int rc = sq_run(c, SQ_BEGIN, doing, err);

	if (rc == 0)
		rc = build_some(s, at, err);
	if (rc == 0)
		rc = sq_list_flush(s, err);
	if (rc == 0)
		rc = sq_tallies_write(s, err);
	sq_bind_int(c, SQ_BUILD_AT_SET, 1, *at);
	if (rc == 0)
		rc = sq_run(c, SQ_BUILD_AT_SET, doing, err);
	CH_CRASH_POINT(build_inside);
	if (rc == 0)
		rc = sq_run(c, SQ_COMMIT, doing, err);
	CH_CRASH_POINT(build_step);
	return rc;
}

/* After a failure the caller closes the database. */
int sq_lists_build(struct store_sqlite *s, void (*between)(struct store_sqlite *s), struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	bool has_row = false;
	int64_t at = -1;
	int rc = sq_fetch(c, SQ_BUILD_AT, &has_row, doing, err);

	if (rc == 0 && has_row) {
		at = sq_int(c, SQ_BUILD_AT, 0);
		sq_reset(c, SQ_BUILD_AT);
	}
	while (rc == 0 && at >= 0) {
		rc = build_step(s, &at, err);
		if (rc != 0)
			break;
		sq_tallies_committed(&s->tallies);
		between(s);
	}
	return rc;
}
