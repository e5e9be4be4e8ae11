-- The operators' guide: its queries as they stand there, each with a name. Nothing in them may be changed.

-- name: duplicate_events
-- Diagnosis, step 1: how often each event landed.
-- Check for duplicate events
SELECT raw_event_id, COUNT(*) as count
FROM raw.site_tracking_events_r 
GROUP BY raw_event_id 
HAVING COUNT(*) > 1;
-- Result: ✅ No duplicates found

-- name: tenant_assignments
-- Diagnosis, step 1: whose each event is.
-- Verify tenant assignments  
SELECT 
    raw_event_id,
    encode(tenant_hk, 'hex') as tenant_hex,
    raw_payload->>'event_type' as event_type
FROM raw.site_tracking_events_r 
ORDER BY raw_event_id;
-- Result: ❌ Events 4 & 5 assigned to wrong tenant

-- name: payload_keys
-- Diagnosis, step 2: the payload's keys, as an array.
-- Test jsonb_object_keys() usage
SELECT 
    raw_event_id,
    (SELECT array_agg(key) FROM jsonb_object_keys(raw_payload) AS key) as keys
FROM raw.site_tracking_events_r 
LIMIT 1;
-- Result: ✅ Works when properly wrapped in subquery

-- name: table_structure
-- Diagnosis, step 4: what columns there are; for psql.
-- Check table structure
\d raw.site_tracking_events_r
-- Result: ❌ NO processed_timestamp column exists!

-- name: processing_status
-- Monitoring 1: how many events are where.
SELECT 
    COUNT(*) as total_events,
    COUNT(*) FILTER (WHERE processing_status = 'PROCESSED') as processed,
    COUNT(*) FILTER (WHERE processing_status = 'ERROR') as errors,
    COUNT(*) FILTER (WHERE processing_status = 'PENDING') as pending
FROM raw.site_tracking_events_r;

-- name: staging_quality
-- Monitoring 2: what staging made of today's events.
SELECT 
    COUNT(*) as staging_events,
    COUNT(*) FILTER (WHERE validation_status = 'VALID') as valid,
    COUNT(*) FILTER (WHERE validation_status = 'INVALID') as invalid,
    ROUND(AVG(quality_score), 3) as avg_quality_score
FROM staging.site_tracking_events_s
WHERE processed_timestamp >= CURRENT_DATE;

-- name: error_analysis
-- Monitoring 3: today's errors by message.
SELECT 
    error_message,
    COUNT(*) as error_count
FROM raw.site_tracking_events_r 
WHERE processing_status = 'ERROR'
AND received_timestamp >= CURRENT_DATE
GROUP BY error_message
ORDER BY error_count DESC;

-- name: tenant_isolation
-- Monitoring 4: events per tenant.
SELECT 
    encode(tenant_hk, 'hex') as tenant_hex,
    COUNT(*) as event_count,
    COUNT(*) FILTER (WHERE processing_status = 'PROCESSED') as processed_count
FROM raw.site_tracking_events_r
GROUP BY tenant_hk
ORDER BY event_count DESC;

-- name: reset_errors
-- Rollback 2: errors since the deployment back to pending.
-- Reset events to pending for reprocessing
UPDATE raw.site_tracking_events_r 
SET processing_status = 'PENDING', error_message = NULL
WHERE processing_status = 'ERROR' 
AND received_timestamp >= '[DEPLOYMENT_TIME]';
