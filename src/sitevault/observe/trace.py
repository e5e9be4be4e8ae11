"""One event's whole journey: every landed copy, what each stage did with it, where it is and what to do next."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, LiteralString, assert_never
from uuid import UUID

import psycopg
from psycopg.rows import dict_row, scalar_row

from sitevault.errors import UnknownEventError, UsageError
from sitevault.hashkeys import GHOST
from sitevault.observe import ledger
from sitevault.observe.health import meaning_of
from sitevault.observe.ledger import SQL
from sitevault.tenancy.tenants import find_tenant
from sitevault.timestamps import event_day

MASKED = "••• (--show-personal shows it)"
REMOVED = "REMOVED"
"""In place of a batch's state: retention removed the landing, and what is shown is what later stages keep."""
PERSONAL = ("client_ip", "user_agent", "user_bk", "page_query", "payload")
_ENRICHED = (
    "occurred_at", "event_type", "session_id", "visitor_id", "user_bk", "page_url", "page_query", "page_title",
    "referrer_url", "referrer_host", "source", "channel", "utm_source", "utm_medium", "utm_campaign", "utm_term",
    "utm_content", "click_id_kind", "device_class", "browser", "browser_version", "os", "os_version", "language",
    "screen", "is_bot", "bot_evidence", "country", "region", "city", "client_ip", "user_agent",
)  # fmt: skip
_KEYS = ("event_hk", "session_hk", "visitor_hk", "page_hk", "user_hk", "campaign_hk")


_REQUEUE = (
    "UPDATE raw.site_tracking_events_r SET processing_status = 'PENDING', error_message = NULL "
    'WHERE raw_event_id = {};  -- in psql "$(sitevault url --role worker)", once the cause is mended'
)
_LOOK = (
    "SELECT * FROM business.site_event_nl WHERE tenant_hk = auth.tenant_key('{}') AND event_id = '{}';"
    '  -- in psql "$(sitevault url --role judge)"'
)


class Fate(StrEnum):
    """Where a landed copy is: exactly one of these."""

    PENDING = "pending"  # waits for a worker
    VAULTED = "vaulted"  # is the vault's row
    DUPLICATE = "duplicate"  # the vault had it already, with the same body
    CONFLICT = "conflict"  # the vault had this id with another body
    INVALID = "invalid"  # refused by a rule
    ERROR = "error"  # a dead letter
    LOST = "lost"  # accounted for, and nowhere: must never happen


@dataclass(frozen=True)
class Fired:
    """A rule or enrichment that noted something."""

    code: str
    field: str | None
    meaning: str


@dataclass(frozen=True)
class Staged:
    """What staging made of one copy."""

    at: datetime
    load_id: int
    worker: str | None
    loaded_at: datetime | None
    """When the load had written everything; it is committed a moment later."""
    validation_status: str
    enrichment_status: str
    quality_score: float
    fired: tuple[Fired, ...]
    paths: Mapping[str, str]
    """Field -> the payload path that supplied it."""
    fields: Mapping[str, object]
    """The mapped and enriched columns that are not empty."""


@dataclass(frozen=True)
class Letter:
    """A copy's dead letter."""

    status: str
    reason_code: str
    meaning: str
    sqlstate: str | None
    constraint: str | None
    message: str
    attempts: int
    first_failed_at: datetime
    last_failed_at: datetime
    requeued_at: datetime | None
    resolved_at: datetime | None


@dataclass(frozen=True)
class Replayed:
    """A replay that carried a copy, or is about to."""

    replay_id: int
    kind: str
    at: datetime | None
    was: str
    became: str | None
    actor: str
    reason: str | None


@dataclass(frozen=True)
class Patched:
    """Changes to a copy's fields, made whenever it is staged; values are shown with the personal data only."""

    replay_id: int
    at: datetime
    actor: str
    reason: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Copy:
    """One landing of the event: sent twice is landed twice."""

    raw_event_id: int
    batch_id: int
    received_at: datetime | None
    key_id: str | None
    key_label: str | None
    protocol: str | None
    origin: str | None
    client_ip: str | None
    user_agent: str | None
    payload: str | None
    """None where retention removed the landing; `batch_state` says so."""
    batch_state: str | None
    batch_attempts: int
    batch_last_error: str | None
    batch_not_before: datetime | None
    processed_at: datetime | None
    staged: tuple[Staged, ...]
    letter: Letter | None
    fate: Fate
    replays: tuple[Replayed, ...] = ()
    patches: tuple[Patched, ...] = ()


@dataclass(frozen=True)
class InVault:
    """The event's row in the vault."""

    raw_event_id: int
    load_date: datetime
    load_id: int
    worker: str | None
    event_day: str
    event_type: str
    occurred_at: datetime
    keys: Mapping[str, str]
    """Key column -> hex; the keys of the unknown member are left out."""


@dataclass(frozen=True)
class Journey:
    """One event of one tenant."""

    tenant_bk: str
    tenant_name: str
    event_id: UUID
    copies: tuple[Copy, ...]
    vault: InVault | None

    @property
    def where(self) -> str:
        """Where it is now, in a sentence."""
        return _where(self)

    @property
    def next_steps(self) -> list[str]:
        """What to type next, with the reason after a #."""
        return list(dict.fromkeys(_next_steps(self)))


def trace(
    judge: psycopg.Connection[Any], wanted: str, *, tenant_bk: str | None = None, show_personal: bool = False
) -> list[Journey]:
    """Every event with this event_id (UUID) or raw_event_id (number), of each tenant that has one.

    Raises UnknownEventError, UnknownTenantError, UsageError (neither a UUID nor a number).
    """
    tenant_hk = None
    if tenant_bk is not None:
        with judge.transaction():
            tenant_hk = find_tenant(judge, tenant_bk).tenant_hk
    with ledger.snapshot(judge):
        event_id = _event_id(judge, wanted, tenant_hk)
        rows = _rows(judge, SQL.landed_copies, {"event_id": event_id, "tenant_hk": tenant_hk}) if event_id else []
        if event_id and not rows:
            rows = _removed(judge, event_id, tenant_hk)
        if not rows:
            raise _unknown(judge, wanted, tenant_bk, tenant_hk)
        tenants = list(dict.fromkeys(row["tenant_hk"] for row in rows))
        return [
            _journey(judge, [row for row in rows if row["tenant_hk"] == one], show_personal) for one in tenants
        ]


def _removed(judge: psycopg.Connection[Any], event_id: UUID, tenant_hk: bytes | None) -> list[dict[str, Any]]:
    """The landed copies of an event as far as vault and staging still know them."""
    try:
        day = event_day(event_id)
    except ValueError:  # a year past 9999: no id of ours
        return []
    parameters: dict[str, object] = {"event_id": event_id, "tenant_hk": tenant_hk, "event_day": day}
    return [
        row | {"batch_id": row["raw_event_id"] >> 16, "batch_state": REMOVED}
        for row in _rows(judge, SQL.removed_copies, parameters)
    ]


def _unknown(
    judge: psycopg.Connection[Any], wanted: str, tenant_bk: str | None, tenant_hk: bytes | None
) -> UnknownEventError:
    of_whom = f" for {tenant_bk}." if tenant_bk else "."
    (row,) = _rows(judge, SQL.landing_removed_until, {"tenant_hk": tenant_hk})
    if row["day"] is None:
        message = f"No event {wanted} was ever landed{of_whom}"
    else:
        message = (
            f"No event {wanted} is in landing, staging or vault{of_whom} "
            f"Retention removed landings up to {row['day']}: whether it was among them is unknown."
        )
    return UnknownEventError(
        message, fix="The answer to a POST carries the event_id; an id of the client's own is in its payload only."
    )


def _event_id(judge: psycopg.Connection[Any], wanted: str, tenant_hk: bytes | None) -> UUID | None:
    if wanted.isascii() and wanted.isdigit() and len(wanted) != 32:
        if int(wanted) >= 1 << 63:
            return None
        with judge.cursor(row_factory=scalar_row) as cursor:
            parameters = {"raw_event_id": int(wanted), "tenant_hk": tenant_hk}
            found: UUID | None = cursor.execute(SQL.event_of_landing, parameters).fetchone()
            return found
    try:
        return UUID(wanted)
    except ValueError:
        raise UsageError(
            f"{wanted!r} is neither an event_id (a UUID) nor a raw_event_id (a number).",
            fix="The answer to a POST carries the event_id.",
            command="sitevault trace 0197b1c2-5d3e-7abc-8def-0123456789ab",
        ) from None


def _rows(
    judge: psycopg.Connection[Any], query: LiteralString, parameters: dict[str, object]
) -> list[dict[str, Any]]:
    with judge.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


def _journey(judge: psycopg.Connection[Any], rows: list[dict[str, Any]], show_personal: bool) -> Journey:
    first = rows[0]
    of_event = {"tenant_hk": first["tenant_hk"], "event_id": first["event_id"]}
    numbers = {"tenant_hk": first["tenant_hk"], "raw_event_ids": [row["raw_event_id"] for row in rows]}
    staged = _rows(judge, SQL.staged_copies, of_event | {"batch_ids": [row["batch_id"] for row in rows]})
    replays = _rows(judge, SQL.replays_of_copies, numbers)
    patches = _rows(judge, SQL.patches_of_copies, numbers)
    vaulted = next((_in_vault(row) for row in _rows(judge, SQL.vault_rows, of_event)), None)
    return Journey(
        first["tenant_bk"] or ledger.UNKNOWN_TENANT,
        first["tenant_name"] or "",
        first["event_id"],
        tuple(
            replace(
                _copy(row, tuple(_staged(one, show_personal) for one in _of(row, staged)), vaulted, show_personal),
                replays=tuple(_replayed(one) for one in _of(row, replays)),
                patches=tuple(_patched(one, show_personal) for one in _of(row, patches)),
            )
            for row in rows
        ),
        vaulted,
    )


def _of(copy: dict[str, Any], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["raw_event_id"] == copy["raw_event_id"]]


def _replayed(row: dict[str, Any]) -> Replayed:
    return Replayed(
        row["replay_id"], row["kind"], row["done_at"], row["was"], row["became"], row["actor"], row["reason"]
    )


def _patched(row: dict[str, Any], show_personal: bool) -> Patched:
    return Patched(
        row["replay_id"],
        row["recorded_at"],
        row["actor"],
        row["reason"],
        tuple(_step(step, show_personal) for step in row["steps"]),
    )


def _step(step: dict[str, Any], show_personal: bool) -> str:
    if step["op"] == "set":
        value = json.dumps(step.get("value"), ensure_ascii=False) if show_personal else MASKED
        return f"set {step['path']} = {value}"
    return f"{step['op']} {step['path']}" + (f" to {step['to']}" if step.get("to") else "")


def _copy(row: dict[str, Any], staged: tuple[Staged, ...], vaulted: InVault | None, show_personal: bool) -> Copy:
    shown = _masked(row, show_personal)
    return Copy(
        raw_event_id=row["raw_event_id"],
        batch_id=row["batch_id"],
        received_at=row["received_timestamp"],
        key_id=row["api_key"][:12] if "api_key" in row else None,
        key_label=row.get("key_label"),
        protocol=row.get("protocol"),
        origin=row.get("origin"),
        client_ip=shown.get("client_ip"),
        user_agent=shown.get("user_agent"),
        payload=shown.get("payload"),
        batch_state=row["batch_state"],
        batch_attempts=row.get("batch_attempts") or 0,
        batch_last_error=row.get("batch_last_error"),
        batch_not_before=row.get("batch_not_before"),
        processed_at=row.get("batch_processed_timestamp"),
        staged=staged,
        letter=_letter(row),
        fate=_fate(row, staged, vaulted),
    )


def _fate(row: dict[str, Any], staged: tuple[Staged, ...], vaulted: InVault | None) -> Fate:
    """Found by where the copy is; a status column only decides where it is in no place at all."""
    if vaulted is not None and vaulted.raw_event_id == row["raw_event_id"]:
        return Fate.VAULTED
    if row["is_conflict"] is not None:
        return Fate.CONFLICT if row["is_conflict"] else Fate.DUPLICATE
    letter = row.get("letter_status")
    if letter == "ERROR":
        return Fate.ERROR
    if letter == "PENDING":
        return Fate.PENDING
    if any(one.validation_status == "INVALID" for one in staged):
        return Fate.INVALID
    return Fate.LOST if row["batch_state"] in ("PROCESSED", REMOVED) else Fate.PENDING


def _letter(row: dict[str, Any]) -> Letter | None:
    if row.get("letter_status") is None:
        return None
    return Letter(
        status=row["letter_status"],
        reason_code=row["letter_reason"],
        meaning=meaning_of(row["letter_reason"]),
        sqlstate=row["letter_sqlstate"],
        constraint=row["letter_constraint"],
        message=row["letter_message"],
        attempts=row["letter_attempts"],
        first_failed_at=row["letter_first_failed_at"],
        last_failed_at=row["letter_last_failed_at"],
        requeued_at=row["letter_requeued_at"],
        resolved_at=row["letter_resolved_at"],
    )


def _staged(row: dict[str, Any], show_personal: bool) -> Staged:
    shown = _masked(row, show_personal)
    return Staged(
        at=row["processed_timestamp"],
        load_id=row["load_id"],
        worker=row["worker"],
        loaded_at=row["load_finished_at"],
        validation_status=row["validation_status"],
        enrichment_status=row["enrichment_status"],
        quality_score=float(row["quality_score"]),
        fired=tuple(
            Fired(found["code"], found.get("field"), meaning_of(found["code"]))
            for found in row["validation_errors"]
        ),
        paths=row["mapping_paths"] or {},
        fields={name: shown[name] for name in _ENRICHED if shown[name] not in (None, False)},
    )


def _in_vault(row: dict[str, Any]) -> InVault:
    return InVault(
        raw_event_id=row["raw_event_id"],
        load_date=row["load_date"],
        load_id=row["load_id"],
        worker=row["worker"],
        event_day=str(row["event_day"]),
        event_type=row["event_type"],
        occurred_at=row["occurred_at"],
        keys={name: row[name].hex() for name in _KEYS if row[name] != GHOST},
    )


def _masked(row: dict[str, Any], show_personal: bool) -> dict[str, Any]:
    if show_personal:
        return row
    return row | {name: MASKED for name in PERSONAL if row.get(name) is not None}


def _where(journey: Journey) -> str:
    fates = [copy.fate for copy in journey.copies]
    copies = "" if len(fates) == 1 else f" It was sent {len(fates)} times: {', '.join(fates)}."
    if journey.copies[0].batch_state == REMOVED:
        copies += " Its landing was removed by retention."
    if journey.vault is not None:
        return f"In the vault since {journey.vault.load_date:%Y-%m-%d %H:%M:%S}Z.{copies}"
    return _of_fate(journey.copies[-1].fate) + copies


def _of_fate(fate: Fate) -> str:
    match fate:
        case Fate.PENDING:
            return "Landed and durable; waiting for a worker."
        case Fate.VAULTED | Fate.DUPLICATE | Fate.CONFLICT:
            return "Recorded beside the vault's row, which is not there: please report this."
        case Fate.INVALID:
            return "Kept with its reasons, INVALID by the rules, so not in the vault."
        case Fate.ERROR:
            return "A dead letter: kept in landing, not in the vault."
        case Fate.LOST:
            return "Landed and accounted for, but in no place: please report this."
    assert_never(fate)


def _next_steps(journey: Journey) -> Iterator[str]:
    tenant = journey.tenant_bk
    for copy in journey.copies:
        match copy.fate:
            case Fate.PENDING:
                yield f"sitevault status --tenant {tenant}  # is a worker running, how long is the queue"
            case Fate.ERROR:
                yield _REQUEUE.format(copy.raw_event_id)
                yield f"sitevault replay --id {copy.raw_event_id} --dry-run  # once the cause is mended"
            case Fate.INVALID:
                yield f"sitevault status --tenant {tenant}  # how many events break the same rules"
                yield f"sitevault replay --id {copy.raw_event_id} --dry-run  # what the rules say of it now"
            case Fate.LOST:
                yield f"sitevault status --tenant {tenant} --recount  # how far the account is off"
            case Fate.VAULTED | Fate.DUPLICATE | Fate.CONFLICT:
                pass
            case _:
                assert_never(copy.fate)
    if journey.vault is not None:
        yield _LOOK.format(tenant, journey.event_id)
