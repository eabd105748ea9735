"""An address says by which transport; what it may not hold is refused."""

from __future__ import annotations

import pytest

from actorchat.client.dial import OVER_TLS, SCHEMES, new_link, parse_address
from actorchat.client.link import Address


def test_addresses_name_their_transport() -> None:
    assert parse_address("tcp://127.0.0.1:7700") == Address("tcp", "127.0.0.1", 7700)
    assert parse_address("tls://[::1]:1/") == Address("tls", "::1", 1)


@pytest.mark.parametrize(
    "text", ["gopher://h:1", "tcp://:1", "tcp://h:0", "tcp://u@h:1", "h:1", "tcp://h:99999"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_address(text)


async def test_every_scheme_has_a_transport() -> None:
    assert set(SCHEMES) >= OVER_TLS
    for scheme in SCHEMES:
        assert new_link(scheme, lambda: None, lambda ops: None, lambda reason: None)
    with pytest.raises(ValueError):
        new_link("gopher", lambda: None, lambda ops: None, lambda reason: None)
