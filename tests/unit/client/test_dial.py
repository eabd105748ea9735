"""An address says by which transport; what it may not hold is refused."""

from __future__ import annotations

import pytest
import zmq

from actorchat.client.curve import CurveIdentity
from actorchat.client.dealer import DealerLink
from actorchat.client.dial import OVER_TLS, SCHEMES, new_link, parse_address
from actorchat.client.link import Address


def test_addresses_name_their_transport() -> None:
    assert parse_address("tcp://127.0.0.1:7700") == Address("tcp", "127.0.0.1", 7700)
    assert parse_address("tls://[::1]:1/") == Address("tls", "::1", 1)
    assert parse_address("zmq://127.0.0.1:7702") == Address("zmq", "127.0.0.1", 7702)


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


async def test_keys_go_to_the_link_that_has_a_use_for_them() -> None:
    curve = CurveIdentity(*(key.decode() for key in zmq.curve_keypair()))
    for scheme in SCHEMES:
        link = new_link(scheme, lambda: None, lambda ops: None, lambda reason: None, curve)
        assert isinstance(link, DealerLink) == (scheme == "zmq")
        assert getattr(link, "_curve", None) == (curve if scheme == "zmq" else None)
