"""Sockets of a link: one context a process, bounds, and why a handshake fails."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterator

import pytest
import zmq

from actorchat import limits
from actorchat.client import watched


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Give contexts of the test's own, which end with it."""
    contexts: dict[int, zmq.Context[watched.Socket]] = {}
    monkeypatch.setattr(watched, "_contexts", contexts)
    yield monkeypatch
    monkeypatch.undo()
    for context in contexts.values():
        context.term()  # would wait for ever for a socket that was left


def test_process_has_one_context_and_its_fork_another(fresh: pytest.MonkeyPatch) -> None:
    ours = watched.shared_context()
    assert watched.shared_context() is ours
    fresh.setattr(os, "getpid", lambda: 1)
    theirs = watched.shared_context()
    assert theirs is not ours
    assert not ours.closed


@pytest.mark.parametrize("most", [0, 1, 2])
def test_more_sockets_than_there_may_be_are_refused_and_leave_none(
    fresh: pytest.MonkeyPatch, most: int
) -> None:
    fresh.setattr(watched, "_SOCKETS_MAX", max(1, most))
    dealers = [watched.shared_context().socket(zmq.DEALER)] if most == 0 else []
    with pytest.raises(zmq.ZMQError, match="Too many open files"):
        watched.watched_dealer(None)
    for dealer in dealers:
        dealer.close()


def test_what_libzmq_keeps_is_bounded_both_ways(fresh: pytest.MonkeyPatch) -> None:
    dealer, monitor = watched.watched_dealer(None)
    assert dealer.sndhwm == dealer.rcvhwm == limits.ZMQ_PIPE_MESSAGES
    assert limits.PUSH_FRAME_BYTES_MAX < dealer.maxmsgsize < 2 * limits.PUSH_FRAME_BYTES_MAX
    with pytest.raises(zmq.Again):
        watched.next_event(monitor)
    watched.discard(os.getpid(), dealer, monitor)
    assert dealer.closed and monitor.closed


def test_what_a_fork_inherited_is_not_touched(fresh: pytest.MonkeyPatch) -> None:
    dealer, monitor = watched.watched_dealer(None)
    watched.discard(os.getpid() + 1, dealer, monitor)
    assert not dealer.closed and not monitor.closed
    watched.discard(os.getpid(), dealer, monitor)


def test_no_socket_connects_again_while_its_link_may_live(fresh: pytest.MonkeyPatch) -> None:
    dealer, monitor = watched.watched_dealer(None)
    assert dealer.reconnect_ivl >= 3_600_000
    watched.discard(os.getpid(), dealer, monitor)


def test_forsaken_monitor_is_kept_until_its_socket_is_gone(fresh: pytest.MonkeyPatch) -> None:
    fresh.setattr(watched, "_forsaken", deque())
    dealer, monitor = watched.watched_dealer(None)
    watched.forsake(os.getpid(), monitor)
    inherited = object()
    watched.forsake(os.getpid() + 1, inherited)  # type: ignore[arg-type]
    for is_closing in (False, True):
        if is_closing:
            dealer.close()
            assert monitor.poll(5_000)
        others = watched.watched_dealer(None)  # looks after them on the way
        watched.discard(os.getpid(), *others)
        assert monitor.closed == is_closing
    assert list(watched._forsaken) == [(os.getpid() + 1, inherited)]


@pytest.mark.parametrize(
    ("kind", "value", "has_curve", "reason"),
    [
        (zmq.EVENT_HANDSHAKE_FAILED_AUTH, 400, True, "does not let this client's CURVE key in"),
        (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, errno.EAGAIN, True, "in time"),
        (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, errno.EPIPE, True, "is this CURVE key the server's"),
        (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, errno.EPIPE, False, "does it want CURVE"),
        (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, 0x11000002, False, "does it want CURVE"),
        (
            zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
            0x10000001,
            True,
            "makes no sense (error 0x10000001)",
        ),
    ],
)
def test_failed_handshake_is_explained(kind: int, value: int, has_curve: bool, reason: str) -> None:
    assert reason in watched.why_no_handshake(kind, value, has_curve=has_curve)
