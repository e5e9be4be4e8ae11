"""Token buckets, with the clock in our hands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitevault.collector import ratelimit
from sitevault.collector.ratelimit import RateLimiter
from sitevault.tenancy.keyring import KeyGrant
from sitevault.tenancy.keys import KeyKind


def grant(rate: int | None, key: bytes = b"k") -> KeyGrant:
    return KeyGrant(b"t" * 32, key * 32, KeyKind.SECRET, (), rate)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(ratelimit, "monotonic", lambda: now[0])
    return now


def test_a_second_holds_its_rate_and_no_more(at: list[float]):
    limiter = RateLimiter(0)
    assert [limiter.take(grant(3), 1) for _ in range(3)] == [0.0] * 3
    assert limiter.take(grant(3), 1) == pytest.approx(1 / 3)
    at[0] += 0.34
    assert limiter.take(grant(3), 1) == 0.0
    assert limiter.take(grant(3), 1) > 0


def test_a_batch_larger_than_the_rate_passes_and_then_is_paid_for(at: list[float]):
    limiter = RateLimiter(0)
    assert limiter.take(grant(10), 50) == 0.0
    assert limiter.take(grant(10), 1) == pytest.approx(4.1)
    at[0] += 4.2
    assert limiter.take(grant(10), 1) == 0.0


def test_keys_do_not_share_a_bucket_and_the_default_fills_in(at: list[float]):
    limiter = RateLimiter(1)
    assert limiter.take(grant(None, b"a"), 1) == 0.0
    assert limiter.take(grant(None, b"a"), 1) > 0
    assert limiter.take(grant(None, b"b"), 1) == 0.0
    assert RateLimiter(0).take(grant(None), 1_000_000) == 0.0


@given(rate=st.integers(1, 50), steps=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 20)), max_size=60))
def test_in_the_long_run_no_key_exceeds_its_rate(rate: int, steps: list[tuple[float, int]]):
    with pytest.MonkeyPatch.context() as patch:
        now = [0.0]
        patch.setattr(ratelimit, "monotonic", lambda: now[0])
        limiter, passed = RateLimiter(0), 0
        for pause, events in steps:
            now[0] += pause
            if limiter.take(grant(rate), events) == 0.0:
                passed += events
        assert passed <= rate + now[0] * rate + 20 + 1e-6
