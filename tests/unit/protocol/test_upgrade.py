"""An upgrade is granted to those who ask properly, and may; the others learn why not."""

from __future__ import annotations

import time

import pytest

from actorchat.protocol import upgrade
from actorchat.protocol.upgrade import ANY_ORIGIN, CBOR_PROTOCOL, Head, Request, UpgradeRefused

NONCE = b"the sample nonce"
FIELDS = {
    "Host": "chat.example.org:7701",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "x, actorchat.v1.json ,actorchat.v1.cbor",
}


def asked(line: str = "GET / HTTP/1.1", **changes: str | None) -> bytes:
    """Return a request; underscores in a name stand for hyphens, None leaves a field out."""
    fields = FIELDS | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join((line, *lines)).encode()


def status_of(head: bytes, *origins: str) -> int:
    with pytest.raises(UpgradeRefused) as caught:
        upgrade.read_request(head, origins)
    answer = upgrade.refusal(caught.value.status, str(caught.value))
    assert answer.startswith(b"HTTP/1.1 %d " % caught.value.status)
    assert b"\r\nConnection: close\r\n" in answer
    length = int(answer.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    assert len(answer.partition(b"\r\n\r\n")[2]) == length
    return caught.value.status


def test_example_of_the_rfc_is_granted() -> None:
    request = upgrade.read_request(asked(), ())
    protocols = ["x", "actorchat.v1.json", "actorchat.v1.cbor"]
    assert request == Request("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", protocols)
    granted = upgrade.grant(request.accept, "actorchat.v1.json").decode()
    assert granted.startswith("HTTP/1.1 101 ")
    assert "\r\nSec-WebSocket-Protocol: actorchat.v1.json\r\n" in granted
    assert "Protocol:" not in upgrade.grant(request.accept, None).decode()


def test_names_and_tokens_are_the_same_in_any_case() -> None:
    head = asked().lower().replace(b"get / http", b"GET / HTTP")
    head = head.replace(b"upgrade: websocket", b"UPGRADE:\tWebSocket  ")
    key = FIELDS["Sec-WebSocket-Key"]
    assert upgrade.read_request(head.replace(key.lower().encode(), key.encode()), ()).accept


def test_no_protocol_is_an_empty_list() -> None:
    head = asked(Sec_WebSocket_Protocol=None)
    assert upgrade.read_request(head, ()).protocols == []


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", 400),
        (b"hello", 400),
        (b"\x16\x03\x01\x02", 400),
        (asked("GET  / HTTP/1.1"), 400),
        (asked("GET / HTTP/1.1\n"), 400),
        (asked("GET / HTTP/1.0"), 505),
        (asked("GET / HTTP/2.0"), 505),
        (asked("POST / HTTP/1.1"), 405),
        (asked("GET /chat HTTP/1.1"), 404),
        (asked("GET /?token=1 HTTP/1.1"), 404),
        (asked("GET //evil/ HTTP/1.1"), 404),
        (asked(Host=None), 400),
        (asked() + b"\r\nhost: other", 400),
        (asked(Upgrade=None), 426),
        (asked(Upgrade="h2c"), 426),
        (asked(Connection="close"), 426),
        (asked(Sec_WebSocket_Version=None), 426),
        (asked(Sec_WebSocket_Version="8"), 426),
        (asked(Sec_WebSocket_Key=None), 400),
        (asked(Sec_WebSocket_Key="dGhl"), 400),
        (asked(Sec_WebSocket_Key="not base64 at all!!!!!!!"), 400),
        (asked(Sec_WebSocket_Key="é" * 24), 400),
        (asked() + b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 400),
        (asked(Content_Length="3"), 400),
        (asked(Transfer_Encoding="chunked"), 400),
        (asked(X="1\r\n folded"), 400),
        (asked(X="nul\x00"), 400),
        (asked(X="bare\rreturn"), 400),
        (asked() + b"\r\nno colon", 400),
        (asked() + b"\r\nspace : x", 400),
        (asked() + b"\r\n: x", 400),
    ],
)
def test_what_is_no_proper_request_is_refused(head: bytes, status: int) -> None:
    assert status_of(head) == status


@pytest.mark.parametrize(
    "origin", [None, "http://chat.example.org:7701", "HTTPS://CHAT.example.org:7701"]
)
def test_programs_and_pages_of_the_same_host_may_connect(origin: str | None) -> None:
    assert upgrade.read_request(asked(Origin=origin), ())


def test_default_port_need_not_be_said() -> None:
    assert upgrade.read_request(asked(Host="a.org", Origin="https://a.org"), ())
    assert upgrade.read_request(asked(Host="a.org:443", Origin="https://a.org"), ())
    assert upgrade.read_request(asked(Host="[::1]:80", Origin="http://[::1]"), ())


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.example",
        "http://chat.example.org",  # another port
        "http://chat.example.org.evil.example:7701",
        "http://evil.example/chat.example.org:7701",
        "http://chat.example.org:7701@evil.example",
        "file://",
        "http://[::1",
        "http://chat.example.org:99999999",
        "ftp://chat.example.org:7701",
        " ",
    ],
)
def test_pages_of_other_hosts_may_not(origin: str) -> None:
    if origin.strip():
        assert status_of(asked(Origin=origin)) == 403
        assert status_of(asked(Origin=origin), "https://good.example") == 403
        assert upgrade.read_request(asked(Origin=origin), (ANY_ORIGIN,))
    else:
        assert upgrade.read_request(asked(Origin=origin), ())  # as good as none


def test_pages_of_listed_origins_may_connect() -> None:
    origins = ("https://good.example", "app://chat")
    assert upgrade.read_request(asked(Origin="https://good.example"), origins)
    assert upgrade.read_request(asked(Origin="https://good.example:443"), origins)
    assert upgrade.read_request(asked(Origin="app://chat"), origins)
    assert status_of(asked(Origin="http://good.example"), *origins) == 403


@pytest.mark.parametrize("text", ["", "a.org", "https://", "https://a/b", "https://a?b", "//a"])
def test_what_is_no_origin_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match="expected scheme://host"):
        upgrade.parse_origin(text)


def test_head_in_pieces_is_whole_at_its_end() -> None:
    for size in (1, 2, 3, 1000):
        head = Head(1000)
        stream = b"GET / HTTP/1.1\r\nHost: x\r\n\r\nrest"
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        got = [whole for piece in pieces if (whole := head.feed(piece))]
        assert got[0][0] == b"GET / HTTP/1.1\r\nHost: x"
        assert b"rest".startswith(got[0][1])


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_long_head_is_refused(end: bytes) -> None:
    head = Head(100)
    assert head.feed(b"x" * 100) is None
    with pytest.raises(UpgradeRefused) as caught:
        head.feed(b"x" + end)
    assert caught.value.status == 431


def test_head_of_nothing_but_spaces_and_commas_costs_little() -> None:
    head = asked(X=" \t" * 4000, Sec_WebSocket_Protocol=" ," * 2000 + " " * 4000 + "x")
    start = time.process_time()
    assert upgrade.read_request(head, ()).protocols == ["x"]
    assert time.process_time() - start < 0.05


def test_clients_request_is_one_that_a_server_grants() -> None:
    head = upgrade.request("::1", 7701, CBOR_PROTOCOL, NONCE).removesuffix(b"\r\n\r\n")
    assert b"\r\nHost: [::1]:7701\r\n" in head
    request = upgrade.read_request(head, ())
    answer = upgrade.grant(request.accept, CBOR_PROTOCOL).removesuffix(b"\r\n\r\n")
    upgrade.check_answer(answer, CBOR_PROTOCOL, NONCE)
    assert b"Host: xn--bcher-kva.example:1\r\n" in upgrade.request("bücher.example", 1, "x", NONCE)


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        (b"101", b"403", "status 403"),
        (b"HTTP/1.1", b"SSH-2.0", "no HTTP"),
        (b"Upgrade: websocket", b"Upgrade: h2c", "something else"),
        (b"Connection: Upgrade", b"Connection: close", "something else"),
        (b"Accept: ", b"Accept: x", "not to this request"),
        (b"Sec-WebSocket-Accept", b"X", "once"),
        (b"Protocol: actorchat.v1.cbor", b"Protocol: x", "does not speak"),
        (b"Sec-WebSocket-Protocol", b"X", "does not speak"),
        (b"Upgrade: ", b"Sec-WebSocket-Extensions: x\r\nUpgrade: ", "extension"),
    ],
)
def test_answer_that_grants_something_else_is_refused(
    was: bytes, becomes: bytes, said: str
) -> None:
    answer = upgrade.grant("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", CBOR_PROTOCOL).removesuffix(b"\r\n\r\n")
    upgrade.check_answer(answer, CBOR_PROTOCOL, NONCE)
    with pytest.raises(UpgradeRefused, match=said):
        upgrade.check_answer(answer.replace(was, becomes, 1), CBOR_PROTOCOL, NONCE)
