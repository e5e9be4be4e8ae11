-- The throw-away database a bundle is tried on.

-- name: make_role
-- A role that a schema names; it is nobody and may nothing.
CREATE ROLE {role} NOLOGIN;

-- name: make_trier
-- Whoever carries the bundle out; all powerful only while the base is made.
CREATE ROLE {role} LOGIN SUPERUSER PASSWORD {password};

-- name: make_database
-- Empty, and the trier's own.
CREATE DATABASE {database} OWNER {role} TEMPLATE template0;

-- name: become_any
-- What the roles of the base own may be replaced.
GRANT {roles} TO {role};

-- name: lose_power
-- From here on with an owner's rights alone, as in any environment.
ALTER ROLE {role} NOSUPERUSER;

-- name: no_path
-- Nothing is found by its bare name.
SELECT set_config('search_path', '', true);

-- name: callable
-- What a callable is called in the catalog, from its name and the types of its arguments; NULL where it is not there.
SELECT format('%%I.%%I(%%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
FROM pg_catalog.pg_proc AS p
INNER JOIN pg_catalog.pg_namespace AS n ON p.pronamespace = n.oid
WHERE p.oid = to_regprocedure(%(name)s);

-- name: roles
-- Every role of the server.
SELECT r.rolname FROM pg_catalog.pg_roles AS r;

-- name: drop_database
-- With whoever is still in it.
DROP DATABASE IF EXISTS {database} WITH (FORCE);

-- name: drop_role
-- It owns nothing any more: its database is gone.
DROP ROLE IF EXISTS {role};

-- name: replaceable
-- Functions, procedures and views by what they are called, with the number that a replacement keeps.
SELECT
    CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END AS kind,
    format('%I.%I', n.nspname, p.proname) AS name,
    oidvectortypes(p.proargtypes) AS types,
    format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) AS identity,
    p.oid::bigint AS number
FROM pg_catalog.pg_proc AS p
INNER JOIN pg_catalog.pg_namespace AS n ON p.pronamespace = n.oid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
UNION ALL
SELECT 'view', format('%I.%I', n.nspname, c.relname), '', format('%I.%I', n.nspname, c.relname), c.oid::bigint
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind = 'v'
ORDER BY 1, 2, 3;

-- name: names_of_others
-- Names of functions and types outside of PostgreSQL's own schemas that PostgreSQL itself does not have.
SELECT 'function', p.proname::text
FROM pg_catalog.pg_proc AS p
INNER JOIN pg_catalog.pg_namespace AS n ON p.pronamespace = n.oid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_proc AS o
        WHERE o.proname = p.proname AND o.pronamespace = 'pg_catalog'::regnamespace
    )
UNION
SELECT 'type', t.typname::text
FROM pg_catalog.pg_type AS t
INNER JOIN pg_catalog.pg_namespace AS n ON t.typnamespace = n.oid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_type AS o
        WHERE o.typname = t.typname AND o.typnamespace = 'pg_catalog'::regnamespace
    );
