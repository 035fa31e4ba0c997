/* store/store_sqlite_lists.h - the lists of calls in the SQLite store and their counts; for its own files
 * only.
 *
 * Role:      store_sqlite_lists.c enters calls into the lists and takes them out; _lists_build.c enters what
 * a database of an older version has; _tally.c keeps the counts, in memory while they are in use and written
 * once a transaction; _calls.c reads pages, _agents.c knows the agents. Units:     places are ordered by
 * (created_s, seq); a stretch reaches from its place to the next one's. Ownership: struct sq_tallies owns the
 * tallies, they their stretches. Threads:   the writer's. Errors:    as store_sqlite.h says. After a failure
 * the tallies in memory are forgotten (sq_tallies_clear). Invariant: the first stretch of a tally begins
 * before every call; at the end of a transaction its rows are in the tables and the counts of all stretches
 * but each tally's last one are what lies in them.
 */
#ifndef CH_STORE_STORE_SQLITE_LISTS_H
#define CH_STORE_STORE_SQLITE_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "model/call.h"

struct sq_conn;
struct store_sqlite;

#define SQ_KINDS (CALL_STATUS_COUNT * 2) /* a status and a type: status * 2 + type */
#define SQ_LIST_KINDS 32 /* list = tally * 32 + kind */
#define SQ_COUNTS_BYTES (SQ_KINDS * 2)
/* Calls that a stretch may hold before it is cut in two. Finding a page walks at most so many rows, and a
 * total is a sum over calls / 2048 stretches or some more: with a million calls both cost about the same. */
#define SQ_STRETCH_MAX 2048
#define SQ_LISTED_AT_ONCE 16 /* rows that one statement inserts */
#define SQ_PENDING_MAX 1024

struct sq_place {
	int64_t created_s, seq;
};

struct sq_stretch {
	struct sq_place from;
	uint32_t total;
	uint16_t counts[SQ_KINDS];
};

struct sq_tally_key {
	int64_t account;
	struct id agent;
	int64_t has_agent; /* 0: all of the account's calls */
};

struct sq_tally {
	struct ch_map_node node;
	struct sq_tally_key key;
	int64_t number;
	struct sq_stretch *stretches; /* by place; at least one */
	size_t count, cap;
	size_t dirty_from, dirty_to; /* those to be written: [from, to) */
	struct sq_tally *next_dirty;
	bool is_dirty; /* in the list of those */
};

struct sq_tallies {
	struct ch_map by_key;
	struct sq_tally *dirty;
	size_t stretches; /* of all in memory */
};

struct sq_listed {
	int64_t list;
	struct sq_place at;
};

struct sq_listed_phone {
	int64_t account, phone;
	struct sq_place at;
	int64_t agent_list;
};

/* Rows of this transaction that are not inserted yet: sorted and many at once they cost half as much. */
struct sq_pending {
	struct sq_listed rows[SQ_PENDING_MAX];
	struct sq_listed_phone phones[SQ_PENDING_MAX];
	size_t row_count, phone_count;
	int64_t first_seq; /* the least of rows */
};

int sq_place_compare(const struct sq_place *a, const struct sq_place *b);
static inline int sq_kind_of(enum call_status status, enum call_type type)
{
	return (int)status * 2 + (int)type;
}

/* ---- store_sqlite_tally.c ---- */

void sq_tallies_init(struct sq_tallies *t, const struct ch_rand *rand);
void sq_tallies_clear(struct sq_tallies *t); /* forgets all, written or not */
void sq_tallies_fini(struct sq_tallies *t);
int sq_tallies_write(
		struct store_sqlite *s, struct ch_err *err) CH_MUST_USE; /* what changed, to the database */
void sq_tallies_committed(struct sq_tallies *t); /* may forget some, so that memory is bounded */
/* Made if need be: agent NULL is for all calls. */
int sq_tally_get(struct store_sqlite *s, int64_t account, const struct id *agent, struct sq_tally **ret,
		struct ch_err *err) CH_MUST_USE;
/* One call more, or one less, at that place; it is listed already, or gone. */
int sq_tally_add(struct store_sqlite *s, struct sq_tally *t, int kind, const struct sq_place *at,
		struct ch_err *err) CH_MUST_USE;
int sq_tally_remove(struct store_sqlite *s, struct sq_tally *t, int kind, const struct sq_place *at,
		struct ch_err *err) CH_MUST_USE;
/* The counts of a stretch as stored; false: they can't be. */
bool sq_counts_read(const void *data, size_t len, struct sq_stretch *ret);

/* ---- store_sqlite_lists.c ---- */

/* The version seq is the latest of its call now: it stands in the lists. */
int sq_list_enter(struct store_sqlite *s, int64_t account, int64_t seq, const struct call_facts *facts,
		int64_t created_s, struct ch_err *err) CH_MUST_USE;
/* The version seq, of which body is the record, leaves the lists and their counts: it was replaced, is erased
 * or is about to be removed. To be asked for the latest version of a call, while its record is still known;
 * one that stands in no list (an earlier version, an erased one) is no error. */
int sq_list_leave(struct store_sqlite *s, int64_t account, int64_t seq, const char *body, size_t body_len,
		struct ch_err *err) CH_MUST_USE;
/* The same of the call's latest version, whatever that is. */
int sq_list_leave_call(struct store_sqlite *s, int64_t account, const struct id *call,
		struct ch_err *err) CH_MUST_USE;
int sq_list_flush(
		struct store_sqlite *s, struct ch_err *err) CH_MUST_USE; /* what is pending, to the tables */
/* A phone number as the lists have it; 0: none. */
int64_t sq_phone_of(const char *phone);

/* ---- store_sqlite_lists_build.c ---- */

/* Enters the versions that the database had before it had lists; in steps, so that a crash loses no more than
 * the last one. between: called after each. */
int sq_lists_build(struct store_sqlite *s, void (*between)(struct store_sqlite *s),
		struct ch_err *err) CH_MUST_USE;

#endif
