-- Partitions kept ahead of the clock, and what fell beside them.

-- name: empty_default
-- Rows that found no partition of their day go into one.
SELECT ops.empty_default(%(parent)s::regclass);

-- name: ensure_partitions_ahead
-- A week of partitions ahead of the clock.
SELECT ops.ensure_partitions_ahead(7);
