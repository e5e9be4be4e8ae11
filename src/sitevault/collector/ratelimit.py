"""Token buckets: how many events per second a key may send through this process."""

from __future__ import annotations

from time import monotonic

from sitevault.tenancy.keyring import KeyGrant


class _Bucket:
    __slots__ = ("at", "tokens")

    def __init__(self, tokens: float, at: float) -> None:
        self.tokens = tokens
        self.at = at


class RateLimiter:
    """One bucket per key, holding one second's worth; `default_rate` events per second, 0 for no limit.

    A request is let in while there is any token and may take the bucket below zero: a batch larger than the
    rate gets through, and the key then waits until its debt is paid.
    """

    def __init__(self, default_rate: int) -> None:
        self._default_rate = default_rate
        self._buckets: dict[bytes, _Bucket] = {}

    def take(self, grant: KeyGrant, events: int) -> float:
        """Take the events' tokens: 0.0 when they may pass, else the seconds until the next may."""
        rate = grant.rate_limit or self._default_rate
        if not rate:
            return 0.0
        now = monotonic()
        bucket = self._buckets.get(grant.api_key_hk)
        if bucket is None:
            bucket = self._buckets[grant.api_key_hk] = _Bucket(rate, now)
        bucket.tokens = min(rate, bucket.tokens + (now - bucket.at) * rate)
        bucket.at = now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / rate
        bucket.tokens -= events
        return 0.0
