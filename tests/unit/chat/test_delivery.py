from __future__ import annotations

import pytest

from actorchat.chat.delivery import Delivery
from actorchat.limits import CATCH_UP_PAGE_UPDATES, DELIVERY_WINDOW_UPDATES
from tests.unit.chat.cast import Peer


def attached(acked: int = 0, sent: int = 0) -> Delivery:
    delivery = Delivery("phone", acked)
    delivery.session = Peer()
    delivery.sent = sent
    return delivery


def test_new_delivery_has_sent_what_is_acked() -> None:
    delivery = Delivery("phone", 7)
    assert (delivery.sent, delivery.acked, delivery.session) == (7, 7, None)
    assert delivery.is_kept and not delivery.is_reading


def test_room_ends_with_the_window() -> None:
    delivery = attached(acked=10, sent=10 + DELIVERY_WINDOW_UPDATES - 1)
    assert delivery.has_room()
    delivery.sent += 1
    assert not delivery.has_room()


def test_next_page_begins_behind_what_was_sent() -> None:
    assert attached(acked=2, sent=5).next_page(9) == (6, 9)


def test_page_is_cut_at_its_size() -> None:
    assert attached().next_page(10_000) == (1, CATCH_UP_PAGE_UPDATES)


def test_page_is_cut_at_the_window() -> None:
    sent = 40 + DELIVERY_WINDOW_UPDATES - 3
    assert attached(acked=40, sent=sent).next_page(10_000) == (sent + 1, sent + 3)


@pytest.mark.parametrize("durable", [5, 4])
def test_who_is_up_to_date_reads_nothing(durable: int) -> None:
    assert attached(acked=5, sent=5).next_page(durable) is None


def test_full_window_reads_nothing() -> None:
    assert attached(sent=DELIVERY_WINDOW_UPDATES).next_page(10_000) is None


def test_device_without_session_reads_nothing() -> None:
    assert Delivery("phone", 0).next_page(9) is None


def test_one_page_is_read_at_a_time() -> None:
    delivery = attached()
    delivery.is_reading = True
    assert delivery.next_page(9) is None


def test_cut_page_is_acked_before_more_is_read() -> None:
    delivery = attached(acked=3, sent=5)
    delivery.wanted = 5
    assert delivery.next_page(9) is None
    delivery.acked = 5
    assert delivery.next_page(9) == (6, 9)
