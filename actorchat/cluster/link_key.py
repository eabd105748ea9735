"""Knows a node's CURVE key and its file. Must not know who else has one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from actorchat.errors import SettingsError

_OTHERS = 0o077  # permissions that are not the owner's


@dataclass(frozen=True, slots=True)
class NodeKey:
    """A node's key pair, each half 40 characters of Z85."""

    public: str
    secret: str = field(repr=False)

    @classmethod
    def of(cls, secret: str) -> NodeKey:
        """Return the pair of a secret key.

        Raises:
            ValueError: It is none.
        """
        try:
            return cls(zmq.curve_public(secret.encode("ascii")).decode(), secret)
        except (zmq.ZMQError, ValueError):
            raise ValueError("no key of 40 characters in Z85") from None


def write_node_key(path: str | Path) -> str:
    """Make a key pair, write its secret to a new file for its owner alone; return the public key.

    Raises:
        FileExistsError: There is something already.
        OSError: The file can't be written.
    """
    public, secret = zmq.curve_keypair()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(secret + b"\n")
    return public.decode("ascii")


def read_node_key(path: str | Path) -> NodeKey:
    """Read the key pair from a file that `write_node_key` made.

    Raises:
        SettingsError: It can't be read, others could read it, or it holds no key.
    """
    try:
        with Path(path).open(encoding="ascii") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            text = opened.read(256).strip()
        if mode & _OTHERS:
            raise SettingsError([f"node key {path}: others may read it; chmod 600"])
        return NodeKey.of(text)
    except OSError as error:
        raise SettingsError([f"node key {path}: {error.strerror or error}"]) from error
    except ValueError:
        # The text is not quoted: it may be a secret, misspelt.
        raise SettingsError([f"node key {path}: no key in Z85"]) from None
