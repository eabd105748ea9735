"""Knows CurveZMQ, by which a server and its clients know each other by keys. Must not know files.

The only importer of nacl. Each side has a lasting key pair and one for the connection, so that what
was recorded can't be read with keys that are stolen later.
Sources: https://rfc.zeromq.org/spec/25/ and https://rfc.zeromq.org/spec/26/
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from nacl import bindings as nacl
from nacl.exceptions import CryptoError

from actorchat.errors import MalformedFrame
from actorchat.protocol import zmtp
from actorchat.protocol.zmtp import Refused

KEY_BYTES = 32
DENIED = "400"  # libzmq tells its user so, as a status of ZAP (RFC 27)
_BOX_BYTES = 16  # that a box is longer than what is in it
_COOKIE_BYTES = 16 + _BOX_BYTES + 2 * KEY_BYTES
_HELLO_BYTES = 194  # version, padding, C', nonce, signature
_HELLO_KEY_AT = 74
_VOUCH_BYTES = 16 + 2 * KEY_BYTES + _BOX_BYTES
_INITIATE_BYTES_MIN = _COOKIE_BYTES + 8 + KEY_BYTES + _VOUCH_BYTES + _BOX_BYTES
_MESSAGE = b"\x07MESSAGE"
_INNER_MORE, _INNER_COMMAND = 1, 2
_u64 = Struct(">Q").pack


class ServerKeys(NamedTuple):
    """A server's lasting keys, and the public keys of those who may come in; 32 bytes each."""

    public: bytes
    secret: bytes
    clients: frozenset[bytes]


def public_of(secret: bytes) -> bytes:
    """Return the public key that belongs to `secret`."""
    return nacl.crypto_scalarmult_base(secret)


class CurveServer:
    """The mechanism CURVE on the server's side, for one connection.

    Until INITIATE it keeps nothing of the peer but the key of the cookie that the peer must bring
    back. That key is this connection's alone: what was recorded on another opens nothing here.
    """

    __slots__ = ("_cookie_key", "_keys", "_random", "_seen", "_sent", "_shared", "is_ready")

    name = b"CURVE"
    overhead_bytes = len(_MESSAGE) + 8 + _BOX_BYTES + 1

    def __init__(self, keys: ServerKeys, random: Callable[[int], bytes]) -> None:
        """Begin; `random(size)` gives bytes that nobody can foresee."""
        self.is_ready = False
        self._keys = keys
        self._random = random
        self._cookie_key = b""
        self._shared = b""  # of both sides' keys for the connection
        self._sent = 0  # nonces of ours that are used up
        self._seen = 0  # the peer's last

    # -- the handshake --------------------------------------------------------------------------

    def take(self, body: bytes) -> bytes:
        """Take HELLO, then INITIATE; answer with WELCOME, then READY.

        Raises:
            Refused: The peer has other keys, or does not know the protocol.
        """
        name, data = zmtp.split_command(body)
        if name == b"HELLO" and not self._cookie_key:
            return self._welcome(data)
        if name == b"INITIATE" and self._cookie_key:
            try:
                return self._admit(data)
            except CryptoError:
                raise Refused("a box of INITIATE does not open") from None
        raise Refused("HELLO of CURVE, then INITIATE, was expected")

    def _welcome(self, data: bytes) -> bytes:
        if len(data) != _HELLO_BYTES or data[:2] != b"\x01\x00":
            raise Refused("HELLO of CURVE 1.0 was expected")
        nonce_at = _HELLO_KEY_AT + KEY_BYTES
        peer_key, nonce = data[_HELLO_KEY_AT:nonce_at], data[nonce_at : nonce_at + 8]
        self._count(nonce)
        secret = self._keys.secret
        try:
            signature = nacl.crypto_box_open(
                data[nonce_at + 8 :], b"CurveZMQHELLO---" + nonce, peer_key, secret
            )
        except CryptoError:
            raise Refused("HELLO is for another server's key", is_denied=True) from None
        if signature != bytes(64):
            raise Refused("HELLO of CURVE 1.0 was expected")
        own_secret = self._random(KEY_BYTES)
        self._cookie_key = self._random(KEY_BYTES)
        salt = self._random(16)
        box = nacl.crypto_secretbox(peer_key + own_secret, b"COOKIE--" + salt, self._cookie_key)
        long_nonce = self._random(16)
        welcome = nacl.crypto_box(
            public_of(own_secret) + salt + box, b"WELCOME-" + long_nonce, peer_key, secret
        )
        return zmtp.frame(zmtp.COMMAND, zmtp.command(b"WELCOME", long_nonce + welcome))

    def _admit(self, data: bytes) -> bytes:
        if len(data) < _INITIATE_BYTES_MIN:
            raise Refused("INITIATE is too short")
        salt, box = data[:16], data[16:_COOKIE_BYTES]
        cookie = nacl.crypto_secretbox_open(box, b"COOKIE--" + salt, self._cookie_key)
        peer_key, own_secret = cookie[:KEY_BYTES], cookie[KEY_BYTES:]
        nonce = data[_COOKIE_BYTES : _COOKIE_BYTES + 8]
        self._count(nonce)
        shared = nacl.crypto_box_beforenm(peer_key, own_secret)
        opened = nacl.crypto_box_open_afternm(
            data[_COOKIE_BYTES + 8 :], b"CurveZMQINITIATE" + nonce, shared
        )
        client, vouch = opened[:KEY_BYTES], opened[KEY_BYTES : KEY_BYTES + _VOUCH_BYTES]
        vouched = nacl.crypto_box_open(vouch[16:], b"VOUCH---" + vouch[:16], client, own_secret)
        if not hmac.compare_digest(vouched, peer_key + self._keys.public):
            raise Refused("a vouch for this connection was expected")
        if client not in self._keys.clients:
            raise Refused(DENIED, is_denied=True)
        zmtp.check_properties(opened[KEY_BYTES + _VOUCH_BYTES :])
        self._shared = shared
        self._cookie_key = b""
        self.is_ready = True
        metadata = zmtp.pack_properties({b"Socket-Type": zmtp.SOCKET_TYPE})
        nonce = self._next_nonce()
        box = nacl.crypto_box_afternm(metadata, b"CurveZMQREADY---" + nonce, shared)
        return zmtp.frame(zmtp.COMMAND, zmtp.command(b"READY", nonce + box))

    # -- afterwards -----------------------------------------------------------------------------

    def wrap(self, payload: bytes) -> bytes:
        """Return a message as a whole frame; to be sent in the order of the calls."""
        return zmtp.wrap(self._seal(b"\0" + payload))

    def wrap_command(self, body: bytes) -> bytes:
        """Return a command as a whole frame; likewise."""
        return zmtp.wrap(self._seal(bytes((_INNER_COMMAND,)) + body))

    def unwrap(self, body: bytes) -> tuple[int, bytes]:
        """Return the flags and the body that are in the box.

        Raises:
            MalformedFrame: It is no box, an old one, or one that does not open.
        """
        nonce = body[8:16]
        if body[:8] != _MESSAGE or len(nonce) != 8:
            raise MalformedFrame("a message that is not guarded")
        try:
            self._count(nonce)
            opened = nacl.crypto_box_open_afternm(
                body[16:], b"CurveZMQMESSAGEC" + nonce, self._shared
            )
        except (CryptoError, Refused):
            raise MalformedFrame("a message whose box does not open") from None
        if not opened:
            raise MalformedFrame("a message without flags")
        inner = opened[0]
        if inner == 0:
            return 0, opened[1:]
        more = zmtp.MORE if inner & _INNER_MORE else 0
        return more | (zmtp.COMMAND if inner & _INNER_COMMAND else 0), opened[1:]

    def _seal(self, content: bytes) -> bytes:
        nonce = self._next_nonce()
        return (
            _MESSAGE
            + nonce
            + nacl.crypto_box_afternm(content, b"CurveZMQMESSAGES" + nonce, self._shared)
        )

    def _next_nonce(self) -> bytes:
        self._sent += 1
        return _u64(self._sent)

    def _count(self, nonce: bytes) -> None:
        """See that a nonce is newer than all before it: whoever repeats a box repeats its nonce."""
        number = int.from_bytes(nonce, "big")
        if number <= self._seen:
            raise Refused("a nonce that is used up")
        self._seen = number
