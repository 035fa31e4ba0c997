#include <string.h>

#include "base/assert.h"
#include "base/crash_point.h"
#include "store/store_sqlite.h"

/* All of a call goes in one transaction: what is half erased would be a promise half kept, and a call has
 * few deliveries. A version that was replayed to a webhook that had missed it has a wide span, of which only
 * its own rows are touched. */

static const char doing[] = "erase the call";

/* The chain ends where an attempt is gone. Ids descend, which is why the walk ends even where it is a ring.
 */
static int erase_answers(struct store_sqlite *s, int64_t key, int64_t number, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	struct id id = {0}, above;
	bool has_row = true;
	int rc = 0;

	memset(&above, 0xff, sizeof(above));
	while (rc == 0 && has_row && number != 0) {
		sq_bind_int(c, SQ_ERASE_ANSWER, 1, number);
		sq_bind_int(c, SQ_ERASE_ANSWER, 2, key);
		rc = sq_fetch(c, SQ_ERASE_ANSWER, &has_row, doing, err);
		if (rc != 0 || !has_row)
			break;
		if (!sq_id(c, SQ_ERASE_ANSWER, 1, &id) || id_compare(&id, &above) >= 0)
			rc = sq_damaged("a delivery's attempts are out of order", err);
		above = id;
		number = sq_int(c, SQ_ERASE_ANSWER, 0);
		sq_reset(c, SQ_ERASE_ANSWER);
	}
	return rc;
}

static int cancel(struct store_sqlite *s, const struct store_call_erase *q, struct sq_hook *hook, int64_t key,
		enum delivery_state from, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	struct rules_row row = {.state = from};
	int rc;

	CH_ASSERT(hook);
	rules_erase_apply(q->in.now_ms, &row);
	sq_bind_int(c, SQ_ERASE_CANCEL, 1, hook->number);
	sq_bind_int(c, SQ_ERASE_CANCEL, 2, key);
	sq_bind_int(c, SQ_ERASE_CANCEL, 3, (int64_t)row.state);
	sq_bind_int(c, SQ_ERASE_CANCEL, 4, row.finished_ms);
	sq_bind_text(c, SQ_ERASE_CANCEL, 5, row.reason);
	rc = sq_run(c, SQ_ERASE_CANCEL, doing, err);
	return rc == 0 ? sq_hook_move(&s->hooks, hook, from, row.state, 1, err) : rc;
}

/* The row that SQ_ERASE_DELIVERIES stands at. */
static int erase_delivery(struct store_sqlite *s, struct store_call_erase *q, size_t *cap, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	int64_t key = sq_int(c, SQ_ERASE_DELIVERIES, 0), last = sq_int(c, SQ_ERASE_DELIVERIES, 2);
	struct store_canceled ids;
	struct sq_hook *hook = NULL;
	int state = 0, rc;

	if (!sq_enum(c, SQ_ERASE_DELIVERIES, 1, DELIVERY_STATE_COUNT, &state) ||
			!sq_id(c, SQ_ERASE_DELIVERIES, 3, &ids.delivery) ||
			!sq_id(c, SQ_ERASE_DELIVERIES, 4, &ids.webhook))
		return sq_damaged("a delivery has no id or state", err);
	rc = erase_answers(s, key, last, err);
	if (rc != 0 || (state != DELIVERY_PENDING && state != DELIVERY_PARKED))
		return rc;
	rc = sq_hook_get(&s->hooks, c, &ids.webhook, &hook, err);
	if (rc == 0 && hook == NULL)
		rc = sq_damaged("a webhook has no id", err);
	if (rc == 0)
		rc = cancel(s, q, hook, key, (enum delivery_state)state, err);
	if (rc != 0 || state != DELIVERY_PENDING)
		return rc;
	if (sq_grow((void **)&q->out.canceled, cap, q->out.count, sizeof(ids)) != 0)
		return sq_no_memory(err);
	q->out.canceled[q->out.count++] = ids;
	return 0;
}

/* The deliveries of the version that SQ_ERASE_SPANS stands at. */
static int erase_span(struct store_sqlite *s, struct store_call_erase *q, size_t *cap, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	bool has_row = true;
	int rc = 0;

	sq_bind_int(c, SQ_ERASE_DELIVERIES, 1, q->in.account);
	sq_bind_int(c, SQ_ERASE_DELIVERIES, 2, sq_int(c, SQ_ERASE_SPANS, 1));
	sq_bind_int(c, SQ_ERASE_DELIVERIES, 3, sq_int(c, SQ_ERASE_SPANS, 2));
	sq_bind_int(c, SQ_ERASE_DELIVERIES, 4, sq_int(c, SQ_ERASE_SPANS, 0));
	while (rc == 0) {
		rc = sq_fetch(c, SQ_ERASE_DELIVERIES, &has_row, doing, err);
		if (rc != 0 || !has_row)
			break;
		rc = erase_delivery(s, q, cap, err);
	}
	sq_reset(c, SQ_ERASE_DELIVERIES);
	return rc;
}

static int erase_spans(struct store_sqlite *s, struct store_call_erase *q, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	bool has_row = true;
	size_t cap = 0;
	int rc = 0;

	sq_bind_int(c, SQ_ERASE_SPANS, 1, q->in.account);
	sq_bind_id(c, SQ_ERASE_SPANS, 2, &q->in.id);
	while (rc == 0) {
		rc = sq_fetch(c, SQ_ERASE_SPANS, &has_row, doing, err);
		if (rc != 0 || !has_row)
			break;
		rc = erase_span(s, q, &cap, err);
	}
	sq_reset(c, SQ_ERASE_SPANS);
	return rc;
}

struct latest {
	bool is_there, is_erased;
	int64_t n, status;
	struct id agent;
};

static int read_latest(struct store_sqlite *s, const struct store_call_erase *q, struct latest *ret,
		struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	struct latest l = {0};
	int rc;

	sq_bind_int(c, SQ_ERASE_LATEST, 1, q->in.account);
	sq_bind_id(c, SQ_ERASE_LATEST, 2, &q->in.id);
	rc = sq_fetch(c, SQ_ERASE_LATEST, &l.is_there, doing, err);
	if (rc == 0 && l.is_there) {
		l.n = sq_int(c, SQ_ERASE_LATEST, 0);
		l.status = sq_int(c, SQ_ERASE_LATEST, 1);
		l.is_erased = sq_is_erased(c, SQ_ERASE_LATEST, 3);
		if (!sq_is_sane(l.n) || !sq_id(c, SQ_ERASE_LATEST, 2, &l.agent))
			rc = sq_damaged("a call has no version or agent", err);
		sq_reset(c, SQ_ERASE_LATEST);
	}
	if (rc == 0)
		*ret = l;
	return rc;
}

static int write_tombstone(struct store_sqlite *s, const struct store_call_erase *q, const struct latest *l,
		struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	int rc;

	sq_bind_int(c, SQ_CALL_INSERT, 1, s->marks.next_call);
	sq_bind_int(c, SQ_CALL_INSERT, 2, q->in.account);
	sq_bind_id(c, SQ_CALL_INSERT, 3, &q->in.id);
	sq_bind_int(c, SQ_CALL_INSERT, 4, l->n + 1);
	sq_bind_int(c, SQ_CALL_INSERT, 5, l->status);
	sq_bind_id(c, SQ_CALL_INSERT, 6, &l->agent);
	sq_bind_int(c, SQ_CALL_INSERT, 7, q->in.now_ms);
	sq_bind_null(c, SQ_CALL_INSERT, 8);
	sq_bind_null(c, SQ_CALL_INSERT, 9);
	sq_bind_blob(c, SQ_CALL_INSERT, 10, "", 0);
	rc = sq_run(c, SQ_CALL_INSERT, doing, err);
	if (rc == 0)
		s->marks.next_call++;
	return rc;
}

int sq_erase(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	struct store_call_erase *q = &r->u.call_erase;
	struct latest l;
	int rc = read_latest(s, q, &l, err);

	if (rc != 0 || (l.is_there && l.is_erased))
		return rc;
	if (!l.is_there) {
		r->result = ch_err_set(&r->err, CH_ENOENT, "there is no such call");
		return 0;
	}
	s->is_erasing = true;
	rc = sq_exec_text(&s->conn, "PRAGMA secure_delete = ON", doing, err);
	if (rc == 0)
		rc = sq_list_leave_call(s, q->in.account, &q->in.id, err);
	if (rc == 0)
		rc = erase_spans(s, q, err);
	CH_CRASH_POINT(erase_inside);
	sq_bind_int(&s->conn, SQ_ERASE_BODIES, 1, q->in.account);
	sq_bind_id(&s->conn, SQ_ERASE_BODIES, 2, &q->in.id);
	if (rc == 0)
		rc = sq_run(&s->conn, SQ_ERASE_BODIES, doing, err);
	return rc == 0 ? write_tombstone(s, q, &l, err) : rc;
}
