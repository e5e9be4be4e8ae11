-- The first week's partitions, so that nothing falls into the default ones before a worker keeps them ahead.
DO $$
BEGIN
    PERFORM ops.ensure_partitions_ahead(7);
END
$$;
