#include <stdio.h>

#include "model/delivery.h"
#include "test_store_sqlite.h"

/* The numbers that the migrations have in their text. */
_Static_assert(DELIVERY_PENDING == 0 && DELIVERY_DELIVERED == 2, "as in 0001_start.sql");
_Static_assert(DELIVERY_FAILED == 3 && DELIVERY_PARKED == 4 && DELIVERY_CANCELED == 5,
		"as in 0001_start.sql");

_Static_assert(CALL_IN_PROGRESS == 0, "as in 0011_feed.sql");

_Static_assert(RULES_TASK_NONE == 0 && RULES_TASK_FOLLOW == 1 && RULES_TASK_RELEASE == 2,
		"as in 0002_rounds.sql");

/* No statement may walk a whole table that grows with the calls. */
static const char *const growing[] = {"SCAN call_version", "SCAN delivery", "SCAN attempt", "SCAN listed",
		"SCAN listed_phone", "SCAN stretch", "SCAN d", "SCAN c", "SCAN l", "SCAN v", "SCAN history"};

static bool is_growing(const char *detail)
{
	for (size_t i = 0; i < sizeof(growing) / sizeof(growing[0]); i++) {
		size_t len = strlen(growing[i]);

		if (strncmp(detail, growing[i], len) == 0 && (detail[len] == '\0' || detail[len] == ' '))
			return true;
	}
	return false;
}

/* How many lines of the plan of sql walk a whole table. */
static int count_walks(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *plan = NULL;
	char text[2000];
	int walks = 0;

	snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", sql);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &plan, NULL), SQLITE_OK);
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(plan, 3);

		if (is_growing(detail)) {
			print_message("%s\n  in %s\n", detail, sql);
			walks++;
		}
	}
	sqlite3_finalize(plan);
	return walks;
}

/* What is kept is looked up by its state exactly: an index walked from FAILED on to reach what is parked
 * would stall the writer with every chunk of a sweep. */
static int count_ranges(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *plan = NULL;
	char text[2000];
	int ranges = 0;

	snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", sql);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &plan, NULL), SQLITE_OK);
	while (sqlite3_step(plan) == SQLITE_ROW)
		ranges += strstr((const char *)sqlite3_column_text(plan, 3), "state>") != NULL;
	sqlite3_finalize(plan);
	return ranges;
}

static void check_all(struct sq_conn *c)
{
	int checked = 0;

	for (int i = SQ_CALL_LATEST; i < SQ_STMT_COUNT; i++) {
		if (c->stmts[i] == NULL)
			continue;
		assert_int_equal(count_walks(c->db, sqlite3_sql(c->stmts[i])), 0);
		assert_int_equal(count_ranges(c->db, sqlite3_sql(c->stmts[i])), 0);
		checked++;
	}
	assert_true(checked > 15);
}

static void no_statement_walks_a_whole_table(void **state)
{
	struct bed *b = *state;

	check_all(&sqlite_of_bed(b)->conn);
	check_all(&((struct sq_reader *)b->reader)->conn);
}

static void the_check_itself_can_fail(void **state)
{
	sqlite3 *db = sqlite_of_bed(*state)->conn.db;

	assert_int_equal(count_walks(db, "SELECT * FROM delivery WHERE created_ms > 7"), 1);
	assert_int_equal(count_walks(db, "SELECT d.state FROM delivery d WHERE d.created_ms > 7"), 1);
	assert_int_equal(count_ranges(db, "SELECT key FROM delivery INDEXED BY delivery_kept "
					  "WHERE webhook = 1 AND state = 4 AND state > 2 ORDER BY key"),
			1);
}

int sqlite_plan_tests(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					no_statement_walks_a_whole_table, bed_setup, bed_teardown),
			cmocka_unit_test_setup_teardown(the_check_itself_can_fail, bed_setup, bed_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
