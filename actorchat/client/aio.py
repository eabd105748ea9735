"""Knows the asyncio face of a client: what an application calls. Must not know how it is done."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, cast

import msgspec

from actorchat.client import event
from actorchat.client.act import ActCalls
from actorchat.client.block import BlockCalls
from actorchat.client.bot import BotCalls
from actorchat.client.curve import CurveIdentity
from actorchat.client.dial import parse_address
from actorchat.client.event import State
from actorchat.client.export import ExportCalls
from actorchat.client.feed import Feed
from actorchat.client.file import FileCalls
from actorchat.client.flagged import Flagged
from actorchat.client.group import GroupCalls
from actorchat.client.history import HistoryCalls
from actorchat.client.invitation import InvitationCalls
from actorchat.client.life import Options
from actorchat.client.link import Address
from actorchat.client.locate import LocateCalls
from actorchat.client.message import Message, Progress, Sent
from actorchat.client.people import PeopleCalls
from actorchat.client.post import check_peer, check_send, new_cid
from actorchat.client.presence import Presence, Signal, watched_states
from actorchat.client.renewal import OnToken, RenewalCalls
from actorchat.client.search import SearchCalls
from actorchat.client.shell import Shell
from actorchat.client.signin import Identity, Welcome
from actorchat.errors import CallTimeout, InvalidOp
from actorchat.ids import is_name
from actorchat.limits import (
    CLIENT_INBOX_MESSAGES,
    CLIENT_TIMEOUT_S,
    CLIENT_UNSENT_MAX,
    CLIENT_WINDOW_SENDS,
    RECONNECT_CAP_S,
)
from actorchat.protocol import ops

log = logging.getLogger(__name__)

AckMode = Literal["auto", "manual"]
AGENT = "actorchat-python"
SIGN_IN_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 5.0


def connect(
    address: str | Sequence[str],
    *,
    user: str,
    device: str,
    token: str | None = None,
    password: str | None = None,
    operator: str | None = None,
    jwt: str | None = None,
    ack: AckMode = "auto",
    resume: int | None = None,
    strict_order: bool = False,
    window: int = CLIENT_WINDOW_SENDS,
    unsent_max: int = CLIENT_UNSENT_MAX,
    inbox_max: int = CLIENT_INBOX_MESSAGES,
    timeout_s: float = CLIENT_TIMEOUT_S,
    sign_in_timeout_s: float | None = SIGN_IN_TIMEOUT_S,
    reconnect_cap_s: float = RECONNECT_CAP_S,
    tls: ssl.SSLContext | None = None,
    curve: CurveIdentity | None = None,
    agent: str = AGENT,
    on_token: OnToken | None = None,
    locate: bool = False,
    region: str = "",
) -> Chat:
    """Return a client of the server at `address`; `async with` connects it, signs in, closes it.

    Args:
        address: `tcp://host:port`, or with `tls`, `ws`, `wss`, `zmq`, `http`, `https`; or several,
            to be tried in turn.
        token, password, operator, jwt: One of them: the secret to sign in by; a `jwt` is of
            the identity provider that the server trusts.
        ack: `auto` acks a message when it is in the inbox, `manual` when the application says so.
        resume: The last update that the application holds from a former run (`Chat.cursor`).
        strict_order: Have one send under way to a conversation, so that none overtakes another.
        window: Sends under way at once. unsent_max: sends kept beyond it.
        inbox_max: Messages held for the application before reading pauses.
        timeout_s: For an answer; a send that waits longer has the connection made anew.
        sign_in_timeout_s: What `async with` waits for; 0 is not at all, None for ever.
        reconnect_cap_s: The longest wait between two tries to connect.
        tls: The context for TLS, by default one that trusts what the system trusts.
        curve: The keys for a `zmq` address that CURVE guards.
        on_token: Told each new token, on the loop's thread, to keep it in place of the former. If
            given, a token that expires is renewed in time; one that it raises for is not used.
        locate: Ask first which node of the server is best, by `region` (or else the network that
            one comes from), load and home; go there, and to `address` when it is gone.
    Raises:
        ValueError: An argument that can't be used.
    """
    secrets = {"token": token, "password": password, "operator": operator, "jwt": jwt}
    given = [(mech, secret) for mech, secret in secrets.items() if secret is not None]
    if len(given) != 1:
        raise ValueError("expected one of token, password, operator and jwt")
    if not is_name(user) or not is_name(device):
        raise ValueError(f"expected names of user and device, not {user!r} and {device!r}")
    mech, secret = given[0]
    addresses = [address] if isinstance(address, str) else address
    shell = Shell(
        [parse_address(one) for one in addresses],
        Identity(user, device, cast(ops.Mechanism, mech), secret, agent),
        Options(window, unsent_max, strict_order, timeout_s, resume, reconnect_cap_s),
        is_auto=ack == "auto",
        inbox_max=inbox_max,
        tls=tls,
        curve=curve,
        on_token=on_token,
    )
    return Chat(shell, sign_in_timeout_s, region if locate else None)


class Chat(
    GroupCalls,
    HistoryCalls,
    PeopleCalls,
    ActCalls,
    FileCalls,
    BotCalls,
    BlockCalls,
    ExportCalls,
    SearchCalls,
    InvitationCalls,
    RenewalCalls,
    LocateCalls,
):
    """A signed-in device. All of it belongs to the loop that entered it."""

    def __init__(
        self, shell: Shell, sign_in_timeout_s: float | None, region: str | None = None
    ) -> None:
        self._shell = shell
        self._region = region
        self._machine = shell.machine
        self._sign_in_timeout_s = sign_in_timeout_s

    # -- life ------------------------------------------------------------------------------------
    async def __aenter__(self) -> Chat:
        """Connect and sign in.

        Raises:
            AuthFailed, VersionMismatch, Refusal, Revoked: The server does not want us.
            CallTimeout: Not signed in within `sign_in_timeout_s`.
        """
        if self._region is not None:
            await self._shell.find_best(self._region)
        self._shell.start()
        if self._sign_in_timeout_s != 0:
            try:
                await self.wait_signed_in(self._sign_in_timeout_s)
            except BaseException:
                await self.close(0)
                raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close; unless an exception is on its way, wait shortly for what was posted."""
        await self.close(CLOSE_TIMEOUT_S if kind is None else 0)

    async def close(self, flush_timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Wait for the answers to come, as long as it takes but `flush_timeout_s`; then hang up."""
        if flush_timeout_s and self.state is State.OPEN:
            try:
                await self.flush(flush_timeout_s)
            except CallTimeout:
                log.warning("posts unanswered at close")
        link = self._shell.link
        self._shell.handle(event.Close())
        if link is not None:
            await link.wait_gone(CLOSE_TIMEOUT_S)

    @property
    def state(self) -> State:
        """Where the client stands now."""
        return self._machine.state

    @property
    def token(self) -> str | None:
        """The token that signs this device in; keep it instead of the password."""
        return self._machine.identity.token

    @property
    def cursor(self) -> int | None:
        """The last update that the application took, with all before it; None before the first."""
        return self._machine.incoming.taken

    @property
    def welcome(self) -> Welcome | None:
        """What the server granted last; None before the first sign-in."""
        return self._shell.welcome

    @property
    def trouble(self) -> str:
        """Why the last connection failed, for people; empty while one is open."""
        return self._shell.trouble

    @property
    def reconnects(self) -> int:
        """How often a session was taken up again."""
        return self._shell.reconnects

    @property
    def refused_max_s(self) -> float:
        """The longest time from a send's first refusal, or loss, to its answer, in seconds."""
        return self._machine.refused_max_s

    @property
    def updates_skipped(self) -> int:
        """How many updates the server had no more; `history` has what they carried."""
        return self._shell.updates_skipped

    @property
    def updates_repeated(self) -> tuple[int, int]:
        """How many updates came again, and how many messages as new updates; none was handed on."""
        incoming = self._machine.incoming
        return incoming.resent, incoming.rewritten

    async def wait_signed_in(self, timeout_s: float | None = None) -> None:
        """Return when the session is open.

        Raises:
            SessionEnded, AuthFailed, VersionMismatch, Refusal: It never will be.
            CallTimeout: Not in time; the client goes on trying.
        """
        await self._shell.wait(lambda: self.state is State.OPEN, timeout_s, "not signed in")

    async def flush(self, timeout_s: float | None = None) -> None:
        """Return when everything that was posted and asked has been answered.

        Raises:
            CallTimeout: Not in time; the client goes on trying.
        """
        await self._shell.wait(lambda: not self._machine.is_expecting, timeout_s, "not answered")

    # -- what an application does ----------------------------------------------------------------
    async def send(
        self, to: str, text: str, *, cid: bytes | None = None, extra: ops.Extra | None = None
    ) -> Sent:
        """Send `text` to user or group `to`; return when it is durable, through any reconnects.

        Repeating a `cid` (16 bytes) with the same text is always safe. To cancel does not unsend.
        `extra` is what the message has beside its text: what it answers, whom it mentions, its
        kind and files, when it expires (`ops.Extra`).

        Raises: as `post`, and what its future does.
        """
        return await self.post(to, text, cid=cid, extra=extra)

    def post(
        self, to: str, text: str, *, cid: bytes | None = None, extra: ops.Extra | None = None
    ) -> asyncio.Future[Sent]:
        """Send without waiting: the future has the answer.

        Raises:
            InvalidOp: No server would take it. Overloaded: too many wait to be sent.
        The future raises:
            Refusal: The server won't store it (`no_such_user`, `id_conflict`, …).
            SessionEnded: The session ended first; `outcome` says whether it may have been stored.
        """
        check_send(to, text, cid, extra)
        future: asyncio.Future[Sent] = self._shell.loop.create_future()
        self._shell.expect(event.Post(future, to, cid or new_cid(), text, extra))
        return future

    def messages(self) -> Feed[Message]:
        """Return the iterator over what is delivered to this device: each once, in order."""
        return self._shell.inbox

    def marks(self) -> Feed[Progress]:
        """Return the iterator over how far others got: the newest, older ones are left out."""
        return self._shell.progress

    def flagged(self) -> Feed[Flagged]:
        """Return the iterator over flags that the user's other devices set: the newest of each."""
        return self._shell.flagged

    async def watch(self, *users: str) -> list[Presence]:
        """Return who of `users` is online; `presence` has what changes, through any reconnect.

        Raises:
            Refusal: `too_many`, for a session watches 128 users. InvalidOp: not names of users.
        """
        answer = await self._ask(ops.Watch(0, list(users)))
        self._shell.sightings.watch(users)
        return self._shell.sightings.learn(watched_states(answer))

    def unwatch(self, *users: str) -> None:
        """Say that `users` are not looked at any more."""
        self._shell.sightings.unwatch(users)
        self._shell.hint(ops.Unwatch(list(users)))

    def presence(self) -> Feed[Presence]:
        """Return the iterator over changes of watched users: the newest of each."""
        return self._shell.sightings.presence

    def signals(self) -> Feed[Signal]:
        """Return the iterator over who of the watched users is typing to this one."""
        return self._shell.sightings.signals

    def signal(self, to: str, kind: ops.SignalKind = "typing") -> None:
        """Show `to` that a message is being made; repeat it every few seconds. May get lost."""
        self._shell.hint(ops.Signal(to, kind))

    async def privacy(self, level: ops.PrivacyLevel | None = None) -> ops.PrivacyLevel:
        """Set who may see when this user is online, and whom they see; return the setting."""
        answer = await self._ask(ops.Privacy(0, level))
        return cast(ops.PrivacyLevel, answer.get("level"))

    def ack(self, upd: int) -> None:
        """Tell the server that everything up to `upd` is safe; for `ack="manual"`."""
        self._shell.take(upd)

    def mark_read(self, conv: str, seq: int) -> None:
        """Tell the server that the user read the conversation with `conv` up to `seq`."""
        check_peer(conv)
        self._shell.handle(event.MarkRead(conv, seq))

    def _own_name(self) -> str:
        return self._machine.identity.user

    async def revoke(self, device: str) -> None:
        """Make the token of the user's own `device` void and end its session."""
        await self._ask(ops.Revoke(0, device))

    async def provision(
        self, user: str, *, password: str | None = None, device: str | None = None
    ) -> str | None:
        """Make an account, or a token for a device of it, which is returned; for operators.

        Raises:
            ConnectionLost: Whether it was done is unknown.
        """
        answer = await self._ask(ops.Provision(0, user, password, device))
        return cast(str | None, answer.get("token"))

    async def status(self) -> dict[str, int | str]:
        """Return the node's counters; for operators."""
        return cast(dict[str, int | str], await self._ask(ops.Status(0)))

    async def actors(
        self,
        view: Literal["tree", "top", "info"] = "tree",
        *,
        by: Literal["queue", "reductions", "memory"] = "queue",
        count: int = 10,
        who: str | None = None,
    ) -> dict[str, Any]:
        """Return what the node's actors are doing, `{total, actors: […]}`; for operators.

        Raises:
            InvalidOp: An argument is out of its bounds. Refusal: `no_such_actor`.
        """
        if view == "info" and who is None:
            raise InvalidOp("info needs the name or the id of an actor")
        return await self._ask(ops.Actors(0, view, by, count, who))

    def _door(self) -> tuple[Address, ssl.SSLContext | None]:
        return self._shell.door

    async def _ask(self, request: event.Request) -> dict[str, object]:
        try:
            msgspec.convert(msgspec.to_builtins(request), type(request))
        except msgspec.ValidationError as error:
            raise InvalidOp(str(error)) from None
        future: asyncio.Future[dict[str, object]] = self._shell.loop.create_future()
        self._shell.expect(event.Ask(future, request))
        return await future
