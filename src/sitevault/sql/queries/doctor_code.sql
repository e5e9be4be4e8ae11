-- What functions can refer to, the system's own and extensions' objects too; see sitevault.doctor.code.objects.

-- name: callable_names
-- Every function by name with the least and the most arguments it takes; most is null where it takes any number.
SELECT
    n.nspname::text AS schema,
    p.proname::text AS name,
    (p.pronargs - p.pronargdefaults - (p.provariadic <> 0)::integer)::integer AS least,
    CASE WHEN p.provariadic = 0 THEN p.pronargs::integer END AS most
FROM pg_catalog.pg_proc AS p
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace;

-- name: relation_columns
-- Every table and view with the names of its columns.
SELECT n.nspname::text AS schema, c.relname::text AS name, array_agg(a.attname::text) AS columns
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_toast'
GROUP BY n.nspname, c.relname;

-- name: schema_names
-- Every schema.
SELECT n.nspname::text FROM pg_catalog.pg_namespace AS n;
