"""One process at a time has a node's data, and each of them knows the same id."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorchat.errors import StoreBusy
from nodes.roles.seat import ID, Seat


def test_directory_is_one_processs_at_a_time_and_keeps_its_id(tmp_path: Path) -> None:
    seat = Seat(tmp_path)
    with pytest.raises(StoreBusy, match="another node's"):
        Seat(tmp_path)
    seat.close()
    again = Seat(tmp_path)
    assert again.id == seat.id
    again.close()


def test_directories_have_ids_of_their_own_and_an_empty_one_is_made_anew(tmp_path: Path) -> None:
    ids = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ID).write_text("\n", encoding="ascii")
        seat = Seat(tmp_path / name)
        ids.add(seat.id)
        seat.close()
    assert len(ids - {""}) == 2
