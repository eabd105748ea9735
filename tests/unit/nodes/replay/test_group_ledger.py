"""Each way in which a copy can be wrong is found, and what is right is not."""

from __future__ import annotations

import pytest

from nodes.replay.group_ledger import GroupLedger
from nodes.replay.ledger import Seen
from nodes.replay.traffic import Line

GROUP, OTHER = "#one", "#two"
LINES = [Line("ann", GROUP, "a"), Line("ann", GROUP, "b"), Line("bob", OTHER, "c")]
MEMBERS = {GROUP: ["cid", "dan"], OTHER: ["ann"]}
CREATE = Seen("ann", 1, bytes(16), "")


def ledger() -> GroupLedger:
    return GroupLedger(LINES, b"r" * 8, MEMBERS)


def seen(made: GroupLedger, index: int, seq: int, **other: str) -> Seen:
    line = LINES[index]
    sender, text = other.get("sender", line.sender), other.get("text", line.text)
    return Seen(sender, seq, made.cid(index), text)


def played() -> GroupLedger:
    """Return a ledger of a run in which all went well."""
    made = ledger()
    for index, seq in ((0, 2), (1, 3), (2, 2)):
        made.on_acked(index, seq)
    for reader in ("cid", "dan"):
        assert not made.on_copy(reader, GROUP, CREATE)
        assert made.on_copy(reader, GROUP, seen(made, 0, 2))
        assert made.on_copy(reader, GROUP, seen(made, 1, 3))
    made.on_copy("ann", OTHER, CREATE)
    made.on_copy("ann", OTHER, seen(made, 2, 2))
    return made


def kinds(made: GroupLedger) -> set[str]:
    return set(made.counts)


def test_run_in_which_all_went_well_has_no_difference() -> None:
    made = played()
    made.judge_ends()
    made.judge_group("ann", GROUP, 3, [CREATE, seen(made, 0, 2), seen(made, 1, 3)])
    assert made.differences == []
    assert made.delivered == made.copies == 5


@pytest.mark.parametrize(
    ("reader", "what", "kind"),
    [
        ("cid", (1, 3), "lost"),  # seq 2 is due
        ("eve", (0, 2), "misdelivered"),
        ("cid", (2, 2), "misdelivered"),  # of the other group
    ],
)
def test_copy_at_a_wrong_place_is_found(reader: str, what: tuple[int, int], kind: str) -> None:
    made = ledger()
    made.on_copy("cid", GROUP, CREATE)
    made.on_copy(reader, GROUP, seen(made, *what))
    assert kinds(made) == {kind}


def test_copy_that_comes_again_or_changed_is_found() -> None:
    made = ledger()
    made.on_acked(0, 3)
    for copy in (CREATE, seen(made, 0, 2, sender="eve", text="x")):
        made.on_copy("cid", GROUP, copy)
    assert kinds(made) == {"misattributed", "altered", "renumbered"}
    assert not made.on_copy("cid", GROUP, seen(made, 0, 2))
    assert "duplicated" in kinds(made)


def test_order_that_is_another_for_somebody_is_found() -> None:
    made = ledger()
    for reader, first, second in (("cid", 0, 1), ("dan", 1, 0)):
        for copy in (CREATE, seen(made, first, 2), seen(made, second, 3)):
            made.on_copy(reader, GROUP, copy)
    assert kinds(made) == {"reordered"}


def test_what_is_missing_in_the_end_is_found() -> None:
    made = ledger()
    made.on_acked(0, 2)
    made.on_acked(2, 3)
    made.judge_ends()
    assert {"unacked", "renumbered", "lost"} == kinds(made)


def test_send_that_failed_is_a_difference_and_no_hole() -> None:
    made = ledger()
    made.on_failed(2, "no")
    made.on_copy("ann", OTHER, CREATE)
    for index, seq in ((0, 2), (1, 3)):
        made.on_acked(index, seq)
    for reader in ("cid", "dan"):
        for copy in (CREATE, seen(made, 0, 2), seen(made, 1, 3)):
            made.on_copy(reader, GROUP, copy)
    made.judge_ends()
    assert kinds(made) == {"failed"}


def test_history_with_a_hole_or_an_early_end_is_found() -> None:
    made = played()
    made.judge_group("ann", GROUP, 3, [CREATE, seen(made, 1, 3)])
    made.judge_group("ann", GROUP, 3, [CREATE, seen(made, 0, 2)])
    assert made.counts["history_gap"] == 2
