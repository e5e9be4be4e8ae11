"""Keys that are what they were made from."""

from __future__ import annotations

from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "data.hash_keys"


def _look(snapshot: Snapshot) -> Outcome:
    if not snapshot.is_house:
        notes = ("How a foreign database makes its hash keys is not known.",)
        return Outcome("hub rows", 0, nothing_is_fine=True, notes=notes)
    found = snapshot.hashes
    findings = tuple(
        Finding(
            ID,
            Verdict.PROBLEM,
            one.hub,
            f"{say.share(one.wrong, one.looked_at)} keys are not what their business key and tenant make",
            (Evidence(one.hub, "computed again", counts={"wrong": one.wrong}),),
        )
        for one in found
        if one.wrong
    )
    return Outcome("hub rows", sum(one.looked_at for one in found), findings, nothing_is_fine=True)


CHECK = Check(
    id=ID,
    title="Hash keys are what they were made from",
    why="A key that does not recompute joins to nothing, or to somebody else's row.",
    looks_at="The hub rows of sampled events (sessions, visitors, pages) and every tenant, with the SQL twin of "
    "the hash function. Only in our own house.",
    mend="Rebuild the vault from raw, which makes the keys again.",
    look=_look,
)
