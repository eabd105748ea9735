"""The bench of gateways compares rounds with TCP's beside them."""

from __future__ import annotations

import pytest

from bench.gateways import figures_of, parse, places_of
from bench.load import Tally
from bench.peers import GATEWAYS
from bench.stand import Round


def rounds(*cpu_us: float) -> list[Round]:
    return [Round(each, 1_000.0, Tally(received=5), 0.25) for each in cpu_us]


def test_ratio_is_the_median_of_those_of_the_rounds() -> None:
    flat = figures_of({"tcp": rounds(10, 20, 40), "ws": rounds(11, 30, 44)})
    assert flat["tcp_us"] == 20
    assert flat["ws_us"] == 30
    assert flat["ws_ratio"] == 1.1
    assert "tcp_ratio" not in flat
    assert flat["ws_messages_checked"] == 15
    assert flat["ws_load_cpu_share"] == 0.25


def test_tcp_is_always_there_and_opened_by_itself() -> None:
    options = parse(["--gateways", "ws_json ws"])
    assert options.gateways == ["tcp", "ws", "ws_json"]
    assert places_of(options.gateways) == {"ws"}
    assert parse([]).gateways == list(GATEWAYS)


def test_unknown_gateways_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--gateways", "smoke"])
    assert "smoke" in capsys.readouterr().err
