"""Knows how recorded messages are read, and what their people are called. Must not know clients.

A recording is JSON Lines, gzipped if its name ends in `.gz`: `{"from", "to", "text"}` a line, in
the order of sending; other fields are passed over.

A person's name is taken as the user's name where it can be one. Any other is written as `x-` and
the base32 of its UTF-8, as is a name that begins with `x-` itself, so that the rule can be turned
round and no two people get one name.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

from msgspec import Struct

from actorchat.errors import ActorchatError
from actorchat.ids import NAME_LENGTH_MAX, direct_pair, is_name
from actorchat.limits import BODY_CHARS_MAX

_ESCAPE = "x-"


class BadTraffic(ActorchatError):
    """A line of a recording can't be played."""

    code = "bad_traffic"


class Line(Struct, frozen=True, gc=False):
    """One recorded message; both are names of users."""

    sender: str
    to: str
    text: str

    @property
    def pair(self) -> tuple[str, str]:
        """Return the conversation that it belongs to."""
        return direct_pair(self.sender, self.to)


class Traffic(Struct, frozen=True):
    """Recorded messages in the order of sending, and who takes part, by their users' names."""

    lines: list[Line]
    senders: frozenset[str]
    recipients: frozenset[str]
    conversations: frozenset[tuple[str, str]]

    @property
    def people(self) -> frozenset[str]:
        """Return everybody."""
        return self.senders | self.recipients


def user_name(person: str) -> str:
    """Return the user that plays `person`.

    Raises:
        BadTraffic: The name is empty, or too long to be written as a user's.
    """
    if is_name(person) and not person.startswith(_ESCAPE):
        return person
    user = _ESCAPE + base64.b32encode(person.encode()).decode().rstrip("=").lower()
    if not person or len(user) > NAME_LENGTH_MAX:
        raise BadTraffic(f"no user can stand for {person!r}: the name is empty or too long")
    return user


def person_name(user: str) -> str:
    """Return whom `user` plays: the reverse of `user_name`."""
    if not user.startswith(_ESCAPE):
        return user
    coded = user.removeprefix(_ESCAPE).upper()
    return base64.b32decode(coded + "=" * (-len(coded) % 8)).decode()


def gather(lines: Iterable[Line]) -> Traffic:
    """Return `lines` with who takes part in them."""
    kept = list(lines)
    return Traffic(
        kept,
        frozenset(line.sender for line in kept),
        frozenset(line.to for line in kept),
        frozenset(line.pair for line in kept),
    )


def read(path: Path, limit: int | None = None) -> Traffic:
    """Read a recording, or its first `limit` messages.

    Raises:
        BadTraffic: A line is no message, or two people would share a user; names file and line.
        OSError: The file can't be read.
    """
    users: dict[str, str] = {}  # by person
    lines: list[Line] = []
    with _open(path) as file:
        for number, text in enumerate(_texts(file, path), 1):
            if limit is not None and len(lines) >= limit:
                break
            if not text.strip():
                continue
            try:
                lines.append(_parse(text, users))
            except (ValueError, BadTraffic) as error:
                raise BadTraffic(f"{path}:{number}: {error}") from None
    if not lines:
        raise BadTraffic(f"{path}: holds no message")
    if len(set(users.values())) < len(users):
        raise BadTraffic(f"{path}: two people would be played by one user")
    return gather(lines)


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, "rt", encoding="utf-8"))
    return path.open(encoding="utf-8")


def _texts(file: IO[str], path: Path) -> Iterator[str]:
    try:
        yield from file
    except (EOFError, UnicodeDecodeError, gzip.BadGzipFile) as error:
        raise BadTraffic(f"{path}: {error}") from None


def _parse(text: str, users: dict[str, str]) -> Line:
    said = json.loads(text)
    if not isinstance(said, dict):
        raise ValueError("expected an object")
    fields = []
    for name in ("from", "to", "text"):
        value = said.get(name)
        if not isinstance(value, str):
            raise ValueError(f"expected text in {name!r}")
        fields.append(value)
    sender, to, body = fields
    if len(body) > BODY_CHARS_MAX:
        raise ValueError(f"the text has {len(body)} characters, at most {BODY_CHARS_MAX} go")
    if any("\ud800" <= char <= "\udfff" for char in body):
        raise ValueError("the text holds half a surrogate pair, which UTF-8 can't carry")
    for person in (sender, to):
        if person not in users:
            users[person] = user_name(person)
    return Line(users[sender], users[to], body)
