"""Each op has its place in a table, its bounds, and its words."""

from __future__ import annotations

import ast
import gc
from pathlib import Path

import msgspec
import pytest

from actorchat.limits import FRAME_BYTES_MAX
from actorchat.protocol import codec, ops
from actorchat.protocol.connection import Connection, Side, frame
from actorchat.protocol.ops import CLIENT_OPS, SERVER_OPS, Bye, Hello, History, Provision
from actorchat.protocol.ops.operator import Actors
from actorchat.protocol.ops.session import Failure, Reply

BOTH = [*CLIENT_OPS.items(), *SERVER_OPS.items()]
HELLO = {
    "op": "hello",
    "id": 1,
    "version": 1,
    "user": "ann",
    "device": "phone",
    "mech": "token",
    "secret": "x",
}


@pytest.mark.parametrize(("name", "op"), BOTH)
def test_an_op_is_found_by_its_wire_name(name: str, op: type[msgspec.Struct]) -> None:
    assert op.__struct_config__.tag == name
    assert op.__struct_config__.tag_field == "op"


@pytest.mark.parametrize(("name", "op"), BOTH)
def test_an_op_says_what_it_asks_and_is_no_work_for_the_collector(
    name: str, op: type[msgspec.Struct]
) -> None:
    assert op.__doc__
    assert not op.__struct_config__.gc


def test_a_hot_op_is_not_tracked() -> None:
    assert not gc.is_tracked(ops.Send(1, "bob", bytes(16), "hi"))


@pytest.mark.parametrize("name", ["a", "a.b-c_9", "0", "x" * 64])
def test_names_are_taken(name: str) -> None:
    assert msgspec.convert({**HELLO, "user": name}, Hello).user == name


@pytest.mark.parametrize("name", ["", "A", "a\n", "-a", "a-", ".", "ä", "a b", "x" * 65, "a/b"])
def test_what_is_no_name_is_refused(name: str) -> None:
    for field in ("user", "device"):
        with pytest.raises(msgspec.ValidationError, match=field):
            msgspec.convert({**HELLO, field: name}, Hello)
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"op": "provision", "id": 1, "user": "a", field: name}, Provision)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mech": "none"}, {"secret": "x" * 2_901}, {"agent": "x" * 129}, {"resume": -1},
        {"resume": 2**53}, {"version": -1}, {"version": True}, {"resume": 1.0},
    ],
)  # fmt: skip
def test_hello_is_bounded(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**HELLO, **wrong}, Hello)


def test_defaults_are_what_the_contract_says() -> None:
    hello = msgspec.convert(HELLO, Hello)
    assert (hello.resume, hello.agent) == (None, "")
    page = msgspec.convert({"op": "history", "id": 1, "conv": "bob"}, History)
    assert (page.after, page.before, page.limit) == (0, None, 50)


@pytest.mark.parametrize("limit", [0, 201])
def test_a_page_is_bounded(limit: int) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"op": "history", "id": 1, "conv": "bob", "limit": limit}, History)


@pytest.mark.parametrize(
    "wrong",
    [
        {"view": "all"}, {"by": "age"}, {"count": 0}, {"count": 51}, {"count": True},
        {"who": ""}, {"who": "x" * 257}, {"view": "info"},
    ],
)  # fmt: skip
def test_a_look_at_actors_is_bounded_and_info_names_one(wrong: dict[str, object]) -> None:
    asked = {"op": "actors", "id": 1, "view": "tree"}
    assert msgspec.convert(asked, Actors) == Actors(1, "tree", "queue", 10, None)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**asked, **wrong}, Actors)


FILE = {"hash": bytes(32), "size": 1, "type": "image/png", "name": "a.png"}
SEND = {"op": "send", "id": 1, "to": "bob", "cid": bytes(16), "body": ""}


@pytest.mark.parametrize(
    "wrong",
    [
        {"re": 0}, {"re": 2**53}, {"mentions": ["x"] * 65}, {"mentions": [""]}, {"kind": "poem"},
        {"kind": "file"}, {"files": [FILE]}, {"kind": "file", "files": [FILE] * 11},
        {"expires_s": 0}, {"expires_s": 7_776_001}, {"fwd": {"hops": 0}}, {"fwd": {"hops": 100}},
        {"kind": "file", "files": [{**FILE, "hash": bytes(31)}]},
        {"kind": "file", "files": [{**FILE, "size": -1}]},
        {"kind": "file", "files": [{**FILE, "type": "x" * 128}]},
        {"kind": "file", "files": [{**FILE, "name": "x" * 256}]},
        {"kind": "file", "files": [{**FILE, "name": ""}]},
    ],
)  # fmt: skip
def test_an_extra_is_bounded(wrong: dict[str, object]) -> None:
    good = {"re": 1, "mentions": ["bob"] * 64, "kind": "file", "files": [FILE] * 10}
    send = msgspec.convert({**SEND, "extra": good}, ops.Send)
    assert send.extra is not None
    assert len(send.extra.files) == 10
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**SEND, "extra": wrong}, ops.Send)


@pytest.mark.parametrize(
    "wrong",
    [
        {"op": "edit", "seq": 0, "body": "x"}, {"op": "edit", "seq": 1, "body": "x" * 65_537},
        {"op": "delete", "seqs": []}, {"op": "delete", "seqs": [1] * 101},
        {"op": "delete", "seqs": [0]}, {"op": "delete", "seqs": [1], "scope": "some"},
        {"op": "react", "seq": 1, "emoji": ""}, {"op": "react", "seq": 1, "emoji": "x" * 17},
        {"op": "react", "seq": 1, "emoji": "x", "on": 1},
    ],
)  # fmt: skip
def test_acts_are_bounded(wrong: dict[str, object]) -> None:
    asked = {"id": 1, "conv": "bob", "cid": bytes(16), **wrong}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(asked, CLIENT_OPS[str(wrong["op"])])


def test_a_hundred_thousand_mentions_are_no_frame() -> None:
    extra = {"mentions": ["x"] * 100_000}
    server = Connection(Side.SERVER, FRAME_BYTES_MAX)
    assert server.receive(frame(codec.encode({**SEND, "extra": extra}))) == []
    assert server.error is not None
    assert server.error.code == "bad_frame"


def test_a_reply_has_an_answer_or_a_failure_and_not_both() -> None:
    failure = Failure("busy", "", "now", "none")
    for ok, err in ((None, None), ({}, failure)):
        with pytest.raises(ValueError, match="either"):
            Reply(1, ok, err)


def test_a_client_takes_a_bye_whose_code_it_does_not_know() -> None:
    bye = msgspec.convert({"op": "bye", "code": "moved", "reconnect": "elsewhere"}, Bye)
    assert bye == Bye("moved", "elsewhere")


def test_ops_import_nothing_but_msgspec_and_the_ground_floor() -> None:
    ground = {"errors", "ids", "limits", "protocol.ops"}
    for path in Path(str(ops.__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("actorchat."):
                module = (node.module or "").removeprefix("actorchat.")
                assert any(module == it or module.startswith(f"{it}.") for it in ground), path
