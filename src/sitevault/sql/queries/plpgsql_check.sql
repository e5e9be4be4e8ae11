-- PostgreSQL's own reading of PL/pgSQL bodies, by the extension plpgsql_check; see sitevault.doctor.plpgsql_check.

-- name: available
-- Whether the server has the extension to create, its schema where it is created here, and what a copy would need.
SELECT
    EXISTS (SELECT FROM pg_catalog.pg_available_extensions AS a WHERE a.name = 'plpgsql_check') AS available,
    (
        SELECT n.nspname::text
        FROM pg_catalog.pg_extension AS e
        INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
        WHERE e.extname = 'plpgsql_check'
    ) AS schema,
    r.rolsuper OR r.rolcreatedb AS may_create_database,
    pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
    d.datcollate::text AS lc_collate,
    d.datctype::text AS lc_ctype
FROM pg_catalog.pg_database AS d
INNER JOIN pg_catalog.pg_roles AS r ON r.rolname = current_user
WHERE d.datname = current_database();

-- name: create_scratch
-- An empty database beside this one, of the same encoding.
CREATE DATABASE {scratch} TEMPLATE template0 ENCODING {encoding} LC_COLLATE {lc_collate} LC_CTYPE {lc_ctype}

-- name: close_scratch
-- Nobody else has business in it.
REVOKE ALL ON DATABASE {scratch} FROM PUBLIC

-- name: drop_scratch
-- It goes, whoever is still connected.
DROP DATABASE IF EXISTS {scratch} WITH (FORCE)

-- name: create_schema
-- A schema for the extension alone, so that no name of the database's own means anything else.
CREATE SCHEMA {schema}

-- name: create_extension
-- The extension in that schema.
CREATE EXTENSION plpgsql_check WITH SCHEMA {schema}

-- name: schemas
-- Every schema that somebody made: a bare name may be meant for any of them.
SELECT n.nspname::text
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname <> 'public', n.nspname;

-- name: to_check
-- Every PL/pgSQL function, a trigger's once for each of its tables; names are written out in full.
SELECT
    p.oid::bigint AS oid,
    n.nspname::text AS schema,
    n.nspname || '.' || p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')' AS full_name,
    coalesce(t.tgrelid, 0)::bigint AS relation,
    t.tgoldtable::text AS old_table,
    t.tgnewtable::text AS new_table,
    p.prorettype = 'pg_catalog.trigger'::regtype AND t.tgrelid IS NULL AS idle_trigger,
    EXISTS (
        SELECT FROM pg_catalog.pg_type AS y
        WHERE y.oid = ANY (p.proargtypes::oid [] || p.prorettype) AND y.typtype = 'p' AND y.typname ~ '^any'
    ) AS polymorphic
FROM pg_catalog.pg_proc AS p
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
INNER JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
LEFT JOIN (
    SELECT DISTINCT g.tgfoid, g.tgrelid, g.tgoldtable, g.tgnewtable
    FROM pg_catalog.pg_trigger AS g
    WHERE NOT g.tgisinternal
        -- a partition's trigger is its parent's
        AND g.tgparentid = 0
) AS t ON t.tgfoid = p.oid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    )
ORDER BY full_name, relation;

-- name: set_path
-- The schemas in which a bare name is looked for.
SELECT pg_catalog.set_config('search_path', %(path)s, true);

-- name: check_function
-- What the extension says of one function, errors and warnings.
SELECT c.lineno AS line, c.sqlstate, c.message, c.level, c."position" AS offset_in_query, c.query
FROM {check}(
    funcoid := %(oid)s::oid::regprocedure, relid := %(relation)s::oid::regclass,
    oldtable := %(old_table)s::name, newtable := %(new_table)s::name,
    fatal_errors := false, other_warnings := true, extra_warnings := false
) AS c
