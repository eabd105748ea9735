"""Knows how frames travel over ZeroMQ: a ROUTER to receive, a DEALER a peer to send.

Must not know what frames say.

What libzmq does not do by itself, or does in silence, and what is done about it here:

- A ROUTER drops what it can't send: ours never sends. A DEALER queues: for connections that are
  there only (`IMMEDIATE`), and few frames; the rest waits in the link, counted in bytes.
- Descriptors tell of changes, not of states: a pass reads until there is no more, or asks for
  another; `EVENTS` is looked at whenever a DEALER's descriptor wakes us.
- CURVE alone encrypts for whoever has any key: ZAP asks here for each, in one domain by its name.
- Routing ids are left to the ROUTER: one that a peer chooses is dropped without a word when it is
  taken. Who sent a frame is told by the key that ZAP saw.
- Connections are made anew in silence: frames have numbers (`link_machine`), and a monitor hints.
- A connection that ZAP refused once is never tried again: the monitor tells, the link dials anew.
- A second ROUTER at an `ipc` address steals it: a lock file stands beside it.
"""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import zmq
from zmq.utils import z85

from actorchat import limits, logs
from actorchat.cluster.link import PeerAddress
from actorchat.cluster.link_key import NodeKey
from actorchat.errors import SettingsError

Socket = zmq.Socket[bytes]

ZAP_DOMAIN = b"actorchat.nodes"  # libzmq and pyzmq know no wildcard: both sides say this
ZAP_ENDPOINT = "inproc://zeromq.zap.01"
READ_FRAMES = 1_024  # of one `read`
_SOCKETS_MAX = 32_768  # three a peer
_IPC_PATH_BYTES_MAX = 107  # what a socket's address holds
_HANDSHAKE_BYTES_MAX = 4_096  # the limit holds for what libzmq says itself, too
_OTHERS = 0o077
_EVENTS = (
    zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
_numbers = itertools.count()


class ZmqTransport:
    """The `Transport` of a node on an asyncio or uvloop loop; has one thread of libzmq's.

    Args:
        endpoint: `ipc:///path` in a directory that is its owner's alone, for nodes of one
            machine; `tcp://address:port` between machines, which needs `key`.
    """

    def __init__(self, endpoint: str, key: NodeKey | None = None) -> None:
        self.endpoint = endpoint  # with the port that was taken, once it listens
        self._key = key
        self._loop = asyncio.get_running_loop()
        self._context: zmq.Context[Socket] = zmq.Context(io_threads=1)
        self._context.set(zmq.MAX_SOCKETS, _SOCKETS_MAX)
        self._router: Socket | None = None
        self._zap: Socket | None = None
        self._lock: int | None = None
        self._on_frame: Callable[[str | None, bytes], None] = lambda _key, _frame: None
        self._is_known: Callable[[str], bool] = lambda _key: False
        self._keys: OrderedDict[bytes, str | None] = OrderedDict()  # by routing id
        self._gone: asyncio.Future[None] | None = None
        self._warnings = logs.Warnings(logs.logger(__name__))

    def start(
        self, on_frame: Callable[[str | None, bytes], None], is_known: Callable[[str], bool]
    ) -> None:
        """Listen.

        Raises:
            SettingsError: The address is taken, or can't be; or anybody could connect to it.
        """
        self._on_frame, self._is_known = on_frame, is_known
        try:
            check_endpoint(self.endpoint, self._key)
            if self.endpoint.startswith("ipc://"):
                self._take_lock(self.endpoint.removeprefix("ipc://"))
            self._listen()
        except BaseException:
            self.close()
            raise

    def _listen(self) -> None:
        router = self._router = self._context.socket(zmq.ROUTER)
        _set_options(router)
        router.rcvhwm = limits.LINK_PIPE_FRAMES
        router.maxmsgsize = limits.LINK_ZMQ_BYTES_MAX
        if self._key is not None:
            zap = self._zap = self._context.socket(zmq.REP)
            zap.linger = 0
            zap.bind(ZAP_ENDPOINT)
            self._loop.add_reader(int(zap.getsockopt(zmq.FD)), self._ask_zap)
            self._loop.call_soon(self._ask_zap)
            router.zap_domain = ZAP_DOMAIN
            router.curve_server = True
            router.curve_secretkey = self._key.secret.encode()
        try:
            router.bind(self.endpoint)
        except zmq.ZMQError as error:
            raise SettingsError([f"node address {self.endpoint}: {error.strerror}"]) from error
        last = router.getsockopt(zmq.LAST_ENDPOINT)
        self.endpoint = (
            bytes(last).rstrip(b"\0").decode() if isinstance(last, bytes) else self.endpoint
        )
        self._loop.add_reader(int(router.getsockopt(zmq.FD)), self._ready)
        self._loop.call_soon(self._ready)

    def _take_lock(self, path: str) -> None:
        self._lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingsError([f"node address ipc://{path}: another node has it"]) from None

    # -- in --------------------------------------------------------------------------------------
    def _ready(self) -> None:
        """Hand on what came, and come again unless nothing is left: nobody would wake us."""
        is_dry = self._router is None
        try:
            is_dry = is_dry or self._read(limits.LINK_PASS_FRAMES)
        finally:
            if not is_dry:
                self._loop.call_soon(self._ready)

    def read(self) -> None:
        """Hand on what has come, up to `READ_FRAMES` of all peers in turn."""
        if self._router is not None and not self._read(READ_FRAMES):
            self._loop.call_soon(self._ready)

    def _read(self, most: int) -> bool:
        router, keys, on_frame = self._router, self._keys, self._on_frame
        assert router is not None
        receive = router.recv
        for _ in range(most):
            try:
                source = receive(zmq.NOBLOCK)
            except zmq.Again:
                return True
            if source in keys:
                key, frame = keys[source], receive(zmq.NOBLOCK)
            else:
                key, frame = self._meet(router, source)
            if router.getsockopt(zmq.RCVMORE):
                while router.getsockopt(zmq.RCVMORE):
                    receive(zmq.NOBLOCK)
                frame = b""  # no node sends more than one part
            on_frame(key, frame)
            if self._router is None:
                return True  # what came has closed it
        return False

    def _meet(self, router: Socket, source: bytes) -> tuple[str | None, bytes]:
        """Read the first frame of a connection, with the key that ZAP saw."""
        message = router.recv(zmq.NOBLOCK, copy=False)
        key = None if self._key is None else str(message.get("User-Id"))
        self._keys[source] = key
        if len(self._keys) > limits.LINK_KEYS_HEARD_MAX:
            self._keys.popitem(last=False)
        return key, message.bytes

    def _ask_zap(self) -> None:
        """Answer libzmq, which asks who may connect (RFC 27 of ZeroMQ)."""
        zap = self._zap
        while zap is not None:
            try:
                version, request, domain, _, _, mechanism, *credentials = zap.recv_multipart(
                    zmq.NOBLOCK
                )
            except zmq.Again:
                return
            key = ""
            if (domain, mechanism) == (ZAP_DOMAIN, b"CURVE") and len(credentials) == 1:
                key = _to_z85(credentials[0])
            if key and self._is_known(key):
                answer = [b"200", b"OK", key.encode(), b""]
            else:
                answer = [b"400", b"unknown key", b"", b""]
                self._warnings.warn("node refused", "key", curve=key or "none")
            zap.send_multipart([version, request, *answer])

    # -- out -------------------------------------------------------------------------------------
    def open(
        self,
        address: PeerAddress,
        on_writable: Callable[[], None],
        on_break: Callable[[], None],
    ) -> ZmqLane:
        """Begin to connect; libzmq tries again by itself until it has succeeded."""
        dealer = self._context.socket(zmq.DEALER)
        _set_options(dealer)
        dealer.immediate = True
        dealer.sndhwm = limits.LINK_PIPE_FRAMES
        dealer.rcvhwm = 1
        dealer.maxmsgsize = _HANDSHAKE_BYTES_MAX  # nobody has more to say on it
        dealer.connect_timeout = int(limits.LINK_HANDSHAKE_S * 1000)
        dealer.reconnect_ivl = int(limits.LINK_REDIAL_MIN_S * 1000)
        dealer.reconnect_ivl_max = int(limits.LINK_REDIAL_MAX_S * 1000)
        if self._key is not None and address.key is not None:
            dealer.curve_serverkey = address.key.encode()
            dealer.curve_publickey = self._key.public.encode()
            dealer.curve_secretkey = self._key.secret.encode()
        return ZmqLane(self._loop, self._context, dealer, address.endpoint, on_writable, on_break)

    # -- the end ---------------------------------------------------------------------------------
    def close(self) -> None:
        """Stop listening."""
        if self._gone is not None:
            return
        for socket in (self._router, self._zap):
            if socket is not None:
                self._loop.remove_reader(int(socket.getsockopt(zmq.FD)))
                socket.close(0)
        self._router = self._zap = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        # It waits for lanes that linger; those who must know can.
        self._gone = self._loop.run_in_executor(None, self._context.term)

    async def gone(self) -> None:
        """Wait until nothing of a closed transport is left."""
        if self._gone is not None:
            await self._gone


class ZmqLane:
    """The `Lane` to one peer."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: zmq.Context[Socket],
        dealer: Socket,
        endpoint: str,
        on_writable: Callable[[], None],
        on_break: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._dealer: Socket | None = dealer
        self._on_writable = on_writable
        self._on_break = on_break
        self._is_waiting = False
        name = f"inproc://lane-{next(_numbers)}"
        dealer.monitor(name, _EVENTS)
        self._monitor = context.socket(zmq.PAIR)
        self._monitor.linger = 0
        self._monitor.connect(name)
        loop.add_reader(int(dealer.getsockopt(zmq.FD)), self._ready)
        loop.add_reader(int(self._monitor.getsockopt(zmq.FD)), self._listen)
        loop.call_soon(self._listen)  # a descriptor tells nothing before the first look
        try:
            dealer.connect(endpoint)
        except zmq.ZMQError as error:  # no address: as if nobody were there
            logs.logger(__name__).warning("no address", endpoint=endpoint, error=error.strerror)

    def send(self, frame: bytes) -> bool:
        """Send `frame` if the connection stands and has room."""
        if self._dealer is None:
            return False
        try:
            self._dealer.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            self._is_waiting = True
            return False
        return True

    def close(self, linger_s: float) -> None:
        """End it. The monitor goes first: libzmq waits for ever for one that was forgotten."""
        dealer, self._dealer = self._dealer, None
        if dealer is None:
            return
        self._loop.remove_reader(int(dealer.getsockopt(zmq.FD)))
        self._loop.remove_reader(int(self._monitor.getsockopt(zmq.FD)))
        dealer.disable_monitor()
        self._monitor.close(0)
        dealer.close(int(linger_s * 1000))

    def _ready(self) -> None:
        # Asking takes what the descriptor told; left there, it would wake the loop for ever.
        if self._dealer is None:
            return
        can_write = int(self._dealer.getsockopt(zmq.EVENTS)) & zmq.POLLOUT
        if can_write and self._is_waiting:
            self._is_waiting = False
            self._on_writable()

    def _listen(self) -> None:
        while self._dealer is not None:
            try:
                self._monitor.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._on_break()


def check_endpoint(endpoint: str, key: NodeKey | None) -> None:
    """See that only nodes can connect to an address.

    Raises:
        SettingsError: It is of no kind that nodes use, or open to others.
    """
    if endpoint.startswith("tcp://"):
        if key is None:
            raise SettingsError([f"node address {endpoint}: tcp needs a node key"])
        return
    path = endpoint.removeprefix("ipc://")
    if path == endpoint or not path.startswith("/"):
        raise SettingsError([f"node address {endpoint}: expected tcp://host:port or ipc:///path"])
    if key is not None:
        raise SettingsError([f"node address {endpoint}: ipc takes no key"])
    if len(path.encode()) > _IPC_PATH_BYTES_MAX:
        raise SettingsError([f"node address {endpoint}: longer than {_IPC_PATH_BYTES_MAX} bytes"])
    folder = Path(path).parent
    try:
        status = folder.stat()
    except OSError as error:
        raise SettingsError([f"node address {endpoint}: {folder}: {error.strerror}"]) from error
    if status.st_uid != os.geteuid() or status.st_mode & _OTHERS:
        raise SettingsError([f"node address {endpoint}: {folder} must be its owner's alone (0700)"])


def _set_options(socket: Socket) -> None:
    socket.linger = 0
    socket.handshake_ivl = int(limits.LINK_HANDSHAKE_S * 1000)
    # For connections that are dead; a node whose loop hangs is seen by its link's own silence.
    socket.heartbeat_ivl = int(limits.LINK_TICK_S * 1000)
    socket.heartbeat_timeout = int(limits.LINK_TICK_S * 3_000)
    socket.tcp_keepalive = 1
    socket.ipv6 = True


def _to_z85(key: bytes) -> str:

    return z85.encode(key).decode("ascii") if len(key) == 32 else ""
