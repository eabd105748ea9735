"""What actors are promised holds between nodes too, over links that lose, break and part."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorchat.cluster.link_machine import LinkMachine
from actorchat.cluster.link_peer import Peer
from actorchat.testing.link_net import LinkWeather
from tests.property.link_society import ACTIONS, LinkSociety

ROUGH = {"loss": 0.01, "breaks": 0.01, "refusal": 0.05}


def outcome(seed: int, **weather: float) -> LinkSociety:
    society = LinkSociety(seed, LinkWeather(**weather))
    society.live()
    return society


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.01, 0.1]),
    breaks=st.sampled_from([0.0, 0.01]),
    refusal=st.sampled_from([0.0, 0.2]),
)
def test_random_societies_over_links_keep_every_promise(
    seed: int, loss: float, breaks: float, refusal: float
) -> None:
    assert outcome(seed, loss=loss, breaks=breaks, refusal=refusal).breaches == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_many_societies_do_everything_and_keep_every_promise() -> None:
    done: Any = None
    for seed in range(60):
        society = outcome(seed, **ROUGH)
        assert society.breaches == [], f"seed {seed}"
        done = society.done if done is None else done + society.done
    assert all(done[action] > 20 for action in (*ACTIONS, "heard", "kill", "dead"))


def broken(monkeypatch: pytest.MonkeyPatch, cls: type, name: str, make: Any) -> list[str]:
    """Return what societies notice when `make(old)` stands in for a method."""
    monkeypatch.setattr(cls, name, make(getattr(cls, name)))
    return [breach for seed in range(12) for breach in outcome(seed, **ROUGH).breaches]


def test_a_link_that_overlooks_gaps_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(receive: Any) -> Any:
        def blind(self: Any, head: Any, *args: Any) -> Any:
            if head.seq > self._in_seq and self._is_open:
                self._in_seq = head.seq - 1
            return receive(self, head, *args)

        return blind

    assert any("G3" in it for it in broken(monkeypatch, LinkMachine, "receive", make))


def test_a_peer_that_delivers_twice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(deliver: Any) -> Any:
        def again(self: Any, frame: bytes, at: int) -> None:
            deliver(self, frame, at)
            deliver(self, frame, at)

        return again

    assert any("G1" in it for it in broken(monkeypatch, Peer, "_deliver", make))


def test_a_peer_that_forgets_its_calls_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(fall: Any) -> Any:
        def forgetful(self: Any, down: Any) -> None:
            self._watches.clear()
            fall(self, down)
            self._watched = dict.fromkeys([1], (self._mesh.system._root, 0))

        return forgetful

    assert broken(monkeypatch, Peer, "_fall", make)
