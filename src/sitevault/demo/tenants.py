"""The demo's tenants, and their development keys: kept in the home, because a key is shown only once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import ConfigurationError
from sitevault.tenancy.keys import KeyKind, KeyStatus, create_key, digest, list_keys
from sitevault.tenancy.tenants import add_tenant, list_tenants

KEY_LABEL = "demo"
KEY_FILE = "demo-keys.json"


class DemoTenant(NamedTuple):
    """A made-up customer."""

    tenant_bk: str
    name: str
    site: str
    sections: tuple[str, ...]
    weight: int
    """Its share of the traffic."""


TENANTS = (
    DemoTenant(
        "the-one-spa", "The ONE Spa", "https://www.theonespa.example", ("treatments", "booking", "gifts"), 5
    ),
    DemoTenant("test-company", "Test Company", "https://test-company.example", ("products", "cart", "help"), 3),
    # These two have the same name and the same pages: only the key tells their events apart.
    DemoTenant("harbour-clinic-north", "Harbour Clinic", "https://harbourclinic.example", ("care", "book"), 2),
    DemoTenant("harbour-clinic-south", "Harbour Clinic", "https://harbourclinic.example", ("care", "book"), 2),
    DemoTenant(
        "kettle-and-leaf", "Kettle & Leaf", "https://kettle-and-leaf.example", ("teas", "journal", "cart"), 1
    ),
)


class Keyholder(NamedTuple):
    """A demo tenant with a key that works."""

    tenant: DemoTenant
    tenant_hk: bytes
    key: str


def ensure_tenants(database: Database, home: Path) -> list[Keyholder]:
    """The demo's tenants, made where they are missing, each with its stored key, or a new one if that is void."""
    known = stored_keys(home)
    holders = []
    with database.connect(Role.MIGRATOR) as admin, database.connect(Role.JUDGE) as judge:
        for tenant in TENANTS:
            made = add_tenant(admin, tenant.name, tenant.tenant_bk).tenant
            key = known.get(tenant.tenant_bk)
            if key is None or not _works(judge, tenant.tenant_bk, key):
                key = create_key(admin, tenant.tenant_bk, KeyKind.SECRET, label=KEY_LABEL).key
                known[tenant.tenant_bk] = key
                _store(home, known)
            holders.append(Keyholder(tenant, made.tenant_hk, key))
            judge.rollback()
    return holders


def ready_key(database: Database, home: Path) -> tuple[str, str] | None:
    """(tenant id, key) of the first demo tenant whose stored key works here; None where there is none."""
    known = stored_keys(home)
    with database.connect(Role.JUDGE) as judge:
        there = {tenant.tenant_bk for tenant in list_tenants(judge)}
        for tenant_bk, key in known.items():
            if tenant_bk in there and _works(judge, tenant_bk, key):
                return tenant_bk, key
    return None


def stored_keys(home: Path) -> dict[str, str]:
    """Demo tenant id -> key, as the home keeps them."""
    path = home / KEY_FILE
    try:
        return {str(tenant_bk): str(key) for tenant_bk, key in json.loads(path.read_text("utf-8")).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error}", fix="Remove it; the demo makes new keys.", command=f"rm {path}"
        ) from error


def _works(judge: psycopg.Connection[Any], tenant_bk: str, key: str) -> bool:
    hashed = digest(key)
    return any(one.api_key_hk == hashed and one.status is KeyStatus.ACTIVE for one in list_keys(judge, tenant_bk))


def _store(home: Path, keys: dict[str, str]) -> None:
    """0600 from its first byte, replaced as a whole."""
    fresh = home / f".{KEY_FILE}.{os.getpid()}"
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
        json.dump(keys, file, indent=2)
    fresh.replace(home / KEY_FILE)
