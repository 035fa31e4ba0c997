/* store/request.h - everything that can be asked of a store, as messages.
 *
 * Role:      one struct a question, with its input and its answer. The asker fills `in`, submits it
 *            to a store_client and gets it back, answered, in `done` on its own thread.
 * Ownership: the request lies in the asker's memory until done is called. What `in` points to is
 *            borrowed until then unless the field says *takes*. What `out` points to belongs to the
 *            asker after done; store_request_fini frees it all, taken input included.
 * Units:     *_ms are wall ms since the epoch.
 * Errors:    result is 0 or a CH_E code; what each kind may give stands beside it. Any kind may give
 *            CH_ENOMEM, CH_EIO, CH_EFULL (disk full), CH_EBUSY, CH_ECANCELED (stopping),
 *            CH_EDAMAGED: then nothing of it happened, and err has the words. CH_EDAMAGED: what is stored
 *            and this request needs can't be used; asking again does not help, others are not concerned.
 *            A store where nothing can be used any more gives CH_EIO.
 */
#ifndef CH_STORE_REQUEST_H
#define CH_STORE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/port.h"
#include "model/account.h"
#include "model/call.h"
#include "model/delivery.h"
#include "model/ops_event.h"
#include "model/webhook.h"
#include "store/request_accounts.h"
#include "store/request_calls.h"
#include "store/request_history.h"
#include "store/request_replays.h"
#include "store/request_retention.h"

enum store_kind {
	/* writes, in one transaction with whatever else is queued */
	STORE_CALL_PUT,
	STORE_CALL_ERASE,
	STORE_WEBHOOK_CREATE,
	STORE_WEBHOOK_UPDATE,
	STORE_WEBHOOK_DELETE,
	STORE_WEBHOOK_SWEEP,
	STORE_ATTEMPT,
	STORE_RESEND,
	STORE_REPLAY_CREATE,
	STORE_REPLAY_CANCEL,
	STORE_REPLAY_STEP,
	STORE_ACCOUNT_CREATE,
	STORE_ACCOUNT_UPDATE,
	STORE_ACCOUNT_DELETE,
	STORE_ACCOUNT_SWEEP,
	STORE_AUDIT_ADD,
	STORE_SPEND,
	STORE_RETENTION_STEP,
	STORE_EVENT,
	STORE_AGENT_NAME,
	/* reads: all from here on */
	STORE_CALL_GET,
	STORE_CALL_FEED,
	STORE_WEBHOOK_GET,
	STORE_WEBHOOK_LIST,
	STORE_DELIVERY_GET,
	STORE_DELIVERY_LIST,
	STORE_ATTEMPT_FEED,
	STORE_CLAIM,
	STORE_PROBE,
	STORE_LANES,
	STORE_SWEEPS,
	STORE_REPLAY_GET,
	STORE_REPLAY_LIST,
	STORE_ACCOUNT_LIST,
	STORE_AUDIT_LIST,
	STORE_SPENT_LIST,
	STORE_CALL_LIST,
	STORE_AGENT_LIST,
	STORE_LEDGER,
	STORE_HISTORY,
	STORE_BACKLOG,
	STORE_KIND_COUNT
};

/* STORE_CALL_PUT: create or replace a record, and make the deliveries it calls for.
 * CH_EGONE: the call was erased, and does not come back.
 * CH_ECONFLICT: a final call may not go back to live. CH_EPRECOND: If-Match or If-None-Match does not hold.
 * CH_ELIMIT does not occur: an account may have any number of calls. */
enum store_put_result { STORE_PUT_CREATED, STORE_PUT_REPLACED, STORE_PUT_UNCHANGED };

#define STORE_ETAG_BYTES 16 /* the first half of the body's SHA-256 */
#define STORE_IF_MATCH_MAX 8

struct store_call_put {
	struct {
		int64_t account;
		struct call_facts facts;
		char *body; /* takes; canonical, NUL-terminated. The store sets the first version's "created"
			       in it */
		size_t body_len;
		int64_t now_ms;
		bool notify; /* a correction makes new deliveries */
		bool is_bulk; /* part of an import: yields to single ones */
		bool if_match_any; /* If-Match: * - there must be a record */
		bool if_none_match_any; /* If-None-Match: * - there must be none */
		size_t if_match_count; /* 0: no such condition */
		uint8_t if_match[STORE_IF_MATCH_MAX][STORE_ETAG_BYTES];
	} in;
	struct {
		enum store_put_result what;
		int64_t version;
		struct ch_bytes *body;
		/* Deliveries made, state PENDING or PARKED, each with its own reference of body. The
		 * watcher takes them (and nulls the array) before done is called. */
		struct delivery *deliveries;
		size_t delivery_count;
	} out;
};

/* STORE_CALL_ERASE: the bodies of all versions and what receivers answered to them are wiped, the digests of
 * the bodies are kept; deliveries that are PENDING or PARKED become CANCELED; one more version without a
 * body, the tombstone, says so for ever. The facts of deliveries and attempts stay. Erasing again changes
 * nothing and is no error. CH_ENOENT. */
struct store_canceled {
	struct id webhook, delivery;
};

struct store_call_erase {
	struct {
		int64_t account;
		struct id id;
		int64_t now_ms;
	} in;
	struct {
		struct store_canceled *canceled; /* those that were PENDING, for the loops that hold them */
		size_t count;
	} out;
};

/* STORE_WEBHOOK_CREATE: CH_ELIMIT when the account has max_webhooks already. With is_once, CH_EEXIST and out
 * when one that is on sends the same calls to the same URL; the oldest of them. */
struct store_webhook_create {
	struct {
		struct webhook webhook; /* takes; id and created_ms set by the asker; revision becomes 1 */
		int max_webhooks;
		bool is_once;
	} in;
	struct {
		struct id same; /* is_once only */
	} out;
};

/* STORE_WEBHOOK_UPDATE: replaces the settings. CH_ENOENT: gone. CH_ECONFLICT: the revision in the struct is
 * not the stored one (read again and merge again). On success in.webhook.revision has grown by one.
 * Another URL ends the receiver's wish to be left alone and the streak; so does switching on, for the
 * streak, and ends_quiet for the wish. Switching off with a reason is an event. */
struct store_webhook_update {
	struct {
		struct webhook webhook; /* takes; revision: the one that was read */
		int64_t now_ms; /* the event's */
		bool release; /* enabled only: what is parked becomes PENDING, by the sweeps that follow */
		bool ends_quiet; /* the receiver has shown that it may be called: its wish ends, too */
	} in;
};

/* STORE_WEBHOOK_DELETE: marks it deleted and wipes the secret; deliveries are canceled by the sweeps that
 * follow. CH_ENOENT. */
struct store_webhook_delete {
	struct {
		int64_t account;
		struct id id;
		int64_t now_ms;
	} in;
};

/* STORE_WEBHOOK_SWEEP: moves at most `limit` deliveries of a webhook to where its switch says: disabled
 * - PENDING to PARKED; deleted - PENDING and PARKED to CANCELED; enabled with a release under way - PARKED
 * to PENDING, due now, oldest first; enabled otherwise - nothing. Switching off ends a release. The client
 * submits these by itself after a change and after a start; nobody else needs to. */
struct store_webhook_sweep {
	struct {
		struct id id;
		size_t limit;
		int64_t now_ms;
	} in;
	struct {
		size_t moved;
		bool more;
		bool released; /* those moved are PENDING now */
	} out;
};

/* STORE_ATTEMPT: an attempt and what it makes of its delivery, together. Writing the same attempt id
 * again changes nothing and is no error. Of an erased call the answer is dropped. A delivery that was parked
 * or canceled meanwhile becomes DELIVERED if next.state is that, and keeps its state otherwise; so does one
 * that was resent meanwhile (its round is another). DELIVERED changes by a resend only, and one that was ever
 * delivered ends DELIVERED where it would have been FAILED. Becoming FAILED is an event. CH_ENOENT: no such
 * delivery. */
struct store_attempt {
	struct {
		struct attempt attempt; /* takes */
		int64_t account;
		struct id webhook_id;
		int round; /* the delivery's when the attempt began */
		int64_t quiet_until_ms; /* the receiver asked not to be called before; 0: it did not. Kept
					   with the webhook when later than what is kept */
		int quiet_status; /* with which status it asked */
		bool is_ours; /* our own fault or our own line: says nothing about the receiver */
		struct {
			enum delivery_state state; /* PENDING, DELIVERED, FAILED, PARKED */
			int tries; /* counted in this round, this one included if it counts */
			int64_t due_ms; /* PENDING */
			int64_t finished_ms; /* DELIVERED, FAILED */
			char *reason; /* takes; may be NULL */
		} next;
	} in;
	struct {
		enum delivery_state state; /* what the row says now */
		int64_t pending; /* of the webhook, after this */
		bool is_hopeless; /* policy/streak says that the webhook should be switched off */
	} out;
};

/* STORE_RESEND: opens a new round of tries on a delivery: PENDING, no tries, due now; the same id and bytes.
 * A PENDING one begins its schedule anew. CH_ENOENT; CH_ECONFLICT: its webhook is switched off, it was
 * canceled, or its call was erased. */
struct store_resend {
	struct {
		int64_t account;
		struct id id;
		int64_t now_ms;
	} in;
	struct {
		struct delivery delivery; /* as it is now, without body */
		struct delivery *news; /* the same with body, for the loop that sends it; the watcher takes
					  it (and nulls it) before done is called */
	} out;
};

/* STORE_EVENT: an event that no other write is the cause of, about a webhook. CH_ENOENT: it is gone. */
struct store_event {
	struct {
		int64_t account;
		struct id webhook_id;
		enum ops_event_type type;
		char *reason; /* takes */
		int64_t now_ms;
	} in;
};

/* STORE_CALL_GET: the latest version. CH_ENOENT. CH_EGONE: it was erased. */
struct store_call_get {
	struct {
		int64_t account;
		struct id id;
	} in;
	struct {
		struct ch_bytes *body;
		int64_t version;
	} out;
};

struct store_version_row {
	int64_t seq; /* in the order of the commits */
	struct id call_id;
	int64_t version; /* of the call, from 1 */
	int64_t accepted_ms;
	struct ch_bytes *body; /* NULL: a tombstone, the call was erased */
};

/* STORE_CALL_FEED: an account's versions of finished calls in the order in which they were committed. Asked
 * again with the `last` of before it skips none and gives none twice. Of an erased call that was finished
 * only the tombstone is left. It looks at a bounded number of versions, so there may be none among them and
 * yet more. */
#define STORE_FEED_OLDEST (-1) /* from the oldest that is kept */
#define STORE_FEED_END (-2) /* no rows, only where the account's last is */

struct store_call_feed {
	struct {
		int64_t account;
		int64_t after; /* a seq, exclusive; STORE_FEED_OLDEST; STORE_FEED_END */
		size_t limit; /* 1..100 */
		size_t max_bytes; /* stops once bodies of so many bytes are loaded; at least one row */
	} in;
	struct {
		struct id store_id; /* random, of this store alone, the same for ever */
		struct store_version_row *rows;
		size_t count;
		int64_t last; /* the versions up to this seq were looked at; >= 0 */
		bool more;
		bool is_purged; /* finished versions behind `after` were removed by retention: no rows */
		bool is_beyond; /* the store has never had a version `after`: no rows */
	} out;
};

struct store_webhook_row {
	struct webhook webhook;
	struct ledger counts; /* of this webhook */
};

/* STORE_WEBHOOK_GET: CH_ENOENT, for a deleted one too. */
struct store_webhook_get {
	struct {
		int64_t account;
		struct id id;
	} in;
	struct {
		struct store_webhook_row row;
	} out;
};

/* STORE_WEBHOOK_LIST: all of an account that are not deleted, oldest first. */
struct store_webhook_list {
	struct {
		int64_t account;
	} in;
	struct {
		struct store_webhook_row *rows;
		size_t count;
	} out;
};

/* STORE_DELIVERY_GET: with its attempts, oldest first (the newest attempt_limit of them), and the digest of
 * its bytes, also when its call was erased. CH_ENOENT. CH_EGONE: with_body, and the call was erased. */
struct store_delivery_get {
	struct {
		int64_t account;
		struct id id;
		size_t attempt_limit; /* >= 1 */
		bool with_body;
	} in;
	struct {
		struct delivery delivery; /* body: NULL unless asked for */
		struct attempt *attempts;
		size_t attempt_count;
		bool has_digest; /* not: the call was erased before digests were kept */
		uint8_t body_sha256[CH_SHA256_BYTES];
	} out;
};

/* STORE_DELIVERY_LIST: newest first, at most `limit`, older than `before`. With look_max the store may end a
 * page early, even without a row, rather than look at many more rows than that for some that match; the next
 * page is what is older than `rest`. */
struct store_delivery_list {
	struct {
		int64_t account;
		bool has_webhook, has_call, has_before;
		struct id webhook_id, call_id;
		struct id before; /* exclusive */
		uint8_t states; /* bit 1 << state; 0: any. DELIVERING is not stored and must not be asked for
				 */
		int64_t from_ms, to_ms; /* created, inclusive; INT64_MIN and INT64_MAX for none */
		size_t limit; /* 1..100 */
		size_t look_max; /* 0: no end */
	} in;
	struct {
		struct delivery *rows; /* without bodies */
		size_t count;
		bool more; /* there may be more */
		struct id rest; /* with more: older than this */
	} out;
};

struct store_attempt_row {
	int64_t number; /* in the order of the commits */
	struct id id, delivery_id, webhook_id, call_id;
	int64_t started_ms;
	enum attempt_outcome outcome;
	int status; /* 0: none */
	int32_t total_us;
	enum delivery_state state; /* of the delivery, now */
};

/* STORE_ATTEMPT_FEED: an account's attempts in the order in which they were committed. Asked again with the
 * `last` of before it skips none and gives none twice. It looks at a bounded number of attempts, those of
 * other accounts too, so there may be none among them and yet more. */
struct store_attempt_feed {
	struct {
		int64_t account;
		bool has_webhook;
		struct id webhook_id;
		int64_t after; /* exclusive; -1: no rows, only where the end is */
		size_t limit; /* 1..100 */
	} in;
	struct {
		struct store_attempt_row *rows;
		size_t count;
		int64_t last; /* the attempts up to this number were looked at */
		int64_t end; /* the number of the last attempt there ever was */
		bool more;
	} out;
};

/* STORE_CLAIM: deliveries of one webhook that are PENDING and due, least due time first, with bodies.
 * Only the loop that owns the webhook asks. Ids in skip are passed over without being counted or
 * loaded. Stops after `limit` rows or once max_bytes of bodies are loaded (at least one row). */
#define STORE_CLAIM_DAMAGED_MAX 256 /* of those passed over; with more the claim gives CH_EDAMAGED */

struct store_claim {
	struct {
		struct id webhook_id;
		int64_t now_ms;
		size_t limit;
		size_t max_bytes;
		struct id *skip; /* takes; sorted by id_compare */
		size_t skip_count;
	} in;
	struct {
		struct delivery *rows;
		size_t count;
		bool more; /* others are due now */
		size_t damaged; /* due, but can't be read: passed over */
		int64_t next_due_ms; /* the first PENDING one that is not due yet and not in skip; -1: none */
	} out;
};

/* STORE_PROBE: the PENDING delivery, due or not, that a probe of a dead endpoint should take, with body: one
 * that was never attempted, else the one whose last attempt is longest ago; `last` only when there is no
 * other. Never attempted ones are sought among the least due and the newest, a bounded number of each. */
struct store_probe {
	struct {
		struct id webhook_id;
		bool has_last;
		struct id last; /* what the probe before took */
	} in;
	struct {
		bool has_row;
		struct delivery row;
	} out;
};

/* STORE_LANES: every webhook that is not deleted, of all accounts, receivers of events too, and whether
 * anything is PENDING. */
struct store_lane {
	struct webhook webhook;
	int64_t next_due_ms; /* least due time of its PENDING deliveries; -1: none */
	int64_t pending;
	int64_t quiet_until_ms; /* the receiver asked not to be called before; 0: it did not */
	int quiet_status;
};

struct store_lanes {
	struct {
		struct store_lane *rows;
		size_t count;
	} out;
};

/* STORE_SWEEPS: webhooks whose deliveries do not yet follow their switch (a crash came between), replays that
 * are RUNNING, and deleted accounts of which rows can be removed. */
struct store_sweeps {
	struct {
		struct id *ids;
		size_t count;
		int64_t *accounts;
		size_t account_count;
		struct id *replays;
		size_t replay_count;
	} out;
};

/* STORE_LEDGER: summed over all webhooks, deleted ones too. account 0: over all accounts but those of
 * events. */
struct store_ledger {
	struct {
		int64_t account;
	} in;
	struct {
		struct ledger ledger;
		int64_t first_due_ms; /* least due time of what is PENDING; -1: nothing is */
	} out;
};

/* A write that is the cause of an event makes it in the same transaction: a delivery, for each receiver that
 * there is, of a webhook of model/ops_event.h's accounts. While too many wait for a receiver, what comes is
 * dropped, and counted in the next event that finds room. */
struct store_events {
	struct id webhooks[OPS_EVENT_TARGETS]; /* receivers that have one more to be sent, due now */
	size_t count;
	size_t made, dropped; /* of both receivers */
};

struct store_request {
	struct ch_msg msg; /* the client's while submitted */
	enum store_kind kind;
	int result;
	struct ch_err err;
	struct ch_port *reply_to; /* where done runs; keeps */
	void (*done)(struct store_request *r); /* may free r */
	struct store_audit *audit; /* takes; of a write: written with it when it succeeds; NULL: none */
	struct store_events events; /* out, of a write */
	int64_t queued_mono_ms; /* the client's */
	union {
		struct store_call_put call_put;
		struct store_call_erase call_erase;
		struct store_webhook_create webhook_create;
		struct store_webhook_update webhook_update;
		struct store_webhook_delete webhook_delete;
		struct store_webhook_sweep webhook_sweep;
		struct store_attempt attempt;
		struct store_resend resend;
		struct store_replay_create replay_create;
		struct store_replay_cancel replay_cancel;
		struct store_replay_step replay_step;
		struct store_account_create account_create;
		struct store_account_update account_update;
		struct store_account_delete account_delete;
		struct store_account_sweep account_sweep;
		struct store_spend spend;
		struct store_retention_step retention_step;
		struct store_event event;
		struct store_agent_name agent_name;
		struct store_call_get call_get;
		struct store_call_feed call_feed;
		struct store_webhook_get webhook_get;
		struct store_webhook_list webhook_list;
		struct store_delivery_get delivery_get;
		struct store_delivery_list delivery_list;
		struct store_attempt_feed attempt_feed;
		struct store_claim claim;
		struct store_probe probe;
		struct store_lanes lanes;
		struct store_sweeps sweeps;
		struct store_replay_get replay_get;
		struct store_replay_list replay_list;
		struct store_account_list account_list;
		struct store_audit_list audit_list;
		struct store_spent_list spent_list;
		struct store_call_list call_list;
		struct store_agent_list agent_list;
		struct store_ledger ledger;
		struct store_history history;
		struct store_backlog backlog;
	} u;
};

/* Clears all and sets the three; `in` is filled by the caller after. */
void store_request_init(struct store_request *r, enum store_kind kind, struct ch_port *reply_to,
		void (*done)(struct store_request *r));
void store_request_fini(struct store_request *r); /* frees input taken and output; wipes nothing else */
/* Frees what out holds and zeroes it; for stores, when a request or its whole batch fails. */
void store_request_clear_out(struct store_request *r);
bool store_kind_is_write(enum store_kind kind);
const char *store_kind_name(enum store_kind kind);
/* The account a write is for (fairness in the writer); 0 when it has none. */
int64_t store_request_account(const struct store_request *r);

#endif
