/* store/rules.h - the decisions that every store makes alike.
 *
 * Role:      pure functions over what a store has read: may this record be put, what does it make of
 *            the row, what does an attempt make of a delivery, where does a sweep move rows. A store
 *            reads, asks here, writes.
 * Ownership: texts in results are borrowed from the arguments or constants.
 * Errors:    as store/request.h says for the kind, with the words in err.
 *
 * What the stores agree on beside these functions:
 *  - due_ms is 0 unless PENDING; finished_ms is 0 while PENDING or PARKED.
 *  - deliveries of one put are made for webhooks oldest first (created_ms, then id).
 *  - deliveries are listed by id, greatest first; attempts by id, least first; webhooks by
 *    (created_ms, id); accounts by number. Claims go by (due_ms, id).
 *  - an account number is not looked up by writes: whoever asks has read it from the store.
 *  - a webhook, delivery or call of another account is CH_ENOENT. An attempt must name the delivery's
 *    own account and webhook, or it is CH_ENOENT too. A webhook id that is taken: CH_EEXIST.
 *  - update keeps the stored account and created_ms, whatever the struct says.
 *  - claims, probes and lanes look at rows only, not at the webhook's switch.
 *  - which rows a sweep moves first is the store's choice, but for a release: least id first.
 */
#ifndef CH_STORE_RULES_H
#define CH_STORE_RULES_H

#include "policy/streak.h"
#include "store/request.h"

/* The latest version of a call, as a store has it. */
struct rules_stored {
	int64_t version;
	enum call_status status;
	int64_t created_s; /* of the first version */
	const char *body; /* borrowed */
	size_t body_len; /* 0: it was erased */
};

struct rules_put {
	enum store_put_result what;
	int64_t version; /* that is the latest after it */
	int64_t created_s; /* to be kept as the call's */
	bool makes_deliveries;
};

/* stored: NULL when there is no record. Sets the kept "created" in put->in.body. 0, CH_EPRECOND,
 * CH_ECONFLICT or CH_EGONE. */
int rules_put_decide(struct store_call_put *put, const struct rules_stored *stored, struct rules_put *ret,
		struct ch_err *err) CH_MUST_USE;

/* A new delivery of that put for w, with its own reference of body: PENDING and due at once, or PARKED with
 * a reason when w is disabled. The caller has asked webhook_wants and that w is not deleted. CH_ENOMEM. */
int rules_delivery_make(const struct store_call_put *put, const struct rules_put *decision,
		const struct webhook *w, const struct id *id, struct ch_bytes *body,
		struct delivery *ret) CH_MUST_USE;

/* The changing part of a delivery's row. */
struct rules_row {
	enum delivery_state state;
	int round;
	bool was_delivered; /* always while DELIVERED */
	int tries;
	int attempts;
	int64_t due_ms;
	int64_t finished_ms;
	const char *reason; /* borrowed; NULL: none */
	bool is_erased; /* its call was */
};

/* What a new attempt (not one that is written already) makes of row. */
void rules_attempt_apply(const struct store_attempt *a, struct rules_row *row);

/* The call of a row that is PENDING or PARKED is erased. */
void rules_erase_apply(int64_t now_ms, struct rules_row *row);
/* Nothing that the receiver said is kept of an attempt at an erased call. */
void rules_attempt_strip(struct attempt *a);
extern const char rules_erased[]; /* words */

/* A row that is PARKED is older than calls are kept. */
void rules_expire_apply(int64_t now_ms, struct rules_row *row);
/* So long after a delivery ended its call stays at least, for whoever wants to see what became of it: one
 * that was sent again, one that was canceled for its age. */
#define RULES_RETENTION_SEEN_MS (INT64_C(24) * 3600 * 1000)
extern const char rules_expired[]; /* words */

/* The webhook of row asks for it again; deleted: it was. row becomes what it is then. 0, CH_ENOENT or
 * CH_ECONFLICT. */
int rules_resend_apply(const struct webhook *w, int64_t now_ms, struct rules_row *row,
		struct ch_err *err) CH_MUST_USE;

/* The row belongs to a replay of its webhook, which is on: does it open a round, and which. false: it is left
 * as it is. */
bool rules_replay_apply(const struct replay *p, enum call_status status, int64_t made_ms, int64_t now_ms,
		struct rules_row *row);
/* How long after a step that opened so many the next may begin. */
int64_t rules_replay_wait_ms(const struct replay *p, size_t opened);
size_t rules_replay_room(const struct replay *p, size_t limit); /* rows that a step may open, at most */
#define RULES_REPLAY_OFF_WAIT_MS 1000 /* while the webhook is switched off */
extern const char rules_replay_off[], rules_replay_deleted[], rules_replay_asked[]; /* reasons */

/* Would a webhook with the settings of wanted only send again what w sends: it is on, and has the same URL,
 * agents and statuses. */
bool rules_webhook_serves(const struct webhook *w, const struct webhook *wanted);

/* What a store keeps with a webhook about its receiver. */
struct rules_receiver {
	struct streak streak;
	int64_t quiet_until_ms; /* it asked not to be called before; 0: it did not */
	int quiet_status;
	int64_t dropped; /* events for it that found no room since the last that did */
};

/* A new attempt; false: nothing changed. The time of a failure is that of the attempt's start. */
bool rules_receiver_note(const struct store_attempt *a, struct rules_receiver *r);
/* The settings change; ends_quiet: or its wish to be left alone is over. False: nothing changed. */
bool rules_receiver_update(const struct webhook *old, const struct webhook *settings, bool ends_quiet,
		struct rules_receiver *r);
/* After an attempt, new or not. w: NULL when the webhook was deleted. */
bool rules_receiver_is_hopeless(
		const struct store_attempt *a, const struct webhook *w, const struct rules_receiver *r);

/* What a webhook's deliveries have yet to do; the numbers are in the database. */
enum rules_task {
	RULES_TASK_NONE,
	RULES_TASK_FOLLOW, /* the switch: be parked, or canceled */
	RULES_TASK_RELEASE, /* those parked become PENDING */
	RULES_TASK_COUNT
};

/* The task after an update to these settings. */
enum rules_task rules_task_after(enum rules_task before, const struct webhook *settings, bool release);

struct rules_sweep {
	enum delivery_state to; /* PARKED, CANCELED or PENDING */
	bool takes_pending, takes_parked; /* the states of the rows it moves */
	const char *reason; /* for the rows moved; borrowed from the webhook, or a constant; NULL: none */
};

/* false: there is nothing to move. */
bool rules_sweep_decide(const struct webhook *w, enum rules_task task, struct rules_sweep *ret);
/* A row that this sweep moves: state, tries, due_ms, finished_ms and reason are set. */
void rules_sweep_apply(const struct rules_sweep *sweep, int64_t now_ms, struct rules_row *row);

/* How many events may wait for a receiver: when all deliveries of a large customer fail, and nobody takes the
 * news of it, the store does not fill up. */
#define RULES_EVENTS_WAITING_MAX 10000
bool rules_event_has_room(const struct ledger *counts);
/* The event as a put of its own, for the webhooks of that account, and what it decides. put: initialised as
 * STORE_CALL_PUT. CH_ENOMEM. */
int rules_event_put(const struct ops_event *e, int64_t account, const struct id *id,
		struct store_request *put, struct rules_put *ret) CH_MUST_USE;

/* A delivery came to be in that state, or changed from one to another. */
void rules_ledger_made(struct ledger *l, enum delivery_state s);
void rules_ledger_moved(struct ledger *l, enum delivery_state from, enum delivery_state to);
void rules_ledger_add(struct ledger *sum, const struct ledger *l);

/* A whole batch is durable: what only then may change in the askers' structs (revisions) does. */
void rules_batch_done(struct store_request *const *requests, size_t n);
/* A whole batch failed: every request gets code and text as its answer and loses its output. */
void rules_batch_failed(struct store_request *const *requests, size_t n, int code, const char *text);

#endif
