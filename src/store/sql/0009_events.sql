-- Operational events are deliveries of webhooks that belong to accounts of their own: those of account n to
-- account -n, the operator's to account 0 (model/ops_event.h). Such a webhook has the URL and the secret.
ALTER TABLE account DROP COLUMN events_url;
ALTER TABLE account DROP COLUMN events_secret;
-- Events that found no room since the last one that did.
ALTER TABLE ledger ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
