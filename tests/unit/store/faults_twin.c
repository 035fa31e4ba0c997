#include <stdio.h>

#include "dump.h"
#include "test_faults.h"

#define CALLS 20
#define WEBHOOKS 5

void (*twin_enter)(void);
void (*twin_leave)(void);

static void enter(void)
{
	if (twin_enter != NULL)
		twin_enter();
}

static void leave(void)
{
	if (twin_leave != NULL)
		twin_leave();
}

void twin_init(struct twin *t)
{
	memset(t, 0, sizeof(*t));
	bed_open(&t->model, MEMORY);
	t->disk = (struct bed){.flavour = SQLITE, .clock = {{NOW_MS}, {1000}}};
	ch_rand_seeded_init(&t->disk.seeded, 7);
	strcpy(t->disk.dir, "/tmp/callhook-faults-XXXXXX");
	assert_non_null(mkdtemp(t->disk.dir));
	disk_forget();
}

int twin_open(struct twin *t, struct ch_err *err)
{
	struct store_conf conf = bed_conf(&t->disk);
	char path[128];
	int rc;

	snprintf(path, sizeof(path), "%s/store.db", t->disk.dir);
	enter();
	rc = store_sqlite_open(path, &conf, &t->disk.store, err);
	if (rc == 0) {
		rc = t->disk.store->ops->reader_open(t->disk.store, &t->disk.reader, err);
		if (rc != 0)
			store_close(&t->disk.store);
	}
	leave();
	t->is_open = rc == 0;
	return rc;
}

void twin_close(struct twin *t)
{
	if (!t->is_open)
		return;
	t->disk.store->ops->reader_close(t->disk.reader);
	store_close(&t->disk.store);
	t->is_open = false;
}

void twin_fini(struct twin *t)
{
	twin_close(t);
	bed_remove(&t->disk);
	bed_close(&t->model);
	disk_forget();
}

/* The script. */

static size_t add_puts(
		const struct bed *b, struct store_request *list, unsigned first, unsigned n, size_t padding)
{
	for (unsigned i = 0; i < n; i++) {
		struct call_spec spec = {.call = first + i,
				.status = CALL_COMPLETED,
				.note = first * 7 + n,
				.padding = padding + i,
				.notify = true};

		ask_put(b, &list[i], &spec);
	}
	return n;
}

static size_t add_attempts(const struct twin *t, int side, const struct bed *b, struct store_request *list,
		unsigned first, size_t n)
{
	static const enum delivery_state next[] = {DELIVERY_PENDING, DELIVERY_DELIVERED, DELIVERY_FAILED};

	for (size_t i = 0; i < n; i++) {
		assert_true(i < t->made_count[side]);
		ask_attempt(b, &list[i], &t->made[side][i], first + (unsigned)i, next[(first + i) % 3]);
	}
	return n;
}

/* A whole round, as if two days had passed: what came to an end goes, calls and attempts alike. */
static size_t add_retention(struct store_request *list)
{
	for (int phase = 0; phase < 5; phase++) {
		struct store_retention_step *q = &list[phase].u.retention_step;

		store_request_init(&list[phase], STORE_RETENTION_STEP, NULL, NULL);
		q->in.now_ms = NOW_MS + INT64_C(2) * 24 * 3600 * 1000;
		q->in.calls_before_ms = q->in.attempts_before_ms = NOW_MS + INT64_C(3600) * 1000;
		q->in.limit = 500;
		q->in.place.phase = phase;
	}
	return 5;
}

/* The requests of a step for one side. */
static size_t build(const struct twin *t, int side, int step, struct store_request *list)
{
	const struct bed *b = side == 0 ? &t->disk : &t->model;
	size_t n = 0;

	switch (step) {
	case 0:
		ask_webhook(b, &list[0], 1, true);
		ask_webhook(b, &list[1], 2, false);
		ask_webhook(b, &list[2], WEBHOOKS + 1, true);
		list[2].u.webhook_create.in.webhook.account = ops_event_account(ACCOUNT);
		ask_webhook(b, &list[3], WEBHOOKS + 2, true);
		list[3].u.webhook_create.in.webhook.account = EVENT_OPERATOR;
		return 4;
	case 1:
		return add_puts(b, list, 1, 3, 3000);
	case 2:
		return add_attempts(t, side, b, list, 10, 3);
	case 3:
		n = add_puts(b, list, 2, 4, 9000);
		return n + add_attempts(t, side, b, list + n, 20, 2);
	case 4:
		ask_webhook(b, &list[0], 3, true);
		return 1 + add_puts(b, list + 1, 6, 2, 10);
	case 5: /* the switch and what follows it, in one batch */
		ask_update(b, &list[0], 1, false, 1);
		list[0].u.webhook_update.in.webhook.disabled_reason = ch_strdup("it is gone");
		ask_sweep(b, &list[1], 1, 2);
		ask_dead(b, &list[2], 3);
		return 3;
	case 6:
	case 7: /* which rows a sweep takes first is the store's own affair: the last takes all */
		ask_sweep(b, &list[0], 1, step == 6 ? 3 : 100);
		return 1;
	case 8:
		return add_puts(b, list, 8, 2, 5000);
	case 9:
		ask_update(b, &list[0], 1, true, 2);
		list[0].u.webhook_update.in.release = true;
		return 1 + add_attempts(t, side, b, list + 1, 30, 4);
	case 10:
		ask_delete(b, &list[0], 2);
		return 1 + add_puts(b, list + 1, 10, 1, 100);
	case 11:
	case 12:
		ask_sweep(b, &list[0], 2, step == 11 ? 3 : 100);
		return 1;
	case 13:
		ask_sweep(b, &list[0], 1, 100);
		return 1;
	case 14:
		ask_resend(b, &list[0], &t->made[side][0].id);
		ask_resend(b, &list[1], &t->made[side][2].id);
		return 2;
	case 15:
		return add_retention(list);
	default:
		return add_puts(b, list, (unsigned)step, 2, 2000);
	}
}

static void keep(struct twin *t, int side, const struct store_request *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct store_call_put *put = &list[i].u.call_put;

		assert_int_equal(list[i].result, 0);
		if (list[i].kind != STORE_CALL_PUT)
			continue;
		for (size_t d = 0; d < put->out.delivery_count; d++) {
			struct delivery *copy = &t->made[side][t->made_count[side]++];

			assert_true(t->made_count[side] <= TWIN_MADE_MAX);
			*copy = put->out.deliveries[d];
			copy->body = NULL;
			copy->reason = NULL;
		}
	}
}

static int write_side(struct twin *t, int side, int step, struct ch_err *err)
{
	struct bed *b = side == 0 ? &t->disk : &t->model;
	struct store_request *list = calloc(TWIN_BATCH_MAX, sizeof(*list)), *requests[TWIN_BATCH_MAX];
	size_t n = build(t, side, step, list);
	int rc;

	for (size_t i = 0; i < n; i++)
		requests[i] = &list[i];
	if (side == 0)
		enter();
	rc = b->store->ops->write(b->store, requests, n, err);
	if (side == 0)
		leave();
	if (rc == 0)
		keep(t, side, list, n);
	for (size_t i = 0; i < n; i++) {
		if (rc != 0) {
			assert_int_equal(list[i].result, rc);
			assert_string_equal(list[i].err.text, err->text);
		}
		if (rc != 0 && list[i].kind == STORE_CALL_PUT)
			assert_null(list[i].u.call_put.out.deliveries);
		store_request_fini(&list[i]);
	}
	free(list);
	return rc;
}

void twin_model_step(struct twin *t, int step)
{
	struct ch_err err = {0};

	assert_int_equal(write_side(t, 1, step, &err), 0);
}

int twin_step(struct twin *t, int step, struct ch_err *err)
{
	int rc;

	t->disk.clock.wall.ms = t->model.clock.wall.ms = NOW_MS + (step == 12 ? 11 : step) * 1000;
	if (step == 4 || step == 8)
		sqlite_of(&t->disk)->checkpoint_at = 1;
	rc = write_side(t, 0, step, err);
	if (rc != 0) {
		t->failures++;
		assert_no_sql(err->text);
		return rc;
	}
	twin_model_step(t, step);
	return 0;
}

static int read_one(struct twin *t, struct store_request *r)
{
	int rc;

	enter();
	t->disk.store->ops->read(t->disk.reader, r);
	leave();
	rc = r->result;
	if (rc != 0) {
		assert_string_not_equal(r->err.text, "");
		assert_no_sql(r->err.text);
	}
	store_request_fini(r);
	return rc == CH_ENOENT ? 0 : rc;
}

int twin_read(struct twin *t)
{
	struct store_request r;
	int worst = 0, rc;

	for (int i = 0; i < 5; i++) {
		if (i == 0) {
			store_request_init(&r, STORE_CALL_GET, NULL, NULL);
			r.u.call_get.in.account = ACCOUNT;
			r.u.call_get.in.id = id_of('c', 2);
		} else if (i == 1) {
			ask_list(&r, 20);
		} else if (i == 2) {
			ask_claim(&t->disk, &r, 1, 10);
		} else if (i == 3) {
			store_request_init(&r, STORE_CALL_LIST, NULL, NULL);
			r.u.call_list.in.account = ACCOUNT;
			r.u.call_list.in.to_s = INT64_MAX;
			r.u.call_list.in.limit = 20;
			r.u.call_list.in.max_bytes = SIZE_MAX;
		} else {
			store_request_init(&r, STORE_LANES, NULL, NULL);
		}
		rc = read_one(t, &r);
		worst = rc != 0 ? rc : worst;
	}
	return worst;
}

void twin_check_file(const struct twin *t)
{
	static const char *const questions[][2] = {{"PRAGMA integrity_check", "ok"},
			{"SELECT count(*) FROM ledger l WHERE l.pending <> (SELECT count(*) FROM delivery d "
			 "WHERE d.webhook = l.webhook AND d.state = 0) OR l.accepted <> (SELECT count(*) "
			 "FROM delivery d WHERE d.webhook = l.webhook) + coalesce((SELECT m.delivered + "
			 "m.failed + m.canceled FROM removed m WHERE m.webhook = l.webhook), 0)",
					"0"}};
	sqlite3 *db = sqlite_of(&t->disk)->conn.db;

	for (size_t i = 0; i < 2; i++) {
		sqlite3_stmt *st = NULL;

		assert_int_equal(sqlite3_prepare_v2(db, questions[i][0], -1, &st, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(st), SQLITE_ROW);
		assert_string_equal((const char *)sqlite3_column_text(st, 0), questions[i][1]);
		sqlite3_finalize(st);
	}
}

void twin_assert_equal(struct twin *t)
{
	char *got = dump(&t->disk, CALLS, WEBHOOKS), *wanted = dump(&t->model, CALLS, WEBHOOKS);

	for (size_t i = 0, line = 0; got[i] != '\0' || wanted[i] != '\0'; i++) {
		if (got[i] != wanted[i])
			fail_msg("the store has %.100s, the model %.100s", got + line, wanted + line);
		line = got[i] == '\n' ? i + 1 : line;
	}
	ch_free(got);
	ch_free(wanted);
	twin_check_file(t);
}

void assert_no_sql(const char *words)
{
	static const char *const bad[] = {"INSERT", "SELECT", "UPDATE", "DELETE", "PRAGMA", "SQL", "COMMIT"};

	assert_string_not_equal(words, "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(strstr(words, bad[i]));
}
