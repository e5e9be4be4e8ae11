"""Whether what a bundle does here is what it did where it was built."""

from __future__ import annotations

from collections.abc import Sequence

from sitevault.db.catalog import CatalogSnapshot, Change, Object
from sitevault.release import expected
from sitevault.release.model import Bundle


def disagreements(
    bundle: Bundle, changes: Sequence[Change], before: CatalogSnapshot, after: CatalogSnapshot, server_version: int
) -> list[str]:
    """Objects that change here and did not there, or that are not what they became there."""
    found = [
        f"{name} changes, which the bundle does not expect"
        for name in expected.unexpected(bundle, changes, before)
    ]
    same_major = server_version // 10_000 == bundle.postgresql
    for one in bundle.expected:
        name = Object(one.kind, one.identity)
        wrong = expected.matches(one, before.objects.get(name), after.objects.get(name), same_major)
        if wrong:
            found.append(f"{name}: {', '.join(wrong)}")
    return found
