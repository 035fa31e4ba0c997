#include <stdio.h>

#include "base/assert.h"
#include "power.h"

/* Each kind of write, each alone and with others; then the log is copied, begins anew over its old pages, and
 * is left behind by a close. */
static const struct step short_steps[] = {
		{STEP_ACCOUNT, 1, 0, 0, 0},
		{STEP_WEBHOOK, 1, 1, 0, 0},
		{STEP_WEBHOOK, 2, 0, 0, 0},
		{STEP_PUT, 1, 3, 0, 200},
		{STEP_ATTEMPTS, 0, 0, 2, 0},
		{STEP_PUT, 4, 3, 3, 6000},
		{STEP_CHECKPOINT, 0, 0, 0, 0},
		{STEP_PUT, 2, 2, 0, 3000},
		{STEP_ATTEMPTS, 0, 0, 4, 0},
		{STEP_SWITCH, 1, 1, 0, 0},
		{STEP_SWEEP, 1, 2, 0, 0},
		{STEP_SWEEP, 1, 10, 0, 0},
		{STEP_MAINTAIN, 0, 0, 0, 0},
		{STEP_PUT, 7, 2, 0, 100},
		{STEP_RELEASE, 1, 2, 0, 0},
		{STEP_SWEEP, 1, 2, 0, 0},
		{STEP_SWEEP, 1, 20, 0, 0},
		{STEP_RESEND, 0, 0, 0, 0},
		{STEP_REOPEN, 0, 0, 0, 0},
		{STEP_DELETE, 2, 0, 0, 0},
		{STEP_SWEEP, 2, 3, 0, 0},
		{STEP_SWEEP, 2, 10, 0, 0},
		{STEP_PUT, 9, 1, 2, 9000},
		{STEP_RETAIN, 0, 4, 0, 0},
		{STEP_RETAIN, 1, 4, 0, 0},
		{STEP_PUT, 20, 2, 0, 500},
		{STEP_RETAIN, 1, 100, 0, 0},
		{STEP_RETAIN, 2, 2, 0, 0},
		{STEP_PUT, 1, 2, 0, 700},
		{STEP_END, 0, 0, 0, 0},
};

/* Large bodies and batches: so many pages that maintain has its own reason, and over and over. */
static const struct step long_steps[] = {
		{STEP_ACCOUNT, 1, 0, 0, 0},
		{STEP_WEBHOOK, 1, 1, 0, 0},
		{STEP_WEBHOOK, 2, 1, 0, 0},
		{STEP_WEBHOOK, 3, 0, 0, 0},
		{STEP_PUT, 1, 40, 0, 500},
		{STEP_PUT, 41, 8, 10, 100000},
		{STEP_PUT, 49, 8, 10, 250000},
		{STEP_MAINTAIN, 0, 0, 0, 0},
		{STEP_ATTEMPTS, 0, 0, 40, 0},
		{STEP_PUT, 1, 20, 0, 4000},
		{STEP_SWITCH, 2, 1, 0, 0},
		{STEP_SWEEP, 2, 15, 0, 0},
		{STEP_CHECKPOINT, 0, 0, 0, 0},
		{STEP_SWEEP, 2, 15, 0, 0},
		{STEP_SWEEP, 2, 100, 0, 0},
		{STEP_RELEASE, 2, 2, 0, 0},
		{STEP_SWEEP, 2, 30, 0, 0},
		{STEP_SWEEP, 2, 100, 0, 0},
		{STEP_RESEND, 3, 0, 0, 0},
		{STEP_PUT, 57, 10, 20, 300},
		{STEP_DELETE, 3, 0, 0, 0},
		{STEP_SWEEP, 3, 30, 0, 0},
		{STEP_REOPEN, 0, 0, 0, 0},
		{STEP_SWEEP, 3, 100, 0, 0},
		{STEP_DELETE, 1, 0, 0, 0},
		{STEP_SWEEP, 1, 100, 0, 0},
		{STEP_CHECKPOINT, 0, 0, 0, 0},
		{STEP_PUT, 67, 10, 0, 20000},
		{STEP_PUT, 77, 10, 20, 20},
		{STEP_END, 0, 0, 0, 0},
};

/* Over what an older version left. */
static const struct step upgrade_steps[] = {
		{STEP_PUT, 1, 2, 0, 200},
		{STEP_END, 0, 0, 0, 0},
};

const struct script power_scripts[] = {
		{"short", short_steps, NULL},
		{"upgrade", upgrade_steps, power_make_version_1},
		{"long", long_steps, NULL},
};
const size_t power_script_count = sizeof(power_scripts) / sizeof(power_scripts[0]);

void power_bed(struct bed *b, const char *dir)
{
	*b = (struct bed){.flavour = SQLITE, .clock = {{NOW_MS}, {1000}}};
	ch_rand_seeded_init(&b->seeded, 7);
	CH_ASSERT(snprintf(b->dir, sizeof(b->dir), "%s", dir) < (int)sizeof(b->dir));
}

int power_open(struct bed *b, struct ch_err *err)
{
	struct store_conf conf = bed_conf(b);
	char path[128];
	int rc;

	snprintf(path, sizeof(path), "%s/store.db", b->dir);
	rc = store_sqlite_open(path, &conf, &b->store, err);
	if (rc != 0)
		return rc;
	rc = b->store->ops->reader_open(b->store, &b->reader, err);
	if (rc != 0)
		store_close(&b->store);
	return rc;
}

void power_close(struct bed *b)
{
	b->store->ops->reader_close(b->reader);
	store_close(&b->store);
}

static void keep_made(struct power_run *r, struct store_request *q)
{
	struct store_call_put *put = &q->u.call_put;

	for (size_t i = 0; i < put->out.delivery_count; i++) {
		struct delivery *d = &r->made[r->made_count];

		CH_ASSERT(r->made_count < POWER_MADE_MAX);
		if (put->out.deliveries[i].state != DELIVERY_PENDING)
			continue;
		*d = put->out.deliveries[i];
		d->body = NULL;
		d->reason = NULL;
		r->made_count++;
	}
}

/* One transaction. */
static int write_batch(struct power_run *r, struct store_request *list, size_t n)
{
	struct store_request *requests[POWER_BATCH_MAX];
	struct ch_err err = {0};
	int rc;

	CH_ASSERT(n <= POWER_BATCH_MAX);
	for (size_t i = 0; i < n; i++)
		requests[i] = &list[i];
	r->is_writing = true;
	rc = r->bed.store->ops->write(r->bed.store, requests, n, &err);
	if (rc == 0) {
		r->is_writing = false;
		r->acked++;
		for (size_t i = 0; i < n; i++) {
			CH_ASSERT(list[i].result == 0);
			if (list[i].kind == STORE_CALL_PUT)
				keep_made(r, &list[i]);
		}
		if (r->book != NULL)
			book_batch(r, requests, n);
	}
	for (size_t i = 0; i < n; i++)
		store_request_fini(&list[i]);
	return rc;
}

/* Deliveries in turn; most come to an end, some are tried again later. */
static size_t add_attempts(struct power_run *r, unsigned count, struct store_request *list)
{
	static const enum delivery_state next[] = {
			DELIVERY_DELIVERED, DELIVERY_PENDING, DELIVERY_FAILED, DELIVERY_PENDING};

	for (unsigned i = 0; i < count; i++) {
		CH_ASSERT(r->made_count > 0);
		r->attempts++;
		ask_attempt(&r->bed, &list[i], &r->made[r->tried++ % r->made_count], r->attempts,
				next[r->attempts % 4]);
	}
	return count;
}

static int put(struct power_run *r, const struct step *s)
{
	struct store_request *list = calloc(POWER_BATCH_MAX, sizeof(*list));
	size_t n = 0;
	int rc;

	CH_ASSERT(list != NULL && s->b + s->c <= POWER_BATCH_MAX);
	for (unsigned i = 0; i < s->b; i++) {
		struct call_spec spec = {.call = s->a + i,
				.agent = i,
				.status = i % 3 == 2 ? CALL_FAILED : CALL_COMPLETED,
				.note = (unsigned)r->acked,
				.padding = s->bytes + i * 7,
				.notify = true};

		ask_put(&r->bed, &list[n++], &spec);
	}
	n += add_attempts(r, s->c, list + n);
	rc = n == 0 ? 0 : write_batch(r, list, n);
	free(list);
	return rc;
}

static int account(struct power_run *r, const struct step *s)
{
	struct store_request q;
	struct account *a = &q.u.account_create.in.account;

	store_request_init(&q, STORE_ACCOUNT_CREATE, NULL, NULL);
	snprintf(a->id, sizeof(a->id), "account-%u", s->a);
	a->created_ms = r->bed.clock.wall.ms;
	return write_batch(r, &q, 1);
}

static int retain(struct power_run *r, const struct step *s)
{
	struct store_request q;
	struct store_retention_step *step = &q.u.retention_step;

	r->bed.clock.wall.ms += INT64_C(2) * 24 * 3600 * 1000;
	store_request_init(&q, STORE_RETENTION_STEP, NULL, NULL);
	step->in.now_ms = r->bed.clock.wall.ms;
	step->in.calls_before_ms = step->in.attempts_before_ms = r->bed.clock.wall.ms - 1;
	step->in.limit = s->b;
	step->in.place.phase = (int)s->a;
	return write_batch(r, &q, 1);
}

static int reopen(struct power_run *r)
{
	int rc;

	r->is_open = false;
	power_close(&r->bed);
	rc = power_open(&r->bed, NULL);
	r->is_open = rc == 0;
	return rc;
}

static int housekeeping(struct power_run *r, bool is_quiet)
{
	struct store_sqlite *s = CH_CONTAINER_OF(r->bed.store, struct store_sqlite, base);

	if (!is_quiet) {
		s->checkpoint_at = 1;
		return 0;
	}
	if (s->wal_pages - s->wal_copied < 500)
		s->wal_copied = s->wal_pages - 500;
	r->bed.store->ops->maintain(r->bed.store);
	return disk_is_cut() ? CH_EIO : 0;
}

static int step(struct power_run *r, const struct step *s)
{
	struct store_request q;

	r->bed.clock.wall.ms += 1000;
	switch (s->kind) {
	case STEP_ACCOUNT:
		return account(r, s);
	case STEP_PUT:
	case STEP_ATTEMPTS:
		return put(r, s);
	case STEP_WEBHOOK:
		ask_webhook(&r->bed, &q, s->a, s->b != 0);
		return write_batch(r, &q, 1);
	case STEP_SWITCH:
		ask_update(&r->bed, &q, s->a, s->c != 0, s->b);
		return write_batch(r, &q, 1);
	case STEP_RELEASE:
		ask_update(&r->bed, &q, s->a, true, s->b);
		q.u.webhook_update.in.release = true;
		return write_batch(r, &q, 1);
	case STEP_RESEND:
		CH_ASSERT(s->a < r->made_count);
		ask_resend(&r->bed, &q, &r->made[s->a].id);
		return write_batch(r, &q, 1);
	case STEP_DELETE:
		ask_delete(&r->bed, &q, s->a);
		return write_batch(r, &q, 1);
	case STEP_SWEEP:
		ask_sweep(&r->bed, &q, s->a, s->b);
		return write_batch(r, &q, 1);
	case STEP_RETAIN:
		return retain(r, s);
	case STEP_CHECKPOINT:
	case STEP_MAINTAIN:
		return housekeeping(r, s->kind == STEP_MAINTAIN);
	case STEP_REOPEN:
		return reopen(r);
	case STEP_END:
		break;
	}
	CH_UNREACHABLE();
}

int power_run(struct power_run *r, const struct script *s, const char *dir, struct book *book)
{
	int rc;

	memset(r, 0, sizeof(*r));
	power_bed(&r->bed, dir);
	r->book = book;
	rc = power_open(&r->bed, NULL);
	r->is_open = rc == 0;
	if (rc == 0 && book != NULL)
		book_batch(r, NULL, 0);
	for (size_t i = 0; rc == 0 && s->steps[i].kind != STEP_END; i++) {
		rc = step(r, &s->steps[i]);
		if (rc == 0 && disk_is_cut())
			rc = CH_EIO;
	}
	if (r->is_open)
		power_close(&r->bed);
	return rc;
}
