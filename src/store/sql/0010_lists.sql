-- Lists of calls, with counts. The versions that were there are entered by the program (mark.list_at),
-- because it takes reading their records.

-- Whose calls are listed: one row for all of an account, one for each agent.
CREATE TABLE tally (
	number INTEGER PRIMARY KEY,
	account INTEGER NOT NULL,
	agent BLOB NOT NULL, -- x'': all of the account
	UNIQUE (account, agent)
) STRICT;

-- The latest version of every call that is not erased stands in two lists, all of the account's and the
-- agent's. A list is a tally's calls of one status and type: tally * 32 + status * 2 + type, so that any
-- choice of statuses and types is a few walks without a look at what was not asked for.
CREATE TABLE listed (
	list INTEGER NOT NULL,
	created_s INTEGER NOT NULL, -- seconds since the epoch
	seq INTEGER NOT NULL,       -- of call_version
	PRIMARY KEY (list, created_s, seq)
) STRICT, WITHOUT ROWID;

-- Those with a phone number, by that.
CREATE TABLE listed_phone (
	account INTEGER NOT NULL,
	phone INTEGER NOT NULL, -- its digits
	created_s INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	agent_list INTEGER NOT NULL, -- the agent's list that it stands in
	PRIMARY KEY (account, phone, created_s, seq)
) STRICT, WITHOUT ROWID;

-- A tally's calls in the order of (created_s, seq), cut into stretches: each row is where one begins (at its
-- place, up to the next one's) and how many of each status and type lie in it. So a total is a sum over few
-- rows, and a page far down is found without walking there. The first begins before everything. The last is
-- counted when it is full, so that a new call need not touch its row.
CREATE TABLE stretch (
	tally INTEGER NOT NULL,
	created_s INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	counts BLOB, -- 20 numbers of 2 bytes, little-endian, by status * 2 + type; NULL: the last one
	PRIMARY KEY (tally, created_s, seq)
) STRICT, WITHOUT ROWID;

-- The agents seen in calls, and those that were given a name before. Stays when the calls are gone.
CREATE TABLE agent (
	account INTEGER NOT NULL,
	id BLOB NOT NULL,
	name TEXT NOT NULL, -- as set, else the id's text
	PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_name ON agent (account, name);

-- Versions up to this number are in the lists, if they belong there; -1: all are.
ALTER TABLE mark ADD COLUMN list_at INTEGER NOT NULL DEFAULT -1;
UPDATE mark SET list_at = 0 WHERE EXISTS (SELECT 1 FROM call_version);
