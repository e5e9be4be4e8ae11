"""Stuck events, tried once more in a transaction that is rolled back: what really stops them."""
