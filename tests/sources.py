"""Directories that bundles are built from, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sitevault.demo import incident

MANIFEST = 'name = "fix"\nversion = "1.0.0"\nauthor = "ada"\n'
BASE = """\
CREATE SCHEMA app;
CREATE TABLE app.thing (thing_id bigint PRIMARY KEY, name text NOT NULL);
CREATE FUNCTION app.name_of(p_id bigint) RETURNS text LANGUAGE sql AS
$$ SELECT name FROM app.thing WHERE thing_id = p_id $$;
"""
INCIDENT_BASE = "".join(
    incident.text(name) for name in ("01_tables", "03_functions", *(f"staging_{one}" for one in incident.FAULTS))
)
CLAIMS = {
    "F1": "function raw.ingest_site_event(jsonb, bytea, timestamptz)",
    "F2": "function staging.process_site_event(bigint)",
    "F3": "function staging.process_site_event(p_raw_event_id bigint)",
    "F4": "function staging.process_site_event(bigint)",
    "F5": "function staging.catch_up_site_event",
    "F6": "function staging.browser_of(jsonb)",
    "F7": "function staging.process_site_event(bigint, text)",
    "F8": "function staging.process_site_event(bigint)",
}


def source(
    directory: Path,
    *,
    manifest: str = MANIFEST,
    more: str = "",
    base: str | None = BASE,
    migrations: Mapping[str, str] | None = None,
    objects: Mapping[str, str] | None = None,
) -> Path:
    """A directory with these files, to the byte."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "release.toml").write_text(manifest + more, "utf-8")
    if base is not None:
        (directory / "base.sql").write_bytes(base.encode())
    for folder, files in (("migrations", migrations), ("objects", objects)):
        for name, text in (files or {}).items():
            (directory / folder).mkdir(exist_ok=True)
            (directory / folder / name).write_bytes(text.encode())
    return directory


def function(body: str = "SELECT name FROM app.thing WHERE thing_id = p_id AND name <> ''") -> str:
    """app.name_of as a release has it."""
    return (
        "CREATE OR REPLACE FUNCTION app.name_of(p_id bigint) RETURNS text LANGUAGE sql AS\n"
        f"$function$ {body} $function$;\n"
    )


def incident_fix(directory: Path) -> Path:
    """The incident's fix, with a claim for each fault."""
    claims = "".join(f'[[claims]]\nfixes = "{fault}"\nobjects = ["{name}"]\n' for fault, name in CLAIMS.items())
    fixes = {f"{name}.sql": incident.text(f"fixed/{name}") for name in incident.FIXES}
    return source(directory, more=claims, base=INCIDENT_BASE, objects=fixes)
