"""What a client is told of a token that signs nobody in."""

from __future__ import annotations

from typing import get_args

import pytest

from actorchat.chat.bearer import Problem, Reading, refusal


@pytest.mark.parametrize("problem", [one for one in get_args(Problem) if one])
def test_bad_token_is_refused_for_good(problem: Problem) -> None:
    refused = refusal(Reading("", problem))
    assert (refused.code, refused.retry) == ("unauthenticated", "never")


def test_token_of_another_user_says_no_more_than_that() -> None:
    assert "bob" not in refusal(Reading("bob")).reason


def test_token_whose_key_is_being_fetched_is_to_come_again() -> None:
    refused = refusal(Reading("", "unknown_key", 700))
    assert (refused.code, refused.retry, refused.after_ms) == ("unavailable", "after", 700)
