-- SHA-256 of the record that was erased; NULL while there is a record, and of the tombstone.
ALTER TABLE call_version ADD COLUMN digest BLOB;
