"""Knows how a JSON Web Token of an issuer is read, and what its keys are. Must not know sessions.

Nothing that the token says of itself is believed before its signature is: the algorithm must be on
the list of the settings and fit the kind of the key, the key comes from the issuer's set alone
(`jku`, `jwk`, `x5u` are not looked at), and symmetric keys are no keys here at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from actorchat.chat.bearer import Reading
from actorchat.errors import SettingsError
from actorchat.ids import is_name
from actorchat.limits import JWKS_BYTES_MAX, JWKS_KEYS_MAX, JWT_CHARS_MAX, RSA_BITS_MIN

# Of which kind the key of each algorithm is (RFC 7518, 3.1; RFC 8037).
KIND_OF_KEY = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}

Keys: TypeAlias = Mapping[str, tuple[str, Any]]  # key id -> (kind, key)


class BearerReader:
    """Reads tokens of one issuer for one audience.

    Args:
        algorithms: Of `KIND_OF_KEY`.
        user_claim: The claim that is the user's name here, letter by letter.
        leeway_s: By how much the issuer's clock may differ.
        keys: Returns the issuer's keys as they are known now.
        want_keys: Have the keys fetched anew; returns after how many ms they may be there, None if
            they were fetched a moment ago.

    Raises:
        SettingsError: The library for it is not installed.
    Thread: any; `keys` and `want_keys` are called in it.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        algorithms: Sequence[str],
        user_claim: str,
        leeway_s: float,
        keys: Callable[[], Keys],
        want_keys: Callable[[], int | None],
    ) -> None:
        self._jwt = library()
        self._issuer = issuer
        self._audience = audience
        self._algorithms = [one for one in algorithms if one in KIND_OF_KEY]
        self._user_claim = user_claim
        self._leeway_s = leeway_s
        self._keys = keys
        self._want_keys = want_keys

    def read(self, token: str) -> Reading:
        """Return whose a token is, or why it is not good; never raises for what a token holds."""
        jwt = self._jwt
        if len(token) > JWT_CHARS_MAX or not token.isascii():
            return Reading("", "invalid")
        try:
            header = jwt.get_unverified_header(token)
            algorithm, kid = header.get("alg"), header.get("kid", "")
            if algorithm not in self._algorithms or "crit" in header:
                return Reading("", "invalid")
            kind, key = self._key(kid)
            if not kind:
                return Reading("", "unknown_key", self._want_keys())
            if kind != KIND_OF_KEY[algorithm]:
                return Reading("", "invalid")
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=self._leeway_s,
                options={"require": ["exp", "iss", "aud", self._user_claim]},
            )
        except jwt.ExpiredSignatureError:
            return Reading("", "expired")
        except (jwt.InvalidAudienceError, jwt.InvalidIssuerError):
            return Reading("", "elsewhere")
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError, OverflowError):
            return Reading("", "invalid")
        user = claims.get(self._user_claim)
        if not isinstance(user, str) or not is_name(user):
            return Reading("", "no_user")
        return Reading(user)

    def _key(self, kid: object) -> tuple[str, Any]:
        keys = self._keys()
        if kid == "" and len(keys) == 1:  # an issuer with one key need not name it
            return next(iter(keys.values()))
        return keys.get(kid, ("", None)) if isinstance(kid, str) else ("", None)


def parse_keys(text: bytes) -> Keys:
    """Return the keys of a JSON Web Key Set that can check signatures; others are passed over.

    Raises:
        ValueError: It is no such set, or too large.
        SettingsError: The library for it is not installed.
    """
    jwt = library()
    if len(text) > JWKS_BYTES_MAX:
        raise ValueError(f"a key set has at most {JWKS_BYTES_MAX} bytes")
    try:
        listed = msgspec.json.decode(text)["keys"]
        if not isinstance(listed, list) or len(listed) > JWKS_KEYS_MAX:
            raise ValueError(f"a key set is a list of at most {JWKS_KEYS_MAX} keys")
    except (msgspec.DecodeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("not a JSON Web Key Set") from error
    found: dict[str, tuple[str, Any]] = {}
    for one in listed:
        if not isinstance(one, dict) or one.get("kty") not in KIND_OF_KEY.values():
            continue
        if one.get("use", "sig") != "sig" or "d" in one:
            continue  # for encryption; or a private key, which nobody should have published
        try:
            key = jwt.PyJWK(one).key
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if one["kty"] == "RSA" and key.key_size < RSA_BITS_MIN:
            continue
        found[str(one.get("kid", ""))] = (one["kty"], key)
    return found


def library() -> Any:
    """Return the library that reads tokens.

    Raises:
        SettingsError: It is not installed.
    """
    try:
        import jwt
        import jwt.algorithms

        if not jwt.algorithms.has_crypto:
            raise ImportError("no cryptography")
    except ImportError as error:
        raise SettingsError(["auth.jwt: wants the extra `oidc` installed"]) from error
    return jwt
