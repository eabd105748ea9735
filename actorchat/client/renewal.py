"""Knows when a device's token is renewed, and that a new one is only used once it is kept.
Must not know where tokens are kept.

The server lets the old token be until the new one is used. So a new one that the application could
not keep is not used here either, and nobody is locked out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from actorchat.client import event
from actorchat.client.people import read
from actorchat.client.signin import Lifetime, Welcome
from actorchat.errors import ActorchatError, InvalidOp
from actorchat.limits import TOKEN_RENEW_RETRY_S, TOKEN_RENEW_SHARE
from actorchat.protocol import ops

if TYPE_CHECKING:
    from actorchat.client.shell import Shell

log = logging.getLogger(__name__)

# Keeps a new token where the application finds it at its next start; on the loop's thread.
OnToken = Callable[[str], object]


class Refreshed(Struct):
    """The server's answer to `refresh`."""

    token: str
    lifetime: Lifetime | None = None


def due_in_s(lifetime: Lifetime) -> float:
    """Return after how many seconds less than a third of a token's lifetime is left."""
    return max(0.0, lifetime.left_ms - lifetime.of_ms * TOKEN_RENEW_SHARE) / 1000


class Renewer:
    """Keeps the token of a client young, if `on_token` keeps the new ones. Thread: the loop's."""

    def __init__(self, shell: Shell, on_token: OnToken | None) -> None:
        self._shell = shell
        self._on_token = on_token
        self._timer: asyncio.TimerHandle | None = None

    def signed_in(self, welcome: Welcome) -> None:
        """Have a token kept that came with the welcome, and plan for the next one."""
        if welcome.token is not None:
            self._keep(welcome.token)
        self._plan(welcome.lifetime)

    def take(self, refreshed: Refreshed) -> bool:
        """Use a new token from now on, unless the application could not keep it."""
        if not self._keep(refreshed.token):
            return False
        self._shell.machine.identity.keep(refreshed.token)
        self._plan(refreshed.lifetime)
        return True

    def close(self) -> None:
        """Plan nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _keep(self, token: str) -> bool:
        if self._on_token is None:
            return True
        try:
            self._on_token(token)
        except Exception:
            log.exception("the application could not keep a new token")
            return False
        return True

    def _plan(self, lifetime: Lifetime | None) -> None:
        self.close()
        if lifetime is not None and self._on_token is not None:
            self._timer = self._shell.loop.call_later(due_in_s(lifetime), self._renew)

    def _renew(self) -> None:
        self._timer = None
        token = self._shell.machine.identity.token
        if token is None:
            return
        asked: asyncio.Future[dict[str, object]] = self._shell.loop.create_future()
        asked.add_done_callback(self._on_answer)
        self._shell.handle(event.Ask(asked, ops.Refresh(0, token)))

    def _on_answer(self, asked: asyncio.Future[dict[str, object]]) -> None:
        if asked.cancelled():
            return
        try:
            if self.take(read(asked.result(), Refreshed)):
                return
        except ActorchatError as error:
            log.warning("token not renewed", extra={"reason": str(error)})
        if self._shell.machine.error is None:
            self.close()
            self._timer = self._shell.loop.call_later(TOKEN_RENEW_RETRY_S, self._renew)


class RenewalCalls:
    """What `Chat` can do with its own token."""

    _shell: Shell

    async def _ask(self, request: event.Request) -> dict[str, object]:
        raise NotImplementedError

    async def refresh(self) -> str:
        """Return another token for this device, which is used from now on; the old one is as good.

        It becomes void when the new one is used for the first time: keep that one at once. With
        `on_token` it is kept already, and none of this needs to be called.

        Raises:
            InvalidOp: There is no token, or the application could not keep the new one.
            Refusal: `unauthenticated`: the token is void.
        """
        token = self._shell.machine.identity.token
        if token is None:
            raise InvalidOp("this client is not signed in by a token")
        refreshed = read(await self._ask(ops.Refresh(0, token)), Refreshed)
        if not self._shell.renewer.take(refreshed):
            raise InvalidOp("the new token was not kept, so the old one stays in use")
        return refreshed.token
