from __future__ import annotations

from pathlib import Path

import pytest

from actorchat.errors import SettingsError
from actorchat.settings import Settings, env_name, load, resolve, table

NAME_WANTED = "expected 1 to 64 of a-z 0-9 . _ - that begin and end with a letter or digit"


def problems(
    path: Path | None = None,
    env: dict[str, str] | None = None,
    overrides: dict[str, object] | None = None,
) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(path, env or {}, overrides)
    return caught.value.problems


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "node.toml"


def test_nothing_given_is_the_defaults() -> None:
    resolved = resolve(None, env={})
    assert resolved.settings == Settings()
    assert set(resolved.origins.values()) == {"default"}
    assert set(resolved.origins) == set(table())


def test_flag_wins_over_environment_over_file_over_default(file: Path) -> None:
    file.write_text('[node]\nname = "f"\nregion = "f"\nzone = "f"\n')
    env = {"ACTORCHAT_NODE__REGION": "e", "ACTORCHAT_NODE__ZONE": "e"}
    resolved = resolve(file, env, {"node.zone": "flag"})
    node = resolved.settings.node
    assert (node.data_dir, node.name, node.region, node.zone) == ("data", "f", "e", "flag")
    origins = [resolved.origins[f"node.{name}"] for name in ("data_dir", "name", "region", "zone")]
    assert origins == ["default", "file", "env", "flag"]


def test_nested_section_is_read_from_file_and_environment(file: Path) -> None:
    file.write_text('[gateway.tcp]\nlisten = "0.0.0.0:1"\n')
    assert load(file, {}).gateway.tcp.listen == "0.0.0.0:1"
    env = {"ACTORCHAT_GATEWAY__TCP__LISTEN": "[::]:2"}
    assert load(file, env).gateway.tcp.listen == "[::]:2"


def test_text_of_environment_and_flags_becomes_the_setting_s_type() -> None:
    env = {"ACTORCHAT_STORE__SYNC": "false", "ACTORCHAT_CHAT__ENTITY_IDLE_S": "1.5"}
    settings = load(None, env, {"limits.connections_max": "12", "auth.hash_threads": 3})
    assert settings.store.sync is False
    assert settings.chat.entity_idle_s == 1.5
    assert settings.limits.connections_max == 12
    assert settings.auth.hash_threads == 3


def test_flag_that_was_not_given_overrides_nothing() -> None:
    assert load(None, {}, {"node.name": None}) == Settings()


def test_text_in_a_file_is_no_number(file: Path) -> None:
    file.write_text('[auth]\nhash_threads = "3"\n[store]\nsync = 1\n')
    assert problems(file) == [
        f"{file}: auth.hash_threads: expected int, got '3'",
        f"{file}: store.sync: expected bool, got 1",
    ]


def test_all_problems_are_told_at_once(file: Path) -> None:
    file.write_text(
        '[node]\nnam = "x"\nname = "Ann B"\n[lgo]\nlevel = "info"\n[log]\nlevel = "loud"\n'
        "[auth]\nhash_threads = 0\n"
    )
    env = {"ACTORCHAT_STORE__SYNC": "maybe", "ACTORCHAT_STORE__SINC": "1"}
    assert problems(file, env, {"log.levl": "info", "node.zone": "-"}) == [
        f"{file}: node.nam: no such setting; did you mean node.name?",
        f"{file}: node.name: {NAME_WANTED}, got 'Ann B'",
        f"{file}: lgo: no such section; did you mean log?",
        f"{file}: log.level: expected one of debug, info, warning, error, critical, got 'loud'",
        f"{file}: auth.hash_threads: expected int >= 1, got 0",
        "ACTORCHAT_STORE__SINC: no such setting; did you mean ACTORCHAT_STORE__SYNC?",
        "ACTORCHAT_STORE__SYNC: expected bool, got 'maybe'",
        "flag log.levl: no such setting; did you mean log.level?",
        f"flag node.zone: {NAME_WANTED}, got '-'",
    ]


def test_far_off_name_gets_no_guess() -> None:
    assert problems(env={"ACTORCHAT_QQQ__ZZZ": "1"}) == ["ACTORCHAT_QQQ__ZZZ: no such setting"]


def test_variable_without_a_section_is_somebody_else_s() -> None:
    assert load(None, {"ACTORCHAT_TOKEN": "x", "PATH": "/bin", "OTHER__KEY": "y"}) == Settings()


def test_section_that_is_no_table_is_a_problem(file: Path) -> None:
    file.write_text("log = 3\n")
    assert problems(file) == [f"{file}: log: expected a table, got 3"]


def test_file_that_is_not_toml_or_not_there_is_a_problem(file: Path) -> None:
    assert problems(file) == [f"{file}: No such file or directory"]
    file.write_text("[log\n")
    assert problems(file)[0].startswith(f"{file}: not TOML: ")
    file.write_bytes(b"\xff\xfe")
    assert problems(file)[0].startswith(f"{file}: not TOML: ")


def test_environment_of_the_process_is_read_unless_one_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACTORCHAT_NODE__NAME", "from-env")
    assert load().node.name == "from-env"
    assert load(env={}).node.name == Settings().node.name


def test_variable_of_a_setting_is_its_key_in_capitals() -> None:
    assert env_name("gateway.tcp.listen") == "ACTORCHAT_GATEWAY__TCP__LISTEN"
