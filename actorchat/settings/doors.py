"""Knows the settings of the doors by which clients come. Must not know where values come from."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from actorchat import limits
from actorchat.settings.section import Seconds, Section


class TcpSettings(Section, frozen=True):
    """The TCP gateway."""

    listen: Annotated[
        str,
        Meta(description="Address as host:port, IPv6 as [host]:port; port 0 picks a free one."),
    ] = "127.0.0.1:7700"
    tls_cert: Annotated[
        str,
        Meta(description="PEM file of the certificate chain; empty for no TLS."),
    ] = ""
    tls_key: Annotated[
        str,
        Meta(description="PEM file of the certificate's private key; empty for no TLS."),
    ] = ""


class WsSettings(Section, frozen=True):
    """The WebSocket gateway; subprotocols actorchat.v1.cbor and actorchat.v1.json."""

    listen: Annotated[
        str,
        Meta(
            description="Address as host:port; empty for none. Where neither this nor another "
            "address is chosen, `actorchat up` takes 127.0.0.1:7701."
        ),
    ] = ""
    origins: Annotated[
        str,
        Meta(
            description="Web pages that may connect beside those of the same host and port: "
            "origins as https://chat.example.org, lower case, separated by spaces; * for all. "
            "Programs that are no browsers say no origin and always may."
        ),
    ] = ""
    tls_cert: Annotated[
        str,
        Meta(description="PEM file of the certificate chain; empty for no TLS."),
    ] = ""
    tls_key: Annotated[
        str,
        Meta(description="PEM file of the certificate's private key; empty for no TLS."),
    ] = ""


class HttpSettings(Section, frozen=True):
    """The HTTP gateway: long-polling, /livez, /readyz and /metrics."""

    listen: Annotated[
        str,
        Meta(
            description="Address as host:port; empty for none. Where neither this nor another "
            "address is chosen, `actorchat up` takes 127.0.0.1:7780."
        ),
    ] = ""
    poll_wait_s: Annotated[
        Seconds,
        Meta(description="Seconds after which a poll is answered though there is nothing to say."),
    ] = limits.POLL_WAIT_S
    metrics_listen: Annotated[
        str,
        Meta(
            description="Address of its own for /metrics and /readyz, as host:port; empty: they "
            "are where clients come. TLS as theirs."
        ),
    ] = ""
    metrics_token_file: Annotated[
        str,
        Meta(
            description="File with the bearer token, of 16 characters at least, that /metrics and "
            "/readyz want; read at the start. Empty: whoever reaches them reads them."
        ),
    ] = ""
    tls_cert: Annotated[
        str,
        Meta(description="PEM file of the certificate chain; empty for no TLS."),
    ] = ""
    tls_key: Annotated[
        str,
        Meta(description="PEM file of the certificate's private key; empty for no TLS."),
    ] = ""


class ZmqSettings(Section, frozen=True):
    """The ZeroMQ gateway: a ROUTER for DEALERs of clients, guarded by CURVE or on loopback."""

    listen: Annotated[
        str,
        Meta(
            description="Address as host:port; empty for none. Where neither this nor another "
            "address is chosen, `actorchat up` takes 127.0.0.1:7702. What is no loopback address "
            "needs the two files below."
        ),
    ] = ""
    secret_key_file: Annotated[
        str,
        Meta(
            description="File with the CURVE secret key, as `actorchat config curve-key` makes "
            "one; empty for no CURVE."
        ),
    ] = ""
    clients_file: Annotated[
        str,
        Meta(
            description="File of the public keys that may connect, one a line in Z85, each with a "
            "name behind it for people; read at the start. Empty for no CURVE."
        ),
    ] = ""


class GatewaySettings(Section, frozen=True):
    """Where clients connect."""

    tcp: TcpSettings = TcpSettings()
    ws: WsSettings = WsSettings()
    http: HttpSettings = HttpSettings()
    zmq: ZmqSettings = ZmqSettings()
