from __future__ import annotations

import pytest

from actorchat.errors import SettingsError
from actorchat.settings import load, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:7700", ("127.0.0.1", 7700)),
        ("chat.example.org:0", ("chat.example.org", 0)),
        ("[::1]:65535", ("::1", 65_535)),
    ],
)
def test_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "7700", ":7700", "host", "host:", "host:-1", "::1:7700"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="got"):
        parse_address(text)


@pytest.mark.parametrize("port", ["65536", "٣", "0x10", "1.5"])
def test_what_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(ValueError, match="port"):
        parse_address(f"host:{port}")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"gateway.tcp.listen": "7700"}, "gateway.tcp.listen: expected host:port"),
        ({"gateway.tcp.tls_cert": "a.pem"}, "give both or neither"),
        ({"gateway.tcp.tls_key": "a.key"}, "give both or neither"),
        ({"gateway.ws.listen": "7701"}, "gateway.ws.listen: expected host:port"),
        ({"gateway.ws.tls_cert": "a.pem"}, "give both or neither"),
        ({"gateway.ws.origins": "* a.org"}, "gateway.ws.origins: expected * or scheme://host"),
        ({"gateway.ws.origins": "https://a.org/"}, "got 'https://a.org/'"),
        ({"gateway.ws.origins": "https://A.org"}, "got 'https://A.org'"),
        ({"gateway.http.listen": "7780"}, "gateway.http.listen: expected host:port"),
        ({"gateway.http.tls_cert": "a.pem"}, "give both or neither"),
        ({"gateway.zmq.listen": "7702"}, "gateway.zmq.listen: expected host:port"),
        ({"gateway.zmq.secret_key_file": "s"}, "give both or neither"),
        ({"gateway.zmq.clients_file": "c"}, "give both or neither"),
        (
            {"gateway.http.metrics_listen": "7790"},
            "gateway.http.metrics_listen: expected host:port",
        ),
        (
            {"gateway.http.listen": "h:1", "gateway.http.metrics_listen": "h:1"},
            "the same as gateway.http.listen",
        ),
        ({"gateway.http.poll_wait_s": 80}, "must not exceed limits.idle_timeout_s"),
        ({"auth.jwt.algorithms": "RS256 HS256"}, "asymmetric ones of the list, got HS256"),
        ({"auth.jwt.algorithms": "none"}, "got none"),
        ({"auth.jwt.algorithms": ""}, "got none"),
        ({"auth.jwt.jwks": "keys.json"}, "wants auth.jwt.issuer and auth.jwt.audience"),
        (
            {
                "auth.jwt.jwks": "http://idp.example/keys",
                "auth.jwt.issuer": "i",
                "auth.jwt.audience": "a",
            },
            "expected https://",
        ),
        ({"hooks.networks": "localhost"}, "hooks.networks: "),
        ({"limits.idle_timeout_s": 25}, "limits.idle_timeout_s: must exceed the 25 s"),
        ({"auth.argon2_memory_kib": 8, "auth.argon2_parallelism": 2}, "at least 8 times"),
        ({"store.write_buffer_total_bytes": 1_048_576}, "must not be less than"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    overrides: dict[str, object], said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, {}, overrides)
    (problem,) = caught.value.problems
    assert said in problem


def test_certificate_with_its_key_is_accepted() -> None:
    tls: dict[str, object] = {"gateway.tcp.tls_cert": "a.pem", "gateway.tcp.tls_key": "a.key"}
    assert load(None, {}, tls).gateway.tcp.tls_key == "a.key"


def test_origins_are_a_list_in_one_text() -> None:
    text = "https://a.org http://[::1]:8080  app://chat"
    assert load(None, {}, {"gateway.ws.origins": text}).gateway.ws.origins == text
    assert load(None, {}, {"gateway.ws.origins": "*"}).gateway.ws.origins == "*"
