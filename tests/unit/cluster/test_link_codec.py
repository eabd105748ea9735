"""Only what is allowed crosses; types are checked on the way in; errors and reasons keep sense."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorchat.actor import Crash, Escalated, Ref
from actorchat.cluster.link_codec import MessageCodec, Reference
from actorchat.errors import (
    ActorchatError,
    ActorDead,
    MailboxFull,
    MalformedFrame,
    RemoteError,
    StaleEpoch,
    Unsendable,
)
from actorchat.limits import LINK_MESSAGE_BYTES_MAX


class Stand(Reference):
    """A ref of these tests."""

    def __init__(self, name: bytes) -> None:
        self.name = name


class Inner(msgspec.Struct):
    number: int


class Letter(msgspec.Struct, gc=False):
    text: str
    back: Ref | None = None
    others: list[Ref] = msgspec.field(default_factory=list)
    inner: Inner | None = None
    pair: tuple[str, str] | str = ""


class Old(msgspec.Struct):
    """A letter before it had anything else."""

    text: str


class New(msgspec.Struct):
    """A letter that learnt something more."""

    text: str
    back: Ref | None = None
    others: list[Ref] = []
    inner: Inner | None = None
    pair: tuple[str, str] | str = ""
    more: int = 3


class Wrong(msgspec.Struct):
    text: int
    back: str = "a name is no ref"


def pack(ref: Any) -> bytes:
    if not isinstance(ref, Stand):
        raise TypeError("no ref")
    return ref.name


def codec(cls: type[msgspec.Struct] = Letter) -> MessageCodec:
    made = MessageCodec(pack, Stand)
    made.allow(64, cls)
    return made


@given(st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text() | st.binary())
def test_plain_values_cross_as_they_are(value: Any) -> None:
    both = codec()
    found = both.decode(*both.encode(value))
    assert (found, type(found)) == (value, type(value))


def test_struct_crosses_with_its_refs_and_what_is_in_it() -> None:
    both = codec()
    sent = Letter("hi", Stand(b"1"), [Stand(b"2"), Stand(b"3")], Inner(4), ("a", "b"))
    found = both.decode(*both.encode(sent))
    assert type(found) is Letter
    assert found.back.name == b"1"
    assert [ref.name for ref in found.others] == [b"2", b"3"]
    assert (found.text, found.inner, found.pair) == ("hi", Inner(4), ("a", "b"))


@pytest.mark.parametrize(
    "message", [object(), ["list"], {"a": 1}, ("tuple",), Inner(1), 2**70, "\ud800", print]
)
def test_what_is_not_allowed_is_not_sent(message: object) -> None:
    with pytest.raises(Unsendable):
        codec().encode(message)


def test_struct_with_what_cannot_cross_is_not_sent() -> None:
    with pytest.raises(Unsendable):
        codec().encode(Letter("x", back=object()))  # type: ignore[arg-type]


def test_message_that_is_too_long_is_not_sent() -> None:
    with pytest.raises(Unsendable):
        codec().encode(bytes(LINK_MESSAGE_BYTES_MAX))


def test_unknown_code_is_refused() -> None:
    with pytest.raises(Unsendable):
        codec().decode(65, b"\x90")


def test_wrong_types_are_refused_on_the_way_in() -> None:
    for wrong in (Wrong(1), Wrong(1, "x")):
        code, payload = codec(Wrong).encode(wrong)
        with pytest.raises(MalformedFrame):
            codec().decode(code, payload)
    code, payload = codec(Wrong).encode(Wrong("text"))  # type: ignore[arg-type]
    with pytest.raises(MalformedFrame):  # a text where a ref belongs
        codec().decode(code, payload)


@given(st.integers(0, 65), st.binary(max_size=100))
def test_garbage_is_refused_and_never_more_than_that(code: int, payload: bytes) -> None:
    both = codec()
    for decode in (lambda: both.decode(code, payload), lambda: both.decode_reason(payload)):
        try:
            decode()
        except (MalformedFrame, Unsendable):
            pass


@pytest.mark.parametrize("payload", [b"\x91" * 100_000, b"\xdd\xff\xff\xff\xff", b"\xc6\xff"])
def test_payload_that_promises_much_is_refused(payload: bytes) -> None:
    for code in (0, 64):
        with pytest.raises(MalformedFrame):
            codec().decode(code, payload)


def test_older_and_newer_programs_understand_each_other() -> None:
    assert codec().decode(*codec(Old).encode(Old("hi"))) == Letter("hi")
    assert codec().decode(*codec(New).encode(New("hi", more=9))) == Letter("hi")
    assert codec(New).decode(*codec().encode(Letter("hi"))) == New("hi")


def test_codes_and_classes_are_given_once() -> None:
    both = codec()
    for code, cls in ((64, Inner), (65, Letter), (0, Inner), (70_000, Inner)):
        with pytest.raises(ValueError, match="taken"):
            both.allow(code, cls)


def test_reasons_keep_their_sense() -> None:
    both = codec()

    def crossed(reason: object) -> Any:
        return both.decode_reason(both.encode_reason(reason))

    assert crossed("shutdown") == "shutdown"
    crash = crossed(Crash.of(ZeroDivisionError("oops")))
    assert isinstance(crash, Crash)
    assert isinstance(crash.error, RemoteError)
    assert (crash.error.kind, str(crash.error)) == ("ZeroDivisionError", "oops")
    assert "ZeroDivisionError" in crash.traceback
    assert crossed(crash).error.kind == "ZeroDivisionError"  # over a second node too
    escalated = crossed(Escalated("store", Crash.of(OSError("disk"))))
    assert escalated.child == "store"
    assert escalated.cause.error.kind == "OSError"
    assert crossed(42) == "42"
    assert crossed("\ud800") == "?"


@pytest.mark.parametrize("error", [MailboxFull("full"), StaleEpoch("old")])
def test_errors_of_the_runtime_come_as_themselves(error: ActorchatError) -> None:
    both = codec()
    found = both.decode_error(both.encode_error(error))
    assert (type(found), str(found)) == (type(error), str(error))


def test_dead_actor_comes_with_its_reason_and_other_errors_as_text() -> None:
    both = codec()
    dead = both.decode_error(both.encode_error(ActorDead("gone", "shutdown")))
    assert isinstance(dead, ActorDead)
    assert dead.reason == "shutdown"
    other = both.decode_error(both.encode_error(KeyError("who")))
    assert isinstance(other, RemoteError)
    assert other.kind == "KeyError"
    with pytest.raises(MalformedFrame):
        both.decode_error(b"\x01")


class Sealed(msgspec.Struct, gc=False):
    """A message with a field that can't cross."""

    number: int
    inside: object = None


class SealedTwin(msgspec.Struct, gc=False):
    number: int
    more: int = 0

    @classmethod
    def of(cls, sealed: Sealed) -> SealedTwin:
        if sealed.inside is not None:
            raise TypeError("sealed")
        return cls(sealed.number)

    def back(self) -> Sealed:
        return Sealed(self.number + self.more)


def test_a_message_crosses_as_its_twin() -> None:
    codec = MessageCodec(lambda _ref: b"", lambda _packed: None)
    codec.allow(70, Sealed, SealedTwin)
    code, payload = codec.encode(Sealed(5))
    assert (code, codec.decode(code, payload)) == (70, Sealed(5))
    assert codec.decode(70, msgspec.msgpack.encode((5,))) == Sealed(5)  # of before `more`
    assert codec.decode(70, msgspec.msgpack.encode((5, 1))) == Sealed(6)
    with pytest.raises(Unsendable):
        codec.encode(Sealed(5, "inside"))
    with pytest.raises(ValueError, match="taken"):
        codec.allow(71, Sealed)
    with pytest.raises(MalformedFrame):
        codec.decode(70, msgspec.msgpack.encode(("five",)))
