"""A recording is read as it was said, and every person gets a user of their own."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorchat.ids import is_name
from nodes.replay import traffic
from nodes.replay.traffic import BadTraffic, Line


def write(path: Path, *said: object) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in said), encoding="utf-8")
    return path


def message(**fields: str) -> dict[str, str]:
    return {"from": "ann", "to": "bob", "text": "hi", "at": "?", "country": "?"} | fields


def test_messages_keep_the_order_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", message(text="one"), message(text="two"), message(to="ann"))
    read = traffic.read(path)
    assert read.lines == [
        Line("ann", "bob", "one"),
        Line("ann", "bob", "two"),
        Line("ann", "ann", "hi"),
    ]
    assert read.people == {"ann", "bob"}
    assert read.senders == {"ann"}
    assert read.recipients == {"ann", "bob"}
    assert read.conversations == {("ann", "bob"), ("ann", "ann")}


def test_both_directions_are_one_conversation(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", message(), message(**{"from": "bob", "to": "ann"}))
    assert traffic.read(path).conversations == {("ann", "bob")}


def test_gzipped_and_plain_files_read_the_same(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.jsonl", message(text="ünïcode 🙂"), message())
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert traffic.read(packed) == traffic.read(plain)


def test_a_limit_takes_the_first_messages(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", message(text="1"), message(text="2"), message(text="3"))
    assert [line.text for line in traffic.read(path, 2).lines] == ["1", "2"]


def test_names_that_no_user_can_have_are_played_by_others(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", message(**{"from": "Ann Lee", "to": "ann"}))
    (line,) = traffic.read(path).lines
    assert is_name(line.sender)
    assert traffic.person_name(line.sender) == "Ann Lee"
    assert line.to == "ann"


@given(st.text(min_size=1, max_size=9))
def test_the_naming_rule_can_be_turned_round(person: str) -> None:
    user = traffic.user_name(person)
    assert is_name(user)
    assert traffic.person_name(user) == person


def test_a_name_that_looks_escaped_is_escaped() -> None:
    taken = traffic.user_name("Ann")
    assert traffic.user_name(taken) != taken
    assert traffic.person_name(traffic.user_name(taken)) == taken


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "expected an object"),
        (message() | {"text": 7}, "'text'"),
        ({"from": "ann", "text": "hi"}, "'to'"),
        (message(to=""), "empty or too long"),
        (message(to="Ä" * 40), "empty or too long"),
        (message(text="x" * 65_537), "65537 characters"),
        (message(text="\ud800"), "surrogate"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, said: object, words: str) -> None:
    path = write(tmp_path / "a.jsonl", message(), said)
    with pytest.raises(BadTraffic, match=words) as caught:
        traffic.read(path)
    assert f"{path}:2: " in str(caught.value)


def test_what_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n{", encoding="utf-8")
    with pytest.raises(BadTraffic, match=r"a\.jsonl:2: "):
        traffic.read(path)


def test_an_empty_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(BadTraffic, match="no message"):
        traffic.read(path)


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(message()).encode())[:-9])
    with pytest.raises(BadTraffic):
        traffic.read(path)
