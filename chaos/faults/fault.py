"""What a fault is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from chaos.site import Site
from sitevault.db import queries

SQL = queries.load("faults", Path(__file__).parent)


class SkippedError(Exception):
    """This fault cannot be made on this machine; says why."""


class MissedError(Exception):
    """There was nothing to hit; says what."""


class Fault(NamedTuple):
    """One kind. `strike` makes it, and returns in a few words what it hit."""

    name: str
    about: str
    strike: Callable[[Site, Random], str]
    kills: bool = False
    """Whether it is a kill -9."""
    weight: float = 1.0
    """How often it is drawn, once every kind has had its turn."""
