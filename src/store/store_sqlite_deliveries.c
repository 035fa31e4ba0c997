#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "store/store_sqlite.h"

static const char doing_deliveries[] = "read the deliveries";

int64_t sq_key_of(const struct id *id)
{
	uint64_t key = 0;

	for (int i = 0; i < 6; i++)
		key = key << 8 | id->b[i];
	return (int64_t)(key << 12 | (uint64_t)(id->b[6] & 0x0f) << 8 | id->b[7]);
}

static int read_columns(struct sq_conn *c, struct delivery *d)
{
	int state = 0, status = 0;

	if (!sq_id(c, SQ_DELIVERY_ROW, 0, &d->id) || !sq_id(c, SQ_DELIVERY_ROW, 2, &d->webhook_id) ||
			!sq_id(c, SQ_DELIVERY_ROW, 3, &d->call_id) ||
			!sq_enum(c, SQ_DELIVERY_ROW, 5, CALL_STATUS_COUNT, &status) ||
			!sq_enum(c, SQ_DELIVERY_ROW, 6, DELIVERY_STATE_COUNT, &state) ||
			state == DELIVERY_DELIVERING || !sq_enum(c, SQ_DELIVERY_ROW, 7, INT_MAX, &d->tries) ||
			!sq_enum(c, SQ_DELIVERY_ROW, 8, INT_MAX, &d->attempts) ||
			!sq_enum(c, SQ_DELIVERY_ROW, 14, INT_MAX, &d->round))
		return CH_EDAMAGED;
	d->account = sq_int(c, SQ_DELIVERY_ROW, 1);
	d->version = sq_int(c, SQ_DELIVERY_ROW, 4);
	d->call_status = (enum call_status)status;
	d->state = (enum delivery_state)state;
	d->was_delivered = d->state == DELIVERY_DELIVERED || sq_int(c, SQ_DELIVERY_ROW, 15) != 0;
	d->is_erased = sq_int(c, SQ_DELIVERY_ROW, 16) != 0;
	d->created_ms = sq_int(c, SQ_DELIVERY_ROW, 9);
	if (d->state == DELIVERY_PENDING)
		d->due_ms = sq_int(c, SQ_DELIVERY_ROW, 10);
	else if (d->state != DELIVERY_PARKED)
		d->finished_ms = sq_int(c, SQ_DELIVERY_ROW, 10);
	return sq_text(c, SQ_DELIVERY_ROW, 11, &d->reason);
}

int sq_delivery_row(struct sq_conn *c, int64_t webhook, int64_t key, bool with_body, struct delivery *ret,
		int64_t *ret_last_attempt, struct ch_err *err)
{
	struct delivery d = {0};
	bool has_row = false;
	int rc;

	sq_bind_int(c, SQ_DELIVERY_ROW, 1, webhook);
	sq_bind_int(c, SQ_DELIVERY_ROW, 2, key);
	rc = sq_fetch(c, SQ_DELIVERY_ROW, &has_row, doing_deliveries, err);
	if (rc != 0)
		return rc;
	if (!has_row)
		return sq_damaged("a delivery or its call is missing", err);
	rc = read_columns(c, &d);
	if (rc == CH_ENOMEM)
		rc = sq_no_memory(err);
	else if (rc != 0)
		rc = sq_damaged("a delivery can't be read", err);
	else if (with_body)
		rc = sq_body(c, SQ_DELIVERY_ROW, 13, &d.body, err);
	if (rc == 0 && ret_last_attempt != NULL)
		*ret_last_attempt = sq_int(c, SQ_DELIVERY_ROW, 12);
	sq_reset(c, SQ_DELIVERY_ROW);
	if (rc == 0)
		*ret = d;
	else
		delivery_fini(&d);
	return rc;
}

/* attempts */

static int read_fixed(struct sq_conn *c, struct attempt *a)
{
	const void *address = sqlite3_column_blob(c->stmts[SQ_ATTEMPT_READ], 10);
	int address_len = sqlite3_column_bytes(c->stmts[SQ_ATTEMPT_READ], 10);
	const unsigned char *tls = sqlite3_column_text(c->stmts[SQ_ATTEMPT_READ], 11);
	int tls_len = sqlite3_column_bytes(c->stmts[SQ_ATTEMPT_READ], 11);
	int outcome = 0;

	if (!sq_id(c, SQ_ATTEMPT_READ, 1, &a->id) ||
			!sq_enum(c, SQ_ATTEMPT_READ, 3, ATTEMPT_OUTCOME_COUNT, &outcome) ||
			(address_len != 0 && address_len != 4 && address_len != 16) ||
			tls_len >= (int)sizeof(a->tls_version))
		return CH_EDAMAGED;
	a->started_ms = sq_int(c, SQ_ATTEMPT_READ, 2);
	a->outcome = (enum attempt_outcome)outcome;
	a->status = (int)sq_int(c, SQ_ATTEMPT_READ, 4);
	a->dns_us = (int32_t)sq_int(c, SQ_ATTEMPT_READ, 5);
	a->connect_us = (int32_t)sq_int(c, SQ_ATTEMPT_READ, 6);
	a->tls_us = (int32_t)sq_int(c, SQ_ATTEMPT_READ, 7);
	a->first_byte_us = (int32_t)sq_int(c, SQ_ATTEMPT_READ, 8);
	a->total_us = (int32_t)sq_int(c, SQ_ATTEMPT_READ, 9);
	if (address != NULL)
		memcpy(a->address.b, address, (size_t)address_len);
	a->address.len = address == NULL ? 0 : (uint8_t)address_len;
	if (tls != NULL)
		memcpy(a->tls_version, tls, (size_t)tls_len);
	a->cert_end_s = sq_int(c, SQ_ATTEMPT_READ, 12);
	a->retry_after_s = -1;
	return 0;
}

static int read_answer(struct sq_conn *c, struct attempt *a)
{
	sqlite3_stmt *st = c->stmts[SQ_ATTEMPT_READ];

	if (sqlite3_column_type(st, 16) == SQLITE_NULL)
		return 0;
	a->answer_len = (size_t)sqlite3_column_bytes(st, 16);
	a->answer = ch_memdup0(sqlite3_column_blob(st, 16), a->answer_len);
	return a->answer == NULL ? CH_ENOMEM : 0;
}

static int read_attempt(struct sq_conn *c, struct attempt *ret)
{
	struct attempt a = {0};
	int rc = read_fixed(c, &a);

	if (rc == 0)
		rc = sq_text(c, SQ_ATTEMPT_READ, 13, &a.detail);
	if (rc == 0)
		rc = sq_text(c, SQ_ATTEMPT_READ, 14, &a.location);
	if (rc == 0)
		rc = sq_text(c, SQ_ATTEMPT_READ, 15, &a.request_headers);
	if (rc == 0)
		rc = read_answer(c, &a);
	if (rc == 0)
		*ret = a;
	else
		attempt_fini(&a);
	return rc;
}

/* One link of the chain; *number becomes the next one's, 0 at the end. */
static int read_link(struct sq_conn *c, struct store_delivery_get *q, size_t *cap, int64_t *number,
		struct ch_err *err)
{
	struct attempt a;
	bool has_row = false;
	int rc;

	sq_bind_int(c, SQ_ATTEMPT_READ, 1, *number);
	sq_bind_int(c, SQ_ATTEMPT_READ, 2, sq_key_of(&q->in.id));
	rc = sq_fetch(c, SQ_ATTEMPT_READ, &has_row, "read the attempts", err);
	if (rc != 0)
		return rc;
	if (!has_row) {
		*number = 0;
		return 0;
	}
	if (sq_grow((void **)&q->out.attempts, cap, q->out.attempt_count, sizeof(a)) != 0)
		rc = CH_ENOMEM;
	else
		rc = read_attempt(c, &a);
	*number = sq_int(c, SQ_ATTEMPT_READ, 0);
	sq_reset(c, SQ_ATTEMPT_READ);
	if (rc != 0)
		return rc == CH_ENOMEM ? sq_no_memory(err) : sq_damaged("an attempt can't be read", err);
	a.delivery_id = q->in.id;
	q->out.attempts[q->out.attempt_count++] = a;
	size_t n = q->out.attempt_count;
	if (n > 1 && id_compare(&q->out.attempts[n - 2].id, &a.id) <= 0)
		return sq_damaged("a delivery's attempts are out of order", err);
	return 0;
}

static void reverse(struct attempt *attempts, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct attempt a = attempts[i];

		attempts[i] = attempts[count - 1 - i];
		attempts[count - 1 - i] = a;
	}
}

static int find_place(struct sq_conn *c, const struct store_delivery_get *q, int64_t *ret_webhook,
		struct ch_err *err)
{
	bool has_row = false;
	int rc;

	sq_bind_int(c, SQ_DELIVERY_PLACE, 1, q->in.account);
	sq_bind_int(c, SQ_DELIVERY_PLACE, 2, sq_key_of(&q->in.id));
	sq_bind_id(c, SQ_DELIVERY_PLACE, 3, &q->in.id);
	rc = sq_fetch(c, SQ_DELIVERY_PLACE, &has_row, doing_deliveries, err);
	if (rc != 0)
		return rc;
	if (!has_row)
		return ch_err_set(err, CH_ENOENT, "there is no such delivery");
	*ret_webhook = sq_int(c, SQ_DELIVERY_PLACE, 0);
	sq_reset(c, SQ_DELIVERY_PLACE);
	return 0;
}

/* A record without bytes is damage to those who would send it, but not here, when it was erased. */
static int add_body(struct sq_conn *c, struct store_delivery_get *q, int64_t webhook, struct ch_err *err)
{
	struct delivery d;
	int rc;

	if (q->out.delivery.is_erased)
		return ch_err_set(err, CH_EGONE, "%s", rules_erased);
	rc = sq_delivery_row(c, webhook, sq_key_of(&q->in.id), true, &d, NULL, err);
	if (rc != 0)
		return rc;
	delivery_fini(&q->out.delivery);
	q->out.delivery = d;
	return 0;
}

static int read_digest(struct sq_conn *c, struct store_delivery_get *q, int64_t webhook, struct ch_err *err)
{
	sqlite3_stmt *st = c->stmts[SQ_DELIVERY_BYTES];
	bool has_row = false;
	int rc;

	sq_bind_int(c, SQ_DELIVERY_BYTES, 1, webhook);
	sq_bind_int(c, SQ_DELIVERY_BYTES, 2, sq_key_of(&q->in.id));
	rc = sq_fetch(c, SQ_DELIVERY_BYTES, &has_row, doing_deliveries, err);
	if (rc != 0 || !has_row)
		return rc;
	const void *body = sqlite3_column_blob(st, 0), *digest = sqlite3_column_blob(st, 1);
	bool is_kept = digest != NULL && sqlite3_column_bytes(st, 1) == CH_SHA256_BYTES;
	if (body != NULL)
		ch_sha256(body, (size_t)sqlite3_column_bytes(st, 0), q->out.body_sha256);
	else if (is_kept)
		memcpy(q->out.body_sha256, digest, CH_SHA256_BYTES);
	else if (sqlite3_errcode(c->db) == SQLITE_NOMEM)
		rc = sq_no_memory(err);
	q->out.has_digest = rc == 0 && (body != NULL || is_kept);
	sq_reset(c, SQ_DELIVERY_BYTES);
	return rc;
}

int sq_delivery_get(struct sq_conn *c, struct store_delivery_get *q, struct ch_err *err)
{
	int64_t webhook = 0, number = 0;
	size_t cap = 0;
	int rc = find_place(c, q, &webhook, err);

	if (rc == 0)
		rc = sq_delivery_row(c, webhook, sq_key_of(&q->in.id), false, &q->out.delivery, &number, err);
	if (rc == 0 && q->in.with_body)
		rc = add_body(c, q, webhook, err);
	if (rc == 0)
		rc = read_digest(c, q, webhook, err);
	while (rc == 0 && number != 0 && q->out.attempt_count < q->in.attempt_limit)
		rc = read_link(c, q, &cap, &number, err);
	reverse(q->out.attempts, q->out.attempt_count);
	return rc;
}

/* claims */

static int compare_key(const void *key, const void *id)
{
	int64_t a = *(const int64_t *)key, b = sq_key_of(id);

	return a < b ? -1 : a > b;
}

/* By key alone, so that the index is enough to pass a row over. Ids of deliveries are of one generator,
 * and their keys differ as they do. */
static bool is_skipped(const struct store_claim *q, int64_t key)
{
	return q->in.skip_count > 0 &&
	       bsearch(&key, q->in.skip, q->in.skip_count, sizeof(struct id), compare_key) != NULL;
}

static int pass_over(struct store_claim *q, struct ch_err *err)
{
	q->out.damaged++;
	*err = (struct ch_err){0};
	return 0;
}

static int claim_due(struct sq_conn *c, struct store_claim *q, int64_t webhook, struct ch_err *err)
{
	size_t cap = 0, bytes = 0;
	bool has_row = true;
	int rc = 0;

	sq_bind_int(c, SQ_CLAIM_DUE, 1, webhook);
	sq_bind_int(c, SQ_CLAIM_DUE, 2, q->in.now_ms);
	while (rc == 0) {
		rc = sq_fetch(c, SQ_CLAIM_DUE, &has_row, doing_deliveries, err);
		if (rc != 0 || !has_row)
			break;
		int64_t key = sq_int(c, SQ_CLAIM_DUE, 0);
		if (is_skipped(q, key))
			continue;
		q->out.more = q->out.count == q->in.limit || (q->out.count > 0 && bytes >= q->in.max_bytes);
		if (q->out.more)
			break;
		if (sq_grow((void **)&q->out.rows, &cap, q->out.count, sizeof(struct delivery)) != 0)
			rc = sq_no_memory(err);
		else
			rc = sq_delivery_row(c, webhook, key, true, &q->out.rows[q->out.count], NULL, err);
		if (rc == 0)
			bytes += q->out.rows[q->out.count++].body->len;
		else if (rc == CH_EDAMAGED && q->out.damaged < STORE_CLAIM_DAMAGED_MAX)
			rc = pass_over(q, err);
	}
	sq_reset(c, SQ_CLAIM_DUE);
	return rc;
}

static int claim_later(struct sq_conn *c, struct store_claim *q, int64_t webhook, struct ch_err *err)
{
	bool has_row = true;
	int rc = 0;

	sq_bind_int(c, SQ_CLAIM_LATER, 1, webhook);
	sq_bind_int(c, SQ_CLAIM_LATER, 2, q->in.now_ms);
	while (rc == 0 && q->out.next_due_ms < 0) {
		rc = sq_fetch(c, SQ_CLAIM_LATER, &has_row, doing_deliveries, err);
		if (rc != 0 || !has_row)
			break;
		if (!is_skipped(q, sq_int(c, SQ_CLAIM_LATER, 0)))
			q->out.next_due_ms = sq_int(c, SQ_CLAIM_LATER, 1);
	}
	sq_reset(c, SQ_CLAIM_LATER);
	return rc;
}

int sq_claim(struct sq_conn *c, struct store_claim *q, struct ch_err *err)
{
	bool has_row = false;
	int rc;

	q->out.next_due_ms = -1;
	sq_bind_id(c, SQ_HOOK_NUMBER, 1, &q->in.webhook_id);
	rc = sq_fetch(c, SQ_HOOK_NUMBER, &has_row, doing_deliveries, err);
	if (rc != 0 || !has_row)
		return rc;
	int64_t webhook = sq_int(c, SQ_HOOK_NUMBER, 0);
	sq_reset(c, SQ_HOOK_NUMBER);
	rc = claim_due(c, q, webhook, err);
	return rc == 0 ? claim_later(c, q, webhook, err) : rc;
}
