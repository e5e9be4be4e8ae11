"""What a fresh database of this version has: sql/catalog.json, made from one by `make generate`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sitevault.db.catalog import CatalogSnapshot

FILE = Path(__file__).parent.parent / "sql" / "catalog.json"

_DAILY = re.compile(r"_p20\d{6}\b|_p20\d{6}_")
_OTHERS = re.compile(r"^(schema public$|extension |default privileges )")
_ONLY_SOME = "not enforced: "


@dataclass(frozen=True)
class Expected:
    """Objects by name with the digest of what they are, as this major version of PostgreSQL describes them."""

    major: int
    objects: Mapping[str, str]

    def on_every_version(self, name: str) -> bool:
        """Whether older servers have it, too: references that are not enforced are PostgreSQL 18's."""
        return not self.objects[name].startswith(_ONLY_SOME)


@cache
def expected() -> Expected:
    """What this version makes."""
    read = json.loads(FILE.read_text("utf-8"))
    return Expected(read["postgresql"], read["objects"])


def comparable(snapshot: CatalogSnapshot) -> dict[str, str]:
    """The objects that every database of one version has alike: without the daily partitions."""
    return {
        str(name): _digest(definition)
        for name, definition in snapshot.objects.items()
        if not _DAILY.search(name.identity) and not _OTHERS.search(str(name))
    }


def dump(snapshot: CatalogSnapshot, major: int) -> str:
    """The file's text."""
    made = {"postgresql": major, "objects": dict(sorted(comparable(snapshot).items()))}
    return json.dumps(made, indent=0, ensure_ascii=False) + "\n"


def _digest(definition: str) -> str:
    mark = _ONLY_SOME if "NOT ENFORCED" in definition else ""
    return mark + hashlib.sha256(definition.encode()).hexdigest()[:20]
