"""`sitevault release attest`: the signed statements of a database, listed, verified, carried as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sitevault.cli.release.enroll import environment_option
from sitevault.cli.session import Session, examples, json_option, table

if TYPE_CHECKING:
    from sitevault.release.attest import Statement

_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.group()
def attest() -> None:
    """Who approved what, what passed where: signed statements, one a line in a file."""


@attest.command("list", epilog=examples("sitevault release attest list --env production"))
@environment_option
@json_option
@click.pass_obj
def list_(session: Session, name: str) -> int:
    """List what is on record in an environment's database. Exit 1 where something is not genuine."""
    from sitevault.release import attest as attestations
    from sitevault.release import environments, record
    from sitevault.release.target import opened

    known = environments.read(session.config)
    people = attestations.distinct(known.people)
    with opened(session.config, known, name, session.say) as target:
        record.require_identity(target)
        rows = record.attestations(target.ground)
    found = [(row, *attestations.genuine([row.envelope], people)) for row in rows]
    shown = [_data(good[0]) if good else {"genuine": False, "why": wrong[0]} for _, good, wrong in found]
    bad = [wrong[0] for _, good, wrong in found if not good]
    session.answer(
        {"success": not bad, "environment": name, "attestations": shown},
        "\n".join([_table([good[0] for _, good, _ in found if good]), *(f"not genuine: {why}" for why in bad)]),
    )
    return 1 if bad else 0


@attest.command(epilog=examples("sitevault release attest verify attestations.jsonl"))
@click.argument("file", type=_FILE)
@json_option
@click.pass_obj
def verify(session: Session, file: Path) -> int:
    """Verify a file of attestations by the keys of [people], and say what they say. No database is asked."""
    from sitevault.release import attest as attestations
    from sitevault.release import environments

    people = attestations.distinct(environments.read(session.config).people)
    found = attestations.verify_lines(_read(file), people)
    session.answer({"success": True, "attestations": [_data(one) for one in found]}, _table(found))
    return 0


@attest.command(
    epilog=examples(
        "sitevault release attest export --env mock --out attestations.jsonl",
        "sitevault release attest export --env mock --bundle 3f9a2c1b > attestations.jsonl",
    )
)
@environment_option
@click.option(
    "--bundle", "wanted", metavar="DIGEST", default="", help="Only of the bundles whose digest begins so."
)
@click.option("--out", type=_FILE, default=Path("-"), help="The file to write; by default standard output.")
@click.pass_obj
def export(session: Session, name: str, wanted: str, out: Path) -> int:
    """Write the attestations of an environment to a file, one a line, for `import` elsewhere."""
    from sitevault.release import environments, record
    from sitevault.release.target import opened

    with opened(session.config, environments.read(session.config), name, session.say) as target:
        record.require_identity(target)
        rows = [row for row in record.attestations(target.ground) if row.bundle_digest.startswith(wanted)]
    text = "".join(row.envelope for row in rows)
    with click.open_file(str(out), "w", encoding="utf-8") as file:
        file.write(text)
    session.say(f"{len(rows)} attestations of {name}.")
    return 0


@attest.command("import", epilog=examples("sitevault release attest import attestations.jsonl --env production"))
@click.argument("file", type=_FILE)
@environment_option
@json_option
@click.pass_obj
def import_(session: Session, file: Path, name: str) -> int:
    """Put the attestations of a file on record in an environment's database; with one forged line none is."""
    from sitevault.release import environments
    from sitevault.release import promote as promotion
    from sitevault.release.target import opened

    known = environments.read(session.config)
    text = _read(file)
    with opened(session.config, known, name, session.say) as target:
        new = promotion.bring(target, text, known)
    session.answer(
        {"success": True, "environment": name, "attestations": [_data(one) for one in new]},
        "\n".join([_table(new), f"{len(new)} are new in {name}."]),
    )
    return 0


def _read(file: Path) -> str:
    from sitevault.errors import UsageError
    from sitevault.release.attest import LARGEST_FILE

    try:
        with click.open_file(str(file), "r", encoding="utf-8") as opened:
            text: str = opened.read(LARGEST_FILE + 1)
            return text
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error


def _data(one: Statement) -> dict[str, object]:
    import msgspec

    said: dict[str, object] = msgspec.to_builtins(one.predicate)
    subject = {"bundle": one.bundle_digest, "name": one.subject.name}
    return {"genuine": True, "kind": one.kind, "signer": one.signer, **subject, **said}


def _table(found: list[Statement]) -> str:
    return table(
        ("what", "bundle", "digest", "environment", "plan", "at", "signed by"),
        (
            (
                one.kind,
                one.subject.name,
                one.bundle_digest[:12],
                one.predicate.environment,
                one.predicate.plan[:12],
                one.predicate.at,
                one.signer,
            )
            for one in found
        ),
    )
