SELECT count(*) = 1
FROM information_schema.columns
WHERE table_schema = 'staging' AND table_name = 'site_tracking_events_s' AND column_name = 'cart_value';
