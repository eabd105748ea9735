"""Tokens are good of this issuer, for this server, by its keys; everything else is refused."""

from __future__ import annotations

import base64
import hmac
import json
import time
from hashlib import sha256
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from actorchat.broker.bearer import KIND_OF_KEY, BearerReader, Keys, parse_keys
from actorchat.limits import JWKS_BYTES_MAX, JWKS_KEYS_MAX
from actorchat.settings.rule import JWT_ALGORITHMS

ISSUER, AUDIENCE = "https://idp.example/realms/main", "actorchat"
RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
OKP = ed25519.Ed25519PrivateKey.generate()


def jwk(private: Any, kid: str, algorithm: str, **more: str) -> dict[str, Any]:
    """Return the public key as it stands in a key set."""
    of: Any = jwt.get_algorithm_by_name(algorithm)
    return {**json.loads(of.to_jwk(private.public_key())), "kid": kid, **more}


def key_set(*listed: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(listed)}).encode()


KEYS = key_set(
    jwk(RSA, "r1", "RS256", use="sig"),
    jwk(EC, "e1", "ES256"),
    jwk(OKP, "o1", "EdDSA"),
)


class Wants:
    """Counts how often keys are wanted anew."""

    def __init__(self, answer: int | None) -> None:
        self.answer = answer
        self.count = 0

    def __call__(self) -> int | None:
        self.count += 1
        return self.answer


def reader(
    keys: Keys | None = None, algorithms: str = "RS256 ES256 EdDSA", wants: Wants | None = None
) -> BearerReader:
    known = parse_keys(KEYS) if keys is None else keys
    return BearerReader(
        ISSUER,
        AUDIENCE,
        algorithms.split(),
        "preferred_username",
        30.0,
        lambda: known,
        wants or Wants(None),
    )


def claims(**changes: Any) -> dict[str, Any]:
    """Return a good token's claims but for `changes`; times are in seconds from now."""
    now = int(time.time())
    said: dict[str, Any] = {
        "iss": ISSUER,
        "aud": [AUDIENCE, "account"],
        "sub": "f3b1",
        "preferred_username": "ann",
        "iat": 0,
        "exp": 60,
        **changes,
    }
    times = {name: now + said[name] for name in ("iat", "exp", "nbf") if said.get(name) is not None}
    return {name: value for name, value in {**said, **times}.items() if value is not None}


def token(key: Any = RSA, kid: str | None = "r1", algorithm: str = "RS256", **changes: Any) -> str:
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode(claims(**changes), key, algorithm, headers=headers)


@pytest.mark.parametrize(
    ("key", "kid", "algorithm"), [(RSA, "r1", "RS256"), (EC, "e1", "ES256"), (OKP, "o1", "EdDSA")]
)
def test_good_token_says_whose_it_is(key: Any, kid: str, algorithm: str) -> None:
    reading = reader().read(token(key, kid, algorithm))
    assert (reading.user, reading.problem) == ("ann", "")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"exp": -31}, "expired"),
        ({"exp": -5}, ""),  # within the leeway
        ({"exp": None}, "invalid"),
        ({"nbf": 3_600}, "invalid"),
        ({"iat": 3_600}, "invalid"),
        ({"aud": "another"}, "elsewhere"),
        ({"aud": None}, "invalid"),
        ({"iss": ISSUER + "/"}, "elsewhere"),
        ({"iss": None}, "invalid"),
        ({"preferred_username": None}, "invalid"),
        ({"preferred_username": "Ann"}, "no_user"),
        ({"preferred_username": "ann\n"}, "no_user"),
        ({"preferred_username": ["ann"]}, "no_user"),
        ({"preferred_username": 7}, "no_user"),
    ],
)
def test_claims_must_hold(changes: dict[str, Any], problem: str) -> None:
    assert reader().read(token(**changes)).problem == problem


def test_signature_of_another_key_is_refused() -> None:
    assert reader().read(token(OTHER_RSA)).problem == "invalid"
    head, body, signature = token().split(".")
    forged = base64.urlsafe_b64encode(json.dumps(claims(preferred_username="bob")).encode())
    assert reader().read(f"{head}.{forged.decode().rstrip('=')}.{signature}").problem == "invalid"
    assert reader().read(f"{head}.{body}.").problem == "invalid"


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS384", "", None, 5])
def test_algorithms_that_are_not_on_the_list_are_refused(algorithm: object) -> None:
    public = RSA.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    said = f"{segment({'alg': algorithm, 'typ': 'JWT', 'kid': 'r1'})}.{segment(claims())}"
    mac = base64.urlsafe_b64encode(hmac.new(public, said.encode(), sha256).digest())
    for signature in ("", mac.decode().rstrip("=")):
        assert reader().read(f"{said}.{signature}").problem == "invalid"
        # Nor where somebody wrote them into the settings.
        lax = reader(algorithms="none HS256 RS256")
        assert lax.read(f"{said}.{signature}").problem == "invalid"


def test_algorithm_must_fit_the_kind_of_the_key() -> None:
    assert reader().read(token(EC, "r1", "ES256")).problem == "invalid"
    assert reader().read(token(RSA, "e1", "RS256")).problem == "invalid"


def test_keys_that_the_token_brings_along_are_not_looked_at() -> None:
    mine = jwk(OTHER_RSA, "r1", "RS256")
    forged = jwt.encode(
        claims(), OTHER_RSA, "RS256", headers={"kid": "r1", "jwk": mine, "jku": "http://127.0.0.1/"}
    )
    assert reader().read(forged).problem == "invalid"
    critical = jwt.encode(claims(), RSA, "RS256", headers={"kid": "r1", "crit": ["x"], "x": 1})
    assert reader().read(critical).problem == "invalid"


def test_unknown_key_has_the_keys_fetched() -> None:
    wants = Wants(700)
    reading = reader(wants=wants).read(token(OTHER_RSA, "r2"))
    assert (reading.problem, reading.retry_ms, wants.count) == ("unknown_key", 700, 1)
    assert reader(wants=wants).read(token()).user == "ann"
    assert wants.count == 1


def test_token_need_not_name_the_only_key() -> None:
    alone = parse_keys(key_set(jwk(RSA, "r1", "RS256")))
    assert reader(alone).read(token(kid=None)).user == "ann"
    assert reader().read(token(kid=None)).problem == "unknown_key"


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b.c", "é.b.c", "x" * 1_000_000, "." * 3_000, "e30.e30.e30"]
)
def test_garbage_is_refused(text: str) -> None:
    assert reader().read(text).problem == "invalid"


def test_only_keys_that_can_check_signatures_are_taken() -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 (which is why it is refused)
    symmetric = {"kty": "oct", "kid": "s1", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"}
    private = {**jwk(RSA, "p1", "RS256"), "d": "AQAB"}
    keys = parse_keys(
        key_set(
            jwk(RSA, "r1", "RS256"),
            jwk(OTHER_RSA, "enc", "RS256", use="enc"),
            jwk(weak, "weak", "RS256"),
            symmetric,
            private,
            {"kty": "RSA", "kid": "broken"},
        )
    )
    assert set(keys) == {"r1"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": 1}',
        b"\xff",
        b" " * (JWKS_BYTES_MAX + 1),
        key_set(*({"kty": "oct"},) * (JWKS_KEYS_MAX + 1)),
    ],
)
def test_what_is_no_key_set_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"key|Key"):
        parse_keys(text)


def test_settings_and_reader_know_the_same_algorithms() -> None:
    assert set(KIND_OF_KEY) == JWT_ALGORITHMS
