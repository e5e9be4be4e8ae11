"""Whether a program sent the event, and by what that shows. It flags; it never drops."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

NO_USER_AGENT = "user_agent: empty"
WEBDRIVER = "webdriver"
# Browsers that say they run without a screen, or under a test driver.
_HEADLESS = re.compile(
    r"HeadlessChrome|PhantomJS|SlimerJS|Electron/.*Headless|Puppeteer|Playwright|Selenium|Cypress", re.I
)
_SPECIAL = re.compile(r"\\[a-zA-Z0-9]|(?<!\\)[\[\](){}|?*+^$.]")
_ESCAPE = re.compile(r"\\(.)")


@lru_cache(maxsize=8192)
def bot_evidence(user_agent: str) -> str | None:
    """Why a user agent is a program's ("crawler: Googlebot\\/"), or None. About 90 us the first time."""
    headless = _HEADLESS.search(user_agent)
    if headless is not None:
        return f"headless: {headless[0]}"
    literals, patterns = _crawlers()
    for literal, declared in literals:
        if literal in user_agent:
            return f"crawler: {declared}"
    for pattern in patterns:
        if pattern.search(user_agent):
            return f"crawler: {pattern.pattern}"
    return None


@cache
def _crawlers() -> tuple[tuple[tuple[str, str], ...], tuple[re.Pattern[str], ...]]:
    """The community's patterns: those that are plain text, to be found without an engine, and the others."""
    declared = [row["pattern"] for row in CRAWLER_USER_AGENTS_DATA]
    literals = tuple((_ESCAPE.sub(r"\1", text), text) for text in declared if not _SPECIAL.search(text))
    return literals, tuple(re.compile(text) for text in declared if _SPECIAL.search(text))
