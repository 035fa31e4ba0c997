#include <limits.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/store_sqlite.h"

#define FEED_MAX 100
/* Attempts looked at by one read, other accounts' too. */
#define LOOK_MAX 500

static const char doing_feed[] = "read the attempts";

static int read_end(struct sq_conn *c, int64_t *ret, struct ch_err *err)
{
	bool has_row = false;
	int rc = sq_fetch(c, SQ_MARKS, &has_row, doing_feed, err);

	if (rc != 0)
		return rc;
	if (!has_row)
		return sq_damaged("its marks are missing", err);
	*ret = sq_int(c, SQ_MARKS, 1);
	sq_reset(c, SQ_MARKS);
	return sq_is_sane(*ret) ? 0 : sq_damaged("its marks are missing", err);
}

static int read_bound(struct sq_conn *c, struct store_attempt_feed *q, int64_t *ret, struct ch_err *err)
{
	bool has_row = false;
	int rc;

	sq_bind_int(c, SQ_FEED_BOUND, 1, q->in.after);
	sq_bind_int(c, SQ_FEED_BOUND, 2, LOOK_MAX);
	rc = sq_fetch(c, SQ_FEED_BOUND, &has_row, doing_feed, err);
	if (rc != 0)
		return rc;
	CH_ASSERT(has_row);
	*ret = sq_int(c, SQ_FEED_BOUND, 0);
	q->out.more = sq_int(c, SQ_FEED_BOUND, 1) == LOOK_MAX;
	sq_reset(c, SQ_FEED_BOUND);
	return 0;
}

static int read_row(struct sq_conn *c, struct store_attempt_row *ret, struct ch_err *err)
{
	struct store_attempt_row row = {
			.number = sq_int(c, SQ_FEED_ROWS, 0),
			.started_ms = sq_int(c, SQ_FEED_ROWS, 5),
			.total_us = (int32_t)sq_int(c, SQ_FEED_ROWS, 8),
	};
	int outcome = 0, state = 0;

	if (!sq_id(c, SQ_FEED_ROWS, 1, &row.id) || !sq_id(c, SQ_FEED_ROWS, 2, &row.delivery_id) ||
			!sq_id(c, SQ_FEED_ROWS, 3, &row.webhook_id) ||
			!sq_id(c, SQ_FEED_ROWS, 4, &row.call_id) ||
			!sq_enum(c, SQ_FEED_ROWS, 6, ATTEMPT_OUTCOME_COUNT, &outcome) ||
			!sq_enum(c, SQ_FEED_ROWS, 7, INT_MAX, &row.status) ||
			!sq_enum(c, SQ_FEED_ROWS, 9, DELIVERY_STATE_COUNT, &state) ||
			state == DELIVERY_DELIVERING)
		return sq_damaged("an attempt can't be", err);
	row.outcome = (enum attempt_outcome)outcome;
	row.state = (enum delivery_state)state;
	*ret = row;
	return 0;
}

static int read_rows(struct sq_conn *c, struct store_attempt_feed *q, int64_t bound, struct ch_err *err)
{
	bool has_row = true;
	int rc = 0;

	sq_bind_int(c, SQ_FEED_ROWS, 1, q->in.after);
	sq_bind_int(c, SQ_FEED_ROWS, 2, bound);
	sq_bind_int(c, SQ_FEED_ROWS, 3, q->in.account);
	if (q->in.has_webhook)
		sq_bind_id(c, SQ_FEED_ROWS, 4, &q->in.webhook_id);
	else
		sq_bind_null(c, SQ_FEED_ROWS, 4);
	sq_bind_int(c, SQ_FEED_ROWS, 5, (int64_t)q->in.limit);
	while (rc == 0) {
		rc = sq_fetch(c, SQ_FEED_ROWS, &has_row, doing_feed, err);
		if (rc != 0 || !has_row)
			break;
		rc = read_row(c, &q->out.rows[q->out.count], err);
		q->out.count += rc == 0;
	}
	sq_reset(c, SQ_FEED_ROWS);
	return rc;
}

int sq_attempt_feed(struct sq_conn *c, struct store_attempt_feed *q, struct ch_err *err)
{
	int64_t bound = 0;
	int rc = read_end(c, &q->out.end, err);

	CH_ASSERT(q->in.limit >= 1 && q->in.limit <= FEED_MAX);
	q->out.last = q->in.after < 0 ? q->out.end : q->in.after;
	if (rc == 0 && q->in.after >= 0)
		rc = read_bound(c, q, &bound, err);
	if (rc != 0 || bound == 0)
		return rc;
	q->out.rows = ch_calloc(q->in.limit, sizeof(*q->out.rows));
	if (q->out.rows == NULL)
		return sq_no_memory(err);
	rc = read_rows(c, q, bound, err);
	if (rc != 0)
		return rc;
	q->out.last = bound;
	if (q->out.count == q->in.limit) {
		q->out.last = q->out.rows[q->out.count - 1].number;
		q->out.more |= q->out.last < bound;
	}
	return 0;
}

/* ---- versions of finished calls ---- */

/* Versions looked at by one read: a run of those that an erasing has emptied gives no rows. */
#define VERSIONS_LOOK_MAX 500

static const char doing_versions[] = "read the calls";

int sq_name_store(struct store_sqlite *s, struct ch_err *err)
{
	struct ch_rand rand = ch_rand_stock_of(&s->rand);
	struct id id;

	ch_rand_fill(&rand, id.b, sizeof(id.b));
	sq_bind_id(&s->conn, SQ_STORE_NAME, 1, &id);
	return sq_run(&s->conn, SQ_STORE_NAME, "name the store", err);
}

static int read_feed_marks(
		struct sq_conn *c, struct store_call_feed *q, int64_t *ret_purged, struct ch_err *err)
{
	bool has_row = false;
	int64_t end = 0;
	int rc;

	sq_bind_int(c, SQ_CALL_FEED_MARKS, 1, q->in.account);
	rc = sq_fetch(c, SQ_CALL_FEED_MARKS, &has_row, doing_versions, err);
	if (rc != 0)
		return rc;
	if (!has_row)
		return sq_damaged("its marks are missing", err);
	end = sq_int(c, SQ_CALL_FEED_MARKS, 0);
	*ret_purged = sq_int(c, SQ_CALL_FEED_MARKS, 1);
	if (!sq_is_sane(end) || !sq_is_sane(*ret_purged) ||
			!sq_id(c, SQ_CALL_FEED_MARKS, 2, &q->out.store_id))
		rc = sq_damaged("its marks are missing", err);
	sq_reset(c, SQ_CALL_FEED_MARKS);
	q->out.is_purged = q->in.after >= 0 && q->in.after < *ret_purged;
	q->out.is_beyond = q->in.after > end;
	return rc;
}

static int read_version(struct sq_conn *c, struct store_version_row *ret, struct ch_err *err)
{
	struct store_version_row row = {
			.seq = sq_int(c, SQ_CALL_FEED, 0),
			.version = sq_int(c, SQ_CALL_FEED, 2),
			.accepted_ms = sq_int(c, SQ_CALL_FEED, 3),
	};
	int rc = 0;

	if (!sq_id(c, SQ_CALL_FEED, 1, &row.call_id) || !sq_is_sane(row.version))
		return sq_damaged("a call has no id or version", err);
	if (!sq_is_erased(c, SQ_CALL_FEED, 4))
		rc = sq_body(c, SQ_CALL_FEED, 4, &row.body, err);
	if (rc == 0)
		*ret = row;
	return rc;
}

static int read_versions(struct sq_conn *c, struct store_call_feed *q, struct ch_err *err)
{
	size_t looked = 0, bytes = 0;
	int rc = 0;

	for (;;) {
		bool has_row = false;

		rc = sq_fetch(c, SQ_CALL_FEED, &has_row, doing_versions, err);
		if (rc != 0 || !has_row)
			break;
		q->out.more = q->out.count == q->in.limit || looked++ == VERSIONS_LOOK_MAX ||
			      (q->out.count > 0 && bytes >= q->in.max_bytes);
		if (q->out.more)
			break;
		if (sq_int(c, SQ_CALL_FEED, 5) == 0) {
			struct store_version_row *row = &q->out.rows[q->out.count];
			rc = read_version(c, row, err);
			if (rc != 0)
				break;
			q->out.count++;
			bytes += row->body ? row->body->len : 0;
		}
		q->out.last = sq_int(c, SQ_CALL_FEED, 0);
	}
	sq_reset(c, SQ_CALL_FEED);
	return rc;
}

static int read_last(struct sq_conn *c, struct store_call_feed *q, struct ch_err *err)
{
	bool has_row = false;
	int rc;

	sq_bind_int(c, SQ_CALL_FEED_END, 1, q->in.account);
	rc = sq_fetch(c, SQ_CALL_FEED_END, &has_row, doing_versions, err);
	if (rc != 0 || !has_row)
		return rc;
	if (sq_int(c, SQ_CALL_FEED_END, 0) > q->out.last)
		q->out.last = sq_int(c, SQ_CALL_FEED_END, 0);
	sq_reset(c, SQ_CALL_FEED_END);
	return 0;
}

int sq_call_feed(struct sq_conn *c, struct store_call_feed *q, struct ch_err *err)
{
	int64_t purged = 0;
	int rc = read_feed_marks(c, q, &purged, err);

	CH_ASSERT(q->in.limit >= 1 && q->in.limit <= FEED_MAX);
	q->out.last = q->in.after < 0 ? purged : q->in.after;
	if (rc != 0 || q->out.is_purged || q->out.is_beyond)
		return rc;
	if (q->in.after == STORE_FEED_END)
		return read_last(c, q, err);
	q->out.rows = ch_calloc(q->in.limit, sizeof(*q->out.rows));
	if (q->out.rows == NULL)
		return sq_no_memory(err);
	sq_bind_int(c, SQ_CALL_FEED, 1, q->in.account);
	sq_bind_int(c, SQ_CALL_FEED, 2, q->out.last);
	return read_versions(c, q, err);
}
