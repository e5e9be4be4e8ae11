"""`sitevault release status`: how every environment stands, or one of them in full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sitevault.cli.session import Session, at, examples, json_option, table

if TYPE_CHECKING:
    from sitevault.release.history import Standing
    from sitevault.release.record import Released

_SHORT = 12


@click.command(
    epilog=examples(
        "sitevault release status", "sitevault release status --env production", "sitevault release status --json"
    )
)
@click.option("--env", "name", metavar="NAME", help="Only this environment, in full.")
@json_option
@click.pass_obj
def status(session: Session, name: str | None) -> int:
    """Say what is in force in every environment, what is wrong, which is ahead, and what to do next.

    Exit 0 healthy, 1 with a finding (a FAIL, a pause that a dead deploy left, the wrong database), 3 where nobody
    knows yet: under observation, under way, not reachable.
    """
    from sitevault.errors import ConfigurationError
    from sitevault.release import environments, history
    from sitevault.release.outlook import worst
    from sitevault.release.target import opened

    known = environments.read(session.config)
    if name is not None:
        with opened(session.config, known, name, session.say) as target:
            one = history.standing(target, known)
        session.answer(data(one), "\n".join(_text(one)))
        return one.health.exit_code
    if not known.of:
        raise ConfigurationError(
            "No environment is configured: there is nothing to say anything of.",
            fix="Describe them in sitevault.toml, in their order: [environments.testing] and so on.",
            command="sitevault release --help",
        )
    found = history.everywhere(known, lambda each: opened(session.config, known, each, session.say))
    between = history.ahead(found, known)
    health = worst([*(one.health for one in found), *(one.health for one in between)])
    session.answer(
        {
            "success": health.exit_code == 0,
            "health": health,
            "environments": [data(one) for one in found],
            "between": [one._asdict() for one in between],
        },
        "\n".join(_table(found, [one.says for one in between])),
    )
    return health.exit_code


def data(one: Standing) -> dict[str, object]:
    """An environment's standing as the answer holds it."""
    return {
        "success": one.health.exit_code == 0,
        "environment": one.environment,
        "health": one.health,
        "location": one.location,
        "shape": one.shape,
        "fingerprint": one.fingerprint,
        "release": None if one.current is None else released(one.current),
        "undone": None if one.undone is None else released(one.undone),
        "observation": None
        if one.observation is None
        else {"at": one.observation.observed_at, "verdict": one.observation.verdict},
        "pause": None if one.pause is None else one.pause._asdict(),
        "attestations": [
            {
                "kind": said.kind,
                "bundle": said.bundle_digest,
                "plan": said.predicate.plan,
                "environment": said.predicate.environment,
                "signer": said.signer,
                "at": said.predicate.at,
            }
            for said in one.statements
        ],
        "not_genuine": list(one.not_genuine),
        "findings": [finding._asdict() for finding in one.findings],
        "next": one.command,
    }


def released(one: Released) -> dict[str, object]:
    """A release without what it carried."""
    left_out = ("bundle", "plan", "baseline", "standing")
    return {name: value for name, value in one._asdict().items() if name not in left_out}


def _text(one: Standing) -> Iterator[str]:
    yield f"{one.environment}: {one.health}"
    yield f"  database     {one.location or 'not reached'}" + (f" ({one.shape})" if one.shape else "")
    if one.fingerprint:
        yield f"  fingerprint  {one.fingerprint[:16]}"
        yield f"  in force     {_release(one.current) if one.current else 'nothing was released'}"
    if one.undone is not None:
        why = f": {one.undone.note}" if one.undone.note else ""
        yield f"  taken back   {_called(one.undone)}{why}"
    if one.observation is not None:
        yield f"  judged       {one.observation.verdict}, {at(one.observation.observed_at)}"
    if one.pause is not None:
        yield f"  paused       since {at(one.pause.since)} by {one.pause.by}: {one.pause.message}"
    for said in one.statements:
        plan = f" plan {said.predicate.plan[:_SHORT]}" if said.kind == "APPROVED" else ""
        where = "" if said.predicate.environment == one.environment else f" in {said.predicate.environment}"
        what = f"{said.subject.name}{plan} {said.kind}{where}"
        yield f"  on record    {what}, says {said.signer}, {said.predicate.at}"
    for why in one.not_genuine:
        yield f"  not believed an attestation: {why}"
    for finding in one.findings:
        yield f"{finding.says}"
    if one.command:
        yield f"  {one.command}"


def _table(found: list[Standing], between: list[str]) -> Iterator[str]:
    rows = (
        (
            one.environment,
            one.health,
            _called(one.current) if one.current else "-",
            one.current.bundle_digest[:_SHORT] if one.current else "-",
            one.current.state if one.current else "-",
            at(one.current.deployed_at) if one.current else "-",
            "paused" if one.pause else "",
        )
        for one in found
    )
    yield table(("environment", "health", "in force", "bundle", "state", "since", "workers"), rows)
    yield from between
    for one in found:
        for finding in one.findings:
            yield f"{one.environment}: {finding.says}\n  {finding.command}"


def _release(one: Released) -> str:
    since = f"since {at(one.deployed_at)} by {one.deployed_by}"
    return f"{_called(one)} ({one.bundle_digest[:_SHORT]}), {one.state}, {since}"


def _called(one: Released) -> str:
    return f"{one.name} {one.version}"
