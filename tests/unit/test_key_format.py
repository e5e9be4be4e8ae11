"""Keys: 256 random bits in base 62, of a kind that shows."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitevault.tenancy.keys import ApiKey, KeyKind, KeyStatus, NewKey, digest, kind_of, make_key


@pytest.mark.parametrize("kind", KeyKind)
def test_a_key_shows_its_kind_and_has_43_digits_of_base_62(kind: KeyKind) -> None:
    key = make_key(kind)
    prefix, body = key[:7], key[7:]
    assert prefix == {"public": "sv_pub_", "secret": "sv_sec_"}[kind]
    assert len(body) == 43
    assert body.isalnum()
    assert body.isascii()
    assert kind_of(key) is kind


def test_keys_do_not_repeat_and_use_the_whole_space() -> None:
    keys = [make_key(KeyKind.PUBLIC) for _ in range(2000)]
    assert len(set(keys)) == 2000
    for place in range(8, 50):
        assert len({key[place] for key in keys}) > 50


def test_the_digest_is_the_sha256_of_the_bytes() -> None:
    assert digest("sv_pub_x") == hashlib.sha256(b"sv_pub_x").digest()


@given(st.text(st.characters(codec=None), max_size=80))
def test_every_text_has_a_digest_and_only_keys_have_a_kind(text: str) -> None:
    assert len(digest(text)) == 32
    assert kind_of(text) is None or text.startswith(("sv_pub_", "sv_sec_"))


@given(st.sampled_from(KeyKind), st.integers(0, 49), st.characters(codec="utf-8"))
def test_a_key_with_one_foreign_character_is_no_key(kind: KeyKind, place: int, character: str) -> None:
    key = make_key(kind)
    changed = key[:place] + character + key[place + 1 :]
    if place < 7 or not (character.isascii() and character.isalnum()):
        assert changed == key or kind_of(changed) in (None, *({KeyKind.PUBLIC, KeyKind.SECRET} - {kind}))
    assert kind_of(key + character) is None
    assert kind_of(key[:-1]) is None


def test_a_new_key_does_not_show_itself_in_a_trace() -> None:
    key = make_key(KeyKind.SECRET)
    api_key = ApiKey("t", bytes(32), digest(key), KeyKind.SECRET, "", [], None, KeyStatus.ACTIVE, None)  # type: ignore[arg-type]
    assert key not in repr(NewKey(key, api_key))
    assert key not in str(NewKey(key, api_key))
