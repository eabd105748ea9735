"""Knows the calls of invitations, and of a token's renewal, for programs without a loop.
Must not know how one waits.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from actorchat.client import aio
from actorchat.client.invitation import InvitationInfo, Invited

Result = TypeVar("Result")


class BlockingInvitationCalls:
    """The calls of `InvitationCalls` and `RenewalCalls`, each of which waits for its result."""

    _chat: aio.Chat

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        raise NotImplementedError

    def add_invitation(
        self, title: str = "", *, uses: int = 1, valid_s: int | None = None, code: str | None = None
    ) -> Invited:
        """Have `uses` accounts be made by a code, as the asyncio face does; for operators."""
        return self._run(self._chat.add_invitation(title, uses=uses, valid_s=valid_s, code=code))

    def invitations(self) -> list[InvitationInfo]:
        """Return the invitations that are good, the oldest first; for operators."""
        return self._run(self._chat.invitations())

    def revoke_invitation(self, invitation: str) -> None:
        """Have no more accounts be made by the invitation with this id; for operators."""
        self._run(self._chat.revoke_invitation(invitation))

    def refresh(self) -> str:
        """Return another token for this device, as the asyncio face does."""
        return self._run(self._chat.refresh())
