"""Who wants a plan carried out: signed for this plan and this database, counted before the deploy."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from sitevault.audit import dsse
from sitevault.errors import ConfigurationError
from sitevault.release import attest, record
from sitevault.release.attest import Approval, Statement
from sitevault.release.environments import Environment, Environments
from sitevault.release.model import Bundle, ReleaseBlockedError, ReleasePlan, seal
from sitevault.release.target import Target
from sitevault.tenancy.audit_log import Action


def approve(target: Target, plan: ReleasePlan, environments: Environments, person: str, key: Path) -> Approval:
    """Sign a plan for this database and put it on record; who approved it already changes nothing.

    Raises as `require_leave` does.
    """
    require_leave(target, plan, environments, person, key)
    there = next((one for one in approvals(target, plan, environments) if one.approver == person), None)
    return there or _sign(target, plan, person, key)


def require_leave(target: Target, plan: ReleasePlan, environments: Environments, person: str, key: Path) -> None:
    """Whether this person may approve this plan here.

    Raises ReleaseBlockedError for a plan for another database, one with hazards nobody accepted, and a person who
    may not approve it; ConfigurationError for a person or a key that [people] does not know.
    """
    _require_plan(target, plan)
    require_key(environments, person, key)
    why = _may_not(environments[target.environment], plan.author, person)
    if why:
        raise ReleaseBlockedError(f"{person} may not approve this plan: {why}.", fix=_who(environments, plan))
    unaccepted = sorted({hazard.name for hazard in plan.hazards} - set(plan.accepted))
    if unaccepted:
        raise ReleaseBlockedError(
            f"The plan has hazards that nobody accepted: {', '.join(unaccepted)}.",
            fix="Look at them; a plan in which they are accepted can be approved.",
            command=f"sitevault release plan --env {target.environment} --accept {unaccepted[0]}",
        )


def require(target: Target, plan: ReleasePlan, bundle: Bundle, environments: Environments) -> list[Approval]:
    """The approvals that count. Raises ReleaseBlockedError where the environment demands more of them."""
    _require_plan(target, plan)
    if (plan.bundle_digest, plan.author) != (bundle.digest, bundle.author):
        raise ReleaseBlockedError(
            f"The plan is for another bundle: {plan.bundle_digest[:12]}, not {bundle.digest[:12]}.",
            command=f"sitevault release plan --env {target.environment}",
        )
    settings = environments[target.environment]
    tally = _tally(target, plan, environments)
    missing = settings.approvals - len(tally.counted)
    if missing > 0:
        raise ReleaseBlockedError(
            f"{target.environment} demands {_approvals(settings.approvals)} of this plan ({plan.digest[:12]}); "
            f"{missing} missing"
            + _listed("; approved by ", tally.counted)
            + _listed("; not counted: ", tally.refused)
            + ".",
            fix=_who(environments, plan),
            command=f"sitevault release approve PLAN --env {target.environment} --as PERSON --key FILE",
        )
    return list(tally.counted.values())


def missing(target: Target, plan: ReleasePlan, environments: Environments) -> int:
    """How many approvals the environment still demands of this plan."""
    demanded = environments[target.environment].approvals
    return max(0, demanded - len(_tally(target, plan, environments).counted))


def approvals(target: Target, plan: ReleasePlan, environments: Environments) -> list[Approval]:
    """Every genuine approval of this plan for its database, oldest first; whether it counts is for `require`."""
    return _of_plan(target, plan, _on_record(target, plan.bundle_digest, environments)[0])


def require_key(environments: Environments, person: str, key: Path) -> None:
    """Raises ConfigurationError where [people] does not know the person, or not by this key."""
    people = attest.distinct(environments.people)
    if person not in people:
        raise ConfigurationError(
            f"[people] of sitevault.toml does not name {person!r}"
            + (f"; it names {', '.join(people)}." if people else ": it names nobody."),
            fix=f'Add the public key: {person} = "{person}.key.pub"',
            command=f"sitevault audit keygen {person}.key",
        )
    if dsse.key_id(dsse.public_of(key)) != dsse.key_id(dsse.public_key(people[person])):
        raise ConfigurationError(f"{key} is not {person}'s key: it does not belong to {people[person]}.")


def _require_plan(target: Target, plan: ReleasePlan) -> None:
    if seal(plan).digest != plan.digest:
        raise ReleaseBlockedError("The plan was changed after it was made.", command="sitevault release plan")
    record.require_identity(target, plan.identity)


def _sign(target: Target, plan: ReleasePlan, person: str, key: Path) -> Approval:
    said = Approval(
        plan=plan.digest,
        environment=target.environment,
        fingerprint=plan.identity.fingerprint,
        hazards=plan.accepted,
        approver=person,
        at=attest.instant(),
    )
    subject = attest.about(plan.bundle_name, plan.bundle_version, plan.bundle_digest)
    statement = attest.signed(subject, said, key)
    with record.brief(target.ground):
        attest.keep(target, statement)
        record.note(target.ground, plan.digest, "approve", f"{person} approved the plan.")
        record.audit(
            target.ground,
            Action.RELEASE_APPROVE,
            {"environment": target.environment, "plan": plan.digest, "bundle": plan.bundle_digest, "by": person},
        )
    return said


class _Tally(NamedTuple):
    """The approvals that count, by person, and what else is on record with the reason why it does not."""

    counted: dict[str, Approval]
    refused: list[str]


def _tally(target: Target, plan: ReleasePlan, environments: Environments) -> _Tally:
    settings = environments[target.environment]
    statements, refused = _on_record(target, plan.bundle_digest, environments)
    found = _of_plan(target, plan, statements)
    counted: dict[str, Approval] = {}
    for one in found:
        why = _may_not(settings, plan.author, one.approver)
        if why:
            refused.append(f"{one.approver}: {why}")
        else:
            counted.setdefault(one.approver, one)
    if others := len(statements) - len(found):
        refused.append(f"{others} of this bundle, but of another plan or database")
    return _Tally(counted, refused)


def _of_plan(target: Target, plan: ReleasePlan, statements: list[Statement]) -> list[Approval]:
    return [
        one.predicate
        for one in statements
        if isinstance(one.predicate, Approval)
        and one.bundle_digest == plan.bundle_digest
        and one.predicate.plan == plan.digest
        and one.predicate.environment == target.environment
        and one.predicate.fingerprint == plan.identity.fingerprint
    ]


def _on_record(
    target: Target, bundle_digest: str, environments: Environments
) -> tuple[list[Statement], list[str]]:
    """The approvals of a bundle that are genuine, and what is wrong with the others."""
    rows = record.attestations(target.ground, bundle_digest)
    return attest.genuine(
        (one.envelope for one in rows if one.kind == "APPROVED"), attest.distinct(environments.people)
    )


def _may_not(settings: Environment, author: str, person: str) -> str | None:
    """Why this person's approval does not count."""
    if settings.approvers and person not in settings.approvers:
        return "not among the approvers of this environment"
    if settings.four_eyes and is_author(author, person):
        return "the bundle's author; four eyes are demanded"
    return None


def is_author(author: str, person: str) -> bool:
    """Whether the author that a bundle names (`ada`, `ada@host`, `Ada <ada@example.com>`) is this person."""
    return person.casefold() in set(_names(author.casefold()))


def _names(author: str) -> Iterator[str]:
    yield author.strip()
    for part in author.replace("<", " ").replace(">", " ").split():
        yield part
        yield part.partition("@")[0]


def _who(environments: Environments, plan: ReleasePlan) -> str:
    settings = environments[plan.identity.environment]
    able = [name for name in environments.people if _may_not(settings, plan.author, name) is None]
    if len(able) < settings.approvals:
        return (
            f"Only {len(able)} of [people] may approve it ({', '.join(able) or 'nobody'}): add people, or demand "
            "fewer approvals."
        )
    return f"These may approve it: {', '.join(able)}."


def _approvals(count: int) -> str:
    return "an approval" if count == 1 else f"{count} approvals"


def _listed(before: str, names: Collection[str]) -> str:
    return before + ", ".join(names) if names else ""
