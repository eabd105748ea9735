"""Knows which gateways a node's settings ask for. Must not know what a gateway does."""

from __future__ import annotations

import resource
import ssl
from collections.abc import Callable
from dataclasses import replace
from sys import maxsize
from typing import TYPE_CHECKING

from actorchat import logs
from actorchat.errors import SettingsError
from actorchat.gateway.base import Bounds, Gateway, OpenSession
from actorchat.gateway.room import Room
from actorchat.gateway.tcp import TcpGateway
from actorchat.gateway.tls import tls_context
from actorchat.gateway.ws import WsGateway
from actorchat.protocol.upgrade import ANY_ORIGIN, parse_origin
from actorchat.settings import Settings, parse_address
from actorchat.settings.doors import HttpSettings, ZmqSettings

if TYPE_CHECKING:
    from actorchat.gateway.files import Depot
    from actorchat.gateway.watched import WatchedAddress

log = logs.logger(__name__)

# Kept for the store, which opens 512 and then some, and for those that the kernel has accepted
# before they can be counted.
FILES_KEPT = 1_024


def make_gateways(
    settings: Settings,
    open_session: OpenSession,
    why_not_ready: Callable[[], str],
    scrape: Callable[[], bytes],
    depot: Depot | None = None,
) -> dict[str, Gateway]:
    """Return the gateways by name, TCP first; none has started.

    Args:
        why_not_ready: What `/readyz` asks.
        scrape: What `/metrics` shows.
        depot: Who takes and gives files over HTTP.

    Raises:
        SettingsError: A certificate, a key, a list of keys or a token can't be used.
    """
    bounds = _bounds(settings)
    tcp, ws, http = settings.gateway.tcp, settings.gateway.ws, settings.gateway.http
    watch_token = _watch_token(http)
    host, port = parse_address(tcp.listen)
    context = _context(tcp.tls_cert, tcp.tls_key)
    gateways: dict[str, Gateway] = {"tcp": TcpGateway(open_session, host, port, context, bounds)}
    if ws.listen:
        host, port = parse_address(ws.listen)
        context = _context(ws.tls_cert, ws.tls_key)
        gateways["ws"] = WsGateway(
            open_session, host, port, context, bounds, origins=_origins(ws.origins)
        )
    if http.listen:
        # Imported here: its library takes 0.1 s and 15 MiB, which not every node needs.
        from actorchat.gateway.poll import PollGateway

        host, port = parse_address(http.listen)
        gateways["http"] = PollGateway(
            open_session,
            host,
            port,
            _context(http.tls_cert, http.tls_key),
            replace(bounds, poll_wait_s=http.poll_wait_s),
            health=why_not_ready,
            scrape=scrape,
            depot=depot,
            watch_token=watch_token,
            is_watched_here=not http.metrics_listen,
        )
    if settings.gateway.zmq.listen:
        gateways["zmq"] = _make_zmq(settings.gateway.zmq, open_session, bounds)
    return gateways


def make_watched(
    settings: Settings, why_not_ready: Callable[[], str], scrape: Callable[[], bytes]
) -> WatchedAddress | None:
    """Return the address of its own at which the node is watched, if there is to be one.

    Raises:
        SettingsError: A certificate, a key or the token can't be used.
    """
    http = settings.gateway.http
    if not http.metrics_listen:
        return None
    from actorchat.gateway.pages import Pages
    from actorchat.gateway.watched import WatchedAddress

    host, port = parse_address(http.metrics_listen)
    pages = Pages(why_not_ready, scrape, _watch_token(http))
    return WatchedAddress(pages, host, port, _context(http.tls_cert, http.tls_key))


def _watch_token(http: HttpSettings) -> str:
    if not http.metrics_token_file:
        return ""
    from actorchat.gateway.pages import read_token

    return read_token(http.metrics_token_file)


def _make_zmq(zmq: ZmqSettings, open_session: OpenSession, bounds: Bounds) -> Gateway:
    # Imported here, for not every node needs its library.
    from actorchat.gateway.curve import read_curve_keys
    from actorchat.gateway.zeromq import ZmqGateway

    host, port = parse_address(zmq.listen)
    keys = read_curve_keys(zmq.secret_key_file, zmq.clients_file) if zmq.secret_key_file else None
    return ZmqGateway(open_session, host, port, bounds=bounds, keys=keys)


def room_for(connections_max: int, files_max: int) -> Room:
    """Return as much room as the settings ask for and the limit of open files allows."""
    kept = min(FILES_KEPT, files_max * 3 // 4)
    return Room(max(1, min(connections_max, files_max - kept)))


def _files_max() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return maxsize if soft == resource.RLIM_INFINITY else soft


def _bounds(settings: Settings) -> Bounds:
    limits = settings.limits
    files_max = _files_max()
    room = room_for(limits.connections_max, files_max)
    if room.places < limits.connections_max:
        log.info(
            "open files bound the connections",
            open_files=files_max,
            connections=room.places,
            asked_for=limits.connections_max,
        )
    return Bounds(
        outbox_bytes_max=limits.outbox_bytes_max,
        in_flight_max=limits.requests_in_flight_max,
        connections_max=room.places,
        handshake_timeout_s=limits.handshake_timeout_s,
        idle_timeout_s=limits.idle_timeout_s,
        room=room,
    )


def _context(certificate: str, key: str) -> ssl.SSLContext | None:
    return tls_context(certificate, key) if certificate else None


def _origins(text: str) -> list[str]:
    """Return the origins of a setting as a gateway compares them."""
    try:
        return [each if each == ANY_ORIGIN else parse_origin(each) for each in text.split()]
    except ValueError as error:
        raise SettingsError([f"gateway.ws.origins: {error}"]) from None
