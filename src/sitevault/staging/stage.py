"""Carries a batch of landed events through the steps: each comes out staged or failed, never both or neither."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from time import perf_counter

import msgspec

from sitevault.reasons import Reason
from sitevault.staging.draft import Draft
from sitevault.staging.enrich.bot import bot_evidence
from sitevault.staging.enrich.geo import GeoDatabase
from sitevault.staging.enrich.user_agent import read_user_agent
from sitevault.staging.model import EnrichmentStatus, LandedEvent, StagedBatch, StagedEvent, TenantRules
from sitevault.staging.steps import STEPS, Step
from sitevault.staging.tenant import Tenant
from sitevault.timestamps import event_day

_log = logging.getLogger(__name__)
_KEPT_TENANTS = 10_000
# Events that go through the steps together: their drafts stay in the processor's cache, and few are alive
# when the garbage collector looks (10,000 at once cost half as much again).
_SLICE = 256
_BLANK = {
    field.name: field.default
    for field in msgspec.structs.fields(StagedEvent)
    if field.default is not msgspec.NODEFAULT
}


class UnknownTenantError(LookupError):
    """The batch came without the rules of an event's tenant."""


class Stager:
    """Staging with its settings and caches; one per process, not shared between threads."""

    def __init__(self, late_days: int = 30, geo_database: Path | None = None) -> None:
        """`late_days`: how far back an event's own time is believed; `geo_database`: an .mmdb file.

        Raises ConfigurationError when the geo database cannot be read.
        """
        self._late_days = late_days
        self._geo = None if geo_database is None else GeoDatabase(geo_database)
        self._tenants: dict[bytes, Tenant] = {}
        # Their tables take 0.2 s to load: before the first event, not while somebody waits for it.
        read_user_agent("")
        bot_evidence("")

    def stage_batch(self, events: Sequence[LandedEvent], tenants: Mapping[bytes, TenantRules]) -> StagedBatch:
        """Stage every event, step by step over the whole batch. An event that raises costs only itself.

        `tenants` holds the rules of every tenant in the batch, by tenant_hk. The order of events is kept.
        """
        batch = StagedBatch([], [], {}, dict.fromkeys(("begin", *(step.name for step in STEPS)), 0.0))
        lost: Counter[tuple[str, str]] = Counter()
        prepared: dict[bytes, Tenant] = {}
        for start in range(0, len(events), _SLICE):
            self._stage_slice(events[start : start + _SLICE], tenants, prepared, batch, lost)
        for (name, error), count in lost.items():
            _log.warning("enrichment.failed", extra={"step": name, "error": error, "events": count})
        return batch

    def _stage_slice(
        self,
        events: Sequence[LandedEvent],
        tenants: Mapping[bytes, TenantRules],
        prepared: dict[bytes, Tenant],
        batch: StagedBatch,
        lost: Counter[tuple[str, str]],
    ) -> None:
        seconds = batch.step_seconds
        began = perf_counter()
        drafts = self._begin(events, tenants, prepared, batch.failed)
        seconds["begin"] += perf_counter() - began
        for step in STEPS:
            began = perf_counter()
            drafts = _run(step, drafts, batch.failed, lost)
            seconds[step.name] += perf_counter() - began
        for draft in drafts:
            batch.staged.append(draft.out)
            if draft.path_set is not None:
                batch.mapping_path_sets[draft.out.tenant_hk, draft.out.mapping_hk] = draft.path_set.paths

    def _begin(
        self,
        events: Sequence[LandedEvent],
        tenants: Mapping[bytes, TenantRules],
        prepared: dict[bytes, Tenant],
        failed: list[tuple[LandedEvent, str]],
    ) -> list[Draft]:
        drafts = []
        for event in events:
            try:
                tenant = prepared.get(event.tenant_hk)
                if tenant is None:
                    tenant = prepared[event.tenant_hk] = self._prepare(event.tenant_hk, tenants)
                drafts.append(Draft(event, tenant, blank(event), self._geo, self._late_days))
            except Exception as error:
                failed.append((event, _place(error, "begin")))
        return drafts

    def _prepare(self, tenant_hk: bytes, tenants: Mapping[bytes, TenantRules]) -> Tenant:
        rules = tenants.get(tenant_hk)
        if rules is None or rules.tenant_hk != tenant_hk:
            raise UnknownTenantError
        known = self._tenants.get(tenant_hk)
        if known is None or (known.rules is not rules and known.rules != rules):
            if len(self._tenants) >= _KEPT_TENANTS:
                self._tenants.clear()
            known = self._tenants[tenant_hk] = Tenant(rules)
        known.keys.forget()
        return known


def _run(
    step: Step, drafts: list[Draft], failed: list[tuple[LandedEvent, str]], lost: Counter[tuple[str, str]]
) -> list[Draft]:
    """One step over all drafts; returns those that go on."""
    run = step.run
    gone: set[int] = set()
    for draft in drafts:
        try:
            run(draft)
        except Exception as error:
            if step.fills is None:
                failed.append((draft.landed, _place(error, step.name)))
                gone.add(id(draft))
            else:
                lost[step.name, _place(error, step.name)] += 1
                _lose(draft, step.name, step.fills)
    return [draft for draft in drafts if id(draft) not in gone] if gone else drafts


def _lose(draft: Draft, step: str, columns: tuple[str, ...]) -> None:
    for column in columns:
        setattr(draft.out, column, _BLANK[column])
    draft.out.enrichment_status = EnrichmentStatus.PARTIAL
    draft.note(Reason.ENRICHMENT_FAILED, step)


def blank(event: LandedEvent) -> StagedEvent:
    """A staged event of which nothing but its landing is known."""
    return StagedEvent(
        tenant_hk=event.tenant_hk,
        batch_id=event.batch_id,
        raw_event_id=event.raw_event_id,
        event_id=event.event_id,
        event_day=event_day(event.event_id),
        received_timestamp=event.received_timestamp,
        occurred_at=event.received_timestamp,
        record_source=_record_source(event.protocol),
    )


@lru_cache(maxsize=64)
def _record_source(protocol: str) -> str:
    """ "track" -> "http.track/1": the road by which an event came, and the version of its contract."""
    name, _, version = protocol.removeprefix("http.").partition("/")
    return f"http.{name}/{version or '1'}"


def _place(error: Exception, step: str) -> str:
    """The error's type and where it was raised; its text may quote the payload, so it is left out."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    where = f" at {last.filename.rsplit('/', 1)[-1]}:{last.lineno}" if last else ""
    return f"{type(error).__name__} in {step}{where}"
