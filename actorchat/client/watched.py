"""Knows DEALER sockets that connect once, and the monitors that tell of it. Must not know loops.

libzmq's threads wait for ever for a monitor that is gone but was not switched off, and all
sockets of the process with them: the order in which things are closed is kept here.
"""

from __future__ import annotations

import errno
import itertools
import os
import threading
from collections import deque
from struct import Struct

import zmq

from actorchat import limits
from actorchat.client.curve import CurveIdentity

Socket = zmq.Socket[bytes]

_NEVER_MS = 86_400_000  # a day: long before that a link is closed
_SOCKETS_MAX = 32_768  # of the process: three a link; each place takes 12 bytes
_EVENTS = (
    zmq.EVENT_CONNECTED
    | zmq.EVENT_CLOSED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_MONITOR_STOPPED
)
_event_of = Struct("=Hi").unpack

_contexts: dict[int, zmq.Context[Socket]] = {}
_contexts_lock = threading.Lock()
_numbers = itertools.count()
# Monitors, by process, of sockets that still send their last though their link is no more. Garbage
# collection adds to it, at any moment and from any thread, so no lock guards it.
_forsaken: deque[tuple[int, Socket]] = deque()


def shared_context() -> zmq.Context[Socket]:
    """Return the context of this process, which has two threads; a fork gets one of its own.

    It stays until the process ends. Thread: any.
    """
    pid = os.getpid()
    with _contexts_lock:
        # By process, and never forgotten: what a fork inherits must not be touched, not even to
        # end it.
        context = _contexts.get(pid)
        if context is None:
            context = _contexts[pid] = zmq.Context()
            context.set(zmq.MAX_SOCKETS, _SOCKETS_MAX)
        return context


def watched_dealer(curve: CurveIdentity | None) -> tuple[Socket, Socket]:
    """Return a DEALER that is to connect, and the socket on which `next_event` hears how that goes.

    Raises:
        zmq.ZMQError: There are too many sockets.
    """
    _close_forsaken()
    context = shared_context()
    dealer = context.socket(zmq.DEALER)
    try:
        _set_options(dealer, curve)
        # A name of its own: the descriptor's number may be that of a socket that still lingers.
        name = f"inproc://link-{next(_numbers)}"
        dealer.monitor(name, _EVENTS)
        monitor = context.socket(zmq.PAIR)
    except BaseException:
        dealer.close()
        raise
    monitor.linger = 0
    monitor.connect(name)
    return dealer, monitor


def _set_options(dealer: Socket, curve: CurveIdentity | None) -> None:
    dealer.linger = 0
    # With -1, for never, as with `immediate`, libzmq would throw away what came before the end
    # and was not read yet.
    dealer.reconnect_ivl = _NEVER_MS
    dealer.sndhwm = dealer.rcvhwm = limits.ZMQ_PIPE_MESSAGES
    # A little more than is taken, because libzmq does not say why it cuts a server off.
    dealer.maxmsgsize = limits.PUSH_FRAME_BYTES_MAX + limits.PUSH_FRAME_BYTES_MAX // 4
    dealer.handshake_ivl = dealer.connect_timeout = int(limits.HANDSHAKE_TIMEOUT_S * 1000)
    if curve is not None:
        secret = curve.secret.encode()
        dealer.curve_serverkey = curve.server.encode()
        dealer.curve_publickey = zmq.curve_public(secret)
        dealer.curve_secretkey = secret


def next_event(monitor: Socket) -> tuple[int, int]:
    """Return what happened next, and a value that belongs to it.

    Raises:
        zmq.Again: Nothing has.
    """
    event, _ = monitor.recv_multipart(zmq.NOBLOCK)
    kind, value = _event_of(event)
    return kind, value


def discard(pid: int, dealer: Socket, monitor: Socket) -> None:
    """Close both at once, if they are of this process: a fork must not touch what it inherited."""
    if os.getpid() == pid:
        dealer.disable_monitor()
        monitor.close()
        dealer.close(0)


def forsake(pid: int, monitor: Socket) -> None:
    """Take over the monitor of a DEALER that is being closed, if nobody listens to it any more."""
    _forsaken.append((pid, monitor))


def _close_forsaken() -> None:
    """Close the forsaken monitors that have no more to tell. Thread: any, and several at once."""
    for _ in range(len(_forsaken)):
        try:
            pid, monitor = _forsaken.popleft()
        except IndexError:
            return  # another thread was faster
        if not _has_stopped(pid, monitor):
            _forsaken.append((pid, monitor))


def _has_stopped(pid: int, monitor: Socket) -> bool:
    if pid != os.getpid():
        return False  # a fork inherited it
    try:
        while next_event(monitor)[0] != zmq.EVENT_MONITOR_STOPPED:
            pass
    except zmq.Again:
        return False
    monitor.close()
    return True


def why_no_handshake(kind: int, value: int, *, has_curve: bool) -> str:
    """Say for people what an event of a failed handshake means."""
    if kind == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        return f"the server does not let this client's CURVE key in (ZAP status {value})"
    if kind == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL and value == errno.EAGAIN:
        return "no ZeroMQ handshake in time"
    is_protocol = kind == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    if is_protocol and value != zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
        return f"the ZeroMQ handshake makes no sense (error {value:#x})"
    hint = "is this CURVE key the server's?" if has_curve else "does it want CURVE?"
    return f"the server broke the ZeroMQ handshake off; {hint}"
