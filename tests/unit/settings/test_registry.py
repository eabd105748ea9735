"""The registry's settings: the shipped file, its bounds, and what must hold between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorchat.errors import SettingsError
from actorchat.settings import render_toml
from actorchat.settings.loader import gather
from actorchat.settings.registry import RegistrySettings, registry_contradictions

SHIPPED = Path(__file__).parents[3] / "config" / "registry.toml"


def load(env: dict[str, str] | None = None, **flags: object) -> RegistrySettings:
    overrides = {f"registry.{name}": value for name, value in flags.items()}
    found, _ = gather(RegistrySettings, registry_contradictions, None, env or {}, overrides)
    return found


def test_shipped_file_is_what_the_schema_says() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert text == render_toml(RegistrySettings(), what="a registry")
    found, origins = gather(RegistrySettings, registry_contradictions, SHIPPED, {})
    assert found == RegistrySettings()
    assert set(origins.values()) == {"file"}


def test_environment_overrides_and_a_nodes_variables_are_none_of_its_affair() -> None:
    env = {"ACTORCHAT_REGISTRY__LISTEN": "127.0.0.1:1", "ACTORCHAT_GATEWAY__TCP__LISTEN": "h:1"}
    assert load(env).registry.listen == "127.0.0.1:1"
    with pytest.raises(SettingsError, match="no such setting"):
        load({"ACTORCHAT_REGISTRY__LISTN": "127.0.0.1:1"})


@pytest.mark.parametrize("listen", ["0.0.0.0:7750", "[::]:7750", "example.org:7750"])
def test_beyond_loopback_it_takes_a_key_and_tls(listen: str) -> None:
    with pytest.raises(SettingsError, match="beyond loopback"):
        load(listen=listen)
    with pytest.raises(SettingsError, match="beyond loopback"):
        load(listen=listen, key_file="k")
    load(listen=listen, key_file="k", tls_cert="c", tls_key="t")


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:7750", "[::1]:7750"])
def test_loopback_takes_neither(listen: str) -> None:
    assert load(listen=listen).registry.listen == listen


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"tls_cert": "c"}, "both or neither"),
        ({"listen": "nowhere"}, "host:port"),
        ({"timeout_min_s": 9.0, "timeout_max_s": 8.0}, "not be less"),
        ({"timeout_min_s": 0}, "timeout_min_s"),
    ],
)
def test_what_can_not_be_is_named(flags: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(**flags)
