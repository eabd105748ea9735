"""What nodes tell each other is plain: values that the collector does not see."""

from __future__ import annotations

import gc

from actorchat.chat.afar import (
    AboutThem,
    AbroadDue,
    AnswerDue,
    AskAbout,
    AskFacts,
    BlockKept,
    FactsGiven,
    InquiryDue,
    Known,
    Leave,
    Listed,
    NodeLost,
    RoundupDue,
    TableTurned,
    WhoIs,
)
from tests.unit.chat.cast import Peer


def test_events_are_values_that_the_collector_does_not_see() -> None:
    pair = ("ann", "bob")
    events = [
        WhoIs("bob", Peer("s")),
        Known("bob", True),
        AnswerDue(),
        Listed(pair, b"key"),
        NodeLost("b"),
        InquiryDue("bob"),
        RoundupDue(1),
        Leave(),
        TableTurned(),
        AskAbout(Peer("s"), 1, "ann", ["bob"]),
        AboutThem(1, "b", [], []),
        AbroadDue(1),
        AskFacts(Peer("s"), 1, "bob", ["ann"]),
        FactsGiven(1, "a", []),
        BlockKept("bob", "ann", True, Peer("s"), 7),
    ]
    assert not any(map(gc.is_tracked, events))
    assert Known("bob", True) == Known("bob", True) != Known("bob", False)
    assert Listed(pair, b"key") == Listed(pair, b"key")
