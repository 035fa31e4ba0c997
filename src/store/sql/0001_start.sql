-- The first shape of the store. Times are ms since the epoch, ids 16 bytes, enums the numbers of
-- model/call.h and model/delivery.h (a test holds both to the numbers used here).

CREATE TABLE account (
	number INTEGER PRIMARY KEY,
	id TEXT NOT NULL UNIQUE,
	key1 BLOB NOT NULL, -- SHA-256 of the primary key
	key2 BLOB NOT NULL,
	created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE webhook (
	number INTEGER PRIMARY KEY,
	id BLOB NOT NULL UNIQUE,
	account INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	url TEXT NOT NULL,
	name TEXT NOT NULL,
	enabled INTEGER NOT NULL,
	disabled_reason TEXT,
	settings TEXT NOT NULL, -- JSON
	secret BLOB,            -- sealed
	created_ms INTEGER NOT NULL,
	deleted INTEGER NOT NULL,
	sweep INTEGER NOT NULL  -- 1: deliveries may not follow the switch yet
) STRICT;

CREATE INDEX webhook_account ON webhook (account);

-- What became of all deliveries ever made for a webhook; rows that were purged stay counted.
CREATE TABLE ledger (
	webhook INTEGER PRIMARY KEY,
	accepted INTEGER NOT NULL,
	pending INTEGER NOT NULL,
	delivered INTEGER NOT NULL,
	failed INTEGER NOT NULL,
	parked INTEGER NOT NULL,
	canceled INTEGER NOT NULL
) STRICT;

-- One row for each accepted change of a record; seq is the order of the commits. The keys of the
-- deliveries that a version called for lie between first_delivery and last_delivery (NULL: it called for
-- none): that spares every delivery an entry in an index by call.
CREATE TABLE call_version (
	seq INTEGER PRIMARY KEY,
	account INTEGER NOT NULL,
	call_id BLOB NOT NULL,
	n INTEGER NOT NULL, -- of this call, from 1
	status INTEGER NOT NULL,
	agent BLOB NOT NULL,
	accepted_ms INTEGER NOT NULL,
	first_delivery INTEGER,
	last_delivery INTEGER,
	body BLOB NOT NULL,
	UNIQUE (account, call_id, n)
) STRICT;

-- key is the first 60 bits of the id without the version: it counts up, so a webhook's rows lie in the
-- order in which they were made, and a list is a walk along them.
CREATE TABLE delivery (
	webhook INTEGER NOT NULL, -- number
	key INTEGER NOT NULL,
	id BLOB NOT NULL,
	call INTEGER NOT NULL,    -- seq
	state INTEGER NOT NULL,
	tries INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	last_attempt INTEGER NOT NULL, -- number; 0: none
	created_ms INTEGER NOT NULL,
	at_ms INTEGER NOT NULL,   -- PENDING: due; PARKED: 0; else: when it ended
	reason TEXT,
	PRIMARY KEY (webhook, key)
) STRICT, WITHOUT ROWID;

-- 0: PENDING. What is claimed and swept.
CREATE INDEX delivery_due ON delivery (webhook, at_ms) WHERE state = 0;
-- 3, 4, 5: FAILED, PARKED, CANCELED. Found fast among many that were delivered.
CREATE INDEX delivery_kept ON delivery (webhook, state) WHERE state > 2;

-- The attempts of a delivery are a chain from its last_attempt along previous, ids descending. Written
-- at the end of the table, without an index to keep.
CREATE TABLE attempt (
	number INTEGER PRIMARY KEY,
	delivery INTEGER NOT NULL, -- key
	previous INTEGER NOT NULL, -- number; 0: none. One that is gone ends the chain
	id BLOB NOT NULL,
	started_ms INTEGER NOT NULL,
	outcome INTEGER NOT NULL,
	status INTEGER NOT NULL,
	dns_us INTEGER NOT NULL,
	connect_us INTEGER NOT NULL,
	tls_us INTEGER NOT NULL,
	first_byte_us INTEGER NOT NULL,
	total_us INTEGER NOT NULL,
	address BLOB,
	tls_version TEXT,
	cert_end_s INTEGER NOT NULL,
	detail TEXT,
	location TEXT,
	request_headers TEXT,
	answer BLOB
) STRICT;

-- One row. id_ahead_ms: no delivery's id names a moment further than this after its created_ms.
CREATE TABLE mark (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	id_ahead_ms INTEGER NOT NULL
) STRICT;
INSERT INTO mark (one, id_ahead_ms) VALUES (1, 0);
