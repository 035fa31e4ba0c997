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
 *  - claims and lanes look at rows only, not at the webhook's switch.
 *  - which rows a sweep moves first is the store's choice.
 */
#ifndef CH_STORE_RULES_H
#define CH_STORE_RULES_H

#include "store/request.h"

/* The latest version of a call, as a store has it. */
struct rules_stored {
	int64_t version;
	enum call_status status;
	int64_t created_s; /* of the first version */
	const char *body; /* borrowed */
	size_t body_len;
};

struct rules_put {
	enum store_put_result what;
	int64_t version; /* that is the latest after it */
	int64_t created_s; /* to be kept as the call's */
	bool makes_deliveries;
};

/* stored: NULL when there is no record. Sets the kept "created" in put->in.body. 0, CH_EPRECOND or
 * CH_ECONFLICT. */
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
	int tries;
	int attempts;
	int64_t due_ms;
	int64_t finished_ms;
	const char *reason; /* borrowed; NULL: none */
};

/* What a new attempt (not one that is written already) makes of row. */
void rules_attempt_apply(const struct store_attempt *a, struct rules_row *row);

struct rules_sweep {
	enum delivery_state to; /* PARKED or CANCELED */
	bool takes_parked; /* PARKED rows too; PENDING ones always */
	const char *reason; /* for the rows moved; borrowed from the webhook, or a constant */
};

/* false: the switch is on and there is nothing to move. */
bool rules_sweep_decide(const struct webhook *w, struct rules_sweep *ret);
/* A row that this sweep moves: state, due_ms, finished_ms and reason are set. */
void rules_sweep_apply(const struct rules_sweep *sweep, int64_t now_ms, struct rules_row *row);

/* A delivery came to be in that state, or changed from one to another. */
void rules_ledger_made(struct ledger *l, enum delivery_state s);
void rules_ledger_moved(struct ledger *l, enum delivery_state from, enum delivery_state to);
void rules_ledger_add(struct ledger *sum, const struct ledger *l);

/* A whole batch is durable: what only then may change in the askers' structs (revisions) does. */
void rules_batch_done(struct store_request *const *requests, size_t n);
/* A whole batch failed: every request gets code and text as its answer and loses its output. */
void rules_batch_failed(struct store_request *const *requests, size_t n, int code, const char *text);

#endif
