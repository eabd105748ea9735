"""Knows the HTTP with which a WebSocket begins, on both sides (RFC 6455, 4). No frames, no sockets.

Must not know who may connect, but for the rules on origins that it is given.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Collection
from hashlib import sha1
from typing import NamedTuple
from urllib.parse import urlsplit

from actorchat.errors import ProtocolError

CBOR_PROTOCOL = "actorchat.v1.cbor"
JSON_PROTOCOL = "actorchat.v1.json"
ANY_ORIGIN = "*"

_END = b"\r\n\r\n"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION = "13"
_KEY_BYTES = 16
_REQUEST_LINE = re.compile(r"([!-~]+) ([!-~]+) HTTP/(\d\.\d)")
_STATUS_LINE = re.compile(r"HTTP/1\.1 (\d{3})(?: [^\r\n]*)?")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\x00-\x08\x0a-\x1f\x7f]*)")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    426: "Upgrade Required",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}
# What a status must be told with.
_FIELDS_OF = {
    405: "Allow: GET\r\n",
    426: f"Upgrade: websocket\r\nSec-WebSocket-Version: {_VERSION}\r\n",
}


class UpgradeRefused(ProtocolError):
    """The request, or the answer to it, does not make a WebSocket.

    `status` is the HTTP status that it is answered with, or was.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Request(NamedTuple):
    """An upgrade that may be granted."""

    accept: str  # proves that the request was read
    protocols: list[str]  # as the client prefers them; empty where it names none


class Head:
    """The head of an HTTP message, as it comes in pieces."""

    __slots__ = ("_bytes_max", "_held")

    def __init__(self, bytes_max: int) -> None:
        self._held = bytearray()
        self._bytes_max = bytes_max

    def feed(self, chunk: bytes) -> tuple[bytes, bytes] | None:
        """Return the head without its last line and what came behind it, None until it is whole.

        Raises:
            UpgradeRefused: It is longer than `bytes_max`.
        """
        seen = max(0, len(self._held) - len(_END))
        self._held += chunk
        at = self._held.find(_END, seen)
        if at > self._bytes_max or (at < 0 and len(self._held) > self._bytes_max):
            raise UpgradeRefused(431, f"more than {self._bytes_max} bytes")
        if at < 0:
            return None
        return bytes(self._held[:at]), bytes(self._held[at + len(_END) :])


# -- the server's side --------------------------------------------------------------------------


def read_request(head: bytes, origins: Collection[str]) -> Request:
    """Return what the request `head` asks for.

    `origins` are those of web pages, as `scheme://host`, that may connect beside the server's own,
    or `ANY_ORIGIN`. Programs that are no browsers send none and always may.

    Raises:
        UpgradeRefused: It is no upgrade that can be granted; with the status to answer it with.
    """
    line, fields = _parse(head, _REQUEST_LINE)
    method, target, version = line.groups()
    if version != "1.1":
        raise UpgradeRefused(505, "expected HTTP/1.1")
    if method != "GET":
        raise UpgradeRefused(405, "expected GET")
    if target != "/":
        raise UpgradeRefused(404, "there is nothing but /")
    if _one(fields, "content-length", "0") != "0" or "transfer-encoding" in fields:
        raise UpgradeRefused(400, "a body was not expected")
    host = _one(fields, "host")
    if not _is_upgrade(fields):
        raise UpgradeRefused(426, "this is a WebSocket endpoint")
    if _one(fields, "sec-websocket-version", "") != _VERSION:
        raise UpgradeRefused(426, f"expected Sec-WebSocket-Version: {_VERSION}")
    key = _one(fields, "sec-websocket-key")
    if not _is_key(key):
        raise UpgradeRefused(400, "expected 16 bytes in Sec-WebSocket-Key")
    origin = _one(fields, "origin", "")
    if origin and ANY_ORIGIN not in origins and not _is_welcome(origin, host, origins):
        raise UpgradeRefused(403, "this origin may not connect")
    return Request(
        _accept(key), [name for name in _items(fields, "sec-websocket-protocol") if name]
    )


def grant(accept: str, protocol: str | None) -> bytes:
    """Return the answer that makes the connection a WebSocket."""
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept}",
    ]
    if protocol is not None:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    return "\r\n".join(lines).encode("ascii") + _END


def refusal(status: int, reason: str) -> bytes:
    """Return the answer that says that, and why, it does not."""
    text = f"{reason}\n"
    return (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n{_FIELDS_OF.get(status, '')}"
        "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
        f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}"
    ).encode("ascii")


def parse_origin(text: str) -> str:
    """Return `scheme://host[:port]` as origins are compared: lower case, no default port.

    Raises:
        ValueError: It is no origin of a web page.
    """
    parts = urlsplit(text.lower())
    if not parts.scheme or not parts.hostname or parts[2:] != ("", "", "") or parts.username:
        raise ValueError(f"expected scheme://host or scheme://host:port, got {text!r}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.port is None or parts.port == _DEFAULT_PORTS.get(parts.scheme):
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{parts.port}"


def _is_welcome(origin: str, host: str, origins: Collection[str]) -> bool:
    try:
        normal = parse_origin(origin)
        if normal in origins:
            return True
        # A page of this very host and port; whether TLS ends here or before us can't be known.
        scheme = normal.partition("://")[0]
        return scheme in _DEFAULT_PORTS and normal == parse_origin(f"{scheme}://{host}")
    except ValueError:  # `null` among others
        return False


def _is_key(key: str) -> bool:
    try:
        return len(b64decode(key, validate=True)) == _KEY_BYTES
    except (Error, ValueError):
        return False


# -- the client's side --------------------------------------------------------------------------


def request(host: str, port: int, protocol: str, nonce: bytes) -> bytes:
    """Return the request for an upgrade; `nonce` is 16 bytes that are new each time.

    Raises:
        UnicodeError: No host can have this name.
    """
    name = f"[{host}]" if ":" in host else host.encode("idna").decode("ascii")
    return (
        f"GET / HTTP/1.1\r\nHost: {name}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {b64encode(nonce).decode()}\r\nSec-WebSocket-Version: {_VERSION}\r\n"
        f"Sec-WebSocket-Protocol: {protocol}\r\n\r\n"
    ).encode("ascii")


def check_answer(head: bytes, protocol: str, nonce: bytes) -> None:
    """Check that the answer `head` grants the request that was made with `protocol` and `nonce`.

    Raises:
        UpgradeRefused: It does not.
    """
    line, fields = _parse(head, _STATUS_LINE)
    status = int(line[1])
    if status != 101:
        raise UpgradeRefused(status, f"the server refused the upgrade with HTTP status {status}")
    if not _is_upgrade(fields):
        raise UpgradeRefused(status, "the server upgraded to something else")
    if _one(fields, "sec-websocket-accept") != _accept(b64encode(nonce).decode()):
        raise UpgradeRefused(status, "the answer is not to this request")
    if _one(fields, "sec-websocket-protocol", "") != protocol:
        raise UpgradeRefused(status, f"the server does not speak {protocol}")
    if "sec-websocket-extensions" in fields:
        raise UpgradeRefused(status, "the server uses an extension that was not asked for")


# -- both ---------------------------------------------------------------------------------------


def _accept(key: str) -> str:
    digest = sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()
    return b64encode(digest).decode()


def _parse(head: bytes, first: re.Pattern[str]) -> tuple[re.Match[str], dict[str, list[str]]]:
    """Return the first line and the fields by lower-case name; strict, folded lines are refused."""
    start, *lines = head.decode("latin-1").split("\r\n")
    matched = first.fullmatch(start)
    if matched is None:
        raise UpgradeRefused(400, "this is no HTTP")
    fields: dict[str, list[str]] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise UpgradeRefused(400, "a malformed header")
        fields.setdefault(field[1].lower(), []).append(field[2].strip(" \t"))
    return matched, fields


def _is_upgrade(fields: dict[str, list[str]]) -> bool:
    is_named = "websocket" in _tokens(fields, "upgrade")
    return is_named and "upgrade" in _tokens(fields, "connection")


def _one(fields: dict[str, list[str]], name: str, default: str | None = None) -> str:
    """Return the value of a field that may come but once, and must where there is no default."""
    values = fields.get(name, () if default is None else (default,))
    if len(values) != 1:
        raise UpgradeRefused(400, f"expected {name} once")
    return values[0]


def _items(fields: dict[str, list[str]], name: str) -> list[str]:
    return [item.strip(" \t") for value in fields.get(name, ()) for item in value.split(",")]


def _tokens(fields: dict[str, list[str]], name: str) -> list[str]:
    return [item.lower() for item in _items(fields, name)]
