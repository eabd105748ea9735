"""Tokens are kept where only their owner can read them, by server and user."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from actorchat.ids import is_name
from nodes.cli import credential
from nodes.cli.credential import Credentials, Login
from nodes.cli.failure import CommandFailed, Exit

HERE, THERE = "tcp://127.0.0.1:7700", "tls://chat.example.org:7701"


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "deep" / "config"
    monkeypatch.setenv("ACTORCHAT_CONFIG_DIR", str(path))
    return path


def login(mark: str = "t") -> Login:
    return Login("desk-1", mark, "desk-1-errand", f"{mark}-2")


def test_what_is_kept_is_read_back() -> None:
    Credentials(HERE).keep("ann", login("a"))
    Credentials(HERE).keep("bob", login("b"))
    Credentials(THERE).keep("ann", login('odd "token" \\ ünd'))
    here, there = Credentials(HERE), Credentials(THERE)
    assert here.logins == {"ann": login("a"), "bob": login("b")}
    assert here.last == "bob"
    assert there.choose("ann") == ("ann", login('odd "token" \\ ünd'))


def test_only_the_owner_can_read_it(config: Path) -> None:
    Credentials(HERE).keep("ann", login())
    Credentials(HERE).keep("bob", login())  # written over
    file = credential.credentials_path()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.stat().st_mode) == 0o700
    assert [path.name for path in config.iterdir()] == ["credentials.toml"]
    tomllib.loads(file.read_text(encoding="utf-8"))


def test_without_a_name_the_last_login_is_chosen() -> None:
    Credentials(HERE).keep("ann", login())
    Credentials(HERE).keep("bob", login())
    Credentials(HERE).keep("ann", login("newer"))
    assert Credentials(HERE).choose(None) == ("ann", login("newer"))


def test_several_and_none_chosen_is_said_so() -> None:
    credentials = Credentials(HERE)
    for user in ("ann", "bob", "cat"):
        credentials.keep(user, login())
    credentials.forget("cat")  # the last one
    with pytest.raises(CommandFailed, match="ann, bob") as caught:
        Credentials(HERE).choose(None)
    assert caught.value.status == Exit.USAGE
    assert "--as" in caught.value.hint


def test_the_only_one_needs_no_choice() -> None:
    credentials = Credentials(HERE)
    credentials.keep("ann", login())
    credentials.keep("bob", login())
    credentials.forget("bob")
    assert Credentials(HERE).choose(None)[0] == "ann"


@pytest.mark.parametrize("user", [None, "cat"])
def test_who_is_not_signed_in_is_refused(user: str | None) -> None:
    Credentials(THERE).keep("ann", login())
    with pytest.raises(CommandFailed, match=r"(cat is not|nobody is) signed in at") as caught:
        Credentials(HERE).choose(user)
    assert caught.value.status == Exit.REFUSED


def test_a_forgotten_login_is_gone_from_the_file() -> None:
    Credentials(HERE).keep("ann", login("visible"))
    Credentials(HERE).forget("ann")
    assert Credentials(HERE).logins == {}
    assert "visible" not in credential.credentials_path().read_text(encoding="utf-8")
    Credentials(HERE).forget("ann")  # again: nothing to do


@pytest.mark.parametrize(
    "text",
    [
        "servers = 1",
        "[servers]\nx = 1",
        '[servers."tcp://127.0.0.1:7700"]\nusers = 3',
        '[servers."tcp://127.0.0.1:7700".users.ann]\ndevice = "x"',
        "not toml",
    ],
)
def test_a_broken_file_is_told_and_left_alone(config: Path, text: str) -> None:
    config.mkdir(parents=True)
    (config / "credentials.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CommandFailed, match=r"credentials\.toml") as caught:
        Credentials(HERE)
    assert caught.value.status == Exit.CONFIG
    assert (config / "credentials.toml").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("host", ["Ann's MacBook.local", "", "ünï", "x" * 99, "-.-"])
def test_a_device_is_named_after_its_host(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setattr(credential.socket, "gethostname", lambda: host)
    first, second = credential.new_device(), credential.new_device()
    assert first != second
    assert is_name(first)
    assert is_name(credential.errand_of(first))


def test_renewed_token_takes_the_place_of_the_one_of_its_device() -> None:
    credentials = Credentials(HERE)
    credentials.keep("ann", login())
    Credentials(HERE).keep("bob", login("b"))
    credentials.renew("ann", "desk-1", "new")
    assert credentials.logins["ann"] == Login("desk-1", "new", "desk-1-errand", "t-2")
    credentials.renew("ann", "desk-1-errand", "newer")
    found = Credentials(HERE)
    assert found.logins["ann"] == Login("desk-1", "new", "desk-1-errand", "newer")
    assert found.logins["bob"] == login("b")
    assert found.last == "bob"


def test_token_of_who_signed_out_meanwhile_is_not_kept() -> None:
    credentials = Credentials(HERE)
    credentials.keep("ann", login())
    Credentials(HERE).forget("ann")
    for device in ("desk-1", "another"):
        with pytest.raises(CommandFailed):
            credentials.renew("ann", device, "new")
    assert Credentials(HERE).logins == {}
