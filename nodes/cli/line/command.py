"""Knows what a line that begins with / is: its word, its form, what it serves, and what it gets.
Must not know single commands, or where lines come from.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from actorchat.ids import is_group, is_name

if TYPE_CHECKING:
    from actorchat.client import Chat, Entry
    from actorchat.protocol.ops import Extra

SEQ_DIGITS_MAX = 15
NAME_RULE = "1 to 64 of a-z 0-9 . _ -, the ends of a-z 0-9"


class Unclear(Exception):
    """A line can't be done as it stands; the text says why. Empty: it is not of its form."""


class Seat(Protocol):
    """Where a person sits who talks: what commands may use."""

    @property
    def client(self) -> Chat:
        """The session."""
        ...

    @property
    def user(self) -> str:
        """Who sits here."""
        ...

    @property
    def other(self) -> str | None:
        """The user or group that they talk with; None: nobody yet."""
        ...

    @property
    def earliest(self) -> int | None:
        """The lowest seq that was shown of the conversation; None: none was."""
        ...

    @property
    def kept_devices(self) -> Sequence[str]:
        """The devices by which this machine is signed in, this one among them."""
        ...

    def say(self, text: str) -> None:
        """Print a line."""
        ...

    def tell(self, text: str) -> None:
        """Print a line that is about what was said, not part of it."""
        ...

    def show(self, entries: Iterable[Entry]) -> None:
        """Print messages of the conversation, oldest first."""
        ...

    async def turn_to(self, other: str) -> None:
        """Talk with another from now on."""
        ...

    def post(self, text: str, extra: Extra | None = None) -> None:
        """Send to the one talked with; a tick tells when it is stored."""
        ...

    def send_file(self, path: Path) -> None:
        """Bring a file and send it to the one talked with, beside what else is done."""
        ...

    async def see(self, names: Sequence[str]) -> None:
        """Show whether users are here, and what changes from now on."""
        ...

    def unsee(self, names: Sequence[str]) -> None:
        """Show no more of them."""
        ...

    async def settle(self) -> None:
        """Wait until what was sent is stored: what follows may be about it."""
        ...

    async def ask(self, question: str, *, hidden: bool = False) -> str:
        """Return the next line, unseen if `hidden`.

        Raises:
            Unclear: There is none, or it is empty.
        """
        ...

    def leave(self, *, forget: bool = False) -> None:
        """End the talk after this command; `forget` that this machine is signed in."""
        ...


Run = Callable[[Seat, str], Awaitable[None]]


class Command(NamedTuple):
    """One word: `form` is what follows it, `does` what it does, in words.

    `serves` names what of the protocol a person has by it: ops by name, and `change:KIND`,
    `kind:KIND`, `extra:FIELD` for their parts.
    """

    word: str
    form: str
    does: str
    run: Run
    serves: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """The whole form, as people type it."""
        return f"{self.word} {self.form}".strip()


# -- what stands behind a word ---------------------------------------------------------------------
def other_of(seat: Seat) -> str:
    """Return whom the person talks with.

    Raises:
        Unclear: Nobody yet.
    """
    if seat.other is None:
        raise Unclear("Choose whom to talk with first: /with NAME")
    return seat.other


def group_of(seat: Seat) -> str:
    """Return the group that the person talks in.

    Raises:
        Unclear: It is none.
    """
    if seat.other is None or not is_group(seat.other):
        raise Unclear("Turn to a group first: /groups lists yours, /with #NAME turns to one")
    return seat.other


def seq_of(text: str) -> int:
    """Return the number of a message, as 7 or #7.

    Raises:
        Unclear: It is none.
    """
    digits = text.removeprefix("#")
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= SEQ_DIGITS_MAX
    if not is_number or not int(digits):
        raise Unclear(f"{text!r} is no message's number: they stand behind the time, as #7")
    return int(digits)


def split_seq(rest: str) -> tuple[int, str]:
    """Return the number with which `rest` begins, and what follows.

    Raises:
        Unclear: There is none.
    """
    number, _, more = rest.partition(" ")
    if not number:
        raise Unclear
    return seq_of(number), more.strip()


def names_of(rest: str) -> list[str]:
    """Return the names of users that `rest` is, parted by blanks or commas.

    Raises:
        Unclear: There is none, or something is no name.
    """
    names = rest.replace(",", " ").split()
    if not names:
        raise Unclear
    for name in names:
        if not is_name(name):
            raise Unclear(f"{name!r} is no name: {NAME_RULE}")
    return names


def name_of(rest: str) -> str:
    """Return the one name that `rest` is.

    Raises:
        Unclear: It is none, or more.
    """
    names = names_of(rest)
    if len(names) > 1:
        raise Unclear("One name at a time")
    return names[0]


def choice_of(rest: str, choices: Iterable[str]) -> str:
    """Return which of `choices` `rest` is.

    Raises:
        Unclear: None of them.
    """
    known = list(choices)
    if rest not in known:
        raise Unclear(f"{rest!r}: one of {', '.join(known)}" if rest else "")
    return rest


def nothing(rest: str) -> None:
    """See that nothing stands behind the word.

    Raises:
        Unclear: Something does.
    """
    if rest:
        raise Unclear


def needed(rest: str) -> str:
    """Return what stands behind the word.

    Raises:
        Unclear: Nothing.
    """
    if not rest:
        raise Unclear
    return rest
