-- A webhook's secret can be rotated: until the end both sign. Times are ms since the epoch.

ALTER TABLE webhook ADD COLUMN next_secret BLOB; -- sealed; NULL: no rotation
ALTER TABLE webhook ADD COLUMN rotation_started_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE webhook ADD COLUMN rotation_ends_ms INTEGER NOT NULL DEFAULT 0;
