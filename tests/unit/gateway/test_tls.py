"""Knows which files make a TLS context. Must not know sockets."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from actorchat.errors import SettingsError
from actorchat.gateway.tls import tls_context


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    for name in ("one", "two"):
        leaf = authority.issue_cert("chat.example")
        leaf.private_key_pem.write_to_path(folder / f"{name}.key")
        leaf.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    (folder / "none.pem").write_text("no certificate\n")
    key = serialization.load_pem_private_key((folder / "one.key").read_bytes(), None)
    (folder / "locked.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    return folder


def test_context_is_a_servers_and_refuses_old_tls(files: Path) -> None:
    context = tls_context(files / "one.pem", str(files / "one.key"))
    assert context.protocol == ssl.PROTOCOL_TLS_SERVER
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_missing_files_are_named_both(files: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        tls_context(files / "absent.pem", files / "absent.key")
    certificate, key = caught.value.problems
    assert "absent.pem" in certificate and "absent.key" in key
    assert "No such file" in certificate


@pytest.mark.parametrize(
    ("certificate", "key"),
    [
        ("one.pem", "two.key"),
        ("none.pem", "one.key"),
        ("one.pem", "none.pem"),
        ("one.pem", "locked.key"),
    ],
)
def test_files_that_do_not_fit_are_a_settings_error(
    files: Path, certificate: str, key: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        tls_context(files / certificate, files / key)
    (problem,) = caught.value.problems
    assert certificate in problem and key in problem
