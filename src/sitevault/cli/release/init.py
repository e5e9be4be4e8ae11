"""`sitevault release init`: the beginning of a release's directory."""

from __future__ import annotations

from pathlib import Path

import click

from sitevault.cli.session import Session, examples, json_option


@click.command(
    epilog=examples(
        "sitevault release init fix-812 --database postgresql://owner@db.example/tracking",
        "sitevault release init fix-812 --env testing",
        "sitevault release init paths-of-the-spa --shape house",
    )
)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--database", "url", metavar="URL", help="Take base.sql, the schema alone, from this database.")
@click.option("--env", "name", metavar="NAME", help="Take shape and base.sql from this environment.")
@click.option(
    "--shape",
    type=click.Choice(["guide", "house"]),
    default="guide",
    show_default=True,
    help="A foreign database with the guide's tables, or Sitevault's own.",
)
@json_option
@click.pass_obj
def init(session: Session, directory: Path, url: str | None, name: str | None, shape: str) -> int:
    """Begin a release: a directory with a commented release.toml and the schema the release is tried on.

    The base is what the database that comes first looks like before the release: no rows, no owners. A release
    to Sitevault's own database needs none.
    """
    from sitevault.doctor.connection import foreign as conninfo_of
    from sitevault.errors import UsageError
    from sitevault.release import environments, skeleton

    if url is not None and name is not None:
        raise UsageError("--database and --env name two databases.", fix="Name one of them.")
    conninfo = conninfo_of(url) if url is not None else None
    if name is not None:
        found = environments.read(session.config)[name]
        shape = "guide" if found.home is None else "house"
        if found.home is None:
            conninfo = conninfo_of(environments.secret(found.url_from or ""))
    if conninfo is not None and shape == "house":
        raise UsageError("A release to Sitevault's own database has no base.", fix="Leave --database out.")
    base = None
    made = skeleton.begin(directory, "house" if shape == "house" else "guide")
    if conninfo is not None:
        session.say("Reading the database's schema")
        base = skeleton.lay_base(directory, conninfo)
    then = (
        f"Put SQL into {directory}/objects and {directory}/migrations, then: sitevault release build {directory}"
    )
    if shape == "guide" and base is None:
        then = f"Put the schema into {directory}/base.sql first (pg_dump --schema-only --no-owner). {then}"
    session.answer(
        {"success": True, "directory": str(directory), "shape": shape, "base": str(base) if base else None},
        "\n".join([*(f"made {path}" for path in [*made, *([base] if base else [])]), then]),
    )
    return 0
