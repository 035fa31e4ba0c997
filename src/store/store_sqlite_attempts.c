#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/store_sqlite.h"

static const char doing_attempt[] = "store the attempt";

/* Between which two links of a delivery's chain an attempt belongs. */
struct place {
	int64_t after; /* number of the attempt with the next greater id; 0: it becomes the last one */
	int64_t previous; /* of the one with the next lesser id; 0: none */
	bool is_written; /* it is there already */
};

static int refuse_unknown(struct store_request *r)
{
	r->result = ch_err_set(&r->err, CH_ENOENT, "there is no such delivery");
	return 0;
}

static int64_t at_of(const struct rules_row *row)
{
	return row->due_ms + row->finished_ms;
}

static int insert(struct store_sqlite *s, struct sq_hook *hook, const struct attempt *a, int64_t key,
		int64_t previous, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	int rc;

	sq_bind_int(c, SQ_ATTEMPT_INSERT, 1, s->marks.next_attempt);
	sq_bind_int(c, SQ_ATTEMPT_INSERT, 2, key);
	sq_bind_int(c, SQ_ATTEMPT_INSERT, 3, previous);
	sq_bind_id(c, SQ_ATTEMPT_INSERT, 4, &a->id);
	sq_bind_int(c, SQ_ATTEMPT_INSERT, 5, a->started_ms);
	sq_bind_int(c, SQ_ATTEMPT_INSERT, 6, (int64_t)a->outcome);
	sq_bind_int(c, SQ_ATTEMPT_INSERT, 7, a->status);
	sq_bind_int(c, SQ_ATTEMPT_INSERT, 8, a->dns_us);
	sq_bind_int(c, SQ_ATTEMPT_INSERT, 9, a->connect_us);
	sq_bind_int(c, SQ_ATTEMPT_INSERT, 10, a->tls_us);
	sq_bind_int(c, SQ_ATTEMPT_INSERT, 11, a->first_byte_us);
	sq_bind_int(c, SQ_ATTEMPT_INSERT, 12, a->total_us);
	sq_bind_blob(c, SQ_ATTEMPT_INSERT, 13, a->address.len > 0 ? a->address.b : NULL, a->address.len);
	sq_bind_text(c, SQ_ATTEMPT_INSERT, 14, a->tls_version[0] != '\0' ? a->tls_version : NULL);
	sq_bind_int(c, SQ_ATTEMPT_INSERT, 15, a->cert_end_s);
	sq_bind_text(c, SQ_ATTEMPT_INSERT, 16, a->detail);
	sq_bind_text(c, SQ_ATTEMPT_INSERT, 17, a->location);
	sq_bind_text(c, SQ_ATTEMPT_INSERT, 18, a->request_headers);
	sq_bind_blob(c, SQ_ATTEMPT_INSERT, 19, a->answer, a->answer_len);
	rc = sq_run(c, SQ_ATTEMPT_INSERT, doing_attempt, err);
	if (rc != 0)
		return rc;
	s->marks.next_attempt++;
	return sq_history_note(s, hook, a, err);
}

static void note(struct store_sqlite *s, struct sq_hook *hook, const struct store_attempt *q)
{
	struct rules_receiver receiver = hook->receiver;

	if (rules_receiver_note(q, &receiver))
		sq_hook_set_receiver(&s->hooks, hook, &receiver);
}

/* The first attempt at a PENDING delivery is by far the most common: one statement both asks whether it
 * is that and writes what it makes of it. */
static int first_try(struct store_sqlite *s, struct sq_hook *hook, struct store_attempt *q, int64_t key,
		bool *ret_done, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	struct rules_row row = {.state = DELIVERY_PENDING, .round = q->in.round};
	int rc;

	rules_attempt_apply(q, &row);
	sq_bind_int(c, SQ_DELIVERY_FIRST_TRY, 1, hook->number);
	sq_bind_int(c, SQ_DELIVERY_FIRST_TRY, 2, key);
	sq_bind_id(c, SQ_DELIVERY_FIRST_TRY, 3, &q->in.attempt.delivery_id);
	sq_bind_int(c, SQ_DELIVERY_FIRST_TRY, 4, (int64_t)row.state);
	sq_bind_int(c, SQ_DELIVERY_FIRST_TRY, 5, row.tries);
	sq_bind_int(c, SQ_DELIVERY_FIRST_TRY, 6, s->marks.next_attempt);
	sq_bind_int(c, SQ_DELIVERY_FIRST_TRY, 7, at_of(&row));
	sq_bind_text(c, SQ_DELIVERY_FIRST_TRY, 8, row.reason);
	sq_bind_int(c, SQ_DELIVERY_FIRST_TRY, 9, q->in.round);
	rc = sq_run(c, SQ_DELIVERY_FIRST_TRY, doing_attempt, err);
	if (rc != 0)
		return rc;
	*ret_done = sqlite3_changes(c->db) == 1;
	if (!*ret_done)
		return 0;
	q->out.state = row.state;
	note(s, hook, q);
	rc = sq_hook_move(&s->hooks, hook, DELIVERY_PENDING, row.state, 1, err);
	return rc == 0 ? insert(s, hook, &q->in.attempt, key, 0, err) : rc;
}

struct found {
	struct rules_row row; /* reason is owned */
	char *reason;
	int64_t last_attempt;
};

static void set_times(struct rules_row *row, int64_t at_ms)
{
	if (row->state == DELIVERY_PENDING)
		row->due_ms = at_ms;
	else if (row->state != DELIVERY_PARKED)
		row->finished_ms = at_ms;
}

static int read_found(struct sq_conn *c, struct found *ret, struct ch_err *err)
{
	struct found f = {0};
	int state = 0;

	if (!sq_enum(c, SQ_DELIVERY_FIND, 1, DELIVERY_STATE_COUNT, &state) || state == DELIVERY_DELIVERING ||
			!sq_enum(c, SQ_DELIVERY_FIND, 2, INT_MAX, &f.row.tries) ||
			!sq_enum(c, SQ_DELIVERY_FIND, 3, INT_MAX, &f.row.attempts) ||
			!sq_enum(c, SQ_DELIVERY_FIND, 7, INT_MAX, &f.row.round))
		return sq_damaged("a delivery has no state", err);
	if (sq_text(c, SQ_DELIVERY_FIND, 6, &f.reason) != 0)
		return sq_no_memory(err);
	f.row.state = (enum delivery_state)state;
	f.row.was_delivered = state == DELIVERY_DELIVERED || sq_int(c, SQ_DELIVERY_FIND, 8) != 0;
	f.row.reason = f.reason;
	f.row.is_erased = sq_int(c, SQ_DELIVERY_FIND, 9) != 0;
	f.last_attempt = sq_int(c, SQ_DELIVERY_FIND, 4);
	set_times(&f.row, sq_int(c, SQ_DELIVERY_FIND, 5));
	*ret = f;
	return 0;
}

static int find(struct store_sqlite *s, const struct sq_hook *hook, const struct store_attempt *q,
		int64_t key, bool *ret_has, struct found *ret, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	bool has_row = false;
	struct id id;
	int rc;

	sq_bind_int(c, SQ_DELIVERY_FIND, 1, hook->number);
	sq_bind_int(c, SQ_DELIVERY_FIND, 2, key);
	rc = sq_fetch(c, SQ_DELIVERY_FIND, &has_row, doing_attempt, err);
	if (rc != 0)
		return rc;
	if (has_row && !sq_id(c, SQ_DELIVERY_FIND, 0, &id))
		rc = sq_damaged("a delivery has no id", err);
	else if (has_row && !id_equal(&id, &q->in.attempt.delivery_id))
		has_row = false;
	else if (has_row)
		rc = read_found(c, ret, err);
	sq_reset(c, SQ_DELIVERY_FIND);
	if (rc == 0)
		*ret_has = has_row;
	return rc;
}

static int read_link(struct sq_conn *c, int64_t number, int64_t key, bool *ret_has, struct id *ret_id,
		int64_t *ret_previous, struct ch_err *err)
{
	int rc;

	sq_bind_int(c, SQ_ATTEMPT_LINK, 1, number);
	sq_bind_int(c, SQ_ATTEMPT_LINK, 2, key);
	rc = sq_fetch(c, SQ_ATTEMPT_LINK, ret_has, doing_attempt, err);
	if (rc != 0 || !*ret_has)
		return rc;
	if (!sq_id(c, SQ_ATTEMPT_LINK, 0, ret_id))
		rc = sq_damaged("an attempt has no id", err);
	*ret_previous = sq_int(c, SQ_ATTEMPT_LINK, 1);
	sq_reset(c, SQ_ATTEMPT_LINK);
	return rc;
}

/* Ids descend along the chain and attempts come in the order of their ids, nearly always: one look at the
 * last one tells whether this is new. */
static int find_place(struct store_sqlite *s, const struct attempt *a, int64_t key, int64_t last,
		struct place *ret, struct ch_err *err)
{
	struct place p = {.previous = last};
	struct id id, above;

	memset(&above, 0xff, sizeof(above));
	while (p.previous != 0) {
		bool has_row = false;
		int64_t next = 0;
		int rc = read_link(&s->conn, p.previous, key, &has_row, &id, &next, err);

		if (rc != 0)
			return rc;
		if (!has_row || id_compare(&id, &a->id) < 0)
			break;
		if (id_equal(&id, &a->id)) {
			p.is_written = true;
			break;
		}
		if (id_compare(&id, &above) >= 0)
			return sq_damaged("a delivery's attempts are out of order", err);
		above = id;
		p.after = p.previous;
		p.previous = next;
	}
	*ret = p;
	return 0;
}

static int set_row(struct store_sqlite *s, const struct sq_hook *hook, int64_t key,
		const struct rules_row *row, int64_t last_attempt, struct ch_err *err)
{
	struct sq_conn *c = &s->conn;

	sq_bind_int(c, SQ_DELIVERY_SET, 1, hook->number);
	sq_bind_int(c, SQ_DELIVERY_SET, 2, key);
	sq_bind_int(c, SQ_DELIVERY_SET, 3, (int64_t)row->state);
	sq_bind_int(c, SQ_DELIVERY_SET, 4, row->tries);
	sq_bind_int(c, SQ_DELIVERY_SET, 5, row->attempts);
	sq_bind_int(c, SQ_DELIVERY_SET, 6, last_attempt);
	sq_bind_int(c, SQ_DELIVERY_SET, 7, at_of(row));
	sq_bind_text(c, SQ_DELIVERY_SET, 8, row->reason);
	return sq_run(c, SQ_DELIVERY_SET, doing_attempt, err);
}

static int relink(struct store_sqlite *s, int64_t after, int64_t number, struct ch_err *err)
{
	sq_bind_int(&s->conn, SQ_ATTEMPT_RELINK, 1, after);
	sq_bind_int(&s->conn, SQ_ATTEMPT_RELINK, 2, number);
	return sq_run(&s->conn, SQ_ATTEMPT_RELINK, doing_attempt, err);
}

static int later_try(struct store_sqlite *s, struct sq_hook *hook, struct store_attempt *q, int64_t key,
		const struct found *f, struct ch_err *err)
{
	struct rules_row row = f->row;
	int64_t number = s->marks.next_attempt, last = f->last_attempt;
	struct place p = {0};
	int rc = find_place(s, &q->in.attempt, key, f->last_attempt, &p, err);

	q->out.state = row.state;
	if (rc != 0 || p.is_written)
		return rc;
	rules_attempt_apply(q, &row);
	if (row.is_erased)
		rules_attempt_strip(&q->in.attempt);
	note(s, hook, q);
	q->out.state = row.state;
	if (p.after == 0)
		last = number;
	else
		rc = relink(s, p.after, number, err);
	if (rc == 0)
		rc = insert(s, hook, &q->in.attempt, key, p.previous, err);
	if (rc == 0)
		rc = set_row(s, hook, key, &row, last, err);
	return rc == 0 ? sq_hook_move(&s->hooks, hook, f->row.state, row.state, 1, err) : rc;
}

static int attempt(struct store_sqlite *s, struct sq_hook *hook, struct store_request *r, struct ch_err *err)
{
	struct store_attempt *q = &r->u.attempt;
	int64_t key = sq_key_of(&q->in.attempt.delivery_id);
	struct found f = {0};
	bool is_done = false, has_row = false;
	int rc;

	rc = first_try(s, hook, q, key, &is_done, err);
	if (rc != 0 || is_done)
		return rc;
	rc = find(s, hook, q, key, &has_row, &f, err);
	if (rc != 0)
		return rc;
	if (!has_row)
		return refuse_unknown(r);
	rc = later_try(s, hook, q, key, &f, err);
	ch_free(f.reason);
	return rc;
}

int sq_attempt(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	struct store_attempt *q = &r->u.attempt;
	struct sq_hook *hook = NULL;
	int64_t failed;
	int rc = sq_hook_get(&s->hooks, &s->conn, &q->in.webhook_id, &hook, err);

	if (rc != 0)
		return rc;
	if (hook == NULL || hook->account != q->in.account)
		return refuse_unknown(r);
	failed = hook->counts.failed;
	rc = attempt(s, hook, r, err);
	if (rc == 0 && hook->counts.failed > failed)
		rc = sq_event_failed(s, r, hook, sq_key_of(&q->in.attempt.delivery_id), err);
	if (rc != 0 || r->result != 0)
		return rc;
	q->out.pending = hook->counts.pending;
	q->out.is_hopeless = rules_receiver_is_hopeless(q, hook->settings, &hook->receiver);
	return 0;
}
