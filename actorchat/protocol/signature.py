"""Knows how the body of a hook's post is signed, both sides. Must not know who posts or checks it.

Actorchat-Timestamp: 1700000000
Actorchat-Signature: v1=<hex of HMAC-SHA256(secret, timestamp + "." + body)>
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256

TIMESTAMP_HEADER = "Actorchat-Timestamp"
SIGNATURE_HEADER = "Actorchat-Signature"
TOLERANCE_S = 300.0  # a post that is older, or so far ahead, may be one that somebody recorded


def sign(secret: str, body: bytes, at_s: int) -> dict[str, str]:
    """Return the headers that sign `body` at `at_s`, in seconds since 1970."""
    return {
        TIMESTAMP_HEADER: str(at_s),
        SIGNATURE_HEADER: f"v1={_mac(secret, str(at_s), body)}",
    }


def is_signed(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    now_s: float,
    tolerance_s: float = TOLERANCE_S,
) -> bool:
    """Say whether `body`, byte for byte as it came, was signed with `secret` a moment ago.

    `headers` by any case of their names; `now_s` in seconds since 1970.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    timestamp = lower.get(TIMESTAMP_HEADER.lower(), "")
    signature = lower.get(SIGNATURE_HEADER.lower(), "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 16):
        return False
    expected = f"v1={_mac(secret, timestamp, body)}"
    fits = hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
    return fits and abs(now_s - int(timestamp)) <= tolerance_s


def _mac(secret: str, timestamp: str, body: bytes) -> str:
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, sha256).hexdigest()
