-- Replays: jobs that go along a webhook's deliveries, and then along the calls, in steps. A step and its
-- place in the walk are one transaction. Times are ms since the epoch.

CREATE TABLE replay (
	number INTEGER PRIMARY KEY,
	id BLOB NOT NULL UNIQUE,
	webhook INTEGER NOT NULL, -- number
	state INTEGER NOT NULL,   -- 0 RUNNING, 1 DONE, 2 CANCELED
	from_ms INTEGER NOT NULL, -- inclusive
	to_ms INTEGER NOT NULL,   -- exclusive
	statuses INTEGER NOT NULL, -- a set of call statuses
	states INTEGER NOT NULL,   -- a set of delivery states
	missing INTEGER NOT NULL,
	rate INTEGER NOT NULL,     -- deliveries a second; 0: no limit
	created_ms INTEGER NOT NULL,
	finished_ms INTEGER NOT NULL, -- 0: RUNNING
	reason TEXT,
	at_key INTEGER NOT NULL,   -- deliveries up to this key were looked at
	stop_key INTEGER NOT NULL, -- the last there was when it began
	at_seq INTEGER NOT NULL,   -- the same for versions of calls
	stop_seq INTEGER NOT NULL,
	next_ms INTEGER NOT NULL,  -- with a rate: no step before
	examined INTEGER NOT NULL,
	resent INTEGER NOT NULL,
	made INTEGER NOT NULL,
	skipped INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX replay_running ON replay (webhook) WHERE state = 0;
