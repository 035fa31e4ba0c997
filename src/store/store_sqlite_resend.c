#include "base/alloc.h"
#include "store/store_sqlite.h"

static const char doing_resend[] = "store the resend";

static int refuse_unknown(struct store_request *r)
{
	r->result = ch_err_set(&r->err, CH_ENOENT, "there is no such delivery");
	return 0;
}

/* *ret NULL: there is no such delivery. */
static int find_hook(struct store_sqlite *s, const struct store_resend *q, struct sq_hook **ret,
		struct ch_err *err)
{
	struct sq_conn *c = &s->conn;
	bool has_row = false;
	struct id webhook;
	int rc;

	sq_bind_int(c, SQ_DELIVERY_PLACE, 1, q->in.account);
	sq_bind_int(c, SQ_DELIVERY_PLACE, 2, sq_key_of(&q->in.id));
	sq_bind_id(c, SQ_DELIVERY_PLACE, 3, &q->in.id);
	rc = sq_fetch(c, SQ_DELIVERY_PLACE, &has_row, doing_resend, err);
	*ret = NULL;
	if (rc != 0 || !has_row)
		return rc;
	has_row = sq_id(c, SQ_DELIVERY_PLACE, 1, &webhook);
	sq_reset(c, SQ_DELIVERY_PLACE);
	rc = has_row ? sq_hook_get(&s->hooks, c, &webhook, ret, err) : 0;
	return rc == 0 && *ret == NULL ? sq_damaged("a webhook has no id", err) : rc;
}

static int write_row(struct sq_conn *c, int64_t webhook, int64_t key, const struct rules_row *row,
		struct ch_err *err)
{
	sq_bind_int(c, SQ_DELIVERY_RESEND, 1, webhook);
	sq_bind_int(c, SQ_DELIVERY_RESEND, 2, key);
	sq_bind_int(c, SQ_DELIVERY_RESEND, 3, (int64_t)row->state);
	sq_bind_int(c, SQ_DELIVERY_RESEND, 4, row->round);
	sq_bind_int(c, SQ_DELIVERY_RESEND, 5, row->was_delivered);
	sq_bind_int(c, SQ_DELIVERY_RESEND, 6, row->tries);
	sq_bind_int(c, SQ_DELIVERY_RESEND, 7, row->due_ms);
	sq_bind_text(c, SQ_DELIVERY_RESEND, 8, row->reason);
	return sq_run(c, SQ_DELIVERY_RESEND, doing_resend, err);
}

/* d is as it was; what out gets is read again, so that it is what the row says. */
static int resend(struct store_sqlite *s, struct store_request *r, struct sq_hook *hook,
		const struct delivery *d, struct ch_err *err)
{
	static const struct webhook deleted = {.deleted = true};
	struct store_resend *q = &r->u.resend;
	int64_t key = sq_key_of(&q->in.id);
	struct rules_row row = {
			.state = d->state,
			.round = d->round,
			.was_delivered = d->was_delivered,
			.tries = d->tries,
			.attempts = d->attempts,
			.due_ms = d->due_ms,
			.finished_ms = d->finished_ms,
			.reason = d->reason,
			.is_erased = d->is_erased,
	};
	int rc;

	r->result = rules_resend_apply(
			hook->settings == NULL ? &deleted : hook->settings, q->in.now_ms, &row, &r->err);
	if (r->result != 0)
		return 0;
	rc = write_row(&s->conn, hook->number, key, &row, err);
	if (rc == 0)
		rc = sq_hook_move(&s->hooks, hook, d->state, row.state, 1, err);
	if (rc == 0)
		rc = sq_delivery_row(&s->conn, hook->number, key, false, &q->out.delivery, NULL, err);
	if (rc != 0)
		return rc;
	q->out.news = ch_calloc(1, sizeof(struct delivery));
	if (q->out.news == NULL)
		return sq_no_memory(err);
	return sq_delivery_row(&s->conn, hook->number, key, true, q->out.news, NULL, err);
}

int sq_resend(struct store_sqlite *s, struct store_request *r, struct ch_err *err)
{
	struct sq_hook *hook = NULL;
	struct delivery d = {0};
	int rc = find_hook(s, &r->u.resend, &hook, err);

	if (rc != 0)
		return rc;
	if (hook == NULL)
		return refuse_unknown(r);
	rc = sq_delivery_row(&s->conn, hook->number, sq_key_of(&r->u.resend.in.id), false, &d, NULL, err);
	if (rc != 0)
		return rc;
	rc = resend(s, r, hook, &d, err);
	delivery_fini(&d);
	return rc;
}
