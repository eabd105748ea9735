"""A hand-over goes its way step by step, and nothing is said that is not so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorchat.cluster.handoff import (
    Began,
    Begin,
    CountChanges,
    Effect,
    Event,
    Handoff,
    Hold,
    Kept,
    LetGo,
    Lost,
    Noted,
    Quiet,
    Say,
    SendChanges,
    SendLast,
    SendPiece,
    Sent,
    State,
    Tick,
    Took,
)
from actorchat.limits import (
    HANDOFF_HOLD_S,
    HANDOFF_PATIENCE_S,
    HANDOFF_PIECES,
    HANDOFF_ROUNDS,
    HANDOFF_SMALL,
)

SLOT = 5
# What brings a hand-over, of one piece, from its beginning into each state.
WAY: list[tuple[Event, State, list[Effect]]] = [
    (Tick(), State.ASKING, [Begin(1)]),
    (Began(SLOT, 1), State.COPYING, [SendPiece(1, 1)]),
    (Sent(True), State.CATCHING_UP, []),
    (Took(SLOT, 1, 1), State.CATCHING_UP, [CountChanges()]),
    (Noted(0), State.HOLDING, [Hold()]),
    (Quiet(), State.ENDING, [SendLast(1, 2)]),
    (Kept(SLOT, 1), State.SAID, [Say()]),
]
UNDER_WAY = [state for state in State if state not in (State.IDLE, State.SAID)]


def move_in(state: State, now_s: float = 0.0, is_unsure: bool = False) -> Handoff:
    """Return a hand-over that stands there, and has heard of its receiver at `now_s`."""
    move = Handoff(SLOT, 3, "b", is_unsure=is_unsure)
    for event, reached, _ in WAY:
        if move.state is state:
            break
        move.handle(event, now_s)
        assert move.state is reached
    assert move.state is state
    return move


def test_way_of_a_handover_that_nothing_disturbs() -> None:
    move = Handoff(SLOT, 3, "b")
    assert move.state is State.IDLE
    for event, state, effects in WAY:
        assert move.handle(event, 0.0) == effects
        assert move.state is state


def test_only_so_many_pieces_are_on_their_way() -> None:
    move = move_in(State.COPYING)
    for number in range(2, HANDOFF_PIECES + 1):
        assert move.handle(Sent(False), 0.0) == [SendPiece(1, number)]
    assert move.handle(Sent(False), 0.0) == []
    assert move.handle(Took(SLOT, 1, 1), 0.0) == [SendPiece(1, HANDOFF_PIECES + 1)]
    assert move.handle(Sent(True), 0.0) == []
    assert move.handle(Took(SLOT, 1, HANDOFF_PIECES), 0.0) == []
    assert move.handle(Took(SLOT, 1, HANDOFF_PIECES + 1), 0.0) == [CountChanges()]


def test_rounds_go_on_until_one_is_small() -> None:
    move = move_in(State.CATCHING_UP)
    assert move.handle(Took(SLOT, 1, 1), 0.0) == [CountChanges()]
    assert move.handle(Noted(HANDOFF_SMALL + 1), 0.0) == [SendChanges(1, 2)]
    assert move.handle(Took(SLOT, 1, 1), 0.0) == []
    assert move.handle(Took(SLOT, 1, 2), 0.0) == [CountChanges()]
    assert move.handle(Noted(HANDOFF_SMALL), 0.0) == [Hold()]


def test_rounds_that_never_are_small_come_to_an_end() -> None:
    move = move_in(State.CATCHING_UP)
    for _ in range(HANDOFF_ROUNDS):
        assert [type(one) for one in move.handle(Noted(10**6), 0.0)] == [SendChanges]
    assert move.handle(Noted(10**6), 0.0) == [Hold()]


@pytest.mark.parametrize("state", UNDER_WAY)
def test_receiver_that_is_lost_ends_the_attempt_and_the_next_begins_anew(state: State) -> None:
    move = move_in(state)
    assert move.handle(Lost(), 0.0) == [LetGo()]
    assert move.state is State.IDLE
    assert move.handle(Lost(), 0.0) == []
    assert move.handle(Tick(), 0.0) == [Begin(2)]
    assert move.handle(Began(SLOT, 1), 0.0) == []
    assert move.handle(Began(SLOT, 2), 0.0) == [SendPiece(2, 1)]
    assert move.handle(Took(SLOT, 1, 1), 0.0) == []


@pytest.mark.parametrize("state", [State.IDLE, State.SAID])
def test_receiver_that_is_lost_before_or_after_all_changes_nothing(state: State) -> None:
    move = move_in(state)
    assert move.handle(Lost(), 0.0) == []
    assert move.state is state


@pytest.mark.parametrize("state", UNDER_WAY)
def test_patience_is_less_while_entities_are_held(state: State) -> None:
    is_held = state in (State.HOLDING, State.ENDING)
    patience_s = HANDOFF_HOLD_S if is_held else HANDOFF_PATIENCE_S
    move = move_in(state, now_s=100.0)
    assert move.handle(Tick(), 100.0 + patience_s - 0.01) == []
    assert move.state is state
    assert move.handle(Tick(), 100.0 + patience_s) == [LetGo()]
    assert move.state is State.IDLE


def test_receiver_that_says_something_has_its_time_anew() -> None:
    move = move_in(State.COPYING)
    for turn in range(1, 5):
        now_s = turn * (HANDOFF_PATIENCE_S - 1)
        assert move.handle(Tick(), now_s) == []
        move.handle(Took(SLOT, 1, turn), now_s)
    assert move.state is State.COPYING
    move.handle(Took(SLOT, 0, 9), 10 * HANDOFF_PATIENCE_S)  # of an earlier attempt
    assert move.handle(Tick(), 10 * HANDOFF_PATIENCE_S) == [LetGo()]


def test_hold_has_its_own_time_however_long_the_copy_took() -> None:
    move = Handoff(SLOT, 3, "b")
    for event, now_s in zip((event for event, *_ in WAY[:4]), (0.0, 0.0, 5.0, 5.0), strict=True):
        move.handle(event, now_s)
    assert move.handle(Noted(0), 14.0) == [Hold()]
    assert move.handle(Tick(), 14.5) == []


def test_what_is_said_is_said_again_until_the_table_has_turned() -> None:
    move = move_in(State.SAID)
    for now_s in (1.0, 1_000.0):
        assert move.handle(Tick(), now_s) == [Say()]


@pytest.mark.parametrize("state", [state for state in State if state is not State.ENDING])
def test_kept_is_believed_at_the_end_only(state: State) -> None:
    move = move_in(state)
    assert move.handle(Kept(SLOT, move.attempt), 0.0) == []
    assert move.state is state


def test_kept_of_an_earlier_attempt_is_not_believed() -> None:
    move = move_in(State.ENDING)
    assert move.handle(Kept(SLOT, 0), 0.0) == []
    assert move.state is State.ENDING


def test_unsure_one_is_said_when_the_receiver_has_all_already() -> None:
    move = move_in(State.ASKING, is_unsure=True)
    assert move.handle(Kept(SLOT, 0), 0.0) == []
    assert move.handle(Kept(SLOT, 1), 0.0) == [Say()]
    assert move.state is State.SAID


@pytest.mark.parametrize("state", UNDER_WAY)
def test_unsure_one_lets_nothing_go(state: State) -> None:
    move = move_in(state, is_unsure=True)
    assert move.handle(Lost(), 0.0) == []
    assert move.state is State.IDLE
    assert move.handle(Tick(), 0.0) == [Begin(2)]
    assert move.handle(Tick(), HANDOFF_PATIENCE_S) == []
    assert move.state is State.IDLE


def test_unsure_one_whose_receiver_has_nothing_is_copied_as_any() -> None:
    move = move_in(State.ENDING, is_unsure=True)
    assert move.handle(Kept(SLOT, 1), 0.0) == [Say()]


# -- any order --------------------------------------------------------------------------------

attempts = st.integers(1, 3)
EVENTS: st.SearchStrategy[Any] = st.one_of(
    *(st.builds(Began, st.just(SLOT), attempts), st.builds(Kept, st.just(SLOT), attempts)),
    *(st.builds(Took, st.just(SLOT), attempts, st.integers(1, 9)), st.builds(Sent, st.booleans())),
    *(st.builds(Noted, st.sampled_from([0, 10**6])), st.just(Quiet()), st.just(Lost())),
    *(st.just(Tick()), st.just("what is due"), st.just("kept")),
)


def due(move: Handoff) -> Event:
    """Return what comes next if all goes well, so that some get far."""
    at = {State.IDLE: Tick(), State.ASKING: Began(SLOT, move.attempt), State.COPYING: Sent(True)}
    at |= {State.CATCHING_UP: Noted(0), State.HOLDING: Quiet(), State.SAID: Tick()}
    return at.get(move.state, Kept(SLOT, move.attempt))


def lived(move: Handoff, events: Iterable[Any]) -> list[tuple[Event, State, int, list[Effect]]]:
    """Return what happened: the event, the state and the attempt before it, what followed."""
    found, now_s = [], 0.0
    for one in events:
        now_s += 0.4
        event = due(move) if one == "what is due" else one
        event = Kept(SLOT, move.attempt) if one == "kept" else event
        before = move.state, move.attempt
        found.append((event, *before, move.handle(event, now_s)))
    return found


@settings(max_examples=300)
@given(st.booleans(), st.lists(EVENTS, max_size=40))
def test_whatever_comes_nothing_is_said_too_early_or_let_go_too_late(
    is_unsure: bool, events: list[Any]
) -> None:
    move = Handoff(SLOT, 3, "b", is_unsure=is_unsure)
    is_said = is_held = is_last_sent = False
    number = 0
    for event, state, attempt, effects in lived(move, events):
        for effect in effects:
            if isinstance(effect, Say) and not is_said:
                assert event == Kept(SLOT, attempt)
                assert (is_held and is_last_sent) or (is_unsure and state is State.ASKING)
                is_said = True
            elif isinstance(effect, LetGo):
                assert not is_said
                assert not is_unsure
                is_held = is_last_sent = False
            elif isinstance(effect, Begin):
                assert effect.attempt == attempt + 1
                assert not is_said
                number, is_held, is_last_sent = 0, False, False
            elif isinstance(effect, Hold):
                is_held = True
            elif isinstance(effect, SendPiece | SendChanges | SendLast):
                number += 1
                assert (effect.attempt, effect.number) == (attempt, number)
                assert not is_last_sent
                is_last_sent = isinstance(effect, SendLast)
                assert is_held == is_last_sent
        assert not is_said or move.state is State.SAID
