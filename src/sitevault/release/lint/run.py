"""Every lint, in the order in which the documentation has them."""

from __future__ import annotations

from collections.abc import Mapping

from sitevault.release.lint import squawk, texts, tried
from sitevault.release.lint.model import Finding, Lint, Severity
from sitevault.release.model import File

REPEATED = Lint(
    "not_repeatable",
    Severity.ERROR,
    "A file of objects/ that fails, or changes something, when it is run a second time.",
    "Objects are applied with every release; a second time must leave everything as it is.",
    "CREATE OR REPLACE, IF NOT EXISTS, DROP ... IF EXISTS first; or put it into a migration, which runs once.",
)

LINTS: tuple[Lint, ...] = (*texts.LINTS, REPEATED, *tried.LINTS, squawk.SQUAWK)


def before(migrations: tuple[File, ...], objects: tuple[File, ...], values: Mapping[str, str]) -> list[Finding]:
    """What the files show by themselves; `values` are what their parameters are tried with."""
    return [
        *texts.look(migrations, objects, values),
        *squawk.look((*migrations, *objects), values, squawk.executable()),
    ]
