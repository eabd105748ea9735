"""Keys are fetched off the loop, again when they rotate, and the old ones outlive a failure."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from actorchat.limits import JWKS_RETRY_S
from nodes.roles.keyset import RETRY_MS, Keyset
from tests.unit.broker.test_bearer import KEYS, OTHER_RSA, jwk, key_set, reader, token


class FakeOutside:
    """A provider's page of keys."""

    def __init__(self, text: bytes = KEYS) -> None:
        self.text = text
        self.status = 200
        self.fetched = 0

    async def request(self, method: str, *_: Any) -> tuple[int, bytes]:
        assert method == "GET"
        self.fetched += 1
        if self.status == 0:
            raise OSError("nobody there")
        return self.status, self.text

    async def close(self) -> None:
        pass


class Now:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def keyset(outside: FakeOutside, now: Now, source: str = "https://idp.example/keys") -> Keyset:
    return Keyset(source, outside, now)  # type: ignore[arg-type]


async def test_keys_rotate_and_outlive_failures() -> None:
    outside, now = FakeOutside(), Now()
    keys = keyset(outside, now)
    await keys.refresh()
    assert set(keys.keys()) == {"r1", "e1", "o1"}
    for status, text in ((0, KEYS), (500, KEYS), (302, KEYS), (200, b"<html>"), (200, key_set())):
        outside.status, outside.text = status, text
        await keys.refresh()
        assert set(keys.keys()) == {"r1", "e1", "o1"}
    outside.text = key_set(jwk(OTHER_RSA, "r2", "RS256"))
    await keys.refresh()
    assert reader(keys.keys()).read(token(OTHER_RSA, "r2")).user == "ann"
    assert reader(keys.keys()).read(token()).problem == "unknown_key"


async def test_unknown_keys_are_asked_for_now_and_then_whoever_sends_tokens() -> None:
    outside, now = FakeOutside(), Now()
    keys = keyset(outside, now)
    keys.start()
    try:
        while not keys.keys():  # which are parsed on a thread
            await asyncio.sleep(0)
        assert outside.fetched == 1
        assert keys.want() is None
        now.s += JWKS_RETRY_S
        outside.text = key_set(jwk(OTHER_RSA, "r2", "RS256"))
        assert await asyncio.to_thread(keys.want) == RETRY_MS
        while set(keys.keys()) != {"r2"}:
            await asyncio.sleep(0)
        assert keys.want() is None
        assert outside.fetched == 2
    finally:
        await keys.close()


async def test_while_there_are_no_keys_yet_clients_come_again() -> None:
    keys = keyset(FakeOutside(), Now())
    assert keys.want() == RETRY_MS
    assert keys.want() == RETRY_MS


async def test_keys_come_from_a_file_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "keys.json"
    keys = keyset(FakeOutside(), Now(), str(file))
    await keys.refresh()
    assert keys.keys() == {}
    assert "keys of the token issuer not fetched" in caplog.text
    file.write_bytes(KEYS)
    await keys.refresh()
    assert set(keys.keys()) == {"r1", "e1", "o1"}
