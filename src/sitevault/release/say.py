"""A bundle or a plan as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from sitevault.release.model import Bundle, File, ReleasePlan

_SHORT = 16


def said(value: Bundle | ReleasePlan) -> list[str]:
    """What it is, what is in it, what it changes."""
    match value:
        case Bundle():
            return list(_bundle(value))
        case ReleasePlan():
            return list(_plan(value))
        case _:
            assert_never(value)


def _bundle(one: Bundle) -> Iterator[str]:
    yield f"{one.name} {one.version}, by {one.author}"
    yield f"  digest      {one.digest}"
    yield f"  shape       {one.shape}{' (Sitevault itself)' if one.own else ''}"
    yield f"  built by    Sitevault {one.sitevault} on PostgreSQL {one.postgresql}"
    yield f"  base        sha256 {one.base_sha256[:_SHORT]}"
    if one.staging:
        yield f"  staging     sha256 {one.staging[:_SHORT]}"
    yield f"  parameters  {', '.join(one.parameters) or 'none'}"
    yield from _listed("migrations, each once", map(_file, one.migrations))
    yield from _listed("objects, with every release", map(_file, one.objects))
    yield from _listed("settings", (f"{s.kind} {s.tenant} {s.event_type or ''}".rstrip() for s in one.settings))
    yield from _listed("claims", (f"{claim.fixes}: {name}" for claim in one.claims for name in claim.objects))
    yield from _listed("changes, as tried", (f"{_what(e.attributes)} {e.kind} {e.identity}" for e in one.expected))
    yield from _listed("allowed", (f"{a.lint} in {a.where}: {a.because}" for a in one.allowed))


def _plan(one: ReleasePlan) -> Iterator[str]:
    yield f"{one.bundle_name} {one.bundle_version} for {one.identity.environment}, by {one.author}"
    yield f"  digest      {one.digest}"
    yield f"  bundle      {one.bundle_digest}"
    yield f"  database    {one.identity.database}, fingerprint {one.identity.fingerprint[:_SHORT]}"
    yield f"  made        {one.made_at} on PostgreSQL {one.server_version // 10_000}"
    yield from _listed("migrations", one.migrations)
    yield from _listed("objects", one.objects)
    yield from _listed("settings", one.settings)
    yield from _listed("parameters", (f"{name} = {value}" for name, value in sorted(one.parameters.items())))
    yield from _listed(
        "changes",
        (
            f"{'add' if c.before is None else 'drop' if c.after is None else 'change'} {c.kind} {c.identity}"
            for c in one.changes
        ),
    )
    yield from _listed(
        "hazards",
        (f"{h.name}: {h.why}" + (" (accepted)" if h.name in one.accepted else "") for h in one.hazards),
    )


def _file(one: File) -> str:
    beside = [part for part, text in (("revert", one.revert), ("verify", one.verify)) if text is not None]
    return f"{one.name}  sha256 {one.sha256[:_SHORT]}" + (f"  with {' and '.join(beside)}" if beside else "")


def _what(attributes: str | None) -> str:
    return "drop" if attributes is None else "make"


def _listed(heading: str, lines: Iterator[str] | tuple[str, ...]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield f"{heading}:"
        yield from (f"  {line}" for line in found)
