-- name: system_identifier
-- The number initdb gave this server; another server has another.
SELECT s.system_identifier::text FROM pg_catalog.pg_control_system() AS s;

-- name: any_role
-- Whether some Sitevault has set up its roles on this server.
SELECT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = ANY(%(roles)s));
