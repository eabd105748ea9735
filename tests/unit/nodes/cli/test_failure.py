"""Every failure has an exit status, a code and a line."""

from __future__ import annotations

import pytest

from actorchat import errors
from nodes.cli.failure import EXPLAINED, CommandFailed, Exit, explain


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.AuthFailed("no"), Exit.REFUSED, "unauthenticated"),
        (errors.Refusal("no_such_user", "who?"), Exit.REFUSED, "no_such_user"),
        (errors.TakenOver("takeover", "elsewhere"), Exit.REFUSED, "takeover"),
        (errors.Revoked("revoked", "void"), Exit.REFUSED, "revoked"),
        (errors.SessionEnded("closed", "over"), Exit.REFUSED, "closed"),
        (errors.VersionMismatch("2"), Exit.REFUSED, "version"),
        (errors.SettingsError(["a: b"]), Exit.CONFIG, "settings"),
        (errors.StoreCorrupt("bad block", "/x/000012.sst"), Exit.CONFIG, "store_corrupt"),
        (errors.StoreTooNew(9, 1), Exit.CONFIG, "store_too_new"),
        (errors.StoreIO("EIO"), Exit.IO, "store_io"),
        (errors.StoreBusy("locked"), Exit.BUSY, "store_busy"),
        (errors.CallTimeout("late"), Exit.UNREACHABLE, "timeout"),
        (errors.ConnectionLost("cut"), Exit.UNREACHABLE, "connection_lost"),
        (errors.InvalidOp("no"), Exit.USAGE, "bad_request"),
        (PermissionError(13, "Permission denied", "/x"), Exit.IO, "io"),
        (CommandFailed(Exit.FAILED, "own", "words"), Exit.FAILED, "own"),
    ],
)
def test_an_error_ends_with_its_status(error: Exception, status: Exit, code: str) -> None:
    failure = explain(error)
    assert failure.status == status
    assert failure.code == code
    assert str(failure)
    assert "\n" not in f"{failure}{failure.hint}"


def test_a_corrupt_file_is_named() -> None:
    assert "/x/000012.sst" in str(explain(errors.StoreCorrupt("bad block", "/x/000012.sst")))


def test_a_file_that_cant_be_read_is_named() -> None:
    assert str(explain(PermissionError(13, "Permission denied", "/x"))) == "/x: Permission denied"


def test_what_nobody_expects_is_raised_again() -> None:
    with pytest.raises(ZeroDivisionError):
        explain(ZeroDivisionError())


def test_every_status_is_explained() -> None:
    assert set(EXPLAINED) == set(Exit) - {Exit.INTERRUPTED}
