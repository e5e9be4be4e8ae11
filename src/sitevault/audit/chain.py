"""The chains of the audit log, verified from the first entry to the last."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row

from sitevault.audit.model import Verdict
from sitevault.db import queries
from sitevault.tenancy.audit_log import FIRST_HASH, HOUSE, canonical, entry_hash, wire_time

_SQL = queries.load("audit_log")

HOUSE_NAME = "(the house)"


class Entry(NamedTuple):
    """A row of audit.entry with its tenant's id, None where no such tenant is known."""

    tenant_hk: bytes
    tenant_bk: str | None
    seq: int
    recorded_at: datetime
    action: str
    actor: str
    record: str
    previous_hash: bytes
    entry_hash: bytes


@dataclass(frozen=True)
class Head:
    """Where a chain stood at a moment: entry `seq` had this hash (hexadecimal)."""

    tenant_hk: str
    seq: int
    entry_hash: str


@dataclass(frozen=True)
class Chain:
    """One chain as it was found: how many entries hold, and the first that does not."""

    tenant: str
    head: Head
    broken_at: int | None = None
    why: str | None = None

    @property
    def verdict(self) -> Verdict:
        return Verdict.OK if self.why is None else Verdict.PROBLEM


def verify(conn: psycopg.Connection[Any], published: Iterable[Head] = ()) -> list[Chain]:
    """Every chain, held against heads that were published before; `conn` is sitevault_auditor's.

    A chain cut off at its end, or rewritten as a whole, only a published head can tell.
    """
    expected: dict[str, list[Head]] = {}
    for head in published:
        expected.setdefault(head.tenant_hk, []).append(head)
    found = []
    with conn.transaction(), conn.cursor("chains", row_factory=class_row(Entry)) as cursor:
        cursor.execute(_SQL.chains)
        for tenant_hk, entries in groupby(cursor, key=lambda entry: entry.tenant_hk):
            found.append(_follow(entries, expected.pop(tenant_hk.hex(), [])))
    for tenant_hk, tenant_bk in conn.execute(_SQL.tenants_without_chain):
        expected.pop(tenant_hk.hex(), None)
        found.append(_gone(tenant_bk, tenant_hk.hex(), "the tenant has no entries left"))
    found += [_gone(tenant_hk, tenant_hk, "a published chain is gone") for tenant_hk in expected]
    return found


def _gone(tenant: str, tenant_hk: str, why: str) -> Chain:
    return Chain(tenant, Head(tenant_hk, 0, FIRST_HASH.hex()), 1, why)


def _follow(entries: Iterable[Entry], published: list[Head]) -> Chain:
    previous, expected = FIRST_HASH, {head.seq: head.entry_hash for head in published}
    seq, name, tenant = 0, HOUSE_NAME, HOUSE.hex()
    for entry in entries:
        tenant = entry.tenant_hk.hex()
        if entry.tenant_hk != HOUSE:
            name = entry.tenant_bk or tenant
        wrong = next(_wrong_with(entry, seq + 1, previous, expected.pop(entry.seq, None)), None)
        if wrong:
            # What follows cannot be judged, but has to be read to its end.
            for _ in entries:
                pass
            return Chain(name, Head(tenant, seq, previous.hex()), seq + 1, wrong)
        seq, previous = entry.seq, entry.entry_hash
    head = Head(tenant, seq, previous.hex())
    if expected:
        return Chain(name, head, seq + 1, f"it ends at {seq}; entry {max(expected)} was published")
    return Chain(name, head)


def _wrong_with(entry: Entry, seq: int, previous: bytes, published: str | None) -> Iterator[str]:
    """What is wrong with an entry, the plainest first."""
    if entry.seq != seq:
        yield f"entry {seq} is missing; the next is {entry.seq}"
    if entry.previous_hash != previous:
        yield "it does not continue the entry before it"
    if entry.entry_hash != entry_hash(entry.previous_hash, entry.tenant_hk, entry.seq, entry.record):
        yield "its record is not what its hash was made from"
    if not _says_the_same(entry):
        yield "its columns say something else than its record"
    if published is not None and published != entry.entry_hash.hex():
        yield "it is another one than was published"


def _says_the_same(entry: Entry) -> bool:
    try:
        said = json.loads(entry.record)
        return canonical(said) == entry.record and {
            "action": entry.action,
            "actor": entry.actor,
            "at": wire_time(entry.recorded_at),
            "seq": entry.seq,
            "tenant": entry.tenant_hk.hex(),
        } == {name: said[name] for name in ("action", "actor", "at", "seq", "tenant")}
    except (ValueError, KeyError, TypeError):
        return False
