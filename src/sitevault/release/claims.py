"""What a bundle claims to mend, against what its trial changed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import psycopg

from sitevault.db.catalog import CatalogSnapshot
from sitevault.release.model import BundleError, Claim
from sitevault.release.scratch import SQL
from sitevault.repair.ground import Ground

KINDS = (
    "materialized view",
    "default privileges",
    "schema",
    "table",
    "view",
    "sequence",
    "column",
    "index",
    "constraint",
    "function",
    "procedure",
    "aggregate",
    "trigger",
    "rule",
    "policy",
    "type",
    "extension",
)
_CALLED = ("function", "procedure", "aggregate")
_NEAREST = 3


def called(ground: Ground, claimed: tuple[Claim, ...]) -> dict[str, str]:
    """Callables that claims name by the types of their arguments alone, with what the catalog calls them now."""
    found: dict[str, str] = {}
    for claim in claimed:
        for name in claim.objects:
            kind = _kind(name)
            if kind not in _CALLED:
                continue
            try:
                with ground.conn.transaction():
                    ground.conn.execute(SQL.no_path)
                    row = ground.one(SQL.callable, {"name": name.removeprefix(f"{kind} ")})
                    raise psycopg.Rollback
            except psycopg.Error:
                row = None  # no name of a function at all
            if row is not None:
                found[name] = f"{kind} {row[0]}"
    return found


def held(
    claimed: tuple[Claim, ...],
    called: Mapping[str, str],
    before: CatalogSnapshot,
    after: CatalogSnapshot,
) -> tuple[Claim, ...]:
    """The claims, their objects called as in the catalog; `called` are those known by their types.

    Raises BundleError for an object that is nowhere, with the nearest names, and for one that did not change.
    """
    changed = {str(change.object) for change in before.changes(after)}
    known = {str(name) for name in (*before.objects, *after.objects)}
    found, nothing = [], []
    for claim in claimed:
        names = tuple(_resolve(name, known, called, claim) for name in claim.objects)
        nothing += [f"{claim.fixes}: {name}" for name in names if name not in changed]
        found.append(Claim(claim.fixes, names))
    if nothing:
        raise BundleError(
            "The release claims to mend what it does not change:\n" + "\n".join(f"- {line}" for line in nothing),
            fix="Put the change into the bundle, or take the claim out of release.toml.",
        )
    return tuple(found)


def _resolve(name: str, known: set[str], called: Mapping[str, str], claim: Claim) -> str:
    if name in known:
        return name
    kind = _kind(name)
    if kind is None:
        raise BundleError(
            f"The claim on {claim.fixes} names {name!r}, which does not begin with a kind of object.",
            fix=f"Kinds are: {', '.join(sorted(KINDS))}.",
        )
    if called.get(name) in known:
        return called[name]
    alike = [one for one in known if one.startswith(f"{name}(")]
    if len(alike) == 1 and "(" not in name:
        return alike[0]
    raise BundleError(
        f"The claim on {claim.fixes} names {name}, which exists neither before nor after the release.",
        fix="The nearest: " + "; ".join(_nearest(name, kind, known)) if known else None,
    )


def _kind(name: str) -> str | None:
    return next((kind for kind in KINDS if name.startswith(f"{kind} ")), None)


def _nearest(name: str, kind: str, known: set[str]) -> list[str]:
    same_kind = [one for one in sorted(known) if one.startswith(f"{kind} ")]
    return difflib.get_close_matches(name, same_kind or sorted(known), _NEAREST, 0.0)
