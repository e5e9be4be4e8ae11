"""From findings to a plan: what can be mended is tried with its way back, what cannot is said with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sitevault.db.restore import CannotRestoreError
from sitevault.doctor import snapshot
from sitevault.doctor.run import choose, examine
from sitevault.errors import UsageError
from sitevault.repair import run
from sitevault.repair.ground import Ground
from sitevault.repair.makers import functions, rewrite
from sitevault.repair.makers.case import Case, Maker, NotMended
from sitevault.repair.makers.registry import MAKERS
from sitevault.repair.model import Action, Plan, RepairError, RepairRefusedError, Statement
from sitevault.repair.session import Opened

Notify = Callable[[str], None]

ASSIGNED = "tenancy.provenance"
"""The check whose maker also carries out what a person decided."""


REWRITES = {"functions.field_contract"}
"""Checks whose findings a rewritten function mends."""


@dataclass(frozen=True)
class Asked:
    """What the operator wants planned: checks (none: all), files of functions, events given to tenants by hand."""

    checks: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    assign: Mapping[int, str] = field(default_factory=dict)
    reason: str = ""
    options: snapshot.Options = field(default_factory=snapshot.Options)


def assemble(ground: Ground, made: Iterable[Action | NotMended]) -> Plan:
    """The plan of all that works; an action that fails, or cannot be undone exactly, is left out and named."""
    actions: list[Action] = []
    not_mended: list[str] = []
    for one in made:
        if isinstance(one, Action):
            actions.append(one)
        else:
            not_mended.append(f"{one.subject}: {one.why}")
    possible: list[Action] = []
    for action in actions:
        if why := _why_not(ground, action):
            by_hand = "; ".join(step.sql for step in action.steps if isinstance(step, Statement))
            not_mended.append(
                f"{action.subject}: {why}" + (f" By hand, by whoever may: {by_hand}" if by_hand else "")
            )
        else:
            possible.append(action)
    return run.draft(ground, possible, not_mended)


def _why_not(ground: Ground, action: Action) -> str | None:
    """Why an action cannot be part of a plan; None where it can."""
    try:
        tried = run.draft(ground, [action])
    except (RepairError, RepairRefusedError, CannotRestoreError) as error:
        return error.message
    # PostgreSQL only warns when it revokes nothing: what the doctor saw is then still there.
    silent = all(isinstance(step, Statement) and step.back is None for step in action.steps)
    return "it would change nothing: it takes more rights." if silent and not tried.objects else None


def propose(opened: Opened, asked: Asked, notify: Notify = lambda _: None) -> Plan:
    """Ask the doctor, and plan what can be done about its findings, or about those of the checks that were named.

    Raises UsageError for a check that does not exist, or for an assignment without a reason.
    """
    if asked.assign and not asked.reason:
        raise UsageError(
            "Giving an event to a tenant by hand needs a reason, which is recorded.", fix="Add --reason 'why'."
        )
    ground = opened.ground
    made: list[Action | NotMended] = []
    with snapshot.opened(opened.doctor_conninfo, asked.options) as seen:
        now = seen.server.now
        checks = choose(asked.checks) if asked.checks or not (asked.files or asked.assign) else ()
        findings = list(examine(seen, checks, notify).findings) if checks else []
        # Nothing rewrites a function unasked: only where this check was named.
        rewritten = (
            list(rewrite.propose(seen)) if REWRITES & {check.id for check in checks if asked.checks} else []
        )
    wanted = {finding.check for finding in findings} | ({ASSIGNED} if asked.assign else set())
    done: set[Maker] = set()
    for check in sorted(wanted):
        of_check = tuple(finding for finding in findings if finding.check == check)
        maker = MAKERS.get(check)
        if maker is None:
            made += [
                NotMended(one.subject, f"{one.message} ({check}): no repair is made for it.") for one in of_check
            ]
        elif maker not in done and not (check in REWRITES and rewritten):
            done.add(maker)
            case = Case(ground, opened.reader, check, of_check, now, assign=asked.assign, reason=asked.reason)
            made += maker(case)
    for one in rewritten:
        if isinstance(one, NotMended):
            made.append(one)
        else:
            made += functions.make(ground, one.name, one.text, "functions.field_contract")
    for name, text in asked.files:
        made += functions.make(ground, name, text)
    notify("Trying every repair and its way back")
    return assemble(ground, made)
