/* store/store_sqlite.h - the store in one SQLite database; for its own files and their tests only.
 *
 * Role:      store_sqlite.c opens, commits and closes; _file.c locks and migrates; _conn.c knows the
 *            statements; _hooks.c keeps the webhooks in memory; _put.c, _webhooks.c, _attempts.c,
 *            _resend.c, _erase.c, _replays.c, _retention.c, _accounts.c, _purge.c, _events.c and _audit.c
 *            serve the writes; _read.c, _deliveries.c, _probe.c, _list.c and _feed.c the reads; _history.c
 *            counts attempts over time and is asked about them. The lists of calls have a header of their
 * own. Ownership: struct store_sqlite owns the lock, the writer's connection and the webhooks in memory. A
 *            reader owns its connection. Statements live as long as their connection.
 * Threads:   as store/store.h says; the writer's connection and the webhooks belong to the writer.
 * Errors:    a function that serves a write gives 0 when the request has its result, good or bad, and a
 *            CH_E code when the whole transaction has to be taken back.
 * Invariant: outside of a write, what is kept in memory (webhooks, counts, receivers, marks) is what is on
 * disk.
 */
#ifndef CH_STORE_STORE_SQLITE_H
#define CH_STORE_STORE_SQLITE_H

#include <sqlite3.h>

#include "base/map.h"
#include "store/rules.h"
#include "store/store.h"
#include "store/store_sqlite_lists.h"

#define SQ_BUSY_MS 1000 /* what a connection waits for another one's lock */

enum sq_stmt {
	SQ_BEGIN,
	SQ_BEGIN_READ,
	SQ_COMMIT,
	SQ_ROLLBACK,
	SQ_CALL_LATEST,
	SQ_CALL_INSERT,
	SQ_CALL_FEED,
	SQ_CALL_FEED_MARKS,
	SQ_STORE_NAME,
	SQ_CALL_FEED_END,
	SQ_DELIVERY_INSERT,
	SQ_DELIVERY_FIRST_TRY,
	SQ_DELIVERY_FIND,
	SQ_DELIVERY_SET,
	SQ_SWEEP_PENDING,
	SQ_SWEEP_PARKED,
	SQ_RELEASE,
	SQ_DELIVERY_RESEND,
	SQ_REPLAY_INSERT,
	SQ_REPLAY_BOUND,
	SQ_REPLAY_READ,
	SQ_REPLAY_SET,
	SQ_REPLAY_ROWS,
	SQ_REPLAY_CALLS,
	SQ_REPLAY_SERVED,
	SQ_REPLAY_LIST,
	SQ_REPLAY_RUNNING,
	SQ_CALL_WIDEN,
	SQ_HAS_PENDING,
	SQ_HAS_PARKED,
	SQ_ATTEMPT_INSERT,
	SQ_ATTEMPT_LINK,
	SQ_ATTEMPT_RELINK,
	SQ_ATTEMPT_READ,
	SQ_FEED_BOUND,
	SQ_FEED_ROWS,
	SQ_HOOK_INSERT,
	SQ_HOOK_UPDATE,
	SQ_HOOK_DELETE,
	SQ_HOOK_SWEPT,
	SQ_HOOK_ALL,
	SQ_HOOK_GONE,
	SQ_LAST_KEY,
	SQ_HOOK_BY_ID,
	SQ_HOOK_BY_ACCOUNT,
	SQ_HOOK_LIVE,
	SQ_HOOK_SWEEPS,
	SQ_HOOK_PLACES,
	SQ_LEDGER_INSERT,
	SQ_LEDGER_SET,
	SQ_LEDGER_SET_ALL,
	SQ_LEDGER_SUM,
	SQ_MARKS,
	SQ_MARK_SET,
	SQ_ACCOUNT_INSERT,
	SQ_ACCOUNT_ALL,
	SQ_ACCOUNT_SET,
	SQ_ACCOUNT_DELETE,
	SQ_ACCOUNT_CLOSED,
	SQ_ACCOUNT_PURGES,
	SQ_PURGE_WAITS,
	SQ_PURGE_NEXT,
	SQ_PURGE_DELIVERY,
	SQ_PURGE_ATTEMPT,
	SQ_PURGE_CALLS,
	SQ_PURGE_AUDIT,
	SQ_PURGE_HOOKS,
	SQ_PURGE_DONE,
	SQ_AUDIT_INSERT,
	SQ_AUDIT_LIST,
	SQ_SPENT_INSERT,
	SQ_SPENT_FORGET,
	SQ_SPENT_ALL,
	SQ_EVENT_ACCOUNT,
	SQ_EVENT_DELIVERY,
	SQ_HOOK_NUMBER,
	SQ_CLAIM_DUE,
	SQ_CLAIM_LATER,
	SQ_PROBE_DUE,
	SQ_PROBE_NEW,
	SQ_PROBE_TRIED,
	SQ_DELIVERY_PLACE,
	SQ_DELIVERY_ROW,
	SQ_DELIVERY_BYTES,
	SQ_LIST_ALONG,
	SQ_LIST_PENDING,
	SQ_LIST_KEPT,
	SQ_LIST_CALL,
	SQ_CALL_SPANS,
	SQ_ERASE_LATEST,
	SQ_ERASE_SPANS,
	SQ_ERASE_DELIVERIES,
	SQ_ERASE_CANCEL,
	SQ_ERASE_ANSWER,
	SQ_ERASE_BODIES,
	SQ_KEEP_HOOKS,
	SQ_KEEP_PARKED,
	SQ_KEEP_CALLS,
	SQ_KEEP_LATER,
	SQ_KEEP_DELIVERIES,
	SQ_KEEP_COUNT,
	SQ_KEEP_VERSIONS,
	SQ_KEEP_MARK,
	SQ_KEEP_PURGED,
	SQ_KEEP_ATTEMPTS,
	SQ_KEEP_REPLAYS,
	SQ_HISTORY_ADD,
	SQ_HISTORY_OPEN,
	SQ_HISTORY_SET,
	SQ_HISTORY_CLOSE,
	SQ_HISTORY_PURGE,
	SQ_HISTORY_NEXT,
	SQ_HISTORY_DROP,
	SQ_HISTORY_HOOK,
	SQ_HISTORY_ROW,
	SQ_BACKLOG,
	SQ_BACKLOG_ALL,
	SQ_LISTED_INSERT,
	SQ_LISTED_INSERT_16,
	SQ_LISTED_DELETE,
	SQ_PHONE_INSERT,
	SQ_PHONE_INSERT_16,
	SQ_PHONE_DELETE,
	SQ_WALK_UP,
	SQ_WALK_DOWN,
	SQ_WALK_COUNT,
	SQ_WALK_PHONE_UP,
	SQ_WALK_PHONE_DOWN,
	SQ_LISTED_BODY,
	SQ_TALLY_FIND,
	SQ_TALLY_INSERT,
	SQ_STRETCHES,
	SQ_STRETCH_SET,
	SQ_STRETCH_DELETE,
	SQ_AGENT_SEEN,
	SQ_AGENT_NAME,
	SQ_AGENT_FORGET,
	SQ_AGENT_COUNT,
	SQ_AGENT_LIST,
	SQ_BUILD_AT,
	SQ_BUILD_AT_SET,
	SQ_BUILD_VERSIONS,
	SQ_PURGE_LISTED,
	SQ_PURGE_PHONES,
	SQ_PURGE_STRETCHES,
	SQ_PURGE_TALLIES,
	SQ_PURGE_AGENTS,
	SQ_STMT_COUNT
};

struct sq_conn {
	sqlite3 *db;
	sqlite3_stmt *stmts[SQ_STMT_COUNT]; /* NULL: not for this kind of connection */
};

/* What was counted of a minute that is in no row yet. */
struct sq_minute {
	bool is_known; /* read, or written */
	int64_t start_s; /* 0: there is none */
	int64_t attempts, delivered;
	uint8_t *packed; /* owned */
	size_t len;
};

/* A webhook as the writer knows it: the truth, because nobody else writes. One that was deleted and has no
 * deliveries left to cancel is not kept; it is read again by the few that ask for it. */
struct sq_hook {
	struct ch_map_node node; /* in by_id */
	struct id id;
	int64_t number;
	int64_t account;
	int64_t created_ms;
	struct webhook *settings; /* owned; NULL: deleted */
	enum rules_task task;
	struct ledger counts;
	struct rules_receiver receiver;
	struct ledger counts_before; /* before this transaction, while is_dirty */
	struct rules_receiver receiver_before; /* the same */
	struct sq_hook *next_dirty;
	bool is_dirty;
	struct sq_hook *next_gone;
	bool is_gone; /* not kept beyond this transaction */
	size_t cell; /* its last one of this transaction, from 1; 0: none */
	struct sq_minute open, next; /* that is counted now; what it is after this transaction */
};

/* The webhooks of one account that are not deleted. */
struct sq_group {
	struct ch_map_node node; /* in by_account */
	int64_t account;
	struct sq_hook **hooks; /* by created_ms, id */
	size_t count, cap;
};

struct sq_hooks {
	struct ch_map by_id;
	struct ch_map by_account;
	struct sq_hook *dirty; /* counts or receiver changed in this transaction */
	struct sq_hook *gone; /* to be forgotten at the end of this transaction */
	bool is_loaded;
	bool is_changed; /* by this transaction, beyond those */
};

/* Numbers that count up with the rows. */
struct sq_marks {
	int64_t next_call;
	int64_t next_attempt;
	int64_t next_webhook;
	int64_t id_ahead_ms;
	int64_t last_call, last_attempt; /* that were removed; as in the table */
	int64_t removed_attempt; /* the same */
};

/* The attempts of this transaction at one webhook that began in one minute. */
struct sq_cell {
	struct sq_hook *hook;
	int64_t minute_s;
	struct store_history_point point;
	size_t before; /* the hook's cell before this one, from 1; 0: none */
};

struct sq_history {
	struct sq_cell *cells;
	size_t count, cap;
	int64_t purged_s; /* what was too old at this moment is gone */
};

/* Accounts that were deleted: nothing new may come for them. */
struct sq_closed {
	int64_t *numbers; /* ascending */
	size_t count, cap;
};

struct store_sqlite {
	struct store base;
	struct sq_conn conn;
	char *path;
	int lock_fd;
	struct ch_rand_stock rand;
	struct sq_hooks hooks;
	struct sq_tallies tallies;
	struct sq_pending pending;
	struct sq_closed closed; /* loaded with hooks */
	struct sq_history history;
	struct sq_marks marks;
	struct sq_marks committed;
	struct id_gen ids;
	struct ch_clock_virtual id_clock; /* stands at the moment of the request that is served */
	int wal_pages; /* after the last commit */
	int wal_copied; /* of those, into the database */
	int checkpoint_at; /* wal_pages that make a commit pay for a checkpoint */
	bool is_erasing; /* this transaction overwrites what it frees */
	bool must_wipe; /* the log may hold what was erased */
};

struct sq_reader {
	struct sq_conn conn;
};

/* store_sqlite_conn.c */
int sq_conn_open(const char *path, bool is_writer, struct sq_conn *ret, struct ch_err *err) CH_MUST_USE;
int sq_conn_prepare(struct sq_conn *c, bool is_writer, struct ch_err *err) CH_MUST_USE;
void sq_conn_close(struct sq_conn *c);
void sq_conn_reset(struct sq_conn *c); /* all statements, after a failure */
/* After CH_EIO or CH_EDAMAGED, with nothing running: a page that came from the disk as nonsense lies in the
 * cache, where it would be found again and again when the disk has long been well. All that can be is read
 * anew. */
void sq_conn_doubt(struct sq_conn *c);
int sq_fail(struct sq_conn *c, int rc, const char *doing, struct ch_err *err); /* a SQLite code as ours */
int sq_damaged(const char *what, struct ch_err *err); /* CH_EDAMAGED */
/* Damage that no request could be served with is not the request's: CH_EIO for CH_EDAMAGED. */
int sq_of_whole(int rc, struct ch_err *err);
bool sq_is_doubtful(int rc); /* of a request or a batch: call sq_conn_doubt */
int sq_no_memory(struct ch_err *err); /* CH_ENOMEM */
int sq_exec_text(struct sq_conn *c, const char *sql, const char *doing, struct ch_err *err) CH_MUST_USE;

/* Runs to the end; the statement is reset. */
int sq_run(struct sq_conn *c, enum sq_stmt which, const char *doing, struct ch_err *err) CH_MUST_USE;
/* One row, or none: then (and on failure) the statement is reset; else sq_reset does that. */
int sq_fetch(struct sq_conn *c, enum sq_stmt which, bool *ret_row, const char *doing,
		struct ch_err *err) CH_MUST_USE;
void sq_reset(struct sq_conn *c, enum sq_stmt which);

void sq_bind_int(struct sq_conn *c, enum sq_stmt which, int at, int64_t v);
void sq_bind_null(struct sq_conn *c, enum sq_stmt which, int at);
void sq_bind_text(struct sq_conn *c, enum sq_stmt which, int at, const char *text); /* NULL: NULL; borrowed */
void sq_bind_blob(struct sq_conn *c, enum sq_stmt which, int at, const void *data, size_t len); /* borrowed */
void sq_bind_id(struct sq_conn *c, enum sq_stmt which, int at, const struct id *id); /* borrowed */

int64_t sq_int(struct sq_conn *c, enum sq_stmt which, int at);
bool sq_is_sane(int64_t v); /* 0..2^53, as every number that this program counts up is */
bool sq_id(struct sq_conn *c, enum sq_stmt which, int at, struct id *ret); /* false: no id */
bool sq_enum(struct sq_conn *c, enum sq_stmt which, int at, int count, int *ret); /* false: none of them */
int sq_text(struct sq_conn *c, enum sq_stmt which, int at, char **ret) CH_MUST_USE; /* a copy, or NULL */
bool sq_is_erased(struct sq_conn *c, enum sq_stmt which, int at); /* a call's body, that is */
int sq_body(struct sq_conn *c, enum sq_stmt which, int at, struct ch_bytes **ret,
		struct ch_err *err) CH_MUST_USE; /* a copy */

/* store_sqlite_file.c */
int sq_lock(const char *path, int *ret_fd, struct ch_err *err) CH_MUST_USE;
int sq_sync_directory(const char *path) CH_MUST_USE; /* of this file; -1: errno */
/* A database of callhook, and none that a newer one wrote; an older one is well. */
int sq_version_check(struct sq_conn *c, const char *path, struct ch_err *err) CH_MUST_USE;
int sq_file_make(const char *path, struct ch_err *err) CH_MUST_USE;
int sq_migrate(struct sq_conn *c, const char *path, struct ch_err *err) CH_MUST_USE;

/* store_sqlite_hooks.c */
void sq_hooks_init(struct sq_hooks *h, const struct ch_rand *rand);
void sq_hooks_clear(struct sq_hooks *h); /* forgets all; has to be loaded again */
void sq_hooks_fini(struct sq_hooks *h);
int sq_hooks_load(
		struct sq_hooks *h, struct sq_conn *c, int64_t *ret_last_key, struct ch_err *err) CH_MUST_USE;
struct sq_hook *sq_hook_find(const struct sq_hooks *h, const struct id *id); /* NULL: none that is kept */
struct sq_group *sq_group_find(const struct sq_hooks *h, int64_t account); /* NULL: no webhooks */
/* Within a transaction, as the rest: one that is kept or, deleted long ago, on disk; *ret NULL: none. */
int sq_hook_get(struct sq_hooks *h, struct sq_conn *c, const struct id *id, struct sq_hook **ret,
		struct ch_err *err) CH_MUST_USE;
void sq_hook_forget(struct sq_hooks *h, struct sq_hook *hook); /* at its end */
/* These change within a transaction; after a failure the webhooks are loaded again. */
int sq_hook_add(struct sq_hooks *h, const struct sq_hook *values,
		struct sq_hook **ret) CH_MUST_USE; /* takes settings */
void sq_hook_replace(struct sq_hooks *h, struct sq_hook *hook,
		struct webhook *settings); /* takes; NULL: deleted */
struct ledger *sq_hook_counts(struct sq_hooks *h, struct sq_hook *hook); /* to be changed */
void sq_hook_set_receiver(struct sq_hooks *h, struct sq_hook *hook, const struct rules_receiver *receiver);
/* count deliveries changed their state. CH_EDAMAGED: there can't be as many. */
int sq_hook_move(struct sq_hooks *h, struct sq_hook *hook, enum delivery_state from, enum delivery_state to,
		int64_t count, struct ch_err *err) CH_MUST_USE;
void sq_hooks_done(struct sq_hooks *h, bool is_committed);

/* The writes. */
int sq_put(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_erase(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_webhook_create(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_webhook_update(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_webhook_delete(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_hook_delete(struct store_sqlite *s, struct sq_hook *hook, struct ch_err *err) CH_MUST_USE;
int sq_webhook_sweep(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_attempt(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_resend(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_replay_create(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_replay_cancel(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_replay_step(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_account_create(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_account_update(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_account_delete(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_account_sweep(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_event(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_spend(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
int sq_retention_step(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
/* Within the write r that is its cause: something happened to a webhook. It names the webhook and the account
 * itself; one of an account that is no customer's, or deleted, is nobody's news. */
int sq_event_make(struct store_sqlite *s, struct store_request *r, const struct sq_hook *hook,
		struct ops_event *e, struct ch_err *err) CH_MUST_USE;
/* That the delivery with this key has FAILED. */
int sq_event_failed(struct store_sqlite *s, struct store_request *r, const struct sq_hook *hook, int64_t key,
		struct ch_err *err) CH_MUST_USE;
int sq_agent_name(struct store_sqlite *s, struct store_request *r, struct ch_err *err) CH_MUST_USE;
/* What hangs on a request that has succeeded. */
int sq_audit_write(struct store_sqlite *s, const struct store_audit *a, struct ch_err *err) CH_MUST_USE;
int sq_closed_load(struct store_sqlite *s, struct ch_err *err) CH_MUST_USE;
bool sq_is_closed(const struct store_sqlite *s, int64_t account);
int sq_ledgers_write(struct store_sqlite *s, struct ch_err *err) CH_MUST_USE;

/* store_sqlite_history.c: an attempt that was inserted; what a transaction noted (before the ledgers, which
 * write the open minutes); the end of it, whatever became of it (before sq_hooks_done); the rows of a webhook
 * that was deleted; what the writer's statements need. */
int sq_history_note(struct store_sqlite *s, struct sq_hook *hook, const struct attempt *a,
		struct ch_err *err) CH_MUST_USE;
int sq_history_write(struct store_sqlite *s, struct ch_err *err) CH_MUST_USE;
/* The open minute after this transaction into four parameters; false: it stays as it is. */
bool sq_history_bind(struct sq_conn *c, const struct sq_hook *hook, enum sq_stmt which, int at);
void sq_history_done(struct store_sqlite *s, bool is_committed);
void sq_history_forget(struct sq_hook *hook); /* frees what is kept of it */
/* For retention: removes at most limit rows that are too old. */
int sq_history_keep(struct store_sqlite *s, int64_t now_ms, int64_t attempts_before_ms, size_t limit,
		bool *ret_more, struct ch_err *err) CH_MUST_USE;
int sq_history_drop(struct store_sqlite *s, int64_t webhook, struct ch_err *err) CH_MUST_USE;
int sq_history_prepare(struct sq_conn *c) CH_MUST_USE; /* a SQLite code */

/* The reads; each gives what becomes the request's result. */
int sq_call_get(struct sq_conn *c, struct store_call_get *q, struct ch_err *err) CH_MUST_USE;
/* Gives a store that is new, or was restored, the id by which its places in the feed are known. */
int sq_name_store(struct store_sqlite *s, struct ch_err *err) CH_MUST_USE;
int sq_call_feed(struct sq_conn *c, struct store_call_feed *q, struct ch_err *err) CH_MUST_USE;
int sq_webhook_get(struct sq_conn *c, struct store_webhook_get *q, struct ch_err *err) CH_MUST_USE;
int sq_webhook_list(struct sq_conn *c, struct store_webhook_list *q, struct ch_err *err) CH_MUST_USE;
int sq_delivery_get(struct sq_conn *c, struct store_delivery_get *q, struct ch_err *err) CH_MUST_USE;
int sq_delivery_list(struct sq_conn *c, struct store_delivery_list *q, struct ch_err *err) CH_MUST_USE;
int sq_attempt_feed(struct sq_conn *c, struct store_attempt_feed *q, struct ch_err *err) CH_MUST_USE;
int sq_claim(struct sq_conn *c, struct store_claim *q, struct ch_err *err) CH_MUST_USE;
int sq_probe(struct sq_conn *c, struct store_probe *q, struct ch_err *err) CH_MUST_USE;
int sq_lanes(struct sq_conn *c, struct store_lanes *q, struct ch_err *err) CH_MUST_USE;
int sq_sweeps(struct sq_conn *c, struct store_sweeps *q, struct ch_err *err) CH_MUST_USE;
int sq_replay_get(struct sq_conn *c, struct store_replay_get *q, struct ch_err *err) CH_MUST_USE;
int sq_replay_list(struct sq_conn *c, struct store_replay_list *q, struct ch_err *err) CH_MUST_USE;
int sq_account_list(struct sq_conn *c, struct store_account_list *q, struct ch_err *err) CH_MUST_USE;
int sq_audit_list(struct sq_conn *c, struct store_audit_list *q, struct ch_err *err) CH_MUST_USE;
int sq_spent_list(struct sq_conn *c, struct store_spent_list *q, struct ch_err *err) CH_MUST_USE;
int sq_call_list(struct sq_conn *c, struct store_call_list *q, struct ch_err *err) CH_MUST_USE;
int sq_agent_list(struct sq_conn *c, struct store_agent_list *q, struct ch_err *err) CH_MUST_USE;
int sq_account_purges(struct sq_conn *c, struct store_sweeps *q, struct ch_err *err) CH_MUST_USE;
int sq_ledger(struct sq_conn *c, struct store_ledger *q, struct ch_err *err) CH_MUST_USE;
int sq_history(struct sq_conn *c, struct store_history *q, struct ch_err *err) CH_MUST_USE;
int sq_backlog(struct sq_conn *c, struct store_backlog *q, struct ch_err *err) CH_MUST_USE;
void sq_read_one(struct sq_conn *c, struct store_request *r); /* in a snapshot of its own */

/* Shared between them. */
/* The row and the chain of its attempts from that number on; each adds one to *removed. */
int sq_delivery_remove(struct store_sqlite *s, int64_t webhook, int64_t key, int64_t attempt, size_t *removed,
		struct ch_err *err) CH_MUST_USE;
/* Writes the version that decision speaks of, with its deliveries, and fills out. *ret_inserted false: there
 * is such a version, and nothing was done. */
int sq_version_write(struct store_sqlite *s, struct store_call_put *put, const struct rules_put *decision,
		bool *ret_inserted, struct ch_err *err) CH_MUST_USE;
struct id sq_next_id(struct store_sqlite *s, int64_t now_ms); /* for a delivery that is made now */
int sq_replays_running(struct sq_conn *c, struct store_sweeps *q, struct ch_err *err) CH_MUST_USE;
struct sq_hook_row {
	int64_t number;
	enum rules_task task;
	struct webhook webhook; /* settings of a deleted one are not read */
	struct ledger counts;
	struct rules_receiver receiver;
	int64_t extra; /* SQ_HOOK_LIVE: least due time, -1: none */
};

int sq_hook_row_read(struct sq_conn *c, enum sq_stmt which, struct sq_hook_row *ret,
		struct ch_err *err) CH_MUST_USE;
/* The delivery at (webhook, key), CH_EDAMAGED when it is not there. ret_last_attempt may be NULL. */
int sq_delivery_row(struct sq_conn *c, int64_t webhook, int64_t key, bool with_body, struct delivery *ret,
		int64_t *ret_last_attempt, struct ch_err *err) CH_MUST_USE;
int64_t sq_key_of(const struct id *id);
/* For the SQ_WALK_… of lists: the places of a list from (inclusive) to (exclusive); limit -1: all. */
void sq_walk_bind(struct sq_conn *c, enum sq_stmt which, int64_t list, const struct sq_place *from,
		const struct sq_place *to, int64_t limit);
/* Room for one more item in an array that doubles; CH_ENOMEM. */
int sq_grow(void **items, size_t *cap, size_t count, size_t item_bytes) CH_MUST_USE;

#endif
