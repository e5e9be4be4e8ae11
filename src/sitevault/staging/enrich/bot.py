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


@lru_cache(maxsize=8192)
def bot_evidence(user_agent: str) -> str | None:
    """Why a user agent is a program's ("crawler: Googlebot\\/"), or None. About 180 us the first time."""
    headless = _HEADLESS.search(user_agent)
    if headless is not None:
        return f"headless: {headless[0]}"
    for pattern in _crawlers():
        if pattern.search(user_agent):
            return f"crawler: {pattern.pattern}"
    return None


@cache
def _crawlers() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(row["pattern"]) for row in CRAWLER_USER_AGENTS_DATA)
