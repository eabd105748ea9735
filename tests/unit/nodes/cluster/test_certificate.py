"""A certificate is good for its address alone, and its key is its owner's."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from pathlib import Path

import pytest

from actorchat.errors import SettingsError
from nodes.cluster.certificate import write_certificate

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")


@needs_openssl
@pytest.mark.parametrize("address", ["127.0.0.1", "198.18.0.1"])
async def test_server_is_believed_at_its_own_address_only(tmp_path: Path, address: str) -> None:
    certificate, key = write_certificate(tmp_path, address)
    assert key.stat().st_mode & 0o077 == 0
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context(cafile=str(certificate))
    listener = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0, ssl=server)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        dial = asyncio.open_connection("127.0.0.1", port, ssl=client)
        if address == "127.0.0.1":
            _, writer = await dial
            writer.close()
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                await dial


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("openssl") is not None:
        with pytest.raises(SettingsError, match="openssl"):
            write_certificate(tmp_path, "no address")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SettingsError, match="openssl"):
        write_certificate(tmp_path, "127.0.0.1")
