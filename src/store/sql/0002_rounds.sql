-- Deliveries can be sent again: each time is another round of tries. Times are ms since the epoch.

ALTER TABLE delivery ADD COLUMN round INTEGER NOT NULL DEFAULT 0;
-- 1: it was DELIVERED before the round it is in. Whether it was in this one, state says.
ALTER TABLE delivery ADD COLUMN delivered_before INTEGER NOT NULL DEFAULT 0;

-- The one whose last attempt is longest ago, for the probe of a dead endpoint. A delivery that succeeds at
-- once never comes in here.
CREATE INDEX delivery_tried ON delivery (webhook, last_attempt) WHERE state = 0 AND attempts > 0;

-- What is known of the receiver. It stands beside the counts because these are written anyway, once a
-- transaction, whenever an attempt ended.
ALTER TABLE ledger ADD COLUMN quiet_until_ms INTEGER NOT NULL DEFAULT 0; -- asked not to be called before; 0: no
ALTER TABLE ledger ADD COLUMN quiet_status INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN streak_since_ms INTEGER NOT NULL DEFAULT 0; -- 0: the last attempt succeeded
ALTER TABLE ledger ADD COLUMN streak_attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN streak_delivery BLOB; -- id of the first that failed
ALTER TABLE ledger ADD COLUMN streak_others INTEGER NOT NULL DEFAULT 0; -- 1: another delivery failed as well

-- webhook.sweep from now on: 0 nothing to do, 1 deliveries may not follow the switch yet, 2 those parked
-- are being released.
