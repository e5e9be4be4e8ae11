"""Browser, operating system and class of device, read from the user agent."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NamedTuple

from ua_parser import OS, Parser, UserAgent
from ua_parser.loaders import load_builtins
from ua_parser.regex import Resolver

DEVICE_CLASSES = ("desktop", "mobile", "tablet", "tv", "bot", "other")
# What clients call the classes.
_CLASS_NAMES = {
    "desktop": "desktop",
    "computer": "desktop",
    "pc": "desktop",
    "laptop": "desktop",
    "mobile": "mobile",
    "phone": "mobile",
    "smartphone": "mobile",
    "tablet": "tablet",
    "tv": "tv",
    "smarttv": "tv",
    "bot": "bot",
}
# In the order they are tried: a television may say Android, a tablet may say Mobile.
_CLASS_MARKS = (
    (
        "tv",
        re.compile(
            r"smart-?tv|apple ?tv|googletv|android tv|hbbtv|bravia|roku|crkey|web0s|tizen.*\btv\b|\baft[a-z]", re.I
        ),
    ),
    ("tablet", re.compile(r"ipad|tablet|playbook|silk/|kindle|android(?!.*\bmobile\b)", re.I)),
    ("mobile", re.compile(r"iphone|ipod|\bmobile\b|mobi/|android|windows phone|blackberry|opera mini", re.I)),
    ("desktop", re.compile(r"windows nt|macintosh|x11|\bcros\b|linux x86_64", re.I)),
)
_UNKNOWN = "Other"


class Client(NamedTuple):
    browser: str | None
    browser_version: str | None
    os: str | None
    os_version: str | None
    device_class: str


@lru_cache(maxsize=8192)
def read_user_agent(text: str) -> Client:
    """What a user agent says of its browser, operating system and device.

    15-60 us the first time, nothing the next: the same few thousand make up almost all traffic.
    """
    parsed = _parser().parse(text)
    browser, browser_version = _family(parsed.user_agent)
    system, system_version = _family(parsed.os)
    spider = parsed.device is not None and parsed.device.family == "Spider"
    return Client(browser, browser_version, system, system_version, "bot" if spider else _device_class(text))


def declared_class(text: str) -> str | None:
    """The device class a client means, or None for a word we do not know."""
    return _CLASS_NAMES.get(text.lower())


@cache
def _parser() -> Parser:
    return Parser(Resolver(load_builtins()))


def _family(part: UserAgent | OS | None) -> tuple[str | None, str | None]:
    if part is None or part.family == _UNKNOWN:
        return None, None
    numbers = [part.major, part.minor] if part.minor not in (None, "0") else [part.major]
    return part.family, ".".join(number for number in numbers if number) or None


def _device_class(text: str) -> str:
    return next((name for name, mark in _CLASS_MARKS if mark.search(text)), "other")
