"""`sitevault audit`: prove that tenants are apart, and that the record of actions is whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
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
