#include <stdio.h>

#include "base/assert.h"
#include "power.h"

extern const unsigned char *const store_sql_data[];

#define MADE_MS 1722350000000LL

/* What a program that knew only the first version left: a webhook with deliveries in every state, one that
 * was switched off and one that was deleted, neither swept yet. */
static const char webhooks_sql[] =
		"PRAGMA application_id = 0x63686f6b; PRAGMA user_version = 1;"
		"INSERT INTO account VALUES (1, 'default', zeroblob(32), zeroblob(32), 1722350000000);"
		"INSERT INTO webhook VALUES"
		" (1, x'77000000000040008000000000000001', 1, 3, 'https://example.com/a', 'A', 1, NULL, '{}',"
		"  x'0102', 1722350000000, 0, 0),"
		" (2, x'77000000000040008000000000000002', 1, 2, 'https://example.com/b', '', 0, 'words', "
		"'{}',"
		"  NULL, 1722350000001, 0, 1),"
		" (3, x'77000000000040008000000000000003', 1, 2, 'https://example.com/c', '', 1, NULL, '{}',"
		"  NULL, 1722350000002, 1, 1);"
		"INSERT INTO ledger VALUES (1, 5, 1, 1, 1, 1, 1), (2, 2, 2, 0, 0, 0, 0), (3, 1, 1, 0, 0, 0, "
		"0);"
		"UPDATE mark SET id_ahead_ms = 3;"
		"UPDATE webhook SET settings = '{\"agentIds\":[],\"statuses\":[\"COMPLETED\",\"FAILED\"],"
		"\"headers\":{},\"timeout\":15,\"concurrency\":32,\"rateLimit\":null}'";

struct old_delivery {
	int webhook;
	int state;
	int attempts;
	long long at_ms;
};

static const struct old_delivery olds[] = {
		{1, 0, 2, MADE_MS + 5000},
		{1, 2, 1, MADE_MS + 900},
		{1, 3, 1, MADE_MS + 800},
		{1, 4, 0, 0},
		{1, 5, 0, MADE_MS + 700},
		{2, 0, 0, MADE_MS + 6},
		{2, 0, 0, MADE_MS + 7},
		{3, 0, 1, MADE_MS + 8},
};

static void run(sqlite3 *db, const char *sql)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		fprintf(stderr, "power: version 1: %s\n", sqlite3_errmsg(db));
	CH_ASSERT(rc == SQLITE_OK);
}

static void add_call(sqlite3 *db, int i, long long key)
{
	char sql[512];

	snprintf(sql, sizeof(sql),
			"INSERT INTO call_version VALUES (%d, 1, x'6300000000004000800000000000%04x', 1, 2, "
			"x'61000000000040008000000000000000', %lld, %lld, %lld, "
			"CAST('{\"padding\":\"' || hex(zeroblob(%d)) || "
			"'\",\"created\":\"2024-07-30T14:33:20Z\"}' AS BLOB))",
			i, i, MADE_MS + i, key, key, i * 300);
	run(db, sql);
}

static void add_attempts(sqlite3 *db, int count, long long key, int *number)
{
	char sql[512];

	for (int i = 0; i < count; i++) {
		++*number;
		snprintf(sql, sizeof(sql),
				"INSERT INTO attempt VALUES (%d, %lld, %d, "
				"x'7400000000004000800000000000%04x', "
				"%lld, 0, 500, -1, -1, -1, 1500, 1500, NULL, NULL, 0, 'words', NULL, NULL, "
				"x'00ff')",
				*number, key, i == 0 ? 0 : *number - 1, *number, MADE_MS + *number);
		run(db, sql);
	}
}

static void add_delivery(sqlite3 *db, int i, const struct old_delivery *old, int *attempts)
{
	long long key = (MADE_MS + i) << 12;
	char sql[512];

	add_call(db, i, key);
	add_attempts(db, old->attempts, key, attempts);
	snprintf(sql, sizeof(sql),
			"INSERT INTO delivery VALUES (%d, %lld, x'%012llx70008000000000000001', %d, %d, %d, "
			"%d, "
			"%d, %lld, %lld, %s)",
			old->webhook, key, MADE_MS + i, i, old->state, old->attempts, old->attempts,
			old->attempts == 0 ? 0 : *attempts, MADE_MS + i, old->at_ms,
			old->state > 2 ? "'words'" : "NULL");
	run(db, sql);
}

void power_make_version_1(const char *path)
{
	sqlite3 *db = NULL;
	int attempts = 0;

	CH_ASSERT(sqlite3_open(path, &db) == SQLITE_OK);
	run(db, "PRAGMA journal_mode = WAL; BEGIN");
	run(db, (const char *)store_sql_data[0]);
	run(db, webhooks_sql);
	for (size_t i = 0; i < sizeof(olds) / sizeof(olds[0]); i++)
		add_delivery(db, (int)i + 1, &olds[i], &attempts);
	run(db, "COMMIT");
	CH_ASSERT(sqlite3_close(db) == SQLITE_OK);
}
