"""A node with a certificate: the same talk over TLS, and nothing without."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.fault.node import ALARMS, Device, Node, Wire, hello, running, until

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def node(authority: trustme.CA, tmp_path: Path) -> Iterator[Node]:
    leaf = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    leaf.private_key_pem.write_to_path(key)
    for part in leaf.cert_chain_pems:
        part.write_to_path(certificate, append=True)
    settings: dict[str, object] = {
        "gateway.tcp.tls_cert": str(certificate),
        "gateway.tcp.tls_key": str(key),
        "limits.handshake_timeout_s": 1.0,
    }
    with running(tmp_path / "node", settings) as node:
        yield node
        assert node.stop() == 0
        words = node.words()
        assert not any(alarm in words for alarm in ALARMS), words


async def token_of(node: Node, trusting: ssl.SSLContext, user: str) -> str:
    wire = await Wire.open(node, trusting)
    assert "ok" in await wire.sign_in("operator", node.operator_key(), "operator")
    reply = await wire.ask({"op": "provision", "id": 1, "user": user, "device": "d"})
    await wire.close()
    return str(reply["ok"]["token"])


async def test_two_users_talk_over_tls(node: Node, trusting: ssl.SSLContext) -> None:
    ann = Device(node, "ann", await token_of(node, trusting, "ann"))
    bob = Device(node, "bob", await token_of(node, trusting, "bob"))
    await ann.sign_in(trusting)
    await bob.sign_in(trusting)
    body = "\u20ac" * 60_000  # longer than a TLS record, and than a read
    for number, text in enumerate(("hello", body)):
        reply = await ann.send("bob", text, number.to_bytes(16, "big"))
        assert reply["ok"]["seq"] == number + 1
    await until(lambda: len(bob.messages) == 2)
    assert [message["body"] for message in bob.messages] == ["hello", body]
    assert [record["body"] for record in await bob.history("ann")] == ["hello", body]
    await ann.leave()
    await bob.leave()


async def test_who_does_not_trust_the_certificate_sees_nothing(node: Node) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await Wire.open(node, ssl.create_default_context())


async def test_plain_bytes_get_no_answer_in_plain(node: Node, trusting: ssl.SSLContext) -> None:
    wire = await Wire.open(node)
    wire.write(hello("ann", "secret"))
    wire.writer.write(bytes(100))
    said = await wire.reader.read()
    assert b"err" not in said and b"unauthenticated" not in said
    await wire.close()
    silent = await Wire.open(node)
    assert await silent.rest() == []  # at the deadline of the handshake
    await silent.close()
    # And the next who does speak TLS is served.
    await token_of(node, trusting, "ann")
