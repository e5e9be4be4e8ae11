"""Functions as trees: what a body does, statement by statement, as PostgreSQL's own parser sees it."""
