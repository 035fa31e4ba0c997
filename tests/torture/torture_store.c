/* The stores without memory: what fails leaves nothing behind, and what was there stays. SQLite's own memory
 * fails too. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../contract/dump.h"
#include "base/assert.h"
#include "store/store_copy.h"
#include "torture.h"

#define BATCH 8
#define NUMBERS 12 /* of calls and webhooks in a dump */

/* ---- SQLite's memory out of base/alloc, with its size in front, which SQLite asks for ---- */

#define SIZE_BYTES 16

static void *sq_malloc(int bytes)
{
	int *block = ch_alloc((size_t)bytes + SIZE_BYTES);

	if (!block)
		return NULL;
	*block = bytes;
	return (char *)block + SIZE_BYTES;
}

static void *block_of(void *p)
{
	return p ? (char *)p - SIZE_BYTES : NULL;
}

static void sq_free(void *p)
{
	ch_free(block_of(p));
}

static void *sq_realloc(void *p, int bytes)
{
	int *block = ch_realloc(block_of(p), (size_t)bytes + SIZE_BYTES);

	if (!block)
		return NULL;
	*block = bytes;
	return (char *)block + SIZE_BYTES;
}

static int sq_size(void *p)
{
	return p ? *(int *)block_of(p) : 0;
}

static int sq_roundup(int bytes)
{
	return (bytes + 7) & ~7;
}

static int sq_init(void *ctx)
{
	return SQLITE_OK;
}

static void sq_shutdown(void *ctx)
{
}

static void take_sqlite_memory(void)
{
	static const struct sqlite3_mem_methods methods = {.xMalloc = sq_malloc,
			.xFree = sq_free,
			.xRealloc = sq_realloc,
			.xSize = sq_size,
			.xRoundup = sq_roundup,
			.xInit = sq_init,
			.xShutdown = sq_shutdown};
	int rc = sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);

	CH_ASSERT(rc == SQLITE_OK);
}

/* ---- a batch of writes ---- */

struct scene {
	struct bed bed;
	struct delivery delivery, other;
	char *before;
	struct store_request rows[BATCH];
	int row_count;
};

static void put_one(const struct bed *b, unsigned call)
{
	struct call_spec spec = {.call = call, .status = CALL_COMPLETED};
	struct store_request r;

	ask_put(b, &r, &spec);
	assert_int_equal(serve_drop(b, &r), 0);
}

static void *scene_open(void)
{
	struct scene *s = calloc(1, sizeof(*s));
	const enum flavour *flavour = torture_what();

	bed_open(&s->bed, *flavour);
	make_webhook(&s->bed, 1, true);
	make_webhook_of(&s->bed, ops_event_account(ACCOUNT), NUMBERS + 1);
	make_webhook_of(&s->bed, EVENT_OPERATOR, NUMBERS + 2);
	s->delivery = make_delivery(&s->bed, 1);
	s->other = make_delivery(&s->bed, 6);
	make_webhook(&s->bed, 2, true);
	put_one(&s->bed, 2);
	put_one(&s->bed, 3);
	s->before = dump(&s->bed, NUMBERS, NUMBERS);
	return s;
}

static void rows_drop(struct scene *s)
{
	while (s->row_count > 0)
		store_request_fini(&s->rows[--s->row_count]);
}

static void scene_close(void *ctx)
{
	struct scene *s = ctx;

	rows_drop(s);
	delivery_fini(&s->delivery);
	delivery_fini(&s->other);
	bed_close(&s->bed);
	ch_free(s->before);
	free(s);
}

static void ask_batch(struct scene *s)
{
	struct call_spec fresh = {.call = 5, .status = CALL_COMPLETED};
	struct call_spec again = {.call = 2, .status = CALL_COMPLETED, .note = 9, .notify = true};
	struct bed *b = &s->bed;

	rows_drop(s);
	ask_put(b, &s->rows[0], &fresh);
	ask_put(b, &s->rows[1], &again);
	ask_attempt(b, &s->rows[2], &s->delivery, 1, DELIVERY_DELIVERED);
	ask_webhook(b, &s->rows[3], 4, true);
	ask_update(b, &s->rows[4], 2, false, 1);
	s->rows[4].u.webhook_update.in.webhook.disabled_reason = ch_strdup("it is gone");
	ask_sweep(b, &s->rows[5], 2, 10);
	ask_attempt(b, &s->rows[6], &s->other, 2, DELIVERY_FAILED);
	ask_dead(b, &s->rows[7], 1);
	s->row_count = BATCH;
}

static void *batch_open(void)
{
	struct scene *s = scene_open();

	ask_batch(s);
	return s;
}

static int batch_run(void *ctx)
{
	struct scene *s = ctx;
	struct store_request *rows[BATCH];
	struct ch_err err = {0};

	for (int i = 0; i < BATCH; i++)
		rows[i] = &s->rows[i];
	int rc = s->bed.store->ops->write(s->bed.store, rows, BATCH, &err);
	for (int i = 0; i < BATCH; i++)
		if (s->rows[i].result != rc)
			return CH_ECONFLICT;
	return rc;
}

static void batch_check(void *ctx, int rc)
{
	struct scene *s = ctx;
	char *now = dump(&s->bed, NUMBERS, NUMBERS);

	if (rc != 0) {
		assert_string_equal(now, s->before);
		ask_batch(s);
	} else {
		assert_int_equal(s->rows[0].u.call_put.out.delivery_count, 2);
		assert_int_equal(s->rows[5].u.webhook_sweep.out.moved, 4);
		assert_ledger(&s->bed, ACCOUNT, 4, 1, 1, 4, 0);
		assert_ledger(&s->bed, ops_event_account(ACCOUNT), 3, 0, 0, 0, 0);
	}
	ch_free(now);
}

static void fail_store(void *ctx, bool is_write, int nth, int code)
{
	struct scene *s = ctx;

	if (is_write)
		store_fault_fail_write(s->bed.store, nth, code);
	else
		store_fault_fail_read(s->bed.store, nth, code);
}

/* ---- reads ---- */

static int read_one(const struct bed *b, struct store_request *r)
{
	b->store->ops->read(b->reader, r);
	int rc = r->result;
	store_request_fini(r);
	return rc;
}

static int reads_run(void *ctx)
{
	struct scene *s = ctx;
	struct store_request r;

	store_request_init(&r, STORE_CALL_GET, NULL, NULL);
	r.u.call_get.in.account = ACCOUNT;
	r.u.call_get.in.id = s->delivery.call_id;
	int rc = read_one(&s->bed, &r);
	store_request_init(&r, STORE_CALL_FEED, NULL, NULL);
	r.u.call_feed.in.account = ACCOUNT;
	r.u.call_feed.in.after = -1;
	r.u.call_feed.in.limit = 10;
	r.u.call_feed.in.max_bytes = SIZE_MAX;
	rc = rc == 0 ? read_one(&s->bed, &r) : rc;
	store_request_init(&r, STORE_WEBHOOK_LIST, NULL, NULL);
	r.u.webhook_list.in.account = ACCOUNT;
	rc = rc == 0 ? read_one(&s->bed, &r) : rc;
	ask_claim(&s->bed, &r, 1, 10);
	rc = rc == 0 ? read_one(&s->bed, &r) : rc;
	ask_list(&r, 10);
	rc = rc == 0 ? read_one(&s->bed, &r) : rc;
	store_request_init(&r, STORE_CALL_LIST, NULL, NULL);
	r.u.call_list.in.account = ACCOUNT;
	r.u.call_list.in.from_s = INT64_MIN;
	r.u.call_list.in.to_s = INT64_MAX;
	r.u.call_list.in.limit = 10;
	r.u.call_list.in.max_bytes = SIZE_MAX;
	rc = rc == 0 ? read_one(&s->bed, &r) : rc;
	store_request_init(&r, STORE_AGENT_LIST, NULL, NULL);
	r.u.agent_list.in.account = ACCOUNT;
	r.u.agent_list.in.limit = 10;
	rc = rc == 0 ? read_one(&s->bed, &r) : rc;
	store_request_init(&r, STORE_LANES, NULL, NULL);
	rc = rc == 0 ? read_one(&s->bed, &r) : rc;
	store_request_init(&r, STORE_LEDGER, NULL, NULL);
	return rc == 0 ? read_one(&s->bed, &r) : rc;
}

static void unchanged(void *ctx, int rc)
{
	struct scene *s = ctx;
	char *now = dump(&s->bed, NUMBERS, NUMBERS);

	assert_string_equal(now, s->before);
	ch_free(now);
}

/* ---- opening a database that is there, and housekeeping ---- */

static void *file_open(void)
{
	struct scene *s = scene_open();

	s->bed.store->ops->reader_close(s->bed.reader);
	store_close(&s->bed.store);
	return s;
}

static int file_run(void *ctx)
{
	struct scene *s = ctx;
	struct store_conf conf = bed_conf(&s->bed);
	struct store *store = NULL;
	struct store_reader *reader = NULL;
	struct ch_err err;
	char url[128];

	snprintf(url, sizeof(url), "sqlite:%s/store.db", s->bed.dir);
	int rc = store_open(url, &conf, &store, &err);
	if (rc != 0)
		return store ? CH_ECONFLICT : rc;
	rc = store->ops->reader_open(store, &reader, &err);
	if (rc == 0)
		store->ops->reader_close(reader);
	if (store->ops->maintain)
		store->ops->maintain(store);
	store_close(&store);
	return rc;
}

static void file_close(void *ctx)
{
	struct scene *s = ctx;

	bed_remove(&s->bed);
	delivery_fini(&s->delivery);
	ch_free(s->before);
	free(s);
}

/* What a failure left is read by a store that is opened anew. */
static void file_check(void *ctx, int rc)
{
	struct scene *s = ctx;
	struct store_conf conf = bed_conf(&s->bed);
	struct ch_err err;
	char url[128];

	snprintf(url, sizeof(url), "sqlite:%s/store.db", s->bed.dir);
	assert_int_equal(store_open(url, &conf, &s->bed.store, &err), 0);
	assert_int_equal(s->bed.store->ops->reader_open(s->bed.store, &s->bed.reader, &err), 0);
	unchanged(ctx, rc);
	s->bed.store->ops->reader_close(s->bed.reader);
	store_close(&s->bed.store);
}

/* ---- an erased call, and what is older than retention ---- */

#define PHASES 5 /* and one for the end of a round, which removes nothing */

static void ask_old(struct scene *s)
{
	rows_drop(s);
	store_request_init(&s->rows[0], STORE_CALL_ERASE, NULL, NULL);
	s->rows[0].u.call_erase.in.account = ACCOUNT;
	s->rows[0].u.call_erase.in.id = id_of('c', 2);
	s->rows[0].u.call_erase.in.now_ms = NOW_MS;
	for (int phase = 0; phase < BATCH - 1; phase++) {
		struct store_retention_step *q = &s->rows[1 + phase].u.retention_step;

		store_request_init(&s->rows[1 + phase], STORE_RETENTION_STEP, NULL, NULL);
		q->in.now_ms = NOW_MS + INT64_C(3) * 24 * 3600 * 1000;
		q->in.calls_before_ms = q->in.attempts_before_ms = NOW_MS + INT64_C(3600) * 1000;
		q->in.limit = 100;
		q->in.place.phase = phase < PHASES ? phase : PHASES;
	}
	s->row_count = BATCH;
}

/* Call 1 is delivered, 2 and 3 wait. */
static void *old_open(void)
{
	struct scene *s = scene_open();
	struct store_request r;

	ask_attempt(&s->bed, &r, &s->delivery, 1, DELIVERY_DELIVERED);
	assert_int_equal(serve_drop(&s->bed, &r), 0);
	ch_free(s->before);
	s->before = dump(&s->bed, NUMBERS, NUMBERS);
	ask_old(s);
	return s;
}

static int result_of_call(const struct bed *b, unsigned call)
{
	struct store_request r;

	store_request_init(&r, STORE_CALL_GET, NULL, NULL);
	r.u.call_get.in.account = ACCOUNT;
	r.u.call_get.in.id = id_of('c', call);
	return serve_drop(b, &r);
}

static void old_check(void *ctx, int rc)
{
	struct scene *s = ctx;

	if (rc != 0) {
		unchanged(ctx, rc);
		ask_old(s);
		return;
	}
	assert_int_equal(result_of_call(&s->bed, 1), CH_ENOENT);
	assert_int_equal(result_of_call(&s->bed, 2), CH_EGONE);
	assert_int_equal(result_of_call(&s->bed, 3), 0);
	assert_ledger(&s->bed, ACCOUNT, 3, 1, 0, 0, 2);
}

/* ---- a backup, and a restore over a store that is there ---- */

static const char *beside(const struct scene *s, const char *name)
{
	static char path[2][128];
	static int at;

	at = !at;
	snprintf(path[at], sizeof(path[at]), "%s/%s", s->bed.dir, name);
	return path[at];
}

static int copy_run(void *ctx)
{
	struct scene *s = ctx;
	struct store_copy_conf conf = {.now_ms = NOW_MS};
	char aside[STORE_COPY_PATH_MAX] = "";
	struct ch_err err = {0};
	int64_t bytes = 0;
	int rc = 0;

	for (int i = 0; rc == 0 && i < 2; i++) {
		conf.is_compact = i == 1;
		rc = store_sqlite_copy(beside(s, "store.db"), beside(s, "copy.db"), &conf, &bytes, &err);
	}
	conf.is_compact = false;
	for (int i = 0; rc == 0 && i < 2; i++)
		rc = store_sqlite_restore(
				beside(s, "copy.db"), beside(s, "new.db"), i == 1, &conf, aside, &err);
	assert_true(rc == 0 || err.text[0] != '\0');
	return rc;
}

static void copy_drop(const struct scene *s)
{
	static const char *const names[] = {"copy.db", "new.db", "new.db.lock", "new.db.2024-07-30T14:35:00Z",
			"new.db-wal", "new.db-shm"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(beside(s, names[i]));
}

static void copy_check(void *ctx, int rc)
{
	struct scene *s = ctx;

	assert_int_equal(access(beside(s, "new.db.part"), F_OK), -1);
	if (rc == 0)
		assert_int_equal(access(beside(s, "new.db.2024-07-30T14:35:00Z"), F_OK), 0);
	copy_drop(s);
	unchanged(ctx, rc);
}

static void copy_close(void *ctx)
{
	copy_drop(ctx);
	scene_close(ctx);
}

static const enum flavour memory = MEMORY_FAULT;
static const enum flavour sqlite = SQLITE_FAULT;

/* SQLite does without some memory: a page cache that stays small, a statement's lookaside. */
static const struct torture all[] = {
		{.name = "a batch, memory",
				.open = batch_open,
				.run = batch_run,
				.check = batch_check,
				.close = scene_close,
				.what = &memory,
				.may_manage = true,
				.fail_store = fail_store,
				.writes = 1},
		{.name = "a batch, sqlite",
				.open = batch_open,
				.run = batch_run,
				.check = batch_check,
				.close = scene_close,
				.what = &sqlite,
				.may_manage = true,
				.fail_store = fail_store,
				.writes = 1},
		{.name = "reads, memory",
				.open = scene_open,
				.run = reads_run,
				.check = unchanged,
				.close = scene_close,
				.what = &memory,
				.may_manage = true,
				.fail_store = fail_store,
				.reads = 9},
		{.name = "reads, sqlite",
				.open = scene_open,
				.run = reads_run,
				.check = unchanged,
				.close = scene_close,
				.what = &sqlite,
				.may_manage = true,
				.fail_store = fail_store,
				.reads = 9},
		{.name = "what is old, memory",
				.open = old_open,
				.run = batch_run,
				.check = old_check,
				.close = scene_close,
				.what = &memory,
				.may_manage = true,
				.fail_store = fail_store,
				.writes = 1},
		{.name = "what is old, sqlite",
				.open = old_open,
				.run = batch_run,
				.check = old_check,
				.close = scene_close,
				.what = &sqlite,
				.may_manage = true,
				.fail_store = fail_store,
				.writes = 1},
		{.name = "a copy",
				.open = scene_open,
				.run = copy_run,
				.check = copy_check,
				.close = copy_close,
				.what = &sqlite,
				.may_manage = true},
		{.name = "a database opened",
				.open = file_open,
				.run = file_run,
				.check = file_check,
				.close = file_close,
				.what = &sqlite,
				.may_manage = true},
};

int main(int argc, char **argv)
{
	torture_libraries();
	take_sqlite_memory();
	return torture_main(argc, argv, "store", all, sizeof(all) / sizeof(all[0]));
}
