"""A command finds out at once whether anybody is there, before it says who it is."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
import zmq

from actorchat.errors import CallTimeout
from nodes.cli import wire
from nodes.cli.failure import CommandFailed, Exit


@pytest.fixture(autouse=True)
def nobody_signed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTORCHAT_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.delenv("ACTORCHAT_CURVE_SERVER", raising=False)
    monkeypatch.delenv("ACTORCHAT_CURVE_KEY", raising=False)


def test_where_somebody_listens_there_is_nothing_to_say() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        wire.reach(f"tcp://127.0.0.1:{server.getsockname()[1]}", 5.0)


def test_where_nobody_listens_the_address_is_named() -> None:
    with socket.socket() as deaf:  # bound, so that nobody else listens there
        deaf.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(CommandFailed, match=address) as caught:
            wire.reach(address, 5.0)
    assert caught.value.status == Exit.UNREACHABLE
    assert "actorchat up" in caught.value.hint


@pytest.mark.parametrize("address", ["gopher://127.0.0.1:80", "tcp://127.0.0.1", "tcp://"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        wire.reach(address, 5.0)
    assert caught.value.status == Exit.USAGE


def test_a_server_that_is_away_is_told_before_a_missing_key_or_login(tmp_path: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(CommandFailed) as of_operator:
            wire.as_operator(address, tmp_path)
        with pytest.raises(CommandFailed) as of_user:
            wire.as_user(address, tmp_path, "ann")
    assert of_operator.value.status == of_user.value.status == Exit.UNREACHABLE


def test_a_missing_key_and_a_missing_login_are_told_where_the_server_is_there(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(CommandFailed) as of_operator:
            wire.as_operator(address, tmp_path)
        with pytest.raises(CommandFailed) as of_user:
            wire.as_user(address, tmp_path, "ann")
    assert of_operator.value.code == "no_operator_key"
    assert of_user.value.code == "not_signed_in"
    assert of_operator.value.status == of_user.value.status == Exit.REFUSED


def test_keys_for_curve_are_those_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wire.curve_identity() is None
    server, secret = (key.decode() for key in zmq.curve_keypair())
    path = tmp_path / "ann.key"
    path.write_text(f"{secret}\n", encoding="ascii")
    monkeypatch.setenv("ACTORCHAT_CURVE_SERVER", server)
    monkeypatch.setenv("ACTORCHAT_CURVE_KEY", str(path))
    found = wire.curve_identity()
    assert found is not None
    assert (found.server, found.secret) == (server, secret)


@pytest.mark.parametrize("given", [("0" * 40, ""), ("", "ann.key"), ("0" * 40, "none.key")])
def test_half_a_curve_identity_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: tuple[str, str]
) -> None:
    monkeypatch.setenv("ACTORCHAT_CURVE_SERVER", given[0])
    monkeypatch.setenv("ACTORCHAT_CURVE_KEY", given[1])
    with pytest.raises(CommandFailed) as caught:
        wire.curve_identity()
    assert (caught.value.status, caught.value.code) == (Exit.USAGE, "curve_key")


class Errand:
    """A client that is in once entered, and answers what it is told to."""

    def __init__(self) -> None:
        self.is_in = False

    async def __aenter__(self) -> Errand:
        self.is_in = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.is_in = False


@pytest.fixture
def errand(monkeypatch: pytest.MonkeyPatch) -> Errand:
    chat = Errand()
    monkeypatch.setattr(wire, "as_user", lambda *_, **__: ("ann", chat))
    return chat


def test_an_errand_is_one_thing_done_by_a_client_that_is_in(errand: Errand) -> None:
    async def ask(chat: Any) -> bool:
        return bool(chat.is_in)

    assert wire.run_errand(ask, "ann", None, None) is True
    assert not errand.is_in


def test_an_errand_without_an_answer_is_over_in_time(errand: Errand) -> None:
    async def ask(chat: Any) -> None:
        await asyncio.Event().wait()

    with pytest.raises(CallTimeout, match="may have been done or not"):
        wire.run_errand(ask, "ann", None, None, 0.01)
    assert not errand.is_in
