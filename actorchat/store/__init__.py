"""Knows how bytes are kept and when they are durable. Must not know actors, ops or people."""
