"""Knows how a failure is told: exit status, one line, a hint. Must not know what failed."""

from __future__ import annotations

from enum import IntEnum

from actorchat.errors import (
    ActorchatError,
    AuthFailed,
    CallTimeout,
    ConnectionLost,
    Fatal,
    InvalidOp,
    Refusal,
    Revoked,
    SessionEnded,
    SettingsError,
    StoreBusy,
    StoreCorrupt,
    TakenOver,
    Unavailable,
    VersionMismatch,
)


class Exit(IntEnum):
    """Exit statuses; from 64 on those of sysexits.h."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 69
    CRASHED = 70
    CANT_LISTEN = 71
    IO = 74
    BUSY = 75
    REFUSED = 77
    CONFIG = 78
    INTERRUPTED = 130


EXPLAINED = {
    Exit.OK: "done",
    Exit.FAILED: "differences or problems were found",
    Exit.USAGE: "wrong arguments or input",
    Exit.UNREACHABLE: "no server, or no answer in time",
    Exit.CRASHED: "the node failed in a way that it has no other status for",
    Exit.CANT_LISTEN: "the node can't bind its address",
    Exit.IO: "a file or the store can't be read or written",
    Exit.BUSY: "another process has the store open",
    Exit.REFUSED: "the server refused: not signed in, not allowed, no such user",
    Exit.CONFIG: "the configuration can't be used, or the store is corrupt",
}


class CommandFailed(ActorchatError):
    """A command can't do what it was asked for."""

    def __init__(self, status: Exit, code: str, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.code = code  # type: ignore[misc]
        self.hint = hint


_HINTS = {
    "no_such_user": "an operator makes accounts: actorchat user add NAME",
    "exists": "sign in with: actorchat login NAME",
    "no_such_group": "mind the quotes around its address; its members can add you",
    "id_conflict": "this id was used for another text; leave --cid out",
    "busy": "try again in a moment",
    "store_full": "free space on the node's disk; nothing was lost",
    "no_such_actor": "see: actorchat actors top; an id is forgotten when its actor has ended",
    "signup_closed": "ask the operator: actorchat user add NAME",
    "bad_invitation": "ask the operator for a code, and give it with --code",
    "no_such_invitation": "see: actorchat invitation list",
    "forbidden": "it takes an operator's rights, or in a group an admin's",
}


def explain(error: Exception) -> CommandFailed:
    """Return how to tell `error`; one that nobody expects is raised again."""
    match error:
        case CommandFailed():
            return error
        case AuthFailed():
            hint = "sign in with: actorchat login NAME"
            return _of(error, Exit.REFUSED, hint)
        case TakenOver():
            return _of(error, Exit.REFUSED, "another tail or chat of this user runs here")
        case Revoked():
            return _of(error, Exit.REFUSED, "sign in again with: actorchat login NAME")
        case Refusal():
            return CommandFailed(
                Exit.REFUSED, error.code, error.reason or "refused", _HINTS.get(error.code, "")
            )
        case SessionEnded() | VersionMismatch():
            return _of(error, Exit.REFUSED)
        case SettingsError():
            hint = "check the file with: actorchat config check FILE"
            return _of(error, Exit.CONFIG, hint)
        case StoreCorrupt():
            where = f" ({error.path})" if error.path and error.path not in str(error) else ""
            hint = "nothing was changed; keep a copy of the directory, then restore a backup"
            return CommandFailed(Exit.CONFIG, error.code, f"{error}{where}", hint)
        case Fatal():
            return _of(error, Exit(error.exit_status))
        case StoreBusy():
            return _of(error, Exit.BUSY, "stop the node that has the store open first")
        case CallTimeout() | ConnectionLost() | Unavailable():
            return _of(error, Exit.UNREACHABLE)
        case InvalidOp() | ActorchatError():
            return _of(error, Exit.USAGE)
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return CommandFailed(Exit.IO, "io", f"{where}{error.strerror or error}")
        case _:
            raise error


def _of(error: ActorchatError, status: Exit, hint: str = "") -> CommandFailed:
    return CommandFailed(status, error.code, str(error) or type(error).__name__, hint)
