"""One hook: what is posted when, how long it waits after a failure, when it is given up."""

from __future__ import annotations

import pytest

from actorchat.chat.firehose_event import (
    Found,
    HookDue,
    HookRow,
    KeepHook,
    KeepPlace,
    Later,
    Place,
    Posted,
    PostItems,
    Read,
)
from actorchat.chat.webhook import Phase, Webhook, why_bad_url
from actorchat.limits import HOOK_BACKOFF_CAP_S, HOOK_BREAK_AFTER, HOOK_BREAK_S

ROW = HookRow("audit", "https://h/", "s" * 16, ["message"], "active", 1)
KEEP_MS = 1_000_000.0
ITEM: dict[str, object] = {"id": 5, "kind": "message"}


def hook(place: Place | None = None, chance: float = 0.5) -> Webhook:
    return Webhook(ROW, place or Place(4), KEEP_MS, lambda: chance)


def posting(one: Webhook, serial: int = 7) -> None:
    """Bring a hook to where a post is under way."""
    assert isinstance(one.go_on(9)[0], Read)
    (post,) = one.found(Found("hook/audit", 5, [ITEM]), serial, missed=False)
    assert post == PostItems(serial, "audit", "https://h/", "s" * 16, [ITEM], False)


def test_one_post_is_under_way_at_a_time() -> None:
    one = hook()
    assert one.go_on(4) == []
    posting(one)
    assert one.go_on(99) == []
    assert one.posted(Posted(6, 200, ""), 0) == []  # of an earlier life
    assert one.posted(Posted(7, 204, ""), 0) == [KeepPlace("hook/audit", Place(5))]
    assert one.go_on(9) == [Read("hook/audit", 5, 9, 100, ["message"])]


def test_what_it_does_not_want_is_passed_over() -> None:
    one = hook()
    one.go_on(9)
    assert one.found(Found("hook/audit", 9, []), 1, missed=False) == []
    assert one.place == Place(9)
    assert one.go_on(9) == []


@pytest.mark.parametrize("status", [0, 199, 300, 302, 404, 500])
def test_anything_but_success_is_tried_again_one_event_at_a_time(status: int) -> None:
    one = hook()
    posting(one)
    keep, later = one.posted(Posted(7, status, ""), 50)
    assert keep == KeepPlace("hook/audit", Place(4, 50, 1, f"status {status}"))
    assert later == Later(0.5, HookDue("audit", 7))
    assert one.go_on(9) == []
    assert not one.due(HookDue("audit", 6))
    assert one.due(HookDue("audit", 7))
    assert one.go_on(9) == [Read("hook/audit", 4, 9, 1, ["message"])]


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_waits_grow_with_full_jitter_until_the_breaker(chance: float) -> None:
    waits = []
    for failures in range(HOOK_BREAK_AFTER + 2):
        one = hook(Place(4, 1, failures), chance)
        posting(one)
        _, later = one.posted(Posted(7, 500, ""), 50)
        assert isinstance(later, Later)
        waits.append(later.delay_s)
    for failures, wait in enumerate(waits[: HOOK_BREAK_AFTER - 1]):
        assert wait == chance * min(2.0**failures, HOOK_BACKOFF_CAP_S)
    assert all(wait >= HOOK_BREAK_S for wait in waits[HOOK_BREAK_AFTER - 1 :])


def test_a_hook_that_fails_too_long_is_dead_and_can_be_brought_back() -> None:
    one = hook(Place(4, 10, 3, "before"))
    posting(one)
    (kept,) = one.posted(Posted(7, 0, "x" * 999), 11 + int(KEEP_MS))
    assert isinstance(kept, KeepHook)
    assert (kept.row.state, kept.place.failures, len(kept.place.error)) == ("dead", 4, 200)
    assert one.go_on(99) == []
    one.set_state("active")
    assert one.place == Place(4)
    assert one.phase is Phase.IDLE
    assert len(one.go_on(99)) == 1


def test_answer_to_a_hook_that_was_paused_meanwhile_counts_for_nothing() -> None:
    one = hook()
    posting(one)
    one.set_state("paused")
    assert one.posted(Posted(7, 200, ""), 0) == []
    assert one.place == Place(4)


def test_operator_sees_all_but_the_secret() -> None:
    shown = hook(Place(4, 10, 3, "status 500")).shown(9)
    assert (shown["position"], shown["head"], shown["failures"]) == (4, 9, 3)
    assert "s" * 16 not in repr(shown)


@pytest.mark.parametrize("url", ["http://a/", "https://a.example:8443/x?y=1", "http://[::1]:80/"])
def test_good_urls_are_taken(url: str) -> None:
    assert not why_bad_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a",
        "file:///etc",
        "http://",
        "http://a:99999/",
        "http://[::1",
        "http://ä/",
        "http://a/\n",
    ],
)
def test_bad_urls_are_explained(url: str) -> None:
    assert why_bad_url(url)
