-- What became of the attempts at a webhook, counted in minutes (kept for two days) and in hours (kept for as
-- long as attempts are). Attempts from before this version are not in it.

-- By time first: all that is written now lies side by side, however many webhooks there are, and what is to be
-- removed lies at the beginning.
CREATE TABLE history (
	step INTEGER NOT NULL,      -- 60 or 3600
	start INTEGER NOT NULL,     -- seconds since the epoch, a multiple of step
	webhook INTEGER NOT NULL,   -- number
	attempts INTEGER NOT NULL,
	delivered INTEGER NOT NULL, -- of those
	latency BLOB NOT NULL,      -- policy/latency.h, packed
	PRIMARY KEY (step, start, webhook)
) STRICT, WITHOUT ROWID;

-- The minute that is counted now is in no row yet. It stands beside the counts because these are written
-- anyway, once a transaction, whenever an attempt ended.
ALTER TABLE ledger ADD COLUMN minute_s INTEGER NOT NULL DEFAULT 0; -- its start; 0: there is none
ALTER TABLE ledger ADD COLUMN minute_attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN minute_delivered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN minute_latency BLOB;
