"""The checklist before a release, executed: each item with its verdict, its evidence, and what to do."""

from __future__ import annotations

import traceback
from pathlib import Path

import psycopg

from sitevault.errors import SitevaultError
from sitevault.release.model import Bundle, ReleaseBlockedError, ReleasePlan
from sitevault.release.preflight.model import Checked, Found, Item, Look, blocked, unknown
from sitevault.release.preflight.registry import ITEMS
from sitevault.release.target import Target


def run(target: Target, bundle: Bundle, plan: ReleasePlan) -> list[Checked]:
    """Every item, in order; changes nothing. What breaks while it looks is unknown, never ok."""
    look = Look(target, bundle, plan)
    return [Checked(item.id, *_looked(item, look)) for item in ITEMS]


def _looked(item: Item, look: Look) -> Found:
    try:
        return item.look(look)
    except ReleaseBlockedError as error:
        return blocked(error.message, error.fix or "")
    except SitevaultError as error:
        return unknown(error.message, error.fix or "")
    except psycopg.Error as error:
        return unknown(f"the database did not answer: {error.sqlstate or 'the connection was lost'}")
    except Exception as error:  # an item that breaks has proved nothing; its words may quote a value
        last = traceback.extract_tb(error.__traceback__)[-1]
        return unknown(f"the check failed: {type(error).__name__} at {Path(last.filename).name}:{last.lineno}")
