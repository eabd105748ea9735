"""Knows how often something failed lately. Must not know what failed, or the time."""

from __future__ import annotations

from collections import OrderedDict

# Buckets are counted in whole parts of a try, so that no wait is rounded: a millisecond gains
# `per_minute` of them.
_TRY = 60_000


class Throttle:
    """A token bucket a key, in a table of fixed size: the key unused for longest is forgotten.

    Args:
        per_minute: How many failures a minute a key may have; also the burst.
        keys_max: How many keys are remembered.
    """

    __slots__ = ("_buckets", "_keys_max", "_per_minute")

    def __init__(self, per_minute: int, keys_max: int) -> None:
        self._per_minute = per_minute
        self._keys_max = keys_max
        self._buckets: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def wait_ms(self, key: str, now_wall_ms: int) -> int:
        """Return 0 if `key` may try now, else after how many ms it may."""
        bucket = self._buckets.get(key)
        if bucket is None:
            return 0
        left = self._left(bucket, now_wall_ms)
        return 0 if left >= _TRY else -((left - _TRY) // self._per_minute)

    def failed(self, key: str, now_wall_ms: int) -> None:
        """Take one from the bucket of `key`."""
        bucket = self._buckets.pop(key, (self._per_minute * _TRY, now_wall_ms))
        self._buckets[key] = (self._left(bucket, now_wall_ms) - _TRY, now_wall_ms)
        if len(self._buckets) > self._keys_max:
            self._buckets.popitem(last=False)

    def give_back(self, key: str) -> None:
        """Put one back into the bucket of `key`: what was counted did not fail."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            parts, at_wall_ms = bucket
            self._buckets[key] = (parts + _TRY, at_wall_ms)

    def succeeded(self, key: str) -> None:
        """Forget the failures of `key`."""
        self._buckets.pop(key, None)

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._buckets)

    def _left(self, bucket: tuple[int, int], now_wall_ms: int) -> int:
        parts, at_wall_ms = bucket
        gained = max(0, now_wall_ms - at_wall_ms) * self._per_minute
        return min(self._per_minute * _TRY, parts + gained)
