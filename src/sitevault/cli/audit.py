"""`sitevault audit`: prove that tenants are apart, and that the record of actions is whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sitevault.cli.session import Session, examples, json_option, table

if TYPE_CHECKING:
    from sitevault.audit.model import Report


@click.group()
def audit() -> None:
    """Prove on the live database that tenants are apart, and that the audit log is whole."""


@audit.command(
    epilog=examples(
        "sitevault audit isolation",
        "sitevault audit isolation --catalog",
        "sitevault audit isolation --sarif > isolation.sarif",
    )
)
@click.option("--catalog", is_flag=True, help="Only the checks of the catalog: nothing is planted or tried.")
@click.option("--verbose", "-v", is_flag=True, help="Show every probe, not only those that are not ok.")
@click.option("--sarif", is_flag=True, help="Answer in SARIF 2.1.0.")
@json_option
@click.pass_obj
def isolation(session: Session, catalog: bool, verbose: bool, sarif: bool) -> int:
    """Check the catalog, try to reach another tenant's data as every role, search for what got through.

    Three tenants are made for the attempt and taken away again; nothing else is changed. Exit 0 only if all
    is ok, 1 with a problem, 3 where something could not be checked.
    """
    from sitevault.audit.catalog import CHECKS
    from sitevault.audit.run import audit_isolation
    from sitevault.audit.sarif import as_sarif

    ids = {check.id for check in CHECKS}
    with session.database() as database:
        report = audit_isolation(database, session.say, (lambda name: name in ids) if catalog else lambda _: True)
    if sarif:
        session.print_json(as_sarif(report))
    else:
        session.answer(_data(report), "\n".join(_text(report, verbose)))
    return report.verdict.exit_code


def _data(report: Report) -> dict[str, Any]:
    return {
        "success": report.verdict == "ok",
        "verdict": report.verdict,
        "server_version": report.server_version,
        "seconds": report.seconds,
        "checks": [dataclasses.asdict(one) | {"verdict": one.verdict} for one in report.checks],
        "probes": [dataclasses.asdict(one) for one in report.probes],
        "provenance": [dataclasses.asdict(one) | {"verdict": one.verdict} for one in report.provenance],
    }


def _text(report: Report, verbose: bool) -> Iterator[str]:
    yield table(
        ("check", "verdict", "looked at", "title"),
        ((one.id, one.verdict, f"{one.count} {one.looked_at}", one.title) for one in report.checks),
    )
    for finding in report.findings:
        yield f"\n{finding.check}  {finding.object}: {finding.message}\n  {finding.repair}"
    if report.probes:
        yield ""
        yield table(("probe", "as", "verdict", "tried", "happened"), _probes(report, verbose))
    if report.provenance:
        yield ""
        yield table(
            ("tenant", "consistent", "contradiction", "unverifiable"),
            ((one.tenant_bk, one.consistent, one.contradiction, one.unverifiable) for one in report.provenance),
        )
    yield ""
    yield (
        f"{report.verdict}: {len(report.checks)} checks, {len(report.probes)} probes on PostgreSQL "
        f"{report.server_version} in {report.seconds} s"
    )


def _probes(report: Report, verbose: bool) -> Iterator[tuple[str, ...]]:
    """A line per probe that is not ok; the others in one line for all roles, unless each is asked for."""
    ok: dict[str, list[str]] = {}
    for one in report.probes:
        role = one.role.removeprefix("sitevault_")
        if verbose or one.verdict != "ok":
            yield (one.id, role, one.verdict, one.tried, one.happened)
        else:
            ok.setdefault(one.id, []).append(role)
    for name, roles in ok.items():
        tried = next(one.tried for one in report.probes if one.id == name and one.verdict == "ok")
        yield (name, ", ".join(dict.fromkeys(roles)), "ok", tried, "as expected")


@audit.command(
    epilog=examples(
        "sitevault audit chain",
        "sitevault audit chain --against heads.json --public-key audit.key.pub",
    )
)
@click.option(
    "--against", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A seal published before."
)
@click.option(
    "--public-key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The key that signed it."
)
@json_option
@click.pass_obj
def chain(session: Session, against: Path | None, public_key: Path | None) -> int:
    """Verify the audit log from its first entry; name the first broken link of each tenant's chain.

    A chain that was cut off at its end or rewritten as a whole is found by holding it against a seal.
    """
    from sitevault.audit import chain as chains
    from sitevault.audit.model import Verdict, worst
    from sitevault.audit.seal import open_seal
    from sitevault.db.roles import Role

    if (against is None) != (public_key is None):
        raise click.UsageError("--against and --public-key belong together.")
    published = open_seal(against.read_text("utf-8"), public_key) if against and public_key else []
    with session.database() as database, database.connect(Role.AUDITOR, autocommit=True) as conn:
        found = chains.verify(conn, published)
    verdict = worst([one.verdict for one in found] or [Verdict.OK])
    session.answer(
        {
            "success": verdict is Verdict.OK,
            "verdict": verdict,
            "chains": [dataclasses.asdict(one) | {"verdict": one.verdict} for one in found],
        },
        table(
            ("tenant", "verdict", "entries", "head", "broken at"),
            (
                (one.tenant, one.verdict, one.head.seq, one.head.entry_hash[:16], _break(one.broken_at, one.why))
                for one in found
            ),
        ),
    )
    return verdict.exit_code


@audit.command(epilog=examples("sitevault audit seal --key audit.key --out heads.json"))
@click.option(
    "--key", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The private key."
)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@json_option
@click.pass_obj
def seal(session: Session, key: Path, out: Path) -> None:
    """Verify the audit log, sign where each chain stands, and write that to a file to be kept elsewhere."""
    from sitevault import clock
    from sitevault.audit import chain as chains
    from sitevault.audit import seal as seals
    from sitevault.db.roles import Role

    with session.database() as database, database.connect(Role.AUDITOR, autocommit=True) as conn:
        found = chains.verify(conn)
    out.write_text(seals.seal(found, key, clock.now()), "utf-8")
    session.answer(
        {"success": True, "file": str(out), "chains": len(found)}, f"Sealed {len(found)} chains in {out}."
    )


@audit.command(epilog=examples("sitevault audit keygen audit.key"))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
@click.pass_obj
def keygen(session: Session, file: Path) -> None:
    """Make the key that seals, approvals and verdicts are signed with.

    Keep the private file away from the database's host; the public one is for sitevault.toml, under [people].
    """
    from sitevault.audit.dsse import make_key

    public = make_key(file)
    session.answer(
        {"success": True, "private": str(file), "public": str(public)},
        f"The private key is in {file}, the public one in {public}.",
    )


def _break(broken_at: int | None, why: str | None) -> str:
    return "" if why is None else f"{broken_at}: {why}"
