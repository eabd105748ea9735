"""Knows the commands that make accounts and sign in. Must not know how secrets are checked."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from actorchat.errors import ActorchatError
from nodes.cli.credential import Credentials, Login, credentials_path, errand_of, new_device
from nodes.cli.failure import CommandFailed, Exit
from nodes.cli.option import As, Data, Json, Server, Timeout
from nodes.cli.place import realm, server_address
from nodes.cli.terminal import note, say, say_json, say_table

TIMEOUT_S = 10.0
PASSWORD_BYTES = 18  # 24 characters when it is made here

Name = Annotated[str, typer.Argument(metavar="NAME", help="a-z 0-9 . _ -, up to 64 of them.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="Read the password from the first line of FILE; - is standard input.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    user = typer.Typer(help="Make accounts; for the operator of the node.", no_args_is_help=True)
    user.command("add", epilog="Example: actorchat user add ann --generate")(add)
    app.add_typer(user, name="user")
    app.command("login", epilog="Example: actorchat login ann --password-file -")(login)
    app.command("logout")(logout)
    app.command("whoami")(whoami)
    app.command("passwd", epilog="Example: actorchat passwd --revoke-others --as ann")(passwd)
    app.command("revoke", epilog="Example: actorchat revoke old-phone --as ann")(revoke)


def add(
    name: Name,
    password_file: PasswordFile = None,
    generate: Annotated[
        bool, typer.Option("--generate", help="Make a password, and print it this once.")
    ] = False,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Make an account, and sign this machine in to it."""
    from nodes.cli.wire import as_operator, run_async

    check_name(name)
    password = new_password(password_file, generate=generate)
    device = new_device()

    async def make() -> Login:
        async with as_operator(server, data, timeout) as operator:
            await operator.provision(name, password=password)
            token = await operator.provision(name, device=device)
            errand_token = await operator.provision(name, device=errand_of(device))
        assert token is not None
        assert errand_token is not None
        return Login(device, token, errand_of(device), errand_token)

    credentials = Credentials(realm(server, data))
    credentials.keep(name, run_async(make()))
    if json:
        made = {"user": name, "server": credentials.server, "device": device}
        say_json({**made, "password": password} if generate else made)
        return
    note(f"{name} has an account; signed in here as {device} ({credentials_path()})")
    if generate:
        say(f"password: {password}")


def login(
    name: Name,
    password_file: PasswordFile = None,
    jwt_file: Annotated[
        Path | None,
        typer.Option(
            "--jwt-file",
            metavar="FILE",
            help="Instead of a password: a token (JWT) of the identity provider; - is stdin.",
        ),
    ] = None,
    server: Server = None,
    data: Data = None,
    json: Json = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Sign this machine in as a user, by password or JWT; afterwards its own token is used."""
    from actorchat.client import connect
    from nodes.cli.wire import AGENT, curve_identity, reach, run_async

    check_name(name)
    if jwt_file is not None and password_file is not None:
        raise typer.BadParameter("give one of --password-file and --jwt-file")
    file = password_file if jwt_file is None else jwt_file
    secret = read_password(file, confirm=False)
    address = server_address(server, data)
    credentials = Credentials(realm(server, data))
    known = credentials.logins.get(name)
    device = known.device if known else new_device()

    async def token(one: str) -> str:
        chat = connect(
            address,
            user=name,
            device=one,
            password=secret if jwt_file is None else None,
            jwt=None if jwt_file is None else secret.strip(),
            ack="manual",
            sign_in_timeout_s=timeout,
            curve=curve_identity(),
            agent=AGENT,
        )
        async with chat:
            assert chat.token is not None
            return chat.token

    async def enter() -> Login:
        reach(address, timeout)
        first = await token(device)
        return Login(device, first, errand_of(device), await token(errand_of(device)))

    credentials.keep(name, run_async(enter()))
    if json:
        say_json({"user": name, "server": address, "device": device})
    else:
        note(f"signed in at {address} as {name}, by device {device}")


def logout(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="By default the last who signed in.")
    ] = None,
    server: Server = None,
    data: Data = None,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Sign this machine out: make its tokens void, and forget them."""
    from nodes.cli.wire import as_user, run_async

    credentials = Credentials(realm(server, data))
    user, known = credentials.choose(name)

    async def leave() -> None:
        _, chat = as_user(server, data, user, ack="manual", timeout_s=timeout)
        async with chat:
            await chat.revoke(known.device)
            # The last one ends this very session, maybe before the answer is read.
            with contextlib.suppress(ActorchatError):
                await chat.revoke(known.errand_device)

    try:
        run_async(leave())
    except ActorchatError as error:
        note(f"the tokens are only forgotten here, not void at the server: {error}")
    credentials.forget(user)
    note(f"{user} is signed out here")


def whoami(server: Server = None, data: Data = None, json: Json = False) -> None:
    """Show who is signed in here; commands act as the one marked *, unless told --as."""
    credentials = Credentials(realm(server, data))
    chosen = credentials.last
    if chosen is None and len(credentials.logins) == 1:
        chosen = next(iter(credentials.logins))
    if not credentials.logins:
        credentials.choose(None)
    if json:
        for user, known in sorted(credentials.logins.items()):
            fields = {"user": user, "server": credentials.server, "device": known.device}
            say_json({**fields, "default": user == chosen})
        return
    rows = [
        ("*" if user == chosen else " ", user, known.device, credentials.server)
        for user, known in sorted(credentials.logins.items())
    ]
    say_table(("", "user", "device", "server"), rows)


def revoke(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="One of the user's own.")],
    as_: As = None,
    server: Server = None,
    data: Data = None,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Make the token of one of your devices void, and end its session."""
    from nodes.cli.wire import as_user, run_async

    async def ask() -> str:
        user, chat = as_user(server, data, as_, ack="manual", timeout_s=timeout)
        async with chat:
            await chat.revoke(device)
        return user

    user = run_async(ask())
    note(f"device {device} of {user} is signed out")


def passwd(
    password_file: PasswordFile = None,
    revoke_others: Annotated[
        bool, typer.Option("--revoke-others", help="Sign out all your other devices.")
    ] = False,
    as_: As = None,
    server: Server = None,
    data: Data = None,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Change your password; a file has the old one in its first line, the new one in the second."""
    from nodes.cli.wire import as_user, run_async

    if password_file is not None:
        is_stdin = str(password_file) == "-"
        text = sys.stdin.read() if is_stdin else password_file.read_text(encoding="utf-8")
        old, _, rest = text.partition("\n")
        new = rest.split("\n", 1)[0]
    else:
        old = read_password(None, confirm=False)
        new = str(typer.prompt("New password", hide_input=True, confirmation_prompt=True))
    if not new:
        raise CommandFailed(Exit.USAGE, "no_password", "the new password is empty")

    async def ask() -> str:
        user, chat = as_user(server, data, as_, ack="manual", timeout_s=timeout)
        async with chat:
            mine = Credentials(realm(server, data)).choose(user)[1]
            keep = [mine.device, mine.errand_device]
            await chat.change_password(old, new, revoke_others=revoke_others, keep=keep)
        return user

    note(f"{run_async(ask())} has another password")


def check_name(name: str) -> None:
    """Refuse what can't be a name."""
    from actorchat.ids import is_name

    if not is_name(name):
        raise typer.BadParameter(f"{name!r} is no name: 1 to 64 of a-z 0-9 . _ -, ends a-z 0-9")


def new_password(file: Path | None, *, generate: bool) -> str:
    """Return the password of a new account: one that is made here, or one that is read.

    Raises:
        BadParameter: Both are asked for.
    """
    if not generate:
        return read_password(file, confirm=True)
    if file is not None:
        raise typer.BadParameter("give one of --generate and --password-file")
    import secrets

    return secrets.token_urlsafe(PASSWORD_BYTES)


def read_password(file: Path | None, *, confirm: bool) -> str:
    """Return the first line of `file`, - being standard input; or ask for it."""
    if file is not None:
        text = sys.stdin.readline() if str(file) == "-" else file.read_text(encoding="utf-8")
        password = text.split("\n", 1)[0].rstrip("\r")
    elif sys.stdin.isatty():
        password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=confirm))
    else:
        more = " or --generate" if confirm else ""
        raise CommandFailed(
            Exit.USAGE, "no_password", f"nobody to ask: give --password-file FILE{more}"
        )
    if not password:
        raise CommandFailed(Exit.USAGE, "no_password", "the password is empty")
    return password
