"""Are those who will run with it the ones it was made for?"""

from __future__ import annotations

from sitevault import __version__
from sitevault.db import queries
from sitevault.release import scheduler, staged
from sitevault.release.preflight.model import Found, Item, Look, blocked, ok, unknown, warning

SQL = queries.load("release_preflight")


def _look(look: Look) -> Found:
    target, bundle = look.target, look.bundle
    if not target.house:
        kind = scheduler.kind(target)
        if kind is None:
            return unknown("nothing says who carries events here", "Describe `scheduler` in the environment.")
        return ok(f"its jobs are paused by {kind}; they run what the database has")
    if bundle.staging and bundle.staging != staged.digest():
        return blocked(
            f"the bundle expects another mapping and other rules than Sitevault {__version__} has here",
            "Install the version the bundle was built by.",
        )
    versions = sorted({str(version or "unknown") for (version,) in look.rows(SQL.worker_versions)})
    if not versions:
        return unknown("no worker is connected", "Start it, or look whether it may be down on purpose.")
    said = f"workers of version {', '.join(versions)}; the bundle was built by {bundle.sitevault}"
    if "unknown" in versions:
        return unknown(said, "An older worker does not say its version: upgrade it first.")
    if versions != [bundle.sitevault]:
        return warning(said, "Upgrade the workers first, or build the bundle by their version.")
    return ok(said)


ITEM = Item(
    "workers",
    "Those who carry events are of the version the bundle was built by",
    "In a house: the version that connected workers say, and the mapping and rules of staging. In a foreign "
    "database: "
    "what pauses its jobs. Blocked: the rules of staging are others. Warning: another version. Unknown: no "
    "worker is "
    "connected, one says no version, or nothing says who carries events.",
    _look,
)
