"""The one seam to PostgreSQL: the embedded server, connections per role, named queries, migrations."""
