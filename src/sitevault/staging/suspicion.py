"""Patterns of attack in what a client names: they mark an event SUSPICIOUS, they never drop it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_plus

from sitevault.reasons import Reason


class Pattern(NamedTuple):
    reason: Reason
    pattern: re.Pattern[str]
    about: str


# On text in lower case. Each must survive ordinary titles: "Select from our menu", "Rock & Roll -- it's on!".
# Every repetition is bounded, so that no text takes more than a few milliseconds.
PATTERNS = (
    Pattern(
        Reason.MARKUP_SUSPICIOUS,
        re.compile(
            r"<\s{0,9}/?\s{0,9}(?:script|iframe|object|embed|svg|base|meta|form)\b"
            r"|(?:java|vb)script\s{0,9}:|data\s{0,9}:\s{0,9}text/html"
            r"|<[^<>]{0,200}\son[a-z]{3,20}\s{0,9}=|['\"]\s{0,9}on[a-z]{3,20}\s{0,9}=\s{0,9}['\"\w]"
        ),
        "script tags, script URLs, event handlers",
    ),
    Pattern(
        Reason.SQL_SUSPICIOUS,
        re.compile(
            r"\bunion\s{1,9}(?:all\s{1,9})?select\b|'\s{0,9}(?:or|and)\s{1,9}['\"\d(][^=]{0,40}="
            r"|'\s{0,9};?\s{0,9}--(?:\s|$)|\bor\s{1,9}1\s{0,9}=\s{0,9}1\b"
            r"|;\s{0,9}(?:drop|alter|truncate|create)\s{1,9}(?:table|database|schema|user)\b"
            r"|;\s{0,9}(?:delete\s{1,9}from|insert\s{1,9}into|update\s{1,9}\w{1,64}\s{1,9}set|exec(?:ute)?\s{0,9}\()"
            r"|\b(?:pg_sleep|sleep|benchmark|waitfor\s{1,9}delay|xp_cmdshell|load_file)[('\"]"
            r"|\binformation_schema\.|\bpg_catalog\."
        ),
        "UNION SELECT, tautologies, stacked statements, timing functions, catalogs",
    ),
    Pattern(
        Reason.PATH_TRAVERSAL_SUSPICIOUS,
        re.compile(r"(?:^|[/\\=])\.\.(?:[/\\]|$)|/etc/(?:passwd|shadow)\b|[\\/]windows[\\/]system32|\0"),
        "../, /etc/passwd, system32, encoded NUL",
    ),
)
# A text with none of these cannot match: 0.2 us instead of 5.
_WORTH_A_LOOK = re.compile(
    r"[<'\";\\%]|\.\.|script|union|sleep|benchmark|schema\.|catalog\.|1\s*=|/etc/|data\s*:", re.I
)
_DECODINGS = 2


@lru_cache(maxsize=16_384)
def suspicions(text: str) -> tuple[Reason, ...]:
    """The reasons to suspect a text, also when it is percent-encoded, once or twice."""
    if _WORTH_A_LOOK.search(text) is None and "+" not in text:
        return ()
    forms = [text.lower()]
    for _ in range(_DECODINGS):
        decoded = unquote_plus(forms[-1]).lower()
        if decoded == forms[-1]:
            break
        forms.append(decoded)
    return tuple(row.reason for row in PATTERNS if any(row.pattern.search(form) for form in forms))
