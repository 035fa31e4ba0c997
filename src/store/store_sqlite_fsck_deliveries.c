#include <stdio.h>
#include <string.h>

#include "store/store_sqlite_fsck.h"

enum {
	COL_KEY,
	COL_ID,
	COL_STATE,
	COL_TRIES,
	COL_ATTEMPTS,
	COL_LAST_ATTEMPT,
	COL_CREATED,
	COL_AT,
	COL_REASON,
	COL_ROUND,
	COL_BEFORE,
	COL_SEQ,
	COL_ACCOUNT,
	COL_STATUS,
	COL_FIRST,
	COL_LAST,
	COL_ERASED
};

/* A delivery as its row says it. */
struct row {
	int64_t key, tries, attempts, last_attempt, created_ms, at_ms;
	struct id id;
	enum delivery_state state;
	bool has_reason;
	bool was_delivered; /* in an earlier round */
	char where[FSCK_WHERE_MAX];
};

static int64_t column(struct fsck *f, int at)
{
	return fsck_int(f, FSCK_DELIVERIES, at);
}

static bool read_row(struct fsck *f, struct row *r)
{
	int64_t state = column(f, COL_STATE);
	char text[ID_TEXT_LEN + 1];

	*r = (struct row){
			.key = column(f, COL_KEY),
			.tries = column(f, COL_TRIES),
			.attempts = column(f, COL_ATTEMPTS),
			.last_attempt = column(f, COL_LAST_ATTEMPT),
			.created_ms = column(f, COL_CREATED),
			.at_ms = column(f, COL_AT),
			.has_reason = !fsck_is_null(f, FSCK_DELIVERIES, COL_REASON) &&
				      sqlite3_column_bytes(f->stmts[FSCK_DELIVERIES], COL_REASON) > 0,
	};
	r->was_delivered = column(f, COL_BEFORE) != 0;
	snprintf(r->where, sizeof(r->where), "delivery with key %lld", (long long)r->key);
	if (!fsck_id(f, FSCK_DELIVERIES, COL_ID, &r->id)) {
		fsck_finding(f, r->where, "it has no id");
		return false;
	}
	id_format(&r->id, text);
	snprintf(r->where, sizeof(r->where), "delivery %s", text);
	if (state < 0 || state >= DELIVERY_STATE_COUNT || state == DELIVERY_DELIVERING) {
		fsck_finding(f, r->where, "its state can't be");
		return false;
	}
	r->state = (enum delivery_state)state;
	return true;
}

static void check_id(struct fsck *f, const struct row *r)
{
	int64_t at_ms = id_time_ms(&r->id);

	if (sq_key_of(&r->id) != r->key)
		fsck_finding(f, r->where, "its key is not the one of its id");
	else if (!sq_is_sane(r->created_ms) || at_ms < r->created_ms ||
			at_ms - r->created_ms > f->id_ahead_ms)
		fsck_finding(f, r->where, "its id is of another time than its making");
}

static void check_call(struct fsck *f, const struct row *r, int64_t account)
{
	if (fsck_is_null(f, FSCK_DELIVERIES, COL_SEQ)) {
		fsck_finding(f, r->where, "the version of the call that it brings is missing");
		return;
	}
	if (column(f, COL_ACCOUNT) != account)
		fsck_finding(f, r->where, "its call is another account's");
	if (column(f, COL_STATUS) == CALL_IN_PROGRESS)
		fsck_finding(f, r->where, "its call is not final");
	if (fsck_is_null(f, FSCK_DELIVERIES, COL_FIRST) || r->key < column(f, COL_FIRST) ||
			r->key > column(f, COL_LAST))
		fsck_finding(f, r->where, "its call does not know of it");
	if (column(f, COL_ERASED) != 0 && (r->state == DELIVERY_PENDING || r->state == DELIVERY_PARKED))
		fsck_finding(f, r->where, "it is %s, but its call is erased", delivery_state_name(r->state));
}

static void check_round(struct fsck *f, const struct row *r)
{
	int64_t number = column(f, COL_ROUND), before = column(f, COL_BEFORE);

	if (!sq_is_sane(number) || (before != 0 && before != 1) || (number == 0 && before != 0))
		fsck_finding(f, r->where, "its rounds can't be");
}

static void check_state(struct fsck *f, const struct row *r)
{
	bool has_moment = r->at_ms > 0 && sq_is_sane(r->at_ms);
	bool wants_reason = r->state == DELIVERY_FAILED || r->state == DELIVERY_PARKED ||
			    r->state == DELIVERY_CANCELED;

	if (r->state == DELIVERY_PARKED ? r->at_ms != 0 : !has_moment)
		fsck_finding(f, r->where, "it is %s, and its moment can't be", delivery_state_name(r->state));
	if (wants_reason && !r->has_reason)
		fsck_finding(f, r->where, "it is %s without a reason", delivery_state_name(r->state));
	if (r->state == DELIVERY_DELIVERED && r->has_reason && !r->was_delivered)
		fsck_finding(f, r->where, "it is DELIVERED, but has a reason");
	if (r->state == DELIVERY_FAILED && r->was_delivered)
		fsck_finding(f, r->where, "it was DELIVERED, but is FAILED");
	if (r->tries < 0 || r->attempts < r->tries)
		fsck_finding(f, r->where, "it has %lld tries and %lld attempts", (long long)r->tries,
				(long long)r->attempts);
}

/* ---- attempts ---- */

/* What a walk along the chain found. */
struct chain {
	int64_t count;
	bool was_answered_well; /* some attempt got a 2xx */
	bool is_broken; /* a finding was made of it */
	bool is_cut; /* its end was removed for its age */
};

static void broken(struct fsck *f, const struct row *r, struct chain *c, int64_t number, const char *what)
{
	fsck_finding(f, r->where, "attempt number %lld %s", (long long)number, what);
	c->is_broken = true;
}

static void check_attempt(struct fsck *f, const struct row *r, struct chain *c, int64_t number)
{
	int64_t outcome = fsck_int(f, FSCK_ATTEMPT, 3), status = fsck_int(f, FSCK_ATTEMPT, 4);

	if (outcome < 0 || outcome >= ATTEMPT_OUTCOME_COUNT ||
			(outcome == ATTEMPT_ANSWERED && (status < 100 || status > 999)) ||
			fsck_int(f, FSCK_ATTEMPT, 5) > ATTEMPT_ANSWER_KEPT_MAX)
		broken(f, r, c, number, "can't be as it is");
	c->was_answered_well |= outcome == ATTEMPT_ANSWERED && status / 100 == 2;
}

/* One link, whose number becomes the one before it; 0 at the end. Ids descend, which is why the walk ends
 * even where the chain is a ring. */
static int walk_link(struct fsck *f, const struct row *r, struct chain *c, int64_t *number, struct id *above)
{
	struct id id = {0};
	int rc;

	fsck_bind(f, FSCK_ATTEMPT, 1, *number);
	rc = fsck_step(f, FSCK_ATTEMPT);
	c->is_cut = rc == SQLITE_DONE && *number <= f->removed_attempt;
	if (rc == SQLITE_DONE && !c->is_cut)
		broken(f, r, c, *number, "is missing");
	if (rc != SQLITE_ROW) {
		*number = 0;
		return rc == SQLITE_DONE ? 0 : rc;
	}
	if (fsck_int(f, FSCK_ATTEMPT, 0) != r->key)
		broken(f, r, c, *number, "belongs to another delivery");
	else if (!fsck_id(f, FSCK_ATTEMPT, 2, &id) || id_compare(&id, above) >= 0)
		broken(f, r, c, *number, "is out of order");
	else
		check_attempt(f, r, c, *number);
	*above = id;
	*number = c->is_broken ? 0 : fsck_int(f, FSCK_ATTEMPT, 1);
	fsck_reset(f, FSCK_ATTEMPT);
	c->count++;
	return 0;
}

/* Every attempt that was made is there, or the older ones are gone. */
static int check_attempts(struct fsck *f, const struct row *r)
{
	int64_t number = r->last_attempt;
	struct chain c = {0};
	struct id above;
	int rc = 0;

	memset(&above, 0xff, sizeof(above));
	while (rc == 0 && number != 0)
		rc = walk_link(f, r, &c, &number, &above);
	f->chained += c.count;
	if (rc != 0 || c.is_broken)
		return rc;
	if (c.is_cut ? c.count >= r->attempts : c.count != r->attempts)
		fsck_finding(f, r->where, "it counts %lld attempts, %lld are there", (long long)r->attempts,
				(long long)c.count);
	if ((r->state == DELIVERY_DELIVERED || r->was_delivered) && !c.was_answered_well && !c.is_cut)
		fsck_finding(f, r->where, "it is or was DELIVERED, but no attempt was answered 2xx");
	if (r->state != DELIVERY_DELIVERED && !r->was_delivered && c.was_answered_well)
		fsck_finding(f, r->where, "an attempt was answered 2xx, but it is %s",
				delivery_state_name(r->state));
	return 0;
}

static int check_delivery(struct fsck *f, int64_t account, struct ledger *counts)
{
	struct row r;

	f->totals.deliveries++;
	if (!read_row(f, &r))
		return 0;
	rules_ledger_made(counts, r.state);
	check_id(f, &r);
	check_call(f, &r, account);
	check_round(f, &r);
	check_state(f, &r);
	return check_attempts(f, &r);
}

int fsck_deliveries(struct fsck *f, int64_t webhook, int64_t account, struct ledger *counts)
{
	int rc;

	fsck_bind(f, FSCK_DELIVERIES, 1, webhook);
	while ((rc = fsck_step(f, FSCK_DELIVERIES)) == SQLITE_ROW) {
		rc = check_delivery(f, account, counts);
		if (rc != 0) {
			fsck_reset(f, FSCK_DELIVERIES);
			return rc;
		}
	}
	return rc == SQLITE_DONE ? 0 : rc;
}
