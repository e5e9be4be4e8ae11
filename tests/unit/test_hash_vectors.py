"""The hash specification, by vectors that another program made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sitevault.hashkeys import GHOST, encode_part, hash_key, key_prefix, pseudonym, tenant_key

VECTORS = json.loads(Path(__file__).with_name("hashkeys_vectors.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS["hash_keys"], ids=lambda v: f"{v['domain']}-{v['hash_key'][:8]}")
def test_a_hash_key_is_the_one_the_vector_says(vector: dict) -> None:
    computed = hash_key(vector["domain"], bytes.fromhex(vector["tenant_hk"]), *vector["parts"])
    assert computed.hex() == vector["hash_key"]


@pytest.mark.parametrize("vector", VECTORS["tenant_keys"], ids=lambda v: ascii(v["tenant_bk"]))
def test_a_tenant_key_is_the_one_the_vector_says(vector: dict) -> None:
    assert tenant_key(vector["tenant_bk"]).hex() == vector["tenant_hk"]


@pytest.mark.parametrize("vector", VECTORS["pseudonyms"], ids=lambda v: v["pseudonym"][:8])
def test_a_pseudonym_is_the_one_the_vector_says(vector: dict) -> None:
    assert pseudonym(bytes.fromhex(vector["secret"]), vector["value"]) == vector["pseudonym"]


def test_the_vectors_differ_wherever_their_normal_forms_differ() -> None:
    """Only composed and decomposed spellings of one text may share a key."""
    named = {}
    for vector in VECTORS["hash_keys"]:
        named.setdefault(vector["hash_key"], []).append(vector["parts"])
    shared = [parts for parts in named.values() if len(parts) > 1]
    assert sorted(map(ascii, shared)) == sorted(
        map(ascii, [[["café"], ["cafe\u0301"]], [["\uac00"], ["\u1100\u1161"]]])
    )


def test_nothing_and_the_empty_text_are_two_parts() -> None:
    assert encode_part(None) != encode_part("")


def test_the_ghost_is_no_ones_key() -> None:
    assert GHOST not in {bytes.fromhex(vector["hash_key"]) for vector in VECTORS["hash_keys"]}


def test_a_key_without_a_whole_tenant_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        key_prefix("session", b"short")
