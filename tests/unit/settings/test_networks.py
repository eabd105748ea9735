"""Only the public internet is called, whatever way a private address is written."""

from __future__ import annotations

import pytest

from actorchat.settings.networks import may_call, parse_networks, parse_regions, region_of


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_called(address: str) -> None:
    assert may_call(address, ())


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",  # noqa: S104 (nobody listens there)
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:a9fe:a9fe",
        "::127.0.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12::1",
        "fec0::1",
        "ff02::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::a00:1",
        "2001:0:7f00:1::",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "",
    ],
)
def test_what_is_not_public_is_not_called(address: str) -> None:
    assert not may_call(address, ())


def test_networks_that_a_setting_names_are_called() -> None:
    networks = parse_networks("127.0.0.0/8  fd00::/8")
    for address in ("127.0.0.1", "::ffff:127.0.0.1", "fd00::1", "8.8.8.8"):
        assert may_call(address, networks)
    for address in ("10.0.0.1", "::1", "fe80::1", "2002:a00:1::1"):
        assert not may_call(address, networks)


@pytest.mark.parametrize("text", ["localhost", "10.0.0.1/8", "10.0.0.0/33"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"network|host bits|address"):
        parse_networks(text)


def test_region_is_that_of_the_narrowest_network() -> None:
    regions = parse_regions("us=10.0.0.0/8 eu=10.1.0.0/16 eu=fd00::/8")
    assert region_of("10.1.2.3", regions) == "eu"
    assert region_of("10.2.2.3", regions) == "us"
    assert region_of("::ffff:10.1.2.3", regions) == "eu"
    assert region_of("fd00::1%eth0", regions) == "eu"
    assert region_of("192.0.2.1", regions) == ""
    assert region_of("", regions) == ""


@pytest.mark.parametrize("text", ["eu", "=10.0.0.0/8", "eu=10.0.0.1/8", "E U=10.0.0.0/8"])
def test_what_names_no_regions_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_regions(text)
