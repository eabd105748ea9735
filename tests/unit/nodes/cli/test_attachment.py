"""How a file reads, and that no stranger's name leads anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodes.cli.attachment import (
    NAME_CHARS_MAX,
    UNNAMED,
    free_path,
    hash_in,
    safe_name,
    size_text,
)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1_023, "1023 B"),
        (1_024, "1.0 KiB"),
        (5 * 2**20, "5.0 MiB"),
        (3 * 2**40, "3072.0 GiB"),
    ],
)
def test_size_is_said_as_people_say_it(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize("text", ["7", "g" * 64, "a" * 63, " a" * 32, ""])
def test_only_a_hash_is_one(text: str) -> None:
    assert hash_in(text) is None
    assert hash_in("ab" * 32) == b"\xab" * 32


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("cat.png", "cat.png"),
        ("Grüße.txt", "Grüße.txt"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("..", UNNAMED),
        (".", UNNAMED),
        ("", UNNAMED),
        ("/", UNNAMED),
        (".bashrc", "bashrc"),
        ("-rf", "rf"),
        ("a\0b\nc\x1b[2J", "a_b_c_[2J"),
        ("fdp.\u202eexe", "fdp._exe"),
        ("a:b*c?", "a_b_c_"),
    ],
)
def test_name_of_a_stranger_leads_nowhere(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_long_name_keeps_its_end() -> None:
    assert safe_name("x" * 300 + ".png") == "x" * (NAME_CHARS_MAX - 4) + ".png"


def test_nothing_that_is_there_is_written_over(tmp_path: Path) -> None:
    assert free_path(tmp_path, "cat.png") == tmp_path / "cat.png"
    (tmp_path / "cat.png").touch()
    (tmp_path / "cat (1).png").symlink_to(tmp_path / "nowhere")
    assert free_path(tmp_path, "cat.png") == tmp_path / "cat (2).png"
    (tmp_path / "cat").touch()
    assert free_path(tmp_path, "cat") == tmp_path / "cat (1)"
