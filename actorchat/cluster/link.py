"""Knows what a mesh asks of whatever carries its frames: the ports of a transport.

Must not know how it does that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where a node is, and who may speak for it.

    Args:
        endpoint: What the transport dials: `ipc://…` or `tcp://host:port` for ZeroMQ.
        key: The node's public CURVE key, 40 characters of Z85; None where the transport has none.
        incarnation: The least that is believed; 0 if the registry does not know any.
    """

    endpoint: str
    key: str | None = None
    incarnation: int = 0


class Lane(Protocol):
    """A connection to a peer that only sends. Thread: the mesh's."""

    def send(self, frame: bytes) -> bool:
        """Send all of `frame`; False: not now, `on_writable` will be called when it can be."""
        ...

    def close(self, linger_s: float) -> None:
        """End it; what was taken is sent within `linger_s` if it can be. No callback follows."""
        ...


class Transport(Protocol):
    """Carries frames between nodes: in order on a lane, or not at all. Thread: the mesh's."""

    def start(
        self, on_frame: Callable[[str | None, bytes], None], is_known: Callable[[str], bool]
    ) -> None:
        """Listen.

        Args:
            on_frame: Is called with each frame and the key that its sender proved to have.
            is_known: Says whether whoever has that public key may connect.
        """
        ...

    def open(
        self,
        address: PeerAddress,
        on_writable: Callable[[], None],
        on_break: Callable[[], None],
    ) -> Lane:
        """Begin to connect; `on_break` is called when the connection is seen to have ended."""
        ...

    def read(self) -> None:
        """Hand on all that has come, as far as that is not done by itself."""
        ...

    def close(self) -> None:
        """Stop listening; lanes are closed before."""
        ...
