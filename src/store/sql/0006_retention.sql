-- What is older than retention is removed: a call with all of its versions and deliveries, and attempts.
-- Of a call that was erased a mark stays in call_version: the tombstone with its seq made negative (no walk along
-- the commits comes by it) as version 1, without agent.

-- What the ledger counts of a webhook beyond the deliveries that are there.
CREATE TABLE removed (
	webhook INTEGER PRIMARY KEY,
	delivered INTEGER NOT NULL,
	failed INTEGER NOT NULL,
	canceled INTEGER NOT NULL
) STRICT;

-- The greatest number of an attempt that was removed before its delivery: none above it may be missing.
ALTER TABLE mark ADD COLUMN removed_attempt INTEGER NOT NULL DEFAULT 0;
