"""Knows the commands that change what was said, and pass it on. Must not know the protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.message import With
from nodes.cli.option import As, Data, Json, Server, Timeout
from nodes.cli.terminal import note, say, say_json

if TYPE_CHECKING:
    from actorchat.client import Chat, Entry, Sent

TIMEOUT_S = 10.0
HINTS = {
    "no_such_message": "see the numbers: actorchat history WITH",
    "too_late": "the server says how long a message may be edited; delete it instead",
    "forbidden": "your own messages, and in a group an admin may delete those of others",
}

Seq = Annotated[int, typer.Argument(metavar="SEQ", min=1, help="Its number in the conversation.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("edit", epilog="Example: actorchat edit bob 7 'see you at nine' --as ann")(edit)
    app.command("delete", epilog="Example: actorchat delete bob 7 8 --as ann")(delete)
    app.command("react", epilog="Example: actorchat react bob 7 👍 --as ann")(react)
    app.command("forward", epilog="Example: actorchat forward bob 7 cid --as ann")(forward)


def edit(
    with_: With,
    seq: Seq,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What it shall say.")],
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Change the text of your own message."""
    _done(_ask(lambda chat: chat.edit(with_, seq, text), as_, server, data, timeout), json=json)


def delete(
    with_: With,
    seqs: Annotated[list[int], typer.Argument(metavar="SEQ...", min=1, help="Their numbers.")],
    me: Annotated[bool, typer.Option("--me", help="For yourself alone.")] = False,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Delete messages: for everybody, or with --me for yourself."""
    if me:
        _ask(lambda chat: chat.hide(with_, *seqs), as_, server, data, timeout)
        say_json({}) if json else note("done")
    else:
        _done(_ask(lambda chat: chat.delete(with_, *seqs), as_, server, data, timeout), json=json)


def react(
    with_: With,
    seq: Seq,
    emoji: Annotated[str, typer.Argument(metavar="EMOJI")],
    off: Annotated[bool, typer.Option("--off", help="Take it away.")] = False,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Put an emoji at a message."""

    def ask(chat: Chat) -> Awaitable[Sent]:
        return chat.react(with_, seq, emoji, not off)

    _done(_ask(ask, as_, server, data, timeout), json=json)


def forward(
    with_: With,
    seq: Seq,
    to: Annotated[str, typer.Argument(metavar="TO", help="The user or group that shall get it.")],
    named: Annotated[bool, typer.Option("--named", help="Say who wrote it.")] = False,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Pass a message on; print its number there."""

    async def ask(chat: Chat) -> Sent:
        return await chat.forward(await entry_at(chat, with_, seq), to, named=named)

    sent = _ask(ask, as_, server, data, timeout)
    say_json({"seq": sent.seq, "ts": sent.ts}) if json else say(str(sent.seq))


async def entry_at(chat: Chat, conv: str, seq: int) -> Entry:
    """Return one message of a conversation.

    Raises:
        Refusal: `no_such_message`.
    """
    from actorchat.errors import Refusal

    page = await chat.history(conv, after=seq - 1, before=seq + 1, limit=1)
    if not page.events:
        raise Refusal("no_such_message", f"there is no message {seq}")
    return page.events[0]


def _ask(
    ask: Callable[[Chat], Awaitable[Any]], as_: str | None, server: Any, data: Any, timeout: float
) -> Any:
    import asyncio

    from actorchat.errors import CallTimeout, Refusal
    from nodes.cli.wire import as_user, run_async

    async def work() -> Any:
        _, chat = as_user(server, data, as_, timeout_s=timeout)
        async with chat:
            try:
                async with asyncio.timeout(timeout):
                    return await ask(chat)
            except TimeoutError:
                raise CallTimeout("no answer; it may have been done or not") from None
            except Refusal as error:
                if error.code in HINTS:
                    hint = HINTS[error.code]
                    raise CommandFailed(Exit.REFUSED, error.code, error.reason, hint) from None
                raise

    return run_async(work())


def _done(sent: Sent, *, json: bool) -> None:
    if json:
        say_json({"seq": sent.seq, "ts": sent.ts, "dup": sent.dup})
    else:
        note(f"done, as #{sent.seq}")
