"""F2: a function reads a key that payloads do not carry, or carry elsewhere."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sitevault.doctor.checks.functions.spots import Spot, outcome, run_time
from sitevault.doctor.code.library import Code, Library, library
from sitevault.doctor.code.payloads import Accessor, read_keys
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.payloads import Payloads
from sitevault.doctor.snapshot import Shape, Snapshot
from sitevault.observe.statistics import proportion_lower, proportion_upper

ALIKE = 0.72
"""evt_type and event_type are 0.89 alike, page_url and page_title 0.67."""
_CODE_WORDS = {"evt": "event", "ts": "timestamp", "sid": "session_id", "uid": "user_id", "url": "page_url"}


class Nearest(NamedTuple):
    """The key that is there instead."""

    path: str
    present: int
    how: str


class Misread(NamedTuple):
    """A key that a function reads in a line and that no payload carries; `nearest` is what was probably meant."""

    code: Code
    accessor: Accessor
    nearest: Nearest | None


def misread(snapshot: Snapshot) -> list[Misread]:
    """Every such key, in the order of functions and lines; none where there is no payload to compare with."""
    if not snapshot.payloads.events:
        return []
    known = library(snapshot)
    reads = _reads(snapshot, known)
    return [one for code in known for one in _misread(code, reads.get(code.function.oid, []), snapshot.payloads)]


def look(snapshot: Snapshot) -> Outcome:
    """Keys that functions read, against those that payloads carry."""
    known = library(snapshot)
    payloads = snapshot.payloads
    reads = _reads(snapshot, known)
    total = payloads.events
    spots = [_spot(one.code, one.accessor, payloads, total, one.nearest) for one in misread(snapshot)]
    result = outcome(CHECK.id, known, spots, run_time(known, lambda code: code.function.oid in reads))
    reading = sum(map(bool, reads.values()))
    if reading and not payloads.events:
        message = f"{reading} functions read keys of payloads, and there is no payload to compare them with"
        nothing = Finding(CHECK.id, Verdict.UNKNOWN, "payloads", message)
        return Outcome(result.looked_at, result.count, (*result.findings, nothing), result.nothing_is_fine)
    return result


def _reads(snapshot: Snapshot, known: Library) -> Mapping[int, list[Accessor]]:
    top_level = frozenset(path.split(".")[0] for path in snapshot.payloads.paths)
    column = "raw_payload" if snapshot.shape is Shape.HOUSE else snapshot.event_table.payload
    return read_keys(known, column, top_level)


def _misread(code: Code, accessors: list[Accessor], payloads: Payloads) -> Iterator[Misread]:
    seen: set[tuple[tuple[str, ...], int]] = set()
    for one in accessors:
        path = ".".join(one.path)
        present, _ = payloads.present(path)
        if present or (one.path, one.line) in seen:
            continue
        seen.add((one.path, one.line))
        if any(payloads.present(".".join(other))[0] for other in one.fallback):
            continue
        nearest = _nearest(one.path, payloads)
        if nearest or not one.has_default:
            yield Misread(code, one, nearest)


def _spot(code: Code, one: Accessor, payloads: Payloads, total: int, nearest: Nearest | None) -> Spot:
    path = ".".join(one.path)
    at_most = proportion_upper(0, total)
    message = f"{path} is read in line {one.line} and is in 0 of {total} payloads (at most {at_most:.0%} carry it)"
    if nearest:
        at_least = proportion_lower(nearest.present, total)
        message += (
            f"; {nearest.path}, {nearest.how}, is in {nearest.present} of {total} (at least "
            f"{at_least:.0%} carry it)"
        )
    verdict = Verdict.PROBLEM if nearest and not one.has_default else Verdict.WARNING
    return Spot(
        code, one.line, message, f"reads {path}", verdict,
        counts=_counts(path, payloads), more=tuple(_per_type(path, nearest, payloads)),
        repair="sitevault repair plan functions.field_contract",
    )  # fmt: skip


def _counts(path: str, payloads: Payloads) -> Mapping[str, int]:
    present, total = payloads.present(path)
    return {"payloads": total, "with the key": present}


def _per_type(path: str, nearest: Nearest | None, payloads: Payloads) -> Iterator[Evidence]:
    """Presence k of n per event type, with the interval in which its true share lies."""
    for event_type in sorted({kind for _, kind in payloads.groups}, key=str):
        profile = payloads.of_type(event_type)
        here = profile.present(path)
        says = f"{path} in {_share(here, profile.events)}"
        if nearest:
            says += f", {nearest.path} in {_share(profile.present(nearest.path), profile.events)}"
        yield Evidence(f"event type {event_type or '(none)'}", says, counts={"payloads": profile.events})


def _share(present: int, total: int) -> str:
    low, high = proportion_lower(present, total), proportion_upper(present, total)
    return f"{present} of {total} ({low:.0%} to {high:.0%})"


def _nearest(path: tuple[str, ...], payloads: Payloads) -> Nearest | None:
    """The key that was probably meant: the same name elsewhere, or the most alike by name."""
    wanted = path[-1]
    rated = []
    for there in payloads.paths:
        parts = there.split(".")
        present = payloads.present(there)[0]
        if parts[-1] == wanted:
            how = "nested" if len(parts) > len(path) else "the same name in another place"
            rated.append((2.0, present, Nearest(there, present, how)))
        elif len(parts) == len(path):
            rated.append((_likeness(wanted, parts[-1]), present, Nearest(there, present, "the most alike")))
    best = max(rated, key=lambda one: one[:2], default=None)
    return best[2] if best and best[0] >= ALIKE else None


def _likeness(wanted: str, there: str) -> float:
    first, second = _words(wanted), _words(there)
    if first == second:
        return 1.5
    return difflib.SequenceMatcher(None, wanted.lower(), there.lower()).ratio()


def _words(name: str) -> list[str]:
    """snake_case and camelCase are one to us, and so are usual abbreviations."""
    spaced = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return [_CODE_WORDS.get(word, word) for word in spaced.replace("-", "_").split("_") if word]


CHECK = Check(
    id="functions.field_contract",
    alias="F2",
    title="Functions read the keys that payloads carry",
    why=(
        "A function that reads payload->>'evt_type' while every payload carries event_type gets NULL each time: "
        "the "
        "event fails on NOT NULL, or is stored without the field. Keys that are nested (event_data.session_id) "
        "and "
        "read at the top level cost quality points that the data never lost."
    ),
    looks_at=(
        "Each key that a function reads of the payload (->, ->>, #>, #>>, jsonb_extract_path, subscripts, "
        "jsonb_to_record), followed through variables, loops and calls, against the keys of the sampled payloads, "
        "per event type, with the share that carries it and its 95 % interval. A key that is in none is a problem "
        "where a like-named or nested one is there, else a warning. A COALESCE whose other key is there is left "
        "alone. What is built at run time is unknown; without payloads all of it is."
    ),
    mend="Read the key that is there; while both may come, COALESCE(new, old). Compare old and new output first.",
    look=look,
)
