/* store/store_sqlite_sql.h - the statements of the SQLite store, as text; for store_sqlite_conn.c only.
 *
 * Role:      every statement but those of the migrations and the settings of a connection stands here,
 *            each with the kinds of connection that prepare it.
 * Source:    the tables are those of src/store/sql.
 */
#ifndef CH_STORE_STORE_SQLITE_SQL_H
#define CH_STORE_STORE_SQLITE_SQL_H

#include "store/store_sqlite.h"

enum { SQ_WRITER = 1, SQ_READER = 2, SQ_BOTH = 3 };

struct sq_sql {
	const char *text;
	int who;
};

#define HOOK_COLUMNS                                                                                         \
	"w.number, w.id, w.account, w.revision, w.url, w.name, w.enabled, w.disabled_reason, w.settings, "   \
	"w.secret, w.created_ms, w.deleted, w.sweep, "                                                       \
	"l.accepted, l.pending, l.delivered, l.failed, l.parked, l.canceled, "                               \
	"l.quiet_until_ms, l.quiet_status, l.streak_since_ms, l.streak_attempts, l.streak_delivery, "        \
	"l.streak_others, w.next_secret, w.rotation_started_ms, w.rotation_ends_ms, l.dropped, "
#define HOOK_TABLES " FROM webhook w JOIN ledger l ON l.webhook = w.number "

#define LEDGER_VALUES                                                                                        \
	"accepted = ?2, pending = ?3, delivered = ?4, failed = ?5, parked = ?6, canceled = ?7, "             \
	"quiet_until_ms = ?8, quiet_status = ?9, streak_since_ms = ?10, streak_attempts = ?11, "             \
	"streak_delivery = ?12, streak_others = ?13, dropped = ?14"

/* Without its last part, which is always true, SQLite takes all of the index from state 3 on: it would walk
 * over every FAILED row with each chunk, and sort all that it finds. */
#define IS_PARKED "state = 4 AND state > 2 AND key BETWEEN 0 AND 9223372036854775807"

/* How many rows at either end a probe looks at for one that was never tried. */
#define PROBE_ROWS "256"

/* 2..3 keys, 4 an id that the rows are before, 5..6 when made. */
#define LIST_WHERE                                                                                           \
	"WHERE webhook = ?1 AND key BETWEEN ?2 AND ?3 AND id < ?4 AND created_ms BETWEEN ?5 AND ?6 "
#define LIST_ORDER " ORDER BY key DESC LIMIT ?8"

#define REPLAY_COLUMNS                                                                                       \
	"SELECT p.number, p.id, w.id, w.account, w.enabled, w.deleted, p.state, p.from_ms, p.to_ms, "        \
	"p.statuses, p.states, p.missing, p.rate, p.created_ms, p.finished_ms, p.reason, p.examined, "       \
	"p.resent, p.made, p.skipped, p.at_key, p.stop_key, p.at_seq, p.stop_seq, p.next_ms, w.number "      \
	"FROM replay p JOIN webhook w ON w.number = p.webhook "

/* 1 a list, 2..3 the place from which, 4..5 up to which. */
#define WALK_WHERE                                                                                           \
	"FROM listed WHERE list = ?1 AND (created_s, seq) >= (?2, ?3) AND (created_s, seq) < (?4, ?5)"
#define WALK_PHONE                                                                                           \
	"SELECT seq, agent_list FROM listed_phone "                                                          \
	"WHERE account = ?1 AND phone = ?2 AND created_s BETWEEN ?3 AND ?4 "
#define TIMES_16(text)                                                                                       \
	text "," text "," text "," text "," text "," text "," text "," text "," text "," text "," text       \
	     "," text "," text "," text "," text "," text

static const struct sq_sql sq_sqls[SQ_STMT_COUNT] = {
		[SQ_BEGIN] = {"BEGIN IMMEDIATE", SQ_WRITER},
		[SQ_BEGIN_READ] = {"BEGIN", SQ_READER},
		[SQ_COMMIT] = {"COMMIT", SQ_BOTH},
		[SQ_ROLLBACK] = {"ROLLBACK", SQ_BOTH},

		[SQ_CALL_LATEST] = {"SELECT seq, n, status, body FROM call_version "
				    "WHERE account = ?1 AND call_id = ?2 ORDER BY n DESC LIMIT 1",
				SQ_BOTH},
		[SQ_CALL_INSERT] = {"INSERT INTO call_version (seq, account, call_id, n, status, agent, "
				    "accepted_ms, "
				    "first_delivery, last_delivery, body) "
				    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
				SQ_WRITER},
		/* Of an erased call the last version is the tombstone, and the earlier ones are empty too. */
		[SQ_CALL_FEED] = {"SELECT seq, call_id, n, accepted_ms, body, length(body) = 0 AND EXISTS "
				  "(SELECT 1 FROM call_version v WHERE v.account = c.account AND v.call_id = "
				  "c.call_id AND v.n > c.n) FROM call_version c INDEXED BY call_feed "
				  "WHERE account = ?1 AND seq > ?2 AND status <> 0 ORDER BY seq",
				SQ_READER},
		[SQ_CALL_FEED_END] = {"SELECT seq FROM call_version INDEXED BY call_feed "
				      "WHERE account = ?1 AND status <> 0 ORDER BY seq DESC LIMIT 1",
				SQ_READER},
		[SQ_CALL_FEED_MARKS] = {"SELECT max(coalesce((SELECT max(seq) FROM call_version), 0), "
					"last_call), (SELECT seq FROM feed_purged WHERE account = ?1), "
					"store_id FROM mark",
				SQ_READER},
		[SQ_STORE_NAME] = {"UPDATE mark SET store_id = ?1 WHERE length(store_id) = 0", SQ_WRITER},
		[SQ_CALL_SPANS] = {"SELECT seq, first_delivery, last_delivery FROM call_version "
				   "WHERE account = ?1 AND call_id = ?2 AND first_delivery IS NOT NULL",
				SQ_READER},

		[SQ_ERASE_LATEST] = {"SELECT n, status, agent, body, seq FROM call_version "
				     "WHERE account = ?1 AND call_id = ?2 ORDER BY n DESC LIMIT 1",
				SQ_WRITER},
		[SQ_ERASE_SPANS] = {"SELECT seq, first_delivery, last_delivery FROM call_version "
				    "WHERE account = ?1 AND call_id = ?2 AND first_delivery IS NOT NULL",
				SQ_WRITER},
		[SQ_ERASE_DELIVERIES] = {"SELECT d.key, d.state, d.last_attempt, d.id, w.id FROM webhook w "
					 "CROSS JOIN delivery d ON d.webhook = w.number "
					 "AND d.key BETWEEN ?2 AND ?3 WHERE w.account = ?1 AND d.call = ?4",
				SQ_WRITER},
		[SQ_ERASE_CANCEL] = {"UPDATE delivery SET state = ?3, at_ms = ?4, reason = ?5 "
				     "WHERE webhook = ?1 AND key = ?2",
				SQ_WRITER},
		[SQ_ERASE_ANSWER] = {"UPDATE attempt SET answer = NULL, location = NULL "
				     "WHERE number = ?1 AND delivery = ?2 RETURNING previous, id",
				SQ_WRITER},
		[SQ_ERASE_BODIES] = {"UPDATE call_version SET digest = sha256(body), body = zeroblob(0) "
				     "WHERE account = ?1 AND call_id = ?2",
				SQ_WRITER},

		[SQ_KEEP_HOOKS] =
				{"SELECT number, id FROM webhook WHERE number > ?1 ORDER BY number LIMIT ?2",
						SQ_WRITER},
		[SQ_KEEP_PARKED] = {"UPDATE delivery SET state = ?2, at_ms = ?3, reason = ?4 "
				    "WHERE webhook = ?1 AND key IN (SELECT key FROM delivery INDEXED BY "
				    "delivery_kept WHERE webhook = ?1 AND state = 4 AND state > 2 AND key "
				    "BETWEEN 0 AND ?5 LIMIT ?6)",
				SQ_WRITER},
		[SQ_KEEP_CALLS] = {"SELECT seq, account, call_id, n, accepted_ms, length(body) = 0, "
				   "status <> 0 FROM call_version WHERE seq > ?1 ORDER BY seq LIMIT ?2",
				SQ_WRITER},
		[SQ_KEEP_LATER] =
				{"SELECT 1 FROM call_version WHERE account = ?1 AND call_id = ?2 AND n > ?3 "
				 "LIMIT 1",
						SQ_WRITER},
		[SQ_KEEP_DELIVERIES] = {"SELECT d.webhook, d.key, d.call, d.state, d.at_ms, d.last_attempt "
					"FROM webhook w CROSS JOIN delivery d ON d.webhook = w.number "
					"AND d.key BETWEEN ?2 AND ?3 WHERE w.account = ?1",
				SQ_WRITER},
		[SQ_KEEP_COUNT] = {"INSERT INTO removed (webhook, delivered, failed, canceled) "
				   "VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET "
				   "delivered = delivered + excluded.delivered, "
				   "failed = failed + excluded.failed, canceled = canceled + "
				   "excluded.canceled",
				SQ_WRITER},
		[SQ_KEEP_VERSIONS] = {"DELETE FROM call_version WHERE account = ?1 AND call_id = ?2 AND n < "
				      "?3",
				SQ_WRITER},
		[SQ_KEEP_MARK] = {"UPDATE call_version SET seq = -seq, n = 1, agent = zeroblob(16) "
				  "WHERE seq = ?1",
				SQ_WRITER},
		[SQ_KEEP_PURGED] = {"INSERT INTO feed_purged (account, seq) VALUES (?1, ?2) "
				    "ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)",
				SQ_WRITER},
		[SQ_KEEP_ATTEMPTS] = {"SELECT number, delivery, started_ms FROM attempt WHERE number > ?1 "
				      "ORDER BY number LIMIT ?2",
				SQ_WRITER},
		[SQ_KEEP_REPLAYS] = {"DELETE FROM replay WHERE number IN (SELECT number FROM replay "
				     "WHERE state <> 0 AND finished_ms < ?1 LIMIT ?2)",
				SQ_WRITER},
		[SQ_LISTED_INSERT] = {"INSERT OR FAIL INTO listed (list, created_s, seq) VALUES (?, ?, ?)",
				SQ_WRITER},
		[SQ_LISTED_INSERT_16] = {"INSERT OR FAIL INTO listed (list, created_s, seq) VALUES " TIMES_16(
							 "(?, ?, ?)"),
				SQ_WRITER},
		[SQ_LISTED_DELETE] = {"DELETE FROM listed WHERE list = ?1 AND created_s = ?2 AND seq = ?3",
				SQ_WRITER},
		[SQ_PHONE_INSERT] = {"INSERT OR FAIL INTO listed_phone (account, phone, created_s, seq, "
				     "agent_list) "
				     "VALUES (?, ?, ?, ?, ?)",
				SQ_WRITER},
		[SQ_PHONE_INSERT_16] = {"INSERT OR FAIL INTO listed_phone (account, phone, created_s, seq, "
					"agent_list) VALUES " TIMES_16("(?, ?, ?, ?, ?)"),
				SQ_WRITER},
		[SQ_PHONE_DELETE] = {"DELETE FROM listed_phone WHERE account = ?1 AND phone = ?2 AND "
				     "created_s = ?3 AND seq = ?4",
				SQ_WRITER},
		[SQ_WALK_UP] = {"SELECT created_s, seq " WALK_WHERE " ORDER BY created_s, seq LIMIT ?6",
				SQ_BOTH},
		[SQ_WALK_DOWN] = {"SELECT created_s, seq " WALK_WHERE
				  " ORDER BY created_s DESC, seq DESC LIMIT ?6",
				SQ_READER},
		[SQ_WALK_COUNT] = {"SELECT count(*) " WALK_WHERE, SQ_BOTH},
		[SQ_WALK_PHONE_UP] = {WALK_PHONE "ORDER BY created_s, seq", SQ_READER},
		[SQ_WALK_PHONE_DOWN] = {WALK_PHONE "ORDER BY created_s DESC, seq DESC", SQ_READER},
		[SQ_LISTED_BODY] = {"SELECT body FROM call_version WHERE seq = ?1 AND account = ?2",
				SQ_READER},
		[SQ_TALLY_FIND] = {"SELECT number FROM tally WHERE account = ?1 AND agent = ?2", SQ_BOTH},
		[SQ_TALLY_INSERT] = {"INSERT INTO tally (account, agent) VALUES (?1, ?2)", SQ_WRITER},
		[SQ_STRETCHES] = {"SELECT created_s, seq, counts FROM stretch WHERE tally = ?1 AND "
				  "created_s >= coalesce((SELECT max(created_s) FROM stretch "
				  "WHERE tally = ?1 AND created_s < ?2), ?2) ORDER BY created_s, seq",
				SQ_BOTH},
		[SQ_STRETCH_SET] = {"INSERT OR REPLACE INTO stretch (tally, created_s, seq, counts) "
				    "VALUES (?1, ?2, ?3, ?4)",
				SQ_WRITER},
		[SQ_STRETCH_DELETE] = {"DELETE FROM stretch WHERE tally = ?1 AND created_s = ?2 AND seq = ?3",
				SQ_WRITER},
		[SQ_AGENT_SEEN] = {"INSERT INTO agent (account, id, name) VALUES (?1, ?2, ?3) "
				   "ON CONFLICT DO NOTHING",
				SQ_WRITER},
		[SQ_AGENT_NAME] = {"INSERT INTO agent (account, id, name) VALUES (?1, ?2, ?3) "
				   "ON CONFLICT (account, id) DO UPDATE SET name = ?3",
				SQ_WRITER},
		[SQ_AGENT_FORGET] = {"DELETE FROM agent WHERE account = ?1 AND id = ?2", SQ_WRITER},
		[SQ_AGENT_COUNT] = {"SELECT count(*) FROM agent WHERE account = ?1", SQ_READER},
		[SQ_AGENT_LIST] = {"SELECT id, name FROM agent INDEXED BY agent_name WHERE account = ?1 "
				   "ORDER BY name, id LIMIT ?2 OFFSET ?3",
				SQ_READER},
		[SQ_BUILD_AT] = {"SELECT list_at FROM mark", SQ_WRITER},
		[SQ_BUILD_AT_SET] = {"UPDATE mark SET list_at = ?1", SQ_WRITER},
		[SQ_BUILD_VERSIONS] =
				{"SELECT v.seq, v.account, v.body, EXISTS (SELECT 1 FROM call_version l "
				 "WHERE l.account = v.account AND l.call_id = v.call_id "
				 "AND l.n > v.n) FROM call_version v WHERE v.seq > ?1 ORDER BY v.seq",
						SQ_WRITER},

		[SQ_DELIVERY_INSERT] =
				{"INSERT INTO delivery (webhook, key, id, call, state, tries, attempts, "
				 "last_attempt, created_ms, at_ms, reason) "
				 "VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, 0, ?6, ?7, ?8)",
						SQ_WRITER},
		[SQ_DELIVERY_FIRST_TRY] =
				{"UPDATE delivery SET state = ?4, tries = ?5, attempts = 1, "
				 "last_attempt = ?6, at_ms = ?7, reason = ?8 "
				 "WHERE webhook = ?1 AND key = ?2 AND id = ?3 AND state = 0 AND attempts = 0 "
				 "AND round = ?9",
						SQ_WRITER},
		[SQ_DELIVERY_FIND] = {"SELECT id, state, tries, attempts, last_attempt, at_ms, reason, "
				      "round, delivered_before, (SELECT length(body) = 0 FROM "
				      "call_version WHERE seq = call) FROM delivery "
				      "WHERE webhook = ?1 AND key = ?2",
				SQ_WRITER},
		[SQ_DELIVERY_SET] = {"UPDATE delivery SET state = ?3, tries = ?4, attempts = ?5, "
				     "last_attempt = ?6, "
				     "at_ms = ?7, reason = ?8 WHERE webhook = ?1 AND key = ?2",
				SQ_WRITER},
		[SQ_SWEEP_PENDING] = {"UPDATE delivery SET state = ?2, at_ms = ?3, reason = ?4 "
				      "WHERE webhook = ?1 AND key IN (SELECT key FROM delivery INDEXED BY "
				      "delivery_due "
				      "WHERE webhook = ?1 AND state = 0 LIMIT ?5)",
				SQ_WRITER},
		[SQ_SWEEP_PARKED] = {"UPDATE delivery SET state = ?2, at_ms = ?3, reason = ?4 "
				     "WHERE webhook = ?1 AND key IN (SELECT key FROM delivery INDEXED BY "
				     "delivery_kept "
				     "WHERE webhook = ?1 AND " IS_PARKED " LIMIT ?5)",
				SQ_WRITER},
		[SQ_RELEASE] = {"UPDATE delivery SET state = 0, at_ms = ?3, reason = ?4, tries = ?2 "
				"WHERE webhook = ?1 AND key IN (SELECT key FROM delivery INDEXED BY "
				"delivery_kept "
				"WHERE webhook = ?1 AND " IS_PARKED " ORDER BY key LIMIT ?5)",
				SQ_WRITER},
		[SQ_DELIVERY_RESEND] = {"UPDATE delivery SET state = ?3, round = ?4, delivered_before = ?5, "
					"tries = ?6, at_ms = ?7, reason = ?8 WHERE webhook = ?1 AND key = ?2",
				SQ_WRITER},
		[SQ_REPLAY_INSERT] =
				{"INSERT INTO replay (id, webhook, state, from_ms, to_ms, statuses, states, "
				 "missing, rate, created_ms, finished_ms, at_key, stop_key, at_seq, "
				 "stop_seq, next_ms, examined, resent, made, skipped) VALUES (?1, ?2, 0, ?3, "
				 "?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, ?11, 0, ?12, 0, 0, 0, 0, 0) "
				 "ON CONFLICT DO NOTHING",
						SQ_WRITER},
		[SQ_REPLAY_BOUND] = {"SELECT coalesce(max(key), 0) FROM delivery WHERE webhook = ?1",
				SQ_WRITER},
		[SQ_REPLAY_READ] = {REPLAY_COLUMNS "WHERE p.id = ?1", SQ_BOTH},
		[SQ_REPLAY_SET] =
				{"UPDATE replay SET state = ?2, finished_ms = ?3, reason = ?4, at_key = ?5, "
				 "at_seq = ?6, next_ms = ?7, examined = ?8, resent = ?9, made = ?10, "
				 "skipped = ?11 WHERE number = ?1",
						SQ_WRITER},
		[SQ_REPLAY_ROWS] = {"SELECT d.key, d.state, d.created_ms, c.status, length(c.body), d.round, "
				    "d.delivered_before FROM delivery d CROSS JOIN call_version c "
				    "ON c.seq = d.call WHERE d.webhook = ?1 AND d.key > ?2 AND d.key <= ?3 "
				    "ORDER BY d.key LIMIT ?4",
				SQ_WRITER},
		[SQ_REPLAY_CALLS] = {"SELECT seq, status, accepted_ms, agent, call_id, "
				     "account = ?4 AND length(body) > 0, account = ?4 FROM call_version "
				     "WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
				SQ_WRITER},
		[SQ_REPLAY_SERVED] = {"SELECT 1 FROM call_version c WHERE c.account = ?2 AND c.call_id = ?3 "
				      "AND (c.seq > ?4 OR EXISTS (SELECT 1 FROM delivery d "
				      "WHERE d.webhook = ?1 AND d.key BETWEEN c.first_delivery AND "
				      "c.last_delivery AND d.call = c.seq)) LIMIT 1",
				SQ_WRITER},
		[SQ_REPLAY_LIST] = {REPLAY_COLUMNS "WHERE w.account = ?1 AND (?2 IS NULL OR w.id = ?2) "
						   "ORDER BY p.number DESC LIMIT 100",
				SQ_READER},
		[SQ_REPLAY_RUNNING] = {"SELECT id FROM replay WHERE state = 0 ORDER BY number", SQ_READER},
		[SQ_CALL_WIDEN] = {"UPDATE call_version SET first_delivery = coalesce(first_delivery, ?2), "
				   "last_delivery = ?2 WHERE seq = ?1",
				SQ_WRITER},
		[SQ_HAS_PENDING] = {"SELECT 1 FROM delivery INDEXED BY delivery_due "
				    "WHERE webhook = ?1 AND state = 0 LIMIT 1",
				SQ_WRITER},
		[SQ_HAS_PARKED] = {"SELECT 1 FROM delivery INDEXED BY delivery_kept "
				   "WHERE webhook = ?1 AND " IS_PARKED " LIMIT 1",
				SQ_WRITER},

		[SQ_ATTEMPT_INSERT] =
				{"INSERT INTO attempt (number, delivery, previous, id, started_ms, outcome, "
				 "status, "
				 "dns_us, connect_us, tls_us, first_byte_us, total_us, address, tls_version, "
				 "cert_end_s, detail, location, request_headers, answer) VALUES (?1, ?2, ?3, "
				 "?4, "
				 "?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
						SQ_WRITER},
		[SQ_ATTEMPT_LINK] = {"SELECT id, previous FROM attempt WHERE number = ?1 AND delivery = ?2",
				SQ_WRITER},
		[SQ_ATTEMPT_RELINK] = {"UPDATE attempt SET previous = ?2 WHERE number = ?1", SQ_WRITER},
		[SQ_ATTEMPT_READ] =
				{"SELECT previous, id, started_ms, outcome, status, dns_us, connect_us, "
				 "tls_us, "
				 "first_byte_us, total_us, address, tls_version, cert_end_s, detail, "
				 "location, "
				 "request_headers, answer FROM attempt WHERE number = ?1 AND delivery = ?2",
						SQ_READER},

		[SQ_HOOK_INSERT] = {"INSERT INTO webhook (number, id, account, revision, url, name, enabled, "
				    "disabled_reason, settings, secret, created_ms, deleted, sweep, "
				    "next_secret, rotation_started_ms, rotation_ends_ms) "
				    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?12, ?13, ?14, "
				    "?15)",
				SQ_WRITER},
		[SQ_HOOK_UPDATE] = {"UPDATE webhook SET id = ?2, account = ?3, revision = ?4, url = ?5, name "
				    "= ?6, "
				    "enabled = ?7, disabled_reason = ?8, settings = ?9, secret = ?10, "
				    "created_ms = ?11, "
				    "sweep = ?12, next_secret = ?13, rotation_started_ms = ?14, "
				    "rotation_ends_ms = ?15 WHERE number = ?1",
				SQ_WRITER},
		[SQ_HOOK_DELETE] = {"UPDATE webhook SET deleted = 1, sweep = 1, secret = NULL, next_secret = "
				    "NULL, rotation_started_ms = 0, rotation_ends_ms = 0, settings = '{}', "
				    "revision = revision + 1 WHERE number = ?1",
				SQ_WRITER},
		[SQ_HOOK_SWEPT] = {"UPDATE webhook SET sweep = 0 WHERE number = ?1", SQ_WRITER},
		[SQ_HOOK_ALL] = {"SELECT " HOOK_COLUMNS "0" HOOK_TABLES "WHERE w.deleted = 0 OR w.sweep <> 0",
				SQ_WRITER},
		[SQ_HOOK_GONE] = {"SELECT " HOOK_COLUMNS "0" HOOK_TABLES
				  "WHERE w.id = ?1 AND w.deleted = 1 AND w.sweep = 0",
				SQ_WRITER},
		[SQ_LAST_KEY] = {"SELECT coalesce(max((SELECT max(d.key) FROM delivery d "
				 "WHERE d.webhook = w.number)), 0) FROM webhook w",
				SQ_WRITER},
		[SQ_HOOK_BY_ID] = {"SELECT " HOOK_COLUMNS "0" HOOK_TABLES
				   "WHERE w.id = ?1 AND w.account = ?2 AND w.deleted = 0",
				SQ_READER},
		[SQ_HOOK_BY_ACCOUNT] = {"SELECT " HOOK_COLUMNS "0" HOOK_TABLES
					"WHERE w.account = ?1 AND w.deleted = 0 ORDER BY w.created_ms, w.id",
				SQ_READER},
		[SQ_HOOK_LIVE] = {"SELECT " HOOK_COLUMNS
				  "coalesce((SELECT min(d.at_ms) FROM delivery d INDEXED BY "
				  "delivery_due WHERE d.webhook = w.number AND d.state = 0), -1)" HOOK_TABLES
				  "WHERE w.deleted = 0 ORDER BY w.account, w.created_ms, w.id",
				SQ_READER},
		[SQ_HOOK_SWEEPS] = {"SELECT id FROM webhook WHERE sweep <> 0 ORDER BY number", SQ_READER},
		/* A delivery's key is its alone among all webhooks, so an attempt has one row here or none.
		 */
		[SQ_FEED_BOUND] = {"SELECT coalesce(max(number), 0), count(*) FROM (SELECT number FROM "
				   "attempt WHERE number > ?1 ORDER BY number LIMIT ?2)",
				SQ_READER},
		[SQ_FEED_ROWS] = {"SELECT a.number, a.id, d.id, w.id, c.call_id, a.started_ms, a.outcome, "
				  "a.status, a.total_us, d.state FROM attempt a "
				  "CROSS JOIN webhook w "
				  "CROSS JOIN delivery d ON d.webhook = w.number AND d.key = a.delivery "
				  "CROSS JOIN call_version c ON c.seq = d.call "
				  "WHERE a.number > ?1 AND a.number <= ?2 AND w.account = ?3 "
				  "AND (?4 IS NULL OR w.id = ?4) ORDER BY a.number LIMIT ?5",
				SQ_READER},
		[SQ_HOOK_PLACES] = {"SELECT w.number, l.pending, l.delivered, l.failed, l.parked, "
				    "l.canceled" HOOK_TABLES
				    "WHERE w.account = ?1 AND (?2 IS NULL OR w.id = ?2)",
				SQ_READER},

		[SQ_LEDGER_INSERT] =
				{"INSERT INTO ledger (webhook, accepted, pending, delivered, failed, parked, "
				 "canceled) VALUES (?1, 0, 0, 0, 0, 0, 0)",
						SQ_WRITER},
		[SQ_LEDGER_SET] = {"UPDATE ledger SET " LEDGER_VALUES " WHERE webhook = ?1", SQ_WRITER},
		[SQ_LEDGER_SET_ALL] = {"UPDATE ledger SET " LEDGER_VALUES
				       ", minute_s = ?15, minute_attempts = "
				       "?16, minute_delivered = ?17, minute_latency = ?18 WHERE webhook = ?1",
				SQ_WRITER},
		[SQ_LEDGER_SUM] =
				{"SELECT coalesce(sum(l.accepted), 0), coalesce(sum(l.pending), 0), "
				 "coalesce(sum(l.delivered), 0), coalesce(sum(l.failed), 0), "
				 "coalesce(sum(l.parked), 0), coalesce(sum(l.canceled), 0), "
				 "coalesce(min((SELECT min(d.at_ms) FROM delivery d INDEXED BY "
				 "delivery_due WHERE d.webhook = w.number AND d.state = 0)), -1)" HOOK_TABLES
				 "WHERE iif(?1 = 0, w.account > 0, w.account = ?1)",
						SQ_READER},
		[SQ_MARKS] = {"SELECT max(coalesce((SELECT max(seq) FROM call_version), 0), last_call), "
			      "max(coalesce((SELECT max(number) FROM attempt), 0), last_attempt), "
			      "coalesce((SELECT max(number) FROM webhook), 0), id_ahead_ms, last_call, "
			      "last_attempt, removed_attempt FROM mark",
				SQ_BOTH},
		[SQ_MARK_SET] = {"UPDATE mark SET id_ahead_ms = ?1, last_call = ?2, last_attempt = ?3, "
				 "removed_attempt = ?4",
				SQ_WRITER},

		[SQ_ACCOUNT_INSERT] = {"INSERT INTO account (id, key1, key2, created_ms, name) "
				       "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
				SQ_WRITER},
		[SQ_ACCOUNT_ALL] = {"SELECT number, id, key1, key2, created_ms, name, key1_ms, key2_ms "
				    "FROM account WHERE state = 0 ORDER BY number",
				SQ_READER},
		[SQ_ACCOUNT_SET] =
				{"UPDATE account SET key1 = coalesce(?3, key1), key2 = coalesce(?4, key2), "
				 "key1_ms = iif(?3 IS NULL, key1_ms, ?2), "
				 "key2_ms = iif(?4 IS NULL, key2_ms, ?2) WHERE number = ?1 AND state = 0",
						SQ_WRITER},
		[SQ_ACCOUNT_DELETE] =
				{"UPDATE account SET state = 1, key1 = zeroblob(32), key2 = zeroblob(32), "
				 "name = '' WHERE number = ?1 AND state = 0",
						SQ_WRITER},
		[SQ_ACCOUNT_CLOSED] = {"SELECT number FROM account WHERE state <> 0 ORDER BY number",
				SQ_WRITER},
		[SQ_ACCOUNT_PURGES] =
				{"SELECT number FROM account a WHERE state = 1 AND NOT EXISTS (SELECT 1 "
				 "FROM webhook w WHERE w.account IN (a.number, -a.number) AND w.sweep <> 0) "
				 "ORDER BY number",
						SQ_READER},
		[SQ_PURGE_WAITS] = {"SELECT 1 FROM webhook WHERE account IN (?1, -?1) AND sweep <> 0 LIMIT 1",
				SQ_WRITER},
		[SQ_PURGE_NEXT] = {"SELECT d.webhook, d.key, d.last_attempt FROM webhook w CROSS JOIN "
				   "delivery d ON d.webhook = w.number WHERE w.account = ?1 AND w.number >= "
				   "?2 ORDER BY w.number LIMIT 1",
				SQ_WRITER},
		[SQ_PURGE_DELIVERY] = {"DELETE FROM delivery WHERE webhook = ?1 AND key = ?2", SQ_WRITER},
		[SQ_PURGE_ATTEMPT] = {"DELETE FROM attempt WHERE number = ?1 AND delivery = ?2 "
				      "RETURNING previous",
				SQ_WRITER},
		[SQ_PURGE_CALLS] = {"DELETE FROM call_version WHERE seq IN (SELECT seq FROM call_version "
				    "WHERE account = ?1 LIMIT ?2)",
				SQ_WRITER},
		[SQ_PURGE_LISTED] = {"DELETE FROM listed WHERE (list, created_s, seq) IN ("
				     "SELECT l.list, l.created_s, l.seq FROM tally t CROSS JOIN listed l ON "
				     "l.list BETWEEN t.number * 32 AND t.number * 32 + 31 "
				     "WHERE t.account = ?1 LIMIT ?2)",
				SQ_WRITER},
		[SQ_PURGE_PHONES] = {"DELETE FROM listed_phone WHERE (account, phone, created_s, seq) IN ("
				     "SELECT account, phone, created_s, seq FROM listed_phone "
				     "WHERE account = ?1 LIMIT ?2)",
				SQ_WRITER},
		[SQ_PURGE_STRETCHES] = {"DELETE FROM stretch WHERE (tally, created_s, seq) IN ("
					"SELECT x.tally, x.created_s, x.seq FROM tally t "
					"CROSS JOIN stretch x ON x.tally = t.number "
					"WHERE t.account = ?1 LIMIT ?2)",
				SQ_WRITER},
		[SQ_PURGE_TALLIES] = {"DELETE FROM tally WHERE number IN (SELECT number FROM tally "
				      "WHERE account = ?1 LIMIT ?2)",
				SQ_WRITER},
		[SQ_PURGE_AGENTS] = {"DELETE FROM agent WHERE account = ?1 AND id IN (SELECT id FROM agent "
				     "WHERE account = ?1 LIMIT ?2)",
				SQ_WRITER},
		[SQ_PURGE_AUDIT] = {"DELETE FROM audit WHERE number IN (SELECT number FROM audit "
				    "WHERE account = ?1 LIMIT ?2)",
				SQ_WRITER},
		[SQ_PURGE_HOOKS] = {"UPDATE webhook SET url = '', name = '', disabled_reason = NULL "
				    "WHERE account IN (?1, -?1)",
				SQ_WRITER},
		[SQ_PURGE_DONE] = {"UPDATE account SET state = 2, id = '~' || number WHERE number = ?1",
				SQ_WRITER},

		[SQ_AUDIT_INSERT] =
				{"INSERT INTO audit (account, at_ms, actor, address, action, target_kind, "
				 "target_id, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
						SQ_WRITER},
		[SQ_AUDIT_LIST] = {"SELECT number, at_ms, actor, address, action, target_kind, target_id, "
				   "detail FROM audit WHERE account = ?1 AND number < ?2 "
				   "ORDER BY number DESC LIMIT ?3",
				SQ_READER},
		[SQ_SPENT_INSERT] =
				{"INSERT INTO spent (id, until_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
						SQ_WRITER},
		[SQ_SPENT_FORGET] = {"DELETE FROM spent WHERE until_ms < ?1", SQ_WRITER},
		[SQ_SPENT_ALL] = {"SELECT id, until_ms FROM spent ORDER BY id", SQ_READER},

		[SQ_HISTORY_ADD] =
				{"INSERT INTO history (step, start, webhook, attempts, delivered, latency) "
				 "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET "
				 "attempts = attempts + excluded.attempts, "
				 "delivered = delivered + excluded.delivered, "
				 "latency = latency_merge(latency, excluded.latency)",
						SQ_WRITER},
		[SQ_HISTORY_OPEN] = {"SELECT minute_s, minute_attempts, minute_delivered, minute_latency "
				     "FROM ledger WHERE webhook = ?1",
				SQ_BOTH},
		[SQ_HISTORY_SET] =
				{"UPDATE ledger SET minute_s = ?2, minute_attempts = ?3, minute_delivered = "
				 "?4, minute_latency = ?5 WHERE webhook = ?1",
						SQ_WRITER},
		[SQ_HISTORY_CLOSE] =
				{"UPDATE ledger SET minute_s = 0, minute_attempts = 0, minute_delivered = "
				 "0, minute_latency = NULL WHERE webhook = ?1",
						SQ_WRITER},
		[SQ_HISTORY_PURGE] =
				{"DELETE FROM history WHERE step = ?1 AND (start, webhook) IN (SELECT start, "
				 "webhook FROM history WHERE step = ?1 AND start < ?2 ORDER BY start, "
				 "webhook "
				 "LIMIT ?3)",
						SQ_WRITER},
		[SQ_HISTORY_NEXT] = {"SELECT start FROM history WHERE step = ?1 AND start > ?2 "
				     "ORDER BY start LIMIT 1",
				SQ_BOTH},
		[SQ_HISTORY_DROP] = {"DELETE FROM history WHERE step = ?1 AND start = ?2 AND webhook = ?3",
				SQ_WRITER},
		[SQ_HISTORY_HOOK] = {"SELECT number FROM webhook WHERE id = ?1 AND account = ?2 AND deleted "
				     "= 0",
				SQ_READER},
		[SQ_HISTORY_ROW] = {"SELECT attempts, delivered, latency FROM history "
				    "WHERE step = ?1 AND start = ?2 AND webhook = ?3",
				SQ_READER},
		[SQ_BACKLOG] = {"SELECT at_ms, key, webhook FROM delivery INDEXED BY delivery_due WHERE "
				"webhook = ?1 AND state = 0 AND (at_ms, key) > (?2, ?3) ORDER BY at_ms, key "
				"LIMIT ?4",
				SQ_READER},
		[SQ_BACKLOG_ALL] = {"SELECT at_ms, key, webhook FROM delivery INDEXED BY delivery_due WHERE "
				    "state = 0 AND (webhook, at_ms, key) > (?1, ?2, ?3) "
				    "ORDER BY webhook, at_ms, key LIMIT ?4",
				SQ_READER},
		[SQ_EVENT_ACCOUNT] = {"SELECT id FROM account WHERE number = ?1", SQ_WRITER},
		[SQ_EVENT_DELIVERY] = {"SELECT c.call_id, d.attempts FROM delivery d CROSS JOIN call_version "
				       "c ON c.seq = d.call WHERE d.webhook = ?1 AND d.key = ?2",
				SQ_WRITER},

		[SQ_HOOK_NUMBER] = {"SELECT number FROM webhook WHERE id = ?1", SQ_READER},
		[SQ_CLAIM_DUE] = {"SELECT key FROM delivery INDEXED BY delivery_due "
				  "WHERE webhook = ?1 AND state = 0 AND at_ms <= ?2 ORDER BY at_ms, key",
				SQ_READER},
		[SQ_CLAIM_LATER] = {"SELECT key, at_ms FROM delivery INDEXED BY delivery_due "
				    "WHERE webhook = ?1 AND state = 0 AND at_ms > ?2 ORDER BY at_ms, key",
				SQ_READER},
		[SQ_PROBE_DUE] = {"SELECT key FROM (SELECT key, attempts FROM delivery INDEXED BY "
				  "delivery_due "
				  "WHERE webhook = ?1 AND state = 0 ORDER BY at_ms, key LIMIT " PROBE_ROWS
				  ") "
				  "WHERE (?3 = 0 OR attempts = 0) AND key <> ?2 LIMIT 1",
				SQ_READER},
		[SQ_PROBE_NEW] = {"SELECT key FROM (SELECT key, attempts, state FROM delivery "
				  "WHERE webhook = ?1 ORDER BY key DESC LIMIT " PROBE_ROWS ") "
				  "WHERE state = 0 AND attempts = 0 AND key <> ?2 LIMIT 1",
				SQ_READER},
		[SQ_PROBE_TRIED] = {"SELECT key FROM delivery INDEXED BY delivery_tried "
				    "WHERE webhook = ?1 AND state = 0 AND attempts > 0 AND key <> ?2 "
				    "ORDER BY last_attempt LIMIT 1",
				SQ_READER},
		[SQ_DELIVERY_PLACE] =
				{"SELECT w.number, w.id FROM webhook w CROSS JOIN delivery d "
				 "ON d.webhook = w.number AND d.key = ?2 WHERE w.account = ?1 AND d.id = ?3",
						SQ_BOTH},
		[SQ_DELIVERY_ROW] =
				{"SELECT d.id, w.account, w.id, c.call_id, c.n, c.status, d.state, d.tries, "
				 "d.attempts, "
				 "d.created_ms, d.at_ms, d.reason, d.last_attempt, c.body, d.round, "
				 "d.delivered_before, length(c.body) = 0 FROM delivery d "
				 "CROSS JOIN webhook w ON w.number = d.webhook "
				 "CROSS JOIN call_version c ON c.seq = d.call WHERE d.webhook = ?1 AND d.key "
				 "= ?2",
						SQ_BOTH},

		[SQ_DELIVERY_BYTES] = {"SELECT c.body, c.digest FROM delivery d CROSS JOIN call_version c "
				       "ON c.seq = d.call WHERE d.webhook = ?1 AND d.key = ?2",
				SQ_READER},

		[SQ_LIST_ALONG] = {"SELECT key, (?7 >> state) & 1 AND id < ?4 AND created_ms BETWEEN ?5 AND "
				   "?6 FROM delivery WHERE webhook = ?1 AND key BETWEEN ?2 AND ?3 "
				   "ORDER BY key DESC",
				SQ_READER},
		[SQ_LIST_PENDING] = {"SELECT key FROM delivery INDEXED BY delivery_due " LIST_WHERE
				     "AND state = 0" LIST_ORDER,
				SQ_READER},
		[SQ_LIST_KEPT] = {"SELECT key FROM delivery INDEXED BY delivery_kept " LIST_WHERE
				  "AND state = ?7 AND state > 2" LIST_ORDER,
				SQ_READER},
		[SQ_LIST_CALL] = {"SELECT key FROM delivery " LIST_WHERE
				  "AND (?7 >> state) & 1 AND call = ?9" LIST_ORDER,
				SQ_READER},
};

#endif
