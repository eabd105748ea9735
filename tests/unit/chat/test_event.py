"""The vocabulary of events: small values that are told between actors."""

from __future__ import annotations

import gc
import inspect

import msgspec
import pytest

from actorchat.chat import event, signin_event
from actorchat.chat.account import Account, Device
from actorchat.chat.event import Accepted, Address, Attach, Deliver, Event, Prior, Reached, Refused
from tests.unit.chat.cast import PAIR, Peer


def structs(module: object) -> list[type]:
    """Return the structs that a module defines."""
    return [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and issubclass(kind, msgspec.Struct)
        and kind.__module__ == module.__name__
    ]


@pytest.mark.parametrize(
    "kind", [*structs(event), *structs(signin_event), Account, Device], ids=lambda k: k.__name__
)
def test_no_event_is_seen_by_the_collector(kind: type) -> None:
    assert kind.__struct_config__.gc is False
    made = kind(*[[] for _ in kind.__struct_fields__])
    assert not gc.is_tracked(made)


@pytest.mark.parametrize("kind", structs(event), ids=lambda k: k.__name__)
def test_every_event_says_what_it_means(kind: type) -> None:
    assert kind.__doc__ and kind.__doc__.split("\n")[0].endswith((".", ":"))


def test_events_of_other_kinds_are_not_equal() -> None:
    assert Accepted(1, 2, 3) == Accepted(1, 2, 3)
    assert Accepted(1, 2, 3) != Prior(1, 2, 3)


def test_events_of_different_addresses_are_not_equal() -> None:
    one, other = Peer("one"), Peer("other")
    assert Attach("phone", one) == Attach("phone", one)
    assert Attach("phone", one) != Attach("phone", other)


def test_address_puts_what_it_is_told_behind_it() -> None:
    peer = Peer()
    address: Address = peer
    address.tell(Reached("ann", 1))
    assert peer.told == [Reached("ann", 1, 0)]


def test_refusal_is_final_and_without_effect_unless_it_says_otherwise() -> None:
    refused = Refused(None, "forbidden", "no")
    assert (refused.retry, refused.outcome, refused.after_ms) == ("never", "none", None)


def test_carried_delivery_is_an_event_of_its_own() -> None:
    assert issubclass(Deliver, Event)
    assert Deliver(PAIR, b"k", Peer(), 2, 1, b"r").prev == 1
