"""Knows how frames travel between simulated nodes: late, or lost as ZeroMQ loses them.

Must not know what they say.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from actorchat.actor import SeededDispatcher
from actorchat.cluster.link import PeerAddress


@dataclass(slots=True)
class LinkWeather:
    """What the net between nodes is like: chances are those of each frame."""

    latency_max_s: float = 0.02
    loss: float = 0.0  # it is lost in silence, and what follows arrives
    breaks: float = 0.0  # the connection breaks: seen by its sender, what was under way is lost
    refusal: float = 0.0  # it is not taken now


class LinkNet:
    """All transports of one simulation, by endpoint."""

    def __init__(
        self, dispatcher: SeededDispatcher, rng: random.Random, weather: LinkWeather | None = None
    ) -> None:
        self.dispatcher = dispatcher
        self.rng = rng
        self.weather = LinkWeather() if weather is None else weather
        self.transports: dict[str, SimTransport] = {}
        self.blocked: set[tuple[str, str]] = set()  # from, to: frames vanish
        self.lost = 0

    def transport(self, endpoint: str, key: str | None = None) -> SimTransport:
        """Return the transport of a node, which listens at `endpoint` once it is started."""
        return SimTransport(self, endpoint, key)

    def partition(self, one: str, other: str) -> None:
        """Let nothing pass between two endpoints, until `heal`; nobody is told."""
        self.blocked |= {(one, other), (other, one)}

    def heal(self) -> None:
        """Let all pass again."""
        self.blocked.clear()


class SimTransport:
    """The `Transport` of one simulated node."""

    def __init__(self, net: LinkNet, endpoint: str, key: str | None) -> None:
        self.net = net
        self.endpoint = endpoint
        self.key = key
        self.lanes: list[SimLane] = []
        self._on_frame: Callable[[str | None, bytes], None] | None = None
        self._is_known: Callable[[str], bool] = lambda _key: False

    def start(
        self, on_frame: Callable[[str | None, bytes], None], is_known: Callable[[str], bool]
    ) -> None:
        """Listen."""
        self._on_frame, self._is_known = on_frame, is_known
        self.net.transports[self.endpoint] = self

    def open(
        self,
        address: PeerAddress,
        on_writable: Callable[[], None],
        on_break: Callable[[], None],
    ) -> SimLane:
        """Begin to connect."""
        lane = SimLane(self, address.endpoint, on_writable, on_break)
        self.lanes.append(lane)
        return lane

    def read(self) -> None:
        """Do nothing: frames come by themselves."""

    def close(self) -> None:
        """Stop listening."""
        self._on_frame = None
        if self.net.transports.get(self.endpoint) is self:
            del self.net.transports[self.endpoint]

    def die(self) -> None:
        """Vanish as a killed process does: those connected to it see that their lanes broke."""
        self.close()
        for lane in self.lanes:
            lane.is_over = True
        for transport in list(self.net.transports.values()):
            for lane in transport.lanes:
                if lane.to == self.endpoint:
                    lane.see_break()

    def arrive(self, key: str | None, frame: bytes) -> None:
        """Take a frame from the net; without a known key nobody gets through."""
        if self._on_frame is not None and (self.key is None or self._is_known(key or "")):
            self._on_frame(key, frame)


class SimLane:
    """The `Lane` of one simulated connection: in order, or lost."""

    def __init__(
        self,
        source: SimTransport,
        to: str,
        on_writable: Callable[[], None],
        on_break: Callable[[], None],
    ) -> None:
        self._source = source
        self._net = source.net
        self.to = to
        self._on_writable = on_writable
        self._on_break = on_break
        self._last_s = 0.0
        self._crossing = 0  # of the connection: what was under way when it broke is lost
        self.is_over = False

    def send(self, frame: bytes) -> bool:
        """Take a frame, lose it, or take none now."""
        net, rng, weather = self._net, self._net.rng, self._net.weather
        if self.is_over:
            return False
        if rng.random() < weather.refusal:
            net.dispatcher.call_later(rng.random() * weather.latency_max_s, self._writable)
            return False
        if (self._source.endpoint, self.to) in net.blocked or rng.random() < weather.loss:
            net.lost += 1
            return True
        if rng.random() < weather.breaks:
            net.lost += 1
            self.see_break()
            return True
        now_s = net.dispatcher.now_s()
        self._last_s = max(self._last_s, now_s + rng.random() * weather.latency_max_s)
        net.dispatcher.call_later(self._last_s - now_s, self._arrive, frame, self._crossing)
        return True

    def close(self, linger_s: float) -> None:
        """End it; without time to linger what is under way is lost."""
        self.is_over = True
        if not linger_s:
            self._crossing += 1
        if self in self._source.lanes:
            self._source.lanes.remove(self)

    def see_break(self) -> None:
        """Lose what is under way, and tell the sender soon."""
        self._crossing += 1
        self._net.dispatcher.call_soon(self._broken)

    def _broken(self) -> None:
        if not self.is_over:
            self._on_break()

    def _writable(self) -> None:
        if not self.is_over:
            self._on_writable()

    def _arrive(self, frame: bytes, crossing: int) -> None:
        if crossing != self._crossing:
            self._net.lost += 1
            return
        transport = self._net.transports.get(self.to)
        if transport is not None:
            transport.arrive(self._source.key, frame)
