-- Accounts come and go, and what is done to them is written down.

ALTER TABLE account ADD COLUMN name TEXT NOT NULL DEFAULT '';
-- When the key was rotated last; 0: it is the first.
ALTER TABLE account ADD COLUMN key1_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN key2_ms INTEGER NOT NULL DEFAULT 0;
-- Where its operational events go, and the sealed secret that signs them.
ALTER TABLE account ADD COLUMN events_url TEXT;
ALTER TABLE account ADD COLUMN events_secret BLOB;
-- 0: live, 1: deleted, its rows are being removed, 2: gone; its row stays for the counts, without its id.
ALTER TABLE account ADD COLUMN state INTEGER NOT NULL DEFAULT 0;

CREATE TABLE audit (
	number INTEGER PRIMARY KEY,
	account INTEGER NOT NULL, -- 0: the installation's
	at_ms INTEGER NOT NULL,
	actor TEXT NOT NULL,
	address TEXT NOT NULL,
	action TEXT NOT NULL,
	target_kind TEXT NOT NULL,
	target_id TEXT NOT NULL,
	detail TEXT -- a JSON object
) STRICT;
CREATE INDEX audit_account ON audit (account, number);

-- What may be used once: portal links that were opened, sessions that were ended. Forgotten after until_ms.
CREATE TABLE spent (
	id BLOB PRIMARY KEY,
	until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX spent_until ON spent (until_ms);

-- Numbers count on from here even when the rows that had them are gone.
ALTER TABLE mark ADD COLUMN last_call INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mark ADD COLUMN last_attempt INTEGER NOT NULL DEFAULT 0;
