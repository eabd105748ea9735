"""Tickets for files: who gets one, what it is good for, what counts against a quota."""

from __future__ import annotations

from typing import Any

import pytest

from actorchat.chat.account import Device, token_digest
from actorchat.chat.event import Answer, Refused
from actorchat.chat.file import (
    Abandoned,
    Admit,
    Arrived,
    Asked,
    Claimed,
    FileDesk,
    FileFacts,
    FilePolicy,
    KeepFile,
    Pass,
    Tell,
    Usage,
)
from actorchat.protocol.ops.file import Download, Upload
from tests.unit.chat.cast import Peer

SESSION, REPLY = Peer("session"), Peer("reply")
HASH = bytes(range(32))
BASE = "http://chat:7780"
POLICY = FilePolicy(file_bytes_max=100, quota_bytes=250, ticket_s=10.0, tickets_user_max=3)
PHONE = Device("phone", token_digest("secret"), 0)


@pytest.fixture
def desk() -> FileDesk:
    return FileDesk(POLICY)


def asked(op: Any, ticket: str = "t1", **facts: Any) -> Asked:
    return Asked(SESSION, "ann", "phone", op, ticket, facts.pop("base", BASE), **facts)


def upload(size: int = 80, sha256: bytes = HASH) -> Upload:
    return Upload(1, sha256, size, "image/png")


def told(effects: list[object]) -> Any:
    (effect,) = effects
    assert isinstance(effect, Tell)
    return effect.event


def claim(ticket: str = "t1", **facts: Any) -> Claimed:
    return Claimed(REPLY, facts.pop("sha256", HASH), facts.pop("is_upload", True), ticket, **facts)


def admitted(desk: FileDesk, ticket: str = "t1", now_ms: int = 0) -> Pass:
    event = told(desk.handle(claim(ticket, right=PHONE), now_ms))
    assert isinstance(event, Admit)
    return event.pass_


def test_ticket_says_where_and_until_when(desk: FileDesk) -> None:
    answer = told(desk.handle(asked(upload()), 1_000))
    assert answer == Answer(
        1,
        {
            "base": BASE,
            "path": f"/v1/files/{HASH.hex()}",
            "ticket": "t1",
            "expires": 11_000,
            "stored": False,
        },
    )


def test_ticket_is_good_once(desk: FileDesk) -> None:
    desk.handle(asked(upload()), 0)
    granted = admitted(desk)
    assert (granted.user, granted.size, granted.type) == ("ann", 80, "image/png")
    assert told(desk.handle(claim(right=PHONE), 0)).code == "unauthenticated"


@pytest.mark.parametrize(
    "wrong",
    [
        {"ticket": "t2"},
        {"sha256": bytes(32)},
        {"is_upload": False},
        {"right": None},  # the device was revoked meanwhile
    ],
)
def test_ticket_is_for_one_thing_alone(desk: FileDesk, wrong: dict[str, Any]) -> None:
    desk.handle(asked(upload()), 0)
    event = told(desk.handle(claim(**({"right": PHONE} | wrong)), 0))
    assert (event.code, event.outcome) == ("unauthenticated", "none")
    assert desk.tickets == 1


def test_ticket_grows_old_and_gives_back_what_it_held(desk: FileDesk) -> None:
    desk.handle(asked(upload()), 0)
    assert desk.reserved("ann") == 80
    assert told(desk.handle(claim("other", right=PHONE), 9_999)).code == "unauthenticated"
    assert desk.tickets == 1
    assert told(desk.handle(claim(right=PHONE), 10_000)).code == "unauthenticated"
    assert (desk.tickets, desk.reserved("ann")) == (0, 0)


def test_what_may_come_counts_against_the_quota(desk: FileDesk) -> None:
    for number in range(3):
        desk.handle(asked(upload(80, bytes([number] * 32)), f"t{number}"), 0)
    granted = told(desk.handle(claim("t0", sha256=bytes(32), right=PHONE), 0)).pass_
    refused = told(desk.handle(asked(upload(11), "t9"), 0))
    assert refused.code == "quota_exceeded"
    desk.handle(Abandoned(granted), 0)
    desk.handle(Abandoned(granted), 0)
    assert desk.reserved("ann") == 160
    assert isinstance(told(desk.handle(asked(upload(11), "t9"), 0)), Answer)


def test_stored_files_count_against_the_quota(desk: FileDesk) -> None:
    usage = Usage(200, 2)
    assert told(desk.handle(asked(upload(51), usage=usage), 0)).code == "quota_exceeded"
    assert isinstance(told(desk.handle(asked(upload(50), usage=usage), 0)), Answer)


def test_file_that_is_too_large_is_refused(desk: FileDesk) -> None:
    assert told(desk.handle(asked(upload(101)), 0)).code == "too_large"


def test_node_without_http_says_so(desk: FileDesk) -> None:
    for op in (upload(), Download(1, HASH)):
        assert told(desk.handle(asked(op, base=""), 0)).code == "unsupported"


def test_tickets_are_bounded(desk: FileDesk) -> None:
    for number in range(3):
        desk.handle(asked(upload(1), f"t{number}"), 0)
    refused = told(desk.handle(asked(upload(1), "t3"), 0))
    assert (refused.code, refused.retry, refused.after_ms) == ("busy", "after", 1_000)
    small = FileDesk(FilePolicy(tickets_max=1))
    small.handle(asked(upload()), 0)
    other = Asked(SESSION, "bob", "web", upload(), "t2", BASE)
    assert told(small.handle(other, 0)).code == "busy"


def test_spent_tickets_are_not_kept(desk: FileDesk) -> None:
    for number in range(5_000):
        desk.handle(asked(upload(1), f"t{number}"), 0)
        desk.handle(Abandoned(admitted(desk, f"t{number}")), 0)
    assert desk.tickets == 0
    assert len(desk._by_age) < 1_100


def test_file_that_arrived_is_kept_and_counted(desk: FileDesk) -> None:
    desk.handle(asked(upload()), 0)
    granted = admitted(desk)
    (effect,) = desk.handle(Arrived(REPLY, granted, usage=Usage(10, 1)), 5)
    assert effect == KeepFile(
        REPLY,
        "ann",
        HASH,
        FileFacts(80, "image/png", 5),
        Usage(90, 2),
        True,
        Answer(0, {"size": 80, "type": "image/png"}),
    )
    assert desk.reserved("ann") == 0


def test_file_that_comes_twice_counts_once(desk: FileDesk) -> None:
    own = FileFacts(80, "image/png", 1)
    answer = told(desk.handle(asked(upload(), own=own, known=own, usage=Usage(240, 3)), 0))
    assert answer.ok["stored"] is True
    assert desk.reserved("ann") == 0
    (effect,) = desk.handle(Arrived(REPLY, admitted(desk), own, own, Usage(240, 3)), 5)
    assert isinstance(effect, KeepFile)
    assert (effect.usage, effect.is_new) == (Usage(240, 3), False)


def test_file_of_somebody_else_need_not_be_brought_but_counts(desk: FileDesk) -> None:
    known = FileFacts(80, "image/png", 1)
    (effect,) = desk.handle(asked(upload(), known=known, usage=Usage(10, 1)), 7)
    assert isinstance(effect, KeepFile)
    assert (effect.to, effect.usage, effect.is_new) == (SESSION, Usage(90, 2), False)
    assert effect.answer.ok["stored"] is True
    lie = told(desk.handle(asked(upload(81), "t2", known=known), 0))
    assert lie.code == "size_mismatch"
    much = told(desk.handle(asked(upload(), "t2", known=known, usage=Usage(200, 1)), 0))
    assert much.code == "quota_exceeded"


def test_quota_that_was_used_up_meanwhile_is_seen(desk: FileDesk) -> None:
    desk.handle(asked(upload()), 0)
    refused = told(desk.handle(Arrived(REPLY, admitted(desk), usage=Usage(200, 1)), 0))
    assert isinstance(refused, Refused)
    assert refused.code == "quota_exceeded"


def test_file_is_fetched_by_ticket(desk: FileDesk) -> None:
    assert told(desk.handle(asked(Download(1, HASH)), 0)).code == "no_such_file"
    known = FileFacts(80, "image/png", 1)
    answer = told(desk.handle(asked(Download(1, HASH), known=known), 0))
    assert (answer.ok["size"], answer.ok["type"]) == (80, "image/png")
    granted = told(desk.handle(claim(is_upload=False, right=PHONE), 0)).pass_
    assert (granted.size, granted.is_upload, granted.reserved) == (80, False, 0)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"right": PHONE, "token": "secret"}, None),
        ({"right": PHONE, "token": "guess"}, "unauthenticated"),
        ({"right": None, "token": "secret"}, "unauthenticated"),
        ({"right": PHONE, "token": "secret", "facts": None}, "no_such_file"),
        ({"right": PHONE, "token": "secret", "is_upload": True}, "unauthenticated"),
    ],
)
def test_file_is_fetched_as_a_device(
    desk: FileDesk, facts: dict[str, Any], code: str | None
) -> None:
    file = FileFacts(80, "image/png", 1)
    given = {"user": "ann", "device": "phone", "is_upload": False, "facts": file} | facts
    event = told(desk.handle(claim("", **given), 0))
    assert event.code == code if code else event.pass_.size == 80


def test_owner_of_a_ticket_is_known(desk: FileDesk) -> None:
    desk.handle(asked(upload()), 0)
    assert desk.device_of("t1") == ("ann", "phone")
    assert desk.device_of("t2") is None
