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


MAKERS: dict[str, Maker] = {
    "queue.pending": _waiting,
    "queue.errors": requeue.make,
    "queue.retries": requeue.make,
    "tenancy.provenance": _reassign,
    "catalog.partitions": partitions.make,
    "catalog.posture": isolation.make,
    "catalog.drift": drift.make,
    "catalog.hot_path": indexes.make_missing,
    "catalog.invalid_indexes": indexes.rebuild_invalid,
    "catalog.unvalidated": indexes.validate,
}
