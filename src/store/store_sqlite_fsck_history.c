#include <stdio.h>

#include "store/history.h"
#include "store/store_sqlite_fsck.h"

enum { COL_STEP, COL_START, COL_WEBHOOK, COL_ATTEMPTS, COL_DELIVERED, COL_LATENCY, COL_IS_LOST };

static bool is_possible(struct fsck *f)
{
	sqlite3_stmt *st = f->stmts[FSCK_HISTORY];
	int64_t step_s = fsck_int(f, FSCK_HISTORY, COL_STEP), start_s = fsck_int(f, FSCK_HISTORY, COL_START);
	int64_t attempts = fsck_int(f, FSCK_HISTORY, COL_ATTEMPTS);
	int64_t delivered = fsck_int(f, FSCK_HISTORY, COL_DELIVERED);
	const void *packed = sqlite3_column_blob(st, COL_LATENCY);
	struct latency l = {{0}};

	if (latency_unpack(packed, (size_t)sqlite3_column_bytes(st, COL_LATENCY), &l) != 0)
		return false;
	return (step_s == HISTORY_MINUTE_S || step_s == HISTORY_HOUR_S) && sq_is_sane(start_s) &&
	       start_s % step_s == 0 && sq_is_sane(attempts) && attempts > 0 && delivered >= 0 &&
	       delivered <= attempts && latency_count(&l) <= (uint64_t)attempts;
}

static int check_rows(struct fsck *f)
{
	char where[FSCK_WHERE_MAX];
	int rc;

	while ((rc = fsck_step(f, FSCK_HISTORY)) == SQLITE_ROW) {
		snprintf(where, sizeof(where), "webhook number %lld",
				(long long)fsck_int(f, FSCK_HISTORY, COL_WEBHOOK));
		if (fsck_int(f, FSCK_HISTORY, COL_IS_LOST) != 0)
			fsck_finding(f, where, "it is not there, but its attempts are counted");
		else if (!is_possible(f))
			fsck_finding(f, where, "what was counted of its attempts can't be");
	}
	return rc == SQLITE_DONE ? 0 : rc;
}

/* Each minute is in its hour, whose row is kept for longer. */
static int check_hours(struct fsck *f)
{
	char where[FSCK_WHERE_MAX];
	int rc;

	while ((rc = fsck_step(f, FSCK_HISTORY_HOURS)) == SQLITE_ROW) {
		snprintf(where, sizeof(where), "webhook number %lld",
				(long long)fsck_int(f, FSCK_HISTORY_HOURS, 0));
		fsck_finding(f, where, "more attempts were counted in minutes than in their hour");
	}
	return rc == SQLITE_DONE ? 0 : rc;
}

int fsck_history(struct fsck *f)
{
	int rc = check_rows(f);

	return rc == 0 ? check_hours(f) : rc;
}
