"""The pages of a release's hazards and of its preflight, made from their own texts."""

from __future__ import annotations

from docs.markdown import code, page, table

from sitevault.release.hazards import MEANINGS, HazardName
from sitevault.release.preflight.registry import ITEMS


def hazards_page() -> str:
    """Every hazard with what it means and what to do instead of accepting it."""
    return page(
        "Hazards of a release",
        "src/sitevault/release/hazards.py",
        "What `sitevault release plan` finds by trying, and what has to be accepted by name before `deploy` "
        "does it: "
        "`--accept NAME`. Accepting is part of the plan, so whoever approves the plan sees it.",
        table(
            ("hazard", "what it means", "instead of accepting it"),
            [(f"[{code(name)}](#{name})", *MEANINGS[name]) for name in HazardName],
        ),
        *(f"## {name}\n\n{MEANINGS[name][0]}\n\nInstead: {MEANINGS[name][1]}" for name in HazardName),
    )


def preflight_page() -> str:
    """Every item of the preflight, in order."""
    return page(
        "Preflight",
        "src/sitevault/release/preflight",
        "What `sitevault release preflight` looks at, in this order, and what `deploy` looks at again. Each "
        "item is "
        "ok, a warning, blocked or unknown, with its evidence. Exit code 0: all ok or warnings; 3: one is "
        "unknown; "
        "6: one is blocked. A deploy is stopped by what is blocked.",
        table(
            ("item", "holds when all is well", "what it looks at"),
            [(code(item.id), item.title, item.looks_at) for item in ITEMS],
        ),
    )
