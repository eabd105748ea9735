"""The checks that run around every test can fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.tidy import rule

LEAKING = """
import threading

def test_leaves_a_thread():
    threading.Thread(target=threading.Event().wait, args=(30,), daemon=True, name="left").start()

def test_ends_its_thread():
    thread = threading.Thread(target=lambda: None)
    thread.start()
"""


# Of these two files each has a worker.
LONG = """
import time
from pathlib import Path
import pytest

def others():
    return len(list(Path(__file__).parent.glob("*.ran")))

def test_runs_beside_others():
    before, deadline_s = others(), time.monotonic() + 30.0
    while others() == before:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)

def test_runs_by_itself(alone):
    before = others()
    assert before < 100
    time.sleep(0.2)
    assert others() == before
"""
MANY = """
import time
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range(100))
def test_runs_when_it_may(number):
    Path(__file__).with_name(f"{number}.ran").touch()
    time.sleep(0.02)
"""


def run(tmp_path: Path, text: str, *arguments: str) -> str:
    root = rule.project_root()
    for name in ("pyproject.toml", "tests/conftest.py"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        target.write_text((root / name).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "tests/test_sample.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    command += arguments
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout


def test_thread_that_is_left_behind_fails_its_test(tmp_path: Path) -> None:
    shown = run(tmp_path, LEAKING)
    assert "threads left behind: left" in shown
    assert "2 passed, 1 error" in shown


def test_warning_fails_its_test(tmp_path: Path) -> None:
    shown = run(tmp_path, "import warnings\ndef test_warns():\n    warnings.warn('old')\n")
    assert "1 failed" in shown


def test_unknown_marker_is_refused(tmp_path: Path) -> None:
    shown = run(tmp_path, "import pytest\n@pytest.mark.slwo\ndef test_marked(): pass\n")
    assert "'slwo' not found in `markers`" in shown


def test_test_that_is_alone_runs_while_no_other_worker_runs_one(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_many.py").write_text(MANY, encoding="utf-8")
    shown = run(tmp_path, LONG, "-n", "2", "--dist", "loadfile")
    assert "102 passed" in shown, shown
