"""Knows how somebody without an account makes one and is signed in by it.
Must not know connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actorchat.client.aio import Chat, connect
from actorchat.client.signin import Identity
from actorchat.errors import ActorchatError, AuthFailed
from actorchat.limits import (
    INVITATION_CHARS_MAX,
    PASSWORD_CHARS_MIN,
    PROTOCOL_VERSION,
    SECRET_CHARS_MAX,
)
from actorchat.protocol.ops import Failure, Hello, SignUp

# What a second try may be told although, or because, the first one was done.
_MAY_BE_OURS = frozenset({"exists", "bad_invitation"})


class Newcomer(Identity):
    """Who asks for an account until there is one, and then is that user.

    An answer that was lost may have been a yes. So when a try behind it is refused, the password
    decides whose account it is; if it does not fit, the refusal stands.
    """

    code: str | None = None
    is_new: bool = True
    is_asking: bool = False  # a try has not been answered
    is_unsure: bool = False  # a try never will be
    refused_by: ActorchatError | None = None

    def hello(self, rid: int, resume: int | None) -> Hello | SignUp:
        """Return the op that asks for the account, or to sign in by it."""
        if not self.is_new:
            return super().hello(rid, resume)
        self.is_unsure = self.is_unsure or self.is_asking
        self.is_asking = True
        names = (self.user, self.device)
        return SignUp(rid, PROTOCOL_VERSION, *names, self.secret, self.code, self.agent)

    def keep(self, token: str | None) -> None:
        """Be a user with an account, where the server gave a token."""
        super().keep(token)
        self.is_new = token is None and self.is_new

    def refused(self, err: Failure) -> ActorchatError | None:
        """Return the error to end with; None when to try again."""
        self.is_asking = False
        end = super().refused(err)
        if self.is_new and self.is_unsure and err.code in _MAY_BE_OURS:
            self.is_new, self.refused_by = False, end
            return None
        return self.refused_by if isinstance(end, AuthFailed) and self.refused_by else end


def sign_up(
    address: str | Sequence[str],
    *,
    user: str,
    device: str,
    password: str,
    code: str | None = None,
    **options: Any,
) -> Chat:
    """Return a client that makes an account of `user` at `address`, and is signed in by it.

    `async with` does it. Keep `Chat.token` then, or have `on_token` keep it: the next time it is
    `connect` by that, or by the password.

    Args:
        password: 8 to 1,024 characters.
        code: Of an invitation, where the server wants one.
        options: As of `connect`, but the secrets.
    Raises:
        ValueError: An argument that can't be used.
    `async with` raises, beside what it does for `connect`:
        Refusal: `signup_closed`, `bad_invitation`, `exists`. Nothing was made, and no use counted.
    """
    if not PASSWORD_CHARS_MIN <= len(password) <= SECRET_CHARS_MAX:
        raise ValueError(f"expected a password of {PASSWORD_CHARS_MIN} to {SECRET_CHARS_MAX}")
    if code is not None and len(code) > INVITATION_CHARS_MAX:
        raise ValueError(f"expected a code of at most {INVITATION_CHARS_MAX} characters")
    chat = connect(address, user=user, device=device, password=password, **options)
    known = chat._machine.identity
    chat._machine.identity = Newcomer(
        known.user, known.device, known.mech, known.secret, known.agent, code
    )
    return chat
