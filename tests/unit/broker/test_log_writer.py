from __future__ import annotations

import pytest

from actorchat.broker.log_writer import LogWriter, store_full
from actorchat.chat.event import Accepted, Answer, Page, SignedIn, SignInRefused, Stored
from actorchat.errors import StoreFull, StoreIO
from actorchat.protocol import ops
from actorchat.store.memory import Fault, MemoryEngine
from tests.unit.broker.stage import Stage


class NoSpace:
    """An engine whose writes fail while the disk is full."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._write = engine.write
        self.is_full = False
        engine.write = self.write  # type: ignore[method-assign]

    def write(self, batch: object) -> None:
        if self.is_full:
            raise StoreFull("no space left on device")
        self._write(batch)  # type: ignore[arg-type]


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob")
    return stage


@pytest.mark.parametrize(("sender", "recipient"), [("ann", "bob"), ("bob", "ann")])
def test_full_disk_refuses_sends_reads_go_on_and_it_recovers(
    stage: Stage, sender: str, recipient: str
) -> None:
    one, other = stage.hello(sender), stage.hello(recipient)
    one.send(recipient, "before")
    disk = NoSpace(stage.engine)
    disk.is_full = True
    cid = stage.new_cid()
    for _ in range(3):
        err = one.send(recipient, "while full", cid)["err"]
        assert (err["code"], err["retry"], err["outcome"]) == ("store_full", "after", "none")
    page = one.ask(lambda rid: ops.History(rid, recipient))["ok"]
    assert [record["body"] for record in page["events"]] == ["before"]
    late = stage.hello(recipient, "laptop")
    stage.run()
    other.ack()
    assert late.bodies == ["before"]
    disk.is_full = False
    stage.run(3.0)
    assert one.send(recipient, "while full", cid)["ok"]["seq"] == 2
    stage.run(3.0)
    seen = {push["upd"]: push["msg"]["body"] for push in other.messages}
    assert seen == {1: "before", 2: "while full"}
    assert stage.rows("outbox") == []
    assert stage.crashes == []


def test_sends_in_flight_when_the_disk_fills_leave_no_hole(stage: Stage) -> None:
    ann, bob = stage.hello("ann"), stage.hello("bob")
    disk = NoSpace(stage.engine)
    disk.is_full = True
    cids = [stage.new_cid() for _ in range(20)]
    for cid in cids:
        bob.start(lambda rid, cid=cid: ops.Send(rid, "ann", cid, "hi"))
        ann.start(lambda rid, cid=cid: ops.Send(rid, "bob", cid, "ho"))
    stage.run(0.5)
    disk.is_full = False
    stage.run(2.0)
    for cid in cids:
        assert "ok" in bob.send("ann", "hi", cid)
        assert "ok" in ann.send("bob", "ho", cid)
    stage.run(3.0)
    assert len(stage.rows("history")) == 40
    assert sorted({push["upd"] for push in ann.messages}) == list(range(1, 21))
    assert sorted({push["upd"] for push in bob.messages}) == list(range(1, 21))


def test_failed_sync_ends_all_acks(stage: Stage) -> None:
    ann = stage.hello("ann")
    stage.engine.inject(Fault("sync", StoreIO("fdatasync")))
    with pytest.raises(StoreIO):
        ann.send("bob", "hi")
    assert all("err" in reply or rid == 1 for rid, reply in ann.connection.replies.items())


def test_whoever_waits_for_a_lost_append_is_told() -> None:
    told: list[object] = []
    engine = MemoryEngine()
    disk = NoSpace(engine)
    soon: list[object] = []
    writer = LogWriter(engine, None, soon.append, lambda error: None)  # type: ignore[arg-type]
    disk.is_full = True
    family = engine.family("state")
    page = Page(5, [], 0, False, {})
    waiting = (SignedIn("ann", "phone"), Stored(9), page, "nothing")
    for event in (Accepted(1, 2, 3), Answer(4, {}), *waiting):
        writer.append(((family, b"key", b"value"),), told.append, event)
    soon.pop()()  # type: ignore[operator]
    assert told[:2] == [store_full(1), store_full(4)]
    assert isinstance(told[2], SignInRefused)
    assert told[3:] == [Stored(0)]
    assert writer.committer.generation == 1
    assert writer.is_full
    disk.is_full = False
    writer.append_lazily(((family, b"hint", b""),))
    writer.delete_range(family, b"a", b"z")
    writer.tick()
    assert not writer.is_full
    assert writer.committer.generation == 2
    assert engine.get(b"hint", family) is None
