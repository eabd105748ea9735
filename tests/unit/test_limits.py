"""The bounds are consistent with each other; a change of one must keep what others rely on."""

from __future__ import annotations

import pytest

from actorchat import limits

UTF8_BYTES_PER_CHAR_MAX = 4
ENVELOPE_BYTES = 1_024  # names, ids and keys around a body, generously
BOUNDS = {name: value for name, value in vars(limits).items() if name.isupper()}


@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_bound_is_a_positive_number(name: str) -> None:
    assert isinstance(BOUNDS[name], int | float)
    assert BOUNDS[name] > 0


def test_longest_password_fits_in_a_hello() -> None:
    assert limits.SECRET_CHARS_MAX <= limits.JWT_CHARS_MAX
    chars = limits.JWT_CHARS_MAX + limits.AGENT_CHARS_MAX
    assert chars + ENVELOPE_BYTES <= limits.HELLO_FRAME_BYTES_MAX < limits.FRAME_BYTES_MAX


def test_page_of_history_fits_in_a_frame_and_a_frame_in_an_outbox() -> None:
    assert limits.HISTORY_PAGE_BYTES_MAX < limits.FRAME_BYTES_MAX < limits.OUTBOX_BYTES_MAX


def test_client_pings_twice_before_it_is_taken_for_gone() -> None:
    assert 2 * limits.PING_INTERVAL_S < limits.IDLE_TIMEOUT_S


def test_client_acks_often_enough_to_keep_its_window_open() -> None:
    assert 2 * limits.ACK_EVERY_UPDATES <= limits.DELIVERY_WINDOW_UPDATES
    assert limits.CATCH_UP_PAGE_UPDATES <= limits.DELIVERY_WINDOW_UPDATES
