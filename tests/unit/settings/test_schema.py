from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from actorchat.settings import Setting, Settings, load, render_toml, table
from actorchat.settings.schema import sections

SHIPPED = Path(__file__).parents[3] / "config" / "standalone.toml"


def undocumented(settings: dict[str, Setting]) -> list[str]:
    return [key for key, setting in settings.items() if not setting.description.endswith(".")]


def test_every_setting_is_explained_by_a_sentence() -> None:
    assert undocumented(table()) == []
    assert undocumented({"a.b": Setting("a.b", int, 1, "")}) == ["a.b"]


def test_every_section_is_explained() -> None:
    names = [name for name, cls in sections() if (cls.__doc__ or "").strip()]
    assert names == [
        "node", "gateway", "gateway.tcp", "gateway.ws", "gateway.http", "gateway.zmq",
        "store", "chat", "presence", "retention", "search",
        "auth", "auth.jwt", "hooks", "limits", "files", "log",
    ]  # fmt: skip


def test_shipped_file_is_the_defaults() -> None:
    assert load(SHIPPED, env={}) == Settings()


def test_shipped_file_explains_every_setting() -> None:
    # `actorchat config init` writes the same; run it over the file after a change of the schema.
    assert SHIPPED.read_text(encoding="utf-8") == render_toml()


@pytest.mark.parametrize("key", sorted(table()))
def test_default_keeps_its_own_bounds(key: str) -> None:
    setting = table()[key]
    assert msgspec.convert(setting.default, setting.type) == setting.default


def test_settings_can_not_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().log.level = "debug"  # type: ignore[misc]


def test_addresses_and_data_are_private_by_default() -> None:
    assert Settings().gateway.tcp.listen.startswith("127.0.0.1:")
    assert Settings().store.sync
