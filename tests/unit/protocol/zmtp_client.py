"""Knows a client of ZMTP, over NULL and CURVE, well or badly behaved. Must not know what is tested.

It shares no cryptographic code with the server but nacl's, and keeps to RFC 26 by itself.
"""

from __future__ import annotations

from nacl import bindings as nacl

from actorchat.protocol import zmtp
from actorchat.protocol.curvezmq import ServerKeys, public_of

SECRET = bytes(range(32))
CLIENT_SECRET = bytes(range(32, 64))
KEYS = ServerKeys(public_of(SECRET), SECRET, frozenset({public_of(CLIENT_SECRET)}))


def ready(socket_type: bytes = b"DEALER", routing_id: bytes = b"") -> bytes:
    """Return the metadata of a peer."""
    return zmtp.pack_properties({b"Socket-Type": socket_type, b"Identity": routing_id})


def null_handshake(metadata: bytes | None = None) -> bytes:
    """Return all that a peer without CURVE says before its first message."""
    body = zmtp.command(b"READY", ready() if metadata is None else metadata)
    return zmtp.greeting(b"NULL", is_server=False) + zmtp.frame(zmtp.COMMAND, body)


def bodies(stream: bytes) -> list[tuple[int, bytes]]:
    """Return the flags and bodies of whole frames."""
    found = []
    while stream:
        head, size = 2, stream[1]
        if stream[0] & zmtp.LONG:
            head, size = 9, int.from_bytes(stream[1:9], "big")
        assert len(stream) >= head + size
        found.append((stream[0] & ~zmtp.LONG, stream[head : head + size]))
        stream = stream[head + size :]
    return found


class CurveClient:
    """The client's half of CurveZMQ. Its nonces count up unless `nonce` is set back."""

    def __init__(self, secret: bytes = CLIENT_SECRET, server: bytes = KEYS.public) -> None:
        self.secret, self.server = secret, server
        self.own_secret = bytes(range(64, 96))
        self.own_public = public_of(self.own_secret)
        self.nonce = 0
        self.shared = b""
        self.server_nonce = 0

    def next_nonce(self) -> bytes:
        self.nonce += 1
        return self.nonce.to_bytes(8, "big")

    def hello(self, version: bytes = b"\1\0", signed: bytes = bytes(64)) -> bytes:
        nonce = self.next_nonce()
        box = nacl.crypto_box(signed, b"CurveZMQHELLO---" + nonce, self.server, self.own_secret)
        return zmtp.command(b"HELLO", version + bytes(72) + self.own_public + nonce + box)

    def take_welcome(self, body: bytes) -> None:
        name, data = zmtp.split_command(body)
        assert name == b"WELCOME" and len(data) == 160
        opened = nacl.crypto_box_open(
            data[16:], b"WELCOME-" + data[:16], self.server, self.own_secret
        )
        self.server_public, self.cookie = opened[:32], opened[32:]
        assert len(self.cookie) == 96
        self.shared = nacl.crypto_box_beforenm(self.server_public, self.own_secret)

    def initiate(self, metadata: bytes | None = None, *, vouched: bytes | None = None) -> bytes:
        salt = bytes(16)
        vouch = nacl.crypto_box(
            self.own_public + self.server if vouched is None else vouched,
            b"VOUCH---" + salt,
            self.server_public,
            self.secret,
        )
        inner = public_of(self.secret) + salt + vouch + (ready() if metadata is None else metadata)
        nonce = self.next_nonce()
        box = nacl.crypto_box_afternm(inner, b"CurveZMQINITIATE" + nonce, self.shared)
        return zmtp.command(b"INITIATE", self.cookie + nonce + box)

    def take_ready(self, body: bytes) -> bytes:
        name, data = zmtp.split_command(body)
        assert name == b"READY"
        return self._open(data, b"CurveZMQREADY---")

    def message(self, payload: bytes, inner: int = 0) -> bytes:
        nonce = self.next_nonce()
        box = nacl.crypto_box_afternm(
            bytes((inner,)) + payload, b"CurveZMQMESSAGEC" + nonce, self.shared
        )
        return b"\7MESSAGE" + nonce + box

    def take_message(self, body: bytes) -> tuple[int, bytes]:
        assert body[:8] == b"\7MESSAGE"
        opened = self._open(body[8:], b"CurveZMQMESSAGES")
        return opened[0], opened[1:]

    def _open(self, data: bytes, prefix: bytes) -> bytes:
        number = int.from_bytes(data[:8], "big")
        assert number > self.server_nonce
        self.server_nonce = number
        return nacl.crypto_box_open_afternm(data[8:], prefix + data[:8], self.shared)
