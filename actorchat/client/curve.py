"""Knows the keys by which a client and a server know each other over CURVE. Must not know sockets.

A key is 32 bytes as 40 characters of Z85. Source: https://rfc.zeromq.org/spec/32/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

KEY_CHARS = 40
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


@dataclass(frozen=True, slots=True)
class CurveIdentity:
    """The server's public key, and the client's own secret key, of which its public one follows.

    Raises:
        ValueError: One of them is no key.
    """

    server: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        if not is_key(self.server):
            raise ValueError(f"expected the server's public key in Z85, not {self.server!r}")
        if not is_key(self.secret):
            raise ValueError("expected the client's secret key in Z85")  # never shown


def is_key(text: str) -> bool:
    """Say whether `text` is a key in Z85."""
    if len(text) != KEY_CHARS or not set(text) <= set(_Z85):
        return False
    for at in range(0, KEY_CHARS, 5):
        value = 0
        for char in text[at : at + 5]:
            value = value * len(_Z85) + _Z85.index(char)
        if value >= 2**32:
            return False
    return True


def read_curve_identity(server: str, secret_key_file: str | Path) -> CurveIdentity:
    """Return the identity with the server's public key, and the secret one that the file holds.

    The key is at the start of its line; blank lines and those that begin with `# ` are for people.

    Raises:
        ValueError: The file can't be read, or there is no key where one should be.
    """
    try:
        text = Path(secret_key_file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{secret_key_file}: not text") from None
    except OSError as error:
        raise ValueError(f"{secret_key_file}: {error.strerror or error}") from None
    # `#` alone is a character of Z85.
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("# ")]
    if len(lines) != 1 or not is_key(lines[0].split()[0]):
        raise ValueError(f"{secret_key_file}: expected one secret key in Z85")
    return CurveIdentity(server, lines[0].split()[0])
