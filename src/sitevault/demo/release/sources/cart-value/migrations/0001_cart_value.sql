-- Nullable and without a default: nothing is written anew.
ALTER TABLE staging.site_tracking_events_s ADD COLUMN cart_value numeric;
