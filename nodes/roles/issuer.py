"""Knows how the reader of an identity provider's tokens is put together from settings.
Must not know tokens.
"""

from __future__ import annotations

import asyncio

from actorchat.broker.bearer import BearerReader
from actorchat.settings.networks import parse_networks
from actorchat.settings.schema import JwtSettings
from nodes.roles.keyset import Keyset
from nodes.roles.outside import Outside

FETCH_TIMEOUT_S = 10.0
# The operator's own settings name the provider, which may well be on a private network.
ANYWHERE = parse_networks("0.0.0.0/0 ::/0")


def make_token_reader(jwt: JwtSettings) -> tuple[Keyset | None, BearerReader | None]:
    """Return the keys, which are to be started, and the reader; None where no tokens are taken.

    Raises:
        SettingsError: The library for it is not installed.
    """
    if not jwt.jwks:
        return None, None
    outside = Outside(ANYWHERE, FETCH_TIMEOUT_S)
    keyset = Keyset(jwt.jwks, outside, asyncio.get_running_loop().time)
    reader = BearerReader(
        jwt.issuer,
        jwt.audience,
        jwt.algorithms.split(),
        jwt.user_claim,
        jwt.leeway_s,
        keyset.keys,
        keyset.want,
    )
    return keyset, reader
