"""A body is signed by who knows the secret, a moment ago, byte for byte; nothing else passes."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest

from actorchat.protocol.signature import TOLERANCE_S, is_signed, sign

SECRET = "0123456789abcdef"
BODY = '{"events":[{"body":"Grüße 👋"}]}'.encode()
AT_S = 1_700_000_000


def test_signature_is_what_the_recipe_says() -> None:
    headers = sign(SECRET, BODY, AT_S)
    mac = hmac.new(SECRET.encode(), b"1700000000." + BODY, sha256).hexdigest()
    assert headers == {"Actorchat-Timestamp": "1700000000", "Actorchat-Signature": f"v1={mac}"}
    assert is_signed(SECRET, headers, BODY, AT_S + 1)
    assert is_signed(SECRET, {name.lower(): v for name, v in headers.items()}, BODY, AT_S)


@pytest.mark.parametrize("now_s", [AT_S + TOLERANCE_S + 1, AT_S - TOLERANCE_S - 1])
def test_what_somebody_recorded_is_not_taken_again(now_s: float) -> None:
    assert not is_signed(SECRET, sign(SECRET, BODY, AT_S), BODY, now_s)


@pytest.mark.parametrize(
    ("secret", "changes", "body"),
    [
        ("another secret!!", {}, BODY),
        (SECRET, {}, BODY + b" "),
        (SECRET, {"Actorchat-Timestamp": "1700000001"}, BODY),
        (SECRET, {"Actorchat-Timestamp": "²"}, BODY),
        (SECRET, {"Actorchat-Timestamp": "9" * 5_000}, BODY),
        (SECRET, {"Actorchat-Timestamp": ""}, BODY),
        (SECRET, {"Actorchat-Signature": ""}, BODY),
        (SECRET, {"Actorchat-Signature": "v1=ü"}, BODY),
    ],
)
def test_anything_else_is_refused(secret: str, changes: dict[str, str], body: bytes) -> None:
    headers = {**sign(SECRET, BODY, AT_S), **changes}
    assert not is_signed(secret, headers, body, AT_S)
