"""What goes over the wire is what `config/protocol.cddl` says, and it says each op."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, get_args

import cbor2
import pycddl
import pytest
from hypothesis import given
from msgspec import Struct

from actorchat import limits
from actorchat.ids import NAME_PATTERN
from actorchat.protocol.codec import encode
from actorchat.protocol.ops import CLIENT_OPS, SERVER_OPS, ByeCode, MarkPush, Reply
from tests.property.strategies import client_ops, pages, records, server_ops
from tests.vectors.example import (
    CLIENT_EXAMPLES,
    EXAMPLES,
    FOLDER,
    RECORD_EXAMPLES,
    SERVER_EXAMPLES,
    vector,
)

CDDL = (Path(__file__).parents[2] / "config" / "protocol.cddl").read_text(encoding="utf-8")
OPS = [*CLIENT_OPS.values(), *SERVER_OPS.values(), Reply]


def rule_of(op: type[Struct]) -> str:
    """Return the name of the rule of `op`: MarkPush → mark-push."""
    return re.sub(r"(?<=.)([A-Z])", r"-\1", op.__name__).lower()


@cache
def _schema(rule: str) -> pycddl.Schema:
    return pycddl.Schema(f"start = {rule}\n{CDDL}")


def conforms(rule: str, payload: bytes) -> bool:
    """Say whether `payload` is what `rule` describes."""
    try:
        _schema(rule).validate_cbor(payload)
    except pycddl.ValidationError:
        return False
    return True


@pytest.mark.parametrize("op", OPS)
def test_each_op_has_a_rule_and_a_vector(op: type[Struct]) -> None:
    rule = rule_of(op)
    assert re.search(rf"^{rule} = ", CDDL, re.MULTILINE)
    assert any(example.rule == rule and type(example.op) is op for example in EXAMPLES.values())
    side = "client-op" if op in CLIENT_OPS.values() else "push" if op is not Reply else "server-op"
    (listed,) = re.findall(rf"^{side} = (.*)$", CDDL, re.MULTILINE)
    assert rule in listed.split(" / ")


def test_each_vector_has_an_example_and_each_example_a_vector() -> None:
    assert {path.stem for path in FOLDER.glob("*.hex")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_vector_conforms(name: str) -> None:
    assert conforms(EXAMPLES[name].rule, vector(name))


@pytest.mark.parametrize("name", [*CLIENT_EXAMPLES, *SERVER_EXAMPLES])
def test_a_vector_is_a_frame_of_its_side(name: str) -> None:
    side = "client-op" if name in CLIENT_EXAMPLES else "server-op"
    assert conforms(side, vector(name))
    assert conforms("frame", vector(name))


@pytest.mark.parametrize(
    "name", [name for name, example in SERVER_EXAMPLES.items() if example.answer_rule]
)
def test_an_answer_conforms_to_its_own_rule(name: str) -> None:
    rule = SERVER_EXAMPLES[name].answer_rule
    assert rule is not None
    assert conforms(rule, cbor2.dumps(cbor2.loads(vector(name))["ok"]))


@pytest.mark.parametrize("name", [*CLIENT_EXAMPLES, *RECORD_EXAMPLES, "msg", "mark-push", "bye"])
def test_a_vector_with_a_field_more_less_or_of_another_type_does_not_conform(name: str) -> None:
    rule = EXAMPLES[name].rule
    message: dict[str, Any] = cbor2.loads(vector(name))
    assert not conforms(rule, cbor2.dumps({**message, "colour": 1}))
    for field in message:
        assert not conforms(rule, cbor2.dumps({**message, field: 1.5})), field
        rest = {key: value for key, value in message.items() if key != field}
        is_optional = re.search(rf"^{rule} = \{{[^}}]*\? \"?{field}\"?:", CDDL, re.MULTILINE)
        assert conforms(rule, cbor2.dumps(rest)) is bool(is_optional), field


@given(client_ops)
def test_any_client_op_conforms(op: Struct) -> None:
    payload = encode(op)
    assert conforms(rule_of(type(op)), payload)
    assert conforms("client-op", payload)


@given(server_ops)
def test_any_server_op_conforms(op: Struct) -> None:
    payload = encode(op)
    assert conforms(rule_of(type(op)), payload)
    assert conforms("server-op", payload)


@given(records)
def test_any_record_conforms(record: Struct) -> None:
    assert conforms("record", encode(record))


@given(pages)
def test_each_record_of_a_page_conforms(page: dict[str, Any]) -> None:
    # pycddl 0.6.4 does not check the values of maps in a list, so they are checked one by one.
    assert conforms("page", encode(page))
    assert all(conforms("record", encode(record)) for record in page["events"])


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"request-id = 0..{limits.REQUEST_ID_MAX}\n" in CDDL
    assert re.search(rf"^position = 0\.\.{limits.POSITION_MAX} ", CDDL, re.MULTILINE)
    assert f"? limit: 1..{limits.HISTORY_PAGE_MESSAGES_MAX}," in CDDL
    assert f"? count: 1..{limits.ACTORS_SHOWN_MAX}," in CDDL
    lines, shown = limits.ACTOR_LINES_MAX, limits.ACTORS_SHOWN_MAX
    assert f"at most {lines} lines or {shown} of the others" in CDDL
    assert f"more than {limits.CBOR_DEPTH_MAX} levels or {limits.CBOR_ITEMS_MAX:,} items" in CDDL
    assert f'new-name = tstr .regexp "^{NAME_PATTERN.replace("(?:", "(")}$"' in CDDL
    assert f"message-body = tstr .size (0..{4 * limits.BODY_CHARS_MAX})" in CDDL
    assert f"version {limits.PROTOCOL_VERSION}." in CDDL


def test_the_codes_of_a_bye_are_those_of_the_code() -> None:
    (listed,) = re.findall(r'^  code: ("drain".*),$', CDDL, re.MULTILINE)
    assert tuple(code.strip('"') for code in listed.split(" / ")) == get_args(ByeCode)


def test_both_marks_have_their_own_rule() -> None:
    assert rule_of(MarkPush) == "mark-push"
    assert not conforms("mark", vector("mark-push"))
    assert not conforms("mark-push", vector("mark"))
