"""Knows which transport an address asks for. Must not know how a transport works."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from actorchat.client.curve import CurveIdentity
from actorchat.client.link import Address, Link
from actorchat.protocol.ops import ServerOp

SCHEMES = ("tcp", "tls", "ws", "wss", "zmq", "http", "https")
OVER_TLS = frozenset({"tls", "wss", "https"})


def parse_address(text: str) -> Address:
    """Read `scheme://host:port`.

    Raises:
        ValueError: It is no address, or no transport has that scheme.
    """
    parts = urlsplit(text)
    is_bare = parts.path in {"", "/"} and not (parts.query or parts.fragment or parts.username)
    if parts.scheme not in SCHEMES or not parts.hostname or not parts.port or not is_bare:
        known = " or ".join(f"{scheme}://host:port" for scheme in SCHEMES)
        raise ValueError(f"expected {known}, not {text!r}")
    return Address(parts.scheme, parts.hostname, parts.port)


@functools.cache
def default_tls() -> ssl.SSLContext:
    """Return the one context that trusts what the system trusts; it is dear to make."""
    return ssl.create_default_context()


def new_link(
    scheme: str,
    on_open: Callable[[], None],
    on_ops: Callable[[list[ServerOp]], None],
    on_end: Callable[[str], None],
    curve: CurveIdentity | None = None,
) -> Link:
    """Return a link of the transport that `scheme`, one of `SCHEMES`, stands for.

    `curve` guards it where the scheme is `zmq`, and is of no use to the others.
    """
    # Imported here, because no client needs the libraries of all transports.
    match scheme:
        case "tcp" | "tls":
            from actorchat.client.tcp import TcpLink

            return TcpLink(on_open, on_ops, on_end)
        case "ws" | "wss":
            from actorchat.client.ws import WsLink

            return WsLink(on_open, on_ops, on_end)
        case "zmq":
            from actorchat.client.dealer import DealerLink

            return DealerLink(on_open, on_ops, on_end, curve)
        case "http" | "https":
            from actorchat.client.poll import PollLink

            return PollLink(on_open, on_ops, on_end)
        case _:
            raise ValueError(f"no transport has the scheme {scheme!r}")
