"""The example of the kit's README is run as it stands."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from actorchat import testing

PAGE = Path(testing.__file__).with_name("README.md")


def test_example_of_the_readme_passes_as_printed(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    module = tmp_path / "example.py"
    module.write_text(code, encoding="utf-8")
    names = runpy.run_path(str(module))
    tests = [names[name] for name in names if name.startswith("test_")]
    assert len(tests) == 3
    for test in tests:
        test()


def test_example_of_the_readme_can_fail(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    module = tmp_path / "example.py"
    module.write_text(code.replace('self.stop("idle")', 'self.stop("bored")'), encoding="utf-8")
    names = runpy.run_path(str(module))
    with pytest.raises(AssertionError, match="the Down of Teller for 'idle'"):
        names["test_teller_pays_what_the_bank_allows"]()
