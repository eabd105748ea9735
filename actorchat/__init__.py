"""Knows its version. Must not know anything else: importing it starts nothing."""

__version__ = "0.1.0"
