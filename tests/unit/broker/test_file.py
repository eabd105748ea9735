"""The desk of files in a whole broker: tickets by op, a file of somebody else, a crash."""

from __future__ import annotations

import pytest

from actorchat.broker.file import FILES
from actorchat.chat.file import FileFacts, Usage
from actorchat.errors import StoreFull
from actorchat.protocol import ops
from actorchat.store.memory import Fault
from actorchat.store.verify import verify
from tests.unit.broker.stage import Device, Stage

HASH = bytes(range(32))
FACTS = FileFacts(80, "image/png", 1)
GIB = 2**30
FULL = Fault("write", StoreFull("full"))


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.add_users("ann", "bob")
    offer(stage)
    return stage


def offer(stage: Stage) -> None:
    stage.broker.context.files_base = lambda: "http://127.0.0.1:7780"


def store(stage: Stage, user: str) -> None:
    context = stage.broker.context
    context.log.append(context.shelf.rows(user, HASH, FACTS, Usage(80, 1), True))
    stage.run()


def upload(device: Device, size: int = 80) -> dict[str, object]:
    return device.ask(lambda rid: ops.Upload(rid, HASH, size, "image/png"))


def test_ticket_is_given_out(stage: Stage) -> None:
    grant = upload(stage.hello("ann"))["ok"]
    assert grant["path"] == f"/v1/files/{HASH.hex()}"  # type: ignore[index]
    assert len(grant["ticket"]) == 32  # type: ignore[index]
    assert stage.broker.context.shelf.usage("ann") == Usage()


def test_node_without_http_refuses(stage: Stage) -> None:
    stage.broker.context.files_base = str
    assert upload(stage.hello("ann"))["err"]["code"] == "unsupported"  # type: ignore[index]


def test_file_of_somebody_else_becomes_ones_own_without_its_bytes(stage: Stage) -> None:
    store(stage, "ann")
    bob = stage.hello("bob")
    assert upload(bob)["ok"]["stored"] is True  # type: ignore[index]
    stage.crash()
    offer(stage)
    shelf = stage.broker.context.shelf
    assert shelf.usage("bob") == Usage(80, 1)
    assert shelf.own("bob", HASH) is not None
    bob = stage.hello("bob")
    assert upload(bob)["ok"]["stored"] is True  # type: ignore[index]
    assert shelf.usage("bob") == Usage(80, 1)
    assert upload(bob, 81)["err"]["code"] == "size_mismatch"  # type: ignore[index]


def test_full_store_makes_nothing_ones_own(stage: Stage) -> None:
    store(stage, "ann")
    bob = stage.hello("bob")
    stage.engine.inject(FULL)
    assert upload(bob)["err"]["code"] == "store_full"  # type: ignore[index]
    assert stage.broker.context.shelf.own("bob", HASH) is None


def test_download_is_granted_for_what_is_there(stage: Stage) -> None:
    bob = stage.hello("bob")
    asked = bob.ask(lambda rid: ops.Download(rid, HASH))
    assert asked["err"]["code"] == "no_such_file"
    store(stage, "ann")
    grant = bob.ask(lambda rid: ops.Download(rid, HASH))["ok"]
    assert (grant["size"], grant["type"]) == (80, "image/png")


def test_desk_that_crashed_is_there_again(stage: Stage) -> None:
    ann = stage.hello("ann")
    upload(ann)
    desk = stage.system.names.whereis(FILES)
    assert desk is not None
    desk.tell("nonsense")
    stage.run()
    assert len(stage.crashes) == 1
    assert "ok" in upload(ann)


@pytest.mark.parametrize(
    ("file", "is_taken"),
    [
        (ops.FileRef(HASH, 80, "image/png", "cat.png"), True),
        (ops.FileRef(HASH, 81, "image/png", "cat.png"), False),
        (ops.FileRef(bytes(32), 80, "image/png", "cat.png"), False),
    ],
)
def test_message_refers_to_what_is_stored_alone(
    stage: Stage, file: ops.FileRef, is_taken: bool
) -> None:
    store(stage, "ann")
    bob = stage.hello("bob")
    extra = ops.Extra(kind="file", files=[ops.FileRef(HASH, 80, "a/b", "x"), file])
    answer = bob.ask(lambda rid: ops.Send(rid, "ann", stage.new_cid(), "look", extra))
    if is_taken:
        assert "ok" in answer
    else:
        assert (answer["err"]["code"], answer["err"]["outcome"]) == ("no_such_file", "none")
    assert len(stage.rows("history")) == is_taken


def test_files_are_looked_for_where_a_message_has_some_alone(stage: Stage) -> None:
    ann = stage.hello("ann")
    stage.broker.context.shelf = None  # type: ignore[assignment]
    cid = stage.new_cid()
    assert "ok" in ann.ask(lambda rid: ops.Send(rid, "bob", cid, "x"))
    other, extra = stage.new_cid(), ops.Extra(mentions=["bob"])
    assert "ok" in ann.ask(lambda rid: ops.Send(rid, "bob", other, "x", extra))


def test_own_files_are_told_a_page_at_a_time_and_dropped_for_good(stage: Stage) -> None:
    context, ann, bob = stage.broker.context, stage.hello("ann"), stage.hello("bob")
    hashes = [bytes([number]) * 32 for number in range(5)]
    for number, sha256 in enumerate(hashes, 1):
        rows = context.shelf.rows("ann", sha256, FACTS, Usage(80 * number, number), True)
        context.log.append(rows)
    stage.run()
    page = ann.ask(lambda rid: ops.Files(rid, None, 3))["ok"]
    assert [one["sha256"] for one in page["files"]] == hashes[:3]  # type: ignore[index,union-attr]
    assert page["files"][0] == {  # type: ignore[index]
        "sha256": hashes[0],
        "size": 80,
        "type": "image/png",
        "created": 1,
    }
    assert (page["more"], page["used"], page["count"]) == (True, 400, 5)  # type: ignore[index]
    page = ann.ask(lambda rid: ops.Files(rid, hashes[2], 3))["ok"]
    assert [one["sha256"] for one in page["files"]] == hashes[3:]  # type: ignore[index,union-attr]
    assert page["more"] is False  # type: ignore[index]
    assert bob.ask(ops.Files)["ok"]["files"] == []  # type: ignore[index]

    told = ann.ask(lambda rid: ops.DropFile(rid, hashes[1]))["ok"]
    assert told == {"dropped": True, "used": 320, "count": 4}
    stage.crash()
    offer(stage)
    shelf = stage.broker.context.shelf
    assert shelf.usage("ann") == Usage(320, 4)
    assert (shelf.own("ann", hashes[1]), shelf.known(hashes[1])) == (None, FACTS)
    again = stage.hello("ann").ask(lambda rid: ops.DropFile(rid, hashes[1]))["ok"]
    assert again == {"dropped": False, "used": 320, "count": 4}
    assert verify(stage.engine).is_sound


def test_nobody_drops_a_file_of_somebody_else(stage: Stage) -> None:
    store(stage, "ann")
    told = stage.hello("bob").ask(lambda rid: ops.DropFile(rid, HASH))["ok"]
    assert told == {"dropped": False, "used": 0, "count": 0}
    assert stage.broker.context.shelf.own("ann", HASH) == FACTS


def test_quota_is_free_again_when_a_file_is_dropped(stage: Stage) -> None:
    store(stage, "ann")
    context, other = stage.broker.context, bytes(32)
    full = Usage(GIB, 2)
    context.log.append(context.shelf.rows("ann", other, FileFacts(GIB - 80, "a/b", 1), full, True))
    stage.run()
    ann, third = stage.hello("ann"), b"3" * 32
    refused = ann.ask(lambda rid: ops.Upload(rid, third, 80, "a/b"))
    assert refused["err"]["code"] == "quota_exceeded"  # type: ignore[index]
    ann.ask(lambda rid: ops.DropFile(rid, HASH))
    assert "ok" in ann.ask(lambda rid: ops.Upload(rid, third, 80, "a/b"))


def test_full_store_drops_nothing(stage: Stage) -> None:
    store(stage, "ann")
    ann = stage.hello("ann")
    stage.engine.inject(FULL)
    told = ann.ask(lambda rid: ops.DropFile(rid, HASH))
    assert told["err"]["code"] == "store_full"  # type: ignore[index]
    assert stage.broker.context.shelf.own("ann", HASH) == FACTS
