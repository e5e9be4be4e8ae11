"""The SQL twin computes the hash keys that Python does."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.hashkeys import hash_key, tenant_key

VECTORS = json.loads((Path(__file__).parents[1] / "unit" / "hashkeys_vectors.json").read_text("utf-8"))

storable = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs", "Cn"]))
"""What PostgreSQL can hold; unassigned code points may have another normal form in another Unicode version."""


def sql_hash_key(database: Database, domain: str, tenant_hk: bytes, parts: list[str | None]) -> bytes:
    with database.connect(Role.JUDGE) as conn:
        row = conn.execute(
            "SELECT business.hash_key(%s, %s, VARIADIC %s::text[])", (domain, tenant_hk, parts)
        ).fetchone()
    assert row is not None
    return row[0]


def test_the_fixed_vectors_hold_in_sql(database: Database) -> None:
    for vector in VECTORS["hash_keys"]:
        computed = sql_hash_key(database, vector["domain"], bytes.fromhex(vector["tenant_hk"]), vector["parts"])
        assert computed.hex() == vector["hash_key"], vector


def test_tenant_keys_are_the_same_in_sql(database: Database) -> None:
    with database.connect(Role.JUDGE) as conn:
        row = conn.execute("SELECT auth.tenant_key(%s)", ("the-one-spa",)).fetchone()
    assert row == (tenant_key("the-one-spa"),)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=32, max_size=32), st.lists(st.none() | storable, min_size=1, max_size=4))
def test_any_key_is_the_same_in_sql(database: Database, tenant_hk: bytes, parts: list[str | None]) -> None:
    assert sql_hash_key(database, "page", tenant_hk, parts) == hash_key("page", tenant_hk, *parts)


def test_composed_and_decomposed_letters_make_one_key(database: Database) -> None:
    composed, decomposed = "café", unicodedata.normalize("NFD", "café")
    assert composed != decomposed
    assert sql_hash_key(database, "page", bytes(32), [composed]) == sql_hash_key(
        database, "page", bytes(32), [decomposed]
    )
