"""`sitevault release build`: a directory, or Sitevault's own schema, to a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from sitevault.cli.session import Session, examples, json_option

_OWN_SHOWN = 7
"""Lines: Sitevault's own schema has a thousand objects."""


@click.command(
    epilog=examples(
        "sitevault release build fix-812 --out fix-812.json",
        "sitevault release build --author ada --json",
        "sitevault release build --own --author ada --out sitevault.json",
    )
)
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@click.option("--own", is_flag=True, help="Sitevault's own schema, to upgrade its databases by releases.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The bundle's file; by default NAME-VERSION.json.",
)
@click.option("--author", default="", help="Who wrote it; else as release.toml says.")
@json_option
@click.pass_obj
def build(session: Session, directory: Path | None, own: bool, out: Path | None, author: str) -> int:
    """Build the bundle of a directory (by default this one): what then goes unchanged through every environment.

    It is linted, and tried on an empty PostgreSQL that is started for it. Exit 1 where a lint, a claim or the
    trial refuses it; warnings are shown. The same files give the same bundle, to the byte.
    """
    from sitevault.errors import UsageError
    from sitevault.release import bundle, model, say

    if own and directory is not None:
        raise UsageError("--own is Sitevault's schema, not a directory's.", fix="Leave one of them out.")
    built = bundle.make(None if own else directory or Path(), author, session.say)
    made = built.bundle
    path = out or Path(f"{made.name}-{made.version}.json")
    try:
        model.write(made, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    shown = say.said(made)[:_OWN_SHOWN] if made.own else say.said(made)
    warnings = [str(finding) for finding in built.findings]
    session.answer(
        {
            "success": True,
            "file": str(path),
            "digest": made.digest,
            "name": made.name,
            "version": made.version,
            "changes": [f"{one.kind} {one.identity}" for one in made.expected],
            "findings": [finding._asdict() for finding in built.findings],
        },
        "\n".join([*shown, *warnings, f"Written to {path}. Next: sitevault release plan --help"]),
    )
    return 0
