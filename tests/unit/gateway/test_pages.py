"""What those who watch a node are told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from actorchat.errors import SettingsError
from actorchat.gateway.http import Refused
from actorchat.gateway.pages import EXPOSITION_TYPE, Pages, read_token

NO_REQUEST = cast(Any, None)
TOKEN = "0123456789abcdef"


def asking(authorization: str | None) -> Any:
    return SimpleNamespace(
        headers={} if authorization is None else {"Authorization": authorization}
    )


async def test_ready_page_gives_the_reason_why_not() -> None:
    reasons = ["", "the store is full"]
    pages = Pages(lambda: reasons.pop(0), None)
    ready = await pages.ready(NO_REQUEST)
    assert (ready.status, ready.text) == (200, "ready\n")
    full = await pages.ready(NO_REQUEST)
    assert (full.status, full.text) == (503, "the store is full\n")


async def test_live_page_does_not_ask_for_health() -> None:
    live = await Pages(lambda: "broken", None).live(NO_REQUEST)
    assert live.status == 200


async def test_metrics_are_scraped_when_asked() -> None:
    pages = Pages(str, lambda: b"a_total 1.0\n")
    shown = await pages.routes()["/metrics"]["GET"](NO_REQUEST)
    assert shown.body == b"a_total 1.0\n"
    assert shown.headers["Content-Type"] == EXPOSITION_TYPE


def test_without_a_scrape_there_is_no_such_page() -> None:
    assert set(Pages(str, None).routes()) == {"/livez", "/readyz"}


@pytest.mark.parametrize(
    "authorization",
    [None, "", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer ", f"Bearer {TOKEN}x", "Bearer \udcff"],
)
async def test_without_the_token_only_life_is_shown(authorization: str | None) -> None:
    pages = Pages(str, lambda: b"a 1.0\n", TOKEN)
    for page in (pages.ready, pages.metrics):
        with pytest.raises(Refused) as caught:
            await page(asking(authorization))
        assert caught.value.status == 401
        assert caught.value.headers == {"WWW-Authenticate": "Bearer"}
    assert (await pages.live(asking(authorization))).status == 200


async def test_who_has_the_token_reads_all() -> None:
    pages = Pages(str, lambda: b"a 1.0\n", TOKEN)
    assert (await pages.ready(asking(f"Bearer {TOKEN}"))).status == 200
    assert (await pages.metrics(asking(f"bearer {TOKEN}"))).body == b"a 1.0\n"


@pytest.mark.parametrize("content", [b"", b"short", b"two words that are long", b"\xff" * 20])
def test_token_that_is_none_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match="expected one word of 16"):
        read_token(file)


def test_token_is_the_one_word_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n", encoding="ascii")
    assert read_token(file) == TOKEN
    with pytest.raises(SettingsError, match="No such file"):
        read_token(tmp_path / "none")
