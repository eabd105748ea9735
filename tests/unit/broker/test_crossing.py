"""What crosses between nodes is, byte for byte, what it was when it got its code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actorchat.broker.crossing import CODES, allow
from actorchat.chat import (
    act,
    afar,
    block,
    concealing,
    erasure,
    event,
    group_event,
    moderating,
    people,
    reservation,
    search,
    sighting,
    signin_event,
)
from actorchat.chat.acting import Acting
from actorchat.chat.history import Wanted
from actorchat.chat.invitation import Invitation
from actorchat.cluster import handoff
from actorchat.cluster.link_codec import MessageCodec, Reference
from actorchat.errors import Unsendable
from actorchat.protocol import ops
from actorchat.protocol.ops import Extra, PresenceState, Reacted
from actorchat.protocol.ops.group import Add

VECTORS = Path(__file__).parent / "crossing.hex"
PAIR = ("ann", "bob")
KEY = bytes(range(18))
CID = bytes(range(16))


class Somebody(Reference):
    """A ref that is only its name."""

    def __init__(self, name: bytes) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Somebody) and other.name == self.name

    __hash__ = None  # type: ignore[assignment]

    def tell(self, message: object, /) -> None:
        raise AssertionError(message)


S = Somebody(b"s")
RESERVED = reservation.Reservation(CID, bytes(16), "ann")
EXTRA = Extra(re=3, mentions=["bob"])
EXAMPLES: list[Any] = [
    handoff.TakeOver(5, 3, 9, S, is_unsure=True),
    handoff.Began(5, 9),
    handoff.Piece(5, 9, 2, b"ops", is_last=True, sender=S),
    handoff.Took(5, 9, 2),
    handoff.Kept(5, 9),
    afar.Where(S, 7),
    event.Post("ann", S, 7, CID, "hi", None, b"", True),
    event.Post("ann", S, 7, CID, "hi", more=EXTRA),
    event.Post("ann", S, 7, CID, "", more=Acting(Reacted(4, "+"))),
    event.Reached("ann", 3, 2),
    event.Fetch("ann", S, 7, 0, None, 50),
    event.Fetch("ann", S, 7, 1, 9, 50, Wanted(4, True, 1_000, frozenset({"text"}))),
    event.FannedOut("bob", 9),
    event.Missing("bob", 4),
    afar.Known("bob", True),
    event.Deliver(PAIR, KEY, S, 5, 4, b"record", True, True, b"value"),
    event.Deliver("#AAAAAAAAAAAAAAAAAAAAAA", KEY, S, 5, 4, b"record"),
    event.Confirm(PAIR, KEY, S, 5),
    event.Acked("phone", 5),
    event.Attach("phone", S, 4),
    event.Detach("phone", S),
    event.Aware(S),
    event.Marked("bob", "bob", 3, 2),
    afar.Listed(PAIR, KEY),
    act.Hide(PAIR, [1, 2], S, 7),
    event.Accepted(7, 5, 1_700_000_000_000, True),
    event.Refused(7, "busy", "why", "after", "none", 1_000),
    event.Update(b"payload"),
    event.Page(7, [b"record"], 9, True, {"bob": {"delivered": 3, "read": 2}}, (2, 5)),
    event.Answer(7, {"user": "ann", "list": [1, b"two", None]}),
    event.Attached(9, 8, True, True),
    event.Company(True),
    event.Ended("takeover", "never"),
    event.HomeLost(),
    event.SignedIn("ann", "phone", "token"),
    event.SignInRefused("unauthenticated", "why", "never", 5),
    sighting.Arrived("ann", S),
    sighting.Departed("ann", S, 1.5, True),
    sighting.Subscribe("ann", "everyone", S, ["bob"], 7, frozenset({"cat"})),
    sighting.Unsubscribe("ann", S, ["bob"]),
    sighting.Signalled("ann", "bob", "typing"),
    sighting.SetPrivacy("ann", S, 7, "nobody"),
    sighting.AskSettings("ann", S),
    sighting.Watched("b/3", 7, [PresenceState("bob", False, 5)]),
    sighting.Sighted([PresenceState("bob", True)]),
    sighting.SignalSeen("bob", "typing"),
    sighting.LevelChanged("nobody", frozenset({"cat"})),
    sighting.TrackerLost("b/3"),
    signin_event.Attempt(S, "ann", "phone", "token", "secret", source="::1"),
    signin_event.Revocation(S, 7, "ann", "phone"),
    signin_event.PasswordChange(S, 7, "ann", "phone", "old", "new", True, keep=["phone"]),
    signin_event.Provisioning(S, 7, "ann", "password", None),
    people.Asked(S, "ann", "phone", ops.Rename(7, "phone", "Ann's")),
    afar.WhoIs("bob", S),
    afar.BlockKept("bob", "ann", True, S, 7),
    afar.AskFacts(S, 3, "bob", ["ann"]),
    afar.FactsGiven(
        3, "a", [people.ConversationFacts("ann", 5, b"r", ["ann"], {"ann": {"read": 1}}, 0)]
    ),
    block.Blocking("bob", S, 7, True),
    group_event.Changing("ann", S, 7, CID, Add(["bob"], "reader")),
    group_event.Describe("ann", S, 7, "bob"),
    group_event.AskReceipts("ann", S, 7),
    afar.AskAbout(S, 3, "ann", ["bob", "zed"]),
    afar.AboutThem(3, "b", ["zed"], ["bob"]),
    signin_event.Renewal(S, 7, "ann", "phone", "token"),
    concealing.Conceal("bob", [1, 2], S, 7),
    concealing.Concealed(PAIR, [1, 2], S, 7),
    signin_event.Enrolment(S, "ann", "phone", "password", "code", "::1"),
    reservation.Reserve(S, RESERVED),
    reservation.Reserved(RESERVED, "good", Invitation(CID, "title", 3, 2, 5, 9)),
    reservation.AskSettled(S, RESERVED),
    reservation.Settled(S, RESERVED, True),
    reservation.Closed(RESERVED),
    reservation.InvitationWanted(S, ops.Invitation(7, "add", "c" * 16, "title", 3)),
    reservation.AskInvitations(S, 3),
    reservation.InvitationsGiven(3, "b", [Invitation(CID, "title", 3, 2, 5)]),
    erasure.PeerGone("ann", S, 7),
    search.SearchPart(S, 3, "bob", "word", ["ann"], None, 20),
    search.PartFound(3, "b", [search.Hit("ann", 9, b"record")], True, 5, "busy", "why"),
    moderating.BotWanted(S, ops.Bot(7, "robot", "main", [], True)),
    moderating.Moderate("robot", S, 7, CID, PAIR, [1, 2]),
    moderating.Moderated("robot", S, 7, CID, "#AAAAAAAAAAAAAAAAAAAAAA", [1]),
]


def new_codec() -> MessageCodec:
    codec = MessageCodec(lambda ref: ref.name, Somebody)
    allow(codec)
    return codec


def test_every_code_has_an_example() -> None:
    assert {cls for cls, _ in CODES.values()} == {type(example) for example in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: type(e).__name__)
def test_what_arrives_is_what_was_told(example: Any) -> None:
    codec = new_codec()
    assert codec.decode(*codec.encode(example)) == example


def test_bytes_are_those_of_the_vectors() -> None:
    codec = new_codec()
    made = []
    for example in EXAMPLES:
        code, payload = codec.encode(example)
        made.append(f"{code} {payload.hex()}")
    assert made == VECTORS.read_text().splitlines()


def test_what_the_receiver_looks_up_does_not_cross() -> None:
    codec = new_codec()
    attempt = signin_event.Attempt(S, "ann", "phone", "token", "secret", is_gone=True)
    assert not codec.decode(*codec.encode(attempt)).is_gone


def test_a_bot_is_not_made_from_another_node() -> None:
    asked = signin_event.Provisioning(S, 7, "bot", None, "phone", bot_kinds=["msg"])
    with pytest.raises(Unsendable):
        new_codec().encode(asked)
