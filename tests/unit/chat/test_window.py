from __future__ import annotations

from actorchat.chat.event import Prior
from actorchat.chat.window import Window
from actorchat.limits import IDEMPOTENCE_WINDOW


def key(number: int) -> bytes:
    return number.to_bytes(17, "big")


def fill(window: Window, first: int = 0) -> list[bool]:
    """Add a generation; return what `add` said."""
    numbers = range(first, first + IDEMPOTENCE_WINDOW)
    return [window.add(key(number), Prior(number, 0, 0)) for number in numbers]


def test_what_was_added_is_known() -> None:
    window = Window()
    prior = Prior(7, 5, 3)
    assert window.get(key(1)) is None
    assert window.add(key(1), prior) is False
    assert window.get(key(1)) is prior


def test_full_generation_asks_once_for_what_is_synced() -> None:
    window = Window()
    assert fill(window) == [False] * (IDEMPOTENCE_WINDOW - 1) + [True]
    assert window.add(key(900), Prior(900, 0, 0)) is False


def test_nothing_is_forgotten_before_it_is_synced() -> None:
    window = Window()
    fill(window)
    fill(window, 100)
    fill(window, 200)
    assert window.get(key(0)) is not None


def test_first_rotation_keeps_everything() -> None:
    window = Window()
    fill(window)
    window.rotate()
    assert window.get(key(0)) == Prior(0, 0, 0)


def test_second_rotation_forgets_the_older_generation() -> None:
    window = Window()
    fill(window)
    window.rotate()
    assert fill(window, 100)[-1] is True
    window.rotate()
    assert window.get(key(0)) is None
    assert window.get(key(100)) == Prior(100, 0, 0)


def test_rotation_that_was_not_asked_for_changes_nothing() -> None:
    window = Window()
    window.add(key(1), Prior(1, 0, 0))
    window.rotate()
    window.rotate()
    assert window.get(key(1)) == Prior(1, 0, 0)


def test_younger_generation_is_looked_at_first() -> None:
    window = Window()
    fill(window)
    window.rotate()
    window.add(key(0), Prior(77, 0, 0))
    assert window.get(key(0)) == Prior(77, 0, 0)
