"""The people desk of a whole broker: devices and the list of conversations."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.protocol import ops
from actorchat.store import keys
from tests.unit.broker.stage import Device, Stage


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
    rows = [key for key, _ in stage.rows("state") if keys.parse_state_key(key)[1] == keys.INDEX]
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
    kinds = [keys.parse_state_key(key)[1] for key, _ in stage.rows("state")]
    assert keys.TITLE not in kinds


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
    kinds = [keys.parse_state_key(key)[1] for key, _ in stage.rows("state")]
    assert keys.PROFILE not in kinds
