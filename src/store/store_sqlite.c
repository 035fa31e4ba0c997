#include "store/store_sqlite.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crash_point.h"

/* A checkpoint copies pages from the log to the database and syncs both: 5 to 10 ms for 4,000 pages. So it
 * is done when the writer has nothing else to do and there is enough to make it worth the while; only a log
 * that grows on and on, because there are no quiet moments, makes a commit wait for one. It stays on the
 * writer's connection: one of its own would empty the page caches no less and know nothing more. */
#define QUIET_PAGES 500
#define FORCED_PAGES 4000
#define FORCED_AGAIN_PAGES 2000
#define WIPE_WAIT_MS 100

/* The year 9999: later ids are of no clock, and an id_gen ends some centuries after. */
#define LAST_ID_MAX_MS INT64_C(253402300799999)

static struct store_sqlite *sqlite_of(struct store *s)
{
	return CH_CONTAINER_OF(s, struct store_sqlite, base);
}

/* SQLite's global accounts of memory cost two mutexes for each allocation, and nobody reads them. Refused,
 * and of no consequence, when something else in the process used SQLite before. */
static void configure_once(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int on_wal(void *ctx, sqlite3 *db, const char *name, int pages)
{
	struct store_sqlite *s = ctx;

	if (pages < s->wal_pages) {
		s->wal_copied = 0;
		s->checkpoint_at = FORCED_PAGES;
	}
	s->wal_pages = pages;
	return SQLITE_OK;
}

/* PASSIVE: takes what no reader still needs and waits for nobody. The log starts again with the first
 * commit that finds all of it copied and nobody reading it; until then another try waits for more pages.
 * A failure is not the commit's: that is durable, and what keeps failing will fail a write soon and be
 * told there. */
static void checkpoint(struct store_sqlite *s)
{
	int pages = 0, copied = 0, rc;

	CH_CRASH_POINT(checkpoint_before);
	rc = sqlite3_wal_checkpoint_v2(s->conn.db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &copied);
	CH_CRASH_POINT(checkpoint_after);

	if (rc == SQLITE_OK)
		s->wal_copied = copied;
	s->checkpoint_at = s->wal_pages + FORCED_AGAIN_PAGES;
}

static void checkpoint_if_large(struct store_sqlite *s)
{
	if (s->wal_pages >= s->checkpoint_at)
		checkpoint(s);
}

/* What was erased lies in the log as it was until the log is emptied. A reader that needs the log is waited
 * for a moment; when it takes longer, a later commit or a quiet moment tries again. */
static void wipe_log(struct store_sqlite *s)
{
	sqlite3_busy_timeout(s->conn.db, WIPE_WAIT_MS);
	s->must_wipe = sqlite3_wal_checkpoint_v2(s->conn.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) !=
		       SQLITE_OK;
	sqlite3_busy_timeout(s->conn.db, SQ_BUSY_MS);
	if (s->must_wipe)
		return;
	s->wal_pages = 0;
	s->wal_copied = 0;
	s->checkpoint_at = FORCED_PAGES;
}

/* After the transaction, whatever became of it. */
static void end_erasing(struct store_sqlite *s, bool is_committed)
{
	if (!s->is_erasing)
		return;
	s->is_erasing = false;
	s->must_wipe = s->must_wipe || is_committed;
	(void)sqlite3_exec(s->conn.db, "PRAGMA secure_delete = FAST", NULL, NULL, NULL);
}

static void sqlite_maintain(struct store *base)
{
	struct store_sqlite *s = sqlite_of(base);

	if (s->must_wipe)
		wipe_log(s);
	if (s->wal_pages - s->wal_copied >= QUIET_PAGES)
		checkpoint(s);
}

static int read_marks(struct store_sqlite *s, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	bool has_row = false;
	int rc = sq_fetch(c, SQ_MARKS, &has_row, "read the database", err);

	if (rc != 0)
		return rc;
	for (int i = 0; i < 7; i++) {
		if (!has_row || !sq_is_sane(sq_int(c, SQ_MARKS, i)))
			rc = sq_damaged("its marks are missing", err);
	}
	if (rc == 0)
		s->marks = (struct sq_marks){
				.next_call = sq_int(c, SQ_MARKS, 0) + 1,
				.next_attempt = sq_int(c, SQ_MARKS, 1) + 1,
				.next_webhook = sq_int(c, SQ_MARKS, 2) + 1,
				.id_ahead_ms = sq_int(c, SQ_MARKS, 3),
				.last_call = sq_int(c, SQ_MARKS, 4),
				.last_attempt = sq_int(c, SQ_MARKS, 5),
				.removed_attempt = sq_int(c, SQ_MARKS, 6),
		};
	sq_reset(c, SQ_MARKS);
	return rc;
}

/* Memory from disk: when opened, and after a transaction that changed a webhook was taken back. */
static int load(struct store_sqlite *s, struct ch_err *err)
{
	int64_t last_key = 0;
	int rc;

	if (s->hooks.is_loaded)
		return 0;
	rc = sq_hooks_load(&s->hooks, &s->conn, &last_key, err);
	if (rc == 0)
		rc = sq_closed_load(s, err);
	if (rc == 0)
		rc = read_marks(s, err);
	if (rc == 0 && last_key >> 12 > LAST_ID_MAX_MS)
		rc = sq_damaged("a delivery's key can't be", err);
	if (rc != 0) {
		sq_hooks_clear(&s->hooks);
		return rc;
	}
	if (last_key >> 12 >= s->ids.last_ms) {
		s->ids.last_ms = last_key >> 12;
		s->ids.counter = (uint16_t)(last_key & 0xfff);
	}
	return 0;
}

static int apply(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	r->result = 0;
	r->events = (struct store_events){0};
	switch (r->kind) {
	case STORE_CALL_PUT:
		return sq_put(s, r, err);
	case STORE_CALL_ERASE:
		return sq_erase(s, r, err);
	case STORE_WEBHOOK_CREATE:
		return sq_webhook_create(s, r, err);
	case STORE_WEBHOOK_UPDATE:
		return sq_webhook_update(s, r, err);
	case STORE_WEBHOOK_DELETE:
		return sq_webhook_delete(s, r, err);
	case STORE_WEBHOOK_SWEEP:
		return sq_webhook_sweep(s, r, err);
	case STORE_ATTEMPT:
		return sq_attempt(s, r, err);
	case STORE_RESEND:
		return sq_resend(s, r, err);
	case STORE_REPLAY_CREATE:
		return sq_replay_create(s, r, err);
	case STORE_REPLAY_CANCEL:
		return sq_replay_cancel(s, r, err);
	case STORE_REPLAY_STEP:
		return sq_replay_step(s, r, err);
	case STORE_ACCOUNT_CREATE:
		return sq_account_create(s, r, err);
	case STORE_ACCOUNT_UPDATE:
		return sq_account_update(s, r, err);
	case STORE_ACCOUNT_DELETE:
		return sq_account_delete(s, r, err);
	case STORE_ACCOUNT_SWEEP:
		return sq_account_sweep(s, r, err);
	case STORE_AUDIT_ADD:
		CH_ASSERT(r->audit != NULL);
		return 0;
	case STORE_SPEND:
		return sq_spend(s, r, err);
	case STORE_RETENTION_STEP:
		return sq_retention_step(s, r, err);
	case STORE_EVENT:
		return sq_event(s, r, err);
	case STORE_AGENT_NAME:
		return sq_agent_name(s, r, err);
	default:
		CH_UNREACHABLE();
	}
}

static int write_marks(struct store_sqlite *s, struct ch_err *err)
{
	if (s->marks.id_ahead_ms == s->committed.id_ahead_ms &&
			s->marks.last_call == s->committed.last_call &&
			s->marks.last_attempt == s->committed.last_attempt &&
			s->marks.removed_attempt == s->committed.removed_attempt)
		return 0;
	sq_bind_int(&s->conn, SQ_MARK_SET, 1, s->marks.id_ahead_ms);
	sq_bind_int(&s->conn, SQ_MARK_SET, 2, s->marks.last_call);
	sq_bind_int(&s->conn, SQ_MARK_SET, 3, s->marks.last_attempt);
	sq_bind_int(&s->conn, SQ_MARK_SET, 4, s->marks.removed_attempt);
	return sq_run(&s->conn, SQ_MARK_SET, "store the marks", err);
}

static int transact(
		struct store_sqlite *s, struct store_request *const *requests, size_t n, struct ch_err *err)
{
	int rc = sq_of_whole(sq_run(&s->conn, SQ_BEGIN, "write to the database", err), err);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		CH_ASSERT(store_kind_is_write(requests[i]->kind));
		rc = apply(s, requests[i], err);
		if (rc == 0 && requests[i]->result == 0 && requests[i]->audit != NULL)
			rc = sq_audit_write(s, requests[i]->audit, err);
		CH_CRASH_POINT(commit_half);
	}
	if (rc == 0)
		rc = sq_history_write(s, err);
	if (rc == 0)
		rc = sq_ledgers_write(s, err);
	if (rc == 0)
		rc = sq_list_flush(s, err);
	if (rc == 0)
		rc = sq_tallies_write(s, err);
	if (rc == 0)
		rc = sq_of_whole(write_marks(s, err), err);
	CH_CRASH_POINT(commit_before);
	if (rc == 0)
		rc = sq_run(&s->conn, SQ_COMMIT, "write to the database", err);
	CH_CRASH_POINT(commit_after);
	return rc;
}

/* Ids stay used: they count up and nobody misses one. */
static void take_back(struct store_sqlite *s)
{
	sq_conn_reset(&s->conn);
	if (sqlite3_get_autocommit(s->conn.db) == 0) {
		sqlite3_step(s->conn.stmts[SQ_ROLLBACK]);
		sqlite3_reset(s->conn.stmts[SQ_ROLLBACK]);
	}
	sq_history_done(s, false);
	sq_hooks_done(&s->hooks, false);
	sq_tallies_clear(&s->tallies);
	s->pending.row_count = s->pending.phone_count = 0;
	s->marks = s->committed;
}

static int sqlite_write(
		struct store *base, struct store_request *const *requests, size_t n, struct ch_err *err)
{
	struct store_sqlite *s = sqlite_of(base);
	struct ch_err words = {0};
	int rc = sq_of_whole(load(s, &words), &words);

	if (rc == 0) {
		s->committed = s->marks;
		rc = transact(s, requests, n, &words);
		if (rc != 0)
			take_back(s);
		end_erasing(s, rc == 0);
	}
	if (sq_is_doubtful(rc))
		sq_conn_doubt(&s->conn);
	if (rc != 0) {
		rules_batch_failed(requests, n, rc, words.text);
		return ch_err_set(err, rc, "%s", words.text);
	}
	sq_history_done(s, true);
	sq_hooks_done(&s->hooks, true);
	sq_tallies_committed(&s->tallies);
	rules_batch_done(requests, n);
	if (s->must_wipe) {
		CH_CRASH_POINT(erase_committed);
		wipe_log(s);
	} else {
		checkpoint_if_large(s);
	}
	return 0;
}

static int sqlite_reader_open(struct store *base, struct store_reader **ret, struct ch_err *err)
{
	struct sq_reader *r = ch_calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return sq_no_memory(err);
	rc = sq_conn_open(sqlite_of(base)->path, false, &r->conn, err);
	if (rc == 0) {
		rc = sq_of_whole(sq_conn_prepare(&r->conn, false, err), err);
		if (rc != 0)
			sq_conn_close(&r->conn);
	}
	if (rc != 0) {
		ch_free(r);
		return rc;
	}
	*ret = (struct store_reader *)r;
	return 0;
}

static void sqlite_reader_close(struct store_reader *reader)
{
	struct sq_reader *r = (struct sq_reader *)reader;

	sq_conn_close(&r->conn);
	ch_free(r);
}

static void sqlite_read(struct store_reader *reader, struct store_request *request)
{
	CH_ASSERT(!store_kind_is_write(request->kind));
	sq_read_one(&((struct sq_reader *)reader)->conn, request);
}

static void sqlite_close(struct store *base)
{
	struct store_sqlite *s = sqlite_of(base);

	if (s->conn.db != NULL)
		sq_conn_close(&s->conn);
	sq_hooks_fini(&s->hooks);
	sq_tallies_fini(&s->tallies);
	ch_free(s->closed.numbers);
	ch_free(s->history.cells);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	ch_free(s->path);
	ch_free(s);
}

static const struct store_ops sqlite_ops = {
		.name = "sqlite",
		.write = sqlite_write,
		.reader_open = sqlite_reader_open,
		.reader_close = sqlite_reader_close,
		.read = sqlite_read,
		.maintain = sqlite_maintain,
		.close = sqlite_close,
};

static int open_file(struct store_sqlite *s, struct ch_err *err)
{
	int rc = sq_lock(s->path, &s->lock_fd, err);

	CH_CRASH_POINT(open_locked);
	if (rc == 0)
		rc = sq_file_make(s->path, err);
	CH_CRASH_POINT(open_file_made);
	if (rc == 0)
		rc = sq_conn_open(s->path, true, &s->conn, err);
	CH_CRASH_POINT(open_connected);
	if (rc == 0)
		rc = sq_migrate(&s->conn, s->path, err);
	CH_CRASH_POINT(open_migrated);
	if (rc == 0)
		rc = sq_conn_prepare(&s->conn, true, err);
	if (rc != 0)
		return rc;
	sqlite3_wal_hook(s->conn.db, on_wal, s);
	rc = sq_name_store(s, err);
	if (rc == 0)
		rc = load(s, err);
	if (rc == 0)
		rc = sq_lists_build(s, checkpoint_if_large, err);
	if (rc == 0)
		wipe_log(s); /* a crash may have come between an erasing and this */
	return rc;
}

int store_sqlite_open(const char *path, const struct store_conf *conf, struct store **ret, struct ch_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct store_sqlite *s;
	int rc;

	pthread_once(&once, configure_once);
	if (path[0] == '\0')
		return ch_err_set(err, CH_EINVAL,
				"the database needs a path, as in sqlite:/var/lib/callhook/store.db");
	s = ch_calloc(1, sizeof(*s));
	if (s == NULL)
		return sq_no_memory(err);
	s->base.ops = &sqlite_ops;
	s->lock_fd = -1;
	ch_rand_stock_init(&s->rand, conf->rand);
	s->checkpoint_at = FORCED_PAGES;
	sq_hooks_init(&s->hooks, &conf->rand);
	id_gen_init(&s->ids, ch_clock_virtual_of(&s->id_clock), ch_rand_stock_of(&s->rand));
	sq_tallies_init(&s->tallies, &conf->rand);
	s->path = ch_strdup(path);
	rc = s->path == NULL ? sq_no_memory(err) : sq_of_whole(open_file(s, err), err);
	if (rc != 0) {
		sqlite_close(&s->base);
		return rc;
	}
	CH_CRASH_POINT(open_loaded);
	*ret = &s->base;
	return 0;
}
