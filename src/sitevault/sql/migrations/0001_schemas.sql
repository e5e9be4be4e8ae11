-- The rooms of the database, in the order of the flow. The engine made `ops` for its own ledger.
CREATE SCHEMA auth;
CREATE SCHEMA raw;
CREATE SCHEMA staging;
CREATE SCHEMA business;
CREATE SCHEMA mart;
CREATE SCHEMA audit;

COMMENT ON SCHEMA auth IS 'Tenants and their API keys.';
COMMENT ON SCHEMA raw IS 'Landing: events exactly as received, insert-only.';
COMMENT ON SCHEMA staging IS 'Events mapped, validated, scored and enriched.';
COMMENT ON SCHEMA business IS 'The Data Vault.';
COMMENT ON SCHEMA mart IS 'Answers: sessions, pages, sources, events by day.';
COMMENT ON SCHEMA audit IS 'Append-only record of what people and programs did.';
COMMENT ON SCHEMA ops IS 'The ledger, loads, partitions and migrations.';
