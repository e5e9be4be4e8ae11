"""Makes what is made: sql/schema.sql and the pages of docs/reference. Run it as `python -m docs.generate`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docs import bundles, catalog, checks, gates, registries, release
from sitevault.config import Config
from sitevault.db import binaries, embedded, expected
from sitevault.db.catalog import capture
from sitevault.db.connect import Database, open_embedded
from sitevault.db.migrate import migrate
from sitevault.db.roles import Role
from sitevault.db.schema_dump import dump

ROOT = Path(__file__).parent.parent
SCHEMA = Path("src/sitevault/sql/schema.sql")
CATALOG = Path("src/sitevault/sql/catalog.json")
REFERENCE = Path("docs/reference")

PAGES = {
    "cli.md": registries.cli_page,
    "configuration.md": registries.configuration_page,
    "environments.md": registries.environments_page,
    "gates.md": gates.gates_page,
    "hazards.md": release.hazards_page,
    "preflight.md": release.preflight_page,
    "release-toml.md": bundles.release_toml_page,
    "lints.md": bundles.lints_page,
    "reasons.md": registries.reasons_page,
    "exit-codes.md": registries.exit_codes_page,
    "rules.md": registries.rules_page,
    "mapping.md": registries.mapping_page,
    "channels.md": registries.channels_page,
    "metrics.md": registries.metrics_page,
    "http.md": registries.http_page,
}
"""The pages that need no database."""

CATALOG_PAGES = {"tables.md": catalog.tables_page, "roles.md": catalog.roles_page}
"""The pages made from a migrated database."""


def render(database: Database) -> dict[Path, str]:
    """Everything that is generated, by its path from the checkout's root; `database` is migrated."""
    found = catalog.read(database)
    made = {REFERENCE / name: make() for name, make in PAGES.items()}
    made |= {REFERENCE / name: make_from(found) for name, make_from in CATALOG_PAGES.items()}
    made |= {REFERENCE / path: text for path, text in checks.check_pages().items()}
    made[SCHEMA] = dump(database)
    with database.connect(Role.MIGRATOR) as conn:
        made[CATALOG] = expected.dump(capture(conn), database.server_version // 10_000)
    return made


@contextmanager
def scratch_database() -> Iterator[Database]:
    """A migrated database on a server of its own, gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="sitevault-docs-"))
    home.chmod(0o711)  # the server's own user enters it when this runs as root
    try:
        # Always the shipped PostgreSQL: another major version would describe itself differently.
        with embedded.attach(home, bindir=binaries.shipped().directory, durable=False) as server:
            database = open_embedded(Config(home=home), server)
            migrate(database)
            yield database
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main() -> int:
    """Write what changed; say which files that were."""
    with scratch_database() as database:
        made = render(database)
    changed = [path for path, text in made.items() if _write(ROOT / path, text)]
    print("\n".join(f"wrote {path}" for path in changed) or f"{len(made)} files, all up to date")
    return 0


def _write(path: Path, text: str) -> bool:
    if path.exists() and path.read_text("utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return True


if __name__ == "__main__":
    sys.exit(main())
