"""The people desk of a whole broker: devices and the list of conversations."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.broker.reading import Reading
from actorchat.limits import CONVERSATIONS_PAGE_MAX, FILES_MAX
from actorchat.protocol import codec, ops
from actorchat.store import keys, kinds
from tests.unit.broker.stage import Device, Stage
from tests.vectors.example import FILE


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob", "eve")
    return stage


def conversations(device: Device, after: str | None = None, limit: int = 20) -> dict[str, Any]:
    ok: dict[str, Any] = device.ask(lambda rid: ops.Conversations(rid, after, limit))["ok"]
    return ok


def devices(device: Device) -> dict[str, dict[str, Any]]:
    found = device.ask(ops.Devices)["ok"]["devices"]
    return {one["device"]: one for one in found}


@pytest.mark.parametrize(("one", "other"), [("ann", "bob"), ("bob", "ann")])
def test_both_see_their_conversation_with_its_last_message(
    stage: Stage, one: str, other: str
) -> None:
    writer, reader = stage.hello(one), stage.hello(other)
    assert conversations(writer)["conversations"] == []
    writer.send(other, "first")
    writer.send(other, "second")
    (line,) = conversations(reader)["conversations"]
    assert (line["conv"], line["head"], line["unread"]) == (one, 2, 2)
    assert (line["last"]["from"], line["last"]["body"]) == (one, "second")
    (line,) = conversations(writer)["conversations"]
    assert (line["conv"], line["unread"]) == (other, 0)
    assert line["marks"].keys() == {one, other}


def test_what_was_read_is_not_counted(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    for body in "abc":
        ann.send("bob", body)
    bob.tell(ops.Mark("ann", 2))
    stage.run(1.0)
    (line,) = conversations(bob)["conversations"]
    assert line["unread"] == 1
    assert line["marks"]["bob"]["read"] == 2


def test_note_to_oneself_is_listed_once(stage: Stage) -> None:
    ann = stage.hello("ann")
    ann.send("ann", "milk")
    (line,) = conversations(ann)["conversations"]
    assert (line["conv"], line["unread"]) == ("ann", 0)


def test_list_is_paged(stage: Stage) -> None:
    ann = stage.hello("ann")
    for peer in ("ann", "bob", "eve"):
        ann.send(peer, "hi")
    found: list[str] = []
    after = None
    while True:
        page = conversations(ann, after, 1)
        found += [line["conv"] for line in page["conversations"]]
        if not page["more"]:
            break
        after = found[-1]
    assert sorted(found) == ["ann", "bob", "eve"]


def test_flags_stay_and_are_the_users_own(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    ann.send("bob", "hi")
    ok = ann.ask(lambda rid: ops.Flag(rid, "bob", muted=True, pinned=True))["ok"]
    assert ok == {"muted": True, "archived": False, "pinned": True}
    stage.crash()
    ann, bob = stage.hello("ann"), stage.hello("bob")
    (line,) = conversations(ann)["conversations"]
    assert (line["muted"], line["archived"], line["pinned"]) == (True, False, True)
    (line,) = conversations(bob)["conversations"]
    assert not line["muted"]
    err = ann.ask(lambda rid: ops.Flag(rid, "eve", muted=True))["err"]
    assert err["code"] == "no_such_conversation"


def test_conversation_of_a_store_without_the_index_is_listed_once_it_is_used(stage: Stage) -> None:
    stage.hello("ann").send("bob", "hi")
    drop_index(stage)
    stage.crash()
    bob = stage.hello("bob")
    assert conversations(bob)["conversations"] == []
    assert "ok" in bob.ask(lambda rid: ops.History(rid, "ann"))
    assert [line["conv"] for line in conversations(bob)["conversations"]] == ["ann"]


def drop_index(stage: Stage) -> None:
    batch = stage.engine.batch()
    family = stage.engine.family("state")
    rows = [key for key, _ in stage.rows("state") if keys.parse_state_key(key)[1] == kinds.INDEX]
    assert len(rows) == 2
    for key in rows:
        batch.delete(key, family)
    stage.engine.write(batch)
    stage.engine.sync()


def test_devices_are_listed_with_their_places(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    laptop = stage.hello("bob", "laptop")
    ann.send("bob", "hi")
    bob.ack()
    stage.run(1.0)
    found = devices(laptop)
    assert set(found) == {"phone", "laptop"}
    assert found["laptop"]["current"]
    assert not found["phone"]["current"]
    assert (found["phone"]["cursor"], found["laptop"]["cursor"]) == (1, 0)
    assert found["phone"]["seen"] > 0


def test_title_stays_until_the_device_is_revoked(stage: Stage) -> None:
    ann = stage.hello("ann")
    laptop = stage.hello("ann", "laptop")
    assert laptop.ask(lambda rid: ops.Rename(rid, "laptop", "Anns Läptop"))["ok"] == {}
    stage.crash()
    ann = stage.hello("ann")
    assert devices(ann)["laptop"]["title"] == "Anns Läptop"
    assert "ok" in ann.ask(lambda rid: ops.Revoke(rid, "laptop"))
    assert set(devices(ann)) == {"phone"}
    err = ann.ask(lambda rid: ops.Rename(rid, "laptop", "x"))["err"]
    assert err["code"] == "no_such_device"
    found = [keys.parse_state_key(key)[1] for key, _ in stage.rows("state")]
    assert kinds.TITLE not in found


def test_profile_and_contacts_stay(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    empty = {"user": "ann", "title": "", "about": ""}
    assert bob.ask(lambda rid: ops.Profile(rid, "ann"))["ok"] == empty
    ok = ann.ask(lambda rid: ops.Describe(rid, "Ann", "Grüße 👋"))["ok"]
    assert ann.ask(lambda rid: ops.Contact(rid, "eve"))["ok"] == {}
    assert ann.ask(lambda rid: ops.Contact(rid, "bob"))["ok"] == {}
    assert ann.ask(lambda rid: ops.Contact(rid, "bob"))["ok"] == {}
    assert ann.ask(lambda rid: ops.Contact(rid, "nobody"))["err"]["code"] == "no_such_user"
    stage.crash()
    ann, bob = stage.hello("ann"), stage.hello("bob")
    assert bob.ask(lambda rid: ops.Profile(rid, "ann"))["ok"] == ok
    assert bob.ask(lambda rid: ops.Profile(rid, "nobody"))["err"]["code"] == "no_such_user"
    assert ann.ask(ops.Contacts)["ok"] == {"contacts": ["bob", "eve"]}
    assert ann.ask(lambda rid: ops.Contact(rid, "bob", keep=False))["ok"] == {}
    assert ann.ask(ops.Contacts)["ok"] == {"contacts": ["eve"]}
    assert bob.ask(ops.Contacts)["ok"] == {"contacts": []}
    assert ann.ask(lambda rid: ops.Describe(rid, "", ""))["ok"] == empty
    found = [keys.parse_state_key(key)[1] for key, _ in stage.rows("state")]
    assert kinds.PROFILE not in found


def act(device: Device, make: Any) -> None:
    assert "ok" in device.ask(make)


def test_last_message_is_listed_as_it_is_shown_and_acts_are_not_counted(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    extra = ops.Extra(mentions=["bob"], expires_s=30)
    act(ann, lambda rid: ops.Send(rid, "bob", stage.new_cid(), "soon gone", extra))
    act(bob, lambda rid: ops.React(rid, "ann", stage.new_cid(), 1, "x"))
    act(ann, lambda rid: ops.Edit(rid, "bob", stage.new_cid(), 1, "edited"))
    (line,) = conversations(bob)["conversations"]
    assert (line["last"]["body"], line["last"]["act"]) == ("edited", {"kind": "edit", "ref": 1})
    assert line["unread"] == 1
    act(ann, lambda rid: ops.Send(rid, "bob", stage.new_cid(), "for a while", extra))
    (line,) = conversations(bob)["conversations"]
    assert line["last"]["body"] == "for a while"
    assert "extra" not in line["last"]
    act(bob, lambda rid: ops.Delete(rid, "ann", stage.new_cid(), [4], "me"))
    (line,) = conversations(bob)["conversations"]
    assert (line["last"]["body"], line["last"]["hidden"]) == ("", True)
    assert conversations(ann)["conversations"][0]["last"]["body"] == "for a while"
    stage.run(31.0)
    (line,) = conversations(ann)["conversations"]
    assert (line["last"]["body"], line["last"]["gone"]) == ("", True)


def test_the_richest_lines_fit_into_a_page(stage: Stage) -> None:
    ann = stage.hello("ann")
    stage.add_file("ann", FILE)
    files = [FILE] * FILES_MAX
    extra = ops.Extra(1, None, ["bob"], "file", files, expires_s=30)
    ann.send("bob", "hi")
    act(ann, lambda rid: ops.Send(rid, "bob", stage.new_cid(), "look", extra))
    act(ann, lambda rid: ops.Edit(rid, "bob", stage.new_cid(), 2, "look here"))
    act(ann, lambda rid: ops.React(rid, "bob", stage.new_cid(), 2, "x"))
    key = keys.conversation_key("ann", "bob")
    reading = Reading(stage.broker.context.archive, 0)
    brief = reading.brief(key, 2, stage.broker.context.archive.record(key, 2))
    assert 0 < len(codec.decode(brief)["extra"]["files"]) < FILES_MAX
    line = {**conversations(ann)["conversations"][0], "last": codec.decode(brief)}
    page = {"re": 1, "ok": {"conversations": [line] * CONVERSATIONS_PAGE_MAX, "more": True}}
    assert codec.decode(codec.encode(page)) == page
