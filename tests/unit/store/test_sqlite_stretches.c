#include <stdio.h>

#include "test_store_sqlite.h"

/* More calls than a stretch holds, in orders that cut stretches at their end, at their beginning and in their
 * midst, and taken away again until stretches are empty. What a page must hold is worked out from an array.
 */

#define CALLS (SQ_STRETCH_MAX * 3 + 100)
#define BATCH 256
#define FIRST_S INT64_C(1722297600)

enum order { UPWARD, DOWNWARD, SHUFFLED, ONE_SECOND, ORDERS };

struct call {
	unsigned n, agent;
	enum call_status status;
	int64_t created_s;
	unsigned order; /* of the put; 0: erased */
};

struct world {
	struct bed *b;
	struct ch_rand_seeded seeded;
	struct ch_rand rand;
	struct call calls[CALLS];
	struct call *sorted[CALLS];
};

static void write_batch(struct world *w, struct store_request *rows, size_t n)
{
	struct store_request *list[BATCH];

	for (size_t i = 0; i < n; i++)
		list[i] = &rows[i];
	assert_int_equal(w->b->store->ops->write(w->b->store, list, n, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(rows[i].result, 0);
		store_request_fini(&rows[i]);
	}
}

static int64_t moment_of(struct world *w, enum order order, unsigned i)
{
	switch (order) {
	case UPWARD:
		return FIRST_S + i / 3;
	case DOWNWARD:
		return FIRST_S + CALLS - i / 3;
	case SHUFFLED:
		return FIRST_S + (int64_t)ch_rand_below(&w->rand, CALLS);
	default:
		return FIRST_S;
	}
}

static void put_all(struct world *w, enum order order)
{
	struct store_request *rows = calloc(BATCH, sizeof(*rows));
	size_t n = 0;

	for (unsigned i = 0; i < CALLS; i++) {
		struct call *c = &w->calls[i];

		/* One agent has most calls, and one status is rare. */
		*c = (struct call){.n = i,
				.agent = ch_rand_below(&w->rand, 10) == 0,
				.order = i + 1,
				.status = ch_rand_below(&w->rand, 500) == 0 ? CALL_FAILED : CALL_COMPLETED,
				.created_s = moment_of(w, order, i)};
		struct call_spec spec = {
				.call = i, .agent = c->agent, .status = c->status, .created_s = c->created_s};
		ask_put(w->b, &rows[n++], &spec);
		if (n == BATCH || i + 1 == CALLS) {
			write_batch(w, rows, n);
			n = 0;
		}
	}
	free(rows);
}

/* All but one in `keep`. */
static void erase_most(struct world *w, unsigned keep)
{
	struct store_request *rows = calloc(BATCH, sizeof(*rows));
	size_t n = 0;

	for (unsigned i = 0; i < CALLS; i++) {
		if (w->calls[i].order != 0 && i % keep != 0) {
			store_request_init(&rows[n], STORE_CALL_ERASE, NULL, NULL);
			rows[n].u.call_erase.in.account = ACCOUNT;
			rows[n].u.call_erase.in.id = id_of('c', i);
			rows[n++].u.call_erase.in.now_ms = NOW_MS;
			w->calls[i].order = 0;
		}
		if (n == BATCH || (i + 1 == CALLS && n > 0)) {
			write_batch(w, rows, n);
			n = 0;
		}
	}
	free(rows);
}

static int compare(const void *a, const void *b)
{
	const struct call *x = *(struct call *const *)a, *y = *(struct call *const *)b;

	if (x->created_s != y->created_s)
		return x->created_s < y->created_s ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static size_t choose(struct world *w, const struct store_call_list *q)
{
	size_t n = 0;

	for (size_t i = 0; i < CALLS; i++) {
		struct call *c = &w->calls[i];
		struct id agent = id_of('a', c->agent);

		if (c->order != 0 && (!q->in.has_agent || id_equal(&agent, &q->in.agent_id)) &&
				(q->in.statuses == 0 || (q->in.statuses & 1u << c->status) != 0) &&
				c->created_s >= q->in.from_s && c->created_s <= q->in.to_s)
			w->sorted[n++] = c;
	}
	qsort(w->sorted, n, sizeof(w->sorted[0]), compare);
	return n;
}

static void check(struct world *w, struct store_request *r)
{
	const struct store_call_list *q = &r->u.call_list;
	size_t total = choose(w, q), skip = (size_t)q->in.skip;

	assert_int_equal(serve(w->b, r), 0);
	assert_int_equal(q->out.total, total);
	assert_int_equal(q->out.count, skip >= total                ? 0
				       : total - skip < q->in.limit ? total - skip
								    : q->in.limit);
	for (size_t i = 0; i < q->out.count; i++) {
		size_t at = q->in.is_ascending ? skip + i : total - 1 - skip - i;
		struct id id = id_of('c', w->sorted[at]->n);
		char text[ID_TEXT_LEN + 1];

		id_format(&id, text);
		assert_memory_equal(q->out.bodies[i]->data + 7, text, ID_TEXT_LEN);
	}
	store_request_fini(r);
}

static void check_some(struct world *w)
{
	for (unsigned i = 0; i < 24; i++) {
		struct store_request r;
		struct store_call_list *q = &r.u.call_list;

		store_request_init(&r, STORE_CALL_LIST, NULL, NULL);
		q->in.account = ACCOUNT;
		q->in.limit = 20;
		q->in.max_bytes = SIZE_MAX;
		q->in.is_ascending = i % 2;
		q->in.has_agent = i % 3 == 1;
		q->in.agent_id = id_of('a', i / 3 % 2);
		q->in.statuses = (call_status_set)(i % 4 == 3 ? 1u << CALL_FAILED : 0);
		q->in.from_s = i % 5 == 4 ? FIRST_S + CALLS / 5 : INT64_MIN;
		q->in.to_s = i % 5 == 4 ? FIRST_S + CALLS / 4 : INT64_MAX;
		q->in.skip = i < 4 ? 0 : (int64_t)ch_rand_below(&w->rand, i % 4 == 3 ? 40 : CALLS);
		check(w, &r);
	}
}

static int64_t count_of(const struct bed *b, const char *sql)
{
	sqlite3 *db = sqlite_of_bed(b)->conn.db;
	sqlite3_stmt *st = NULL;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

static void go_through(struct world *w, enum order order)
{
	struct store_request r;

	put_all(w, order);
	check_some(w);
	assert_true(count_of(w->b, "SELECT count(*) FROM stretch WHERE tally = 1") >= 4);
	assert_int_equal(count_of(w->b, "SELECT count(*) FROM stretch WHERE counts IS NULL"),
			count_of(w->b, "SELECT count(*) FROM tally"));
	bed_restart(w->b);
	check_some(w);
	erase_most(w, 50);
	check_some(w);
	erase_most(w, CALLS + 1);
	check_some(w);
	/* The first of each tally, and where the last call is. */
	assert_true(count_of(w->b, "SELECT count(*) FROM stretch") <= 5);
	assert_int_equal(count_of(w->b, "SELECT count(*) FROM listed"), 2);
	struct call_spec spec = {.call = CALLS + 7, .status = CALL_COMPLETED, .created_s = FIRST_S};
	ask_put(w->b, &r, &spec);
	assert_int_equal(serve_drop(w->b, &r), 0);
}

static void stretches_are_cut_and_dropped(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	for (int order = 0; order < ORDERS; order++) {
		w->b = *state;
		ch_rand_seeded_init(&w->seeded, (uint64_t)order + 1);
		w->rand = ch_rand_seeded_of(&w->seeded);
		go_through(w, (enum order)order);
		if (order + 1 < ORDERS) {
			assert_int_equal(bed_teardown(state), 0);
			assert_int_equal(bed_setup(state), 0);
		}
	}
	free(w);
}

/* What is counted wrong is counted anew when it shows, and nothing is refused for it. */
static void wrong_counts_heal(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct bed *b = *state;

	w->b = b;
	ch_rand_seeded_init(&w->seeded, 9);
	w->rand = ch_rand_seeded_of(&w->seeded);
	put_all(w, UPWARD);
	b->store->ops->reader_close(b->reader);
	assert_int_equal(sqlite3_exec(sqlite_of_bed(b)->conn.db,
					 "UPDATE stretch SET counts = zeroblob(40) WHERE counts IS NOT NULL",
					 NULL, NULL, NULL),
			SQLITE_OK);
	assert_int_equal(b->store->ops->reader_open(b->store, &b->reader, NULL), 0);
	bed_restart(b);
	erase_most(w, 10);
	check_some(w);
	free(w);
}

/* What a program of the version before lists had, and before what came after them. */
static void take_lists_away(const struct bed *b)
{
	static const char sql[] = "DROP TABLE listed; DROP TABLE listed_phone; DROP TABLE stretch; "
				  "DROP TABLE tally; DROP TABLE agent; ALTER TABLE mark DROP COLUMN list_at; "
				  "DROP INDEX call_feed; DROP TABLE feed_purged; "
				  "ALTER TABLE mark DROP COLUMN store_id; "
				  "UPDATE call_version SET body = CAST('not a record \"created\":"
				  "\"2024-07-30T14:35:00Z\"}' AS BLOB) WHERE seq = 40; "
				  "PRAGMA user_version = 9";

	b->store->ops->reader_close(b->reader);
	assert_int_equal(sqlite3_exec(sqlite_of_bed(b)->conn.db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* It has more versions than one step enters, replaced and erased ones among them, and a record that can't be
 * read. */
static void a_database_without_lists_gets_them(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct call_spec again = {.call = 7, .agent = 1, .status = CALL_FAILED, .note = 3};
	struct bed *b = *state;
	struct store_request r;

	w->b = b;
	ch_rand_seeded_init(&w->seeded, 9);
	w->rand = ch_rand_seeded_of(&w->seeded);
	put_all(w, SHUFFLED);
	ask_put(b, &r, &again);
	assert_int_equal(serve_drop(b, &r), 0);
	w->calls[7] = (struct call){.n = 7,
			.agent = 1,
			.status = CALL_FAILED,
			.order = CALLS + 1,
			.created_s = w->calls[7].created_s};
	erase_most(w, 2);
	assert_int_not_equal(w->calls[38].order, 0);
	w->calls[39].order = 0;
	take_lists_away(b);
	store_close(&b->store);
	struct store_conf conf = bed_conf(b);
	char path[128];
	snprintf(path, sizeof(path), "%s/store.db", b->dir);
	assert_int_equal(store_sqlite_open(path, &conf, &b->store, NULL), 0);
	assert_int_equal(b->store->ops->reader_open(b->store, &b->reader, NULL), 0);
	check_some(w);
	assert_int_equal(count_of(b, "SELECT list_at FROM mark"), -1);
	assert_int_equal(count_of(b, "SELECT count(*) FROM agent"), 2);
	bed_restart(b);
	check_some(w);
	free(w);
}

int sqlite_stretch_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					stretches_are_cut_and_dropped, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(wrong_counts_heal, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(
					a_database_without_lists_gets_them, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests_name("sqlite stretches", tests, NULL, NULL);
}
