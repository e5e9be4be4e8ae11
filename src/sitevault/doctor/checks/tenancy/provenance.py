"""Every event's tenant against what shows whose it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.provenance import MOST_SHARING, Judged, Provenance, judge
from sitevault.doctor.provenance import Evidence as Known
from sitevault.doctor.snapshot import Snapshot

ID = "tenancy.provenance"


def _look(snapshot: Snapshot) -> Outcome:
    known = Known(snapshot.key_owners, snapshot.tenants, snapshot.is_house)
    judged = judge(snapshot.sample.events, known)
    findings = (
        *_against(snapshot, judged, Provenance.CONTRADICTION, Verdict.PROBLEM),
        *_against(snapshot, judged, Provenance.SUSPECT, Verdict.WARNING),
        *_unverifiable(snapshot, judged),
    )
    notes = (snapshot.sample.how, *_counts(snapshot, judged))
    return Outcome(
        "events" if snapshot.sample.complete else "sampled events",
        len(judged),
        findings,
        nothing_is_fine=True,
        notes=notes,
    )


def _counts(snapshot: Snapshot, judged: list[Judged]) -> Iterator[str]:
    for tenant in dict.fromkeys(one.tenant_hk for one in judged):
        counts = Counter(one.verdict for one in judged if one.tenant_hk == tenant)
        listed = ", ".join(f"{verdict} {counts[verdict]}" for verdict in Provenance)
        yield f"tenant {snapshot.tenant_name(tenant)}: {listed}"


def _against(
    snapshot: Snapshot, judged: list[Judged], verdict: Provenance, shown_as: Verdict
) -> Iterator[Finding]:
    found = [one for one in judged if one.verdict is verdict]
    for tenant in dict.fromkeys(one.tenant_hk for one in found):
        mine = [one for one in found if one.tenant_hk == tenant]
        counts = Counter((one.by, one.points_to) for one in mine)
        total = sum(1 for one in judged if one.tenant_hk == tenant)
        word = "contradict" if verdict is Provenance.CONTRADICTION else "cast doubt on"
        yield Finding(
            ID,
            shown_as,
            f"tenant {snapshot.tenant_name(tenant)}",
            f"{say.share(len(mine), total)} events under this tenant {word} it",
            tuple(
                Evidence(
                    snapshot.event_table.full_name,
                    f"by {by}" + (f", they are tenant {snapshot.tenant_name(points_to)}'s" if points_to else ""),
                    counts={verdict.value: count},
                )
                for (by, points_to), count in counts.most_common()
            ),
            repair=f"sitevault repair plan {ID}",
        )


def _unverifiable(snapshot: Snapshot, judged: list[Judged]) -> Iterator[Finding]:
    found = Counter(one.tenant_hk for one in judged if one.verdict is Provenance.UNVERIFIABLE)
    if found:
        yield Finding(
            ID,
            Verdict.UNKNOWN,
            f"{len(found)} tenants",
            f"{say.share(found.total(), len(judged))} events carry nothing that shows whose they are: neither "
            f"confirmed nor refuted",
            tuple(
                Evidence(f"tenant {snapshot.tenant_name(tenant)}", "unverifiable", counts={"unverifiable": count})
                for tenant, count in found.most_common()
            ),
        )


CHECK = Check(
    id=ID,
    title="Every event is the tenant's whose it shows to be",
    why="Success rate, quality and latency say nothing of tenancy: in the incident every figure was green while "
    "events stood under the wrong tenant. Health data under a stranger's name is a breach, not a defect.",
    looks_at="A sample of events. By API key (a column, or a key in the payload; as it is or its SHA-256), "
    "against the keys of the tables in schema auth: consistent or contradiction. By the customer the payload "
    "names. Where neither is there, by the host: one that carries another tenant's name, or is used mostly by "
    f"another tenant, makes an event suspect; a host of more than {MOST_SHARING} tenants tells nothing. A host "
    f"never proves anything, so the rest is unverifiable, and shown as unknown.",
    mend="Reassign what its evidence shows, raw, staging and vault together. Make provenance mandatory where "
    "events come in: what was not recorded cannot be found out later.",
    look=_look,
)
