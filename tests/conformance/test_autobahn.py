"""The WebSocket gateway passes Autobahn's suite: framing, fragments, UTF-8, closes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import autobahn

PASSES = {"OK", "NON-STRICT", "INFORMATIONAL"}
CASES = 247


@pytest.mark.slow
@pytest.mark.timeout(autobahn.INSTALL_S + autobahn.RUN_S)
async def test_every_case_of_autobahn_passes(tmp_path: Path) -> None:
    python = autobahn.python27()
    if python is None:
        pytest.skip("Autobahn's suite needs Python 2.7, which pyenv can install")
    installed = autobahn.install(python)
    if installed is None:
        pytest.skip(f"{autobahn.PACKAGE} is not installed and can't be")
    verdicts = await autobahn.verdicts(python, installed, tmp_path)
    assert len(verdicts) == CASES
    failed = {
        case: verdict
        for case, verdict in verdicts.items()
        if verdict["behavior"] not in PASSES or verdict["behaviorClose"] not in PASSES
    }
    assert failed == {}
