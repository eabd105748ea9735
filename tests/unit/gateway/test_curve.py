"""Keys come from files; what is no key is named without being shown; no keys, no strangers."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import zmq
from zmq.utils import z85

from actorchat.errors import SettingsError
from actorchat.gateway.curve import check_guarded, is_key, read_curve_keys, write_secret_key

PUBLIC, SECRET = (key.decode() for key in zmq.curve_keypair())
OTHER = zmq.curve_keypair()[0].decode()


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_files_make_the_keys_of_a_server(tmp_path: Path) -> None:
    secret = written(tmp_path / "secret", f"# the node's\n{SECRET}\n")
    clients = written(tmp_path / "clients", f"\n{OTHER}  ann's phone\n# bob\n{PUBLIC}\n")
    keys = read_curve_keys(secret, clients)
    assert (keys.public, keys.secret) == (PUBLIC.encode(), SECRET.encode())
    assert keys.clients == {z85.decode(OTHER.encode()), z85.decode(PUBLIC.encode())}
    assert SECRET not in repr(keys)


@pytest.mark.parametrize(
    ("secret", "clients", "said"),
    [
        (SECRET[:-1], OTHER, "line 1 begins with no key"),
        (f"{SECRET}\n{SECRET}", OTHER, "expected one, got 2"),
        ("", OTHER, "expected one, got 0"),
        (SECRET, "# nobody yet\n", "nobody could connect"),
        (SECRET, f"{OTHER}\nann", "line 2 begins with no key"),
    ],
    ids=["short", "two", "none", "no-clients", "second-client"],
)
def test_files_that_hold_no_keys_are_refused(
    tmp_path: Path, secret: str, clients: str, said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read_curve_keys(written(tmp_path / "s", secret), written(tmp_path / "c", clients))
    assert any(said in problem for problem in caught.value.problems)
    assert SECRET[:-1] not in str(caught.value)


def test_every_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError) as caught:
        read_curve_keys(tmp_path / "none", tmp_path / "binary")
    missing, binary = caught.value.problems
    assert "none: No such file" in missing and "binary: not text" in binary


def test_written_key_is_its_owners_alone_and_fits_the_printed_one(tmp_path: Path) -> None:
    path = tmp_path / "key"
    public = write_secret_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert zmq.curve_public(path.read_bytes().strip()).decode() == public
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        write_secret_key(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_needs_no_keys(host: str) -> None:
    check_guarded(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"])  # noqa: S104
def test_other_addresses_need_keys(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingsError, match="no loopback address"):
        check_guarded(host, None)
    secret, clients = written(tmp_path / "s", SECRET), written(tmp_path / "c", OTHER)
    check_guarded(host, read_curve_keys(secret, clients))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (PUBLIC, True),
        (PUBLIC[:-1], False),
        (PUBLIC + "a", False),
        ("é" * 40, False),
        ('"' * 40, False),
        ("#" * 40, False),  # more than 32 bits in five characters
    ],
    ids=["key", "short", "long", "no-ascii", "not-z85", "too-much"],
)
def test_key_is_forty_characters_of_z85(text: str, is_one: bool) -> None:
    assert is_key(text) == is_one
