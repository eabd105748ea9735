"""The JSON form says what CBOR says, and refuses what is not strict."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest

from actorchat.errors import MalformedFrame
from actorchat.limits import FRAME_BYTES_MAX, POSITION_MAX
from actorchat.protocol import codec, jsontext
from actorchat.protocol.connection import Connection, Side
from actorchat.protocol.ops import CLIENT_OPS, Invalid
from tests.vectors.example import (
    CID,
    CLIENT_EXAMPLES,
    FOLDER,
    JSON_EXAMPLES,
    json_vector,
    vector,
)

CID_TEXT = "AAECAwQFBgcICQoLDA0ODw"

HOSTILE = {
    "nothing": b"",
    "no map": b"0",
    "a list": b"[]",
    "two maps": b"{}{}",
    "a mark": b"\xef\xbb\xbf{}",
    "not UTF-8": b'{"a":"\xff"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "a lone high surrogate": rb'{"a":"\ud800"}',
    "a high surrogate before a letter": rb'{"a":"\ud800\u0041"}',
    "a lone low surrogate": rb'{"a":"\udc00"}',
    "a surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "NaN": b'{"a":NaN}',
    "infinity": b'{"a":Infinity}',
    "a number that is none": b'{"a":01}',
    "a number out of range": b'{"a":1e999}',
    "a control character": b'{"a":"\x01"}',
    "a comment": b"{/* */}",
    "a comma too many": b'{"a":1,}',
    "single quotes": b"{'a':1}",
    "a key twice": b'{"a":1,"a":1}',
    "a key twice, once escaped": rb'{"a":1,"\u0061":2}',
    "a key twice, deep down": b'{"a":[{"b":{"c":1,"c":2}}]}',
    "nine levels": b'{"a":' + b"[" * 8 + b"1" + b"]" * 8 + b"}",
    "a thousand levels": b'{"a":' + b"[" * 1_000,
    "a long frame of brackets": b"[" * FRAME_BYTES_MAX,
    "a long frame of empty maps": b'{"a":[' + b"{}," * 87_000 + b"{}]}",
    "a long frame of keys": b"{" + b",".join(b'"%x":0' % n for n in range(20_000)) + b"}",
    "a string that does not end": b'{"a":"' + b"x" * 250_000,
    "escapes that do not end": b'{"a":"' + b'\\"' * 125_000,
    "a backslash at the end": b'{"a":"x\\',
    "quotes": b'"' * FRAME_BYTES_MAX,
    "backslashes": b"\\" * FRAME_BYTES_MAX,
    "digits": b'{"a":' + b"9" * 250_000 + b"}",
    "spaces": b" " * FRAME_BYTES_MAX,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_not_strict_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedFrame):
        jsontext.decode(text)


def _refusal_s(text: bytes) -> float:
    start = time.perf_counter()
    with pytest.raises(MalformedFrame):
        jsontext.decode(text)
    return time.perf_counter() - start


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_text_costs_a_few_milliseconds_at_most(text: bytes) -> None:
    assert min(_refusal_s(text) for _ in range(5)) < 0.005


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_text_builds_nothing_large(text: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(MalformedFrame):
            jsontext.decode(text)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2 * len(text) + 524_288


def test_eight_levels_are_taken() -> None:
    assert jsontext.decode(b'{"a":[[[[[[[1]]]]]]]}') == {"a": [[[[[[[1]]]]]]]}


def test_brackets_colons_and_commas_in_strings_are_text() -> None:
    text = rb'{"a":"[[[[[[[[[[[{{{:,:,\"\\","b":"\\"}'
    assert jsontext.decode(text) == {"a": '[[[[[[[[[[[{{{:,:,"\\', "b": "\\"}


def test_white_space_is_free() -> None:
    assert jsontext.decode(b' {\n"a" :\t1 }\r\n') == {"a": 1}


@pytest.mark.parametrize("name", JSON_EXAMPLES)
def test_a_golden_text_is_what_its_golden_frame_says(name: str) -> None:
    text = json_vector(name)
    assert jsontext.encode(JSON_EXAMPLES[name].op) == text
    assert jsontext.transcode(vector(name)) == text
    assert jsontext.decode(text) == codec.decode(vector(name))


@pytest.mark.parametrize("name", [name for name in CLIENT_EXAMPLES if name in JSON_EXAMPLES])
def test_a_server_takes_each_golden_text(name: str) -> None:
    server = Connection(Side.SERVER, FRAME_BYTES_MAX, jsontext.decode)
    assert server.receive_payload(json_vector(name)) == CLIENT_EXAMPLES[name].op


def test_each_example_has_a_golden_text_and_each_text_an_example() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(JSON_EXAMPLES)
    assert {type(example.op) for example in JSON_EXAMPLES.values()} > set(CLIENT_OPS.values())


@pytest.mark.parametrize(
    "cid",
    [
        CID_TEXT + "==",  # padded
        "AAECAwQFBgcICQoLDA0OD_",  # bits behind the last byte
        "++ECAwQFBgcICQoLDA0ODw",  # the other base64
        "AAECAwQFBgcICQoLDA0O",  # 15 bytes
        CID_TEXT + "A",  # no length that base64 has
        "AAECAwQFBgcICQoLDA0Oä",
        "",
    ],
)
def test_a_cid_has_one_form(cid: str) -> None:
    server = Connection(Side.SERVER, FRAME_BYTES_MAX, jsontext.decode)
    message = {"op": "send", "id": 3, "to": "bob", "cid": cid, "body": ""}
    refused = server.receive_payload(jsontext.encode(message))
    assert isinstance(refused, Invalid)
    assert (refused.id, refused.code) == (3, "bad_request")
    assert "`$.cid`" in refused.reason


@pytest.mark.parametrize("upd", [b"1.0", b"1e3", b'"1"', b"true", b"-1", b"9007199254740992"])
def test_a_position_is_a_whole_number_that_a_double_holds(upd: bytes) -> None:
    server = Connection(Side.SERVER, FRAME_BYTES_MAX, jsontext.decode)
    assert isinstance(server.receive_payload(b'{"op":"ack","upd":' + upd + b"}"), Invalid)


def test_what_json_has_no_exact_form_for_is_text() -> None:
    value = {
        "least": -POSITION_MAX,
        "most": POSITION_MAX,
        "less": -POSITION_MAX - 1,
        "more": 2**64,
        "bytes": [CID, b""],
        "flag": True,
    }
    assert jsontext.decode(jsontext.encode(value)) == value | {
        "less": "-9007199254740992",
        "more": "18446744073709551616",
        "bytes": [CID_TEXT, ""],
    }


def test_bytes_come_back_where_ops_have_them_and_text_stays_elsewhere() -> None:
    record: dict[str, Any] = {"cid": CID_TEXT, "body": CID_TEXT}
    message = {"op": "x", "cid": CID_TEXT, "msg": record, "ok": {"events": [record, 1]}}
    found = {"cid": CID, "body": CID_TEXT}
    assert jsontext.decode(jsontext.encode(message)) == {
        "op": "x", "cid": CID, "msg": found, "ok": {"events": [found, 1]},
    }  # fmt: skip
    assert jsontext.decode(b'{"msg":1,"ok":{"events":{}},"cid":2}')["cid"] == 2


def test_a_lone_surrogate_can_not_be_sent() -> None:
    with pytest.raises(UnicodeEncodeError):
        jsontext.encode({"a": "\ud800"})
