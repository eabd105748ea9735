"""Knows by which gateway each person comes in. Must not know clients, nor what a gateway does."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from actorchat.errors import ActorchatError

# The schemes of each gateway's addresses, and its name in settings and in what a node says of
# itself.
SCHEMES: Mapping[str, tuple[str, ...]] = {
    "tcp": ("tcp", "tls"),
    "ws": ("ws", "wss"),
    "zmq": ("zmq",),
    "poll": ("http", "https"),
}
PLACES: Mapping[str, str] = {"tcp": "tcp", "ws": "ws", "zmq": "zmq", "poll": "http"}
MIXED = "mixed"


class NoDoor(ActorchatError):
    """The node is not known to have the gateway that is asked for."""

    code = "no_gateway"


def gateway_of(address: str) -> str:
    """Return the gateway that listens at `scheme://…`.

    Raises:
        NoDoor: There is none with that scheme.
    """
    scheme = address.partition("://")[0]
    for gateway, schemes in SCHEMES.items():
        if scheme in schemes:
            return gateway
    raise NoDoor(f"no gateway has the scheme of {address!r}")


def gateways_for(choice: str) -> tuple[str, ...]:
    """Return the gateways that `choice`, one of them or `mixed`, stands for."""
    return tuple(SCHEMES) if choice == MIXED else (choice,)


def addresses_for(choice: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return those of the `known` addresses of a node that `choice` stands for.

    Raises:
        NoDoor: There is none; or only one gateway, and it was to be a mixture.
    """
    wanted = gateways_for(choice)
    found = tuple(address for address in known if gateway_of(address) in wanted)
    if not found:
        raise NoDoor(f"no address of the gateway {choice} is known")
    if choice == MIXED and len({gateway_of(address) for address in found}) < 2:
        raise NoDoor(f"no mixture: {found[0]} is the only address that is known")
    return found


class Doors:
    """Who comes in where: chosen by seed and name, so that it is the same in every run.

    With several addresses, the next time a person comes in by another one.
    """

    def __init__(self, addresses: Sequence[str], seed: int) -> None:
        """Choose among `addresses`, of which there is at least one."""
        assert addresses
        self._addresses = addresses
        self._later: Sequence[str] = ()
        self._seed = seed

    @property
    def can_change(self) -> bool:
        """Say whether there is another door."""
        return len(self._addresses) > 1

    def address(self, user: str, visit: int = 0) -> str:
        """Return where `user` comes in for the `visit`-th time, the first of which is 0."""
        first = random.Random(f"{self._seed} {user}").randrange(len(self._addresses))
        addresses = self._later if visit and self._later else self._addresses
        return addresses[(first + visit) % len(addresses)]

    def ways(self, user: str, visit: int = 0) -> list[str]:
        """Return that address, and behind it the others of its gateway: it may close for good."""
        first = self.address(user, visit)
        gateway = gateway_of(first)
        known = dict.fromkeys([*self._addresses, *self._later])
        return [first, *(one for one in known if one != first and gateway_of(one) == gateway)]

    def change(self, addresses: Sequence[str]) -> None:
        """Have everybody come in by some of `addresses` from the second time on."""
        self._later = addresses

    def count_people(self, users: Collection[str]) -> dict[str, int]:
        """Return how many of `users` come in first by each gateway."""
        return dict(Counter(gateway_of(self.address(user)) for user in sorted(users)))

    def count_across(self, pairs: Iterable[tuple[str, str]]) -> int:
        """Return how many of the conversations have ends that come in by different doors."""
        return sum(self.address(one) != self.address(other) for one, other in pairs)
