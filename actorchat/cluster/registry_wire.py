"""Knows how operations, entries and refusals are said in maps of CBOR, to peers and to the journal.
Must not know connections or who says them.

Requests carry an `id`, answers echo it as `re`, events have neither. Children come as one text with
a name a line, so that ten thousand of them are one item.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from actorchat.cluster.registry import (
    REFUSALS,
    BadRequest,
    Check,
    Create,
    Delete,
    Entry,
    Op,
    Put,
    RegistryAway,
    RegistryRefusal,
    Result,
    SessionLost,
)
from actorchat.errors import MalformedFrame

WIRE_VERSION = 1
NONCE_BYTES = 16

Message: TypeAlias = dict[str, Any]

_OPS: dict[str, type[Op]] = {"create": Create, "put": Put, "delete": Delete, "check": Check}
_NAMES = {cls: name for name, cls in _OPS.items()}


def ops_out(ops: Sequence[Op]) -> list[list[Any]]:
    """Return operations as lists: the name, then the fields in their order."""
    return [[_NAMES[type(op)], *(getattr(op, name) for name in op.__struct_fields__)] for op in ops]


def ops_in(said: object) -> list[Op]:
    """Return the operations of `ops_out`.

    Raises:
        BadRequest: They are none; nothing else is ever raised.
    """
    if not isinstance(said, list):
        raise BadRequest("ops")
    ops: list[Op] = []
    for index, item in enumerate(said):
        name, *values = item if isinstance(item, list) and item else [None]
        cls = _OPS.get(name) if isinstance(name, str) else None
        if cls is None or len(values) != len(cls.__struct_fields__):
            raise BadRequest("no operation", index)
        try:
            fields = dict(zip(cls.__struct_fields__, values, strict=True))
            ops.append(msgspec.convert(fields, cls, builtin_types=(bytes,)))
        except msgspec.ValidationError as error:
            raise BadRequest(str(error), index) from None
    return ops


def entry_out(entry: Entry | None) -> Message:
    """Return the answer to a get."""
    return {"entry": None if entry is None else msgspec.to_builtins(entry, builtin_types=(bytes,))}


def entry_in(answer: Message) -> Entry | None:
    """Return the entry of an answer.

    Raises:
        MalformedFrame: It is none.
    """
    said = answer.get("entry")
    return None if said is None else convert(said, Entry)


def results_in(answer: Message) -> list[Result]:
    """Return what each operation of a transaction gave."""
    results: list[Result] = convert(answer.get("results"), list[str | int | None])
    return results


def convert(said: object, kind: type[Any]) -> Any:
    """Return `said` as `kind`.

    Raises:
        MalformedFrame: It is not.
    """
    try:
        return msgspec.convert(said, kind, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        raise MalformedFrame(str(error)) from None


def refusal_out(refusal: RegistryRefusal) -> Message:
    """Return a refusal as the `err` of an answer."""
    return {"code": refusal.code, "path": refusal.path, "index": refusal.index}


def refusal_in(said: object) -> RegistryRefusal | RegistryAway:
    """Return the error that an answer's `err` tells of; what nobody knows is an unknown outcome."""
    code = said.get("code") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(code, str) or code not in REFUSALS:
        if code == SessionLost.code:
            return SessionLost("the registry has ended this session", "none")
        return RegistryAway(f"the registry answered {code!r}")
    path, index = said.get("path"), said.get("index")
    return REFUSALS[code](
        path if isinstance(path, str) else "", index if isinstance(index, int) else 0
    )
