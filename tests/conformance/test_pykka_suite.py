"""Pykka's own suite passes against this project's runtime."""

from __future__ import annotations

import pytest

from tests.conformance import pykka_suite


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("loop", pykka_suite.LOOPS)
def test_pykka_suite_passes_unmodified(loop: str) -> None:
    try:
        suite = pykka_suite.fetch()
    except pykka_suite.SuiteMissing as missing:
        pytest.skip(f"pykka's source distribution can't be fetched: {missing}")
    count, output = pykka_suite.run(suite, loop)
    assert count == pykka_suite.TESTS, output
