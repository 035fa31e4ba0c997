#include <stdio.h>

#include "base/assert.h"
#include "base/buf.h"
#include "power.h"

static void add_hex(struct ch_buf *out, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ch_buf_addf(out, "%02x", data[i]);
}

/* Long values by their digest: two dumps are only ever compared. */
static void add_bytes(struct ch_buf *out, const void *data, size_t len)
{
	uint8_t digest[CH_SHA256_BYTES];

	if (len <= 32) {
		add_hex(out, data, len);
		return;
	}
	ch_sha256(data, len, digest);
	ch_buf_addf(out, "%zu:", len);
	add_hex(out, digest, 8);
}

static void add_value(struct ch_buf *out, sqlite3_stmt *st, int at)
{
	switch (sqlite3_column_type(st, at)) {
	case SQLITE_INTEGER:
		ch_buf_addf(out, " %lld", (long long)sqlite3_column_int64(st, at));
		return;
	case SQLITE_NULL:
		ch_buf_adds(out, " -");
		return;
	default:
		break;
	}
	ch_buf_adds(out, " '");
	add_bytes(out, sqlite3_column_blob(st, at), (size_t)sqlite3_column_bytes(st, at));
}

static int add_rows(struct ch_buf *out, sqlite3 *db, const char *title, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	ch_buf_addf(out, "%s:\n", title);
	while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(st); i++)
			add_value(out, st, i);
		ch_buf_adds(out, "\n");
		rc = SQLITE_OK;
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A walk over a table is in the order of its key. */
static int add_tables(struct ch_buf *out, sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	char sql[200];
	int rc = sqlite3_prepare_v2(db,
			"SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
			"ORDER BY name",
			-1, &st, NULL);

	while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(st, 0);

		snprintf(sql, sizeof(sql), "SELECT * FROM \"%s\" NOT INDEXED", name);
		rc = add_rows(out, db, name, sql);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

char *power_dump(const char *dir)
{
	struct ch_buf out;
	sqlite3 *db = NULL;
	char path[128];
	int rc;

	ch_buf_init(&out, SIZE_MAX / 2);
	snprintf(path, sizeof(path), "%s/store.db", dir);
	rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
	if (rc == SQLITE_OK)
		rc = add_rows(&out, db, "version", "PRAGMA user_version");
	if (rc == SQLITE_OK)
		rc = add_rows(&out, db, "schema", "SELECT type, name, sql FROM sqlite_schema ORDER BY name");
	if (rc == SQLITE_OK)
		rc = add_tables(&out, db);
	sqlite3_close(db);
	CH_ASSERT(out.err == 0);
	if (rc != SQLITE_OK) {
		ch_buf_fini(&out);
		return NULL;
	}
	return ch_buf_detach(&out);
}

/* What a step of retention removed is no longer owed to anybody. */
static void book_gone(struct power_run *r)
{
	struct book *b = r->book;
	size_t count = b->body_count;

	for (size_t i = 0; i < count; i++) {
		struct store_request q;

		store_request_init(&q, STORE_CALL_GET, NULL, NULL);
		q.u.call_get.in.account = ACCOUNT;
		q.u.call_get.in.id = b->bodies[i].call;
		CH_ASSERT(b->body_count < BOOK_BODIES_MAX);
		if (serve_drop(&r->bed, &q) == CH_ENOENT)
			b->bodies[b->body_count++] = (struct book_body){r->acked, b->bodies[i].call, NULL};
	}
	CH_ASSERT(b->body_count > count);
}

/* Keeps what a client was told, and what the store holds now. */
void book_batch(struct power_run *r, struct store_request *const *requests, size_t n)
{
	struct book *b = r->book;

	CH_ASSERT(b->count == r->acked && b->count < BOOK_BATCHES_MAX);
	for (size_t i = 0; i < n; i++) {
		struct book_body *body = &b->bodies[b->body_count];

		if (requests[i]->kind == STORE_RETENTION_STEP && requests[i]->u.retention_step.out.calls > 0)
			book_gone(r);
		if (requests[i]->kind != STORE_CALL_PUT)
			continue;
		CH_ASSERT(b->body_count < BOOK_BODIES_MAX);
		body->batch = r->acked;
		body->call = requests[i]->u.call_put.in.facts.id;
		body->body = ch_bytes_ref(requests[i]->u.call_put.out.body);
		b->body_count++;
	}
	b->dumps[b->count] = power_dump(r->bed.dir);
	CH_ASSERT(b->dumps[b->count] != NULL);
	b->count++;
}

void book_fini(struct book *b)
{
	for (size_t i = 0; i < b->count; i++)
		ch_free(b->dumps[i]);
	for (size_t i = 0; i < b->body_count; i++)
		ch_bytes_unref(&b->bodies[i].body);
	memset(b, 0, sizeof(*b));
}
