/* store/store_memory.h - the rows of the store in memory; for its own files only.
 *
 * Role:      store_memory.c opens and closes and runs transactions; _call.c, _webhook.c and _delivery.c
 *            change rows so that it can be taken back; _write.c, _accounts.c, _calls.c,
 *            _events.c and _read.c serve the requests.
 * Ownership: struct store_memory owns every row; rows own what they point to.
 * Threads:   one lock; the writer holds it for a whole transaction, a reader for one request.
 * Errors:    a function that fails (CH_ENOMEM) has changed nothing itself; what the transaction did
 *            before is taken back by store_memory.c.
 * Invariant: a delivery is in its webhook's pending set while PENDING, in its parked set while
 *            PARKED, in neither otherwise; counts agree with the states.
 */
#ifndef CH_STORE_STORE_MEMORY_H
#define CH_STORE_STORE_MEMORY_H

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "store/due.h"
#include "store/rules.h"
#include "store/store.h"

struct store_memory;

struct memory_call_key {
	int64_t account;
	struct id id;
};

struct memory_version {
	int64_t number;
	enum call_status status;
	enum call_type type;
	char phone[17];
	int64_t created_s;
	int64_t accepted_ms;
	struct id agent;
	uint64_t seq; /* the how manieth of all */
	struct ch_bytes *body;
};

/* Earlier versions live on as the bodies of their deliveries; nothing else can ask for them. */
struct memory_call {
	struct ch_map_node node;
	struct memory_call_key key;
	struct memory_version latest;
	bool is_held, goes; /* while retention looks at it */
	bool is_mark; /* it was erased, and all else of it removed */
};

struct memory_agent {
	struct ch_map_node node;
	struct memory_call_key key;
	char *name; /* NULL: none */
	bool is_seen; /* in a call */
};

struct memory_webhook {
	struct ch_map_node node;
	struct ch_list in_account;
	struct id id;
	struct webhook *settings; /* replaced as a whole */
	enum rules_task task;
	struct ledger counts;
	struct rules_receiver receiver;
	struct due_set pending;
	struct due_set parked; /* all due at 0, so by id */
};

struct memory_delivery {
	struct ch_map_node node;
	struct memory_webhook *webhook;
	struct delivery row;
	struct due_node due; /* in pending or parked */
	struct attempt *attempts; /* by id */
	size_t attempt_count, attempt_cap;
	uint64_t tried; /* the how manieth attempt of all the last one was; 0: none */
	uint8_t erased_sha256[CH_SHA256_BYTES]; /* of the body that was erased */
};

struct memory_replay {
	struct ch_list link; /* in replays */
	struct replay row;
	int64_t account;
	struct id from; /* the least id that a delivery of the range can have */
	size_t at_delivery, stop_delivery; /* in the account's deliveries */
	size_t at_call, stop_call; /* in call_order */
	uint64_t stop_version; /* later ones do not count */
	int64_t next_ms;
};

/* One step of the transaction that runs; the steps of each noun begin with one, in one allocation. */
struct memory_undo {
	struct ch_list link;
	void (*back)(struct store_memory *m, struct memory_undo *u); /* takes the step back */
	void (*keep)(struct memory_undo *u); /* frees what was replaced; NULL: nothing to free */
};

/* What belongs to one account number. */
struct memory_space {
	struct ch_map_node node;
	int64_t account;
	struct ch_list webhooks; /* by created_ms, id; deleted ones too */
	struct memory_delivery **deliveries; /* by id */
	size_t delivery_count, delivery_cap;
	int64_t purged_seq; /* of the last finished version that retention has removed; 0: none */
};

/* A version of a finished call, in the feed. */
struct memory_finished {
	int64_t account; /* -1: removed with its account */
	struct id call_id;
	int64_t number;
	int64_t accepted_ms;
	int64_t seq;
	struct ch_bytes *body; /* NULL: erased */
	bool is_tombstone;
};

/* Which attempt was the how manieth, and what is counted of it; by ids, because rows are removed with their
 * account, or when they are old. */
struct memory_log {
	struct id webhook_id, delivery_id, attempt_id;
	int64_t started_ms;
	enum attempt_outcome outcome;
	int status;
	int32_t total_us;
};

enum memory_account_state { MEMORY_ACCOUNT_LIVE, MEMORY_ACCOUNT_CLOSED, MEMORY_ACCOUNT_GONE };

struct memory_account {
	struct account account;
	enum memory_account_state state;
	bool purge; /* by this transaction, once it is kept */
};

struct store_memory {
	struct store base;
	pthread_mutex_t lock;
	struct id_gen ids;
	struct ch_map calls, webhooks, deliveries, spaces, agents;
	struct memory_account *accounts; /* number n at n - 1 */
	size_t account_count, account_cap;
	struct store_audit *audits; /* number n at n - 1; those removed have account -1 */
	size_t audit_count, audit_cap;
	struct store_spent *spent;
	size_t spent_count, spent_cap;
	uint64_t attempts_made;
	struct memory_log *log; /* attempt number n at n - 1 */
	size_t log_count, log_cap;
	struct id store_id;
	struct memory_finished *finished; /* by seq */
	size_t finished_count, finished_cap;
	uint64_t versions_made;
	struct memory_call **call_order; /* as they first came */
	struct memory_call removed_call; /* of account 0: stands in call_order for those that were */
	size_t call_count, call_cap;
	struct ch_list replays; /* newest first */
	struct store_retention_step *retaining; /* by this transaction, once it is kept; NULL: not */
	struct ch_list undo; /* of the transaction that runs, newest first */
};

struct memory_call *memory_call_find(const struct store_memory *m, int64_t account, const struct id *id);
struct memory_webhook *memory_webhook_find(const struct store_memory *m, const struct id *id);
struct memory_delivery *memory_delivery_find(const struct store_memory *m, const struct id *id);
struct memory_space *memory_space_find(const struct store_memory *m, int64_t account); /* NULL: has nothing */

/* Changes inside a transaction; each is 0 or CH_ENOMEM. What one takes it takes on success only. */
int memory_call_add(struct store_memory *m, const struct memory_call_key *key,
		const struct memory_version *v) CH_MUST_USE; /* takes v->body */
int memory_call_change(struct store_memory *m, struct memory_call *c,
		const struct memory_version *v) CH_MUST_USE; /* takes v->body */
int memory_webhook_add(struct store_memory *m, struct webhook *settings) CH_MUST_USE; /* takes settings */
int memory_webhook_change(struct store_memory *m, struct memory_webhook *w, struct webhook *settings,
		enum rules_task task) CH_MUST_USE; /* takes settings */
int memory_webhook_swept(struct store_memory *m, struct memory_webhook *w) CH_MUST_USE;
int memory_receiver_change(struct store_memory *m, struct memory_webhook *w,
		const struct rules_receiver *receiver) CH_MUST_USE;
int memory_delivery_add(struct store_memory *m, struct memory_webhook *w,
		struct delivery *row) CH_MUST_USE; /* takes *row */
int memory_delivery_change(
		struct store_memory *m, struct memory_delivery *d, const struct rules_row *row) CH_MUST_USE;
int memory_attempt_add(struct store_memory *m, struct memory_delivery *d,
		const struct attempt *a) CH_MUST_USE; /* copies */

struct memory_space *memory_space_of(
		struct store_memory *m, int64_t account); /* made if need be; NULL: no memory */
void memory_undo_push(struct store_memory *m, struct memory_undo *u,
		void (*back)(struct store_memory *m, struct memory_undo *u),
		void (*keep)(struct memory_undo *u));
int memory_grow(void **items, size_t *cap, size_t len, size_t item_bytes) CH_MUST_USE; /* room for one more */

/* A new version of a call (NULL: of a new one), with the deliveries that the decision calls for. */
int memory_version_write(struct store_memory *m, struct store_call_put *put, const struct rules_put *decision,
		struct memory_call *call) CH_MUST_USE;
/* Within a transaction: the request, and whether a delivery's call is erased. */
int memory_call_erase(struct store_memory *m, struct store_request *r) CH_MUST_USE;
bool memory_is_erased(const struct store_memory *m, const struct memory_delivery *d);
void memory_call_free(struct memory_call *c);
void memory_webhook_free(struct memory_webhook *w);
void memory_delivery_free(struct memory_delivery *d);

/* Deep copies into uninitialised memory; ret is untouched on CH_ENOMEM. */
int memory_delivery_copy(const struct delivery *from, bool with_body, struct delivery *ret) CH_MUST_USE;
int memory_attempt_copy(const struct attempt *from, struct attempt *ret) CH_MUST_USE;
struct rules_row memory_row_of(const struct memory_delivery *d);
bool memory_has_attempt(const struct memory_delivery *d, const struct id *id);

/* store_memory_accounts.c: as the functions below; a purge is what a transaction leaves to its end, because
 * then nothing of it can be taken back any more. */
int memory_account_write(struct store_memory *m, struct store_request *r) CH_MUST_USE;
int memory_account_read(const struct store_memory *m, struct store_request *r) CH_MUST_USE;
int memory_audit_add(struct store_memory *m, const struct store_audit *a) CH_MUST_USE;
bool memory_account_is_closed(const struct store_memory *m, int64_t account);
int memory_account_purges(const struct store_memory *m, struct store_sweeps *q) CH_MUST_USE;
void memory_purge(struct store_memory *m);
void memory_accounts_free(struct store_memory *m);
int memory_webhook_close(struct store_memory *m, struct memory_webhook *w) CH_MUST_USE; /* deletes it */
const char *memory_account_id(const struct store_memory *m, int64_t number); /* "": there is none */
/* store_memory_events.c: within a transaction; something happened to w. */
int memory_event(struct store_memory *m, struct store_request *r) CH_MUST_USE;
int memory_event_make(struct store_memory *m, struct store_request *r, const struct memory_webhook *w,
		struct ops_event *e) CH_MUST_USE;
/* store_memory_feed.c: under the lock. */
/* The call's latest version is finished, or is a tombstone. CH_ENOMEM. */
int memory_finished_add(struct store_memory *m, const struct memory_call *c) CH_MUST_USE;
/* These can't be taken back: a call was erased, an account removed. */
void memory_finished_wipe(struct store_memory *m, const struct memory_call_key *key);
void memory_finished_purge(struct store_memory *m, int64_t account);
void memory_finished_free(struct store_memory *m);
int memory_call_feed(const struct store_memory *m, struct store_request *r) CH_MUST_USE;
int memory_attempt_feed(const struct store_memory *m, struct store_request *r) CH_MUST_USE;

/* store_memory_history.c: under the lock. */
int memory_history(const struct store_memory *m, struct store_request *r) CH_MUST_USE;
int memory_backlog(const struct store_memory *m, struct store_request *r) CH_MUST_USE;
/* store_memory_calls.c: under the lock. */
int memory_call_list(const struct store_memory *m, struct store_request *r) CH_MUST_USE;
int memory_agent_list(const struct store_memory *m, struct store_request *r) CH_MUST_USE;
int memory_agent_name(struct store_memory *m, struct store_request *r) CH_MUST_USE;
int memory_agent_seen(struct store_memory *m, int64_t account, const struct id *id) CH_MUST_USE;
void memory_agents_purge(struct store_memory *m, int64_t account);
void memory_agent_free(struct memory_agent *a);

/* store_memory_replays.c: under the lock. */
int memory_replay_create(struct store_memory *m, struct store_request *r) CH_MUST_USE;
int memory_replay_cancel(struct store_memory *m, struct store_request *r) CH_MUST_USE;
int memory_replay_step(struct store_memory *m, struct store_request *r) CH_MUST_USE;
int memory_replay_get(const struct store_memory *m, struct store_request *r) CH_MUST_USE;
int memory_replay_list(const struct store_memory *m, struct store_request *r) CH_MUST_USE;
int memory_replays_running(const struct store_memory *m, struct store_sweeps *q) CH_MUST_USE;
void memory_replays_free(struct store_memory *m);

/* store_memory_retention.c: as a purge, the removals are done at the end. */
int memory_retention_step(struct store_memory *m, struct store_request *r) CH_MUST_USE;
void memory_retain(struct store_memory *m);

/* store_memory_write.c, store_memory_read.c: under the lock. */
int memory_write_one(
		struct store_memory *m, struct store_request *r) CH_MUST_USE; /* CH_ENOMEM: take all back */
void memory_read_one(const struct store_memory *m, struct store_request *r);

#endif
