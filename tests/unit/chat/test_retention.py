"""What has been kept long enough, and what never goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actorchat.chat.retention import (
    Ledger,
    Line,
    Policy,
    droppable,
    dropped,
    expired_upto,
    measure,
)

DAY = 86_400
DAY_MS = DAY * 1000
NOW = 1_000 * DAY_MS
# A message counts as old after 10 days, and may go after 5 at the earliest.
AGED = Policy(2.0 * DAY, 10.0 * DAY, None, 5.0 * DAY, 0.0)
SIZED = Policy(2.0 * DAY, None, 25, 5.0 * DAY, 0.0)


def aged(*days: int, first: int = 1, size: int = 10) -> list[Line]:
    return [Line(at, NOW - age * DAY_MS, size) for at, age in enumerate(days, first)]


def test_updates_expire_from_the_front_up_to_the_first_young_one() -> None:
    policy = Policy(30.0 * DAY)
    assert expired_upto(policy, aged(40, 31, 29, 31, first=7), NOW) == 8
    assert expired_upto(policy, aged(30, 40), NOW) == 0  # exactly 30 days are not more
    assert expired_upto(policy, [], NOW) == 0


def test_messages_go_for_their_age_from_the_front() -> None:
    lines = aged(12, 11, 10, 9, 11)
    assert droppable(AGED, Ledger(), lines, 5, None, NOW) == 2


def test_without_a_setting_nothing_ever_goes() -> None:
    policy = Policy()
    assert not policy.drops_history
    assert droppable(policy, Ledger(1, 2, 20), aged(900, 800), 9, None, NOW) == 0


def test_last_record_stays_however_old() -> None:
    assert droppable(AGED, Ledger(), aged(99, 98), 2, None, NOW) == 1


def test_what_is_owed_stays_however_old() -> None:
    assert droppable(AGED, Ledger(), aged(99, 98, 97), 3, 2, NOW) == 1
    assert droppable(AGED, Ledger(), aged(99, 98, 97), 3, 1, NOW) == 0


def test_messages_go_while_the_rest_is_too_much() -> None:
    lines = aged(9, 9, 9, 9)
    assert SIZED.drops_history
    assert droppable(SIZED, Ledger(1, 4, 40), lines, 4, None, NOW) == 2  # 20 bytes are left


def test_size_counts_only_what_was_measured() -> None:
    # The ledger has not seen seqs 3 and 4, so they can't be what is too much.
    assert droppable(SIZED, Ledger(1, 2, 60), aged(9, 9, 9, 9), 4, None, NOW) == 2


def test_young_messages_stay_though_they_are_too_much() -> None:
    assert droppable(SIZED, Ledger(1, 4, 40), aged(9, 4, 4, 4), 4, None, NOW) == 1


def test_no_setting_undercuts_the_life_of_a_client_id_or_of_an_update() -> None:
    eager = Policy(30.0 * DAY, 1.0 * DAY, None, 7.0 * DAY, 1.0 * DAY)
    assert eager.history_cutoff(NOW) == NOW - 31 * DAY_MS
    short = Policy(1.0 * DAY, 1.0 * DAY, None, 7.0 * DAY, 1.0 * DAY)
    assert short.history_cutoff(NOW) == NOW - 7 * DAY_MS


def test_ledger_counts_each_record_once_and_takes_off_what_goes() -> None:
    ledger = Ledger()
    measure(ledger, aged(9, 9, 9))
    measure(ledger, aged(9, 9, 9))
    assert ledger == Ledger(1, 3, 30)
    assert dropped(ledger, aged(9, 9)) == Ledger(3, 3, 10)
    # What was never measured was never counted.
    assert dropped(Ledger(), aged(9, 9)) == Ledger(3, 2, 0)


@given(
    days=st.lists(st.integers(0, 60), max_size=20),
    owed=st.none() | st.integers(1, 21),
    keep=st.none() | st.integers(0, 40),
    budget=st.none() | st.integers(0, 200),
)
def test_whatever_is_set_the_rest_is_dense_and_what_must_stay_stays(
    days: list[int], owed: int | None, keep: int | None, budget: int | None
) -> None:
    policy = Policy(2.0 * DAY, None if keep is None else float(keep * DAY), budget, 5.0 * DAY, 0.0)
    lines, ledger = aged(*days), Ledger()
    measure(ledger, lines)
    count = droppable(policy, ledger, lines, len(lines), owed, NOW)
    assert count < len(lines) or not lines
    assert owed is None or count < owed
    assert all(age > 5 for age in days[:count])
    after = dropped(ledger, lines[:count])
    assert after == Ledger(count + 1, len(lines), 10 * (len(lines) - count))
    # A second look at once finds nothing more.
    assert droppable(policy, after, lines[count:], len(lines), owed, NOW) == 0
