"""Which check's findings are mended by which maker, in Sitevault's own database and in a foreign one."""

from __future__ import annotations

from collections.abc import Iterable

from sitevault.repair.makers import drift, indexes, isolation, partitions, reassign_guide, reassign_house, requeue
from sitevault.repair.makers.case import Case, Maker, NotMended
from sitevault.repair.model import Action


def _reassign(case: Case) -> Iterable[Action | NotMended]:
    return reassign_house.make(case) if case.ground.house else reassign_guide.make(case)


def _waiting(case: Case) -> Iterable[Action | NotMended]:
    yield NotMended(
        "events that wait",
        "They are in the queue: nothing is to be requeued. Mend why nobody takes them (queue.workers, functions), "
        "then a worker or `sitevault replay` carries them through.",
    )


def _by_hand(subject: str, why: str) -> Maker:
    """What a person has to decide or write; the plan says how to go on, and leaves it alone."""

    def make(_: Case) -> Iterable[Action | NotMended]:
        yield NotMended(subject, why)

    return make


_FIELDS = _by_hand(
    "the mapping of these functions",
    "Nothing rewrites a function unasked. `sitevault repair plan functions.field_contract` proposes it; your own "
    "comes by --function FILE. Either is compared with the old one on real events before anything changes.",
)
_CARRIED = _by_hand(
    "staging rows under another tenant than their event",
    "Which of the two is right is not proved here. Mend the function that looks the tenant up, take the rows "
    "away, and let `sitevault replay` carry the events anew.",
)
_UNSTAGED = _by_hand(
    "events said to be done without a staging row",
    "What they made elsewhere is not known. Mend the function that marked them, set exactly these events to "
    "PENDING, and let `sitevault replay` carry them.",
)

MAKERS: dict[str, Maker] = {
    "queue.pending": _waiting,
    "queue.errors": requeue.make,
    "queue.retries": requeue.make,
    "tenancy.provenance": _reassign,
    "tenancy.carried": _CARRIED,
    "data.unstaged": _UNSTAGED,
    "functions.field_contract": _FIELDS,
    "catalog.partitions": partitions.make,
    "catalog.posture": isolation.make,
    "catalog.drift": drift.make,
    "catalog.hot_path": indexes.make_missing,
    "catalog.invalid_indexes": indexes.rebuild_invalid,
    "catalog.unvalidated": indexes.validate,
}
