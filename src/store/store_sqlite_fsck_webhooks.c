#include <stdio.h>

#include "store/store_sqlite_fsck.h"

enum {
	COL_NUMBER,
	COL_ID,
	COL_REVISION,
	COL_ENABLED,
	COL_DELETED,
	COL_SWEEP,
	COL_SETTINGS,
	COL_SECRET,
	COL_URL,
	COL_LEDGER,
	COL_ACCEPTED,
	COL_QUIET = COL_ACCEPTED + 6,
	COL_STREAK_SINCE,
	COL_STREAK_ATTEMPTS,
	COL_STREAK_DELIVERY,
	COL_NEXT,
	COL_STARTED,
	COL_ENDS,
	COL_REMOVED_DELIVERED,
	COL_REMOVED_FAILED,
	COL_REMOVED_CANCELED
};

static void name(struct fsck *f, char where[FSCK_WHERE_MAX])
{
	char text[ID_TEXT_LEN + 1];
	struct id id;

	if (fsck_id(f, FSCK_HOOKS, COL_ID, &id)) {
		id_format(&id, text);
		snprintf(where, FSCK_WHERE_MAX, "webhook %s", text);
		return;
	}
	snprintf(where, FSCK_WHERE_MAX, "webhook number %lld",
			(long long)fsck_int(f, FSCK_HOOKS, COL_NUMBER));
	fsck_finding(f, where, "it has no id");
}

#define ID_BYTES ((int64_t)sizeof(struct id))

static bool is_switch(int64_t v)
{
	return v == 0 || v == 1;
}

static void check_settings(struct fsck *f, const char *where)
{
	sqlite3_stmt *st = f->stmts[FSCK_HOOKS];
	const char *json = (const char *)sqlite3_column_text(st, COL_SETTINGS);
	struct webhook w;

	webhook_init(&w);
	if (json == NULL || webhook_settings_read(json, (size_t)sqlite3_column_bytes(st, COL_SETTINGS), &w))
		fsck_finding(f, where, "its settings can't be read");
	if (fsck_int(f, FSCK_HOOKS, COL_URL) == 0)
		fsck_finding(f, where, "it has no URL");
	webhook_fini(&w);
}

static void check_secrets(struct fsck *f, const char *where, bool is_deleted)
{
	bool has_secret = !fsck_is_null(f, FSCK_HOOKS, COL_SECRET);
	bool has_next = !fsck_is_null(f, FSCK_HOOKS, COL_NEXT);
	int64_t started_ms = fsck_int(f, FSCK_HOOKS, COL_STARTED);
	int64_t ends_ms = fsck_int(f, FSCK_HOOKS, COL_ENDS);

	if (is_deleted && (has_secret || has_next))
		fsck_finding(f, where, "it was deleted, but its secret is still there");
	if (has_secret && fsck_int(f, FSCK_HOOKS, COL_SECRET) <= CH_SEAL_EXTRA_BYTES)
		fsck_finding(f, where, "its sealed secret is too short");
	if (has_next && fsck_int(f, FSCK_HOOKS, COL_NEXT) <= CH_SEAL_EXTRA_BYTES)
		fsck_finding(f, where, "its sealed next secret is too short");
	if (has_next && !has_secret)
		fsck_finding(f, where, "it has a next secret, but none before it");
	if (has_next ? !sq_is_sane(started_ms) || !sq_is_sane(ends_ms) || ends_ms < started_ms
		     : started_ms != 0 || ends_ms != 0)
		fsck_finding(f, where, "the times of its secret's rotation can't be");
}

static void check_row(struct fsck *f, const char *where)
{
	bool is_deleted = fsck_int(f, FSCK_HOOKS, COL_DELETED) != 0;

	if (!is_switch(fsck_int(f, FSCK_HOOKS, COL_ENABLED)) ||
			!is_switch(fsck_int(f, FSCK_HOOKS, COL_DELETED)) ||
			fsck_int(f, FSCK_HOOKS, COL_REVISION) < 1)
		fsck_finding(f, where, "its switches can't be");
	check_secrets(f, where, is_deleted);
	if (!is_deleted)
		check_settings(f, where);
}

static void check_receiver(struct fsck *f, const char *where)
{
	bool has_streak = fsck_int(f, FSCK_HOOKS, COL_STREAK_SINCE) != 0;
	int64_t attempts = fsck_int(f, FSCK_HOOKS, COL_STREAK_ATTEMPTS);
	int64_t id_bytes = fsck_int(f, FSCK_HOOKS, COL_STREAK_DELIVERY);

	if (!sq_is_sane(fsck_int(f, FSCK_HOOKS, COL_QUIET)) ||
			!sq_is_sane(fsck_int(f, FSCK_HOOKS, COL_STREAK_SINCE)) ||
			has_streak != (attempts > 0) || id_bytes != (has_streak ? ID_BYTES : 0))
		fsck_finding(f, where, "what is kept about its receiver can't be");
}

/* While rows follow their webhook's switch, in chunks, some don't yet. */
static void check_switch(struct fsck *f, const char *where, const struct ledger *rows)
{
	bool is_deleted = fsck_int(f, FSCK_HOOKS, COL_DELETED) != 0;
	bool is_off = is_deleted || fsck_int(f, FSCK_HOOKS, COL_ENABLED) == 0;

	switch (fsck_int(f, FSCK_HOOKS, COL_SWEEP)) {
	case RULES_TASK_NONE:
		break;
	case RULES_TASK_FOLLOW:
		f->sink->note(f->sink->ctx, where, "its deliveries do not all follow its switch yet");
		return;
	case RULES_TASK_RELEASE:
		f->sink->note(f->sink->ctx, where, "not all of its parked deliveries are released yet");
		break;
	default:
		fsck_finding(f, where, "what its deliveries have to do can't be");
	}
	if (is_off && rows->pending > 0)
		fsck_finding(f, where, "it is %s, but %lld deliveries are PENDING",
				is_deleted ? "deleted" : "switched off", (long long)rows->pending);
	if (is_deleted && rows->parked > 0)
		fsck_finding(f, where, "it is deleted, but %lld deliveries are PARKED",
				(long long)rows->parked);
}

/* Rows that were removed for their age go on being counted. */
static void add_removed(struct fsck *f, const char *where, struct ledger *rows)
{
	int64_t delivered = fsck_int(f, FSCK_HOOKS, COL_REMOVED_DELIVERED);
	int64_t failed = fsck_int(f, FSCK_HOOKS, COL_REMOVED_FAILED);
	int64_t canceled = fsck_int(f, FSCK_HOOKS, COL_REMOVED_CANCELED);

	if (!sq_is_sane(delivered) || !sq_is_sane(failed) || !sq_is_sane(canceled)) {
		fsck_finding(f, where, "the counts of what was removed can't be");
		return;
	}
	rules_ledger_add(rows, &(struct ledger){.accepted = delivered + failed + canceled,
					       .delivered = delivered,
					       .failed = failed,
					       .canceled = canceled});
}

/* But for an account that goes, what is kept and what the rows say is the same. */
static void check_count(struct fsck *f, const char *where, const char *what, int64_t kept, int64_t rows)
{
	if (f->is_account_deleted ? kept < rows : kept != rows)
		fsck_finding(f, where, "its ledger says %lld %s, its rows say %lld", (long long)kept, what,
				(long long)rows);
}

/* rows becomes what is kept where rows may be gone. */
static void check_ledger(struct fsck *f, const char *where, struct ledger *rows)
{
	int64_t *of_rows[] = {&rows->accepted, &rows->pending, &rows->delivered, &rows->failed, &rows->parked,
			&rows->canceled};
	static const char *const words[] = {
			"accepted", "pending", "delivered", "failed", "parked", "canceled"};
	int64_t kept[6];

	if (fsck_is_null(f, FSCK_HOOKS, COL_LEDGER)) {
		fsck_finding(f, where, "its ledger is missing");
		return;
	}
	for (int i = 0; i < 6; i++) {
		kept[i] = fsck_int(f, FSCK_HOOKS, COL_ACCEPTED + i);
		check_count(f, where, words[i], kept[i], *of_rows[i]);
		if (f->is_account_deleted)
			*of_rows[i] = kept[i];
	}
	if (kept[0] != kept[1] + kept[2] + kept[3] + kept[4] + kept[5])
		fsck_finding(f, where, "its ledger does not add up");
}

static int check_webhook(struct fsck *f, int64_t account, struct ledger *counts)
{
	char where[FSCK_WHERE_MAX];
	struct ledger rows = {0};
	int rc;

	f->totals.webhooks++;
	name(f, where);
	check_row(f, where);
	rc = fsck_deliveries(f, fsck_int(f, FSCK_HOOKS, COL_NUMBER), account, &rows);
	if (rc != 0)
		return rc;
	add_removed(f, where, &rows);
	check_ledger(f, where, &rows);
	check_receiver(f, where);
	check_switch(f, where, &rows);
	rules_ledger_add(counts, &rows);
	return 0;
}

int fsck_webhooks(struct fsck *f, int64_t account, struct ledger *counts)
{
	int rc;

	fsck_bind(f, FSCK_HOOKS, 1, account);
	while ((rc = fsck_step(f, FSCK_HOOKS)) == SQLITE_ROW) {
		rc = check_webhook(f, account, counts);
		if (rc != 0) {
			fsck_reset(f, FSCK_HOOKS);
			return rc;
		}
	}
	return rc == SQLITE_DONE ? 0 : rc;
}
