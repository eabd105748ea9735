"""Knows the commands that look after hooks, for operators. Must not know how events are posted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec
import typer

from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.option import Data, Json, Server, Timeout
from nodes.cli.terminal import note, say, say_json, say_table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actorchat.client import Chat

Result = TypeVar("Result")

TIMEOUT_S = 10.0
SECRET_BYTES = 32

Name = Annotated[str, typer.Argument(metavar="NAME", help="How the hook is called.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    hook = typer.Typer(
        help="Have what is stored posted to a URL, signed; for the operator of the node.",
        no_args_is_help=True,
    )
    hook.command(
        "add", epilog="Example: actorchat hook add audit https://audit.example/in --generate"
    )(add)
    hook.command("list")(list_)
    hook.command("remove")(remove)
    hook.command("pause")(pause)
    hook.command("resume")(resume)
    hook.command("test")(try_)
    app.add_typer(hook, name="hook")


def add(
    name: Name,
    url: Annotated[str, typer.Argument(metavar="URL", help="http:// or https://")],
    secret_file: Annotated[
        Path | None,
        typer.Option("--secret-file", metavar="FILE", help="16 characters or more, in one line."),
    ] = None,
    generate: Annotated[
        bool, typer.Option("--generate", help="Make a secret, and print it this once.")
    ] = False,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--events", metavar="KIND", help="message, change, act (default: all)."),
    ] = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Have events posted to URL from now on. Posts are signed with a secret."""
    if generate == (secret_file is not None):
        raise typer.BadParameter("give one of --generate and --secret-file")
    if secret_file is None:
        import secrets

        secret = secrets.token_urlsafe(SECRET_BYTES)
    else:
        secret = secret_file.read_text(encoding="utf-8").strip()
    wanted: Any = kinds or ["message", "change", "act"]
    _ask(lambda chat: chat.add_hook(name, url, secret, wanted), server, data, timeout)
    if json:
        made = {"name": name, "url": url, "events": wanted}
        say_json({**made, "secret": secret} if generate else made)
        return
    note(f"hook {name} posts to {url}")
    if generate:
        say(f"secret: {secret}")


def list_(
    server: Server = None, data: Data = None, json: Json = False, timeout: Timeout = TIMEOUT_S
) -> None:
    """List the hooks: their state, how many positions they are behind, and what failed last."""
    found = _ask(lambda chat: chat.hooks(), server, data, timeout)
    if json:
        for one in found:
            say_json(msgspec.to_builtins(one))
        return
    rows = [
        (
            one.name,
            one.state,
            one.head - one.position,
            one.failures or "",
            ",".join(one.kinds),
            one.url,
            one.error,
        )
        for one in found
    ]
    say_table(("hook", "state", "behind", "failures", "events", "url", "error"), rows)


def remove(
    name: Name, server: Server = None, data: Data = None, timeout: Timeout = TIMEOUT_S
) -> None:
    """Forget a hook; what it has not got is not posted any more."""
    _change(name, "remove", server, data, timeout)


def pause(
    name: Name, server: Server = None, data: Data = None, timeout: Timeout = TIMEOUT_S
) -> None:
    """Post nothing until `resume`; what comes meanwhile is kept as long as the settings say."""
    _change(name, "pause", server, data, timeout)


def resume(
    name: Name, server: Server = None, data: Data = None, timeout: Timeout = TIMEOUT_S
) -> None:
    """Go on where a paused or dead hook was, at once."""
    _change(name, "resume", server, data, timeout)


def try_(
    name: Name,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Post an event of kind `test` now, and show what came of it."""
    status, reason = _ask(lambda chat: chat.test_hook(name), server, data, timeout)
    if json:
        say_json({"name": name, "status": status, "reason": reason})
    if not 200 <= status < 300:
        text = reason or f"the receiver answered {status}"
        raise CommandFailed(Exit.FAILED, "hook_failed", text)
    if not json:
        note(f"the receiver of {name} answered {status}")


def _change(
    name: str,
    deed: Literal["remove", "pause", "resume"],
    server: str | None,
    data: Path | None,
    timeout_s: float,
) -> None:
    _ask(lambda chat: chat.change_hook(name, deed), server, data, timeout_s)
    note(f"hook {name}: {deed}d")


def _ask(
    ask: Callable[[Chat], Awaitable[Result]],
    server: str | None,
    data: Path | None,
    timeout_s: float,
) -> Result:
    from nodes.cli.wire import as_operator, run_async

    async def errand() -> Result:
        async with as_operator(server, data, timeout_s) as operator:
            return await ask(operator)

    return run_async(errand())
