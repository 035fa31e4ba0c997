/* store/store_sqlite_fsck_sql.h - the statements of the check, as text; for store_sqlite_fsck.c only.
 *
 * Source:    the tables are those of src/store/sql.
 */
#ifndef CH_STORE_STORE_SQLITE_FSCK_SQL_H
#define CH_STORE_STORE_SQLITE_FSCK_SQL_H

#include "store/store_sqlite_fsck.h"

static const char *const fsck_sqls[FSCK_STMT_COUNT] = {
		[FSCK_INTEGRITY] = "PRAGMA integrity_check(100)",
		[FSCK_MARKS] = "SELECT id_ahead_ms, removed_attempt, list_at FROM mark",
		/* Rows that no walk from account to webhook to delivery comes by. The second steps from one
		 * webhook's first delivery to the next one's. */
		[FSCK_LOST_ROWS] =
				"SELECT 'webhook number ' || number, 'its account is not there' FROM webhook "
				"WHERE account <> 0 AND abs(account) NOT IN (SELECT number FROM account) "
				"UNION ALL SELECT 'webhook number ' || n, 'it is not there, but it has "
				"deliveries' FROM ("
				"WITH RECURSIVE h(n) AS (SELECT min(webhook) FROM delivery UNION ALL "
				"SELECT (SELECT min(webhook) FROM delivery WHERE webhook > h.n) FROM h "
				"WHERE h.n IS NOT NULL) SELECT n FROM h WHERE n IS NOT NULL) "
				"WHERE n NOT IN (SELECT number FROM webhook) "
				"UNION ALL SELECT 'webhook number ' || webhook, 'it is not there, but it has "
				"counts' "
				"FROM ledger WHERE webhook NOT IN (SELECT number FROM webhook) "
				"UNION ALL SELECT 'webhook number ' || webhook, 'it is not there, but rows "
				"of "
				"it were removed' FROM removed WHERE webhook NOT IN (SELECT number FROM "
				"webhook)",
		[FSCK_ATTEMPT_COUNT] = "SELECT count(*) FROM attempt",
		[FSCK_ACCOUNTS] = "SELECT number, id, length(key1), length(key2), state FROM account ORDER "
				  "BY number",
		[FSCK_VERSIONS] =
				"SELECT v.seq, v.account, v.call_id, v.n, v.status, v.agent, v.accepted_ms, "
				"v.first_delivery, v.last_delivery, v.body, a.number, a.state, v.digest "
				"FROM call_version v LEFT JOIN account a ON a.number = abs(v.account) ORDER "
				"BY "
				"v.seq",
		[FSCK_VERSION_BEFORE] = "SELECT seq, status, body FROM call_version "
					"WHERE account = ?1 AND call_id = ?2 AND n = ?3",
		[FSCK_VERSION_DELIVERY] = "SELECT 1 FROM webhook w CROSS JOIN delivery d "
					  "ON d.webhook = w.number AND d.key = ?2 "
					  "WHERE w.account = ?1 AND d.call = ?3",
		[FSCK_HOOKS] = "SELECT w.number, w.id, w.revision, w.enabled, w.deleted, w.sweep, "
			       "w.settings, "
			       "length(w.secret), length(w.url), l.webhook, l.accepted, l.pending, "
			       "l.delivered, "
			       "l.failed, l.parked, l.canceled, l.quiet_until_ms, l.streak_since_ms, "
			       "l.streak_attempts, length(l.streak_delivery), length(w.next_secret), "
			       "w.rotation_started_ms, w.rotation_ends_ms, m.delivered, m.failed, "
			       "m.canceled FROM webhook w LEFT JOIN ledger l "
			       "ON l.webhook = w.number LEFT JOIN removed m "
			       "ON m.webhook = w.number WHERE w.account = ?1 ORDER BY w.number",
		[FSCK_DELIVERIES] = "SELECT d.key, d.id, d.state, d.tries, d.attempts, d.last_attempt, "
				    "d.created_ms, d.at_ms, d.reason, d.round, d.delivered_before, v.seq, "
				    "v.account, "
				    "v.status, v.first_delivery, v.last_delivery, length(v.body) = 0 FROM "
				    "delivery d "
				    "LEFT JOIN call_version v ON v.seq = d.call "
				    "WHERE d.webhook = ?1 ORDER BY d.key",
		[FSCK_ATTEMPT] =
				"SELECT delivery, previous, id, outcome, status, length(answer) FROM attempt "
				"WHERE number = ?1",
		[FSCK_HISTORY] = "SELECT h.step, h.start, h.webhook, h.attempts, h.delivered, h.latency, "
				 "w.number IS NULL OR (w.deleted = 1 AND w.sweep = 0) FROM ("
				 "SELECT step, start, webhook, attempts, delivered, latency FROM history "
				 "UNION ALL SELECT 60, minute_s, webhook, minute_attempts, minute_delivered, "
				 "minute_latency FROM ledger WHERE minute_s <> 0) h "
				 "LEFT JOIN webhook w ON w.number = h.webhook",
		[FSCK_HISTORY_HOURS] =
				"SELECT m.webhook FROM (SELECT start - start % 3600 AS hour, webhook, "
				"sum(attempts) AS attempts, sum(delivered) AS delivered FROM history "
				"WHERE step = 60 GROUP BY 1, 2) m LEFT JOIN history h ON h.step = 3600 AND "
				"h.start = m.hour AND h.webhook = m.webhook WHERE h.attempts IS NULL OR "
				"m.attempts > h.attempts OR m.delivered > h.delivered",
		[FSCK_LISTED] = "SELECT (SELECT count(*) FROM tally t CROSS JOIN listed l ON l.list = "
				"t.number "
				"* 32 + ?5 AND l.created_s = ?3 AND l.seq = ?4 WHERE t.account = ?1 AND "
				"t.agent "
				"IN (x'', ?2)), (SELECT count(*) FROM listed_phone p CROSS JOIN tally t ON "
				"t.account = ?1 AND t.agent = ?2 WHERE p.account = ?1 AND p.phone = ?6 AND "
				"p.created_s = ?3 AND p.seq = ?4 AND p.agent_list = t.number * 32 + ?5)",
		[FSCK_TALLIES] = "SELECT t.number, t.agent = x'' OR EXISTS (SELECT 1 FROM agent a WHERE "
				 "a.account = t.account AND a.id = t.agent) FROM tally t WHERE t.account NOT "
				 "IN "
				 "(SELECT number FROM account WHERE state <> 0) ORDER BY t.number",
		[FSCK_STRETCHES] = "SELECT created_s, seq, counts FROM stretch WHERE tally = ?1 "
				   "ORDER BY created_s, seq",
		[FSCK_STRETCH_COUNT] = "SELECT count(*) FROM listed WHERE list = ?1 AND (created_s, seq) >= "
				       "(?2, ?3) AND (created_s, seq) < (?4, ?5)",
		[FSCK_LISTED_NUMBERS] =
				"SELECT (SELECT count(*) FROM listed) - (SELECT count(*) FROM account a "
				"CROSS "
				"JOIN tally t ON t.account = a.number CROSS JOIN listed l ON l.list BETWEEN "
				"t.number * 32 AND t.number * 32 + 31 WHERE a.state <> 0), (SELECT count(*) "
				"FROM "
				"listed_phone WHERE account NOT IN (SELECT number FROM account WHERE state "
				"<> "
				"0))",
};

#endif
