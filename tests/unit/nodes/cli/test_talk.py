"""A conversation in lines shows what comes, sends what is typed, and tells how far it got."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from actorchat.client import (
    Chat,
    Entry,
    Extra,
    Feed,
    GroupLine,
    Message,
    Page,
    Presence,
    Progress,
    Sent,
    Signal,
    State,
)
from actorchat.client.feed import Inbox, ProgressBoard
from actorchat.client.flagged import FlagBoard
from actorchat.client.presence import Sightings
from actorchat.errors import InvalidOp, Refusal, TakenOver
from actorchat.protocol.ops import Deleted, FileRef, FlagPush
from actorchat.protocol.ops.group import Alter
from nodes.cli import talk
from nodes.cli.talk import Talk

GROUP = "#AAAAAAAAAAAAAAAAAAAAAA"


class FakeChat:
    """A server at which ann talks; `stored` are her conversations."""

    state = State.OPEN

    def __init__(self) -> None:
        self.stored: dict[str, list[Entry]] = {"bob": [], "cat": []}
        self.inbox = Inbox(100, lambda: None)
        self.board = ProgressBoard()
        self.flags = FlagBoard()
        self.sightings = Sightings()
        self.unwatched: list[str] = []
        self.acked: list[int] = []
        self.read: list[tuple[str, int]] = []
        self.refuses: Exception | None = None
        self.flushed = False
        self.extras: list[Extra | None] = []
        self.acts: list[tuple[object, ...]] = []
        self.lines = [
            GroupLine("#g", "friends", "owner", 3, 9, 2),
            GroupLine("#h", "all", "reader", 9, 4, 0),
        ]

    def messages(self) -> Inbox:
        return self.inbox

    def marks(self) -> ProgressBoard:
        return self.board

    def flagged(self) -> FlagBoard:
        return self.flags

    async def groups(self) -> list[GroupLine]:
        return self.lines

    def presence(self) -> Feed[Presence]:
        return self.sightings.presence

    def signals(self) -> Feed[Signal]:
        return self.sightings.signals

    async def watch(self, user: str) -> list[Presence]:
        return [Presence(user, True)]

    def unwatch(self, user: str) -> None:
        self.unwatched.append(user)

    def mark_read(self, conv: str, seq: int) -> None:
        self.read.append((conv, seq))

    async def history(self, conv: str, *, before: int, limit: int = 50, after: int = 0) -> Page:
        if conv not in self.stored:
            raise Refusal("no_such_user", f"there is no {conv}")
        entries = [one for one in self.stored[conv] if after < one.seq < before][-limit:]
        return Page(entries, len(self.stored[conv]), False, {})

    def post(self, to: str, text: str, *, extra: Extra | None = None) -> asyncio.Future[Sent]:
        self.extras.append(extra)
        if text == "too long":
            raise InvalidOp("it is too long")
        future: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
        if self.refuses is not None:
            future.set_exception(self.refuses)
        else:
            seq = len(self.stored[to]) + 1
            self.stored[to].append(Entry("ann", seq, 0, bytes(16), text))
            future.set_result(Sent(seq, 0))
        return future

    async def flush(self, timeout_s: float) -> None:
        self.flushed = True
        await settle()

    def deliver(self, sender: str, seq: int, text: str, upd: int) -> None:
        self.inbox.put(Message(sender, seq, 0, bytes(16), text, upd, self.acked.append))

    async def edit(self, conv: str, seq: int, text: str) -> Sent:
        if seq > len(self.stored[conv]):
            raise Refusal("no_such_message", "there is no such message")
        self.acts.append(("edit", conv, seq, text))
        return Sent(9, 0)

    async def react(self, conv: str, seq: int, emoji: str, on: bool = True) -> Sent:
        self.acts.append(("react", conv, seq, emoji, on))
        return Sent(9, 0)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class Scene:
    """A talk whose lines come when the test says so."""

    def __init__(self) -> None:
        self.fake = FakeChat()
        self.said: list[str] = []
        self.typed: asyncio.Queue[str | None] = asyncio.Queue()
        self.talk = Talk(cast(Chat, self.fake), "ann", self.said.append)

    async def lines(self) -> AsyncIterator[str]:
        while (line := await self.typed.get()) is not None:
            yield line

    def start(self, other: str | None = "bob") -> asyncio.Task[bool]:
        return asyncio.create_task(self.talk.run(other, self.lines()))

    async def type(self, *lines: str | None) -> None:
        for line in lines:
            self.typed.put_nowait(line)
        await settle()

    def saw(self, words: str) -> bool:
        return any(words in line for line in self.said)


async def test_lines_are_sent_and_ticked_until_the_input_ends() -> None:
    scene = Scene()
    task = scene.start()
    await scene.type("hello", "", "  ", "//not a command", None)
    assert await task
    assert [entry.text for entry in scene.fake.stored["bob"]] == ["hello", "/not a command"]
    assert scene.saw("✓ #1")
    assert scene.saw("✓ #2")
    assert scene.fake.flushed


async def test_groups_are_listed_by_name() -> None:
    scene = Scene()
    task = scene.start()
    await scene.type("/groups", "/quit")
    assert await task
    first, second = [line for line in scene.said if line.startswith("#")]
    assert first == "#h all: 9 members, you are reader"
    assert second == "#g friends: 3 members, you are owner, 2 unread"


async def test_flags_that_another_device_set_are_told() -> None:
    scene = Scene()
    task = scene.start()
    await settle()
    scene.fake.flags.take(FlagPush("#g", True, False, True))
    await settle()
    scene.fake.flags.take(FlagPush("#g", False, False, False))
    await settle()
    await scene.type("/quit")
    assert await task
    assert scene.saw("#g is muted and pinned now")
    assert scene.saw("#g is as usual now")


async def test_own_message_of_a_group_is_shown_and_not_marked_as_read() -> None:
    scene = Scene()
    scene.fake.stored[GROUP] = []
    task = scene.start(GROUP)
    await settle()
    own = Message("ann", 3, 0, bytes(16), "mine", 1, scene.fake.acked.append, GROUP, own=True)
    scene.fake.inbox.put(own)
    await settle()
    await scene.type("/quit")
    assert await task
    assert scene.saw("mine")
    assert scene.fake.read == []


async def test_the_last_of_the_history_is_shown_first() -> None:
    scene = Scene()
    scene.fake.stored["bob"] = [Entry("bob", n, 0, bytes(16), f"old {n}") for n in range(1, 30)]
    task = scene.start()
    await scene.type("/history 12", "/quit")
    assert await task
    assert not scene.saw("old 17")
    assert scene.saw("old 18")
    assert scene.fake.read[0] == ("bob", 29)


async def test_what_comes_is_shown_acked_and_marked_as_read() -> None:
    scene = Scene()
    task = scene.start()
    await settle()
    scene.fake.deliver("bob", 1, "knock \x1b[2J", upd=5)
    scene.fake.deliver("cat", 1, "me too", upd=6)
    await settle()
    await scene.type("/quit")
    assert await task
    assert scene.saw("knock \\x1b[2J")
    assert scene.saw("me too")
    assert scene.saw("/with cat")
    assert scene.fake.acked == [5, 6]
    assert scene.fake.read == [("bob", 1)]


async def test_what_the_history_showed_is_not_shown_again() -> None:
    scene = Scene()
    scene.fake.stored["bob"] = [Entry("bob", 1, 0, bytes(16), "once")]
    scene.fake.deliver("bob", 1, "once", upd=1)
    task = scene.start()
    await scene.type("/quit")
    assert await task
    assert sum("once" in line for line in scene.said) == 1
    assert scene.fake.acked == [1]


async def test_ticks_tell_what_arrived_and_what_was_read() -> None:
    scene = Scene()
    task = scene.start()
    await scene.type("one", "two")
    scene.fake.board.put(Progress("bob", "bob", 2, 0))
    await settle()
    scene.fake.board.put(Progress("bob", "bob", 2, 1))
    await settle()
    scene.fake.board.put(Progress("bob", "ann", 9, 9))  # one's own marks are no news
    await scene.type("/quit")
    assert await task
    assert sum("delivered to bob up to #2" in line for line in scene.said) == 1
    assert scene.saw("read by bob up to #1")
    assert not scene.saw("ann up to")


async def test_one_can_turn_to_another() -> None:
    scene = Scene()
    task = scene.start(None)
    await scene.type("lost words", "/history", "/with cat", "hi cat", "/who", "/help", "/quit")
    assert not await task  # the first line went nowhere
    assert [entry.text for entry in scene.fake.stored["cat"]] == ["hi cat"]
    assert scene.saw("ann talks with cat; open")
    assert scene.saw("/quit")


async def test_to_turn_to_nobody_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    scene = Scene()
    task = scene.start()
    await scene.type("/with nobody", "still here", "/nonsense", "/with", "/quit")
    assert not await task
    assert "no_such_user" in capsys.readouterr().err
    assert scene.fake.stored["bob"][0].text == "still here"
    assert scene.saw("/nonsense: no such command")


@pytest.mark.parametrize("text", ["refused", "too long"])
async def test_a_message_that_is_not_stored_is_told(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    scene = Scene()
    scene.fake.refuses = Refusal("busy", "later", "after")
    task = scene.start()
    await scene.type(text, None)
    assert not await task
    assert capsys.readouterr().err.startswith(("busy: later", "bad_request: it is too long"))


async def test_the_end_of_the_session_ends_the_talk() -> None:
    scene = Scene()
    task = scene.start()
    await settle()
    scene.fake.inbox.close(TakenOver("takeover", "elsewhere"))
    with pytest.raises(TakenOver):
        await task


async def test_standard_input_is_read_by_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as stdin, os.fdopen(theirs, "wb") as typing:
        monkeypatch.setattr(talk.sys, "stdin", cast(Any, stdin))
        typing.write("one\nzwö\r\n\xff\nrest".encode("latin-1").replace(b"\xf6", "ö".encode()))
        typing.close()
        lines = [line async for line in talk.lines_of_stdin()]
    assert lines == ["one", "zwö", "�", "rest"]


async def test_file_is_sent_beside_the_talk_and_ticked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, sent = Scene(), []

    async def send_file(to: str, path: Path) -> Sent:
        sent.append((to, path))
        await settle()
        if path.name == "gone":
            path.unlink()
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return Sent(7, 0)

    monkeypatch.setattr(scene.fake, "send_file", send_file, raising=False)
    for name in ("a cat.png", "gone"):
        (tmp_path / name).touch()
    task = scene.start()
    await scene.type(f"/file {tmp_path}/a cat.png", "/file", None)
    assert await task
    assert sent == [("bob", tmp_path / "a cat.png")]
    assert scene.saw("✓ #7")
    assert scene.saw("/file PATH: send a file")
    for bad in ("none", "gone"):
        task = Scene.start(scene := Scene())
        monkeypatch.setattr(scene.fake, "send_file", send_file, raising=False)
        await scene.type(f"/file {tmp_path}/{bad}", None)
        assert not await task


async def test_files_of_a_message_are_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, got = Scene(), []
    file = FileRef(bytes(32), 3, "a/b", "../cat.png")
    extra = Extra(kind="file", files=[file])
    scene.fake.stored["bob"] = [Entry("bob", 1, 0, bytes(16), "look", extra=extra)]

    async def download(file: FileRef, path: Path) -> int:
        got.append((file, path))
        return 3

    monkeypatch.setattr(scene.fake, "download", download, raising=False)
    monkeypatch.chdir(tmp_path)
    task = scene.start()
    await scene.type("/get 1", "/get 2", None)
    assert not await task  # message 2 is not there
    assert got == [(file, Path("cat.png"))]
    assert scene.saw("../cat.png (a/b, 3 bytes)")


async def test_messages_are_answered_edited_and_reacted_to_by_their_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = Scene()
    task = scene.start()
    await scene.type("hi", "/reply 1 yes", "/edit 1 ho", "/react 1 x off", "/edit 9 y")
    await scene.type("/reply yes", "/edit", "/quit")
    assert not await task  # there is no message 9
    assert scene.fake.extras == [None, Extra(re=1)]
    assert [entry.text for entry in scene.fake.stored["bob"]] == ["hi", "yes"]
    assert scene.fake.acts == [("edit", "bob", 1, "ho"), ("react", "bob", 1, "x", False)]
    assert scene.saw("edited, as #9")
    assert scene.saw("'yes' is no message's number")
    assert scene.saw("/edit N TEXT: change your message N")
    assert capsys.readouterr().err.startswith("no_such_message")


async def test_what_one_has_hidden_is_not_shown() -> None:
    scene = Scene()
    gone: dict[str, Any] = {"gone": True, "hidden": True}
    scene.fake.stored["bob"] = [Entry("bob", 1, 0, bytes(16), "", **gone)]
    task = scene.start()
    await settle()
    scene.fake.inbox.put(Message("bob", 2, 0, bytes(16), "", 1, scene.fake.acked.append, **gone))
    await scene.type("/quit")
    assert await task
    assert not scene.saw("deleted")
    assert ("bob", 2) in scene.fake.read


async def test_group_is_turned_to_by_the_beginning_of_its_name() -> None:
    scene = Scene()
    scene.fake.lines = [GroupLine(GROUP, "friends", "owner", 3, 9, 2)]
    scene.fake.stored[GROUP] = []
    task = scene.start("#fri")
    await scene.type("hi all", "/with #none", "/with No!", "/quit")
    assert await task
    assert scene.saw(f"in friends {GROUP}")
    assert [entry.text for entry in scene.fake.stored[GROUP]] == ["hi all"]
    assert scene.saw("in no group #none")
    assert scene.saw("'No!' is no name")


async def test_nobody_is_talked_with_at_first_if_the_name_is_none() -> None:
    with pytest.raises(InvalidOp, match="is no name"):
        await Scene().start("No!")


async def test_what_comes_from_a_group_elsewhere_says_which_and_once_how_to_answer() -> None:
    scene = Scene()
    scene.fake.lines = [GroupLine(GROUP, "friends", "owner", 3, 9, 2)]
    task = scene.start()
    await settle()
    for seq in (1, 2):
        scene.fake.inbox.put(
            Message("cat", seq, 0, bytes(16), f"t{seq}", seq, scene.fake.acked.append, GROUP)
        )
    await settle()
    scene.fake.lines = [GroupLine(GROUP, "old friends", "owner", 3, 9, 2)]
    change = Alter(name="old friends")
    scene.fake.inbox.put(
        Message("cat", 3, 0, bytes(16), "", 3, scene.fake.acked.append, GROUP, change)
    )
    await settle()
    await scene.type("/quit")
    assert await task
    assert scene.fake.acked == [1, 2, 3]
    assert [line.startswith("[friends] ") for line in scene.said if "cat" in line][:2] == [True] * 2
    assert sum("to answer" in line for line in scene.said) == 1
    assert scene.saw("[old friends] ")


async def test_answer_to_a_question_is_the_next_line() -> None:
    scene = Scene()
    asked: list[tuple[str, ...]] = []

    async def change_password(old: str, new: str, **more: object) -> None:
        asked.append((old, new))

    scene.fake.change_password = change_password  # type: ignore[attr-defined]
    task = scene.start()
    await scene.type("/password", "old", "new one", "new one", "hello", "/password", "old", None)
    assert await task
    assert asked == [("old", "new one")]
    assert [entry.text for entry in scene.fake.stored["bob"]] == ["hello"]
    assert scene.saw("Nothing was done")  # the input ended


async def test_account_that_has_ended_is_forgotten_and_no_failure() -> None:
    scene, forgotten = Scene(), []

    async def delete_account(password: str) -> None:
        scene.fake.inbox.close(TakenOver("revoked", "the account has ended"))
        await settle()

    scene.fake.delete_account = delete_account  # type: ignore[attr-defined]
    scene.talk._forget = lambda: forgotten.append(True)
    task = scene.start()
    await scene.type("/delete-account", "ann", "secret")
    assert await task
    assert forgotten == [True]
    assert scene.saw("the account has ended")
    assert not scene.fake.flushed  # nobody is there to answer


async def test_more_goes_back_page_by_page() -> None:
    scene = Scene()
    scene.fake.stored["bob"] = [Entry("bob", n, 0, bytes(16), f"old {n}.") for n in range(1, 30)]
    task = scene.start()
    await scene.type("/more 5", "/more 30", "/more", "/quit")
    assert await task
    shown = [int(line.rpartition("old ")[2].rstrip(".")) for line in scene.said if "old " in line]
    assert shown == [*range(20, 30), *range(15, 20), *range(1, 15)]
    assert scene.saw("nothing is before that")
    assert scene.fake.read == [("bob", 29)]


async def test_moderators_deed_is_shown_where_it_was_done() -> None:
    scene = Scene()
    task = scene.start()
    await settle()
    for seq, to in ((1, "bob"), (2, "cat")):
        deed = Message("robot", seq, 0, bytes(16), "", seq, scene.fake.acked.append, to=to)
        deed.act = Deleted([seq], ["ann", to])
        scene.fake.inbox.put(deed)
    await settle()
    await scene.type("/quit")
    assert await task
    here, elsewhere = [line for line in scene.said if "as a moderator" in line]
    assert not here.startswith("[")
    assert elsewhere.startswith("[cat] ")
    assert scene.fake.read == [("bob", 1)]
