"""Recordings for tests: made up ones from a seed, and the real one where it is."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

from nodes.replay.traffic import Line

_WORDS = (
    "ok",
    "where are you?",
    "später",
    "🙂",
    "I'm late :(",
    "",
    "line\nbreak",
    "a" * 700,
)


def made_up(people: int, messages: int, seed: int = 0) -> list[Line]:
    """Return messages of a few senders to many, some to the sender; many texts are alike."""
    rng = random.Random(seed)
    names = [f"p{number:03}" for number in range(people)]
    senders = names[: max(1, people // 4)]
    lines = []
    for _ in range(messages):
        sender = rng.choice(senders)
        to = sender if rng.random() < 0.02 else rng.choice(names)
        lines.append(Line(sender, to, rng.choice(_WORDS)))
    return lines


def write(path: Path, lines: list[Line]) -> Path:
    """Write a recording as it is read."""
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            said = {"at": "", "from": line.sender, "to": line.to, "text": line.text}
            file.write(json.dumps(said) + "\n")
    return path


def real_recording() -> Path | None:
    """Return where the recording of real messages is, if it is here.

    It is the NUS SMS Corpus (Chen and Kan 2013, "Creating a Live, Public Short Message Service
    Corpus"), as JSON Lines; it is not part of the project.
    """
    root = Path(__file__).resolve().parents[1]
    path = Path(os.environ.get("ACTORCHAT_SMS") or root.parent / "shared/data/sms-en.jsonl.gz")
    return path if path.is_file() else None
