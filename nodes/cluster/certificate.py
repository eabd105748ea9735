"""Knows how a certificate is made that one server alone has. Must not know who serves what."""

from __future__ import annotations

import subprocess
from pathlib import Path

from actorchat.errors import SettingsError

DAYS = 3_650


def write_certificate(folder: Path, address: str) -> tuple[Path, Path]:
    """Make a key and a certificate for a numeric address; return the files of both.

    Nobody signed it but itself: who is to believe it is given the file. Blocks, for 10 ms.

    Raises:
        SettingsError: It can't be made.
    """
    certificate, key = folder / "registry.crt", folder / "registry-tls.key"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", str(DAYS), "-subj", "/CN=actorchat registry",
        "-addext", f"subjectAltName=IP:{address}",
        "-addext", "keyUsage=critical,digitalSignature,keyCertSign",
        "-keyout", str(key), "-out", str(certificate),
    ]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            command, capture_output=True, text=True, check=False, umask=0o077
        )
    except OSError as error:
        raise SettingsError([f"openssl: {error.strerror or error}"]) from None
    if done.returncode:
        raise SettingsError([f"openssl: {done.stderr.strip()}"])
    return certificate, key
