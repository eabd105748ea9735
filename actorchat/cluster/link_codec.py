"""Knows which messages may cross to other nodes, and their bytes. Must not know sockets or links.

An allow-list: a message is a plain value, or a Struct whose type has a code here. A Struct crosses
as a list of its fields, so that fields can be added at the end if they have defaults; types are
checked on the way in. Refs inside, where the annotation is a Protocol or a ref's class, become
what reaches the same actor from there.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from functools import reduce
from operator import or_
from types import NoneType, UnionType
from typing import Any, Final, Protocol, Union, cast, get_args, get_origin

import msgspec

from actorchat.actor import Crash, Escalated, LocalRef
from actorchat.actor.reason import NOPROC
from actorchat.cluster.link_frame import is_sendable
from actorchat.errors import (
    ActorchatError,
    ActorDead,
    CallTimeout,
    MailboxFull,
    MalformedFrame,
    Overloaded,
    RemoteError,
    StaleEpoch,
    StashFull,
    StoreBusy,
    StoreClosed,
    StoreFull,
    Unsendable,
)
from actorchat.limits import TRACEBACK_CHARS_MAX

PLAIN: Final = 0  # the code of None, bool, int, float, str, bytes
CODE_MAX: Final = 0xFFFF
REF_EXTENSION: Final = 1
_PLAIN_TYPES = frozenset({NoneType, bool, int, float, str, bytes})
_BAD = (msgspec.DecodeError, ValueError, TypeError, RecursionError)
# Errors that are made anew there from their text; all others come as `RemoteError`.
_ERRORS: dict[str, Callable[[str], ActorchatError]] = {
    cls.__name__: cls
    for cls in (
        CallTimeout,
        MailboxFull,
        Overloaded,
        StaleEpoch,
        StashFull,
        StoreBusy,
        StoreClosed,
        StoreFull,
    )
}


class Reference(ABC):  # noqa: B024  # a set of classes, not a contract
    """Whatever stands for an actor in a message."""


Reference.register(LocalRef)


class _Ended(msgspec.Struct, array_like=True):
    """A reason, or an error with one: `kind` says of what class it was."""

    kind: str
    text: str
    detail: str = ""
    cause: _Ended | None = None


class Twin(Protocol):
    """What a message crosses as that can't cross as it is: a Struct that can."""

    @classmethod
    def of(cls, message: Any) -> Any:
        """Make the twin of a message; raises TypeError for what must not cross."""

    def back(self) -> Any:
        """Make the message."""


class MessageCodec:
    """Encodes messages, and decodes those of types that it knows. Safe from any thread.

    Args:
        pack_ref: Returns the bytes of a ref; raises TypeError if it is none.
        find_ref: Returns the ref of such bytes; raises ValueError.
    """

    def __init__(
        self, pack_ref: Callable[[Any], bytes], find_ref: Callable[[bytes], object]
    ) -> None:
        self._pack_ref = pack_ref
        self._find_ref = find_ref
        self._encode = msgspec.msgpack.Encoder(enc_hook=self._to_extension).encode
        self._codes: dict[type, int] = {}
        self._twins: dict[type, tuple[int, Callable[[Any], Any]]] = {}
        self._decoders: dict[int, Callable[[bytes], Any]] = {}
        # Quicker by a third, for the very fields that this program knows.
        self._exact: dict[int, tuple[Callable[[bytes], Any], Callable[..., Any]]] = {}
        self._classes: dict[int, Callable[..., Any]] = {}
        self._plain = msgspec.msgpack.Decoder().decode
        self._ended = msgspec.msgpack.Decoder(_Ended).decode

    def allow(self, code: int, cls: type[msgspec.Struct], twin: type[Any] | None = None) -> None:
        """Let messages of `cls` cross under `code`, which is the same on all nodes for ever.

        They cross as a `Twin`, if one is given.

        Raises:
            ValueError: The code or the class is taken, or the code is none.
            TypeError: A field is of a type that can't be decoded.
        """
        if not PLAIN < code <= CODE_MAX or code in self._classes or self._is_known(cls):
            raise ValueError(f"{code} for {cls.__name__}: out of bounds, or one of them is taken")
        fields: list[Any] = []
        kinds: list[Any] = []
        made: Callable[..., Any] = cls
        if twin is not None:
            made = lambda *values: twin(*values).back()  # noqa: E731
        for field in msgspec.structs.fields(cls if twin is None else twin):
            # A list of the fields as they stand, in a Struct: defaults are filled in.
            default: Any = field.default
            if default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
                default = msgspec.field(default_factory=cast(Any, field.default_factory))
            kind = _with_references(field.type)
            kinds.append(kind)
            fields.append((field.name, kind, default)[: 2 if default is msgspec.NODEFAULT else 3])
        listed = msgspec.defstruct(cls.__name__, fields, array_like=True, gc=False)
        decoder = msgspec.msgpack.Decoder(listed, ext_hook=self._from_extension)
        self._decoders[code] = cast(Callable[[bytes], Any], decoder.decode)
        exact: Any = msgspec.msgpack.Decoder(
            cast(Any, tuple)[tuple(kinds)], ext_hook=self._from_extension
        )
        self._exact[code] = exact.decode, made
        self._classes[code] = made
        if twin is None:
            self._codes[cls] = code
        else:
            self._twins[cls] = code, twin.of

    def _is_known(self, cls: type) -> bool:
        return cls in self._codes or cls in self._twins

    def encode(self, message: object) -> tuple[int, bytes]:
        """Return the code of a message and its payload.

        Raises:
            Unsendable: It is of no type that may cross, holds what can't, or is too long.
        """
        code = self._codes.get(type(message))
        try:
            if code is not None:
                payload = self._encode(msgspec.structs.astuple(cast(msgspec.Struct, message)))
            elif type(message) in _PLAIN_TYPES:
                code, payload = PLAIN, self._encode(message)
            elif type(message) in self._twins:
                code, twin_of = self._twins[type(message)]
                payload = self._encode(msgspec.structs.astuple(twin_of(message)))
            else:
                raise Unsendable(f"no message for other nodes: {type(message).__name__}")
        except (TypeError, ValueError, OverflowError) as error:
            raise Unsendable(f"{type(message).__name__} can't cross: {error}") from error
        if not is_sendable(payload):
            raise Unsendable(f"{type(message).__name__} of {len(payload)} bytes is too long")
        return code, payload

    def decode(self, code: int, payload: bytes) -> Any:
        """Return the message.

        Raises:
            Unsendable: Nothing of this code may come in.
            MalformedFrame: The payload is none of its type.
        """
        try:
            exact, cls = self._exact[code]
            return cls(*exact(payload))
        except (KeyError, *_BAD):
            return self._decode_other(code, payload)

    def _decode_other(self, code: int, payload: bytes) -> Any:
        """Decode what is plain, has fewer fields or more, or is none at all."""
        try:
            if code == PLAIN:
                plain = self._plain(payload)
                if type(plain) in _PLAIN_TYPES:
                    return plain
                raise MalformedFrame("not a plain message")
            made = self._classes[code]
        except KeyError:
            raise Unsendable(f"no message has code {code}") from None
        except _BAD as error:
            raise MalformedFrame("not a plain message") from error
        try:
            return made(*msgspec.structs.astuple(self._decoders[code](payload)))
        except _BAD as error:
            raise MalformedFrame(f"no message of code {code}") from error

    # -- how things ended ------------------------------------------------------------------------
    def encode_reason(self, reason: object) -> bytes:
        """Return the bytes of why an actor ended; what is no reason of `actor` becomes its text."""
        return self._encode(_reason_to_wire(reason))

    def decode_reason(self, payload: bytes) -> object:
        """Return why an actor ended.

        Raises:
            MalformedFrame: It says nothing of that.
        """
        try:
            return _reason_of(self._ended(payload))
        except _BAD as error:
            raise MalformedFrame("not a reason") from error

    def encode_error(self, error: BaseException) -> bytes:
        """Return the bytes of what a call failed with."""
        cause = _reason_to_wire(error.reason) if isinstance(error, ActorDead) else None
        return self._encode(_Ended(type(error).__name__, _clean(str(error)), "", cause))

    def decode_error(self, payload: bytes) -> Exception:
        """Return the error: of its own class if that is one of the runtime's, else a RemoteError.

        Raises:
            MalformedFrame: It is none.
        """
        try:
            ended = self._ended(payload)
        except _BAD as error:
            raise MalformedFrame("not an error") from error
        if ended.kind == ActorDead.__name__:
            reason = NOPROC if ended.cause is None else _reason_of(ended.cause)
            return ActorDead(ended.text, reason)
        make = _ERRORS.get(ended.kind)
        return RemoteError(ended.text, ended.kind) if make is None else make(ended.text)

    # -- refs ------------------------------------------------------------------------------------
    def _to_extension(self, value: object) -> msgspec.msgpack.Ext:
        return msgspec.msgpack.Ext(REF_EXTENSION, self._pack_ref(value))

    def _from_extension(self, code: int, packed: memoryview) -> object:
        if code != REF_EXTENSION:
            raise ValueError("no ref")
        return self._find_ref(bytes(packed))


def _with_references(kind: Any) -> Any:
    """Return an annotation with `Reference` for whatever in it can only be a ref."""
    args = get_args(kind)
    if args:
        inner = tuple(arg if arg is ... else _with_references(arg) for arg in args)
        origin = get_origin(kind)
        return reduce(or_, inner) if origin in {Union, UnionType} else origin[inner]
    is_protocol = getattr(kind, "_is_protocol", False)
    is_ref = isinstance(kind, type) and issubclass(kind, Reference)
    return Reference if is_protocol or is_ref else kind


def _reason_to_wire(reason: object) -> _Ended:
    if isinstance(reason, Crash):
        kind = getattr(reason.error, "kind", type(reason.error).__name__)
        trace = _clean(reason.traceback)
        return _Ended("Crash", _clean(str(reason.error)), trace, _Ended(kind, ""))
    if isinstance(reason, Escalated):
        return _Ended("Escalated", _clean(reason.child), "", _reason_to_wire(reason.cause))
    return _Ended("", _clean(str(reason)))


def _reason_of(ended: _Ended) -> object:
    if ended.kind == "Crash":
        kind = "RemoteError" if ended.cause is None else ended.cause.kind
        return Crash(RemoteError(ended.text, kind), ended.detail)
    if ended.kind == "Escalated":
        return Escalated(ended.text, None if ended.cause is None else _reason_of(ended.cause))
    return ended.text


def _clean(text: str) -> str:
    """Return text of a bounded length that UTF-8 can hold."""
    return text[-TRACEBACK_CHARS_MAX:].encode(errors="replace").decode()
