-- The feed of finished calls: an account's versions in the order of the commits. 0: IN_PROGRESS. The rows of
-- one account lie in it by seq, which is the rowid.

CREATE INDEX call_feed ON call_version (account) WHERE status <> 0;

-- What is a place in this store's feed and what is not is told apart by it. Empty: it gets one when it is opened.
ALTER TABLE mark ADD COLUMN store_id BLOB NOT NULL DEFAULT x'';

-- The greatest seq of a finished version that retention has removed; no row: none. Who has not come further
-- in the feed has missed something.
CREATE TABLE feed_purged (
	account INTEGER PRIMARY KEY,
	seq INTEGER NOT NULL
) STRICT;
