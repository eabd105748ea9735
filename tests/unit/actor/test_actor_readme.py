"""The example of the actors' README is run as it stands."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from actorchat import actor

PAGE = Path(actor.__file__).with_name("README.md")


def test_example_of_the_readme_works_as_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    code = re.findall(r"## In ten minutes\n\n```python\n(.*?)```", text, re.DOTALL)[0]
    module = tmp_path / "example.py"
    module.write_text(code, encoding="utf-8")
    runpy.run_path(str(module))
    assert capsys.readouterr().out.splitlines() == ["12", "11"]
