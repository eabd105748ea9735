"""What those who watch a node are told."""

from __future__ import annotations

from typing import Any, cast

from actorchat.gateway.pages import EXPOSITION_TYPE, Pages

NO_REQUEST = cast(Any, None)


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
