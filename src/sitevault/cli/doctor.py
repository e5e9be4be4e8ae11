"""`sitevault doctor`: what is wrong in this database, with proof."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from sitevault.cli.session import Session, examples, json_option, table

if TYPE_CHECKING:
    from sitevault.doctor.model import Check, Evidence, Examined, Finding
    from sitevault.doctor.run import Report

_MARKS = {"ok": "✓", "warning": "!", "problem": "✗", "unknown": "?"}
_SHOWN = 5
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Duration(click.ParamType[timedelta]):
    """30m, 24h, 7d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = re.fullmatch(r"(\d{1,6})([mhd])", str(value))
        if found is None or not int(found[1]):
            self.fail(f"{value} is no duration like 30m, 24h or 7d.", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.command(
    epilog=examples(
        "sitevault doctor",
        "sitevault doctor --check queue --check F5 -v",
        "sitevault doctor --database postgresql://reader@db.example/tracking",
        "sitevault doctor --explain functions.lost_error_write",
        "sitevault doctor --sarif > doctor.sarif",
    )
)
@click.option("--database", "url", metavar="URL", help="Any PostgreSQL database, instead of the configured one.")
@click.option("--check", "wanted", multiple=True, metavar="ID", help="Only this check, short name or room.")
@click.option("--skip", "skipped", multiple=True, metavar="ID", help="Not this check, short name or room.")
@click.option("--since", type=Duration(), default="7d", show_default=True, help="The window that is looked at.")
@click.option(
    "--sample", type=click.IntRange(100, 1_000_000), default=5_000, show_default=True, help="Most payloads read."
)
@click.option(
    "--clone", "ground", flag_value="clone", help="plpgsql_check on a scratch copy of the schema (default)."
)
@click.option(
    "--on-target", "ground", flag_value="target", help="plpgsql_check in the database itself, rolled back."
)
@click.option("--explain", metavar="ID", help="Say what a check looks at and why; needs no database.")
@click.option("--list", "listing", is_flag=True, help="List the checks; needs no database.")
@click.option("--verbose", "-v", is_flag=True, help="Show all evidence, and how long each check took.")
@click.option("--sarif", is_flag=True, help="Answer in SARIF 2.1.0.")
@json_option
@click.pass_obj
def doctor(
    session: Session, /, explain: str | None, listing: bool, sarif: bool, verbose: bool, **asked: Any
) -> int:
    """Find what is wrong, in a Sitevault database or in one of the guide's shape, and prove it.

    Reads only, in one transaction; values of payloads are never shown. Where the server has plpgsql_check,
    functions are read in a scratch database of the schema alone, which is dropped. Exit 0 where all is well,
    1 with findings, 3 where something that matters could not be determined.
    """
    from sitevault.doctor.run import choose, examine, named
    from sitevault.doctor.sarif import as_sarif

    if explain is not None:
        checks = named(explain)
        session.answer([_explained(one) for one in checks], "\n\n".join(map(_explanation, checks)))
        return 0
    chosen = choose(asked["wanted"], asked["skipped"])
    if listing:
        rows = ((one.id, one.alias or "", one.title) for one in chosen)
        session.answer(
            [_explained(one) for one in chosen], table(("check", "short", "holds when all is well"), rows)
        )
        return 0
    with _snapshot(session, asked) as snapshot:
        session.say(f"Examining {snapshot.server.database} ({len(chosen)} checks, nothing is changed)")
        report = examine(snapshot, chosen, _progress(session, len(chosen)))
    if sarif:
        session.print_json(as_sarif(report))
    else:
        session.answer(_data(report), "\n".join(_text(report, verbose)))
    return report.verdict.exit_code


@contextlib.contextmanager
def _snapshot(session: Session, asked: dict[str, Any]) -> Iterator[Any]:
    from sitevault.db.roles import Role
    from sitevault.doctor.connection import foreign
    from sitevault.doctor.snapshot import Ground, Options, opened

    options = Options(
        since=asked["since"],
        sample=asked["sample"],
        ground=Ground(asked["ground"]) if asked["ground"] else None,
        pending_limit_seconds=session.config.pending_limit_seconds,
    )
    with contextlib.ExitStack() as stack:
        if asked["url"] is not None:
            conninfo = foreign(asked["url"])
        else:
            conninfo = stack.enter_context(session.bare_database()).conninfo(Role.AUDITOR, "doctor")
        yield stack.enter_context(opened(conninfo, options))


def _progress(session: Session, total: int) -> Any:
    """What is being looked at, on one line of a terminal; nothing where nobody watches."""
    import sys

    if not sys.stderr.isatty():
        return lambda _: None
    seen = iter(range(1, total + 1))

    def show(title: str) -> None:
        number = next(seen)
        click.echo(f"\r\033[K[{number}/{total}] {title}", err=True, nl=False)
        if number == total:
            click.echo("\r\033[K", err=True, nl=False)

    return show


def _data(report: Report) -> dict[str, Any]:
    return {
        "success": report.verdict == "ok",
        "verdict": report.verdict,
        "database": report.database,
        "shape": report.shape,
        "server_version": report.server_version,
        "seconds": report.seconds,
        "checks": [
            {
                "id": one.check.id,
                "alias": one.check.alias,
                "title": one.check.title,
                "verdict": one.verdict,
                "looked_at": one.outcome.looked_at,
                "count": one.outcome.count,
                "notes": list(one.outcome.notes),
                "seconds": one.seconds,
                "findings": [dataclasses.asdict(finding) for finding in one.outcome.findings],
            }
            for one in report.examined
        ],
    }


def _text(report: Report, verbose: bool) -> Iterator[str]:
    width = max((len(one.check.id) for one in report.examined), default=0)
    for one in report.examined:
        took = f"  {one.seconds:.2f} s" if verbose else ""
        yield f"{_MARKS[one.verdict]} {one.check.id:<{width}}  {one.check.title} ({_looked_at(one)}){took}"
        if verbose:
            yield from (f"  {'':<{width}}  {note}" for note in one.outcome.notes)
    for finding in report.findings:
        yield ""
        yield from _finding(finding, verbose)
    counts = {mark: sum(one.verdict == name for one in report.examined) for name, mark in _MARKS.items()}
    yield ""
    yield (
        f"{report.verdict}: " + "  ".join(f"{mark} {count}" for mark, count in counts.items())
        + f"  on PostgreSQL {report.server_version}, {report.database} ({report.shape}), in {report.seconds} s"
    )  # fmt: skip


def _looked_at(one: Examined) -> str:
    return f"{one.outcome.count} {one.outcome.looked_at}"


def _finding(finding: Finding, verbose: bool) -> Iterator[str]:
    yield f"{_MARKS[finding.verdict]} {finding.check}  {finding.subject}"
    yield f"  {finding.message}"
    yield from _evidence(finding.evidence, verbose)
    if finding.siblings:
        yield f"  the same pattern in {len(finding.siblings)} more places:"
        yield from _evidence(finding.siblings, verbose)
    if finding.repair:
        yield f"  repair: {finding.repair}"
    yield f"  why: sitevault doctor --explain {finding.check}"


def _evidence(evidence: tuple[Evidence, ...], verbose: bool) -> Iterator[str]:
    shown = evidence if verbose else evidence[:_SHOWN]
    for one in shown:
        place = one.object if one.line is None else f"{one.object}, line {one.line}"
        state = f" [{one.sqlstate}]" if one.sqlstate else ""
        counts = f" ({', '.join(f'{name} {count}' for name, count in one.counts.items())})" if one.counts else ""
        yield f"  - {place}: {one.says}{counts}{state}"
        if one.context and verbose:
            yield from (f"      {line}" for line in one.context.splitlines())
    if len(evidence) > len(shown):
        yield f"  - and {len(evidence) - len(shown)} more (-v shows all)"


def _explained(check: Check) -> dict[str, Any]:
    return {
        "id": check.id,
        "alias": check.alias,
        "title": check.title,
        "why": check.why,
        "looks_at": check.looks_at,
        "mend": check.mend,
    }


def _explanation(check: Check) -> str:
    alias = f" ({check.alias})" if check.alias else ""
    parts = (("Why it matters", check.why), ("What it looks at", check.looks_at), ("What to do", check.mend))
    body = "\n\n".join(f"{title}\n{_wrapped(text)}" for title, text in parts)
    return f"{check.id}{alias}: {check.title}\n\n{body}"


def _wrapped(text: str) -> str:
    import textwrap

    return textwrap.fill(text, 96, initial_indent="  ", subsequent_indent="  ")
