"""Which check's findings are mended by which maker, in Sitevault's own database and in a foreign one."""

from __future__ import annotations

from collections.abc import Iterable

from sitevault.repair.makers import isolation, partitions, reassign_guide, reassign_house, requeue
from sitevault.repair.makers.case import Case, Maker, NotMended
from sitevault.repair.model import Action


def _reassign(case: Case) -> Iterable[Action | NotMended]:
    return reassign_house.make(case) if case.ground.house else reassign_guide.make(case)


MAKERS: dict[str, Maker] = {
    "queue.errors": requeue.make,
    "queue.retries": requeue.make,
    "tenancy.provenance": _reassign,
    "catalog.partitions": partitions.make,
    "catalog.posture": isolation.make,
}
