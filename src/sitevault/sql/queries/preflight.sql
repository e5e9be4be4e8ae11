-- name: server_facts
-- Everything the preflight judges, in one row; reads catalogs and settings only.
SELECT
    current_user::text AS "user",
    current_database()::text AS database,
    pg_catalog.pg_encoding_to_char(db.encoding) AS encoding,
    pg_catalog.pg_is_in_recovery() AS in_recovery,
    me.rolsuper AS is_superuser,
    me.rolcreaterole AS can_create_roles,
    me.rolbypassrls AS can_bypass_rls,
    (SELECT count(*) FROM pg_catalog.pg_roles AS r WHERE r.rolname = ANY(%(roles)s))
        = cardinality(%(roles)s::text []) AS roles_complete,
    pg_catalog.has_database_privilege(db.oid, 'CREATE WITH GRANT OPTION') AS can_grant_create,
    coalesce((
        SELECT array_agg(n.nspname::text ORDER BY n.nspname)
        FROM pg_catalog.pg_namespace AS n
        INNER JOIN pg_catalog.pg_roles AS o ON o.oid = n.nspowner
        WHERE n.nspname IN ('auth', 'raw', 'staging', 'business', 'mart', 'audit', 'ops')
            AND o.rolname <> 'sitevault_owner'
    ), '{}') AS foreign_schemas,
    current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('max_connections')::int AS max_connections,
    (
        SELECT count(*)::int FROM pg_catalog.pg_stat_activity AS a WHERE a.backend_type = 'client backend'
    ) AS used_connections
FROM pg_catalog.pg_database AS db
CROSS JOIN pg_catalog.pg_roles AS me
WHERE db.datname = current_database() AND me.rolname = current_user;
