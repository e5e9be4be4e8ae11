ALTER TABLE staging.site_tracking_events_s DROP COLUMN cart_value;
