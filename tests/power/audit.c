#include <stdio.h>

#include "base/assert.h"
#include "power.h"

#define FRESH_CALL 900000u

const char *verdict_name(enum verdict v)
{
	static const char *const names[VERDICT_COUNT] = {
			"well", "can't be opened", "damaged", "lost", "half a batch", "wrong bytes", "stuck"};

	return names[v];
}

static const char ledger_sql[] = "SELECT count(*) FROM ledger l WHERE l.accepted <> "
				 "l.pending + l.delivered + l.failed + l.parked + l.canceled"
				 " OR l.pending <> (SELECT count(*) FROM delivery d WHERE d.webhook = "
				 "l.webhook AND d.state = 0)"
				 " OR l.delivered <> (SELECT count(*) FROM delivery d WHERE d.webhook = "
				 "l.webhook AND d.state = 2) + coalesce((SELECT m.delivered FROM removed m "
				 "WHERE m.webhook = l.webhook), 0)"
				 " OR l.failed <> (SELECT count(*) FROM delivery d WHERE d.webhook = "
				 "l.webhook AND d.state = 3) + coalesce((SELECT m.failed FROM removed m "
				 "WHERE m.webhook = l.webhook), 0)"
				 " OR l.parked <> (SELECT count(*) FROM delivery d WHERE d.webhook = "
				 "l.webhook AND d.state = 4)"
				 " OR l.canceled <> (SELECT count(*) FROM delivery d WHERE d.webhook = "
				 "l.webhook AND d.state = 5) + coalesce((SELECT m.canceled FROM removed m "
				 "WHERE m.webhook = l.webhook), 0)";

/* Empty: as wanted; else the words. */
static void ask_text(sqlite3 *db, const char *sql, const char *wanted, char *out, size_t room)
{
	sqlite3_stmt *st = NULL;
	const char *got = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		got = (const char *)sqlite3_column_text(st, 0);
	if (got == NULL || strcmp(got, wanted) != 0)
		snprintf(out, room, "%.40s…: %.200s", sql, got == NULL ? sqlite3_errmsg(db) : got);
	else
		out[0] = '\0';
	sqlite3_finalize(st);
}

static enum verdict check_file(const char *dir, char *words, size_t room)
{
	sqlite3 *db = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/store.db", dir);
	words[0] = '\0';
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		snprintf(words, room, "%s", sqlite3_errmsg(db));
	if (words[0] == '\0')
		ask_text(db, "PRAGMA integrity_check", "ok", words, room);
	if (words[0] == '\0')
		ask_text(db, ledger_sql, "0", words, room);
	sqlite3_close(db);
	return words[0] == '\0' ? WELL : DAMAGED;
}

/* Which batch of the book this is; count: none. */
static size_t batch_of(const struct book *book, const char *dump, size_t from, size_t to)
{
	if (strcmp(dump, book->dumps[from]) == 0)
		return from;
	if (to < book->count && strcmp(dump, book->dumps[to]) == 0)
		return to;
	for (size_t i = 0; i < book->count; i++) {
		if (strcmp(dump, book->dumps[i]) == 0)
			return i;
	}
	return book->count;
}

static enum verdict check_batch(
		const char *dir, const struct book *book, size_t from, size_t to, struct finding *ret)
{
	char *dump = power_dump(dir);

	if (dump == NULL) {
		snprintf(ret->words, sizeof(ret->words), "its tables can't be read");
		return DAMAGED;
	}
	ret->batch = batch_of(book, dump, from, to);
	ch_free(dump);
	if (ret->batch == from || ret->batch == to)
		return WELL;
	if (ret->batch < from) {
		snprintf(ret->words, sizeof(ret->words), "batch %zu was acknowledged, %zu is the last there",
				from, ret->batch);
		return LOST;
	}
	snprintf(ret->words, sizeof(ret->words), "neither batch %zu nor %zu, nor any before", from, to);
	return HALF;
}

/* The last answer about this call up to the batch. */
static const struct book_body *body_at(const struct book *book, const struct id *call, size_t batch)
{
	const struct book_body *last = NULL;

	for (size_t i = 0; i < book->body_count; i++) {
		const struct book_body *b = &book->bodies[i];

		if (b->batch <= batch && id_equal(&b->call, call))
			last = b;
	}
	return last;
}

static bool has_body(const struct bed *b, const struct book_body *wanted)
{
	struct store_request r;
	bool is_same = false;

	store_request_init(&r, STORE_CALL_GET, NULL, NULL);
	r.u.call_get.in.account = ACCOUNT;
	r.u.call_get.in.id = wanted->call;
	b->store->ops->read(b->reader, &r);
	if (wanted->body == NULL)
		is_same = r.result == CH_ENOENT;
	else if (r.result == 0)
		is_same = r.u.call_get.out.body->len == wanted->body->len &&
			  memcmp(r.u.call_get.out.body->data, wanted->body->data, wanted->body->len) == 0;
	store_request_fini(&r);
	return is_same;
}

static enum verdict check_bodies(const struct bed *b, const struct book *book, struct finding *f)
{
	for (size_t i = 0; i < book->body_count; i++) {
		const struct book_body *wanted = body_at(book, &book->bodies[i].call, f->batch);
		char id[ID_TEXT_LEN + 1];

		if (wanted == NULL || has_body(b, wanted))
			continue;
		id_format(&wanted->call, id);
		snprintf(f->words, sizeof(f->words), "call %s", id);
		return BODY;
	}
	return WELL;
}

/* Life goes on. */
static enum verdict check_writing(const struct bed *b, struct finding *f)
{
	struct call_spec spec = {.call = FRESH_CALL, .status = CALL_COMPLETED};
	struct store_request r, *list[1] = {&r};
	struct ch_err err = {0};
	int rc;

	ask_put(b, &r, &spec);
	rc = b->store->ops->write(b->store, list, 1, &err);
	if (rc == 0)
		rc = r.result;
	store_request_fini(&r);
	if (rc == 0)
		return WELL;
	snprintf(f->words, sizeof(f->words), "%.200s", err.text);
	return STUCK;
}

struct finding power_audit(const char *dir, const struct book *book, size_t from, size_t to)
{
	struct finding f = {.verdict = WELL};
	struct ch_err err = {0};
	struct bed b;

	power_bed(&b, dir);
	b.clock.wall.ms += 3600000;
	if (power_open(&b, &err) != 0) {
		f.verdict = UNOPENED;
		snprintf(f.words, sizeof(f.words), "%.250s", err.text);
		return f;
	}
	f.verdict = check_file(dir, f.words, sizeof(f.words));
	if (f.verdict == WELL)
		f.verdict = check_batch(dir, book, from, to, &f);
	if (f.verdict == WELL)
		f.verdict = check_bodies(&b, book, &f);
	if (f.verdict == WELL)
		f.verdict = check_writing(&b, &f);
	power_close(&b);
	return f;
}
