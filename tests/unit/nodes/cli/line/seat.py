"""A seat at which lines are typed, and a client that notes what it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from actorchat.client import Chat, Entry, Extra, GroupLine, Page, Sent
from nodes.cli.line.command import Unclear
from nodes.cli.line.table import find

GROUP = "#AAAAAAAAAAAAAAAAAAAAAA"
SENT = Sent(9, 0)


class FakeClient:
    """Answers by `answers`, else that it is done; `asked` has each call."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {
            "groups": [
                GroupLine(GROUP, "friends", "owner", 3, 9, 2),
                GroupLine("#BAAAAAAAAAAAAAAAAAAAAA", "French", "reader", 9, 4, 0),
            ],
            "history": Page([Entry("bob", 7, 0, bytes(16), "hi")], 9, False, {}),
        }

    def signal(self, to: str, kind: str) -> None:
        self.asked.append(("signal", to, kind))

    def __getattr__(self, name: str) -> Any:
        async def ask(*args: Any, **more: Any) -> Any:
            self.asked.append((name, *args, more) if more else (name, *args))
            answer = self.answers.get(name, SENT)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return ask


class FakeSeat:
    """Where ann sits, talking with `other`; `answers` are what she types when she is asked."""

    user = "ann"
    kept_devices = ("here", "here-errand")

    def __init__(self, other: str | None = "bob", *answers: str) -> None:
        self.fake = FakeClient()
        self.client = cast(Chat, self.fake)
        self.other = other
        self.earliest: int | None = None
        self.said: list[str] = []
        self.shown: list[int] = []
        self.did: list[tuple[Any, ...]] = []
        self.hidden: list[str] = []
        self._answers = list(answers)

    def say(self, text: str) -> None:
        self.said.append(text)

    tell = say

    def show(self, entries: Iterable[Entry]) -> None:
        self.shown += [entry.seq for entry in entries]

    async def turn_to(self, other: str) -> None:
        self.did.append(("turn_to", other))

    def post(self, text: str, extra: Extra | None = None) -> None:
        self.did.append(("post", text, extra))

    def send_file(self, path: Path) -> None:
        self.did.append(("send_file", path))

    async def see(self, names: Sequence[str]) -> None:
        self.did.append(("see", *names))

    def unsee(self, names: Sequence[str]) -> None:
        self.did.append(("unsee", *names))

    async def settle(self) -> None:
        self.did.append(("settle",))

    async def ask(self, question: str, *, hidden: bool = False) -> str:
        if hidden:
            self.hidden.append(question)
        if not self._answers:
            raise Unclear("Nothing was done")
        return self._answers.pop(0)

    def leave(self, *, forget: bool = False) -> None:
        self.did.append(("leave", forget))

    async def type(self, line: str) -> None:
        """Do what a line asks for.

        Raises:
            Unclear: It is none.
        """
        word, _, rest = line.partition(" ")
        await find(word).run(self, rest.strip())

    @property
    def asked(self) -> list[tuple[Any, ...]]:
        return self.fake.asked
