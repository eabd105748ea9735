"""Knows how many wrong secrets there were lately for a user, and from where.
Must not know secrets or connections.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from actorchat.chat.throttle import Throttle
from actorchat.limits import (
    SIGN_IN_BUCKETS_MAX,
    SIGN_IN_FAILURES_PER_MINUTE,
    SOURCE_FAILURES_PER_MINUTE,
)

_NETWORK_BITS = 64  # what one customer has of IPv6, at least


def source_of(address: str) -> str:
    """Return what stands for `address` where guesses are counted: itself, of IPv6 its /64.

    What is no address, a Unix socket's say, is one source together with all others that are none.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        host_bits = 128 - _NETWORK_BITS
        return f"{IPv6Address(int(parsed) >> host_bits << host_bits)}/{_NETWORK_BITS}"
    return str(parsed)


class Guesses:
    """Counts wrong secrets for each user and from each source; either may be too many.

    A try counts as wrong until it was right. Then the user's count starts anew, but of the source
    only this one try is taken back: an account of one's own must not pay for guesses at others.

    Args:
        per_source: How many a minute a source may have; also the burst.
    """

    __slots__ = ("_sources", "_users")

    def __init__(self, per_source: int = SOURCE_FAILURES_PER_MINUTE) -> None:
        self._users = Throttle(SIGN_IN_FAILURES_PER_MINUTE, SIGN_IN_BUCKETS_MAX)
        self._sources = Throttle(per_source, SIGN_IN_BUCKETS_MAX)

    def wait_ms(self, user: str | None, source: str | None, now_wall_ms: int) -> tuple[int, str]:
        """Return (0, "") if a try may be made now, else (after how many ms it may, why).

        None for `user` or `source`: it does not matter here.
        """
        if user is not None and (wait_ms := self._users.wait_ms(user, now_wall_ms)):
            return wait_ms, "too many wrong passwords for this user"
        if source is not None and (wait_ms := self._sources.wait_ms(source, now_wall_ms)):
            return wait_ms, "too many wrong secrets from this address"
        return 0, ""

    def failed(self, user: str | None, source: str | None, now_wall_ms: int) -> None:
        """Count one."""
        if user is not None:
            self._users.failed(user, now_wall_ms)
        if source is not None:
            self._sources.failed(source, now_wall_ms)

    def succeeded(self, user: str, source: str | None) -> None:
        """Forget those of `user`, and take the one of `source` back."""
        self._users.succeeded(user)
        if source is not None:
            self._sources.give_back(source)

    def give_back(self, user: str, source: str | None) -> None:
        """Take one back: nobody knows whether it was right."""
        self._users.give_back(user)
        if source is not None:
            self._sources.give_back(source)
