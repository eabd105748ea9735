"""People make accounts themselves where the server lets them, and stay signed in."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actorchat.broker.archive import Archive
from actorchat.broker.rows import Rows
from actorchat.store.rocks import RocksEngine
from nodes.cli.failure import Exit
from nodes.replay.child import ChildNode

pytestmark = pytest.mark.slow


def start(node: ChildNode) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACTORCHAT_AUTH__SIGNUP", "invitation")
        patch.setenv("ACTORCHAT_AUTH__TOKEN_DAYS", "30")
        node.start()


@pytest.fixture(scope="module")
def inviting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildNode]:
    """A node on which who has an invitation makes an account."""
    child = ChildNode(tmp_path_factory.mktemp("inviting") / "data")
    start(child)
    try:
        yield child
    finally:
        assert child.stop() == 0, child.words()


@pytest.fixture
def guest(inviting: ChildNode, make_shell: Callable[[Path], Any]) -> Any:
    return make_shell(inviting.data)


def test_who_is_invited_makes_an_account_and_is_signed_in(guest: Any) -> None:
    (made,) = guest.json("invitation", "add", "--title", "school", "--uses", "1", "--days", "7")
    (account,) = guest.json("signup", "sup-eve", "--code", made["code"], "--generate")
    assert account["user"] == "sup-eve"
    assert len(account["password"]) >= 20
    guest.json("send", "sup-eve", "a note to myself", "--as", "sup-eve")
    assert guest.run("login", "sup-eve", "--password-file", "-", typed=account["password"])
    again = guest.run("signup", "sup-bob", "--code", made["code"], "--generate")
    assert again.returncode == Exit.REFUSED
    assert again.stderr.startswith("actorchat: bad_invitation: ")
    assert "password:" not in again.stdout
    assert guest.run("whoami", "--as", "sup-bob").returncode != Exit.OK


def test_taken_name_and_short_password_are_refused(guest: Any) -> None:
    guest.json("user", "add", "sup-ann", "--generate")
    (made,) = guest.json("invitation", "add")
    taken = guest.run("signup", "sup-ann", "--code", made["code"], "--generate")
    assert taken.returncode == Exit.REFUSED
    assert taken.stderr.startswith("actorchat: exists: ")
    short = guest.run("signup", "sup-cid", "--password-file", "-", typed="short\n")
    assert short.returncode == Exit.USAGE
    assert "Traceback" not in short.stderr
    (listed,) = [one for one in guest.json("invitation", "list") if one["left"] == 1]
    assert listed["invitation"] == made["invitation"]


def test_nobody_signs_up_where_it_is_closed(shell: Any) -> None:
    closed = shell.run("signup", "sup-dan", "--password-file", "-", typed="long enough\n")
    assert closed.returncode == Exit.REFUSED
    assert closed.stderr.startswith("actorchat: signup_closed: ")


def age(node: ChildNode, user: str, device: str, days: float) -> None:
    """Have the token of a device be so old, while the node is stopped."""
    assert node.stop() == 0, node.words()
    engine = RocksEngine(node.data / "store")
    known = Archive(engine).device(user, device)
    assert known is not None
    made_at = round((time.time() - days * 86_400) * 1000)
    family, key, value = Rows(engine).device(
        user, msgspec.structs.replace(known, created_at_wall_ms=made_at)
    )
    batch = engine.batch()
    batch.put(key, value, family)
    engine.write(batch)
    engine.sync()
    del batch, family
    engine.close()
    start(node)


def test_token_that_grows_old_is_renewed_and_kept(inviting: ChildNode, guest: Any) -> None:
    guest.json("user", "add", "sup-fay", "--generate")

    def login() -> Any:
        file = guest.config / "credentials.toml"
        (server,) = tomllib.loads(file.read_text(encoding="utf-8"))["servers"].values()
        return server["users"]["sup-fay"]

    before = login()
    guest.json("send", "sup-fay", "one", "--as", "sup-fay")
    assert login() == before  # young
    age(inviting, "sup-fay", before["errand_device"], 20.1)
    guest.json("send", "sup-fay", "two", "--as", "sup-fay")
    after = login()
    assert after["errand_token"] != before["errand_token"]
    assert after["token"] == before["token"]
    guest.json("send", "sup-fay", "three", "--as", "sup-fay")
    assert login() == after
    age(inviting, "sup-fay", before["errand_device"], 30.1)
    expired = guest.run("send", "sup-fay", "four", "--as", "sup-fay")
    assert expired.returncode == Exit.REFUSED
    assert expired.stderr.startswith("actorchat: token_expired: ")
    assert "actorchat login" in expired.stderr
    assert login() == after
