/* store/store_sqlite_fsck.h - what the files of the check share; for them only.
 *
 * Role:      store_sqlite_fsck.c opens and leads through; _calls.c looks at versions of calls,
 *            _lists.c at their lists, _webhooks.c at webhooks and their counts, _deliveries.c at deliveries
 *            and attempts, _history.c at what was counted over time.
 * Ownership: struct fsck owns its connection, statements and scratch memory.
 * Errors:    0, or a SQLite code when the database could not be read further.
 */
#ifndef CH_STORE_STORE_SQLITE_FSCK_H
#define CH_STORE_STORE_SQLITE_FSCK_H

#include "base/buf.h"
#include "model/call_codec.h"
#include "store/store_check.h"
#include "store/store_sqlite.h"

enum fsck_stmt {
	FSCK_INTEGRITY,
	FSCK_MARKS,
	FSCK_LOST_ROWS,
	FSCK_ATTEMPT_COUNT,
	FSCK_ACCOUNTS,
	FSCK_VERSIONS,
	FSCK_VERSION_BEFORE,
	FSCK_VERSION_DELIVERY,
	FSCK_HOOKS,
	FSCK_DELIVERIES,
	FSCK_ATTEMPT,
	FSCK_HISTORY,
	FSCK_HISTORY_HOURS,
	FSCK_LISTED,
	FSCK_TALLIES,
	FSCK_STRETCHES,
	FSCK_STRETCH_COUNT,
	FSCK_LISTED_NUMBERS,
	FSCK_STMT_COUNT
};

#define FSCK_WHERE_MAX 120

struct fsck {
	struct sq_conn conn;
	sqlite3_stmt *stmts[FSCK_STMT_COUNT];
	const struct store_check_sink *sink;
	struct store_check_totals totals;
	struct call_codec *codec;
	struct ch_buf body; /* what the codec makes of a record */
	int64_t id_ahead_ms;
	int64_t removed_attempt; /* attempts up to this number may be gone */
	bool is_account_deleted; /* the one that is looked at: rows of it may be gone, its counts stay */
	int64_t chained; /* attempts that a delivery leads to */
	bool is_building; /* the lists of calls are not complete yet */
	int64_t listed, listed_phones; /* entries that the calls should have */
	int64_t in_stretches; /* entries that lie in a stretch */
};

void fsck_finding(struct fsck *f, const char *where, const char *fmt, ...) CH_PRINTF(3, 4);

void fsck_bind(struct fsck *f, enum fsck_stmt which, int at, int64_t v);
/* SQLITE_ROW, SQLITE_DONE (the statement is reset), or a failure (it is reset too). */
int fsck_step(struct fsck *f, enum fsck_stmt which);
void fsck_reset(struct fsck *f, enum fsck_stmt which);
int64_t fsck_int(struct fsck *f, enum fsck_stmt which, int at);
bool fsck_is_null(struct fsck *f, enum fsck_stmt which, int at);
bool fsck_id(struct fsck *f, enum fsck_stmt which, int at, struct id *ret);

int fsck_calls(struct fsck *f);
int fsck_history(struct fsck *f);
/* Of the latest version of a call: is it where it should be in the lists. */
int fsck_listed(struct fsck *f, const char *where, int64_t account, int64_t seq,
		const struct call_facts *facts);
int fsck_lists(struct fsck *f); /* after the calls */
int fsck_webhooks(struct fsck *f, int64_t account, struct ledger *counts);
int fsck_deliveries(struct fsck *f, int64_t webhook, int64_t account, struct ledger *counts);

#endif
