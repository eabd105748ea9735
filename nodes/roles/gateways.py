"""Knows which gateways a node's settings ask for. Must not know what a gateway does."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace

from actorchat.errors import SettingsError
from actorchat.gateway.base import Bounds, Gateway, OpenSession
from actorchat.gateway.tcp import TcpGateway
from actorchat.gateway.tls import tls_context
from actorchat.gateway.ws import WsGateway
from actorchat.protocol.upgrade import ANY_ORIGIN, parse_origin
from actorchat.settings import Settings, parse_address


def make_gateways(
    settings: Settings,
    open_session: OpenSession,
    why_not_ready: Callable[[], str],
    scrape: Callable[[], bytes],
) -> dict[str, Gateway]:
    """Return the gateways by name, TCP first; none has started.

    Args:
        why_not_ready: What `/readyz` asks.
        scrape: What `/metrics` shows.

    Raises:
        SettingsError: A certificate or key can't be used.
    """
    bounds = _bounds(settings)
    tcp, ws, http = settings.gateway.tcp, settings.gateway.ws, settings.gateway.http
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
        )
    return gateways


def _bounds(settings: Settings) -> Bounds:
    limits = settings.limits
    return Bounds(
        outbox_bytes_max=limits.outbox_bytes_max,
        in_flight_max=limits.requests_in_flight_max,
        connections_max=limits.connections_max,
        handshake_timeout_s=limits.handshake_timeout_s,
        idle_timeout_s=limits.idle_timeout_s,
    )


def _context(certificate: str, key: str) -> ssl.SSLContext | None:
    return tls_context(certificate, key) if certificate else None


def _origins(text: str) -> list[str]:
    """Return the origins of a setting as a gateway compares them."""
    try:
        return [each if each == ANY_ORIGIN else parse_origin(each) for each in text.split()]
    except ValueError as error:
        raise SettingsError([f"gateway.ws.origins: {error}"]) from None
