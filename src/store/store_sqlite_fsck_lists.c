#include <stdio.h>

#include "store/store_sqlite_fsck.h"

/* That every call that should be listed is, each call itself is asked (fsck_listed); that nothing else is,
 * the numbers of rows tell; and the counts of the stretches are held against the rows. */

int fsck_listed(struct fsck *f, const char *where, int64_t account, int64_t seq,
		const struct call_facts *facts)
{
	sqlite3_stmt *st = f->stmts[FSCK_LISTED];
	int64_t phone = sq_phone_of(facts->phone);
	int rc;

	fsck_bind(f, FSCK_LISTED, 1, account);
	sqlite3_bind_blob(st, 2, facts->agent_id.b, sizeof(facts->agent_id.b), SQLITE_STATIC);
	fsck_bind(f, FSCK_LISTED, 3, facts->created_s);
	fsck_bind(f, FSCK_LISTED, 4, seq);
	fsck_bind(f, FSCK_LISTED, 5, sq_kind_of(facts->status, facts->type));
	fsck_bind(f, FSCK_LISTED, 6, phone);
	rc = fsck_step(f, FSCK_LISTED);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? 0 : rc;
	if (fsck_int(f, FSCK_LISTED, 0) != 2)
		fsck_finding(f, where, "it does not stand in the lists of calls");
	if (fsck_int(f, FSCK_LISTED, 1) != (phone != 0))
		fsck_finding(f, where, "it does not stand in the list of its phone number");
	f->listed += 2;
	f->listed_phones += phone != 0;
	fsck_reset(f, FSCK_LISTED);
	return 0;
}

/* A tally that is looked at, and its stretch that was read last. */
struct tally {
	int64_t number;
	char where[FSCK_WHERE_MAX];
	bool has_stretch, is_counted;
	struct sq_stretch last;
};

static const struct sq_place beyond = {INT64_MAX, INT64_MAX};

static int count_kind(
		struct fsck *f, const struct tally *t, int kind, const struct sq_place *to, int64_t *ret)
{
	int rc;

	fsck_bind(f, FSCK_STRETCH_COUNT, 1, t->number * SQ_LIST_KINDS + kind);
	fsck_bind(f, FSCK_STRETCH_COUNT, 2, t->last.from.created_s);
	fsck_bind(f, FSCK_STRETCH_COUNT, 3, t->last.from.seq);
	fsck_bind(f, FSCK_STRETCH_COUNT, 4, to->created_s);
	fsck_bind(f, FSCK_STRETCH_COUNT, 5, to->seq);
	rc = fsck_step(f, FSCK_STRETCH_COUNT);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? 0 : rc;
	*ret = fsck_int(f, FSCK_STRETCH_COUNT, 0);
	fsck_reset(f, FSCK_STRETCH_COUNT);
	return 0;
}

/* The last stretch reaches up to here. */
static int check_stretch(struct fsck *f, const struct tally *t, const struct sq_place *to)
{
	int64_t total = 0, count = 0;
	bool is_good = true;
	int rc = 0;

	if (!t->has_stretch)
		return 0;
	for (int kind = 0; rc == 0 && kind < SQ_KINDS; kind++) {
		rc = count_kind(f, t, kind, to, &count);
		total += count;
		is_good = is_good && (!t->is_counted || count == t->last.counts[kind]);
	}
	f->in_stretches += total;
	if (!is_good)
		fsck_finding(f, t->where, "the counts of its calls are not what its lists hold");
	if (total > SQ_STRETCH_MAX)
		fsck_finding(f, t->where, "%lld of its calls are counted as one stretch", (long long)total);
	if (t->is_counted != (sq_place_compare(to, &beyond) != 0))
		fsck_finding(f, t->where, "not the last stretch of its calls is the open one");
	return rc;
}

static int read_stretch(struct fsck *f, struct tally *t)
{
	sqlite3_stmt *st = f->stmts[FSCK_STRETCHES];
	struct sq_stretch next = {.from = {fsck_int(f, FSCK_STRETCHES, 0), fsck_int(f, FSCK_STRETCHES, 1)}};
	int rc = check_stretch(f, t, &next.from);

	if (!t->has_stretch && next.from.created_s != INT64_MIN)
		fsck_finding(f, t->where, "its first stretch of calls is missing");
	t->is_counted = !fsck_is_null(f, FSCK_STRETCHES, 2);
	if (t->is_counted && !sq_counts_read(sqlite3_column_blob(st, 2), (size_t)sqlite3_column_bytes(st, 2),
					     &next))
		fsck_finding(f, t->where, "the counts of its calls can't be");
	t->last = next;
	t->has_stretch = true;
	return rc;
}

static int check_tally(struct fsck *f)
{
	struct tally t = {.number = fsck_int(f, FSCK_TALLIES, 0)};
	int rc;

	snprintf(t.where, sizeof(t.where), "tally number %lld", (long long)t.number);
	if (fsck_int(f, FSCK_TALLIES, 1) == 0)
		fsck_finding(f, t.where, "its agent is not known");
	fsck_bind(f, FSCK_STRETCHES, 1, t.number);
	while ((rc = fsck_step(f, FSCK_STRETCHES)) == SQLITE_ROW) {
		rc = read_stretch(f, &t);
		if (rc != 0) {
			fsck_reset(f, FSCK_STRETCHES);
			return rc;
		}
	}
	if (rc != SQLITE_DONE)
		return rc;
	if (!t.has_stretch)
		fsck_finding(f, t.where, "the counts of its calls are missing");
	return check_stretch(f, &t, &beyond);
}

static int check_tallies(struct fsck *f)
{
	int rc;

	while ((rc = fsck_step(f, FSCK_TALLIES)) == SQLITE_ROW) {
		rc = check_tally(f);
		if (rc != 0) {
			fsck_reset(f, FSCK_TALLIES);
			return rc;
		}
	}
	return rc == SQLITE_DONE ? 0 : rc;
}

/* Rows of accounts that are being removed do not count. */
static int check_numbers(struct fsck *f)
{
	int64_t rows, phones;
	int rc = fsck_step(f, FSCK_LISTED_NUMBERS);

	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? 0 : rc;
	rows = fsck_int(f, FSCK_LISTED_NUMBERS, 0);
	phones = fsck_int(f, FSCK_LISTED_NUMBERS, 1);
	fsck_reset(f, FSCK_LISTED_NUMBERS);
	if (rows != f->listed || f->in_stretches != f->listed)
		fsck_finding(f, "the database",
				"the lists have %lld entries, of which %lld are counted, for calls "
				"that have %lld",
				(long long)rows, (long long)f->in_stretches, (long long)f->listed);
	if (phones != f->listed_phones)
		fsck_finding(f, "the database",
				"the lists of phone numbers have %lld entries for calls that have %lld",
				(long long)phones, (long long)f->listed_phones);
	return 0;
}

int fsck_lists(struct fsck *f)
{
	int rc;

	if (f->is_building) {
		f->sink->note(f->sink->ctx, "the database", "the lists of its calls are not made yet");
		return 0;
	}
	rc = check_tallies(f);
	return rc == 0 ? check_numbers(f) : rc;
}
