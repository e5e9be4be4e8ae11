"""From findings to a plan: what can be mended is tried with its way back, what cannot is said with its reason."""

from __future__ import annotations

from collections.abc import Iterable

from sitevault.db.restore import CannotRestoreError
from sitevault.repair import run
from sitevault.repair.ground import Ground
from sitevault.repair.makers.case import NotMended
from sitevault.repair.model import Action, Plan, RepairError, RepairRefusedError, Statement


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
