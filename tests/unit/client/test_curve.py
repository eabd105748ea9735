"""Keys are told from what is none, and a secret one is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq

from actorchat.client.curve import CurveIdentity, is_key, read_curve_identity

PUBLIC, SECRET = (key.decode() for key in zmq.curve_keypair())


def test_what_libzmq_makes_is_a_key() -> None:
    for _ in range(50):
        assert all(is_key(key.decode()) for key in zmq.curve_keypair())


# Names of their own: those of keys by chance would be others in each worker (pytest-xdist).
@pytest.mark.parametrize(
    "text",
    ["", PUBLIC[:-1], PUBLIC + "0", "~" + PUBLIC[1:], "#" * 40],
    ids=["empty", "short", "long", "not-z85", "no-multiple"],
)
def test_what_libzmq_refuses_is_none(text: str) -> None:
    assert not is_key(text)
    with pytest.raises(ValueError, match="public key"):
        CurveIdentity(text, SECRET)
    with pytest.raises(ValueError, match="secret key") as caught:
        CurveIdentity(PUBLIC, text)
    assert not text or text not in str(caught.value)


def test_secret_key_is_not_shown() -> None:
    identity = CurveIdentity(PUBLIC, SECRET)
    assert PUBLIC in repr(identity)
    assert SECRET not in repr(identity)


def test_secret_key_is_read_beside_words_for_people(tmp_path: Path) -> None:
    path = tmp_path / "ann.key"
    path.write_text(f"# of ann\n\n{SECRET} ann's laptop\n", encoding="utf-8")
    assert read_curve_identity(PUBLIC, path) == CurveIdentity(PUBLIC, SECRET)


@pytest.mark.parametrize(
    "content",
    [b"", b"# nothing\n", b"nonsense", f"{SECRET}\n{SECRET}".encode(), b"\xff"],
    ids=["empty", "comment", "nonsense", "two", "no-text"],
)
def test_file_without_one_key_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ann.key"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=str(path)) as caught:
        read_curve_identity(PUBLIC, path)
    assert SECRET not in str(caught.value)


def test_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        read_curve_identity(PUBLIC, tmp_path / "none")
