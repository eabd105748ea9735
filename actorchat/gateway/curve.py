"""Knows which keys guard a ZeroMQ socket, and where it needs none. Must not know sockets."""

from __future__ import annotations

import base64
import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path

from actorchat.errors import SettingsError
from actorchat.protocol.curvezmq import KEY_BYTES, ServerKeys, public_of

KEY_CHARS = 40  # 32 bytes in Z85

# Z85 (RFC 32 of ZeroMQ) is the standard library's base 85 with other characters.
_Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_to_z85 = bytes.maketrans(_B85, _Z85)
_from_z85 = bytes.maketrans(_Z85, _B85)


@dataclass(frozen=True, slots=True)
class CurveKeys:
    """A server's keys, in Z85, and the public keys of those who may connect, as 32 bytes each."""

    public: bytes
    secret: bytes = field(repr=False)
    clients: frozenset[bytes]

    def decoded(self) -> ServerKeys:
        """Return all of them as 32 bytes each."""
        return ServerKeys(_decode(self.public), _decode(self.secret), self.clients)


def read_curve_keys(secret_key_file: str | Path, clients_file: str | Path) -> CurveKeys:
    """Read the server's secret key, and a public key a line of those who may connect.

    A key is 40 characters of Z85 at the start of its line; what follows a blank, a name for one,
    and lines that begin with `# ` are for people.

    Raises:
        SettingsError: A file can't be read, or holds what is no key; or no client is allowed.
    """
    problems: list[str] = []
    secrets = _read_keys("secret key", secret_key_file, problems)
    clients = _read_keys("clients", clients_file, problems)
    if secrets is not None and len(secrets) != 1:
        problems.append(f"CURVE secret key {secret_key_file}: expected one, got {len(secrets)}")
    if clients is not None and not clients:
        # Without a list CURVE encrypts, but lets in whoever has any key.
        problems.append(f"CURVE clients {clients_file}: nobody could connect")
    if problems or secrets is None or clients is None:
        raise SettingsError(problems)
    (secret,) = secrets
    public = _encode(public_of(_decode(secret)))
    return CurveKeys(public, secret, frozenset(map(_decode, clients)))


def write_secret_key(path: str | Path) -> str:
    """Make a key pair, write its secret to a new file for its owner alone; return the public key.

    Raises:
        FileExistsError: There is something already.
        OSError: The file can't be written.
    """
    secret = os.urandom(KEY_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(_encode(secret) + b"\n")
    return _encode(public_of(secret)).decode("ascii")


def check_guarded(host: str, keys: CurveKeys | None) -> None:
    """See that a socket without keys is for programs of this machine only.

    Args:
        host: A numeric address.

    Raises:
        SettingsError: Others could reach it, and read the secrets that clients send.
    """
    if keys is None and not ipaddress.ip_address(host).is_loopback:
        raise SettingsError(
            [f"gateway.zmq.listen: {host} is no loopback address, so it needs CURVE keys"]
        )


def _read_keys(what: str, path: str | Path, problems: list[str]) -> list[bytes] | None:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        problems.append(f"CURVE {what} {path}: {error.strerror or error}")
        return None
    except UnicodeDecodeError:
        problems.append(f"CURVE {what} {path}: not text")
        return None
    keys: list[bytes] = []
    for number, line in enumerate(text.splitlines(), 1):
        # `#` alone is a character of Z85.
        if not line.strip() or line.startswith("# "):
            continue
        word = line.split()[0]
        if is_key(word):
            keys.append(word.encode())
        else:
            # The line is not quoted: it may be a secret, misspelt.
            problems.append(f"CURVE {what} {path}: line {number} begins with no key")
    return keys


def is_key(text: str) -> bool:
    """Say whether `text` is a key in Z85."""
    if len(text) != KEY_CHARS or not set(text) <= set(_Z85.decode()):
        return False
    try:
        return len(_decode(text.encode("ascii"))) == KEY_BYTES
    except ValueError:
        return False  # more than 32 bits in five characters


def _encode(key: bytes) -> bytes:
    return base64.b85encode(key).translate(_to_z85)


def _decode(text: bytes) -> bytes:
    return base64.b85decode(text.translate(_from_z85))
