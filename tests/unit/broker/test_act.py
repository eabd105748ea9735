"""Messages with more than a text, and acts on messages, in a whole broker and through crashes."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker import hiding
from actorchat.broker.act import bury_expired, look_up, written
from actorchat.chat.event import Post
from actorchat.ids import group_address
from actorchat.limits import EDIT_WINDOW_S, EMOJIS_MAX, EXPIRED_AT_ONCE_MAX, IDEMPOTENCE_WINDOW
from actorchat.protocol import codec, ops, rich
from actorchat.protocol.ops.group import Create, Remove
from actorchat.store import keys, kinds
from actorchat.store.verify import verify
from tests.unit.broker import stage as stage_module
from tests.unit.broker.keep import keep
from tests.unit.broker.stage import Device, Stage
from tests.vectors.example import FILE

USERS = ("ann", "bob", "cid", "dan")
ID = bytes(range(16))
GROUP = group_address(ID)


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users(*USERS)
    return stage


def say(
    device: Device, to: str, body: str, extra: ops.Extra | None = None, cid: bytes | None = None
) -> dict[str, Any]:
    name = device._stage.new_cid() if cid is None else cid
    return device.ask(lambda rid: ops.Send(rid, to, name, body, extra))


def edit(
    device: Device, conv: str, seq: int, body: str, cid: bytes | None = None
) -> dict[str, Any]:
    name = device._stage.new_cid() if cid is None else cid
    return device.ask(lambda rid: ops.Edit(rid, conv, name, seq, body))


def delete(
    device: Device, conv: str, *seqs: int, scope: Any = "all", cid: bytes | None = None
) -> dict[str, Any]:
    name = device._stage.new_cid() if cid is None else cid
    return device.ask(lambda rid: ops.Delete(rid, conv, name, list(seqs), scope))


def react(
    device: Device, conv: str, seq: int, emoji: str, on: bool = True, cid: bytes | None = None
) -> dict[str, Any]:
    name = device._stage.new_cid() if cid is None else cid
    return device.ask(lambda rid: ops.React(rid, conv, name, seq, emoji, on))


def page(device: Device, conv: str) -> list[dict[str, Any]]:
    reply = device.ask(lambda rid: ops.History(rid, conv))
    events: list[dict[str, Any]] = reply["ok"]["events"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    return events


def code(reply: dict[str, Any]) -> str:
    assert reply["err"]["outcome"] == "none"
    text: str = reply["err"]["code"]
    return text


def is_on_disk(stage: Stage, text: str, *families: str) -> bool:
    return any(
        text.encode() in value
        for family in families or ("history", "inbox", "state", "sent")
        for _, value in stage.rows(family)
    )


def made(stage: Stage, *others: str) -> dict[str, Device]:
    devices = {user: stage.hello(user) for user in USERS}
    create = Create("g", list(others))
    assert "ok" in devices["ann"].ask(lambda rid: ops.Change(rid, GROUP, ID, create))
    return devices


# -- extras ------------------------------------------------------------------------------------
def test_an_extra_comes_with_the_message_and_stays_with_it(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    say(ann, "bob", "hi")
    stage.add_file("ann", FILE)
    extra = ops.Extra(1, ops.Forwarded(2, "cid"), ["bob"], "file", [FILE], expires_s=60)
    ok = say(ann, "bob", "look", extra)["ok"]
    got = bob.messages[-1]["msg"]
    file = {"hash": FILE.hash, "size": FILE.size, "type": FILE.type, "name": FILE.name}
    assert got["extra"] == {
        "re": 1,
        "fwd": {"hops": 2, "from": "cid"},
        "mentions": ["bob"],
        "kind": "file",
        "files": [file],
        "exp": ok["ts"] + 60_000,
    }
    assert page(bob, "ann")[1] == page(ann, "bob")[1] == got


def test_the_same_extra_is_the_same_message(stage: Stage) -> None:
    ann = stage.hello("ann")
    cid, extra = stage.new_cid(), ops.Extra(mentions=["bob"], expires_s=60)
    first = say(ann, "bob", "hi", extra, cid)["ok"]
    for _ in range(2):
        assert say(ann, "bob", "hi", extra, cid)["ok"] == {**first, "dup": True}
        assert code(say(ann, "bob", "hi", None, cid)) == "id_conflict"
        assert code(say(ann, "bob", "hi", ops.Extra(expires_s=61), cid)) == "id_conflict"
        stage.crash()
        ann = stage.hello("ann")


@pytest.mark.parametrize("to", ["bob", GROUP])
def test_an_extra_that_can_not_be_is_refused(stage: Stage, to: str) -> None:
    ann = made(stage, "bob")["ann"]
    say(ann, to, "hi")
    head = len(page(ann, to))
    for extra, expected in (
        (ops.Extra(re=head + 1), "no_such_message"),
        (ops.Extra(mentions=["dan"]), "bad_request"),
        (ops.Extra(kind="location"), "bad_request"),
        (ops.Extra(exp=1), "bad_request"),
    ):
        assert code(say(ann, to, "here", extra)) == expected
    assert say(ann, to, "hi", ops.Extra(re=head, mentions=["bob"]))["ok"]["seq"] == head + 1


# -- acts --------------------------------------------------------------------------------------
@pytest.mark.parametrize(("one", "other"), [("ann", "bob"), ("bob", "ann")])
def test_an_edit_is_a_record_and_the_message_says_it(stage: Stage, one: str, other: str) -> None:
    mine, theirs = stage.hello(one), stage.hello(other)
    say(mine, other, "hi")
    cid = stage.new_cid()
    ok = edit(mine, other, 1, "ho", cid)["ok"]
    assert ok["seq"] == 2
    record = theirs.messages[-1]["msg"]
    assert (record["seq"], record["body"], record["act"]) == (2, "ho", {"kind": "edit", "ref": 1})
    for device, conv in ((mine, other), (theirs, one)):
        first, second = page(device, conv)
        assert (first["body"], first["edited"]) == ("ho", 2)
        assert second == record
    assert edit(mine, other, 1, "ho", cid)["ok"] == {**ok, "dup": True}
    assert code(edit(mine, other, 1, "hu", cid)) == "id_conflict"
    assert code(say(mine, other, "ho", None, cid)) == "id_conflict"
    stage.crash()
    mine = stage.hello(one)
    assert edit(mine, other, 1, "ho", cid)["ok"] == {**ok, "dup": True}
    assert code(edit(mine, other, 1, "hu", cid)) == "id_conflict"
    assert page(mine, other)[0]["body"] == "ho"


def test_acts_that_overlap_all_count(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    say(bob, "ann", "hi")
    stage.syncer.is_held = True
    bob.start(lambda rid: ops.Edit(rid, "ann", stage.new_cid(), 1, "ho"))
    ann.start(lambda rid: ops.React(rid, "bob", stage.new_cid(), 1, "x"))
    bob.start(lambda rid: ops.React(rid, "ann", stage.new_cid(), 1, "y"))
    bob.start(lambda rid: ops.Edit(rid, "ann", stage.new_cid(), 1, "hu"))
    stage.run()
    stage.syncer.release()
    stage.run(1.0)
    first = page(ann, "bob")[0]
    assert first["body"] == "hu"
    assert first["reactions"] == {"x": ["ann"], "y": ["bob"]}


@pytest.mark.parametrize("name", ["ann", "bob"])
def test_what_is_deleted_is_gone_for_who_comes_later(stage: Stage, name: str) -> None:
    other = "bob" if name == "ann" else "ann"
    mine = stage.hello(name)
    late = stage.hello(other)
    late.leave()
    say(mine, other, "secret", ops.Extra(re=None))
    say(mine, other, "secret too")
    assert edit(mine, other, 2, "secret still")["ok"]["seq"] == 3
    assert delete(mine, other, 1, 2)["ok"]["seq"] == 4
    stage.run(2.0)
    assert not is_on_disk(stage, "secret")
    late = stage.hello(other)
    stage.run()
    bodies = [(m["msg"]["seq"], m["msg"]["body"], m["msg"].get("gone")) for m in late.messages]
    assert bodies == [(1, "", True), (2, "", True), (3, "", True), (4, "", None)]
    assert [event.get("gone") for event in page(mine, other)] == [True, True, True, None]
    assert code(edit(mine, other, 1, "back")) == "deleted"
    assert code(react(mine, other, 2, "x")) == "deleted"
    assert code(delete(mine, other, 1)) == "deleted"
    late.ack()
    assert verify(stage.engine).problems == []


def test_who_comes_later_sees_an_edit_where_the_message_was(stage: Stage) -> None:
    ann = stage.hello("ann")
    stage.hello("bob").leave()
    say(ann, "bob", "old")
    edit(ann, "bob", 1, "new")
    stage.run(2.0)
    stage.crash()
    bob = stage.hello("bob")
    stage.run(2.0)
    assert bob.bodies == ["new", "new"]


def veils(stage: Stage) -> list[bytes]:
    rows = [key for key, _ in stage.rows("state")]
    return [key for key in rows if keys.parse_state_key(key)[1] == kinds.VEIL]


def test_what_is_too_far_back_to_be_searched_is_veiled_until_it_is_trimmed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hiding, "UPDATES_SEARCHED_MAX", 50)
    ann = stage.hello("ann")
    stage.hello("bob").leave()
    for number in range(100):
        say(ann, "bob", f"<{number}>")
    edit(ann, "bob", 7, "new 7")
    edit(ann, "bob", 90, "new 90")
    stage.run(2.0)
    assert len(veils(stage)) == 2
    assert is_on_disk(stage, "<6>", "inbox")
    assert not is_on_disk(stage, "<89>")
    stage.crash()
    bob = stage.hello("bob")
    stage.run(2.0)
    assert (bob.bodies[6], bob.bodies[89]) == ("new 7", "new 90")
    ann = stage.hello("ann")
    for number in range(200):
        say(ann, "bob", f"n{number}")
    for _ in range(3):
        bob.ack()
        stage.run(2.0)
    assert veils(stage) == []


def test_errors_change_nothing(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    say(bob, "ann", "hi")
    say(ann, "bob", "ho")
    before = stage.rows("history")
    for reply, expected in (
        (edit(ann, "bob", 1, "x"), "forbidden"),
        (edit(ann, "bob", 3, "x"), "no_such_message"),
        (edit(ann, "nobody", 1, "x"), "no_such_user"),
        (edit(ann, GROUP, 1, "x"), "no_such_group"),
        (delete(ann, "bob", 1), "forbidden"),
        (delete(ann, "bob", 2, 3), "no_such_message"),
        (delete(ann, "bob", 2, 2), "bad_request"),
        (delete(ann, "bob", 3, scope="me"), "no_such_message"),
        (delete(ann, GROUP, 1, scope="me"), "no_such_group"),
        (react(ann, "bob", 3, "x"), "no_such_message"),
    ):
        assert code(reply) == expected
    stage.run(EDIT_WINDOW_S + 1)
    assert code(edit(ann, "bob", 2, "x")) == "too_late"
    assert stage.rows("history") == before
    assert page(bob, "ann")[1]["body"] == "ho"


def test_the_longest_text_may_be_edited_in(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    say(ann, "bob", "hi")
    edit(ann, "bob", 1, "x" * 65_536)
    assert bob.bodies[-1] == "x" * 65_536
    first = bob.ask(lambda rid: ops.History(rid, "ann", before=2))["ok"]["events"][0]
    assert first["body"] == "x" * 65_536
    assert code(edit(ann, "bob", 1, "\U0001f600" * 65_536)) == "too_many"
    assert code(react(ann, "bob", 2, "x")) == "no_such_message"


def test_ten_thousand_reactions_are_refused_from_a_bound_on(stage: Stage) -> None:
    ann = stage.hello("ann")
    say(ann, "bob", "hi")
    replies = [react(ann, "bob", 1, str(number)) for number in range(EMOJIS_MAX + 30)]
    assert all("ok" in reply for reply in replies[:EMOJIS_MAX])
    assert {code(reply) for reply in replies[EMOJIS_MAX:]} == {"too_many"}
    assert len(page(ann, "bob")) == 1 + EMOJIS_MAX


def test_reactions_are_shown_and_taken_away(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    say(ann, "bob", "hi")
    react(bob, "ann", 1, "👍")
    act = ann.messages[-1]["msg"]["act"]
    assert act == {"kind": "react", "ref": 1, "emoji": "👍"}
    assert page(ann, "bob")[0]["reactions"] == {"👍": ["bob"]}
    react(bob, "ann", 1, "👍", on=False)
    assert "reactions" not in page(ann, "bob")[0]


def test_a_message_deleted_for_oneself_is_there_for_the_other(stage: Stage) -> None:
    ann, laptop, bob = stage.hello("ann"), stage.hello("ann", "laptop"), stage.hello("bob")
    laptop.leave()
    say(bob, "ann", "hi")
    say(bob, "ann", "ho")
    assert delete(ann, "bob", 1, scope="me")["ok"] == {}
    for _ in range(2):
        first, second = page(ann, "bob")
        assert (first["body"], first["gone"], first["hidden"]) == ("", True, True)
        assert second["body"] == "ho"
        assert page(bob, "ann")[0]["body"] == "hi"
        stage.run(2.0)
        stage.crash()
        ann, bob = stage.hello("ann"), stage.hello("bob")
    laptop = stage.hello("ann", "laptop")
    stage.run()
    assert laptop.bodies == ["", "ho"]
    edit(bob, "ann", 1, "hi again")
    assert code(delete(ann, "bob", 3, scope="me")) == "no_such_message"  # it is an act
    assert [event["body"] for event in page(ann, "bob")] == ["", "ho", ""]


def test_devices_of_who_acts_are_told(stage: Stage) -> None:
    ann, laptop = stage.hello("ann"), stage.hello("ann", "laptop")
    stage.run(10.0)
    say(ann, "bob", "hi")
    edit(ann, "bob", 1, "ho")
    assert [(m["to"], m["msg"]["body"]) for m in laptop.messages] == [("bob", "hi"), ("bob", "ho")]


def test_long_after_it_left_memory_an_act_is_known(stage: Stage) -> None:
    ann = stage.hello("ann")
    say(ann, "bob", "hi")
    cids = [stage.new_cid() for _ in range(4)]
    first = edit(ann, "bob", 1, "one", cids[0])["ok"]
    second = edit(ann, "bob", 1, "two", cids[1])["ok"]
    third = react(ann, "bob", 1, "x", cid=cids[2])["ok"]
    for number in range(3 * IDEMPOTENCE_WINDOW):
        say(ann, "bob", f"m{number}")
    assert edit(ann, "bob", 1, "one", cids[0])["ok"] == {**first, "dup": True}
    assert edit(ann, "bob", 1, "two", cids[1])["ok"] == {**second, "dup": True}
    assert react(ann, "bob", 1, "x", cid=cids[2])["ok"] == {**third, "dup": True}
    assert code(edit(ann, "bob", 1, "else", cids[1])) == "id_conflict"
    assert code(react(ann, "bob", 1, "y", cid=cids[2])) == "id_conflict"


# -- groups ------------------------------------------------------------------------------------
def test_everybody_in_a_group_sees_the_acts(stage: Stage) -> None:
    devices = made(stage, "bob", "cid")
    devices["cid"].leave()
    bob = devices["bob"]
    say(bob, GROUP, "secret", ops.Extra(mentions=["ann"]))
    say(bob, GROUP, "old")
    assert edit(bob, GROUP, 3, "new")["ok"]["seq"] == 4
    assert code(edit(devices["ann"], GROUP, 3, "x")) == "forbidden"
    react(devices["ann"], GROUP, 3, "x")
    assert delete(devices["ann"], GROUP, 2)["ok"]["seq"] == 6  # an admin
    assert code(delete(bob, GROUP, 1)) == "no_such_message"  # a change is no message
    for reply in (edit(devices["dan"], GROUP, 3, "x"), react(devices["dan"], GROUP, 3, "x")):
        assert code(reply) == "no_such_group"
    stage.run(2.0)
    cid = stage.hello("cid")
    stage.run(2.0)
    shown = [(m["msg"]["seq"], m["msg"]["body"]) for m in cid.messages if m["msg"]["seq"] > 1]
    assert shown == [(2, ""), (3, "new"), (4, "new"), (5, ""), (6, "")]
    for device in (devices["ann"], bob, cid):
        events = page(device, GROUP)
        assert [event["body"] for event in events] == ["", "", "new", "new", "", ""]
        assert events[2]["reactions"] == {"x": ["ann"]}
    assert not is_on_disk(stage, "secret")
    assert verify(stage.engine).problems == []


def test_a_member_who_left_acts_no_more(stage: Stage) -> None:
    devices = made(stage, "bob", "cid")
    say(devices["bob"], GROUP, "hi")
    remove = Remove("bob")
    devices["ann"].ask(lambda rid: ops.Change(rid, GROUP, stage.new_cid(), remove))
    assert code(edit(devices["bob"], GROUP, 2, "x")) == "no_such_group"
    assert code(delete(devices["bob"], GROUP, 2, scope="me")) == "no_such_group"
    assert code(delete(devices["cid"], GROUP, 2)) == "forbidden"


# -- expiry ------------------------------------------------------------------------------------
@pytest.mark.parametrize("to", ["bob", GROUP])
def test_a_message_is_hidden_from_its_time_on(stage: Stage, to: str) -> None:
    devices = made(stage, "bob")
    ann, bob = devices["ann"], devices["bob"]
    bob.leave()
    head = len(page(ann, to))
    say(ann, to, "soon gone", ops.Extra(expires_s=30))
    assert page(ann, to)[head]["body"] == "soon gone"
    stage.run(31.0)
    assert page(ann, to)[head]["gone"] is True
    assert "extra" not in page(ann, to)[head]
    bob = stage.hello("bob")
    stage.run(1.0)
    assert bob.bodies[-1] == ""
    assert code(edit(ann, to, head + 1, "x")) == "deleted"


def test_plain_posts_are_not_looked_at(stage: Stage) -> None:
    context = stage.broker.context
    post = Post("ann", None, 1, bytes(16), "hi")  # type: ignore[arg-type]
    look_up(context.archive, b"", post, None)
    assert post.more is None
    post.more = ops.Extra(re=1)
    kept, told, rows = written(context.rows, keys.conversation_key("ann", "bob"), post, 2, 5)
    assert kept == told
    assert rows == ()


# -- what is buried ----------------------------------------------------------------------------
DIRECT_KEY, GROUP_KEY = keys.conversation_key("ann", "bob"), keys.group_key(GROUP)


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Return a stage on which messages have their time; it is swept by the tests alone."""
    monkeypatch.setattr(stage_module, "SWEEP_EVERY_S", 1e6)
    stage = Stage()
    stage.add_users("ann", "bob")
    ann = stage.hello("ann")
    create = Create("g", ["bob"])
    ann.ask(lambda rid: ops.Change(rid, GROUP, ID, create))
    for to in ("bob", GROUP):
        for body, lifetime in (("secret", 10), ("later", 60), ("kept", None)):
            extra = ops.Extra(re=None, expires_s=lifetime)
            ann.ask(lambda rid: ops.Send(rid, to, stage.new_cid(), body, extra))  # noqa: B023
    return stage


def bury(stage: Stage, key: bytes) -> int:
    return bury_expired(stage.broker.context, key, stage.dispatcher.clock.wall_ms())


def due(stage: Stage, key: bytes) -> int:
    return sum(row.startswith(keys.state_key(key, kinds.EXPIRY)) for row, _ in stage.rows("state"))


@pytest.mark.parametrize("key", [DIRECT_KEY, GROUP_KEY])
def test_what_is_due_is_buried_once(timed: Stage, key: bytes) -> None:
    assert bury(timed, key) == 0
    assert due(timed, key) == 2
    timed.run(11.0)
    assert bury(timed, key) == 1
    assert bury(timed, key) == 0
    assert due(timed, key) == 1
    texts = [value for row, value in timed.rows("history") if row.startswith(key)]
    assert not any(b"secret" in value for value in texts)
    assert any(b"later" in value for value in texts)
    assert not any(b"secret" in value for _, value in timed.rows("inbox"))
    assert verify(timed.engine).problems == []
    timed.run(60.0)
    assert bury(timed, key) == 1
    assert due(timed, key) == 0
    ann = timed.hello("ann")
    conv = "bob" if key == DIRECT_KEY else GROUP
    events = ann.ask(lambda rid: ops.History(rid, conv))["ok"]["events"][-3:]
    assert [(event["body"], event.get("gone")) for event in events] == [
        ("", True),
        ("", True),
        ("kept", None),
    ]


def test_an_act_under_way_does_not_bring_a_message_back_for_good(timed: Stage) -> None:
    ann = timed.hello("ann")
    (at, seq), *_ = timed.broker.context.archive.due(DIRECT_KEY, 2**53, 9)
    before = codec.decode_record(timed.broker.context.archive.record(DIRECT_KEY, seq))
    ann.ask(lambda rid: ops.React(rid, "bob", timed.new_cid(), seq, "x"))
    timed.run(11.0)
    assert bury(timed, DIRECT_KEY) == 1
    rows = timed.broker.context.rows
    late = [rows.history(DIRECT_KEY, seq, rich.encode(before)), rows.expiry(DIRECT_KEY, at, seq)]
    timed.broker.context.log.apply()
    keep(timed.engine, late)
    assert bury(timed, DIRECT_KEY) == 1
    assert not any(b"secret" in value for key, value in timed.rows("history") if DIRECT_KEY in key)


def test_a_row_of_what_is_gone_already_is_only_dropped(timed: Stage) -> None:
    ann = timed.hello("ann")
    ann.ask(lambda rid: ops.Delete(rid, "bob", timed.new_cid(), [1]))
    timed.run(11.0)
    before = timed.rows("history")
    assert bury(timed, DIRECT_KEY) == 1
    assert timed.rows("history") == before


def test_nothing_is_buried_on_a_full_disk(timed: Stage) -> None:
    timed.run(11.0)
    timed.broker.context.log.committer.is_full = True
    assert bury(timed, DIRECT_KEY) == 0


def test_one_go_is_bounded(timed: Stage) -> None:
    context = timed.broker.context
    timed.run(11.0)
    context.log.apply()
    rows = [context.rows.expiry(DIRECT_KEY, number, 1) for number in range(EXPIRED_AT_ONCE_MAX)]
    keep(timed.engine, rows)
    assert bury(timed, DIRECT_KEY) == EXPIRED_AT_ONCE_MAX
    assert bury(timed, DIRECT_KEY) == 1
