#include "store/store_sqlite.h"

static const char doing_probe[] = "read the deliveries";

/* The deliveries that were never tried are the least due and, when old ones that were tried lie due before
 * them, the newest; those between are found when these are gone. An index of their own would cost every
 * delivery two entries, for the few endpoints that are dead. */
static const enum sq_stmt looks[] = {SQ_PROBE_DUE, SQ_PROBE_NEW, SQ_PROBE_TRIED};

#define NO_KEY (-1) /* keys are not negative */

static int look(struct sq_conn *c, enum sq_stmt which, int64_t webhook, int64_t last, int64_t *ret_key,
		struct ch_err *err)
{
	bool has_row = false;
	int rc;

	sq_bind_int(c, which, 1, webhook);
	sq_bind_int(c, which, 2, last);
	rc = sq_fetch(c, which, &has_row, doing_probe, err);
	if (rc != 0 || !has_row)
		return rc;
	*ret_key = sq_int(c, which, 0);
	sq_reset(c, which);
	return 0;
}

static int pick(struct sq_conn *c, int64_t webhook, int64_t last, int64_t *ret_key, struct ch_err *err)
{
	int64_t key = NO_KEY;
	int rc = 0;

	sq_bind_int(c, SQ_PROBE_DUE, 3, 1);
	for (size_t i = 0; rc == 0 && key == NO_KEY && i < sizeof(looks) / sizeof(looks[0]); i++)
		rc = look(c, looks[i], webhook, last, &key, err);
	if (rc == 0 && key == NO_KEY) {
		sq_bind_int(c, SQ_PROBE_DUE, 3, 0);
		rc = look(c, SQ_PROBE_DUE, webhook, NO_KEY, &key, err);
	}
	*ret_key = key;
	return rc;
}

int sq_probe(struct sq_conn *c, struct store_probe *q, struct ch_err *err)
{
	int64_t webhook, key = NO_KEY;
	bool has_row = false;
	int rc;

	sq_bind_id(c, SQ_HOOK_NUMBER, 1, &q->in.webhook_id);
	rc = sq_fetch(c, SQ_HOOK_NUMBER, &has_row, doing_probe, err);
	if (rc != 0 || !has_row)
		return rc;
	webhook = sq_int(c, SQ_HOOK_NUMBER, 0);
	sq_reset(c, SQ_HOOK_NUMBER);
	rc = pick(c, webhook, q->in.has_last ? sq_key_of(&q->in.last) : NO_KEY, &key, err);
	if (rc != 0 || key == NO_KEY)
		return rc;
	rc = sq_delivery_row(c, webhook, key, true, &q->out.row, NULL, err);
	/* One that can't be read must not keep a dead endpoint from being probed. */
	if (rc == CH_EDAMAGED && pick(c, webhook, key, &key, err) == 0 && key != NO_KEY)
		rc = sq_delivery_row(c, webhook, key, true, &q->out.row, NULL, err);
	q->out.has_row = rc == 0;
	return rc;
}
