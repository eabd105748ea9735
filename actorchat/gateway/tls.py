"""Knows how a server's TLS is set up from files. Must not know sockets or settings files."""

from __future__ import annotations

import ssl
from pathlib import Path

from actorchat.errors import SettingsError


def tls_context(certificate: str | Path, key: str | Path) -> ssl.SSLContext:
    """Make the server's TLS context from a PEM certificate chain and its PEM key; TLS 1.2 or later.

    Raises:
        SettingsError: A file can't be read, is no PEM, needs a pass phrase, or the two don't match.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    problems = []
    for what, path in (("certificate", certificate), ("key", key)):
        try:
            Path(path).read_bytes()
        except OSError as error:
            problems.append(f"TLS {what} {path}: {error.strerror}")
    if problems:
        raise SettingsError(problems)
    try:
        # Without this callback OpenSSL would ask for a pass phrase on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise SettingsError([f"TLS certificate {certificate} with key {key}: {reason}"]) from None
    return context
