"""What features do to each other: each test uses two or more of them on the same messages."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker.file import FILES
from actorchat.broker.file_sweep import survey
from actorchat.chat.file import Arrived, Asked, Pass
from actorchat.chat.retention import Policy
from actorchat.ids import group_address
from actorchat.protocol import ops
from actorchat.protocol.ops.group import Add, AnyChange, Create
from actorchat.store import keys, kinds
from actorchat.store.verify import verify
from tests.unit.broker.stage import Device, Stage

# An update waits 10 s, a message stays 20 s and its client id 15 s.
SHORT = Policy(10.0, 20.0, None, 15.0, 1.0)
OLD_S = 32.0  # until what was said is swept
FILE = ops.FileRef(bytes(32), 7, "photo.jpg", "image/jpeg")
BOTH = pytest.mark.parametrize(("ann", "bob"), [("ann", "bob"), ("bob", "ann")])


class Peer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def tell(self, event: Any) -> None:
        self.told.append(event)


class NoBlobs:
    """A shelf without a file."""

    def infos(self) -> list[Any]:
        return []


def aged() -> Stage:
    """Return a stage that keeps nothing for long."""
    stage = Stage(policy=SHORT, idle_s=1.0)
    stage.add_users("ann", "bob", "eve")
    return stage


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob", "eve")
    return stage


def say(device: Device, to: str, text: str, **extra: Any) -> int:
    cid = device._stage.new_cid()
    more = ops.Extra(**extra) if extra else None
    return int(device.ask(lambda rid: ops.Send(rid, to, cid, text, more))["ok"]["seq"])


def edit(device: Device, conv: str, seq: int, text: str, cid: bytes | None = None) -> Any:
    cid = device._stage.new_cid() if cid is None else cid
    return device.ask(lambda rid: ops.Edit(rid, conv, cid, seq, text))


def react(device: Device, conv: str, seq: int, emoji: str = "x") -> Any:
    cid = device._stage.new_cid()
    return device.ask(lambda rid: ops.React(rid, conv, cid, seq, emoji))


def delete(device: Device, conv: str, seq: int, scope: Any = "all") -> Any:
    cid = device._stage.new_cid()
    return device.ask(lambda rid: ops.Delete(rid, conv, cid, [seq], scope))


def make_group(device: Device, *members: str) -> str:
    cid = device._stage.new_cid()
    group = group_address(cid)
    assert "ok" in device.ask(lambda rid: ops.Change(rid, group, cid, Create("g", list(members))))
    return group


def change(device: Device, group: str, what: AnyChange) -> Any:
    cid = device._stage.new_cid()
    return device.ask(lambda rid: ops.Change(rid, group, cid, what))


def history(device: Device, conv: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = device.ask(lambda rid: ops.History(rid, conv))["ok"]["events"]
    return found


def listed(device: Device) -> dict[str, dict[str, Any]]:
    lines = device.ask(ops.Conversations)["ok"]["conversations"]
    return {line["conv"]: line for line in lines}


def assert_sound(stage: Stage) -> None:
    stage.broker.context.log.apply()
    assert [str(problem) for problem in verify(stage.engine).problems] == []
    assert stage.crashes == []


# -- retention and acts --------------------------------------------------------------------------
def test_edit_outlives_the_message_that_was_swept() -> None:
    stage = aged()
    ann = stage.hello("ann")
    seq = say(ann, "bob", "old")
    stage.run(19.0)
    cid = stage.new_cid()
    assert "ok" in edit(ann, "bob", seq, "new", cid)
    say(ann, "bob", "last")
    stage.run(8.0)  # the edit is young, its message is gone, their actors were put away
    bob = stage.hello("bob")
    (edited, last) = history(bob, "ann")
    assert (edited["seq"], edited["gone"], edited["body"]) == (2, True, "")
    assert last["body"] == "last"
    assert edit(ann, "bob", seq, "new", cid)["ok"]["dup"]
    for again in (edit(ann, "bob", seq, "newer"), react(bob, "ann", seq), delete(ann, "bob", seq)):
        assert again["err"]["code"] == "no_such_message"
    assert_sound(stage)


def test_what_was_swept_before_its_time_was_up_stops_no_sweep() -> None:
    stage = aged()
    ann = stage.hello("ann")
    say(ann, "bob", "over", expires_s=60)
    say(ann, "bob", "deleted", expires_s=60)
    delete(ann, "bob", 2)
    say(ann, "bob", "last")
    assert len(expiries(stage)) == 2
    stage.run(OLD_S)
    assert_sound(stage)
    stage.run(60.0)
    assert expiries(stage) == []
    assert_sound(stage)


def expiries(stage: Stage) -> list[bytes]:
    talk = keys.state_key(keys.conversation_key("ann", "bob"), kinds.EXPIRY)
    return [key for key, _ in stage.rows("state") if key.startswith(talk)]


def test_what_was_deleted_for_oneself_may_be_swept() -> None:
    stage = aged()
    ann, bob = stage.hello("ann"), stage.hello("bob")
    say(ann, "bob", "one")
    say(ann, "bob", "two")
    assert "ok" in delete(bob, "ann", 1, "me")
    stage.run(OLD_S)
    bob = stage.hello("bob")
    assert [one["seq"] for one in history(bob, "ann")] == [2]
    assert_sound(stage)


def test_message_that_is_swept_while_it_is_acted_on_does_not_come_back() -> None:
    stage = aged()
    ann = stage.hello("ann")
    say(ann, "bob", "old", expires_s=1_000)
    say(ann, "bob", "last")
    stage.run(OLD_S)
    context, talk = stage.broker.context, keys.conversation_key("ann", "bob")
    assert context.archive.first_seq(talk) == 2
    # An act that was judged before the sweep puts its message, and its time, once more.
    record = context.archive.record(talk, 2)
    context.log.append([context.rows.history(talk, 1, record), context.rows.expiry(talk, 99, 1)])
    stage.run(0.1)
    bob = stage.hello("bob")
    assert [one["seq"] for one in history(bob, "ann")] == [2]
    assert react(bob, "ann", 1)["err"]["code"] == "no_such_message"
    stage.run(5.0)
    assert [keys.parse_history_key(key)[1] for key, _ in stage.rows("history")] == [2]
    assert expiries(stage) == []
    assert_sound(stage)


# -- blocks and everything else --------------------------------------------------------------------
def test_conversation_whose_shown_part_was_swept_is_listed_no_more() -> None:
    stage = aged()
    ann, bob = stage.hello("ann"), stage.hello("bob")
    say(ann, "bob", "shown")
    bob.ask(lambda rid: ops.Block(rid, "ann"))
    for _ in range(2):
        say(ann, "bob", "unseen")
    stage.run(OLD_S)
    bob = stage.hello("bob")
    assert listed(bob) == {}
    assert listed(ann)["bob"]["last"]["seq"] == 3
    assert history(bob, "ann") == []
    assert_sound(stage)


@BOTH
def test_who_is_blocked_sends_whole_messages_and_can_tell_nothing(
    stage: Stage, ann: str, bob: str
) -> None:
    stage.add_file(ann, FILE)
    sender, blocker = stage.hello(ann), stage.hello(bob)
    say(sender, bob, "shown")
    blocker.ask(lambda rid: ops.Block(rid, ann))
    cid, extra = stage.new_cid(), ops.Extra(re=1, mentions=[bob], kind="file", files=[FILE])
    for _ in range(2):
        assert sender.ask(lambda rid: ops.Send(rid, bob, cid, "unseen", extra))["ok"]["seq"] == 2
    stage.crash()
    sender, blocker = stage.hello(ann), stage.hello(bob)
    assert sender.ask(lambda rid: ops.Send(rid, bob, cid, "unseen", extra))["ok"]["dup"]
    (_, unseen) = history(sender, bob)
    assert (unseen["extra"]["re"], unseen["extra"]["mentions"]) == (1, [bob])
    assert unseen["extra"]["files"][0]["hash"] == FILE.hash
    assert "ok" in edit(sender, bob, 2, "edited")
    assert "ok" in react(sender, bob, 2)
    (_, unseen, _, _) = history(sender, bob)
    assert (unseen["body"], unseen["edited"], unseen["reactions"]) == ("edited", 3, {"x": [ann]})
    assert [one["body"] for one in history(blocker, ann)] == ["shown"]
    assert len(blocker.bodies) <= 1
    assert_sound(stage)


@BOTH
def test_who_is_blocked_can_not_tell_what_came_of_their_acts(
    stage: Stage, ann: str, bob: str
) -> None:
    sender, blocker = stage.hello(ann), stage.hello(bob)
    laptop = stage.hello(ann, "laptop")
    say(sender, bob, "shown")
    say(blocker, ann, "mine")
    blocker.ask(lambda rid: ops.Block(rid, ann))
    before = history(blocker, ann)
    cid = stage.new_cid()
    assert "ok" in edit(sender, bob, 1, "abuse", cid)
    assert edit(sender, bob, 1, "abuse", cid)["ok"]["dup"]
    assert "ok" in react(sender, bob, 2)
    mine = history(sender, bob)
    assert (mine[0]["body"], mine[1]["reactions"]) == ("abuse", {"x": [ann]})
    # The text before an edit is not kept, so it is gone for whom the edit is not for.
    edited, untouched = history(blocker, ann)
    assert (edited["body"], edited["gone"], untouched) == ("", True, before[1])
    stage.run(1.0)
    assert blocker.bodies == ["shown"]
    assert listed(blocker)[ann]["last"]["seq"] == 2
    blocker.ask(lambda rid: ops.Block(rid, ann, False))
    assert history(blocker, ann) == [edited, untouched]
    assert laptop.messages
    assert_sound(stage)


@BOTH
def test_who_is_blocked_may_take_back_what_they_said(stage: Stage, ann: str, bob: str) -> None:
    sender, blocker = stage.hello(ann), stage.hello(bob)
    say(sender, bob, "regretted")
    say(sender, bob, "kept")
    blocker.leave()
    stage.hello(bob, "laptop").ask(lambda rid: ops.Block(rid, ann))
    assert "ok" in delete(sender, bob, 1)
    stage.crash()
    blocker = stage.hello(bob)
    stage.run(1.0)
    assert "regretted" not in blocker.bodies
    assert [one["body"] for one in history(blocker, ann)] == ["", "kept"]
    for _, value in stage.rows("history"):
        assert b"regretted" not in value
    assert_sound(stage)


# -- lists -----------------------------------------------------------------------------------------
def test_list_shows_a_group_whose_last_record_is_an_edit(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    group = make_group(ann, "bob")
    seq = say(ann, group, "first")
    assert "ok" in edit(ann, group, seq, "second")
    assert listed(bob)[group]["last"]["body"] == "second"
    assert listed(bob)[group]["unread"] == 1
    last = say(ann, group, "secret")
    assert "ok" in delete(bob, group, last, "me")
    assert listed(bob)[group]["last"]["hidden"] is True
    assert listed(ann)[group]["last"]["body"] == "secret"
    assert_sound(stage)


@pytest.mark.parametrize("is_group", [False, True])
def test_acts_and_what_is_gone_are_not_unread(stage: Stage, is_group: bool) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    conv = make_group(ann, "bob") if is_group else "bob"
    first = say(ann, conv, "read on")
    other = say(ann, conv, "taken back")
    over = say(ann, conv, "over", expires_s=1)
    edit(ann, conv, first, "edited")
    react(ann, conv, first)
    shown = conv if is_group else "ann"
    assert listed(bob)[shown]["unread"] == 3
    delete(ann, conv, other)
    assert listed(bob)[shown]["unread"] == 2
    stage.run(2.0)
    assert over
    assert listed(bob)[shown]["unread"] == 1
    delete(bob, shown, first, "me")
    assert listed(bob)[shown]["unread"] == 0
    if is_group:
        assert bob.ask(ops.Groups)["ok"]["groups"][0]["unread"] == 0


# -- files -----------------------------------------------------------------------------------------
def named(stage: Stage) -> set[bytes]:
    """Return the hashes of the files that records name."""
    stage.broker.context.log.apply()
    blobs: Any = NoBlobs()
    return survey(stage.engine, blobs).referenced


def send_file(device: Device, to: str, **extra: Any) -> int:
    return say(device, to, "look", kind="file", files=[FILE], **extra)


def test_file_is_named_as_long_as_somebody_may_be_shown_its_message(stage: Stage) -> None:
    stage.add_file("ann", FILE)
    ann, bob = stage.hello("ann"), stage.hello("bob")
    seq = send_file(ann, "bob")
    edit(ann, "bob", seq, "other words")
    react(bob, "ann", seq)
    delete(bob, "ann", seq, "me")
    assert history(ann, "bob")[0]["extra"]["files"][0]["hash"] == FILE.hash
    assert named(stage) == {FILE.hash}
    delete(ann, "bob", seq)
    assert named(stage) == set()
    send_file(ann, "bob", expires_s=2)
    assert named(stage) == {FILE.hash}
    stage.run(4.0)
    assert named(stage) == set()
    bob.ask(lambda rid: ops.Block(rid, "ann"))
    send_file(ann, "bob")
    ann.ask(lambda rid: ops.DeleteAccount(rid, "ann"))
    stage.run(5.0)
    assert named(stage) == {FILE.hash}  # an operator may look, and the other may unblock
    assert stage.broker.context.shelf.own("ann", FILE.hash) is None
    assert stage.broker.context.shelf.known(FILE.hash) is not None
    assert_sound(stage)


def test_file_is_named_no_more_when_its_last_message_was_swept() -> None:
    stage = aged()
    stage.add_file("ann", FILE)
    ann = stage.hello("ann")
    send_file(ann, "bob")
    say(ann, "bob", "last")
    assert named(stage) == {FILE.hash}
    stage.run(OLD_S)
    assert named(stage) == set()
    assert stage.broker.context.shelf.usage("ann").files == 1  # until files are swept
    assert_sound(stage)


# -- deleted accounts ------------------------------------------------------------------------------
def test_home_that_is_gone_takes_nothing_from_big_groups() -> None:
    stage = Stage(group_inline_max=2)
    stage.add_users("ann", "bob", "eve")
    ann, bob = stage.hello("ann"), stage.hello("bob")
    group = make_group(bob, "ann", "eve")
    say(bob, group, "before")
    rid = ann.start(lambda rid: ops.DeleteAccount(rid, "ann"))
    for number in range(20):
        bob.start(lambda rid, n=number: ops.Send(rid, group, stage.new_cid(), f"text {n}"))
        stage.run(0.002)
    stage.run(10.0)
    assert "ok" in ann.connection.replies[rid]
    owner = keys.user_key("ann")
    assert {key[18:19] for key, _ in stage.rows("state") if key.startswith(owner)} == {kinds.GONE}
    assert not [key for key, _ in stage.rows("inbox") if key.startswith(owner)]
    assert stage.rows("outbox") == []
    assert_sound(stage)


@BOTH
def test_who_is_gone_is_unblocked_as_anybody(stage: Stage, ann: str, bob: str) -> None:
    gone, blocker = stage.hello(ann), stage.hello(bob)
    say(gone, bob, "shown")
    blocker.ask(lambda rid: ops.Block(rid, ann))
    say(gone, bob, "unseen")
    gone.ask(lambda rid: ops.DeleteAccount(rid, ann))
    stage.run(5.0)
    assert [one["body"] for one in history(blocker, ann)] == ["shown"]
    assert listed(blocker)[ann]["gone"] is True
    assert blocker.ask(ops.Blocks)["ok"]["blocks"] == [ann]
    assert blocker.ask(lambda rid: ops.Block(rid, ann, False))["ok"] == {}
    assert blocker.ask(ops.Blocks)["ok"]["blocks"] == []
    assert blocker.ask(lambda rid: ops.Block(rid, ann, False))["err"]["code"] == "no_such_user"
    assert [one["body"] for one in history(blocker, ann)] == ["shown"]
    stage.run(5.0)
    assert stage.rows("outbox") == []
    assert_sound(stage)


def test_reactions_and_edits_of_who_is_gone_stay_and_their_messages_can_be_acted_on(
    stage: Stage,
) -> None:
    ann, bob, eve = stage.hello("ann"), stage.hello("bob"), stage.hello("eve")
    group = make_group(bob, "ann", "eve")
    mine = say(bob, group, "mine")
    theirs = say(ann, group, "theirs", mentions=["bob"], expires_s=1_000)
    react(ann, group, mine)
    edit(ann, group, theirs, "edited")
    assert "ok" in delete(ann, group, mine, "me")
    ann.ask(lambda rid: ops.DeleteAccount(rid, "ann"))
    stage.run(5.0)
    assert "ok" in react(eve, group, theirs)
    assert "ok" in react(eve, group, mine)
    (first, second) = history(eve, group)[1:3]
    assert first["reactions"] == {"x": ["ann", "eve"]}
    assert (second["body"], second["reactions"]) == ("edited", {"x": ["eve"]})
    assert "ok" in delete(bob, group, theirs)
    cid = stage.new_cid()
    named = ops.Extra(mentions=["ann"])
    refused = bob.ask(lambda rid: ops.Send(rid, group, cid, "ann?", named))
    assert refused["err"]["code"] == "bad_request"
    stage.run(5.0)
    assert stage.rows("outbox") == []
    assert_sound(stage)


def test_file_that_comes_after_its_users_account_has_ended_is_nobodys(stage: Stage) -> None:
    stage.add_file("ann", FILE)
    ann, letter = stage.hello("ann"), Peer()
    ann.ask(lambda rid: ops.DeleteAccount(rid, "ann"))
    stage.run(5.0)
    desk: Any = stage.system.names.whereis(FILES)
    granted = Pass("ann", "phone", b"2" * 32, 9, "a/b", 10**15, True)
    desk.tell(Arrived(letter, granted))
    desk.tell(Asked(letter, "ann", "phone", ops.Upload(1, FILE.hash, FILE.size, "image/jpeg")))
    stage.run()
    assert [told.code for told in letter.told] == ["unauthenticated", "unauthenticated"]
    owner = keys.user_key("ann")
    assert {key[18:19] for key, _ in stage.rows("state") if key.startswith(owner)} == {kinds.GONE}
    assert_sound(stage)


# -- big groups ------------------------------------------------------------------------------------
def test_text_that_was_kept_before_the_group_grew_is_not_shown_when_it_is_gone() -> None:
    stage = Stage(group_inline_max=2)
    stage.add_users("ann", "bob", "eve")
    ann = stage.hello("ann")
    stage.hello("bob").leave()
    group = make_group(ann, "bob")
    for text in ("taken back", "wrong", "kept"):
        say(ann, group, text)
    assert "ok" in change(ann, group, Add(["eve"]))
    assert "ok" in delete(ann, group, 2)
    assert "ok" in edit(ann, group, 3, "right")
    stage.run(3.0)
    bob = stage.hello("bob")
    stage.run(1.0)
    assert bob.bodies[:4] == ["", "", "right", "kept"]
    assert [message["upd"] for message in bob.messages] == list(range(1, 8))
    assert_sound(stage)


def test_span_whose_first_records_were_swept_is_told_as_a_gap() -> None:
    stage = Stage(group_inline_max=2, policy=Policy(10.0, 20.0, None, 15.0, 1.0), idle_s=1.0)
    stage.add_users("ann", "bob", "eve")
    ann = stage.hello("ann")
    stage.hello("bob").leave()
    group = make_group(ann, "bob", "eve")
    for _ in range(4):
        say(ann, group, "old")
    stage.run(1.0)
    ann.ack()
    stage.run(19.0)
    for _ in range(3):
        say(ann, group, "young")
    stage.run(1.0)
    ann.ack()
    stage.run(5.0)
    first = stage.broker.context.archive.first_seq(keys.group_key(group))
    assert first == 6
    bob = stage.hello("bob")
    stage.run(1.0)
    if bob.connection.is_closed:  # it was told that there is a gap, and comes again
        bob = stage.hello("bob")
        stage.run(1.0)
        assert bob.connection.replies[1]["ok"]["too_old"]
    assert bob.bodies == ["young"] * 3
    assert [message["upd"] for message in bob.messages] == [6, 7, 8]
    bob.ack()
    assert_sound(stage)
